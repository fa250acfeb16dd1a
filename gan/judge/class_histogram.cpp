#include "duel/gan/judge/class_histogram.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "duel/gan/judge/internal/matrix.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

constexpr const char* kHistogram = "class_histogram";

detail::Matrix rows_of(const Tensor& probabilities) {
  detail::Matrix rows = detail::matrix_of(probabilities, kHistogram, "probabilities");
  for (int64_t i = 0; i < rows.count; ++i) {
    double sum = 0;
    for (int64_t c = 0; c < rows.width; ++c) {
      DUEL_CHECK(rows[i][c] >= 0 && rows[i][c] <= 1.001, kHistogram,
                 "probabilities: sample {} holds {}: expected 0 to 1 (softmax of the logits)", i, rows[i][c]);
      sum += rows[i][c];
    }
    DUEL_CHECK(std::abs(sum - 1) <= 1e-3, kHistogram,
               "probabilities: those of sample {} sum to {}: expected 1", i, sum);
  }
  return rows;
}

void check(const ClassCounts& fake, const ClassCounts& real) {
  DUEL_CHECK(fake.counts.size() == real.counts.size(), kHistogram, "expected the same classes, got {} and {}",
             fake.counts.size(), real.counts.size());
}

double divergence(const ClassCounts& fake, const ClassCounts& real) {
  const auto n = static_cast<double>(fake.samples), m = static_cast<double>(real.samples);
  double sum = 0;
  for (size_t c = 0; c < fake.counts.size(); ++c) {
    if (fake.counts[c] == 0) continue;
    const double p = static_cast<double>(fake.counts[c]) / n;
    sum += p * std::log(p * m / std::max(static_cast<double>(real.counts[c]), 0.5));
  }
  return std::max(sum, 0.0);  // below by rounding, or by the half sample
}

double variation(const ClassCounts& fake, const ClassCounts& real) {
  const auto n = static_cast<double>(fake.samples), m = static_cast<double>(real.samples);
  double sum = 0;
  for (size_t c = 0; c < fake.counts.size(); ++c)
    sum += std::abs(static_cast<double>(fake.counts[c]) / n - static_cast<double>(real.counts[c]) / m);
  return sum / 2;
}

/// Leaves each sample of `counts` out once: all of one class give the same value. Differences from the whole are
/// summed, so that where all are equal the variance is 0 and not rounding.
Jackknife leaving_out(ClassCounts counts, const std::function<double(const ClassCounts&)>& measure) {
  const auto n = static_cast<double>(counts.samples);
  const double whole = measure(counts);
  std::vector<double> away(counts.counts.size());
  double mean = 0;
  --counts.samples;
  for (size_t c = 0; c < away.size(); ++c) {
    if (counts.counts[c] == 0) continue;
    const auto share = static_cast<double>(counts.counts[c]) / n;
    --counts.counts[c];
    away[c] = measure(counts) - whole;
    ++counts.counts[c];
    mean += share * away[c];
  }
  Jackknife result{.bias = 0, .variance = 0, .degrees = n - 1};
  for (size_t c = 0; c < away.size(); ++c)
    result.variance +=
        (n - 1) / n * static_cast<double>(counts.counts[c]) * (away[c] - mean) * (away[c] - mean);
  return result;
}

Estimate of_both(const ClassCounts& fake, const ClassCounts& real,
                 double (*measure)(const ClassCounts&, const ClassCounts&), double highest) {
  check(fake, real);
  const Jackknife of_fake = leaving_out(fake, [&](const ClassCounts& f) { return measure(f, real); });
  const Jackknife of_real = leaving_out(real, [&](const ClassCounts& r) { return measure(fake, r); });
  return estimate_of(measure(fake, real), combined({of_fake, of_real}), 0, highest);
}

double uniform_divergence(const ClassCounts& fake) {
  ClassCounts uniform{.counts = std::vector<int64_t>(fake.counts.size(), 1)};
  uniform.samples = static_cast<int64_t>(fake.counts.size());
  return divergence(fake, uniform);
}

double modes(const ClassCounts& fake) {
  return static_cast<double>(fake.counts.size()) -
         static_cast<double>(std::count(fake.counts.begin(), fake.counts.end(), 0));
}

}  // namespace

ClassCounts count_classes(const Tensor& probabilities, double certainty) {
  DUEL_CHECK(certainty > 0 && certainty <= 1, kHistogram, "certainty: expected above 0 to 1, got {}",
             certainty);
  const detail::Matrix rows = rows_of(probabilities);
  ClassCounts result{.counts = std::vector<int64_t>(static_cast<size_t>(rows.width))};
  result.samples = rows.count;
  for (int64_t i = 0; i < rows.count; ++i) {
    const double* best = std::max_element(rows[i], rows[i] + rows.width);
    ++result.counts[static_cast<size_t>(best - rows[i])];
    result.certain += *best >= certainty;
  }
  return result;
}

std::vector<int64_t> classes_of(const Tensor& probabilities) {
  const detail::Matrix rows = rows_of(probabilities);
  std::vector<int64_t> classes(static_cast<size_t>(rows.count));
  for (int64_t i = 0; i < rows.count; ++i)
    classes[static_cast<size_t>(i)] = std::max_element(rows[i], rows[i] + rows.width) - rows[i];
  return classes;
}

Estimate class_divergence(const ClassCounts& fake, const ClassCounts& real) {
  return of_both(fake, real, divergence, std::numeric_limits<double>::infinity());
}

Estimate class_divergence_from_uniform(const ClassCounts& fake) {
  return estimate_of(uniform_divergence(fake), leaving_out(fake, uniform_divergence), 0,
                     std::log(static_cast<double>(fake.counts.size())));
}

Estimate class_variation(const ClassCounts& fake, const ClassCounts& real) {
  return of_both(fake, real, variation, 1);
}

// A class of one sample is what leaving out can lose: about as many could have stayed unseen.
Estimate class_modes(const ClassCounts& fake) {
  return estimate_of(modes(fake), leaving_out(fake, modes), 1, static_cast<double>(fake.counts.size()));
}

Estimate certain_share(const ClassCounts& fake) {
  const auto n = static_cast<double>(fake.samples);
  const double share = static_cast<double>(fake.certain) / n;
  return share_of(share, {.bias = 0, .variance = share * (1 - share) / n, .degrees = n - 1}, fake.samples);
}

}  // namespace duel::gan
