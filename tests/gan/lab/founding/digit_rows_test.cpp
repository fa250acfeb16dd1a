// Runs on digits that a judge looks at, and the rows that are made of them, at their quick sizes: what a table says must
// follow from the curves that are kept beside it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "duel/gan/lab/founding.h"
#include "duel/gan/lab/founding/over_seeds.h"
#include "duel/gan/lab/founding/rank_correlation.h"
#include "duel/gan/lab/internal/founding_digits.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/parallel.h"
#include "tests/files.h"

namespace duel::gan::lab {
namespace {

struct Steps : LabObserver {
  int64_t planned = 0, done = 0;
  void started(int64_t steps, int64_t) override { planned = steps; }
  void stepped() override { ++done; }
};

FoundingDigits few_digits() { return founding_digits("synthetic", 128, "mlp", 8, 16); }

TEST(FoundingRun, LooksAreOfTheLastFifthAndOfTheSameLatents) {
  const FoundingDigits digits = few_digits();
  const FoundingJudge judge = founding_judge(digits, 32, 64);
  EXPECT_GT(judge.floor, 0);
  Steps steps;
  const auto trainer = founding_trainer(digits, "wgan-gp", 3), twin = founding_trainer(digits, "wgan-gp", 3);
  const FoundingRun run = founding_run(*trainer, judge, {.before = 2, .every = 10, .count = 2}, 3, steps);
  EXPECT_EQ(steps.done, 22);
  ASSERT_EQ(run.looks.size(), 2U);
  double value = 0;
  for (int i = 1; i <= 22; ++i) {
    twin->step();
    const Metrics m = twin->metrics();
    EXPECT_GT(m.penalty, 0);
    if (i > 20) value -= (m.loss_d - m.penalty) / 2;
  }
  EXPECT_EQ(run.looks[0].iteration, 12);
  EXPECT_EQ(run.looks[1].iteration, 22);
  EXPECT_NEAR(run.looks[1].value, value, 1e-6 * std::abs(value));
  // Looked at once, without the look before: the same samples.
  const FoundingRun once = founding_run(*founding_trainer(digits, "wgan-gp", 3), judge,
                                        {.before = 0, .every = 22, .count = 1}, 3, steps);
  EXPECT_EQ(once.looks.at(0).distance, run.looks[1].distance);
  EXPECT_NE(once.looks[0].distance, run.looks[0].distance);
}

TEST(FoundingRun, OneThatLeavesTheNumbersEndsAndIsCounted) {
  const FoundingDigits digits = few_digits();
  const FoundingJudge judge = founding_judge(digits, 32, 64);
  Steps steps;
  const auto trainer = founding_trainer(digits, "lsgan", 1, {.settings = {{"lr", 1e30}}});
  const FoundingRun run = founding_run(*trainer, judge, {.every = 4, .count = 3}, 1, steps);
  EXPECT_FALSE(run.failure.empty());
  EXPECT_TRUE(run.looks.empty());
  EXPECT_EQ(steps.done, 12);
}

TEST(FoundingRun, PlayersTakeNormsAndSettings) {
  FoundingDigits digits = founding_digits("synthetic", 64, "dcgan", 4, 16);
  for (const Norm norm : {Norm::batch, Norm::none}) {
    const auto trainer = founding_trainer(digits, "wgan", 1, {.settings = {{"lr", 0.125}}, .norm = norm});
    EXPECT_EQ(trainer->networks().options.generator_norm, norm);
    EXPECT_EQ(trainer->networks().options.discriminator_norm, norm);
    EXPECT_EQ(trainer->objective().schedule.d.lr, 0.125);
    EXPECT_EQ(trainer->objective().schedule.g.lr, 0.125);
  }
  EXPECT_EQ(founding_trainer(digits, "cgan", 1)->networks().latent.classes, 10);
  EXPECT_EQ(founding_trainer(digits, "ns-gan", 1)->networks().latent.classes, 0);
}

/// The row at its quick size, once on one thread and once on three, which must not differ.
Shown quick_row(const std::string& name, const std::vector<uint64_t>& seeds) {
  const FoundingRow& row = find_founding_row(name);
  EXPECT_TRUE(row.uses_data);
  const FoundingOptions options{.quick = true, .seeds = seeds, .data = "synthetic"};
  const int threads = kernels::threads();
  Steps steps;
  kernels::set_threads(1);
  Shown one = row.show(options, steps);
  EXPECT_EQ(steps.done, steps.planned);
  kernels::set_threads(3);
  const Shown three = row.show(options, steps);
  kernels::set_threads(threads);
  EXPECT_EQ(one.conclusions, three.conclusions);
  EXPECT_EQ(one.facts.size(), three.facts.size());
  for (size_t i = 0; i < one.facts.size(); ++i) EXPECT_EQ(one.facts[i].found, three.facts[i].found);
  EXPECT_FALSE(one.pictures.empty());
  return one;
}

const FoundingTable::Row& row_of(const FoundingTable& table, const std::string& label) {
  const auto found = std::find_if(table.rows.begin(), table.rows.end(),
                                  [&](const FoundingTable::Row& row) { return row.label == label; });
  if (found == table.rows.end()) throw std::runtime_error("no row " + label);
  return *found;
}
bool says(const Shown& shown, const std::string& text) {
  return std::any_of(shown.conclusions.begin(), shown.conclusions.end(),
                     [&](const std::string& sentence) { return sentence.find(text) != std::string::npos; });
}

TEST(FoundingCritic, TableAndFactsFollowFromTheCurves) {
  const Shown shown = quick_row("critic", {1});
  ASSERT_EQ(shown.tables.size(), 2U);
  const FoundingTable &found = shown.tables[0], &curves = shown.tables[1];
  EXPECT_TRUE(found.listed && !curves.listed);
  ASSERT_EQ(found.rows.size(), 6U);
  EXPECT_EQ(curves.columns, (std::vector<std::string>{"10", "15", "20", "25", "30", "35"}));
  for (const FoundingTable::Row& row : found.rows) {
    const auto& values = row_of(curves, row.label + ", seed 1, D's value").numbers;
    const auto& distances = row_of(curves, row.label + ", seed 1, distance").numbers;
    ASSERT_EQ(values.size(), 6U);
    EXPECT_NEAR(row.numbers.at(0), mean_correlation({rank_correlation(values, distances).value}, 6).value,
                1e-12);
    EXPECT_TRUE(std::isnan(row.numbers[1])) << "one seed has no interval";
  }
  // What theory says, by parts of the objective and not by its name.
  EXPECT_TRUE(row_of(found, "wgan").note.starts_with("falls: W1, by a critic of clipped weights"));
  EXPECT_TRUE(row_of(found, "wgan-gp").note.starts_with("falls: W1, by a critic of limited slope"));
  EXPECT_TRUE(row_of(found, "ns-gan").note.starts_with("flat: 2 JS - 2 log 2"));
  EXPECT_TRUE(row_of(found, "sngan").note.starts_with("open: 2 TV - 2, bounded"));
  EXPECT_TRUE(row_of(found, "cgan").note.ends_with("of images with their labels"));
  // gan, ns-gan, wgan and wgan-gp, each once.
  ASSERT_EQ(shown.facts.size(), 4U);
  EXPECT_EQ(shown.facts[2].found, row_of(found, "wgan").numbers[0]);
  EXPECT_EQ(shown.facts[1].found, row_of(found, "ns-gan").numbers[0]);
  for (const char* name : {"ebgan (D is an autoencoder", "began (D is an autoencoder, and k",
                           "acgan (a term about", "infogan (a term about"})
    EXPECT_TRUE(says(shown, name)) << name;
}

TEST(FoundingCritic, ComparesThoseThatAreAskedFor) {
  LabObserver quiet;
  FoundingOptions options{.quick = true, .data = "synthetic", .objectives = {"lsgan", "wgan"}};
  const FoundingRow& row = find_founding_row("critic");
  EXPECT_TRUE(row.uses_objectives && !find_founding_row("norms").uses_objectives);
  const Shown shown = row.show(options, quiet);
  ASSERT_EQ(shown.tables.at(0).rows.size(), 2U);
  EXPECT_EQ(shown.tables[0].rows[0].label, "lsgan");
  EXPECT_TRUE(shown.tables[0].rows[0].note.starts_with("flat: chi-squared"));
  options.objectives = {"wgan", "began"};
  EXPECT_TRUE(duel::testing::has(duel::testing::error_of([&] { row.show(options, quiet); }),
                                 "critic: began has no value of D to be read: D is an autoencoder"));
}

TEST(FoundingNorms, FactorsFollowFromTheCurves) {
  const Shown shown = quick_row("norms", {1, 2});
  ASSERT_EQ(shown.tables.size(), 2U);
  const auto ends = [&](const std::string& cell) {
    std::vector<double> values;
    for (const char* seed : {", seed 1", ", seed 2"})
      values.push_back(row_of(shown.tables[1], cell + seed + ", distance").numbers.back());
    return values;
  };
  ASSERT_EQ(shown.facts.size(), 2U);
  const Estimate usual = ratio_of_runs(ratios(ends("ns-gan, batch norm"), ends("ns-gan, no norm"))),
                 wgan = ratio_of_runs(ratios(ends("wgan, no norm"), ends("wgan, batch norm")));
  EXPECT_NEAR(shown.facts[0].found, usual.value, 1e-9);
  EXPECT_NEAR(shown.facts[1].found, wgan.value, 1e-9);
  const auto& factor = row_of(shown.tables[0], "wgan: no norm over batch norm").numbers;
  EXPECT_NEAR(factor.at(1), wgan.interval.low, 1e-9);
  EXPECT_EQ(says(shown, "wgan: with and without batch norm are not told apart"),
            factor[1] <= 1 && factor[2] >= 1);
  ASSERT_EQ(shown.pictures.size(), 2U);
}

TEST(FoundingOptimizers, EachMeetsAtItsBestRate) {
  const Shown shown = quick_row("optimizers", {1, 2});
  ASSERT_EQ(shown.tables.size(), 3U);
  std::vector<std::vector<double>> ends;
  for (const FoundingTable::Row& row : shown.tables[0].rows) {
    const size_t best = row.numbers[0] <= row.numbers[1] ? 0 : 1;
    const auto& at_best = row_of(shown.tables[1], row.label).numbers;
    EXPECT_EQ(at_best.at(0), best == 0 ? 2e-4 : 3.2e-3) << row.label;
    ends.emplace_back();
    for (const char* seed : {", seed 1", ", seed 2"})
      ends.back().push_back(row_of(shown.tables[2], row.label + seed + ", distance").numbers.back());
    EXPECT_NEAR(at_best.at(1), std::sqrt(ends.back()[0] * ends.back()[1]), 1e-9);
  }
  ASSERT_EQ(ends.size(), 4U);
  ASSERT_EQ(shown.facts.size(), 3U);
  EXPECT_NEAR(shown.facts[0].found, ratio_of_runs(ratios(ends[0], ends[1])).value, 1e-9);
  EXPECT_NEAR(shown.facts[2].found, ratio_of_runs(ratios(ends[0], ends[3])).interval.high, 1e-9);
}

}  // namespace
}  // namespace duel::gan::lab
