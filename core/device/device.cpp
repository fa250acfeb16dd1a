#include "duel/core/device/device.h"

#include <map>
#include <mutex>

#include "duel/core/device/internal/device_state.h"
#include "duel/kernels/base/runtime.h"

namespace duel {

namespace runtime = kernels::runtime;

std::string to_text(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::u8:
      return "u8";
    case DType::i64:
      return "i64";
  }
  return "?";
}

std::string to_text(const Device& device) {
  return device.kind == Device::Kind::cpu ? "cpu" : "cuda:" + std::to_string(device.index);
}

bool is_available(const Device& device) { return why_unavailable(device).empty(); }

std::string why_unavailable(const Device& device) {
  if (!device.is_cuda()) return {};
  const runtime::Availability& found = runtime::availability();
  if (found.devices == 0) return found.reason;
  if (device.index >= 0 && device.index < found.devices) return {};
  return message("this machine has {} GPU{}, numbered from 0", found.devices, found.devices == 1 ? "" : "s");
}

namespace detail {
namespace {

/// The side stream that this thread works on; none on most threads.
thread_local const kernels::Stream* side = nullptr;
thread_local int side_index = 0;
thread_local int current_index = 0;

}  // namespace

void use_device(const Device& device, const char* op) {
  if (const std::string reason = why_unavailable(device); !reason.empty()) {
    fail(op, "{} is not available: {}", device, reason);
  }
  if (current_index == device.index) return;
  runtime::set_device(device.index);
  current_index = device.index;
}

kernels::Stream compute_stream(const Device& device) {
  use_device(device, "device");
  static std::mutex mutex;
  // never destroyed: the driver may be gone before
  static auto* streams = new std::map<int, kernels::Stream>;
  std::scoped_lock lock(mutex);
  const auto found = streams->find(device.index);
  return found != streams->end() ? found->second
                                 : streams->emplace(device.index, runtime::create_stream()).first->second;
}

OnSideStream::OnSideStream(const Device& device, const kernels::Stream& stream)
    : before_(side), before_index_(side_index) {
  side = &stream;
  side_index = device.index;
}
OnSideStream::~OnSideStream() {
  side = before_;
  side_index = before_index_;
}

}  // namespace detail

kernels::Stream stream_of(const Device& device) {
  if (!device.is_cuda()) return {};
  if (detail::side != nullptr && detail::side_index == device.index) return *detail::side;
  return detail::compute_stream(device);
}

void synchronize(const Device& device) {
  if (device.is_cuda()) runtime::synchronize(stream_of(device));
}

}  // namespace duel
