// All measures of two sets: they see blur and missing classes in order, real samples stand at the floor, and the
// table of gan/README.md is made of the rows. Where DUEL_QUALITY names that file, it is written anew:
//   DUEL_QUALITY=gan/README.md build/tests/duel_test_gan --gtest_filter='Comparison.IsTheTableOfTheReadme'
#include "duel/gan/judge/comparison.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <set>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/judge/judge.h"
#include "tests/gan/judge/samples.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

/// Drawn digits as `judge` reads them, or without one as one that knows every label, with features of random directions: measures
/// do not lean on a network's weights. They are drawn each as often as the next; half are left out by chance.
SampleSet digits(int64_t count, uint64_t seed, int blurred = 0, int64_t classes = 10,
                 const Judge* judge = nullptr) {
  const ImageSet set = draw_digits(20 * count, seed);
  const std::vector<double> chance = Generator(seed, 5).uniform({20 * count}).to_vector<double>();
  std::vector<float> images, probabilities;
  for (int64_t i = 0, taken = 0; taken < count; ++i) {
    const auto label = static_cast<int64_t>(set.labels[static_cast<size_t>(i)]);
    if (label >= classes || chance[static_cast<size_t>(i)] < 0.5) continue;
    ++taken;
    for (int64_t p = 0; p < 784; ++p)
      images.push_back(static_cast<float>(set.images[static_cast<size_t>(i * 784 + p)]) / 127.5F - 1);
    for (int64_t c = 0; c < 10; ++c) probabilities.push_back(c == label ? 1.F : 0.F);
  }
  Tensor x = Tensor::from(images, {count, 1, 28, 28});
  for (int i = 0; i < blurred; ++i)
    x = conv2d(x + 1, Tensor::full({1, 1, 3, 3}, 1.0 / 9), {}, {.padding = 1}) - 1;
  if (judge != nullptr) {
    const NoGrad no_grad;
    const JudgeReading read = judge->read(x);
    return {x, read.features, softmax(read.logits, 1)};
  }
  const Tensor directions = Generator(9).normal({784, 32}, 0, 0.1);
  return {x, matmul(x.flatten(), directions).relu(), Tensor::from(probabilities, {count, 10})};
}

double value(const Comparison& c, const std::string& key) {
  const Value* found = c.find(key);
  if (!found) throw Error("no " + key);
  return found->value;
}

TEST(Comparison, SeesBlurAndMissingClassesInOrder) {
  const SampleSet real = digits(400, 1);
  std::vector<Comparison> blurred, fewer;
  for (const int times : {0, 1, 2, 3}) blurred.push_back(compare(real, digits(400, 2, times)));
  for (const int64_t classes : {10, 8, 5, 2}) fewer.push_back(compare(real, digits(400, 2, 0, classes)));
  const auto rises = [](const std::vector<Comparison>& list, const std::string& key, double sign) {
    for (size_t i = 1; i < list.size(); ++i)
      EXPECT_GT(sign * value(list[i], key), sign * value(list[i - 1], key)) << key << " " << i;
  };
  for (const char* key : {"fd", "fd_infinite", "kid"}) {
    rises(blurred, key, 1);
    rises(fewer, key, 1);
  }
  for (const char* key : {"recall", "coverage"})
    EXPECT_LT(value(fewer[3], key), 0.8 * value(fewer[0], key)) << key;
  rises(fewer, "modes", -1);
  for (const char* key : {"class_kl", "class_kl_uniform", "class_tv"}) rises(fewer, key, 1);
  EXPECT_LT(value(blurred[3], "coverage"), value(blurred[0], "coverage"));
  EXPECT_EQ(value(fewer[1], "modes"), 8);
  EXPECT_NEAR(value(fewer[3], "class_kl"), std::log(5.0), 0.15);
  EXPECT_NEAR(value(fewer[3], "class_tv"), 0.8, 0.05);
  // Pictures of a class that are all one are alike.
  SampleSet one = digits(400, 2);
  one.images = Tensor::zeros({400, 1, 28, 28});
  const Comparison same = compare(real, one);
  EXPECT_NEAR(value(same, "ms_ssim"), 1, 1e-9);
  EXPECT_LT(same.find("ms_ssim")->floor, 0.7);
}

// The same by the judge that ships: what `duel eval` says of drawn digits.
TEST(Comparison, DuelsJudgeSeesBlurAndMissingClassesInOrder) {
  const Judge judge = load_judge("digits-v1");
  const SampleSet real = digits(300, 1, 0, 10, &judge);
  std::vector<Comparison> blurred, fewer;
  for (const int times : {0, 1, 3}) blurred.push_back(compare(real, digits(300, 2, times, 10, &judge)));
  for (const int64_t classes : {10, 7, 3}) fewer.push_back(compare(real, digits(300, 2, 0, classes, &judge)));
  for (const std::vector<Comparison>* list : {&blurred, &fewer}) {
    for (const char* key : {"fd", "fd_infinite", "kid"}) {
      for (size_t i = 1; i < list->size(); ++i)
        EXPECT_GT(value((*list)[i], key), value((*list)[i - 1], key)) << key << " " << i;
    }
  }
  for (size_t i = 0; i < fewer.size(); ++i) {
    const double classes = std::array{10, 7, 3}[i];
    EXPECT_NEAR(value(fewer[i], "class_kl"), std::log(10 / classes), 0.12) << classes;
    EXPECT_GE(value(fewer[i], "modes"), classes);  // one that is misread may count as another
    EXPECT_LE(value(fewer[i], "modes"), classes + 1);
  }
  EXPECT_GT(value(fewer[2], "precision"), 0.7);  // what is there is right,
  EXPECT_LT(value(fewer[2], "recall"), 0.6);     // and most is missing
}

TEST(Comparison, OfRealAgainstRealStandsAtTheFloor) {
  const SampleSet real = digits(600, 1), other = digits(600, 2);
  const Comparison halves = compare(real, other), others = compare(real, other, {.others = digits(600, 3)});
  for (const auto& [row, v] : halves.values) {
    const Value& w = *others.find(row->key);
    const double reach = 2 * std::max(w.high - w.low, 1e-9);  // floors have chance of their own
    EXPECT_NEAR(w.value, w.floor, reach) << row->key;
    EXPECT_NEAR(v.floor, w.floor, 1.5 * reach) << row->key;
    EXPECT_LE(v.low, v.value) << row->key;
    EXPECT_GE(v.high, v.value) << row->key;
  }
  EXPECT_EQ(others.find("copies"), nullptr);
}

TEST(Comparison, BringsFloorsOfHalvesToTheWhole) {
  // N(0, 1) in D dimensions: (1 / n + 1 / m) (D + D (D + 1) / 4). Halves give twice that before they are brought to 1600.
  const SampleSet real{.features = gaussian(1600, 16, 1)}, fake{.features = gaussian(800, 16, 2, 1)};
  const double theory = (1.0 / 1600 + 1.0 / 800) * (16 + 16 * 17 / 4.0);
  EXPECT_NEAR(compare(real, fake).find("fd")->floor, theory, 0.25 * theory);
  EXPECT_NEAR(compare(real, fake, {.others = {.features = gaussian(900, 16, 3)}}).find("fd")->floor, theory,
              0.25 * theory);
}

TEST(Comparison, FindsCopies) {
  const SampleSet real = digits(300, 1), training = digits(500, 2);
  SampleSet fake = digits(500, 3);
  const auto copies = [&] {
    return *compare(real, fake, {.copies_baseline = 0.05, .training = training.features}).find("copies");
  };
  EXPECT_LT(copies().value, 0.12);
  EXPECT_DOUBLE_EQ(copies().floor, 0.05);
  fake.features = training.features;
  EXPECT_EQ(copies().value, 1);
}

TEST(Comparison, LeavesOutWhatNeedsMoreThanThereIs) {
  const SampleSet real = digits(60, 1), fake = digits(50, 2);
  const auto keys = [](const Comparison& c) {
    std::set<std::string> set;
    for (const auto& [row, v] : c.values) set.insert(row->key);
    return set;
  };
  EXPECT_EQ(
      keys(compare({.features = real.features}, {.features = fake.features})),
      (std::set<std::string>{"fd", "fd_infinite", "kid", "precision", "recall", "density", "coverage"}));
  EXPECT_EQ(keys(compare({.probabilities = real.probabilities}, {.probabilities = fake.probabilities})),
            (std::set<std::string>{"class_kl", "class_kl_uniform", "class_tv", "modes", "certain"}));
  EXPECT_TRUE(
      has(error_of([&] { compare({.images = real.images}, {.images = fake.images}); }), "features or"));
  EXPECT_TRUE(has(error_of([&] { compare(real, digits(20, 2)); }), "at least 24 samples"));
  EXPECT_TRUE(
      has(error_of([&] { compare(real, {.features = fake.features, .probabilities = real.probabilities}); }),
          "fakes: expected the same samples in images, features and probabilities, got 50 and 60"));
}

TEST(Comparison, IsALineOfJsonWithTheSameBitsOnAnyNumberOfThreads) {
  Comparison c;
  c.real = 10, c.fake = 9;
  c.values = {{&quality_measures()[0], {1.5, 1, 2.25, 0.1}}, {&quality_measures()[2], {-0.25, -1, 1, NAN}}};
  EXPECT_EQ(
      to_json_line("mnist-v1", c),
      "{\"judge\":\"mnist-v1\",\"real\":10,\"fake\":9,\"fd-mnist-v1\":{\"value\":1.5,\"low\":1.0,\"high\":2.25,\"floor\":0.1},"
      "\"kid-mnist-v1\":{\"value\":-0.25,\"low\":-1.0,\"high\":1.0,\"floor\":null}}\n");
  EXPECT_TRUE(to_json_line("mnist-v1", c, {{"set", "a.npz"}})
                  .starts_with("{\"set\":\"a.npz\",\"judge\":\"mnist-v1\","));
  const SampleSet real = digits(90, 1), fake = digits(80, 2);
  expect_same_on_threads<char>([&] {
    const std::string line = to_json_line("drawn", compare(real, fake, {.training = real.features}));
    return std::vector<char>(line.begin(), line.end());
  });
}

TEST(Comparison, IsTheTableOfTheReadme) {
  std::string table = "| measure | meaning | better | healthy | source |\n|---|---|---|---|---|\n";
  std::set<std::string> keys;
  for (const QualityMeasure& row : quality_measures()) {
    EXPECT_TRUE(keys.insert(row.key).second) << row.key << " stands twice";
    EXPECT_TRUE(row.applies && row.of) << row.key;
    const std::string better = row.better == Better::lower    ? "lower"
                               : row.better == Better::higher ? "higher"
                                                              : "near the floor";
    table += "| `" + row.key + "`";
    for (const std::string& cell : {row.meaning, better, row.healthy, row.source}) {
      EXPECT_EQ(cell.find_first_of("|\n"), std::string::npos) << row.key << ": it would break the table";
      table += " |" + (cell.empty() ? "" : " " + cell);
    }
    table += " |\n";
  }
  const char* wanted = std::getenv("DUEL_QUALITY");
  const std::filesystem::path file = wanted ? wanted : in_source("gan/README.md");
  const Bytes bytes = get(file);
  std::string text(bytes.begin(), bytes.end());
  const size_t begin = text.find("| measure |");
  ASSERT_NE(begin, std::string::npos);
  const size_t end = text.find("\n\n", begin) + 1;
  if (wanted) {
    text.replace(begin, end - begin, table);
    put(file, {text.begin(), text.end()});
  } else {
    EXPECT_EQ(text.substr(begin, end - begin), table)
        << "gan/README.md is stale: the head of this file says how it is written";
  }
}

}  // namespace
}  // namespace duel::gan
