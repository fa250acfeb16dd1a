#include "duel/core/branches.h"

#include <map>
#include <mutex>

#include "duel/core/allocator.h"
#include "duel/core/device_state.h"

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

}  // namespace

Branches::Branches(Device device) : device_(device) {
  if (!device.is_cuda()) return;
  main_ = stream_of(device);
  Sides& sides = sides_of(device);
  {
    std::scoped_lock lock(sides.mutex);
    if (sides.forks.empty()) sides.forks.push_back(runtime::create_event());
    fork_ = sides.forks.back();
    sides.forks.pop_back();
  }
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
  DUEL_CHECK(used_.size() < static_cast<size_t>(kMost), "Branches", "expected at most {} branches between fork and join",
             kMost);
  Sides& sides = sides_of(device_);
  Side* side = nullptr;
  {
    std::scoped_lock lock(sides.mutex);
    size_t k = 0;
    while (k < sides.all.size() && sides.all[k]->busy) ++k;
    if (k == sides.all.size()) sides.all.push_back(new Side{runtime::create_stream(), runtime::create_event()});
    side = sides.all[k];
    side->busy = true;
    used_.push_back(static_cast<int>(k));
  }
  runtime::wait(side->stream, fork_);
  const detail::OnSideStream here(device_, side->stream);
  work();
}

void Branches::join() {
  if (!open_) return;
  open_ = false;
  struct Finish {
    Branches& self;
    Sides& sides;
    ~Finish() {
      std::scoped_lock lock(sides.mutex);
      for (const int k : self.used_) sides.all[static_cast<size_t>(k)]->busy = false;
      sides.forks.push_back(self.fork_);
      self.used_.clear();
      detail::release_freed_blocks(self.device_);
    }
  } finish{*this, sides_of(device_)};
  for (const int k : used_) {
    Side* side = nullptr;
    {
      std::scoped_lock lock(finish.sides.mutex);
      side = finish.sides.all[static_cast<size_t>(k)];
    }
    runtime::record(side->done, side->stream);
    runtime::wait(main_, side->done);
  }
}

}  // namespace duel
