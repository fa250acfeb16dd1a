#include "graph_costs.h"

#include <map>
#include <utility>

#include "apps/bench/graph.h"
#include "duel/core/tensor/internal/data_watch.h"
#include "duel/kernels/base/launch_cost.h"
#include "tests/simt/host_runtime.h"

namespace duel::simt {
namespace {

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
  detail::data_watch = note;
  apps::bench::node_costs() = [](const kernels::runtime::GraphNode& node) {
    const Work& what = work_of(node.handle);
    return apps::bench::NodeCost{what.bytes, what.flop};
  };
}

}  // namespace duel::simt
