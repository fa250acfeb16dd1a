// Critics that give each sample several numbers, its embedding, and losses that are distances between the two sides'
// embeddings. r = D(x) and f = D(G(z)) are rows of numbers here; x', z' are other samples of the same batch.
//
// MMD GAN (Li et al. 2017, arXiv:1705.08584; Binkowski et al. 2018, arXiv:1801.01401):
//   L_G = -L_D = M,   M = E k(r, r') + E k(f, f') - 2 E k(r, f)         the unbiased squared maximum mean discrepancy
//   witness  w(x) = E k(D(x), r) - E k(D(x), f)
// Repulsive (Wang et al. 2019, arXiv:1812.09916), with bounds that leave alone what is far or near enough:
//   L_D = E k(r, r') - E k(f, f') of bounded kernels,   L_G = M
// Cramer GAN (Bellemare et al. 2017, arXiv:1705.10743, algorithm 1), whose one independent fake is every other fake of the
// batch here:
//   witness  w(x) = E |D(x) - f| - |D(x)|
//   L_D = E w(G(z)) - E w(x),   L_G = 2 E |r - f| - E |f - f'|           the energy distance up to what G has no hand in
//
// A gradient penalty is of the witness, the function that tells both sides apart, where there is one: by the chain through the
// embeddings of point and both sides.
//
// Pairs of a batch of N and widths k take N N k numbers.
//
// Example:
//   EmbeddingCritic critic(trunk, /*features=*/1024, /*width=*/16);
//   Judgement j = critic.judge(images, {});          // j.features [N, 16]
//   Objective o{.loss = mmd_loss(rational_quadratic({0.2, 0.5, 1, 2, 5})), .critic = CriticKind::embedding, .embedding = 16};
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "duel/gan/objective/loss.h"

namespace duel::gan {

/// Linear from a trunk's features to the embedding, which is what Judgement::features are. Its logits, which no loss of these
/// reads, are the embeddings' lengths.
class EmbeddingCritic : public Critic {
 public:
  EmbeddingCritic(std::shared_ptr<nn::Module> trunk, int64_t features, int64_t width,
                  bool spectral_norm = false);
  Judgement judge(const Tensor& x, const Tensor& labels) override;
  bool mixes_samples() const override { return children_mix_samples(); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<EmbeddingCritic>(like(trunk_), features_, width_, spectral_norm_);
  }

 private:
  std::shared_ptr<nn::Module> trunk_, embed_;
  int64_t features_, width_;
  bool spectral_norm_;
};

/// A kernel that is a function of the distance.
struct Kernel {
  std::string name;
  std::function<Tensor(const Tensor& squares)> of_squares;  // of squared distances, element by element
  double of_equal = 1.0;                                    // at a distance of 0
};
/// The sum over alpha of (1 + d^2 / (2 alpha))^-alpha (Binkowski 2018); alphas above 0.
Kernel rational_quadratic(std::vector<double> alphas);
/// exp(-d^2 / 2): deviation 1.
Kernel gaussian();

/// |a_i - b_j|^2 [N, M] of rows a [N, k], b [M, k], from differences: 0 of equal rows, and no rounding below it.
Tensor squared_distances(const Tensor& a, const Tensor& b);
/// The same without the square; the gradient is 0 at 0, to second order.
Tensor distances(const Tensor& a, const Tensor& b);

/// The unbiased estimate of M, shape [], of at least 2 rows a side; below 0 by chance.
Tensor squared_mmd(const Kernel& kernel, const Tensor& real, const Tensor& fake);

/// All of these are joint losses with a witness, and need 2 samples a side.
Loss mmd_loss(Kernel kernel);
/// With gaussian(); `most` bounds the squared distances of real samples that D raises, `least` those of fakes that it lowers.
Loss repulsive_loss(double least = 0.25, double most = 4.0);
Loss cramer_loss();

}  // namespace duel::gan
