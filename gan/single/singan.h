// SinGAN: a pyramid of small networks trained on one image, which then draws images of any size that look like it patch by
// patch (Shaham et al. 2019, arXiv:1905.01164).
//
// Scale n = 0 is the coarsest; x_n is the image brought to its sides. With up() to the next scale's sides and z noise:
//   y_n = G_n(sigma_n z + up(y_(n-1))) + up(y_(n-1)),   y_(-1) = 0
//   L_D of scale n = E D(y_n) - E D(x_n) + lambda (sqrt(pixels) |grad D| - 1)^2 on the lines between
//   L_G of scale n = -E D(y_n) + alpha |r_n - x_n|^2 / pixels,   r_n = G_n(up(r_(n-1))) + up(r_(n-1)), r_0 = G_0(z*)
// sigma_0 = 1, sigma_n = 0.1 times the root mean square of up(r_(n-1)) - x_n. Scales are trained one after the other, each from
// the weights of the one before; WGAN-GP makes that possible without balance by hand, which is what this is here to show.
//
// Note [Otherwise than in the paper's code]
// That has batch norm in D, whose penalty then is not of one sample's gradient; here D has no norm, G instance norm, so that
// images of a batch and of other sizes do not disturb each other. There the penalty holds the norm over the colours of each
// pixel's gradient, of the sum over patches, at 1; here the whole image's, as in Gulrajani 2017, of D, the mean over patches of
// 11 x 11, taken by the root mean square of pixels. That is as steep as there; by plain distance D would be sqrt(pixels) times
// as steep, and the reconstruction would be lost beside it.
//
// Example:
//   Singan model(image, {.steps = 500});          // image [1, C, H, W] in [-1, 1]
//   while (!model.trained()) model.train_scale();
//   Tensor wide = model.sample(8, 64, 128, /*seed=*/7);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "duel/core/tensor/random.h"
#include "duel/nn/module/sequential.h"

namespace duel::gan {

struct SinganOptions {
  int64_t smallest = 18;       // pixels of the coarsest scale's shorter side, at least 12
  double factor = 0.75;        // from a scale's sides to those of the coarser one, 0.5 to 0.9
  int64_t channels = 32;       // of every layer
  int64_t steps = 500;         // iterations of each scale
  int64_t inner_steps = 3;     // of D, and then of G, in an iteration
  double lr = 5e-4;            // Adam (0.5, 0.999), a tenth of it in the last fifth of a scale's iterations
  double lambda = 0.1;         // of the gradient penalty
  double reconstruction = 10;  // alpha
  double noise = 0.1;          // sigma over the root mean square that is missing
  uint64_t seed = 1;
};

class Singan {
 public:
  /// image [1, C, H, W] in [-1, 1], C 1 or 3, sides from 12 to 512.
  Singan(const Tensor& image, SinganOptions options);
  /// A trained one that save() wrote. Error naming the file and what is wrong with it.
  explicit Singan(const std::filesystem::path& file);
  /// Everything that sampling needs, and the options.
  void save(const std::filesystem::path& file) const;

  int64_t scales() const { return static_cast<int64_t>(sides_.size()); }
  int64_t scales_done() const { return static_cast<int64_t>(generators_.size()); }
  bool trained() const { return scales_done() == scales(); }
  int64_t height() const { return sides_.back().height; }
  int64_t width() const { return sides_.back().width; }
  const SinganOptions& options() const { return options_; }

  struct Progress {
    int64_t scale = 0, step = 0;  // step from 1 to options.steps
    double loss_d = 0, loss_g = 0, rec_error = 0;
  };
  /// The next scale. `progressed` after every iteration; where it returns false the scale is left unfinished and false returned.
  bool train_scale(const std::function<bool(const Progress&)>& progressed = {});

  /// n images [n, C, height, width] in [-1, 1]; a function of the weights and the seed. All scales must be trained.
  Tensor sample(int64_t n, int64_t height, int64_t width, uint64_t seed) const;
  /// What the pyramid makes of z*: the image, [1, C, H, W], if it learned it.
  Tensor reconstruction() const;
  /// Root mean square of reconstruction() - image, of pixels in [-1, 1]; of a stored model that of its training.
  double rec_error() const { return rec_error_; }

 private:
  struct Sides {
    int64_t height, width;
  };
  void plan(int64_t channels, int64_t height, int64_t width);
  std::shared_ptr<nn::Sequential> new_generator() const;
  /// G_n on what comes from below and noise of deviation sigma_n.
  Tensor step_up(size_t scale, const Tensor& below, const Tensor& noise) const;
  /// The first `scales` at `sides`, which are to the image's as scale by scale, each with its noise (undefined: none), and up to
  /// the next one's sides.
  using NoiseFor = std::function<Tensor(size_t scale, const Shape& shape)>;
  Tensor climb(size_t scales, int64_t n, const std::vector<Sides>& sides, const NoiseFor& noise) const;
  Tensor below(Generator& random, int64_t n, const std::vector<Sides>& sides, size_t scales) const;
  Tensor reconstruction_at(size_t scales) const;
  std::vector<Sides> sides_of(int64_t height, int64_t width) const;

  SinganOptions options_;
  int64_t colours_ = 1;
  Tensor image_;              // undefined of a stored one
  std::vector<Sides> sides_;  // the coarsest first
  std::vector<std::shared_ptr<nn::Sequential>> generators_;
  std::shared_ptr<nn::Sequential> last_critic_;  // the next one's first weights
  std::vector<double> sigmas_;
  Tensor z_star_;
  double rec_error_ = 0;
  Generator weights_, random_;
};

/// Images [N, C, H, W] brought to other sides, linearly between pixel centres; where they shrink, over as many pixels as become
/// one. Differentiable.
Tensor resized(const Tensor& images, int64_t height, int64_t width);

}  // namespace duel::gan
