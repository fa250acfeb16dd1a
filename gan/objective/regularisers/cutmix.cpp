#include "duel/core/ops.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/objective/regularisers/regularisers.h"

namespace duel::gan {
namespace {

/// 1 where a pixel's place along an axis lies in the box, for each image: `middle` and `half` of its side in shares of the image's.
Tensor in_box(const Tensor& images, int axis, const Tensor& middle, const Tensor& half) {
  const int64_t side = images.dim(axis);
  const Tensor places = arange(int64_t{0}, side, 1, {DType::i64, images.device()})
                            .reshape(Shape{1, 1, 1, 1}.with(axis, side))
                            .to(images.dtype());
  const Tensor shares = (places + 0.5) / static_cast<double>(side);
  return (abs(shares - middle) < half).to(images.dtype());
}

}  // namespace

Tensor cutmix_mask(const Tensor& images, Generator& random) {
  const Shape each{images.dim(0), 1, 1, 1};
  const Tensor half = sqrt(random.uniform(each, 0, 1, images.options())) * 0.5;
  const Tensor row = random.uniform(each, 0, 1, images.options());
  const Tensor column = random.uniform(each, 0, 1, images.options());
  return 1.0 - in_box(images, 2, row, half) * in_box(images, 3, column, half);
}

Term cutmix_consistency(double weight) {
  return {.name = kCutmix, .weight = weight, .value = [](const Round& round) {
            const Tensor &real = round.real.judgement.pixels, &fake = round.fake.judgement.pixels;
            DUEL_CHECK(real.defined() && fake.defined(), "cutmix",
                       "expected a D that judges pixels, as arch unet's");
            const Tensor mask = cutmix_mask(round.real.samples.detach(), default_generator());
            const auto mixed = [&](const Tensor& a, const Tensor& b) { return b + (a - b) * mask; };
            const Tensor samples = mixed(round.real.samples.detach(), round.fake.samples.detach());
            return mean(square(judge(*round.discriminator, samples).pixels - mixed(real, fake)));
          }};
}

}  // namespace duel::gan
