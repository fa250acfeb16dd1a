// duel bench nodes: what one node of a captured graph costs, where it does nothing and where it works on a
// hidden layer's activations; one after the other, and over three branches. An iteration of the small
// networks is hundreds of such nodes, so that these four numbers and its node count foretell its time.
#include <cstdio>

#include "bench.h"
#include "duel/core/device/graph.h"
#include "duel/core/device/side_streams.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/tensor.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/map/activations.h"
#include "duel/kernels/map/elementwise.h"
#include "timer.h"

namespace duel::apps::bench {
namespace {

/// Microseconds per call of `work`, over `seconds` at least after half as long a warm-up.
template <class F>
double time_calls(const F& work, double seconds) {
  const double warm = now();
  do work();
  while (now() - warm < seconds / 2);
  int64_t calls = 0;
  const double began = now();
  double passed = 0;
  do {
    work();
    ++calls;
    passed = now() - began;
  } while (passed < seconds);
  return passed * 1e6 / static_cast<double>(calls);
}

}  // namespace

std::vector<NodesRow> time_nodes(Device device, int count, double seconds) {
  DUEL_CHECK(device.is_cuda(), "bench", "nodes: expected a GPU (--device cuda), whose graphs have nodes");
  constexpr int64_t kRows = 64, kColumns = 256;
  constexpr int kTogether = 20;  // replays before the device is waited for
  const NoGrad no_grad;
  const TensorOptions on{DType::f32, device};
  std::vector<NodesRow> rows;
  for (const bool empty : {true, false}) {
    for (const int branches : {1, 3}) {
      const Shape shape = empty ? Shape{1} : Shape{kRows, kColumns};
      const Tensor x = Tensor::full(shape, 0.5, on);
      std::vector<Tensor> results;
      for (int k = 0; k < branches; ++k) results.push_back(Tensor::zeros(shape, on));
      const auto node = [&](const Tensor& to) {
        kernels::activation(stream_of(device), x.numel(), x.data<float>(), to.mutable_data<float>(),
                            kernels::LeakyRelu{0.2});
      };
      CapturedGraph graph(device, [&] {
        if (branches == 1) {
          for (int k = 0; k < count; ++k) node(results[0]);
          return;
        }
        SideStreams beside(device);
        for (int b = 0; b < branches; ++b) {
          beside.run([&] {
            for (int k = b; k < count; k += branches) node(results[static_cast<size_t>(b)]);
          });
        }
        beside.join();
      });
      NodesRow row{.work = empty ? "empty" : message("{}x{}", kRows, kColumns),
                   .branches = branches,
                   .nodes = graph.nodes()};
      row.replay_us = time_calls(
                          [&] {
                            for (int k = 0; k < kTogether; ++k) graph.launch();
                            synchronize(device);
                          },
                          seconds) /
                      kTogether;
      row.alone_us = time_calls(
          [&] {
            graph.launch();
            synchronize(device);
          },
          seconds);
      rows.push_back(row);
    }
  }
  return rows;
}

int bench_nodes(const StepRequest& request, Device device) {
  for (const NodesRow& row : time_nodes(device, 100, request.seconds / 3)) {
    const double each = row.replay_us / static_cast<double>(row.nodes);
    std::printf(
        request.json
            ? "{\"bench\": \"nodes\", \"work\": \"%s\", \"branches\": %d, \"nodes\": %lld, \"us_per_node\": "
              "%.4f, \"us_replay\": %.3f, \"us_replay_alone\": %.3f}\n"
            : "%s nodes, branches %d, %lld in a graph: %.3f us per node, %.1f us per replay, "
              "%.1f us launched and waited for alone\n",
        row.work.c_str(), row.branches, static_cast<long long>(row.nodes), each, row.replay_us, row.alone_us);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace duel::apps::bench
