// The thread pool: every range exactly once, the same ranges for any thread count, errors reach the caller.
#include "duel/kernels/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace duel::kernels {
namespace {

class Threads : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_threads(GetParam()); }
  void TearDown() override { set_threads(2); }
};

TEST_P(Threads, EveryItemOnce) {
  for (int64_t n : {0, 1, 7, 64, 1000, 4097}) {
    std::vector<std::atomic<int>> hits(n);
    parallel_for(n, 64, [&](int64_t begin, int64_t end) {
      EXPECT_EQ(begin % 64, 0);
      for (int64_t i = begin; i < end; ++i) hits[i].fetch_add(1);
    });
    for (auto& hit : hits) EXPECT_EQ(hit.load(), 1);
  }
}

TEST_P(Threads, ManyShortRegions) {
  int64_t total = 0;
  for (int round = 0; round < 5000; ++round) {
    std::atomic<int64_t> sum{0};
    parallel_for(8, 1, [&](int64_t begin, int64_t) { sum.fetch_add(begin); });
    total += sum.load();
  }
  EXPECT_EQ(total, 5000 * 28);
}

TEST_P(Threads, ExceptionReachesCallerAndPoolStaysUsable) {
  EXPECT_THROW(parallel_for(10, 1,
                            [](int64_t begin, int64_t) {
                              if (begin == 7) throw std::runtime_error("seven");
                            }),
               std::runtime_error);
  std::atomic<int> count{0};
  parallel_for(10, 1, [&](int64_t, int64_t) { ++count; });
  EXPECT_EQ(count.load(), 10);
}

TEST_P(Threads, NestedAndConcurrentCallers) {
  std::atomic<int> count{0};
  auto work = [&] {
    parallel_for(16, 1, [&](int64_t, int64_t) {
      parallel_for(4, 1, [&](int64_t, int64_t) { ++count; });
    });
  };
  std::jthread other(work);
  work();
  other.join();
  EXPECT_EQ(count.load(), 2 * 16 * 4);
}

INSTANTIATE_TEST_SUITE_P(Counts, Threads, ::testing::Values(1, 2, 4, 7));

}  // namespace
}  // namespace duel::kernels
