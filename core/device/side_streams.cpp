#include "duel/core/device/side_streams.h"

#include <algorithm>
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

thread_local bool leaves_beside = false;

}  // namespace

ParallelLeafGradients::ParallelLeafGradients() : before_(leaves_beside) { leaves_beside = true; }
ParallelLeafGradients::~ParallelLeafGradients() { leaves_beside = before_; }

namespace detail {
bool parallel_leaf_gradients() { return leaves_beside; }
bool side_streams_busy(const Device& device) {
  Sides& sides = sides_of(device);
  std::scoped_lock lock(sides.mutex);
  return std::any_of(sides.all.begin(), sides.all.end(), [](const Side* side) { return side->busy; });
}
}  // namespace detail

SideStreams::SideStreams(Device device) : device_(device) {
  if (!device.is_cuda()) return;
  main_ = stream_of(device);
  fork_ = take_fork(device);
  runtime::record(fork_, main_);
  detail::hold_freed_blocks(device);
  open_ = true;
}

SideStreams::~SideStreams() {
  try {
    join();
  } catch (...) {
    // The stream is lost, or a capture was abandoned: whoever works on it next is told.
  }
}

void SideStreams::fork() {
  if (open_) runtime::record(fork_, main_);
}

void SideStreams::run(int side, const std::function<void()>& work) {
  DUEL_CHECK(side >= 0 && side < kMost, "SideStreams",
             "expected at most {} side streams between fork and join", kMost);
  const auto at = static_cast<size_t>(side);
  if (used_.size() <= at) used_.resize(at + 1, -1);
  if (!device_.is_cuda()) return work();
  DUEL_CHECK(open_, "SideStreams", "expected run() before join()");
  if (used_[at] < 0) used_[at] = take_side(device_);
  const Side& stream = side_at(device_, used_[at]);
  runtime::wait(stream.stream, fork_);
  const detail::OnSideStream here(device_, stream.stream);
  work();
}

// The side streams and the event become idle, and freed blocks reusable, whatever happens.
void SideStreams::join() {
  if (!open_) return;
  open_ = false;
  struct Finish {
    SideStreams& streams;
    ~Finish() {
      Sides& sides = sides_of(streams.device_);
      {
        std::scoped_lock lock(sides.mutex);
        for (const int k : streams.used_) {
          if (k >= 0) sides.all[static_cast<size_t>(k)]->busy = false;
        }
        sides.forks.push_back(streams.fork_);
      }
      streams.used_.clear();
      detail::release_freed_blocks(streams.device_);
    }
  } finish{*this};
  for (const int k : used_) {
    if (k < 0) continue;
    const Side& side = side_at(device_, k);
    runtime::record(side.done, side.stream);
    runtime::wait(main_, side.done);
  }
}

}  // namespace duel
