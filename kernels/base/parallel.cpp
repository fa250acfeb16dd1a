#include "duel/kernels/base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/settings.h"

namespace duel::kernels {
namespace {

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

int default_threads() {
  // As --threads: an integer, 0 for every core.
  if (const std::string text = environment("DUEL_THREADS"); !text.empty()) {
    const auto count = parsed<int64_t>("environment", "DUEL_THREADS", text);
    DUEL_CHECK(count >= 0 && count <= kMaxThreads, "environment",
               "DUEL_THREADS: expected an integer from 0 to {}, got {}", kMaxThreads, count);
    if (count >= 1) return static_cast<int>(count);
  }
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

thread_local bool inside_region = false;

class Pool {
 public:
  static Pool& instance() {
    static Pool pool;
    return pool;
  }

  ~Pool() { stop_workers(); }

  int threads() const { return threads_.load(std::memory_order_relaxed); }

  void set_threads(int count) {
    DUEL_CHECK(count <= kMaxThreads, "set_threads", "expected at most {}, got {}", kMaxThreads, count);
    std::scoped_lock lock(region_);
    stop_workers();
    threads_ = std::max(1, count);
  }

  void run(int64_t ranges, detail::RangeFn fn, void* body) {
    if (inside_region || ranges == 1 || threads() == 1 || !region_.try_lock()) {
      for (int64_t r = 0; r < ranges; ++r) fn(body, r);
      return;
    }
    std::scoped_lock lock(std::adopt_lock, region_);
    start_workers();
    fn_ = fn;
    body_ = body;
    ranges_ = ranges;
    next_.store(0);
    failure_ = nullptr;
    open_.store(true);
    epoch_.fetch_add(1);
    epoch_.notify_all();
    work();
    open_.store(false);
    // Whoever saw open_ == true is counted in entered_ (both are sequentially consistent).
    for (int spins = 0; entered_.load() != 0; ++spins) {
      if (spins < kSpins) {
        pause_cpu();
      } else {
        std::this_thread::yield();
      }
    }
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static constexpr int kSpins = 4000;  // about 40 microseconds

  Pool() : threads_(default_threads()) {}

  void work() {
    inside_region = true;
    for (int64_t r; (r = next_.fetch_add(1)) < ranges_;) {
      try {
        fn_(body_, r);
      } catch (...) {
        std::scoped_lock lock(failure_mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
    }
    inside_region = false;
  }

  void worker() {
    uint32_t seen = 0;
    while (true) {
      for (int spins = 0; epoch_.load() == seen; ++spins) {
        if (spins < kSpins) {
          pause_cpu();
        } else {
          epoch_.wait(seen);
        }
      }
      seen = epoch_.load();
      if (stopping_.load()) return;
      entered_.fetch_add(1);
      if (open_.load()) work();
      entered_.fetch_sub(1);
    }
  }

  void start_workers() {
    if (!workers_.empty()) return;
    epoch_ = 0;
    stopping_ = false;
    try {
      for (int i = 1; i < threads(); ++i) workers_.emplace_back([this] { worker(); });
    } catch (const std::system_error& error) {
      // A limit on processes or on memory (ulimit -u, -v): the results are the same with fewer, only later.
      const int wanted = threads_.exchange(static_cast<int>(workers_.size()) + 1);
      std::fprintf(stderr, "duel: warning: %d of %d threads could be started (%s); going on with %d\n",
                   threads(), wanted, error.code().message().c_str(), threads());
    }
  }

  void stop_workers() {
    stopping_ = true;
    epoch_.fetch_add(1);
    epoch_.notify_all();
    workers_.clear();
  }

  std::atomic<int> threads_;
  std::mutex region_;
  std::vector<std::jthread> workers_;
  std::atomic<uint32_t> epoch_{0};
  std::atomic<bool> stopping_{false}, open_{false};
  std::atomic<int> entered_{0};
  std::atomic<int64_t> next_{0};
  detail::RangeFn fn_ = nullptr;
  void* body_ = nullptr;
  int64_t ranges_ = 0;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

}  // namespace

int threads() { return Pool::instance().threads(); }
void set_threads(int count) { Pool::instance().set_threads(count); }

namespace detail {
void run_ranges(int64_t ranges, RangeFn fn, void* body) { Pool::instance().run(ranges, fn, body); }
}  // namespace detail

}  // namespace duel::kernels
