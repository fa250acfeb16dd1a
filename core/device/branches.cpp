#include "duel/core/device/branches.h"

#include <map>
#include <mutex>

#include "duel/core/device/allocator.h"
#include "duel/core/device/internal/device_state.h"

namespace duel {
namespace {

namespace runtime = kernels::runtime;

/// A side stream and the event at its end; made when first needed, kept for ever.
struct Side {
  kernels::Stream stream;
  runtime::Event done;
  bool busy = false;
};

struct Sides {
  std::mutex mutex;
  std::vector<Side*> all;
  std::vector<runtime::Event> forks;  // idle ones
};

Sides& sides_of(const Device& device) {
  static std::mutex mutex;
  static auto* devices = new std::map<int, Sides*>;
  std::scoped_lock lock(mutex);
  Sides*& found = (*devices)[device.index];
  if (found == nullptr) found = new Sides;
  return *found;
}

runtime::Event take_fork(const Device& device) {
  Sides& sides = sides_of(device);
  std::scoped_lock lock(sides.mutex);
  if (sides.forks.empty()) sides.forks.push_back(runtime::create_event());
  const runtime::Event fork = sides.forks.back();
  sides.forks.pop_back();
  return fork;
}

/// The number of an idle side stream, which is busy from now on.
int take_side(const Device& device) {
  Sides& sides = sides_of(device);
  std::scoped_lock lock(sides.mutex);
  size_t k = 0;
  while (k < sides.all.size() && sides.all[k]->busy) ++k;
  if (k == sides.all.size()) sides.all.push_back(new Side{runtime::create_stream(), runtime::create_event()});
  sides.all[k]->busy = true;
  return static_cast<int>(k);
}

Side& side_at(const Device& device, int k) {
  Sides& sides = sides_of(device);
  std::scoped_lock lock(sides.mutex);
  return *sides.all[static_cast<size_t>(k)];
}

/// `main` waits for the side streams with numbers from 0; they and the event become idle, and freed blocks
/// reusable, whatever happens.
void join_sides(const Device& device, const kernels::Stream& main, const runtime::Event& fork,
                std::vector<int>& used) {
  struct Finish {
    const Device& device;
    const runtime::Event& fork;
    std::vector<int>& used;
    ~Finish() {
      Sides& sides = sides_of(device);
      {
        std::scoped_lock lock(sides.mutex);
        for (const int k : used) {
          if (k >= 0) sides.all[static_cast<size_t>(k)]->busy = false;
        }
        sides.forks.push_back(fork);
      }
      used.clear();
      detail::release_freed_blocks(device);
    }
  } finish{device, fork, used};
  for (const int k : used) {
    if (k < 0) continue;
    Side& side = side_at(device, k);
    runtime::record(side.done, side.stream);
    runtime::wait(main, side.done);
  }
}

thread_local bool leaves_beside = false;

}  // namespace

ParallelLeafGradients::ParallelLeafGradients() : before_(leaves_beside) { leaves_beside = true; }
ParallelLeafGradients::~ParallelLeafGradients() { leaves_beside = before_; }

namespace detail {

bool parallel_leaf_gradients() { return leaves_beside; }

Lanes::Lanes(Device device)
    : device_(device), main_(stream_of(device)), fork_(take_fork(device)), sides_(kCount, -1) {
  hold_freed_blocks(device);
  open_ = true;
}

Lanes::~Lanes() {
  try {
    join();
  } catch (...) {
    // As in ~Branches.
  }
}

void Lanes::run(int lane, const std::function<void()>& work) {
  int& number = sides_[static_cast<size_t>(lane)];
  if (number < 0) number = take_side(device_);
  Side& side = side_at(device_, number);
  runtime::record(fork_, main_);
  runtime::wait(side.stream, fork_);
  const OnSideStream here(device_, side.stream);
  work();
}

void Lanes::join() {
  if (!open_) return;
  open_ = false;
  join_sides(device_, main_, fork_, sides_);
}

}  // namespace detail

Branches::Branches(Device device) : device_(device) {
  if (!device.is_cuda()) return;
  main_ = stream_of(device);
  fork_ = take_fork(device);
  runtime::record(fork_, main_);
  detail::hold_freed_blocks(device);
  open_ = true;
}

Branches::~Branches() {
  try {
    join();
  } catch (...) {
    // The stream is lost, or a capture was abandoned: whoever works on it next is told.
  }
}

void Branches::run(const std::function<void()>& work) {
  if (!device_.is_cuda()) return work();
  DUEL_CHECK(open_, "Branches", "expected run() before join()");
  DUEL_CHECK(used_.size() < static_cast<size_t>(kMost), "Branches",
             "expected at most {} branches between fork and join", kMost);
  used_.push_back(take_side(device_));
  Side& side = side_at(device_, used_.back());
  runtime::wait(side.stream, fork_);
  const detail::OnSideStream here(device_, side.stream);
  work();
}

void Branches::join() {
  if (!open_) return;
  open_ = false;
  join_sides(device_, main_, fork_, used_);
}

}  // namespace duel
