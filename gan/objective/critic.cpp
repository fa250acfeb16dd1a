#include "duel/gan/objective/critic.h"

#include "duel/core/ops.h"

namespace duel::gan {

Judgement rows(const Judgement& j, int64_t begin, int64_t end) {
  return each_of(j, [&](const Tensor& t) { return duel::rows(t, begin, end); });
}

SequentialCritic::SequentialCritic(const nn::Sequential& layers) {
  DUEL_CHECK(layers.size() > 0, "SequentialCritic", "expected at least one layer");
  for (const auto& [name, layer] : layers.named_children()) register_module(name, layer);
}

std::shared_ptr<nn::Module> SequentialCritic::make_like() const {
  nn::Sequential layers;
  for (const auto& [name, layer] : named_children()) layers.push_back(like(layer));
  return std::make_shared<SequentialCritic>(layers);
}

Judgement SequentialCritic::judge(const Tensor& x, const Tensor&) {
  const auto& layers = named_children();
  const Tensor features = run_in_turn(std::span(layers).first(layers.size() - 1), x);
  return {.logits = (*layers.back().second)(features), .features = features};
}

Tensor whole_answer(const Judgement& judgement) {
  if (!judgement.pixels.defined()) return judgement.logits;
  const Tensor of_pixels = mean(judgement.pixels.flatten(1), {1}, true);
  return add(judgement.logits.reshape(of_pixels.shape()), of_pixels);
}

Judgement judge(nn::Module& discriminator, const Tensor& x, const Tensor& labels) {
  auto* critic = dynamic_cast<Critic*>(&discriminator);
  DUEL_CHECK(!critic || !critic->needs_labels() || labels.defined(), "judge",
             "this critic looks at labels, and none were given");
  Judgement j = critic ? critic->judge(x, labels) : Judgement{.logits = discriminator(x)};
  DUEL_CHECK(j.logits.defined() && j.logits.rank() >= 1 && j.logits.dim(0) == x.dim(0) &&
                 j.logits.numel() == x.dim(0),
             "judge", "expected of D a logit for each sample, [{}, 1], got {}", x.dim(0),
             j.logits.defined() ? to_text(j.logits.shape()) : "nothing");
  DUEL_CHECK(!j.pixels.defined() || (j.pixels.rank() == 4 && j.pixels.dim(0) == x.dim(0)), "judge",
             "expected of D's pixels logits of each sample's, [{}, 1, H, W], got {}", x.dim(0),
             j.pixels.defined() ? to_text(j.pixels.shape()) : "nothing");
  return j;
}

}  // namespace duel::gan
