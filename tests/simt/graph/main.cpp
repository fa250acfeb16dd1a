// duel-graph: `duel bench graph` without a GPU, with the same options.
#include <cstdio>

#include "apps/commands.h"
#include "duel/kernels/base/error.h"
#include "graph_costs.h"

int main(int argc, char** argv) {
  duel::simt::count_costs();
  try {
    return duel::apps::run_command_line(argc, argv, {duel::apps::bench_command()});
  } catch (const duel::Error& error) {
    std::fprintf(stderr, "duel-graph: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "duel-graph: %s\n", error.what());
    return 1;
  }
}
