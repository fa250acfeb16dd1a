// Scratch memory for one kernel launch, from the allocator. Internal to core/.
#pragma once

#include "duel/core/device/allocator.h"

namespace duel::detail {

/// Freed when it goes out of scope; on a stream the allocator is stream-ordered, so that is safe right after
/// the launch.
class Workspace {
 public:
  Workspace(Device device, size_t bytes)
      : device_(device), bytes_(bytes), data_(bytes ? allocate(device, bytes) : nullptr) {}
  ~Workspace() {
    if (data_) deallocate(device_, data_, bytes_);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  void* get() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  Device device_;
  size_t bytes_;
  void* data_;
};

}  // namespace duel::detail
