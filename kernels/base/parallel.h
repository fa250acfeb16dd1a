// Host threads: one pool and one setting for own loops and oneDNN alike.
//
// Note [Same bits for any thread count]
// parallel_for cuts [0, n) into ranges of `grain` items; the cut depends on n and grain alone, never on
// the number of threads, and each range is computed by one thread. So a loop that writes only its own
// range, or one partial result per range combined afterwards in range order, gives the same bits on
// 1, 2 or 64 threads. Never let a partition depend on threads().
//
// Note [No spin collapse]
// Idle workers spin for some microseconds and then sleep; ranges are claimed, not assigned, so the
// caller never waits for a worker that the scheduler has not started. A busy neighbour on every core
// costs its share of the cores and no more.
//
// Example:
//   parallel_for(n, 4096, [&](int64_t begin, int64_t end) { for (auto i = begin; i < end; ++i) y[i] = f(x[i]); });
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace duel::kernels {

inline constexpr int kMaxThreads = 1024;

/// Threads that parallel_for may use, the caller included. Default: $DUEL_THREADS, else (not set, or 0) the
/// cores this process may run on. Error where the variable holds anything but an integer from 0 to
/// kMaxThreads.
int threads();

/// Sets that number, 1 to kMaxThreads. Where the system does not let so many start, the first parallel_for
/// says so on stderr and goes on with fewer. Not to be called from inside a parallel_for body.
void set_threads(int count);

namespace detail {
using RangeFn = void (*)(void* body, int64_t range);
void run_ranges(int64_t ranges, RangeFn fn, void* body);
}  // namespace detail

/// body(begin, end) for every range of `grain` items of [0, n). Nested calls run on the calling thread.
/// An exception thrown by body is rethrown to the caller after all ranges have ended.
template <class Body>
void parallel_for(int64_t n, int64_t grain, Body&& body) {
  if (n <= 0) return;
  struct Context {
    std::remove_reference_t<Body>* body;
    int64_t n, grain;
  } context{std::addressof(body), n, grain};
  const detail::RangeFn run = [](void* raw, int64_t range) {
    auto& c = *static_cast<Context*>(raw);
    const int64_t begin = range * c.grain;
    (*c.body)(begin, begin + c.grain < c.n ? begin + c.grain : c.n);
  };
  if (n <= grain) {
    run(&context, 0);  // the one copy of the body's loops that there is
    return;
  }
  detail::run_ranges((n + grain - 1) / grain, run, &context);
}

}  // namespace duel::kernels
