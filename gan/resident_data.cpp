#include "duel/gan/resident_data.h"

#include <algorithm>

#include "duel/kernels/batch.h"
#include "duel/kernels/random.h"

namespace duel::gan {

Tensor DataOrder::next(int64_t n) {
  Tensor index = Tensor::empty({n}, {DType::i64, {}});
  int64_t* out = index.mutable_data<int64_t>();
  for (int64_t done = 0; done < n;) {
    const int64_t epoch = position_ / count_, begin = position_ % count_;
    const int64_t end = std::min(count_, begin + n - done);
    kernels::permutation({}, seed_, 0, static_cast<uint64_t>(epoch), count_, begin, end, out + done);
    done += end - begin;
    position_ += end - begin;
  }
  return index;
}

ResidentData::ResidentData(const ImageSet& set, Device device) {
  DUEL_CHECK(set.count > 0, "data", "{}: expected at least one image", set.source);
  pixels_ = Tensor::from(set.images, {set.count, 1, set.height, set.width}, device);
  if (!set.labels.empty()) labels_ = Tensor::from(set.labels, {set.count}, device);
}

Tensor ResidentData::images(const Tensor& index, DType dtype) const {
  const int64_t n = index.numel(), pixels = height() * width();
  Tensor batch = Tensor::empty({n, 1, height(), width()}, {dtype, pixels_.device()});
  DUEL_DISPATCH(dtype, "images",
                kernels::gather_normalize<T>(stream_of(pixels_.device()), n, pixels, count(), pixels_.data<uint8_t>(),
                                             index.data<int64_t>(), static_cast<T>(2.0 / 255.0), T{-1}, batch.mutable_data<T>()));
  return batch;
}

Tensor ResidentData::labels(const Tensor& index) const {
  DUEL_CHECK(has_labels(), "data", "this data set has no labels");
  Tensor out = Tensor::empty({index.numel()}, {DType::i64, labels_.device()});
  kernels::gather_labels<uint8_t>(stream_of(labels_.device()), index.numel(), count(), labels_.data<uint8_t>(),
                                  index.data<int64_t>(), out.mutable_data<int64_t>());
  return out;
}

}  // namespace duel::gan
