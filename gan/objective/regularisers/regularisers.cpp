#include "duel/gan/objective/regularisers/regularisers.h"

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/objective/regularisers/augmentation.h"

namespace duel::gan {
namespace {

constexpr double kDecay = 0.99;         // of running means
constexpr double kLeastLength = 1e-12;  // of a vector that has a direction
constexpr uint64_t kFirstVectors = 1;   // seed of the power iterations' first vectors
constexpr double kLatentNoise = 0.05;   // zCR's deviation of e (the paper's appendix: 0.03 to 0.07)

constexpr const char *kLecam = "lecam", *kReal = "consistency", *kBalanced = "balanced_consistency",
                     *kLatentD = "latent_consistency_d", *kLatentG = "latent_consistency_g",
                     *kOrthogonal = "orthogonal", *kPathLength = "path_length",
                     *kHistorical = "historical_averaging", *kSpectral = "spectral_regularisation";

/// Moves a running mean, which starts at its first value: memory [mean, count].
Tensor moved(const std::vector<Tensor>& memory, size_t at, const Tensor& value) {
  const NoGrad off;
  Tensor mean_now = memory[at], seen = memory[at + 1];
  const Tensor share = clamp_min(reciprocal(seen + 1.0), 1 - kDecay);
  mean_now.copy_(mean_now + (value.detach().to(mean_now.dtype()) - mean_now) * share);
  seen.copy_(seen + 1.0);
  const Tensor now = mean_now.to(value.dtype());
  return now.same_storage(mean_now) ? now.clone() : now;  // the loss's graph must not see it move again
}

std::vector<Tensor> running_means(size_t n) {
  std::vector<Tensor> memory;
  for (size_t i = 0; i < 2 * n; ++i) memory.push_back(Tensor::zeros({}));
  return memory;
}

Tensor squared_gap(const Tensor& logits, const Tensor& others) {
  return mean(square(logits.flatten() - others.flatten()));
}

/// E (D(x) - D(T(x)))^2 of one side.
Tensor gap_under_moves(const Round& round, const Side& side) {
  const Tensor moves = translated(side.samples.detach(), default_generator());
  return squared_gap(side.judgement.logits, judge(*round.discriminator, moves, side.labels).logits);
}

/// G's input with noise on its noise columns.
Tensor disturbed(const Round& round) {
  const Tensor& z = round.latents;
  const Tensor noise =
      default_generator().normal({z.dim(0), round.noise_columns}, 0, kLatentNoise, z.options());
  return z + pad(noise, 1, 0, z.dim(1) - round.noise_columns);
}

}  // namespace

Term lecam(double weight) {
  return {.name = kLecam,
          .weight = weight,
          .value =
              [](const Round& round) {
                const Tensor &r = round.real.judgement.logits, &f = round.fake.judgement.logits;
                const Tensor of_real = moved(round.memory, 0, mean(r)),
                             of_fake = moved(round.memory, 2, mean(f));
                return mean(square(r - of_fake)) + mean(square(f - of_real));
              },
          .memory = running_means(2)};
}

Term consistency(Consistency of, double weight) {
  const bool both = of == Consistency::balanced;
  return {.name = both ? kBalanced : kReal, .weight = weight, .value = [both](const Round& round) {
            const Tensor real = gap_under_moves(round, round.real);
            return both ? real + gap_under_moves(round, round.fake) : real;
          }};
}

Term latent_consistency_d(double weight) {
  return {.name = kLatentD, .weight = weight, .value = [](const Round& round) {
            Tensor other;
            {
              const NoGrad off;
              other = (*round.generator)(disturbed(round));
            }
            return squared_gap(round.fake.judgement.logits,
                               judge(*round.discriminator, other, round.fake.labels).logits);
          }};
}

Term latent_consistency_g(double weight) {
  return {.name = kLatentG, .weight = weight, .value = [](const Round& round) {
            const Tensor here = (*round.generator)(round.latents),
                         there = (*round.generator)(disturbed(round));
            return neg(mean(square(here - there)));
          }};
}

Term orthogonal(double weight) {
  return {.name = kOrthogonal, .weight = weight, .value = [](const Round& round) {
            Tensor total;
            for (const Tensor& w : round.generator->parameters()) {
              if (w.rank() < 2) continue;
              const Tensor rows = w.flatten(1), products = matmul(rows, rows, false, true);
              const Tensor apart = products * (1.0 - eye(rows.dim(0), w.options()));
              const Tensor value = sum(square(apart));
              total = total.defined() ? total + value : value;
            }
            DUEL_CHECK(total.defined(), "orthogonal",
                       "expected a generator with a weight of two axes or more");
            return total;
          }};
}

Term path_length(double weight) {
  return {.name = kPathLength,
          .weight = weight,
          .value =
              [](const Round& round) {
                const EnableGrad on;
                MapsLatents* mapping = nullptr;
                for (nn::Module* module : round.generator->modules()) {
                  if (!mapping) mapping = dynamic_cast<MapsLatents*>(module);
                }
                const Tensor start =
                    mapping ? mapping->mapped(round.latents) : round.latents.detach().set_requires_grad(true);
                const Tensor images = mapping ? mapping->drawn(start) : (*round.generator)(start);
                const double pixels = static_cast<double>(images.dim(2) * images.dim(3));
                const Tensor y =
                    default_generator().normal(images.shape(), 0, 1 / std::sqrt(pixels), images.options());
                const Tensor lengths =
                    sample_norm(grad({sum(images * y)}, {start}, {}, {.create_graph = true})[0]);
                return mean(square(lengths - moved(round.memory, 0, mean(lengths))));
              },
          .memory = running_means(1)};
}

Term historical_averaging(Whose of, double weight) {
  const bool d = of == Whose::discriminator;
  return {.name = kHistorical,
          .weight = weight,
          .value =
              [d](const Round& round) {
                const std::vector<Tensor> weights = (d ? round.discriminator : round.generator)->parameters();
                Tensor seen = round.memory.back(), total;
                const Tensor share = reciprocal(seen + 1.0);
                for (size_t i = 0; i < weights.size(); ++i) {
                  Tensor past = round.memory[i], now;
                  {
                    const NoGrad off;
                    past.copy_(past + (weights[i].detach().to(past.dtype()) - past) * share);
                    now = past.to(weights[i].dtype());
                  }
                  const Tensor apart = sum(square(weights[i] - now));
                  total = total.defined() ? total + apart : apart;
                }
                seen.copy_(seen + 1.0);
                return total;
              },
          .memory_of =
              [d](const nn::Module& generator, const nn::Module& discriminator) {
                std::vector<Tensor> memory;
                for (const Tensor& w : (d ? discriminator : generator).parameters())
                  memory.push_back(Tensor::zeros(w.shape()));
                memory.push_back(Tensor::zeros({}));  // how many steps are in the means
                return memory;
              }};
}

Term spectral_regularisation(double weight) {
  return {.name = kSpectral,
          .weight = weight,
          .value =
              [](const Round& round) {
                Tensor total;
                size_t at = 0;
                for (const Tensor& parameter : round.discriminator->parameters()) {
                  if (parameter.rank() < 2) continue;
                  Tensor kept = round.memory.at(at++);
                  Tensor u = kept.reshape({-1}).to(parameter.dtype()).clone();
                  Tensor v = Tensor::zeros({parameter.numel() / u.numel()}, parameter.options());
                  const SpectralEstimate estimate =
                      power_iteration(parameter.detach(), 0, u, v, 1, kLeastLength);
                  kept.copy_(u.reshape(kept.shape()).to(kept.dtype()));
                  const Tensor squared = square(spectral_sigma(parameter, 0, estimate)) * 0.5;
                  total = total.defined() ? total + squared : squared;
                }
                DUEL_CHECK(total.defined(), "spectral_regularisation",
                           "expected a discriminator with a weight of two axes or more");
                return total;
              },
          .memory_of =
              [](const nn::Module&, const nn::Module& discriminator) {
                std::vector<Tensor> memory;
                for (const Tensor& w : discriminator.parameters()) {
                  if (w.rank() < 2) continue;
                  Generator random(kFirstVectors, memory.size());
                  memory.push_back(random.normal({w.dim(0), 1}));
                }
                return memory;
              }};
}

bool is_regulariser(const std::string& term) {
  for (const char* name : {kLecam, kReal, kBalanced, kLatentD, kLatentG, kOrthogonal, kPathLength,
                           kHistorical, kSpectral, kCutmix}) {
    if (term == name) return true;
  }
  return false;
}

bool judges_samples(const Term& term) {
  return term.name == kReal || term.name == kBalanced || term.name == kLatentD || term.name == kCutmix;
}

bool is_path_length(const Term& term) { return term.name == kPathLength; }

bool regularises_spectrum(const Term& term) { return term.name == kSpectral; }

}  // namespace duel::gan
