#include "duel/gan/judge/neighbours.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "duel/gan/judge/internal/groups.h"
#include "duel/gan/judge/internal/nearest.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

constexpr const char* kNearest = "nearest";

Tensor flat(const Tensor& x, const char* what) {
  DUEL_CHECK(x.defined() && x.rank() >= 2 && x.numel() > 0, kNearest, "{}: expected samples [N, ...], got {}",
             what, x.defined() ? to_text(x) : std::string("nothing"));
  return x.reshape({x.dim(0), x.numel() / x.dim(0)});
}

/// In f32, less a mean: what is left of a distance after cancellation grows with the distance from 0.
detail::Rows<float> centred(const detail::Matrix& x, const std::vector<double>& mean) {
  detail::Rows<float> out(x.count, x.width);
  for (int64_t i = 0; i < x.count; ++i) {
    for (int64_t c = 0; c < x.width; ++c)
      out[i][c] = static_cast<float>(x[i][c] - mean[static_cast<size_t>(c)]);
  }
  return out;
}

double squared_difference(const double* x, const double* y, int64_t width) {
  double sum = 0;
  for (int64_t c = 0; c < width; ++c) sum += (x[c] - y[c]) * (x[c] - y[c]);
  return sum;
}

/// The d-th smallest of `values` where a share `baseline` of them is below it.
double quantile(std::vector<double> values, double baseline) {
  const auto place = static_cast<int64_t>(baseline * static_cast<double>(values.size()));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<size_t>(place)];
}

double share_below(const std::vector<double>& values, double limit) {
  const auto below = std::count_if(values.begin(), values.end(), [&](double v) { return v < limit; });
  return static_cast<double>(below) / static_cast<double>(values.size());
}

}  // namespace

Neighbours nearest(const Tensor& points, const Tensor& among, int64_t k) {
  const Tensor flat_points = flat(points, "points"), flat_among = flat(among, "the set");
  DUEL_CHECK(flat_points.dim(1) == flat_among.dim(1), kNearest,
             "expected samples of one shape, got {} and {}", points.shape(), among.shape());
  DUEL_CHECK(k >= 1 && k <= among.dim(0), kNearest, "k: expected 1 to the {} samples of the set, got {}",
             among.dim(0), k);
  const detail::Matrix x = detail::matrix_of(flat_points, kNearest, "points", 1),
                       y = detail::matrix_of(flat_among, kNearest, "the set", 1);
  const bool in_f32 = points.dtype() == DType::f32 && among.dtype() == DType::f32;
  const int64_t candidates = std::min(y.count, in_f32 ? k + 4 : k);
  std::vector<double> mean(static_cast<size_t>(y.width));
  if (in_f32) {
    for (int64_t i = 0; i < y.count; ++i) {
      for (int64_t c = 0; c < y.width; ++c)
        mean[static_cast<size_t>(c)] += y[i][c] / static_cast<double>(y.count);
    }
  }
  const detail::NearestRows found = in_f32
                                        ? nearest_rows(centred(x, mean), centred(y, mean), candidates, false)
                                        : nearest_rows(x, y, candidates, false);
  std::vector<int64_t> index(static_cast<size_t>(x.count * k));
  std::vector<double> distance(index.size());
  kernels::parallel_for(x.count, 64, [&](int64_t begin, int64_t end) {
    std::vector<std::pair<double, int64_t>> best(static_cast<size_t>(candidates));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t c = 0; c < candidates; ++c) {
        const int64_t j = found.index[static_cast<size_t>(i * candidates + c)];
        best[static_cast<size_t>(c)] = {squared_difference(x[i], y[j], x.width), j};
      }
      std::sort(best.begin(), best.end());
      for (int64_t c = 0; c < k; ++c) {
        distance[static_cast<size_t>(i * k + c)] = std::sqrt(best[static_cast<size_t>(c)].first);
        index[static_cast<size_t>(i * k + c)] = best[static_cast<size_t>(c)].second;
      }
    }
  });
  return {Tensor::from(index, {x.count, k}), Tensor::from(distance, {x.count, k})};
}

Copies share_of_copies(const Tensor& fake, const Tensor& held_out, const Tensor& training, double baseline,
                       uint64_t seed) {
  DUEL_CHECK(baseline > 0 && baseline < 1, kNearest, "baseline: expected a share between 0 and 1, got {}",
             baseline);
  const std::vector<double> of_fake = nearest(fake, training).distance.to_vector<double>(),
                            of_real = nearest(held_out, training).distance.to_vector<double>();
  DUEL_CHECK(of_fake.size() >= 2 && of_real.size() >= 2, kNearest,
             "expected at least 2 fake and held-out samples");
  Copies result{.share = {}, .distance = quantile(of_real, baseline)};
  result.baseline = share_below(of_real, result.distance);
  const double share = share_below(of_fake, result.distance);
  const auto n = static_cast<double>(of_fake.size());

  const detail::Groups groups(static_cast<int64_t>(of_real.size()), 20, seed, detail::Draw::groups_b);
  std::vector<double> without;
  for (int64_t g = 0; g < groups.count(); ++g) {
    std::vector<double> rest;
    for (size_t i = 0; i < of_real.size(); ++i) {
      if (groups.of[i] != g) rest.push_back(of_real[i]);
    }
    without.push_back(share_below(of_fake, quantile(rest, baseline)));
  }
  result.share = share_of(share,
                          combined({{.bias = 0, .variance = share * (1 - share) / n, .degrees = n - 1},
                                    delete_groups(share, without, groups.sizes)}),
                          static_cast<int64_t>(of_fake.size()));
  return result;
}

}  // namespace duel::gan
