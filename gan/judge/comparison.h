// Two sets of samples under every measure: a row each, with its value, interval and floor.
//
// A measure is a row of quality_measures(): its key in the line of JSON, what it means, which way is better, who
// showed it, what of the samples it needs and how it is computed. A new one is a function and a row in
// comparison.cpp (and gan/README.md made anew, which tests/gan/judge/comparison_test.cpp does).
//
// Note [Floors]
// The floor is what real samples get: the same measure of other real samples in the place of the fakes. Best where
// `others`, real samples that are in no other set, are given: as many of them as there are fakes. Without, the
// real set is cut into two random halves; where a measure falls with the number of samples (fd and class_kl by
// 1/n + 1/m, class_tv by its root) the value at half the size is brought to the sizes compared.
//
// Example:
//   SampleSet real{images, judge.features(images), softmax(judge(images))}, fake{…};
//   Comparison c = compare(real, fake);
//   std::cout << to_json_line("mnist-v1", c);       // {"judge":"mnist-v1",…,"fd-mnist-v1":{"value":3.1,"low":…,"high":…,"floor":…},…}
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/interval.h"

namespace duel::gan {

/// What is known of N samples; what is left undefined leaves out the measures that need it.
struct SampleSet {
  Tensor images = {};         // f32 or f64 [N, C, H, W], values in [-1, 1]
  Tensor features = {};       // f32 or f64 [N, D], the judge's
  Tensor probabilities = {};  // f32 or f64 [N, classes], the judge's

  /// The samples of these numbers, 0 to N - 1, in this order.
  SampleSet at(const std::vector<int64_t>& index) const;
};

struct Value {
  double value = 0, low = 0, high = 0;  // low to high: interval.h
  double floor = 0;                     // Note [Floors]
};

enum class Better { lower, higher, near_floor };
enum class Scale { distance, share, count };  // 0 and up; around 0 to 1; of classes

struct QualityMeasure;  // a row
struct Comparison {
  std::vector<std::pair<const QualityMeasure*, Value>> values;  // in the order of the rows
  int64_t real = 0, fake = 0;                                   // samples compared

  /// Null where the measure did not apply.
  const Value* find(const std::string& key) const;
};

inline constexpr int64_t kNeighbours = 5;

/// Samples of each kind that compare() needs at least for k neighbours: the halves of the real set have enough then.
constexpr int64_t least_samples(int64_t k) { return 4 * k + 4; }

struct ComparisonOptions {
  uint64_t seed = 1;              // of groups, halves and pairs
  int64_t k = kNeighbours;        // neighbours of precision, recall, density and coverage
  double certainty = 0.9;         // probability from which a sample counts as read with certainty
  int64_t pairs = 200;            // of each class, for ms_ssim
  double copies_baseline = 0.01;  // share of held-out real samples that count as copies
  SampleSet others = {};          // more real samples, for floors
  Tensor training = {};           // features of the training set, for copies: `real` is then held out from it
};

struct ComparisonContext;  // both sets and options, and what several measures share
struct QualityMeasure {
  std::string key;
  std::string meaning, healthy, source;  // Markdown, one line each
  Better better = Better::lower;
  Scale scale = Scale::share;
  /// Whether both sets have what it needs.
  bool (*applies)(const ComparisonContext&) = nullptr;
  Estimate (*of)(const ComparisonContext&) = nullptr;
  /// The power of 1/n + 1/m by which real samples' values fall.
  double falls = 0;
  /// The floor, where it is known without other real samples.
  double (*floor)(const ComparisonContext&) = nullptr;
};

/// All rows, in the order of the keys in a line.
const std::vector<QualityMeasure>& quality_measures();

/// All measures that apply. The sets have at least least_samples(k) samples each. 10,000 against 10,000 of 128 features: 10 s of one core (gan/README.md), below 200 MB beside the
/// samples. The same seed gives the same bits on any number of threads.
Comparison compare(const SampleSet& real, const SampleSet& fake, const ComparisonOptions& options = {});

using About = std::variant<std::string, uint64_t>;

/// One line of JSON, its end included: `about` (keys and what they say), the judge's name, the numbers of samples, and every
/// measure under its key and the judge's name, "fd-mnist-v1". What is not finite is null.
std::string to_json_line(const std::string& judge, const Comparison& comparison,
                         const std::vector<std::pair<std::string, About>>& about = {});

}  // namespace duel::gan
