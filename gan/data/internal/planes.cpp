#include "duel/gan/data/internal/planes.h"

#include <algorithm>

#include "duel/kernels/base/error.h"

namespace duel::gan::detail {
namespace {

/// A pixel of the result along one axis: the pixels that it is made of, and their weights; their sum is the same for all.
struct Taps {
  int64_t first = 0;
  std::vector<int64_t> weights;
};

/// Of `from` pixels brought to `to`. Pixel i of the result covers [i from, (i + 1) from), pixel j of the source
/// [j to, (j + 1) to), both in `to`-ths of a source pixel.
std::vector<Taps> area_taps(int64_t from, int64_t to) {
  std::vector<Taps> taps(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    Taps& t = taps[static_cast<size_t>(i)];
    const int64_t begin = i * from, end = begin + from;
    t.first = begin / to;
    for (int64_t j = t.first; j * to < end; ++j)
      t.weights.push_back(std::min((j + 1) * to, end) - std::max(j * to, begin));
  }
  return taps;
}

/// The centre of pixel i of the result lies at ((2 i + 1) from - to) / (2 to) among the centres of the source's.
std::vector<Taps> linear_taps(int64_t from, int64_t to) {
  std::vector<Taps> taps(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    Taps& t = taps[static_cast<size_t>(i)];
    const int64_t at = std::clamp<int64_t>((2 * i + 1) * from - to, 0, 2 * to * (from - 1));
    t.first = at / (2 * to);
    const int64_t behind = at % (2 * to);
    t.weights.push_back(2 * to - behind);
    if (behind > 0) t.weights.push_back(behind);
  }
  return taps;
}

}  // namespace

std::vector<int64_t> shape_of(const ImageSet& set) {
  std::vector<int64_t> shape{set.count, set.height, set.width};
  if (set.channels > 1) shape.push_back(set.channels);
  return shape;
}

std::vector<uint8_t> with_channels_first(const std::vector<uint8_t>& images, const ImageSet& set) {
  const int64_t area = set.height * set.width;
  std::vector<uint8_t> planes(images.size());
  for (int64_t n = 0; n < set.count; ++n)
    for (int64_t c = 0; c < set.channels; ++c)
      for (int64_t i = 0; i < area; ++i)
        planes[static_cast<size_t>((n * set.channels + c) * area + i)] =
            images[static_cast<size_t>((n * area + i) * set.channels + c)];
  return planes;
}

void transpose(ImageSet& set) {
  const int64_t columns = set.height, rows = set.width, area = rows * columns;
  std::vector<uint8_t> turned(set.images.size());
  for (int64_t n = 0; n < set.count * set.channels; ++n)
    for (int64_t y = 0; y < rows; ++y)
      for (int64_t x = 0; x < columns; ++x)
        turned[static_cast<size_t>(n * area + y * columns + x)] =
            set.images[static_cast<size_t>(n * area + x * rows + y)];
  set.images = std::move(turned);
  set.height = rows;
  set.width = columns;
}

void make_gray(ImageSet& set) {
  if (set.channels != 3) return;
  const int64_t area = set.height * set.width;
  std::vector<uint8_t> gray(static_cast<size_t>(set.count * area));
  for (int64_t n = 0; n < set.count; ++n)
    for (int64_t i = 0; i < area; ++i) {
      const uint8_t* p = &set.images[static_cast<size_t>(3 * n * area + i)];
      gray[static_cast<size_t>(n * area + i)] =
          static_cast<uint8_t>((77 * p[0] + 150 * p[area] + 29 * p[2 * area]) >> 8);
    }
  set.images = std::move(gray);
  set.channels = 1;
}

void resize(ImageSet& set, int64_t side) {
  DUEL_ASSERT(side >= 1 && side <= 4096);
  if (set.height == side && set.width == side) return;
  const int64_t from = std::min(set.height, set.width), top = (set.height - from) / 2,
                left = (set.width - from) / 2;
  const std::vector<Taps> taps = side <= from ? area_taps(from, side) : linear_taps(from, side);
  const int64_t along = side <= from ? from : 2 * side, whole = along * along;  // sums of weights
  std::vector<uint8_t> out(static_cast<size_t>(set.count * set.channels * side * side));
  for (int64_t n = 0; n < set.count * set.channels; ++n) {
    const uint8_t* plane = &set.images[static_cast<size_t>(n * set.height * set.width)];
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x) {
        const Taps &rows = taps[static_cast<size_t>(y)], &columns = taps[static_cast<size_t>(x)];
        int64_t sum = 0;
        for (size_t j = 0; j < rows.weights.size(); ++j) {
          const uint8_t* row =
              plane + (top + rows.first + static_cast<int64_t>(j)) * set.width + left + columns.first;
          int64_t line = 0;
          for (size_t i = 0; i < columns.weights.size(); ++i) line += columns.weights[i] * row[i];
          sum += rows.weights[j] * line;
        }
        out[static_cast<size_t>((n * side + y) * side + x)] =
            static_cast<uint8_t>((2 * sum + whole) / (2 * whole));
      }
  }
  set.images = std::move(out);
  set.height = set.width = side;
}

}  // namespace duel::gan::detail
