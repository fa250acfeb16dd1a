#include "duel/gan/run/internal/neighbour_picture.h"

#include <algorithm>
#include <numeric>

#include "duel/gan/judge/neighbours.h"
#include "duel/gan/picture/canvas.h"
#include "duel/kernels/base/text.h"

namespace duel::gan::detail {
namespace {

constexpr int64_t kRows = 10, kNearest = 5, kScale = 2, kGap = 8, kHead = 24, kText = 12;

void draw(Canvas& canvas, const ImageSet& set, int64_t index, int64_t left, int64_t top) {
  const auto begin = static_cast<size_t>(index * set.height * set.width);
  for (int64_t y = 0; y < set.height; ++y) {
    for (int64_t x = 0; x < set.width; ++x) {
      const uint8_t ink = set.images[begin + static_cast<size_t>(y * set.width + x)];
      canvas.rectangle(left + x * kScale, top + y * kScale, kScale, kScale, {ink, ink, ink});
    }
  }
}

}  // namespace

void write_neighbours(const std::filesystem::path& file, const ImageSet& samples, const Tensor& features,
                      const ImageSet& training, const Tensor& training_features) {
  const int64_t k = std::min(kNearest, training.count), rows = std::min(kRows, samples.count / 2);
  const Neighbours near = nearest(features, training_features, k);
  const auto index = near.index.to_vector<int64_t>();
  const auto distance = near.distance.to_vector<double>();
  const auto at = [k](int64_t sample, int64_t n) { return static_cast<size_t>(sample * k + n); };

  std::vector<int64_t> order(static_cast<size_t>(samples.count));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return distance[at(a, 0)] < distance[at(b, 0)]; });
  const std::vector<int64_t> closest(order.begin(), order.begin() + rows);
  std::vector<int64_t> first;
  for (int64_t i = 0; static_cast<int64_t>(first.size()) < rows; ++i)
    if (std::find(closest.begin(), closest.end(), i) == closest.end()) first.push_back(i);

  const int64_t cell = samples.width * kScale + kGap, height = samples.height * kScale + kText + kGap;
  const int64_t block = (k + 1) * cell + 2 * kGap;
  Canvas canvas(2 * block + 2 * kGap, kHead + rows * height + kGap);
  const auto show = [&](const std::vector<int64_t>& shown_samples, int64_t left, const char* title) {
    canvas.text(left, kGap, title, {0, 0, 0});
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t sample = shown_samples[static_cast<size_t>(row)], top = kHead + row * height;
      draw(canvas, samples, sample, left, top);
      for (int64_t n = 0; n < k; ++n) {
        const int64_t x = left + (n + 1) * cell + kGap;
        draw(canvas, training, index[at(sample, n)], x, top);
        canvas.text(x, top + samples.height * kScale + 2, significant(distance[at(sample, n)], 3), {0, 0, 0});
      }
    }
  };
  show(closest, kGap, "nearest of all: sample, then training images");
  show(first, kGap + block, "others: sample, then training images");
  write_png(file, canvas);
}

}  // namespace duel::gan::detail
