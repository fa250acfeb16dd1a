// Streams and captures of a CUDA device. Internal to core/.
#pragma once

#include "duel/core/device/device.h"

namespace duel::detail {

/// Makes it the thread's current device; Error naming `op` and the reason where it is not available.
void use_device(const Device& device, const char* op);

/// The device's one compute stream.
kernels::Stream compute_stream(const Device& device);

/// While it lives, stream_of(device) is `stream` on this thread.
class OnSideStream {
 public:
  OnSideStream(const Device& device, const kernels::Stream& stream);
  ~OnSideStream();
  OnSideStream(const OnSideStream&) = delete;
  OnSideStream& operator=(const OnSideStream&) = delete;

 private:
  const kernels::Stream* before_;
  int before_index_;
};

}  // namespace duel::detail
