#include "duel/gan/run/internal/sample_sets.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_set>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/stacked_digits.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::detail {
namespace {
constexpr int64_t kSampleBatch = 200;  // images that G makes at once
}

void each_batch(Trainer& trainer, int64_t count, const std::function<Latents(int64_t n)>& next,
                const std::function<void(const ImageSet& images, const Tensor& labels)>& use) {
  for (int64_t done = 0; done < count; done += kSampleBatch) {
    const Latents points = next(kSampleBatch);
    const Tensor images = trainer.sample(points.input);
    DUEL_CHECK(images.rank() == 4 && (images.dim(1) == 1 || images.dim(1) == 3), "sample",
               "expected images [N, 1, H, W] or [N, 3, H, W], got {}", to_text(images));
    ImageSet batch;
    batch.count = std::min(kSampleBatch, count - done);
    batch.channels = images.dim(1);
    batch.height = images.dim(2);
    batch.width = images.dim(3);
    std::vector<float> values = images.to_vector<float>();
    values.resize(static_cast<size_t>(batch.count * batch.pixels()));
    DUEL_CHECK(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }), "sample",
               "G of iteration {} gives values that are not finite", trainer.iteration());
    batch.images = gray_pixels(values);
    use(batch, points.labels.defined() ? rows(points.labels, 0, batch.count) : Tensor());
  }
}

std::string_view bytes_of(const ImageSet& set, int64_t i) {
  const auto size = static_cast<size_t>(set.pixels());
  return {reinterpret_cast<const char*>(set.images.data()) + static_cast<size_t>(i) * size, size};
}

int64_t in_both(const ImageSet& known, const ImageSet& images) {
  std::unordered_set<std::string_view> all;
  for (int64_t i = 0; i < known.count; ++i) all.insert(bytes_of(known, i));
  int64_t shared = 0;
  for (int64_t i = 0; i < images.count; ++i) shared += all.contains(bytes_of(images, i)) ? 1 : 0;
  return shared;
}

ImageSet sampled_images(Trainer& trainer, int64_t count, LatentGenerators& random) {
  ImageSet set;
  const auto next = [&](int64_t n) { return draw_latents(trainer.networks().latent, n, random); };
  each_batch(trainer, count, next, [&](const ImageSet& batch, const Tensor&) {
    if (set.count == 0) {
      set.channels = batch.channels;
      set.height = batch.height;
      set.width = batch.width;
      set.images.reserve(static_cast<size_t>(count * batch.pixels()));
    }
    set.count += batch.count;
    set.images.insert(set.images.end(), batch.images.begin(), batch.images.end());
  });
  return set;
}

Tensor pixels_of(const ResidentData& data) { return data.batch(data.first(data.count()), DType::f32); }

SampleSet judged(const Judge& judge, const ResidentData& data) {
  const JudgeReading reading = judge.read(data);
  return {{}, reading.features.to(Device::cpu()), softmax(reading.logits).to(Device::cpu())};
}

SampleSet read_by(const Judge& judge, const ResidentData& data) {
  SampleSet set = judged(judge, data);
  set.images = pixels_of(data).to(Device::cpu());
  return set;
}

namespace {

constexpr int64_t kReadAtOnce = 1024;  // stacked images

/// `use` is given the numbers of samples begin to end - 1, and what the judge reads in their 3 (end - begin) digits.
void read_colours(const Judge& judge, const ResidentData& data,
                  const std::function<void(int64_t begin, int64_t end, const JudgeReading&)>& use) {
  const NoGrad no_grad;
  const Shape image = data.sample_shape();
  DUEL_CHECK(image == Shape({3, Judge::side, Judge::side}), "judge",
             "expected stacked digits, images of 3 x {} x {}, got {}", Judge::side, Judge::side, image);
  const Tensor all = data.first(data.count());
  for (int64_t begin = 0; begin < data.count(); begin += kReadAtOnce) {
    const int64_t end = std::min(begin + kReadAtOnce, data.count());
    const Tensor digits = data.batch(rows(all, begin, end), DType::f32)
                              .reshape({3 * (end - begin), 1, Judge::side, Judge::side})
                              .to(judge.device());
    use(begin, end, judge.read(digits));
  }
}

}  // namespace

SampleSet judged_stacked(const Judge& judge, const ResidentData& data) {
  std::vector<Tensor> probabilities;
  read_colours(judge, data, [&](int64_t begin, int64_t end, const JudgeReading& reading) {
    const int64_t n = end - begin;
    const Tensor p = softmax(reading.logits).to(Device::cpu()).reshape({n, 3, Judge::classes});
    const auto colour = [&](int64_t c, const Shape& shape) { return slice(p, 1, c, c + 1).reshape(shape); };
    const Tensor product = colour(0, {n, 10, 1, 1}) * colour(1, {n, 1, 10, 1}) * colour(2, {n, 1, 1, 10});
    probabilities.push_back(product.reshape({n, kStackedKinds}));
  });
  return {{}, {}, concat(probabilities)};
}

StackedReading read_stacked(const Judge& judge, const ResidentData& data) {
  StackedReading result;
  std::vector<Tensor> features;
  read_colours(judge, data, [&](int64_t begin, int64_t end, const JudgeReading& reading) {
    const auto digits = argmax(reading.logits).to_vector<int64_t>();
    for (size_t i = 0; i < static_cast<size_t>(3 * (end - begin)); i += 3)
      result.kinds.push_back(100 * digits[i] + 10 * digits[i + 1] + digits[i + 2]);
    features.push_back(reading.features.to(Device::cpu()));
  });
  result.features = concat(features);
  return result;
}

std::string default_judge(bool drawn) { return drawn ? "digits-v1" : "mnist-v1"; }

}  // namespace duel::gan::detail
