#include "duel/gan/data/image_set.h"

#include "duel/kernels/base/error.h"

namespace duel::gan {

ImageSet part_of(const ImageSet& set, int64_t begin, int64_t end) {
  DUEL_CHECK(0 <= begin && begin <= end && end <= set.count, "data",
             "expected a part of {} images, got {} to {}", set.count, begin, end);
  const auto cut = [&](const std::vector<uint8_t>& bytes, int64_t each) {
    return bytes.empty() ? bytes
                         : std::vector<uint8_t>(bytes.begin() + begin * each, bytes.begin() + end * each);
  };
  ImageSet part{.count = end - begin,
                .height = set.height,
                .width = set.width,
                .images = cut(set.images, set.pixels()),
                .labels = cut(set.labels, 1),
                .source = set.source};
  part.classes = set.classes;
  part.channels = set.channels;
  part.words = set.words;
  part.unlabelled = set.unlabelled;
  return part;
}

}  // namespace duel::gan
