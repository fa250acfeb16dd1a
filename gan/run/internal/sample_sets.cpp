#include "duel/gan/run/internal/sample_sets.h"

#include <algorithm>
#include <cmath>

#include "duel/core/ops.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::detail {
namespace {
constexpr int64_t kSampleBatch = 200;  // images that G makes at once
}

ImageSet sampled_images(Trainer& trainer, int64_t height, int64_t width, int64_t count,
                        LatentGenerators& random) {
  ImageSet set;
  set.count = count;
  set.height = height;
  set.width = width;
  const auto pixels = static_cast<size_t>(height * width);
  set.images.reserve(static_cast<size_t>(count) * pixels);
  for (int64_t done = 0; done < count; done += kSampleBatch) {
    const Tensor images = trainer.sample(draw_latents(trainer.networks().latent, kSampleBatch, random).input);
    DUEL_CHECK(images.rank() == 4 && images.dim(1) == 1, "sample",
               "expected gray images [N, 1, H, W], got {}", to_text(images));
    std::vector<float> values = images.to_vector<float>();
    values.resize(static_cast<size_t>(std::min(kSampleBatch, count - done)) * pixels);
    DUEL_CHECK(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }), "sample",
               "G of iteration {} gives values that are not finite", trainer.iteration());
    const std::vector<uint8_t> bytes = gray_pixels(values);
    set.images.insert(set.images.end(), bytes.begin(), bytes.end());
  }
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

std::string default_judge(bool drawn) { return drawn ? "digits-v1" : "mnist-v1"; }

}  // namespace duel::gan::detail
