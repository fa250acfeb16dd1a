// duel-graph: `duel bench graph` without a GPU, with the same options, and --ptx DIR: what the kernels execute, from the PTX of a
// CUDA build below that folder.
#include <cstdio>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "duel/kernels/base/error.h"
#include "graph_costs.h"

int main(int argc, char** argv) {
  duel::simt::count_costs();
  try {
    std::vector<char*> rest;
    for (int k = 0; k < argc; ++k) {
      if (std::string(argv[k]) != "--ptx") {
        rest.push_back(argv[k]);
        continue;
      }
      DUEL_CHECK(k + 1 < argc, "bench", "graph: --ptx: expected a folder");
      duel::simt::count_executed(argv[++k]);
    }
    argc = static_cast<int>(rest.size());
    argv = rest.data();
    // Nothing else has a meaning where no kernel runs.
    const bool other =
        argc > 2 && std::string(argv[1]) == "bench" && argv[2][0] != '-' && std::string(argv[2]) != "graph";
    DUEL_CHECK(!other, "bench",
               "expected duel-graph bench graph, got {}: kernels are recorded here and never run", argv[2]);
    return duel::apps::run_command_line(argc, argv, {duel::apps::bench_command()});
  } catch (const duel::Error& error) {
    std::fprintf(stderr, "duel-graph: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "duel-graph: %s\n", error.what());
    return 1;
  }
}
