#include "duel/gan/data/stacked_digits.h"

#include <algorithm>

#include "duel/kernels/base/error.h"
#include "duel/kernels/map/random.h"

namespace duel::gan {
namespace {

constexpr int64_t kStackedChannels = 3;
constexpr uint64_t kStackingStream = 0x737461636b;  // no run's, should seeds be equal

}  // namespace

StackedDigits stack_digits(const ImageSet& digits, int64_t count, uint64_t seed) {
  DUEL_CHECK(digits.count >= 1 && digits.channels == 1, "stacked",
             "{}: expected gray digits, got {} images of {} channels", digits.source, digits.count,
             digits.channels);
  DUEL_CHECK(count >= 1, "stacked", "expected at least 1 image, got {}", count);
  const auto greatest = std::max_element(digits.labels.begin(), digits.labels.end());
  DUEL_CHECK(greatest == digits.labels.end() || *greatest <= 9, "stacked",
             "{}: expected digits, labels from 0 to 9, got {}", digits.source, int{*greatest});
  StackedDigits stacked;
  stacked.images = {.count = count,
                    .height = digits.height,
                    .width = digits.width,
                    .images = {},
                    .labels = {},
                    .source = message("three digits each of {} (seed {})", digits.source, seed),
                    .channels = kStackedChannels};
  const int64_t pixels = digits.pixels();
  stacked.images.images.reserve(static_cast<size_t>(count * kStackedChannels * pixels));
  for (int64_t i = 0; i < count; ++i) {
    const kernels::PhiloxBlock random = kernels::philox_at(seed, kStackingStream, static_cast<uint64_t>(i));
    int64_t label = 0;
    for (int64_t c = 0; c < kStackedChannels; ++c) {
      // the high word of a product: 0 to count - 1, even to 2^-32 of its share for each of them
      const uint64_t product = uint64_t{random.word[c]} * static_cast<uint64_t>(digits.count);
      const auto digit = static_cast<int64_t>(product >> 32);
      const auto begin = digits.images.begin() + digit * pixels;
      stacked.images.images.insert(stacked.images.images.end(), begin, begin + pixels);
      if (!digits.labels.empty()) label = 10 * label + digits.labels[static_cast<size_t>(digit)];
    }
    if (!digits.labels.empty()) stacked.labels.push_back(label);
  }
  return stacked;
}

}  // namespace duel::gan
