// What a trained D gives G, and instance noise: the rows at their quick sizes.
#include <gtest/gtest.h>

#include "duel/gan/lab/founding.h"
#include "duel/kernels/base/parallel.h"

namespace duel::gan::lab {
namespace {

TEST(FoundingNoise, QuickRowHoldsAndThreadsChangeNothing) {
  LabObserver quiet;
  const FoundingRow& row = find_founding_row("noise");
  const int threads = kernels::threads();
  kernels::set_threads(1);
  const Shown one = row.show({.quick = true}, quiet);
  kernels::set_threads(3);
  const Shown three = row.show({.quick = true}, quiet);
  kernels::set_threads(threads);
  ASSERT_EQ(one.facts.size(), three.facts.size());
  for (size_t i = 0; i < one.facts.size(); ++i) {
    EXPECT_TRUE(one.facts[i].holds()) << one.facts[i].what << ": " << one.facts[i].found;
    EXPECT_EQ(one.facts[i].found, three.facts[i].found) << one.facts[i].what;
  }
  ASSERT_EQ(one.pictures.size(), 1U);
  EXPECT_EQ(one.pictures[0].second.pixels(), three.pictures[0].second.pixels());
  ASSERT_EQ(one.conclusions.size(), 1U);
  EXPECT_NE(one.conclusions[0].find("at the closed form"), std::string::npos);
}

// A D with batch norm is too unsteady in so few steps for figures 1 and 2.
TEST(FoundingGradients, QuickRowShowsTheFiguresAndThreadsChangeNothing) {
  LabObserver quiet;
  const FoundingRow& row = find_founding_row("gradients");
  const FoundingOptions options{.quick = true, .data = "synthetic"};
  const int threads = kernels::threads();
  kernels::set_threads(1);
  const Shown one = row.show(options, quiet);
  kernels::set_threads(3);
  const Shown three = row.show(options, quiet);
  kernels::set_threads(threads);
  // Two manifolds, and for each of two moments of G and two D's four facts.
  ASSERT_EQ(one.facts.size(), 2U + 2 * 2 * 4);
  ASSERT_EQ(three.facts.size(), one.facts.size());
  for (size_t i = 0; i < one.facts.size(); ++i) {
    const Fact& fact = one.facts[i];
    EXPECT_EQ(fact.found, three.facts[i].found) << fact.what;
    if (fact.what.find("batch-norm") != std::string::npos && fact.what.find("figure 3") == std::string::npos)
      continue;
    EXPECT_TRUE(fact.holds()) << fact.what << ": " << fact.found;
  }
  EXPECT_EQ(one.pictures.size(), 3U);
  EXPECT_EQ(one.conclusions.size(), 8U);  // the setting, manifolds, three figures of two D's
}

}  // namespace
}  // namespace duel::gan::lab
