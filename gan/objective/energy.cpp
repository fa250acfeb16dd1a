#include "duel/gan/objective/energy.h"

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"

namespace duel::gan {

AutoencoderCritic::AutoencoderCritic(std::shared_ptr<nn::Module> encoder, std::shared_ptr<nn::Module> decoder,
                                     Error error)
    : encoder_(register_module("encoder", std::move(encoder))),
      decoder_(register_module("decoder", std::move(decoder))),
      error_(error) {}

Judgement AutoencoderCritic::judge(const Tensor& x, const Tensor&) {
  const Tensor codes = (*encoder_)(x);
  const Tensor again = (*decoder_)(codes);
  DUEL_CHECK(again.shape() == x.shape(), "AutoencoderCritic", "expected a reconstruction of shape {}, got {}",
             x.shape(), again.shape());
  // The target is not detached: G is taught through the image itself too (gan/objective/proofs.md, known
  // mistakes of public code).
  const Tensor away = sub(again, x).reshape({x.dim(0), x.shape().numel_from(1)});
  const Tensor energy = mean(error_ == Error::squared ? square(away) : abs(away), {1}, true);
  return {.logits = energy, .features = codes};
}

Tensor pull_away(const Tensor& codes) {
  DUEL_CHECK(codes.defined() && codes.rank() == 2 && codes.dim(0) >= 2, "pull_away",
             "expected codes of at least 2 samples, [N, F], got {}",
             codes.defined() ? to_text(codes) : "none");
  const int64_t n = codes.dim(0);
  const Tensor rows = div(codes, clamp_min(sample_norm(codes), 1e-12).reshape({n, 1}));
  const Tensor all = sum(square(matmul(rows, rows, false, true)));
  const Tensor diagonal = sum(square(sum(square(rows), {1})));  // each row with itself: no pair
  return div_scalar(sub(all, diagonal), static_cast<double>(n * (n - 1)));
}

Term pull_away_term(double weight) {
  return {.name = "pull_away",
          .weight = weight,
          .value = [](const Round& round) { return pull_away(round.fake.judgement.features); },
          .least_samples = 2};
}

Loss energy_margin_loss(double margin) {
  return {.name = "energy_margin",
          .d_real = mean_term(1.0),
          .d_fake = [margin](const Tensor& f) { return mean(relu(add_scalar(neg(f), margin))); },
          .g_fake = mean_term(1.0),
          .energy = true};
}

Loss energy_loss() {
  return {.name = "energy",
          .d_real = mean_term(1.0),
          .d_fake = mean_term(-1.0),
          .g_fake = mean_term(1.0),
          .energy = true};
}

Tensor next_balance(const Equilibrium& equilibrium, const Tensor& k, const Tensor& real, const Tensor& fake) {
  NoGrad no_grad;
  const Tensor error = sub(mul_scalar(real, equilibrium.gamma), fake);
  return clamp_max(clamp_min(add(k, mul_scalar(error, equilibrium.rate)), 0.0), 1.0);
}

Tensor convergence_measure(const Equilibrium& equilibrium, const Tensor& real, const Tensor& fake) {
  NoGrad no_grad;
  return add(real, abs(sub(mul_scalar(real, equilibrium.gamma), fake)));
}

}  // namespace duel::gan
