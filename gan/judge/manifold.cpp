// Note [64 samples at once]
// Bit 0 of a word stands for all samples, bits 1 to 63 for the random halves: one pass over the pairs serves
// all. A sample's word says in which of them it is; reach[t] of a ball, in which of them its radius holds what
// is farther than t of its neighbours. A pair within the ball adds reach & both samples' words. Ors do not
// depend on their order, and counts are whole numbers, so threads do not change a bit.
#include "duel/gan/judge/manifold.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "duel/gan/judge/internal/groups.h"
#include "duel/gan/judge/internal/nearest.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

using detail::Draw;
using detail::Matrix;

constexpr const char* kManifold = "manifold";
constexpr int kSamples = 64;
using Counts = std::array<int64_t, kSamples>;

/// Sums of bits, place by place.
void count_bits(uint64_t word, Counts& counts) {
  for (; word != 0; word &= word - 1) ++counts[static_cast<size_t>(std::countr_zero(word))];
}

/// The balls around one set's samples.
struct Balls {
  int64_t listed = 0;              // neighbours of each that are known
  std::vector<double> squares;     // [n, listed], rising
  std::vector<uint64_t> reach;     // [n, listed]
  std::vector<uint64_t> member;    // [n]
  std::vector<double> norms, far;  // squared: of each sample, and of its last listed neighbour

  /// The samples in which a point at this squared distance lies in ball i.
  uint64_t hold(int64_t i, double square) const {
    const double* first = squares.data() + i * listed;
    const int64_t nearer = std::lower_bound(first, first + listed, square) - first;
    return nearer == listed
               ? 0
               : reach[static_cast<size_t>(i * listed + nearer)] & member[static_cast<size_t>(i)];
  }
};

Balls balls_of(const Matrix& x, int64_t k, uint64_t seed, Draw draw) {
  Balls balls;
  // Of 4 k + 4 neighbours half have fewer than k in one of 1,000 cases, and the last one is their radius.
  balls.listed = std::min(x.count - 1, 4 * k + 4);
  const detail::NearestRows near = nearest_rows(x, x, balls.listed, true);
  balls.squares = near.squares;
  balls.norms = squared_norms(x);
  balls.member.assign(static_cast<size_t>(x.count), 1);
  for (int half = 1; half < kSamples; ++half) {
    const std::vector<int64_t> order = detail::shuffled(x.count, seed, draw, static_cast<uint64_t>(half));
    for (int64_t i = 0; i < x.count / 2; ++i)
      balls.member[static_cast<size_t>(order[static_cast<size_t>(i)])] |= uint64_t{1} << half;
  }
  balls.reach.assign(near.index.size(), 0);
  balls.far.resize(static_cast<size_t>(x.count));
  kernels::parallel_for(x.count, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t* index = near.index.data() + i * balls.listed;
      for (int half = 0; half < kSamples; ++half) {
        int64_t found = 0, last = 0;
        for (; last < balls.listed; ++last) {
          found += balls.member[static_cast<size_t>(index[last])] >> half & 1;
          if (found == k) break;
        }
        last = std::min(last, balls.listed - 1);
        for (int64_t t = 0; t <= last; ++t)
          balls.reach[static_cast<size_t>(i * balls.listed + t)] |= uint64_t{1} << half;
      }
      balls.far[static_cast<size_t>(i)] = balls.squares[static_cast<size_t>((i + 1) * balls.listed - 1)];
    }
  });
  return balls;
}

Counts counted(const std::vector<uint64_t>& words) {
  Counts counts{};
  for (const uint64_t word : words) count_bits(word, counts);
  return counts;
}

/// The value of all samples, and the variance from the halves around their mean.
std::pair<double, Jackknife> spread(const Counts& hits, double whole, double half) {
  double mean = 0;
  for (size_t s = 1; s < kSamples; ++s) mean += static_cast<double>(hits[s]) / half / (kSamples - 1);
  Jackknife parts{.bias = 0, .variance = 0, .degrees = kSamples - 2};
  for (size_t s = 1; s < kSamples; ++s) {
    const double away = static_cast<double>(hits[s]) / half - mean;
    parts.variance += away * away / (kSamples - 2);
  }
  return {static_cast<double>(hits[0]) / whole, parts};
}

Estimate share(const Counts& hits, int64_t samples) {
  const auto [value, parts] = spread(hits, static_cast<double>(samples), static_cast<double>(samples / 2));
  return share_of(value, parts, samples);
}

}  // namespace

Manifold manifold(const Tensor& real, const Tensor& fake, int64_t k, uint64_t seed) {
  DUEL_CHECK(k >= 1, kManifold, "k: expected at least 1, got {}", k);
  const auto [x, y] = detail::matrices_of(real, fake, kManifold, 2 * k + 2);
  const Balls of_real = balls_of(x, k, seed, Draw::groups_a), of_fake = balls_of(y, k, seed, Draw::groups_b);

  std::vector<uint64_t> precise(static_cast<size_t>(y.count));
  const auto slots = static_cast<size_t>(detail::row_ranges(y.count)), n = static_cast<size_t>(x.count);
  std::vector<uint64_t> recalled(slots * n), covered(slots * n);
  std::vector<Counts> dense(slots);
  detail::over_rows(y, x, [&](const auto& range) {
    const auto slot = static_cast<size_t>(range.begin / detail::kRows);
    uint64_t *recall = recalled.data() + slot * n, *cover = covered.data() + slot * n;
    range.each([&](int64_t j, int64_t first, const double* products, int64_t width) {
      const auto at = static_cast<size_t>(j);
      const double norm = of_fake.norms[at], far = of_fake.far[at];
      for (int64_t t = 0; t < width; ++t) {
        const int64_t i = first + t;
        const auto place = static_cast<size_t>(i);
        const double square = detail::squared_distance(norm, of_real.norms[place], products[t]);
        if (square <= of_real.far[place]) {
          const uint64_t in = of_real.hold(i, square) & of_fake.member[at];
          precise[at] |= in;
          cover[place] |= in;
          count_bits(in, dense[slot]);
        }
        if (square <= far) recall[place] |= of_fake.hold(j, square) & of_real.member[place];
      }
    });
  });
  for (size_t s = 1; s < slots; ++s) {
    for (size_t i = 0; i < n; ++i) {
      recalled[i] |= recalled[s * n + i];
      covered[i] |= covered[s * n + i];
    }
    for (size_t b = 0; b < kSamples; ++b) dense[0][b] += dense[s][b];
  }
  recalled.resize(n);
  covered.resize(n);
  const auto [density, parts] =
      spread(dense[0], static_cast<double>(k * y.count), static_cast<double>(k * (y.count / 2)));
  return {share(counted(precise), y.count), share(counted(recalled), x.count), estimate_of(density, parts),
          share(counted(covered), x.count)};
}

}  // namespace duel::gan
