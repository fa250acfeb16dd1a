#include "duel/gan/judge/ms_ssim.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "duel/gan/judge/internal/groups.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"

namespace duel::gan {
namespace {

constexpr const char* kMsSsim = "ms_ssim";
constexpr std::array<double, 5> kWeights = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};  // Wang et al. 2003

struct Plane {
  int64_t height = 0, width = 0;
  std::vector<double> values = {};
};

Plane map(const Plane& x, const Plane& y, double (*f)(double, double)) {
  Plane out = x;
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] = f(x.values[i], y.values[i]);
  return out;
}
double times(double x, double y) { return x * y; }

/// Weighted means at all places where the window lies inside: along rows, then along columns.
Plane filtered(const Plane& x, const std::vector<double>& window) {
  const auto size = static_cast<int64_t>(window.size());
  Plane rows{x.height, x.width - size + 1}, out{x.height - size + 1, rows.width};
  rows.values.resize(static_cast<size_t>(rows.height * rows.width));
  out.values.resize(static_cast<size_t>(out.height * out.width));
  for (int64_t i = 0; i < rows.height; ++i) {
    for (int64_t k = 0; k < size; ++k) {
      for (int64_t j = 0; j < rows.width; ++j)
        rows.values[static_cast<size_t>(i * rows.width + j)] +=
            window[static_cast<size_t>(k)] * x.values[static_cast<size_t>(i * x.width + j + k)];
    }
  }
  for (int64_t i = 0; i < out.height; ++i) {
    for (int64_t k = 0; k < size; ++k) {
      for (int64_t j = 0; j < out.width; ++j)
        out.values[static_cast<size_t>(i * out.width + j)] +=
            window[static_cast<size_t>(k)] * rows.values[static_cast<size_t>((i + k) * rows.width + j)];
    }
  }
  return out;
}

/// Means of 2 x 2 pixels; a last odd row or column is left out.
Plane halved(const Plane& x) {
  Plane out{x.height / 2, x.width / 2};
  for (int64_t i = 0; i < out.height; ++i) {
    for (int64_t j = 0; j < out.width; ++j) {
      const double* at = &x.values[static_cast<size_t>(2 * i * x.width + 2 * j)];
      out.values.push_back(0.25 * ((at[0] + at[1]) + (at[x.width] + at[x.width + 1])));
    }
  }
  return out;
}

struct Similarity {
  double contrast = 0;  // and structure
  double all = 0;       // with luminance
};
Similarity similarity(const Plane& x, const Plane& y, const std::vector<double>& window, double range) {
  const double c1 = 0.01 * range * 0.01 * range, c2 = 0.03 * range * 0.03 * range;
  const Plane mx = filtered(x, window), my = filtered(y, window), xx = filtered(map(x, x, times), window),
              yy = filtered(map(y, y, times), window), xy = filtered(map(x, y, times), window);
  Similarity sum;
  for (size_t i = 0; i < mx.values.size(); ++i) {
    const double a = mx.values[i], b = my.values[i];
    const double contrast =
        (2 * (xy.values[i] - a * b) + c2) / (xx.values[i] - a * a + yy.values[i] - b * b + c2);
    sum.contrast += contrast;
    sum.all += contrast * (2 * a * b + c1) / (a * a + b * b + c1);
  }
  const auto places = static_cast<double>(mx.values.size());
  return {sum.contrast / places, sum.all / places};
}

struct Settings {
  std::vector<double> window, weights;  // a weight a scale
  double range;
};
Settings settings_of(int64_t height, int64_t width, const MsSsimOptions& options) {
  DUEL_CHECK(options.window >= 1 && options.window % 2 == 1, kMsSsim,
             "window: expected an odd number, got {}", options.window);
  DUEL_CHECK(options.sigma > 0 && options.range > 0, kMsSsim,
             "sigma and range: expected positive numbers, got {} and {}", options.sigma, options.range);
  DUEL_CHECK(options.scales >= 1 && options.scales <= static_cast<int64_t>(kWeights.size()), kMsSsim,
             "scales: expected 1 to {}, got {}", kWeights.size(), options.scales);
  DUEL_CHECK(std::min(height, width) >= options.window, kMsSsim,
             "a window of {} does not fit images of {} x {}", options.window, height, width);
  Settings s{.window = {}, .weights = {}, .range = options.range};
  double sum = 0;
  for (int64_t i = 0; i < options.window; ++i) {
    const double away = static_cast<double>(i) - static_cast<double>(options.window - 1) / 2;
    s.window.push_back(std::exp(-away * away / (2 * options.sigma * options.sigma)));
    sum += s.window.back();
  }
  for (double& w : s.window) w /= sum;
  sum = 0;
  for (int64_t side = std::min(height, width);
       side >= options.window && static_cast<int64_t>(s.weights.size()) < options.scales; side /= 2) {
    s.weights.push_back(kWeights[s.weights.size()]);
    sum += s.weights.back();
  }
  for (double& w : s.weights) w /= sum;
  return s;
}

double ms_ssim_of(Plane x, Plane y, const Settings& s) {
  double result = 1;
  for (size_t scale = 0; scale < s.weights.size(); ++scale) {
    if (scale > 0) x = halved(x), y = halved(y);
    const Similarity now = similarity(x, y, s.window, s.range);
    const double part = scale + 1 == s.weights.size() ? now.all : now.contrast;
    result *= std::pow(std::max(part, 0.0), s.weights[scale]);
  }
  return result;
}

/// Images as f64, and where each lies.
class Images {
 public:
  explicit Images(const Tensor& images) : shape_(images.shape()), values_(images.to_vector<double>()) {}
  double compare(int64_t i, const Images& others, int64_t j, const Settings& s) const {
    const int64_t channels = shape_[1];
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c)
      sum += ms_ssim_of(plane(i * channels + c), others.plane(j * channels + c), s);
    return sum / static_cast<double>(channels);
  }

 private:
  Plane plane(int64_t place) const {
    const int64_t size = shape_[2] * shape_[3];
    const auto begin = values_.begin() + place * size;
    return {shape_[2], shape_[3], {begin, begin + size}};
  }
  Shape shape_;
  std::vector<double> values_;
};

void check(const Tensor& images) {
  DUEL_CHECK(images.defined() && images.rank() == 4 && images.dim(1) >= 1 &&
                 (images.dtype() == DType::f32 || images.dtype() == DType::f64),
             kMsSsim, "expected images f32 or f64 [N, C, H, W], got {}",
             images.defined() ? to_text(images) : std::string("nothing"));
}

}  // namespace

std::vector<double> ms_ssim(const Tensor& a, const Tensor& b, const MsSsimOptions& options) {
  check(a);
  check(b);
  DUEL_CHECK(a.shape() == b.shape(), kMsSsim, "expected images of one shape, got {} and {}", a.shape(),
             b.shape());
  const Settings settings = settings_of(a.dim(2), a.dim(3), options);
  const Images x(a), y(b);
  std::vector<double> values(static_cast<size_t>(a.dim(0)));
  kernels::parallel_for(a.dim(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] = x.compare(i, y, i, settings);
  });
  return values;
}

Estimate class_similarity(const Tensor& images, const std::vector<int64_t>& classes, int64_t pairs,
                          uint64_t seed, const MsSsimOptions& options) {
  check(images);
  DUEL_CHECK(static_cast<int64_t>(classes.size()) == images.dim(0), kMsSsim,
             "expected a class for each of {} images, got {}", images.dim(0), classes.size());
  DUEL_CHECK(pairs >= 1, kMsSsim, "pairs: expected at least 1, got {}", pairs);
  const Settings settings = settings_of(images.dim(2), images.dim(3), options);
  std::map<int64_t, std::vector<int64_t>> members;
  for (const int64_t i : detail::shuffled(images.dim(0), seed, detail::Draw::pairs))
    members[classes[static_cast<size_t>(i)]].push_back(i);

  std::vector<std::pair<int64_t, int64_t>> drawn;
  std::vector<size_t> counts;  // of each class that has any
  for (const auto& [label, list] : members) {
    const size_t count = std::min(static_cast<size_t>(pairs), list.size() / 2);
    for (size_t p = 0; p < count; ++p) drawn.emplace_back(list[2 * p], list[2 * p + 1]);
    if (count > 0) counts.push_back(count);
  }
  DUEL_CHECK(!drawn.empty(), kMsSsim, "no class has two of the {} images", images.dim(0));
  const Images all(images);
  std::vector<double> values(drawn.size());
  kernels::parallel_for(static_cast<int64_t>(drawn.size()), 8, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const auto [i, j] = drawn[static_cast<size_t>(p)];
      values[static_cast<size_t>(p)] = all.compare(i, all, j, settings);
    }
  });

  // Each class has a variance of its own; one of a single pair has that of all classes.
  struct OfClass {
    double mean, squares, pairs;
  };
  std::vector<OfClass> of_classes;
  const auto kinds = static_cast<double>(counts.size());
  double mean = 0, all_squares = 0;
  size_t first = 0;
  for (const size_t count : counts) {
    OfClass c{.mean = 0, .squares = 0, .pairs = static_cast<double>(count)};
    for (size_t p = first; p < first + count; ++p) c.mean += values[p] / c.pairs;
    for (size_t p = first; p < first + count; ++p) c.squares += (values[p] - c.mean) * (values[p] - c.mean);
    mean += c.mean / kinds;
    all_squares += c.squares;
    first += count;
    of_classes.push_back(c);
  }
  const double all_degrees = std::max(static_cast<double>(drawn.size()) - kinds, 1.0);
  Jackknife sum{.bias = 0, .variance = 0, .degrees = 1};
  double squares = 0;  // Welch's
  for (const OfClass& c : of_classes) {
    const double degrees = c.pairs > 1 ? c.pairs - 1 : all_degrees;
    const double variance = (c.pairs > 1 ? c.squares : all_squares) / degrees / c.pairs / (kinds * kinds);
    sum.variance += variance;
    squares += variance * variance / degrees;
  }
  if (squares > 0) sum.degrees = sum.variance * sum.variance / squares;
  return estimate_of(mean, sum, 0, 1);
}

}  // namespace duel::gan
