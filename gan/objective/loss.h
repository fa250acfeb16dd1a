// The first two axes of an objective: the adversarial loss and its relativism.
//
// A loss is four terms on raw logits, each a mean over the batch (Jolicoeur-Martineau 2018, eq. 5-8):
//   L_D = d_real(r) + d_fake(f)        L_G = g_fake(f) + g_real(r)
// r = D(real), f = D(fake). Relativism replaces r and f before the terms see them:
//   none     r, f
//   paired   r - f and f - r of the same index (RSGAN, RpGAN); only the first term of D and of G counts, as the second
//            would repeat it
//   average  r - mean f and f - mean r (RaGAN), each loss halved
// A D that judges pixels too (Judgement::pixels) adds the same terms of theirs, means over batch and pixels (Schonfeld et al.
// 2020, arXiv:2002.12655, equations 3 to 5): without relativism, and of no joint loss.
//
// A missing g_real means that real logits do not enter G's loss, and that the loss has no relativistic form.
//
// What D's outputs mean is said beside the terms, for diagnostics; training does not read it, and the name
// says nothing.
//
// Example, an own loss:
//   Loss mine{.name = "mine", .d_real = [](const Tensor& r) { return mean(softplus(-r)); }, …,
//             .cross_entropy = true, .undecided = 0.0};
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "duel/gan/objective/critic.h"
#include "duel/kernels/map/losses.h"

namespace duel::gan {

using LossTerm = std::function<Tensor(const Tensor& logits)>;
/// A term that is one of the kernels' losses: such terms of both sides are one launch.
LossTerm fused_term(const kernels::AnyLoss& loss);
/// sign times the mean: wasserstein_mean.
LossTerm mean_term(double sign);

/// A function of both sides: of their raw logits, Tensor(const Tensor& real, const Tensor& fake), or of all
/// that D says about them, Tensor(const Judgement& real, const Judgement& fake): a distance of features, say.
class JointTerm {
 public:
  JointTerm(std::nullptr_t = nullptr) {}
  template <class F>
  requires std::is_invocable_r_v<Tensor, F, const Judgement&, const Judgement&> JointTerm(F of_judgements)
      : call_(std::move(of_judgements)) {}
  template <class F>
  requires std::is_invocable_r_v<Tensor, F, const Tensor&, const Tensor&> JointTerm(F of_logits)
      : call_([of_logits = std::move(of_logits)](const Judgement& real, const Judgement& fake) {
          return of_logits(real.logits, fake.logits);
        }) {}
  Tensor operator()(const Judgement& real, const Judgement& fake) const { return call_(real, fake); }
  explicit operator bool() const { return static_cast<bool>(call_); }

 private:
  std::function<Tensor(const Judgement& real, const Judgement& fake)> call_;
};

struct Loss {
  std::string name;
  LossTerm d_real, d_fake, g_fake;
  LossTerm g_real = nullptr;
  // A loss that does not fall apart into terms of one side (the softmax loss): both are set instead of the
  // four, and relativism does not apply.
  JointTerm d_joint = nullptr, g_joint = nullptr;
  // L_D is the cross-entropy of sigmoid(logit) up to a constant, so that this is D's probability of "real",
  // and L_D bounds the Jensen-Shannon distance. Not under relativism, where differences of logits take their
  // place.
  bool cross_entropy = false;
  std::optional<double> undecided = {};  // the logit between D's two answers; unset: D is asked for no answer
  bool energy = false;                   // D's outputs are low on data
  // Of losses that compare samples: the function that tells both sides apart, of samples that D was shown beside them, [N].
  // A gradient penalty is of it where it is set, in place of the logit.
  using Witness = std::function<Tensor(const Judgement& at, const Judgement& real, const Judgement& fake)>;
  Witness witness = nullptr;
  bool reads_features = false;  // Judgement::features, which D has to give then
  bool pairs_samples = false;   // G's loss compares as many fake as real samples
  int64_t least_samples = 1;    // that D has to judge at a time: 2 where samples of a side are compared
};

/// Saturating: G minimises log(1 - sigmoid f) (Goodfellow 2014, eq. 1). real_target < 1 is one-sided label
/// smoothing.
Loss minimax_loss(double real_target = 1.0);
/// G minimises -log sigmoid f (Goodfellow 2014, section 3).
Loss non_saturating_loss(double real_target = 1.0);
/// D: mean f - mean r; G: -mean f (Arjovsky 2017).
Loss wasserstein_loss();
/// D: s (r - b)^2 + s (f - a)^2; G: s (f - c)^2 (Mao 2016 has the scale s = 1/2).
Loss least_squares_loss(double a = 0.0, double b = 1.0, double c = 1.0, double scale = 0.5);
/// D: relu(1 - r) + relu(1 + f); G: -mean f (Lim & Ye 2017; Miyato 2018).
Loss hinge_loss_pair();
/// D as above; G: relu(1 - f): G too is content with a margin. Its average relativistic form is RaHinge.
Loss hinge_margin_loss();

/// What a variational f-divergence needs of f: g is the output activation that maps any logit into the domain
/// of the conjugate f*, so D maximises E g(r) - E f*(g(f)), a lower bound of D_f(data || generated) (Nowozin
/// et al. 2016, arXiv:1606.00709, table 6). Both take logits of any shape, element by element.
struct Divergence {
  std::string name;
  std::function<Tensor(const Tensor& logits)> activation;  // g(v)
  // f*(g(v)), simplified where that is more exact
  std::function<Tensor(const Tensor& logits)> conjugate_activation;
  double undecided = 0.0;      // the logit with g(v) = f'(1), where both densities agree
  bool cross_entropy = false;  // as in Loss
  // whether G takes the saddle point's own side, -f*(g(v)): where that is nowhere flat
  bool saddle = false;
};
Divergence kullback_leibler();          // f(u) = u log u;            g = v
Divergence reverse_kullback_leibler();  // f(u) = -log u;             g = -exp(-v)
Divergence pearson_chi_squared();       // f(u) = (u - 1)^2;          g = v
Divergence squared_hellinger();         // f(u) = (sqrt u - 1)^2;     g = 1 - exp(-v)
// f(u) = -(u + 1) log((1 + u) / 2) + u log u;  g = log 2 - softplus(-v)
Divergence jensen_shannon();
/// f(u) = (u^a - 1 - a (u - 1)) / (a (a - 1)), a other than 0 and 1; g = 1 / (1 - a) - softplus(-v) for a <
/// 1, v for a > 1.
Divergence alpha_divergence(double a);

/// D: -mean g(r) + mean f*(g(f)) (Nowozin 2016, eq. 6). G: -mean g(f), the alternative of its section 3.2
/// that rises where the saddle point's own -mean f*(g(f)) is flat, or that one where `saddle` says so.
/// (Always that one, and reading real logits too: saddle_loss(divergence_loss(...)).)
Loss divergence_loss(const Divergence& divergence);

/// The zero-sum game: G minimises -L_D, its real term too, which counts where D answers to G (unrolled D). A
/// joint loss.
Loss saddle_loss(const Loss& loss);

/// Both batches compete in one softmax, log p(x) = D(x) - log sum exp D. D: cross-entropy against the uniform
/// distribution over real samples; G: against the one over all samples (Lin 2017, arXiv:1704.06191, whose mu
/// is -D). A joint loss.
Loss softmax_loss();

/// What tells of a sample which side it is from: the loss's witness beside these, [N]; null where D's logit does.
std::function<Tensor(const Judgement& at)> witness_beside(const Loss& loss, const Judgement& real,
                                                          const Judgement& fake);

enum class Relativism { none, paired, average };

/// The losses of D and G from raw logits [N, 1] or [N]; shape []. Relativistic losses need equal batches.
/// Error that names loss and term where a term gives anything but one number of shape [].
Tensor discriminator_loss(const Loss& loss, Relativism relativism, const Tensor& real, const Tensor& fake);
Tensor generator_loss(const Loss& loss, Relativism relativism, const Tensor& real, const Tensor& fake);
/// The same from all that D says, its pixels included; Error for pixels under relativism or of a joint loss.
Tensor discriminator_loss(const Loss& loss, Relativism relativism, const Judgement& real,
                          const Judgement& fake);
Tensor generator_loss(const Loss& loss, Relativism relativism, const Judgement& real, const Judgement& fake);
/// The same of logits that lie in one tensor, the real samples' in its first `split` rows, as one launch; undefined
/// where the loss is not made of fused terms.
Tensor joined_discriminator_loss(const Loss& loss, Relativism relativism, const Tensor& logits,
                                 int64_t split);
/// Whether it is.
bool joined_in_one_launch(const Loss& loss, Relativism relativism);
/// d_real(r) + k d_fake(f), k of shape []: under an Equilibrium (energy.h).
Tensor balanced_discriminator_loss(const Loss& loss, const Tensor& real, const Tensor& fake, const Tensor& k);
/// Whether generator_loss reads the real logits.
bool generator_needs_real(const Loss& loss, Relativism relativism);

}  // namespace duel::gan
