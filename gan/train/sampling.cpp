#include "duel/gan/train/sampling.h"

#include <algorithm>
#include <cmath>

#include "duel/core/ops.h"

namespace duel::gan {
namespace {

constexpr int64_t kColumns = 8, kSweepSteps = 10;
constexpr double kSweepEnd = 2.0;

int64_t rows_for(int64_t count, int64_t columns) { return (count + columns - 1) / columns; }

void check_class(const LatentPlan& plan, int64_t label) {
  DUEL_CHECK(plan.classes > 0, "sample", "class: G was not given classes");
  DUEL_CHECK(label >= 0 && label < plan.classes, "sample", "class: expected an integer from 0 to {}, got {}",
             plan.classes - 1, label);
}

/// Labels by row and column of a grid.
template <class F>
Tensor labels_of(int64_t rows, int64_t columns, const F& label) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < rows * columns; ++i) labels.push_back(label(i / columns, i % columns));
  return Tensor::from(labels, {rows * columns});
}

/// i64 index of the row of the grid that each image is in.
Tensor row_index(int64_t rows, int64_t columns) {
  return labels_of(rows, columns, [](int64_t row, int64_t) { return row; });
}

/// codes [N, width] with columns [begin, begin + values.dim(1)) replaced.
Tensor with_columns(const Tensor& codes, int64_t begin, const Tensor& values) {
  std::vector<Tensor> parts;
  const int64_t end = begin + values.dim(1);
  if (begin > 0) parts.push_back(slice(codes, 1, 0, begin));
  parts.push_back(values);
  if (end < codes.dim(1)) parts.push_back(slice(codes, 1, end, codes.dim(1)));
  return parts.size() == 1 ? values : concat(parts, 1);
}

/// The parts of n draws: compose_latents puts them together again.
struct Parts {
  Tensor noise, labels, codes;
};

/// Below psi = 1 most normal draws fall outside. There what is drawn again comes uniform from [-psi, psi] and is kept
/// with probability exp(-z^2 / 2): the same law, and more than half of it is kept.
constexpr double kFewInside = 1.0;

/// Note [Truncation].
Tensor truncated(const Tensor& noise, double psi, Generator& random) {
  auto values = noise.to_vector<float>();
  std::vector<size_t> outside;
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::abs(double{values[i]}) > psi) outside.push_back(i);
  }
  while (!outside.empty()) {
    const auto n = static_cast<int64_t>(outside.size());
    std::vector<float> fresh, chance;
    if (psi < kFewInside) {
      fresh = random.uniform({n}, -psi, psi).to_vector<float>();
      chance = random.uniform({n}).to_vector<float>();
    } else {
      fresh = random.normal({n}).to_vector<float>();
    }
    std::vector<size_t> still;
    for (size_t k = 0; k < outside.size(); ++k) {
      const double z = fresh[k];
      const bool kept = std::abs(z) <= psi && (chance.empty() || chance[k] < std::exp(-0.5 * z * z));
      if (kept)
        values[outside[k]] = fresh[k];
      else
        still.push_back(outside[k]);
    }
    outside = std::move(still);
  }
  return Tensor::from(values, noise.shape());
}

Parts draw(const LatentPlan& plan, int64_t n, LatentGenerators& random, Truncation truncation) {
  DUEL_CHECK(!truncation || (*truncation > 0 && std::isfinite(*truncation)), "sample",
             "truncation: expected a positive number, got {}", *truncation);
  DUEL_CHECK(!truncation || plan.kind == NoiseKind::normal, "sample",
             "truncation: G's noise is uniform in [-1, 1) and has no tails to cut; leave it out");
  const Latents all = draw_latents(plan, n, random);
  const Tensor noise = slice(all.input, 1, 0, plan.noise);
  return {truncation ? truncated(noise, *truncation, random.noise) : noise, all.labels, all.codes};
}

Tensor input_of(const LatentPlan& plan, const Parts& parts) {
  return compose_latents(plan, parts.noise, parts.labels, parts.codes).input;
}

}  // namespace

std::vector<uint8_t> gray_pixels(const std::vector<float>& values) {
  std::vector<uint8_t> pixels(values.size());
  std::transform(values.begin(), values.end(), pixels.begin(), [](float v) {
    return static_cast<uint8_t>(std::lround((std::clamp(v, -1.f, 1.f) + 1.f) * 127.5f));
  });
  return pixels;
}

Picture image_grid(const Tensor& images, int64_t columns) {
  DUEL_CHECK(images.rank() == 4 && (images.dim(1) == 1 || images.dim(1) == 3), "image_grid",
             "expected gray images [N, 1, H, W] or colours [N, 3, H, W], got {}; slice(images, 1, c, c + 1) "
             "is channel c of several",
             to_text(images));
  return tile_grid(gray_pixels(images.to_vector<float>()), images.dim(0), images.dim(2), images.dim(3),
                   columns, 2, images.dim(1));
}

LatentGenerators sampling_generators(uint64_t seed, uint64_t noise) {
  constexpr uint64_t labels = 101, codes = 102;  // no run's streams, should seeds be equal
  return {Generator(seed, noise), Generator(seed, labels), Generator(seed, codes)};
}

SampleGrid sample_grid(const LatentPlan& plan, int64_t count, LatentGenerators& random,
                       Truncation truncation) {
  if (plan.classes == 0 && plan.categorical.empty())
    return {input_of(plan, draw(plan, count, random, truncation)), kColumns};
  if (plan.classes == 0) return sweep_grid(plan, count, 0, random, truncation);
  const int64_t rows = rows_for(count, plan.classes);
  Parts parts = draw(plan, rows * plan.classes, random, truncation);
  parts.labels = labels_of(rows, plan.classes, [](int64_t, int64_t column) { return column; });
  return {input_of(plan, parts), plan.classes};
}

SampleGrid class_grid(const LatentPlan& plan, int64_t count, int64_t label, LatentGenerators& random,
                      Truncation truncation) {
  check_class(plan, label);
  Parts parts = draw(plan, count, random, truncation);
  parts.labels = labels_of(count, 1, [label](int64_t, int64_t) { return label; });
  return {input_of(plan, parts), kColumns};
}

SampleGrid sweep_grid(const LatentPlan& plan, int64_t count, int64_t code, LatentGenerators& random,
                      Truncation truncation) {
  const auto categories = static_cast<int64_t>(plan.categorical.size()), codes = categories + plan.continuous;
  DUEL_CHECK(codes > 0, "sample", "sweep-code: G was not given codes");
  DUEL_CHECK(code >= 0 && code < codes, "sample", "sweep-code: expected an integer from 0 to {}, got {}",
             codes - 1, code);
  const bool categorical = code < categories;
  const int64_t columns = categorical ? plan.categorical[static_cast<size_t>(code)] : kSweepSteps;
  const int64_t rows = rows_for(count, columns);
  int64_t begin = 0;
  for (int64_t c = 0; c < std::min(code, categories); ++c) begin += plan.categorical[static_cast<size_t>(c)];
  if (!categorical) begin += code - categories;

  Parts parts = draw(plan, rows, random, truncation);
  const Tensor row = row_index(rows, columns);
  for (Tensor* part : {&parts.noise, &parts.labels, &parts.codes}) {
    if (part->defined()) *part = gather(*part, row);
  }
  const auto column = [columns](int64_t i) { return i % columns; };
  Tensor values;
  if (categorical) {
    values = one_hot(labels_of(rows, columns, [](int64_t, int64_t c) { return c; }), columns);
  } else {
    std::vector<float> steps;
    for (int64_t i = 0; i < rows * columns; ++i) {
      steps.push_back(
          static_cast<float>(kSweepEnd * (2.0 * static_cast<double>(column(i)) / (columns - 1) - 1.0)));
    }
    values = Tensor::from(steps, {rows * columns, 1});
  }
  parts.codes = with_columns(parts.codes, begin, values);
  return {input_of(plan, parts), columns};
}

SampleGrid walk_grid(const LatentPlan& plan, int64_t count, std::optional<int64_t> label,
                     LatentGenerators& random, Truncation truncation, int64_t steps) {
  if (label) check_class(plan, *label);
  DUEL_CHECK(steps >= 2, "sample", "steps: expected at least 2, got {}", steps);
  const int64_t rows = rows_for(count, steps), width = plan.noise;
  const Parts ends = draw(plan, 2 * rows, random, truncation);
  const auto values = ends.noise.to_vector<float>();
  std::vector<float> points(static_cast<size_t>(rows * steps * width));
  for (int64_t row = 0; row < rows; ++row) {
    const float *a = &values[static_cast<size_t>(2 * row * width)], *b = a + width;
    double aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < width; ++i) {
      aa += double{a[i]} * a[i];
      bb += double{b[i]} * b[i];
      ab += double{a[i]} * b[i];
    }
    const double angle = std::acos(std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0));
    const bool straight = plan.kind == NoiseKind::uniform || std::sin(angle) < 1e-6;
    for (int64_t k = 0; k < steps; ++k) {
      const double t = static_cast<double>(k) / (steps - 1);
      const double from = straight ? 1 - t : std::sin((1 - t) * angle) / std::sin(angle);
      const double to = straight ? t : std::sin(t * angle) / std::sin(angle);
      float* z = &points[static_cast<size_t>((row * steps + k) * width)];
      for (int64_t i = 0; i < width; ++i) z[i] = static_cast<float>(from * a[i] + to * b[i]);
    }
  }
  Parts walk{.noise = Tensor::from(points, {rows * steps, width}), .labels = {}, .codes = {}};
  if (plan.classes > 0) {
    walk.labels =
        labels_of(rows, steps, [&](int64_t row, int64_t) { return label.value_or(row % plan.classes); });
  }
  if (ends.codes.defined()) walk.codes = gather(slice(ends.codes, 0, 0, rows), row_index(rows, steps));
  return {input_of(plan, walk), steps};
}

Latents sample_points(const LatentPlan& plan, int64_t count, LatentGenerators& random,
                      std::optional<int64_t> label, Truncation truncation) {
  if (label) check_class(plan, *label);
  Parts parts = draw(plan, count, random, truncation);
  if (label) parts.labels = labels_of(count, 1, [label](int64_t, int64_t) { return *label; });
  return compose_latents(plan, parts.noise, parts.labels, parts.codes);
}

}  // namespace duel::gan
