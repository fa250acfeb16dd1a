// duel bench graph: the nodes of a captured iteration, what each moves and computes, how long the chain is that none of
// them can leave, and what a simple model makes of it. At these sizes launches decide, so the number of nodes and the
// length of that chain are measures of speed that need no GPU: tests hold them to budgets.
//
// On a GPU the nodes come from its runtime, without bytes and FLOP. Without one `duel-graph` (tests/simt/graph) lists
// them over a stand-in of the runtime, which captures and never computes, and counts both; registers and shared memory it
// has from what nvcc last made of the kernels (tests/golden/kernels_sm90.json). With the PTX of a CUDA build (--ptx DIR) it executes
// some blocks of every kernel in the interpreter (tests/ptx) and counts instructions by kind, bytes by width, and coalescing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench.h"
#include "duel/kernels/base/runtime.h"
#include "workload.h"

namespace duel::apps::bench {

/// What some blocks of a kernel executed as nvcc's PTX, scaled to all of its blocks. What the last block of a sum does for the
/// others is not in it.
struct Executed {
  int64_t sampled_blocks = 0;
  double instructions = 0;              ///< of warps
  std::map<std::string, double> kinds;  ///< the same by kind: f32, integer, tensor, …
  std::map<int, double> global_bytes;   ///< loaded and stored, by the bytes of an access
  double coalescing = 1;  ///< bytes that lanes asked for by bytes of the sectors of 32 that were touched
  double conflicts =
      1;  ///< passes over shared memory by the least that its bytes need, 1 where no banks meet
  /// Of the bytes, by accesses of 16.
  double wide() const {
    double all = 0;
    for (const auto& [width, bytes] : global_bytes) all += bytes;
    const auto found = global_bytes.find(16);
    return all > 0 && found != global_bytes.end() ? found->second / all : 0;
  }
};

/// What a node costs: bytes that must move (inputs once, outputs once), FLOP; what is executed, where it is known.
struct NodeCost {
  int64_t bytes = 0;
  double flop = 0;
  std::optional<Executed> executed = {};
};
/// Tells a node's cost; empty where it is not known.
using NodeCosts = std::function<NodeCost(const kernels::runtime::GraphNode&)>;
NodeCosts& node_costs();

/// Assumptions of an H100, from public notes; none was measured by Duel. tests/gpu.sh measures the first two.
struct GraphModel {
  double gap_us = 1.3;          ///< between two nodes
  double least_us = 1.2;        ///< that a kernel takes
  double bytes_per_us = 3.0e6;  ///< of all multiprocessors together
  double flop_per_us = 60e6;    ///< the same, f32
  double blocks = 132;          ///< with fewer a kernel gets that share of both
};

struct ListedNode {
  kernels::runtime::GraphNode node;
  std::string name;  ///< short: "gemm_kernel<float>", "copy"
  NodeCost cost;
  bool critical = false;  ///< on the longest chain (the first of several)
  int branch = 0;
  double start_us = 0, us = 0;  ///< by the model, with all branches at once
};

struct GraphListing {
  Workload workload;
  std::vector<ListedNode> nodes;
  int64_t critical_path = 0;  ///< nodes of the longest chain
  double model_us = 0;
  int64_t bytes = 0;
  double flop = 0;
};

/// "void duel::kernels::(anonymous namespace)::map_kernel<float, Relu>(long, …)" is "map_kernel<float, Relu>".
std::string short_kernel_name(const std::string& full);

GraphListing list_nodes(std::vector<kernels::runtime::GraphNode> nodes, const GraphModel& model = {});
/// Captures a plain iteration. Error on a CPU.
GraphListing list_iteration(const Workload& workload, Device device);

std::string graph_table(const GraphListing& listing);
/// One line.
std::string graph_json(const GraphListing& listing);
/// One page: a lane for every branch, a box for every node.
std::string graph_html(const std::vector<GraphListing>& listings);

/// Of the request: archs, objectives, batches and json. `html`: a file, or empty. Returns the exit status.
int bench_graph(const StepRequest& request, const std::string& html, Device device);

}  // namespace duel::apps::bench
