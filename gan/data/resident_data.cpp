#include "duel/gan/data/resident_data.h"

#include <algorithm>
#include <numeric>

#include "duel/core/ops/map/movement.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/training/batch.h"

namespace duel::gan {
namespace {

/// Pixels 0 to 255 become -1 to 1.
constexpr double kPixelScale = 2.0 / 255.0;
constexpr float kPixelShift = -1;

}  // namespace

ResidentData::ResidentData(const ImageSet& set, Device device) {
  DUEL_CHECK(set.count > 0, "data", "{}: expected at least one image", set.source);
  samples_ = Tensor::from(set.images, {set.count, set.channels, set.height, set.width}, device);
  if (set.labels.empty()) return;
  labels_ = Tensor::from(set.labels, {set.count}, device);
  label_end_ = 1 + int64_t{*std::max_element(set.labels.begin(), set.labels.end())};
}

ResidentData::ResidentData(const Tensor& samples, const Tensor& labels)
    : samples_(samples.detach()), labels_(labels) {
  DUEL_CHECK(samples.rank() >= 2 && samples.dim(0) > 0 && is_floating(samples.dtype()), "data",
             "expected floating samples of shape [count, ...], got {}", to_text(samples));
  DUEL_CHECK(!labels.defined() || (labels.numel() == samples.dim(0) && labels.dtype() == DType::i64), "data",
             "expected an i64 label per sample, got {}", to_text(labels));
  if (!labels.defined()) return;
  const auto values = labels.to_vector<int64_t>();
  label_end_ = 1 + *std::max_element(values.begin(), values.end());
}

Shape ResidentData::sample_shape() const { return samples_.shape().without(0); }

Tensor ResidentData::first(int64_t n) const {
  DUEL_CHECK(n >= 0 && n <= count(), "data", "expected 0 to {} samples, got {}", count(), n);
  std::vector<int64_t> index(static_cast<size_t>(n));
  std::iota(index.begin(), index.end(), int64_t{0});
  return Tensor::from(index, {n}, samples_.device());
}

Tensor ResidentData::batch(const Tensor& index, DType dtype) const {
  if (samples_.dtype() != DType::u8) {
    NoGrad no_grad;
    return gather(samples_, index).to(dtype);
  }
  const int64_t n = index.numel(), pixels = samples_.shape().numel_from(1);
  Tensor batch = Tensor::empty(samples_.shape().with(0, n), {dtype, samples_.device()});
  DUEL_DISPATCH(
      dtype, "batch",
      kernels::gather_normalize<T>(stream_of(samples_.device()), n, pixels, count(), samples_.data<uint8_t>(),
                                   index.data<int64_t>(), static_cast<T>(kPixelScale), T{kPixelShift},
                                   batch.mutable_data<T>()));
  return batch;
}

ResidentData::Drawn ResidentData::next(DataOrder& order, int64_t n, DType dtype, const Tensor& behind) const {
  NoGrad no_grad;
  DUEL_CHECK(!behind.defined() ||
                 (behind.rank() == samples_.rank() && behind.dtype() == dtype &&
                  behind.device() == device() && behind.shape().without(0) == samples_.shape().without(0)),
             "data", "expected samples of {} {} on {} behind the batch, got {} on {}", to_text(dtype),
             sample_shape(), device(), to_text(behind), behind.device());
  DUEL_CHECK(order.count() <= count() && order.device() == device(), "data",
             "expected an order of at most the {} samples, on {}, got one of {} on {}", count(), device(),
             order.count(), order.device());
  if (samples_.dtype() != DType::u8) {
    const Tensor index = order.next(n), samples = batch(index, dtype);
    return {behind.defined() ? concat({samples, behind}) : samples, index};
  }
  const int64_t more = behind.defined() ? behind.dim(0) : 0;
  Drawn drawn{Tensor::empty(samples_.shape().with(0, n + more), {dtype, device()}),
              Tensor::empty({n}, {DType::i64, device()})};
  order.draw(n, [&](const kernels::PhiloxState& state) {
    DUEL_DISPATCH(
        dtype, "batch",
        kernels::draw_rows<T>(stream_of(device()), state, n, samples_.shape().numel_from(1), order.count(),
                              samples_.data<uint8_t>(), static_cast<T>(kPixelScale), T{kPixelShift},
                              more > 0 ? behind.data<T>() : nullptr, more > 0 ? behind.numel() : 0,
                              drawn.index.mutable_data<int64_t>(), drawn.samples.mutable_data<T>()));
  });
  return drawn;
}

Tensor ResidentData::labels(const Tensor& index) const {
  DUEL_CHECK(has_labels(), "data", "this data set has no labels");
  Tensor out = Tensor::empty({index.numel()}, {DType::i64, labels_.device()});
  const auto gather_as = [&]<class L>(L) {
    kernels::gather_labels<L>(stream_of(labels_.device()), index.numel(), count(), labels_.data<L>(),
                              index.data<int64_t>(), out.mutable_data<int64_t>());
  };
  labels_.dtype() == DType::u8 ? gather_as(uint8_t{}) : gather_as(int64_t{});
  return out;
}

}  // namespace duel::gan
