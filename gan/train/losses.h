// The players' losses at their present weights, as functions of a round: what they find they return, and
// nothing is remembered. (D's layers and the generators of `judging` move as in any pass.)
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "duel/gan/train/judging.h"
#include "duel/gan/train/update.h"

namespace duel::gan {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// L_D with its graph; the rest without one.
struct LossOfD {
  Tensor value;
  Tensor penalty = {}, input_gradient_norm = {};  // of all penalties together; undefined where none was due
  Tensor real_logits = {}, fake_logits = {};      // raw, as D gave them: before labels are flipped
  Judgement real = {}, fake = {};                 // what a witness reads, where the loss has one
  NamedTensors terms = {};                        // before their weights
};

/// L_G with its graph; the rest without one.
struct LossOfG {
  Tensor value;
  NamedTensors terms = {};
};

/// L_D of both sides' judgements, `balance` being k of an Equilibrium (undefined without one); penalties and
/// terms left out.
Tensor adversarial_loss_of_d(const Objective& objective, const Round& round, const Tensor& balance);

/// Shows both sides of `round` to D; `penalized`: whether the penalties are due.
LossOfD loss_of_d(const Objective& objective, Judging& judging, Round round, const Tensor& balance,
                  bool penalized, bool twice_differentiable = true);

enum class Weights { recorded, constant };  // D's, in G's loss

/// Shows the fakes to D, and the real samples where they are asked for. `d` is looked ahead with where the
/// schedule unrolls it: L_G is of D as it will be after some steps against these samples, a function of G's
/// weights.
LossOfG loss_of_g(const Objective& objective, Judging& judging, Round round, const Tensor& balance,
                  Weights weights_of_d, const Player& d);

/// Where an iteration left what Metrics tells of it, on the device; undefined where it was not measured.
struct Shown {
  Tensor loss_d = {}, loss_g = {}, penalty = {}, d_real = {}, d_fake = {}, p_real = {}, p_fake = {},
         input_gradient_norm = {}, grad_norm_d = {}, grad_norm_g = {};
  Tensor energy_real = {}, energy_fake = {};  // under an Equilibrium
  Tensor real_logits = {};                    // raw, where something adapts by them (adaptation.h)
  NamedTensors terms_d = {}, terms_g = {};
  std::vector<Tensor> gradients = {};  // of the last update, in order of parameters()
};

}  // namespace duel::gan
