// Independent work side by side, on side streams of the GPU, within a captured graph too. On the CPU it runs
// one after the other. The results are the same bits either way.
//
// What runs on a side stream may read what the forked stream was given before the fork, and what was made on
// the same side stream; what it makes may be read after join(). Memory that is freed between the first fork
// and the join is not reused before the join (Note [Stream-ordered blocks] in allocator.h).
//
// Example:
//   Tensor real, fake;
//   SideStreams beside(device);                        // forks
//   beside.run([&] { real = critic_gradient(x); });    // on a side stream
//   fake = critic_gradient(g);                         // meanwhile, on the compute stream
//   beside.join();
#pragma once

#include <functional>
#include <vector>

#include "duel/core/device/device.h"
#include "duel/kernels/base/runtime.h"

namespace duel {

class SideStreams {
 public:
  /// Forks from the stream that this thread works on.
  explicit SideStreams(Device device);
  /// Joins what has not been joined; an error there is lost.
  ~SideStreams();
  SideStreams(const SideStreams&) = delete;
  SideStreams& operator=(const SideStreams&) = delete;

  /// Forks again: what is run from now on comes after all that the forked stream was given up to here.
  void fork();
  /// Calls `work` with side stream number `side`, 0 to kMost - 1, as this thread's stream: after the newest
  /// fork and after what was run there before.
  void run(int side, const std::function<void()>& work);
  /// The same on the first side stream that was not used yet.
  void run(const std::function<void()>& work) { run(static_cast<int>(used_.size()), work); }
  /// The forked stream waits for all of them.
  void join();

  static constexpr int kMost = 8;

 private:
  Device device_;
  kernels::Stream main_;
  kernels::runtime::Event fork_;
  std::vector<int> used_;  // which of the device's side streams each one is; -1: none yet
  bool open_ = false;
};

/// While it lives, backward walks of this thread that record no graph compute the gradients of leaves
/// (weights, that is) beside the chain that leads to other tensors, on side streams of the GPU, and join at
/// their end. Worth it inside a captured graph, where a fork is only an edge; memory that a walk frees is not
/// reused before its end. The same bits.
class ParallelLeafGradients {
 public:
  ParallelLeafGradients();
  ~ParallelLeafGradients();
  ParallelLeafGradients(const ParallelLeafGradients&) = delete;
  ParallelLeafGradients& operator=(const ParallelLeafGradients&) = delete;

 private:
  bool before_;
};

namespace detail {

/// Whether one lives on this thread.
bool parallel_leaf_gradients();
/// Does anybody work between a fork and its join? A captured graph may have used the same side streams, whose kernels
/// would then run beside each other: Note [Tickets] in kernels/base/lanes.cuh.
bool side_streams_busy(const Device& device);

}  // namespace detail

}  // namespace duel
