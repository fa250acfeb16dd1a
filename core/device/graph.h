// A captured CUDA graph: what a function starts on the GPU is recorded once and then replayed with one
// launch, without the cost of starting each kernel. Not to be confused with autograd's graph.
//
// Note [What a capture may do]
// Run the function a few times first: libraries make their plans then, generators move their offset to the
// device, and memory comes into the cache. While it is captured nothing runs, so it must not read results
// (item, to_vector), copy between CPU and GPU, or decide by values; each of these is an Error. Tensors that
// it reads from outside must live as long as the graph and keep their place; so must those it returns through
// references, which hold the newest replay's values. Random numbers go on from replay to replay, and between
// replays and eager calls, as if all had been eager.
//
// Example:
//   for (int i = 0; i < 3; ++i) step();
//   CapturedGraph graph(Device::cuda(), step);
//   for (int i = 3; i < n; ++i) graph.launch();
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "duel/core/device/device.h"
#include "duel/kernels/base/runtime.h"
#include "duel/kernels/map/random.h"

namespace duel {

class CapturedGraph {
 public:
  /// Records what `work` starts on the device's compute stream. Error on the CPU; errors of `work` pass, and
  /// leave device and generators as they were before.
  CapturedGraph(Device device, const std::function<void()>& work);
  /// Waits for the device.
  ~CapturedGraph();
  CapturedGraph(CapturedGraph&&) noexcept;
  CapturedGraph& operator=(CapturedGraph&&) noexcept;

  /// Starts one replay on the compute stream; does not wait for it. Error between a SideStreams' run() and join().
  void launch();

  int64_t nodes() const;    ///< kernels, copies and fills
  int64_t kernels() const;  ///< of those, kernels
  int64_t bytes() const;    ///< memory that is reserved for it
  std::vector<kernels::runtime::GraphNode> listing() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// How far what this thread has drawn on the device in its capture moves the generators, PhiloxAdvances::kMost of them at most.
/// Whoever asks moves them on, in a launch behind all those draws: the capture, which ends with a launch for what nobody took,
/// does not. Nothing without a capture.
kernels::PhiloxAdvances drawn_in_capture(const Device& device);

}  // namespace duel
