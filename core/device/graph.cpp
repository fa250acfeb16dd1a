#include "duel/core/device/graph.h"

#include "duel/core/device/allocator.h"
#include "duel/core/device/internal/counter.h"
#include "duel/core/device/internal/device_state.h"
#include "duel/core/device/side_streams.h"
#include "duel/kernels/base/runtime.h"

namespace duel {

namespace runtime = kernels::runtime;

struct CapturedGraph::State {
  explicit State(Device on) : device(on), pool(detail::make_pool(on)) {}
  ~State() {
    try {
      if (graph.handle != nullptr) {
        runtime::synchronize(detail::compute_stream(device));
        runtime::destroy_graph(graph);
      }
    } catch (...) {
      // The device is lost; what it held went with it.
    }
    detail::release_pool(device, pool);
  }

  Device device;
  detail::MemoryPool* pool;
  runtime::Graph graph;
  std::vector<std::shared_ptr<detail::Counter>> counters;
};

CapturedGraph::CapturedGraph(Device device, const std::function<void()>& work) {
  DUEL_CHECK(device.is_cuda(), "CapturedGraph", "expected a CUDA device, got {}", device);
  const kernels::Stream stream = detail::compute_stream(device);
  DUEL_CHECK(!runtime::capturing(stream), "CapturedGraph", "a graph is being captured on {} already", device);
  state_ = std::make_unique<State>(device);
  detail::settle_counters(device);
  detail::begin_pool(device, state_->pool);
  struct EndPool {
    Device device;
    ~EndPool() { detail::end_pool(device); }
  } end_pool{device};
  runtime::begin_capture(stream);
  try {
    const detail::CounterLog log(state_->counters);
    work();
    detail::Counter::finish_capture();
    state_->graph = runtime::end_capture(stream);
  } catch (...) {
    runtime::abandon_capture(stream);
    for (const auto& counter : state_->counters) counter->forget_capture();
    throw;
  }
}

CapturedGraph::~CapturedGraph() = default;
CapturedGraph::CapturedGraph(CapturedGraph&&) noexcept = default;
CapturedGraph& CapturedGraph::operator=(CapturedGraph&&) noexcept = default;

void CapturedGraph::launch() {
  DUEL_CHECK(!detail::side_streams_busy(state_->device), "CapturedGraph",
             "launch: expected no work on side streams of {}, whose join() has not been called yet",
             state_->device);
  for (const auto& counter : state_->counters) counter->settle();
  runtime::launch_graph(state_->graph, detail::compute_stream(state_->device));
}

int64_t CapturedGraph::nodes() const { return state_->graph.nodes; }
int64_t CapturedGraph::kernels() const { return state_->graph.kernels; }
std::vector<runtime::GraphNode> CapturedGraph::listing() const { return runtime::graph_nodes(state_->graph); }
int64_t CapturedGraph::bytes() const { return detail::pool_bytes(state_->device, state_->pool); }

kernels::PhiloxAdvances drawn_in_capture(const Device& device) { return detail::Counter::take_drawn(device); }

}  // namespace duel
