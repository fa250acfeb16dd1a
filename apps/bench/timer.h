// Times of calls, on the host or on a GPU.
//
// Warm: every sample is preceded by one call that is not timed. Cold: before every sample the caches are
// emptied by writing a buffer twice their size, and a sample is one call.
//
// On a GPU the calls of a sample are enqueued behind fills of that buffer which last longer than the
// enqueueing, so what the two events enclose is the GPU's work and not the host's; one call in cold state
// includes the events' own microsecond.
//
// Example:
//   auto timer = make_timer(device, Cache::warm);
//   Timed timed = timer->prepare(run, bytes);
//   double seconds = timer->sample(timed);
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "duel/core/device/device.h"

namespace duel::apps::bench {

/// Seconds of a clock that only goes forward.
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

enum class Cache { warm, cold };

/// Something to be timed.
struct Timed {
  std::function<void()> run;
  int64_t bytes = 0;        ///< that one call touches
  int64_t calls = 1;        ///< per sample
  double host_seconds = 0;  ///< that enqueueing one call takes
};

class Timer {
 public:
  virtual ~Timer() = default;
  /// Calls `run` a few times and decides how many calls make a sample.
  virtual Timed prepare(std::function<void()> run, int64_t bytes) = 0;
  /// Seconds of one call.
  virtual double sample(const Timed& timed) = 0;
  /// Kernels that one call starts; nothing where that cannot be counted.
  virtual std::optional<int64_t> launches(const std::function<void()>& run) = 0;
  /// The copy that others are measured by: reads and writes bytes / 2 each.
  virtual std::function<void()> copy(int64_t bytes) = 0;
};

/// Error where the device is a GPU and there is none.
std::unique_ptr<Timer> make_timer(Device device, Cache cache);

}  // namespace duel::apps::bench
