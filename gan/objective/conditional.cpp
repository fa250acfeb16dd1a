#include "duel/gan/objective/conditional.h"

#include "duel/core/ops.h"
#include "duel/nn/norm/spectral_norm.h"

namespace duel::gan {
namespace {

std::shared_ptr<nn::Module> linear(int64_t in, int64_t out, bool spectral_norm, bool bias = true) {
  return nn::with_spectral_norm(spectral_norm, nn::Linear(in, out, {.bias = bias}));
}

void check_labels(const char* op, const Tensor& x, const Tensor& labels) {
  DUEL_CHECK(labels.defined() && labels.numel() == x.dim(0), op,
             "expected a label for each of {} samples, got {}", x.dim(0),
             labels.defined() ? labels.numel() : 0);
}

}  // namespace

Tensor with_label_planes(const Tensor& x, const Tensor& labels, int64_t classes) {
  check_labels("with_label_planes", x, labels);
  const Tensor told = one_hot(labels, classes, x.dtype()).reshape({x.dim(0), classes, 1, 1});
  return concat({x, broadcast_to(told, {x.dim(0), classes, x.dim(2), x.dim(3)})}, 1);
}

LabelCritic::LabelCritic(std::shared_ptr<nn::Module> trunk, int64_t features, int64_t classes, Input input,
                         bool spectral_norm)
    : trunk_(register_module("trunk", std::move(trunk))),
      logit_(register_module("logit", linear(features, 1, spectral_norm))),
      features_(features),
      classes_(classes),
      input_(input),
      spectral_norm_(spectral_norm) {}

Judgement LabelCritic::judge(const Tensor& x, const Tensor& labels) {
  check_labels("LabelCritic", x, labels);
  const Tensor told =
      input_ == Input::planes
          ? with_label_planes(x, labels, classes_)
          : concat({x.reshape({x.dim(0), x.shape().numel_from(1)}), one_hot(labels, classes_, x.dtype())}, 1);
  const Tensor features = (*trunk_)(told);
  return {.logits = (*logit_)(features), .features = features};
}

ProjectionCritic::ProjectionCritic(std::shared_ptr<nn::Module> trunk, int64_t features, int64_t classes,
                                   bool spectral_norm)
    : trunk_(register_module("trunk", std::move(trunk))),
      logit_(register_module("logit", linear(features, 1, spectral_norm))),
      embed_(register_module("embed", linear(features, classes, spectral_norm, false))),
      features_(features),
      classes_(classes),
      spectral_norm_(spectral_norm) {}

Judgement ProjectionCritic::judge(const Tensor& x, const Tensor& labels) {
  check_labels("ProjectionCritic", x, labels);
  const Tensor features = (*trunk_)(x);
  const Tensor products = (*embed_)(features);  // with the embedding of every class
  const Tensor own = sum(mul(products, one_hot(labels, classes_, x.dtype())), {1}, true);
  return {.logits = add((*logit_)(features), own), .features = features};
}

ClassCritic::ClassCritic(std::shared_ptr<nn::Module> trunk, int64_t features, int64_t classes,
                         bool spectral_norm)
    : trunk_(register_module("trunk", std::move(trunk))),
      logit_(register_module("logit", linear(features, 1, spectral_norm))),
      classes_(register_module("classes", linear(features, classes, spectral_norm))),
      features_(features),
      class_count_(classes),
      spectral_norm_(spectral_norm) {}

Judgement ClassCritic::judge(const Tensor& x, const Tensor&) {
  const Tensor features = (*trunk_)(x);
  return {.logits = (*logit_)(features), .features = features, .classes = (*classes_)(features)};
}

CodeCritic::CodeCritic(std::shared_ptr<nn::Module> trunk, int64_t features, std::shared_ptr<nn::Module> q,
                       bool spectral_norm)
    : trunk_(register_module("trunk", std::move(trunk))),
      logit_(register_module("logit", linear(features, 1, spectral_norm))),
      q_(register_module("q", std::move(q))),
      features_(features),
      spectral_norm_(spectral_norm) {}

Judgement CodeCritic::judge(const Tensor& x, const Tensor&) {
  const Tensor features = (*trunk_)(x);
  return {.logits = (*logit_)(features), .features = features, .codes = (*q_)(features)};
}

Tensor code_loss(const Codes& plan, const Tensor& predictions, const Tensor& codes) {
  DUEL_CHECK(predictions.defined() && codes.defined() && predictions.shape() == codes.shape(), "code_loss",
             "expected predictions and codes of one shape [N, width], got {} and {}",
             predictions.defined() ? to_text(predictions) : "none",
             codes.defined() ? to_text(codes) : "none");
  Tensor loss;
  const auto add_up = [&](const Tensor& value) { loss = loss.defined() ? add(loss, value) : value; };
  const auto count = static_cast<double>(codes.dim(0));
  int64_t begin = 0;
  for (const int64_t size : plan.categorical) {
    const Tensor log_q = log_softmax(slice(predictions, 1, begin, begin + size));
    add_up(div_scalar(sum(mul(slice(codes, 1, begin, begin + size), log_q)), -count));
    begin += size;
  }
  if (plan.continuous > 0) {
    const Tensor away = sub(slice(codes, 1, begin, begin + plan.continuous),
                            slice(predictions, 1, begin, begin + plan.continuous));
    add_up(div_scalar(sum(square(away)), 2.0 * count));
    begin += plan.continuous;
  }
  DUEL_CHECK(loss.defined() && begin == codes.dim(1), "code_loss",
             "expected codes of {} columns, at least 1, got {}", begin, codes.dim(1));
  return loss;
}

namespace {

Tensor class_loss(const Side& side) {
  DUEL_CHECK(side.judgement.classes.defined() && side.labels.defined(), "class_term",
             "expected a critic with a class head and labelled samples (CriticKind::class_head)");
  return cross_entropy(side.judgement.classes, side.labels);
}

}  // namespace

Term class_term_d(double weight) {
  return {.name = "class", .weight = weight, .value = [](const Round& round) {
            return add(class_loss(round.real), class_loss(round.fake));
          }};
}

Term class_term_g(double weight) {
  return {
      .name = "class", .weight = weight, .value = [](const Round& round) { return class_loss(round.fake); }};
}

Term information_term(const Codes& plan, double weight) {
  return {.name = "info", .weight = weight, .value = [plan](const Round& round) {
            DUEL_CHECK(round.fake.judgement.codes.defined(), "information_term",
                       "expected a critic that predicts codes (CriticKind::code_head)");
            return code_loss(plan, round.fake.judgement.codes, round.codes);
          }};
}

}  // namespace duel::gan
