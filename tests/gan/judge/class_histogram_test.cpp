// Classes read in samples: by hand, NumPy's values, classes that are missing on either side, intervals that cover.
#include "duel/gan/judge/class_histogram.h"

#include <gtest/gtest.h>

#include "tests/gan/judge/samples.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

ClassCounts counts(std::vector<int64_t> of, int64_t certain = 0) {
  ClassCounts c{.counts = std::move(of), .samples = 0, .certain = certain};
  for (const int64_t n : c.counts) c.samples += n;
  return c;
}

TEST(ClassHistogram, CountsTheLikeliestClassAndTheCertainSamples) {
  const Tensor p = Tensor::from({0.1, 0.9, 0.0, 0.5, 0.5, 0.0, 0.05, 0.05, 0.9, 0.0, 0.11, 0.89}, {4, 3});
  const ClassCounts c = count_classes(p);
  EXPECT_EQ(c.counts, (std::vector<int64_t>{1, 1, 2}));
  EXPECT_EQ(c.samples, 4);
  EXPECT_EQ(c.certain, 2);
  EXPECT_EQ(count_classes(p, 0.5).certain, 4);
  EXPECT_EQ(classes_of(p), (std::vector<int64_t>{1, 0, 2, 2}));
}

TEST(ClassHistogram, IsNumpys) {
  const ClassCounts fake = counts({30, 0, 12, 8}), real = counts({20, 10, 15, 15});
  EXPECT_NEAR(class_divergence(fake, real).value, golden_number("class_kl"), 1e-14);
  EXPECT_NEAR(class_divergence_from_uniform(fake).value, golden_number("class_kl", 1), 1e-14);
  EXPECT_NEAR(class_variation(fake, real).value, golden_number("class_tv"), 1e-14);
  EXPECT_EQ(class_modes(fake).value, 3);
}

TEST(ClassHistogram, ClosedForms) {
  // Half the classes, evenly: ln 2 from uniform, half the samples in the wrong place.
  const ClassCounts even = counts({10, 10, 10, 10}), half = counts({20, 20, 0, 0});
  EXPECT_NEAR(class_divergence(half, even).value, std::log(2.0), 1e-15);
  EXPECT_NEAR(class_divergence_from_uniform(half).value, std::log(2.0), 1e-15);
  EXPECT_DOUBLE_EQ(class_variation(half, even).value, 0.5);
  EXPECT_EQ(class_divergence(even, even).value, 0);
  // A class that real samples lack counts as half a sample of 40: finite.
  EXPECT_NEAR(class_divergence(even, half).value, 0.5 * std::log(0.5) + 0.5 * std::log(20.0), 1e-14);
  EXPECT_NEAR(class_divergence_from_uniform(counts({0, 50})).value, std::log(2.0), 1e-15);
}

TEST(ClassHistogram, LeavesSamplesOutClassByClass) {
  // The error of a share is known: sqrt(p (1 - p) / (n - 1)); total variation of two classes is such a share.
  const ClassCounts fake = counts({30, 70}), real = counts({500000000, 500000000});
  EXPECT_NEAR(class_variation(fake, real).error, std::sqrt(0.3 * 0.7 / 99), 1e-5);
  // One class seen once could as well have stayed unseen; one more may be there.
  const Estimate modes = class_modes(counts({50, 1, 0, 49}));
  EXPECT_EQ(modes.value, 3);
  EXPECT_NEAR(modes.error, 1, 0.02);
  EXPECT_EQ(modes.interval.high, 4);
  EXPECT_EQ(class_modes(counts({50, 30, 0, 49})).error, 0);
}

ClassCounts drawn(const std::vector<double>& shares, int64_t n, uint64_t seed) {
  ClassCounts c{.counts = std::vector<int64_t>(shares.size()), .samples = n, .certain = 0};
  for (const double u : Generator(seed, 3).uniform({n}, 0, 1, {DType::f64}).to_vector<double>()) {
    size_t k = 0;
    for (double sum = shares[0]; k + 1 < shares.size() && u >= sum; sum += shares[++k]) {
    }
    ++c.counts[k];
    c.certain += u >= 0.3;
  }
  return c;
}

TEST(ClassHistogram, IntervalsCover) {
  const std::vector<double> p = {0.4, 0.3, 0.2, 0.1}, q = {0.25, 0.25, 0.25, 0.25};
  const auto both = [&](uint64_t i, auto f) { return f(drawn(p, 400, 2 * i), drawn(q, 500, 2 * i + 1)); };
  EXPECT_COVERS(covered([&](uint64_t i) { return both(i, class_divergence); }));
  EXPECT_COVERS(covered([&](uint64_t i) { return both(i, class_variation); }, 0.2));
  double kl = 0;
  for (const double share : p) kl += share * std::log(4 * share);
  EXPECT_COVERS(covered([&](uint64_t i) { return class_divergence_from_uniform(drawn(p, 2000, i)); }, kl));
  EXPECT_COVERS(covered([&](uint64_t i) { return certain_share(drawn(p, 100, i)); }, 0.7));
  // 200 rare classes, 150 samples: E[modes] = sum 1 - (1 - p)^n.
  const std::vector<double> rare(200, 1.0 / 200);
  EXPECT_GE(covered([&](uint64_t i) { return class_modes(drawn(rare, 150, i)); },
                    200 * (1 - std::pow(1 - 1.0 / 200, 150))),
            90);
}

TEST(ClassHistogram, RefusesWhatAreNoProbabilities) {
  EXPECT_TRUE(has(error_of([] {
                    count_classes(Tensor::from({0.5, 0.5, 2.0, -1.0}, {2, 2}));
                  }),
                  "sample 1 holds 2"));
  EXPECT_TRUE(has(error_of([] {
                    count_classes(Tensor::from({0.5, 0.5, 0.5, 0.4}, {2, 2}));
                  }),
                  "sample 1 sum to 0.9"));
  EXPECT_TRUE(has(error_of([] {
                    count_classes(Tensor::from({0.5, 0.5, 0.5, 0.5}, {2, 2}), 0);
                  }),
                  "certainty"));
  EXPECT_TRUE(has(error_of([] { class_divergence(counts({1, 2}), counts({1, 2, 3})); }), "2 and 3"));
}

}  // namespace
}  // namespace duel::gan
