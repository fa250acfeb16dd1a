#include "graph_costs.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/bench/graph.h"
#include "duel/core/tensor/internal/data_watch.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/launch_cost.h"
#include "tests/ptx/executor.h"
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

std::unique_ptr<ptx::Executor> executor;  // null: what is executed is not asked for

/// Some blocks, far apart.
std::vector<uint64_t> sample(const std::vector<uint64_t>& blocks) {
  constexpr size_t kMost = 4;
  if (blocks.size() <= kMost) return blocks;
  std::vector<uint64_t> chosen;
  for (size_t k = 0; k < kMost; ++k) chosen.push_back(blocks[(2 * k + 1) * blocks.size() / (2 * kMost)]);
  return chosen;
}

std::optional<apps::bench::Executed> executed_by(const void* node) {
  size_t all = 0, sampled = 0;
  executor->reset_counts();
  execute_with([&](Launch& launch) {
    all = launch.block_order.size();
    launch.block_order = sample(launch.block_order);
    sampled = launch.block_order.size();
    executor->run(launch);
  });
  bool whole = true;
  try {
    run_node(node);
  } catch (const Failure&) {
    whole = false;
  }
  execute_with({});
  const auto counts = executor->counts();
  if (!whole || counts.size() != 1) return std::nullopt;
  const ptx::Counts& found = counts.begin()->second;
  const double scale = static_cast<double>(all) / static_cast<double>(sampled);
  apps::bench::Executed executed{.sampled_blocks = static_cast<int64_t>(sampled),
                                 .instructions = scale * static_cast<double>(found.instructions()),
                                 .kinds = {},
                                 .global_bytes = {},
                                 .coalescing = found.coalescing(),
                                 .conflicts = found.conflicts()};
  for (size_t k = 0; k < found.warps.size(); ++k) {
    if (found.warps[k] > 0)
      executed.kinds[ptx::name(static_cast<ptx::Sort>(k))] = scale * static_cast<double>(found.warps[k]);
  }
  for (const auto* widths : {&found.global_loaded, &found.global_stored}) {
    for (const auto& [width, bytes] : *widths)
      executed.global_bytes[width] += scale * static_cast<double>(bytes);
  }
  return executed;
}

}  // namespace

void count_executed(const std::string& folder) {
  ptx::Kernels read = ptx::read_kernels(folder.c_str(), "", "");
  DUEL_CHECK(read.executor != nullptr, "bench", "graph: {}", read.why_none);
  count_executed(std::move(read.executor));
}
void count_executed(std::unique_ptr<ptx::Executor> by) { executor = std::move(by); }

void count_costs() {
  set_device_memory(size_t{32} << 30);
  only_record();
  watch_launches(count);
  answer_attributes(attributes_of);
  detail::data_watch = note;
  apps::bench::node_costs() = [](const kernels::runtime::GraphNode& node) {
    const Work& what = work_of(node.handle);
    apps::bench::NodeCost cost{.bytes = what.bytes, .flop = what.flop};
    if (executor != nullptr && node.kind == kernels::runtime::GraphNode::Kind::kernel)
      cost.executed = executed_by(node.handle);
    return cost;
  };
}

}  // namespace duel::simt
