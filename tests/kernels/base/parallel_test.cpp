// The thread pool: every range exactly once, the same ranges for any thread count, errors reach the caller.
#include "duel/kernels/base/parallel.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "duel/kernels/base/error.h"

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
    parallel_for(16, 1, [&](int64_t, int64_t) { parallel_for(4, 1, [&](int64_t, int64_t) { ++count; }); });
  };
  std::jthread other(work);
  work();
  other.join();
  EXPECT_EQ(count.load(), 2 * 16 * 4);
}

// In processes of their own, which have not read the variable yet.
TEST(ThreadsOfTheEnvironment, AreReadAsAFlagIs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto child = [](const char* text) {
    ::setenv("DUEL_THREADS", text, 1);
    try {
      std::exit(threads());
    } catch (const Error& error) {
      std::fputs(error.what(), stderr);
      std::exit(99);
    }
  };
  for (const char* wrong : {"99999999999", "1025", "abc", "-1", "4x", " 4", "1e3"})
    EXPECT_EXIT(child(wrong), ::testing::ExitedWithCode(99), "DUEL_THREADS: expected an integer") << wrong;
  EXPECT_EXIT(child("3"), ::testing::ExitedWithCode(3), "");
  EXPECT_EXIT(child("+3"), ::testing::ExitedWithCode(3), "");
  const auto cores = [&](const char* text) {
    ::unsetenv("DUEL_THREADS");
    if (text) ::setenv("DUEL_THREADS", text, 1);
    cpu_set_t set;
    std::exit(sched_getaffinity(0, sizeof set, &set) == 0 && threads() == CPU_COUNT(&set) ? 0 : 1);
  };
  for (const char* unset : {static_cast<const char*>(nullptr), "", "0"})
    EXPECT_EXIT(cores(unset), ::testing::ExitedWithCode(0), "");
}

TEST(ThreadsThatDoNotStart, WorkIsDoneByThoseThatDo) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need the whole address space";
#else
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto child = [] {
    std::ifstream sizes("/proc/self/statm");
    rlim_t pages = 0;
    sizes >> pages;
    // a few stacks
    const rlim_t most = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t{40} << 20);
    const rlimit limit{most, most};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) std::exit(2);
    set_threads(64);
    std::atomic<int64_t> sum{0};
    for (int round = 0; round < 3; ++round)
      parallel_for(1000, 1, [&](int64_t begin, int64_t) { sum += begin; });
    std::exit(sum == 3 * 999 * 500 && threads() >= 1 && threads() < 64 ? 0 : 1);
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "of 64 threads could be started .*going on with");
#endif
}

TEST(ThreadLimit, MoreThanAnyMachineHasAreRefused) { EXPECT_THROW(set_threads(kMaxThreads + 1), Error); }

INSTANTIATE_TEST_SUITE_P(Counts, Threads, ::testing::Values(1, 2, 4, 7));

}  // namespace
}  // namespace duel::kernels
