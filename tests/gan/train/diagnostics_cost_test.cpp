// What looking costs: logging and diagnosing at the default intervals take less than a tenth of training
// time. Counted is the process's CPU time on one thread, which neighbours on a busy machine do not add to;
// plain, logged and diagnosed iterations take turns, so that what slows all slows all alike; medians of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "duel/gan/record/run_config.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/kernels/base/parallel.h"
#include "tests/training.h"

namespace duel::gan {
namespace {

struct OneThread {
  int before = kernels::threads();
  OneThread() { kernels::set_threads(1); }
  ~OneThread() { kernels::set_threads(before); }
  OneThread(const OneThread&) = delete;
};

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// What a plain iteration costs, one that is logged, and one that is diagnosed.
struct Costs {
  double plain = 0, logged = 0, diagnosed = 0;
  /// What looking adds, as a share of training time.
  double share(int64_t log_every, int64_t diagnose_every) const {
    return ((logged - plain) / static_cast<double>(log_every) +
            (diagnosed - plain) / static_cast<double>(diagnose_every)) /
           plain;
  }
};

Costs measured(Trainer& trainer, const ResidentData& held_out) {
  std::vector<double> plain, logged, diagnosed;
  const auto timed = [](std::vector<double>& times, const auto& work) {
    const double start = cpu_seconds();
    work();
    times.push_back(cpu_seconds() - start);
  };
  for (int round = 0; round < 9; ++round) {
    timed(plain, [&] { trainer.step(); });
    timed(logged, [&] {
      trainer.step(true);
      (void)trainer.metrics();
    });
    timed(diagnosed, [&] {
      StepRecord record;
      trainer.step(true, &record);
      (void)trainer.metrics();
      (void)diagnose(trainer, record, &held_out);
    });
  }
  const auto median = [](std::vector<double>& times) {
    std::nth_element(times.begin(), times.begin() + 4, times.end());
    return times[4];
  };
  return {median(plain), median(logged), median(diagnosed)};
}

// ns-gan: one step of D and no penalty, so that looking weighs much beside its iteration.
TEST(DiagnosticsCost, BelowATenthOfTrainingTimeAtTheDefaultIntervals) {
  const OneThread one;
  const RunConfig defaults;
  for (const char* arch : {"mlp", "dcgan"}) {
    const Objective objective = named_objective("ns-gan");
    Generator weights(1);
    const int64_t width = std::string(arch) == "dcgan" ? 16 : 64;
    Trainer trainer(
        make_networks({.arch = arch, .channels_g = width, .channels_d = width}, objective, weights),
        objective, std::make_shared<ResidentData>(duel::testing::noise_images(defaults.batch * 4, 28, 10)),
        {.batch = defaults.batch});
    const ResidentData held_out(duel::testing::noise_images(256, 28, 10));
    for (int i = 0; i < 2; ++i) trainer.step();
    Costs costs = measured(trainer, held_out);
    for (int again = 0; again < 4 && costs.share(defaults.log_every, defaults.diagnose_every) >= 0.1;
         ++again) {
      costs = measured(trainer, held_out);
    }
    const double share = costs.share(defaults.log_every, defaults.diagnose_every);
    std::printf(
        "%s: plain %.2f, logged %.2f, diagnosed %.2f ms of CPU; looking takes %.2f %% of training time\n",
        arch, costs.plain * 1e3, costs.logged * 1e3, costs.diagnosed * 1e3, share * 100);
    EXPECT_LT(share, 0.1) << arch;
    EXPECT_GT(costs.share(1, 1), 0.1) << arch << ": looking at every iteration would be seen";
  }
}

}  // namespace
}  // namespace duel::gan
