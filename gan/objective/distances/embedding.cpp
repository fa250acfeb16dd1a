#include "duel/gan/objective/distances/embedding.h"

#include <cmath>
#include <utility>

#include "duel/core/ops.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/norm/spectral_norm.h"

namespace duel::gan {

EmbeddingCritic::EmbeddingCritic(std::shared_ptr<nn::Module> trunk, int64_t features, int64_t width,
                                 bool spectral_norm)
    : trunk_(register_module("trunk", std::move(trunk))),
      embed_(register_module("embed", nn::with_spectral_norm(spectral_norm, nn::Linear(features, width)))),
      features_(features),
      width_(width),
      spectral_norm_(spectral_norm) {
  DUEL_CHECK(width >= 1, "EmbeddingCritic", "width: expected at least 1 number for a sample, got {}", width);
}

Judgement EmbeddingCritic::judge(const Tensor& x, const Tensor&) {
  const Tensor embedding = (*embed_)((*trunk_)(x));
  return {.logits = sample_norm(embedding).reshape({x.dim(0), 1}), .features = embedding};
}

Kernel rational_quadratic(std::vector<double> alphas) {
  DUEL_CHECK(!alphas.empty(), "rational_quadratic", "expected at least one alpha");
  std::string name;
  for (const double alpha : alphas) {
    DUEL_CHECK(alpha > 0, "rational_quadratic", "alpha: expected a number above 0, got {}", alpha);
    name += message("{}{}", name.empty() ? "" : ",", alpha);
  }
  const auto count = static_cast<double>(alphas.size());
  return {.name = "rational_quadratic(" + name + ")",
          .of_squares =
              [alphas = std::move(alphas)](const Tensor& squares) {
                Tensor total;
                for (const double alpha : alphas) {
                  const Tensor one = pow_scalar(squares * (0.5 / alpha) + 1.0, -alpha);
                  total = total.defined() ? total + one : one;
                }
                return total;
              },
          .of_equal = count};
}

Kernel gaussian() {
  return {.name = "gaussian", .of_squares = [](const Tensor& squares) { return exp(squares * -0.5); }};
}

namespace {

Tensor differences(const char* op, const Tensor& a, const Tensor& b) {
  DUEL_CHECK(a.defined() && b.defined() && a.rank() == 2 && b.rank() == 2 && a.dim(1) == b.dim(1), op,
             "expected embeddings [N, k] and [M, k], got {} and {}", a.defined() ? to_text(a) : "none",
             b.defined() ? to_text(b) : "none");
  return sub(unsqueeze(a, 1), unsqueeze(b, 0));
}

/// The mean over pairs i != j of [N, N] whose diagonal is a constant.
Tensor mean_of_others(const Tensor& pairs, double diagonal) {
  const auto n = static_cast<double>(pairs.dim(0));
  DUEL_CHECK(pairs.dim(0) >= 2, "distance", "expected at least 2 samples to compare, got {}", pairs.dim(0));
  return (sum(pairs) - n * diagonal) * (1 / (n * (n - 1)));
}

/// The mean of k over the other samples of a side.
Tensor within(const Kernel& kernel, const Tensor& rows) {
  return mean_of_others(kernel.of_squares(squared_distances(rows, rows)), kernel.of_equal);
}

/// The mean of k between each of `at` and all of `rows`, [N].
Tensor mean_kernel(const Kernel& kernel, const Tensor& at, const Tensor& rows) {
  return mean(kernel.of_squares(squared_distances(at, rows)), {1});
}

Loss distance_loss(std::string name, JointTerm of_d, JointTerm of_g, Loss::Witness witness) {
  return {.name = std::move(name),
          .d_real = nullptr,
          .d_fake = nullptr,
          .g_fake = nullptr,
          .d_joint = std::move(of_d),
          .g_joint = std::move(of_g),
          .witness = std::move(witness),
          .reads_features = true,
          .least_samples = 2};
}

Loss::Witness kernel_witness(const Kernel& kernel) {
  return [kernel](const Judgement& at, const Judgement& real, const Judgement& fake) {
    return mean_kernel(kernel, at.features, real.features) - mean_kernel(kernel, at.features, fake.features);
  };
}

Tensor cramer_witness(const Tensor& at, const Tensor& fake) {
  return mean(distances(at, fake), {1}) - sample_norm(at);
}

}  // namespace

Tensor squared_distances(const Tensor& a, const Tensor& b) {
  return sum(square(differences("squared_distances", a, b)), {2});
}

Tensor distances(const Tensor& a, const Tensor& b) {
  return sample_norm(differences("distances", a, b).reshape({a.dim(0) * b.dim(0), a.dim(1)}))
      .reshape({a.dim(0), b.dim(0)});
}

Tensor squared_mmd(const Kernel& kernel, const Tensor& real, const Tensor& fake) {
  const Tensor across = mean(kernel.of_squares(squared_distances(real, fake)));
  return within(kernel, real) + within(kernel, fake) - 2.0 * across;
}

Loss mmd_loss(Kernel kernel) {
  const auto of_g = [kernel](const Judgement& real, const Judgement& fake) {
    return squared_mmd(kernel, real.features, fake.features);
  };
  const auto of_d = [of_g](const Judgement& real, const Judgement& fake) { return neg(of_g(real, fake)); };
  return distance_loss("mmd(" + kernel.name + ")", of_d, of_g, kernel_witness(kernel));
}

Loss repulsive_loss(double least, double most) {
  DUEL_CHECK(least >= 0 && most > 0, "repulsive_loss",
             "expected bounds of squared distances of at least 0, the upper one above it, got {} and {}",
             least, most);
  const Kernel kernel = gaussian();
  const auto bounded = [](double low, double high) {
    return Kernel{.name = "bounded",
                  .of_squares =
                      [low, high](const Tensor& squares) {
                        const Tensor kept = low > 0 ? clamp_min(squares, low) : clamp_max(squares, high);
                        return exp(kept * -0.5);
                      },
                  .of_equal = std::exp(-0.5 * low)};
  };
  const Kernel of_real = bounded(0, most), of_fake = bounded(least, 0);
  return distance_loss(
      message("mmd_repulsive({},{})", least, most),
      [of_real, of_fake](const Judgement& real, const Judgement& fake) {
        return within(of_real, real.features) - within(of_fake, fake.features);
      },
      [kernel](const Judgement& real, const Judgement& fake) {
        return squared_mmd(kernel, real.features, fake.features);
      },
      kernel_witness(kernel));
}

Loss cramer_loss() {
  return distance_loss(
      "cramer",
      // E w(G(z)) - E w(x): of a fake, the others of its batch are the independent ones.
      [](const Judgement& real, const Judgement& fake) {
        const Tensor &r = real.features, &f = fake.features;
        const Tensor of_fakes = mean_of_others(distances(f, f), 0) - mean(sample_norm(f));
        return of_fakes - mean(cramer_witness(r, f));
      },
      [](const Judgement& real, const Judgement& fake) {
        const Tensor &r = real.features, &f = fake.features;
        return 2.0 * mean(distances(r, f)) - mean_of_others(distances(f, f), 0);
      },
      [](const Judgement& at, const Judgement&, const Judgement& fake) {
        return cramer_witness(at.features, fake.features);
      });
}

}  // namespace duel::gan
