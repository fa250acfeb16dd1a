#include "duel/gan/lab/internal/founding_digits.h"

#include "duel/kernels/base/error.h"

namespace duel::gan::lab {

FoundingDigits founding_digits(const std::string& data, int64_t drawn, const std::string& arch,
                               int64_t channels, int64_t batch) {
  FoundingDigits digits;
  RunConfig& config = digits.setup.config;
  config.data = data;
  config.synthetic_count = drawn;
  config.batch = batch;
  config.networks.arch = arch;
  config.networks.channels_g = config.networks.channels_d = channels;
  detail::find_data(digits.setup, config);
  detail::draw_data(digits.setup);
  const ImageSet& images = digits.setup.images;
  DUEL_CHECK(images.count >= batch, "lab", "expected at least {} images, got {} in {}", batch, images.count,
             images.source);
  config.networks.height = images.height;
  config.networks.width = images.width;
  const ImageSet held_out = detail::held_out_images(digits.setup, 10000);
  DUEL_CHECK(
      held_out.count > 0, "lab",
      "expected test images beside the training images of {}: networks are judged on images that they do not "
      "learn from",
      images.source);
  digits.training = std::make_shared<const ResidentData>(images);
  digits.held_out = std::make_shared<const ResidentData>(held_out);
  return digits;
}

std::unique_ptr<Trainer> founding_trainer(const FoundingDigits& digits, const std::string& objective,
                                          uint64_t seed) {
  detail::RunSetup setup;
  setup.config = digits.setup.config;
  setup.config.objective = objective;
  setup.config.overrides = resolved_overrides(objective);
  setup.config.seed = seed;
  detail::make_parts(setup);
  return std::make_unique<Trainer>(setup.networks, setup.objective, digits.training,
                                   TrainerOptions{.batch = setup.config.batch, .seed = seed});
}

}  // namespace duel::gan::lab
