// Independent work side by side: each branch runs on a side stream of the GPU, within a captured graph too.
// On the CPU the branches run one after the other. The results are the same bits either way.
//
// A branch may read what was made before the fork and what it makes itself; what it makes may be read after
// join(). Memory that is freed between fork and join is not reused before the join (Note [Stream-ordered
// blocks] in allocator.h).
//
// Example:
//   Tensor real, fake;
//   Branches branches(device);                           // forks
//   branches.run([&] { real = critic_gradient(x); });    // on a side stream
//   fake = critic_gradient(g);                           // meanwhile, on the compute stream
//   branches.join();
#pragma once

#include <functional>
#include <vector>

#include "duel/core/device/device.h"
#include "duel/kernels/base/runtime.h"

namespace duel {

class Branches {
 public:
  /// Forks from the stream that this thread works on.
  explicit Branches(Device device);
  /// Joins what has not been joined; an error there is lost.
  ~Branches();
  Branches(const Branches&) = delete;
  Branches& operator=(const Branches&) = delete;

  /// Calls `work` with a side stream as this thread's stream: at most kMost times between fork and join.
  void run(const std::function<void()>& work);
  /// The stream that was forked from waits for all branches.
  void join();

  static constexpr int kMost = 8;

 private:
  Device device_;
  kernels::Stream main_;
  kernels::runtime::Event fork_;
  std::vector<int> used_;  // numbers of side streams
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

/// Side streams that go on through a stretch of work: what is run in a lane comes after what its stream and,
/// up to now, the forked one were given. Joined at the end.
class Lanes {
 public:
  explicit Lanes(Device device);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  void run(int lane, const std::function<void()>& work);
  void join();

  static constexpr int kCount = 3;

 private:
  Device device_;
  kernels::Stream main_;
  kernels::runtime::Event fork_;
  std::vector<int> sides_;  // by lane: number of the side stream, -1 before the first use
  bool open_ = false;
};

}  // namespace detail

}  // namespace duel
