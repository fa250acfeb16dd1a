#include "graph_costs.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/bench/graph.h"
#include "duel/core/tensor/internal/data_watch.h"
#include "duel/kernels/base/launch_cost.h"
#include "tests/simt/host_runtime.h"

// The assembler puts the table into the read-only data, so that the program may be moved.
asm(".pushsection .rodata\n"
    "duel_kernel_table_begin:\n"
    ".incbin \"" DUEL_KERNEL_TABLE
    "\"\n"
    "duel_kernel_table_end:\n"
    ".popsection\n");
extern "C" const char duel_kernel_table_begin[], duel_kernel_table_end[];

namespace duel::simt {
namespace {

/// What nvcc made of every kernel for sm_90, by its short name.
const std::map<std::string, cudaFuncAttributes>& compiled_kernels() {
  static const auto kernels = [] {
    std::map<std::string, cudaFuncAttributes> found;
    const auto table = nlohmann::json::parse(duel_kernel_table_begin, duel_kernel_table_end);
    for (const auto& [name, row] : table.at("kernels").items())
      found[name] = {row.at("registers").get<int>(), row.at("shared_bytes").get<size_t>()};
    return found;
  }();
  return kernels;
}

bool attributes_of(const std::string& kernel, cudaFuncAttributes& to) {
  const auto found = compiled_kernels().find(apps::bench::short_kernel_name(kernel));
  if (found == compiled_kernels().end()) return false;
  to = found->second;
  return true;
}

/// Bytes of the newest tensor at an address, which a pointer of a launch may point to.
std::map<const void*, size_t>& asked() {
  static std::map<const void*, size_t> all;
  return all;
}

void note(const void* data, size_t bytes) { asked()[data] = bytes; }

void count(Work& what) {
  const kernels::LaunchCost announced = std::exchange(kernels::announced_cost, {});
  what.flop = announced.flop;
  what.bytes = announced.bytes;
  if (what.bytes > 0) return;
  for (const void* pointer : what.pointers) {
    if (const auto found = asked().find(pointer); found != asked().end())
      what.bytes += static_cast<int64_t>(found->second);
  }
}

}  // namespace

void count_costs() {
  set_device_memory(size_t{32} << 30);
  only_record();
  watch_launches(count);
  answer_attributes(attributes_of);
  detail::data_watch = note;
  apps::bench::node_costs() = [](const kernels::runtime::GraphNode& node) {
    const Work& what = work_of(node.handle);
    return apps::bench::NodeCost{what.bytes, what.flop};
  };
}

}  // namespace duel::simt
