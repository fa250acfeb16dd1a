// Where a generator's offset lives.
//
// Note [A generator's offset]
// The offset has one home: a number on the host, or memory of one GPU after the first draw there. On the GPU
// the kernels read it through a pointer and add `pending`, what the host knows to have been drawn since the
// memory was last written: so an eager draw costs no extra launch. A capture writes pending offsets to memory
// before it begins, ends with philox_advance by what it draws and no launch took on itself
// (drawn_in_capture), and starts with pending = 0 again; a graph launch first writes what was drawn eagerly since.
#pragma once

#include <memory>
#include <vector>

#include "duel/core/device/device.h"
#include "duel/core/device/random_state.h"
#include "duel/kernels/map/random.h"

namespace duel::detail {

class Counter {
 public:
  explicit Counter(const RandomState& state);
  ~Counter();
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  /// The state for a call of n elements on the device, which moves on.
  kernels::PhiloxState take(const Device& device, int64_t n);
  /// Takes back the last take() of n elements, of which no kernel was told.
  void give_back(int64_t n);
  /// Reads it back where it must.
  RandomState state() const;
  void set_state(const RandomState& state);

  /// The GPU's memory gets the offset: before a capture and before a launch.
  void settle();
  /// What a capture on this thread ends with.
  static void finish_capture();
  /// drawn_in_capture() of graph.h, as much as fits.
  static kernels::PhiloxAdvances take_drawn(const Device& device);
  /// Nothing of the capture has happened.
  void forget_capture() { pending_ = 0; }
  const Device& memory_device() const { return memory_device_; }

 private:
  void move_to(const Device& device);
  uint64_t read() const;

  uint64_t seed_, stream_, offset_;  // offset_: the home's value where that is the host
  Device home_;
  Device memory_device_;
  uint64_t* memory_ = nullptr;
  uint64_t pending_ = 0;
};

/// settle() for every counter with memory on the device.
void settle_counters(const Device& device);

/// The log of this thread's capture is told that the counter draws; not at all without one.
void note_draw(const std::shared_ptr<Counter>& counter);

/// Collects the counters that draw on this thread while it lives: those of a capture.
class CounterLog {
 public:
  explicit CounterLog(std::vector<std::shared_ptr<Counter>>& into);
  ~CounterLog();
  CounterLog(const CounterLog&) = delete;
  CounterLog& operator=(const CounterLog&) = delete;
};

}  // namespace duel::detail
