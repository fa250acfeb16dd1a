// Independent work side by side: each branch runs on a side stream of the GPU, within a captured graph too. On the CPU the
// branches run one after the other. The results are the same bits either way.
//
// A branch may read what was made before the fork and what it makes itself; what it makes may be read after join().
// Memory that is freed between fork and join is not reused before the join (Note [Stream-ordered blocks] in allocator.h).
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

#include "duel/core/device.h"
#include "duel/kernels/runtime.h"

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

}  // namespace duel
