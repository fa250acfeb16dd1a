// Rows: the settings of objectives (settings.h, Note [A setting is one row]).
#include <algorithm>

#include "duel/gan/objective/composition.h"
#include "duel/gan/objective/regularisers/augmentation.h"
#include "duel/gan/objective/regularisers/regularisers.h"

namespace duel::gan {
namespace {

using Kind = Setting::Kind;

// ---- What they need ---------------------------------------------------------------------------------------

bool aims_at_k(const Objective& o) {
  return std::any_of(o.penalties.begin(), o.penalties.end(),
                     [](const Penalty& penalty) { return penalty.shape.with_k != nullptr; });
}

constexpr Need kPenalty = {
    [](const Objective& o) { return !o.penalties.empty(); },
    "{objective} has no gradient penalty: {setting} does not apply; leave it out, or take "
    "an objective with a penalty: {others}"};
constexpr Need kNormAimedAt = {
    aims_at_k,
    "{objective}'s penalty aims at no norm but zero: {setting} does not apply; leave it "
    "out, or take {others}"};
constexpr Need kClipping = {
    [](const Objective& o) { return o.constraint.weight_clip > 0; },
    "{objective} does not clip weights: {setting} does not apply; leave it out, or take an "
    "objective that does: {others}"};
constexpr Need kConsensus = {
    [](const Objective& o) { return o.schedule.update == Update::consensus; },
    "consensus is the weight of the consensus update: it applies with update consensus only", "update"};
constexpr Need kAdam = {
    [](const Objective& o) { return is_adam(o.schedule.d.kind) || is_adam(o.schedule.g.kind); },
    "beta1 and beta2 are Adam's, and {objective} is not trained with it here: leave them out, "
    "or add optimizer adam",
    "optimizer"};
constexpr Need kAdamW = {
    [](const Objective& o) {
      return o.schedule.d.kind == OptimizerKind::adamw || o.schedule.g.kind == OptimizerKind::adamw;
    },
    "weight-decay is AdamW's, and {objective} is not trained with it here: leave it out, or add optimizer adamw",
    "optimizer"};
constexpr Need kLookahead = {
    [](const Objective& o) { return o.schedule.lookahead > 0; },
    "lookahead-alpha says how far the weights go where lookahead takes them back, and it never does: add lookahead, the "
    "iterations between two such times, or leave lookahead-alpha out",
    "lookahead"};
constexpr Need kInstanceNoise = {
    [](const Objective& o) { return o.schedule.instance_noise > 0; },
    "instance-noise-steps says how long instance noise takes to fade, and there is none: add instance-noise, "
    "the noise's deviation at the start, or leave instance-noise-steps out",
    "instance-noise"};
constexpr Need kAugmentation = {
    [](const Objective& o) { return o.augmentation != nullptr; },
    "ada makes the changes of augment with a probability that adapts, and there are none: add augment, "
    "color,translation,cutout say, or leave ada out",
    "augment"};
constexpr Need kAdaptation = {
    [](const Objective& o) { return o.adaptation.on(); },
    "{setting} is of the probability of ada and apa, and nothing has one here: add ada or apa, or leave "
    "{setting} out",
    "ada"};
constexpr Need kLatentStep = {
    [](const Objective& o) { return o.latent_step.on(); },
    "latent-damping is of the step that latent-step makes, and there is none: add latent-step, 0.9 say, or leave "
    "latent-damping out",
    "latent-step"};
bool has_path_length(const Objective& o) {
  return std::any_of(o.g_terms.begin(), o.g_terms.end(), is_path_length);
}
constexpr Need kNeedsPathLength = {
    has_path_length,
    "path-length-every says how often path-length is asked, and it is not there: add path-length, its weight, or "
    "leave path-length-every out",
    "path-length"};

// ---- Where they stand -------------------------------------------------------------------------------------

/// `member` finds it in an Objective.
template <class Member>
ObjectivePlace at(Member member) {
  using T = std::remove_reference_t<decltype(member(std::declval<Objective&>()))>;
  return {.get = [member](const Objective& o) -> SettingValue { return member(const_cast<Objective&>(o)); },
          .set = [member](Objective& o, const SettingValue& value) { member(o) = std::get<T>(value); }};
}
#define DUEL_AT(path) at([](Objective & o) -> auto& { return o.path; })

ObjectivePlace with(ObjectivePlace place, std::optional<SettingValue> off, std::vector<Need> needs = {}) {
  place.off = std::move(off);
  place.needs = std::move(needs);
  return place;
}

ObjectivePlace within(const char* axis, ObjectivePlace place) {
  place.within = axis;
  return place;
}

/// The words of an enumeration, in its order.
const std::vector<std::string>& updates() {
  static const std::vector<std::string> words = {"alternating", "simultaneous", "extragradient", "consensus"};
  return words;
}

template <class E>
std::string word_of(const std::vector<std::string>& words, E value) {
  return words.at(static_cast<size_t>(value));
}
template <class E>
E value_of(const std::vector<std::string>& words, const SettingValue& word) {
  return static_cast<E>(std::find(words.begin(), words.end(), std::get<std::string>(word)) - words.begin());
}

/// The same value for both optimizers.
template <class T>
ObjectivePlace of_both(T OptimizerChoice::*member, std::vector<Need> needs) {
  return {.get = [member](const Objective& o) -> SettingValue { return o.schedule.d.*member; },
          .set =
              [member](Objective& o, const SettingValue& value) {
                o.schedule.d.*member = o.schedule.g.*member = std::get<T>(value);
              },
          .needs = std::move(needs)};
}

/// The weight of a term that `make` makes, among D's or G's; 0: it is not there.
template <class Make>
ObjectivePlace weight_of(std::vector<Term> Objective::*terms, Make make) {
  const auto is_it = [name = make(1.0).name](const Term& term) { return term.name == name; };
  return {.get = [terms, is_it](const Objective& o) -> SettingValue {
            const auto found = std::find_if((o.*terms).begin(), (o.*terms).end(), is_it);
            return found == (o.*terms).end() ? 0.0 : found->weight;
          },
          .set =
              [terms, is_it, make](Objective& o, const SettingValue& value) {
                std::erase_if(o.*terms, is_it);
                const auto weight = std::get<double>(value);
                if (weight > 0) (o.*terms).push_back(make(weight));
              },
          .off = 0.0};
}

/// The weight of a term that D and G both have, each of its own weights.
template <class Make>
ObjectivePlace weight_of_both(Make make) {
  const auto of_d =
                 weight_of(&Objective::d_terms, [make](double w) { return make(Whose::discriminator, w); }),
             of_g = weight_of(&Objective::g_terms, [make](double w) { return make(Whose::generator, w); });
  return {.get = of_d.get,
          .set =
              [of_d, of_g](Objective& o, const SettingValue& value) {
                of_d.set(o, value);
                of_g.set(o, value);
              },
          .off = 0.0};
}

// ---- The rows ---------------------------------------------------------------------------------------------

Setting number(const char* name, const char* help, Bounds range = {}) {
  return {.name = name, .help = help, .kind = Kind::number, .range = range};
}
Setting integer(const char* name, const char* help, Bounds range) {
  return {.name = name, .help = help, .kind = Kind::integer, .range = range};
}
Setting truth(const char* name, const char* help) {
  return {.name = name, .help = help, .kind = Kind::truth};
}
Setting word(const char* name, const char* help, const std::vector<std::string>& words) {
  return {.name = name, .help = help, .kind = Kind::text, .words = words};
}

std::vector<ObjectiveSetting> in_group(const char* group, std::vector<ObjectiveSetting> settings) {
  for (ObjectiveSetting& setting : settings) setting.group = group;
  return settings;
}

constexpr Need kLogits = {
    [](const Objective& o) { return !gives_energy(o); },
    "{setting}: {objective}'s D is an autoencoder, whose output is an energy: it has its own loss; leave it out, "
    "or take an objective whose D gives a logit: {others}"};

constexpr Need kOneNumber = {
    [](const Objective& o) { return o.critic != CriticKind::embedding; },
    "{setting}: {objective}'s D gives an embedding, several numbers per sample, and no logit: leave {setting} out, or take "
    "an objective whose D gives a logit: {others}"};

/// The axes of composition.h come first: numbers of the same parts are put in after them.
std::vector<ObjectiveSetting> axis_group() {
  std::vector<ObjectiveSetting> settings;
  for (const Axis& axis : axes()) {
    ObjectiveSetting setting;
    setting.name = axis.name;
    setting.help = axis.help + ": ";
    for (const std::string& value : axis.values)
      setting.help += (value == axis.values.front() ? "" : ", ") + value;
    setting.canonical = [&axis](const char* op, const std::string& text) {
      return canonical(axis, op, text);
    };
    setting.place.get = [&axis](const Objective& o) -> SettingValue { return axis.text(o); };
    setting.place.set = [&axis](Objective& o, const SettingValue& text) {
      axis.put("objective", o, std::get<std::string>(text));
    };
    setting.place.axis = true;
    if (axis.name == "loss") setting.place.needs = {kLogits, kOneNumber};
    settings.push_back(std::move(setting));
  }
  return settings;
}

std::vector<ObjectiveSetting> number_group() {
  return {
      {number("lambda", "weight of the gradient penalty", at_least(0)),
       {.get = [](const Objective& o) -> SettingValue { return o.penalties.front().weight; },
        .set =
            [](Objective& o, const SettingValue& value) {
              for (Penalty& penalty : o.penalties) penalty.weight = std::get<double>(value);
            },
        .needs = {kPenalty},
        .within = "penalties"}},
      {number("k", "gradient norm that the penalty aims at", at_least(0)),
       {.get = [](const Objective& o) -> SettingValue { return o.penalties.front().shape.k; },
        .set =
            [](Objective& o, const SettingValue& value) {
              for (Penalty& penalty : o.penalties) {
                if (penalty.shape.with_k) penalty.shape = penalty.shape.with_k(std::get<double>(value));
              }
            },
        .needs = {kPenalty, kNormAimedAt},
        .within = "penalties"}},
      {number("clip", "wgan: D's weights stay within +-NUM", positive()),
       {.get = [](const Objective& o) -> SettingValue { return o.constraint.weight_clip; },
        .set =
            [](Objective& o, const SettingValue& value) {
              if (o.constraint.weight_clip > 0) o.constraint.weight_clip = std::get<double>(value);
            },
        .needs = {kClipping},
        .within = "constraint"}},
      {truth("spectral-norm", "every weight of D divided by its largest singular value"),
       within("constraint", with(DUEL_AT(constraint.spectral_norm), false))},
      {number("label-a", "least squares: D's target for fakes"),
       {.of_loss = "least-squares labels", .within = "loss"}},
      {number("label-b", "least squares: D's target for reals"),
       {.of_loss = "least-squares labels", .within = "loss"}},
      {number("label-c", "least squares: G's target for fakes"),
       {.of_loss = "least-squares labels", .within = "loss"}},
      {number("square-weight", "least squares: factor of every squared distance", positive()),
       {.of_loss = "squared distances to labels", .within = "loss"}},
      {number("label-smoothing", "D's target for reals is 1 - NUM; cross-entropy losses only", up_to(0, 0.5)),
       {.of_loss = "probability targets", .off = 0.0, .within = "loss"}},
      {number("divergence-alpha", "fgan-alpha: which of the alpha divergences, not 0 or 1"),
       {.of_loss = "family of divergences", .within = "loss"}},
      {number("rho", "fisher-gan: rate of the multiplier that holds D's second moment at 1", positive()),
       {.of_loss = "constraint on the second moment"}},
      {integer("embedding", "mmd-gan, mmd-gan-rep, cramer-gan: numbers that D gives per sample",
               between(1, 65536)),
       {.of_loss = "embedding"}},
      {integer("directions", "sliced-wasserstein: lines that features are projected on in a step of G",
               between(1, 65536)),
       {.of_loss = "projections"}},
      {number("margin", "ebgan: energy up to which D pushes fakes", positive()),
       {.of_loss = "energy margin"}},
      {number("pull-away", "ebgan: weight of the pull-away term", at_least(0)),
       {.of_loss = "pull-away term", .off = 0.0}},
      {number("gamma", "began: E(G(z)) / E(x) that the game is held at", between(0, 1)),
       {.of_loss = "equilibrium of energies"}},
      {number("lambda-k", "began: rate of the controller that holds it", at_least(0)),
       {.of_loss = "equilibrium of energies"}},
      {number("class-weight", "acgan: weight of the class loss", at_least(0)),
       {.of_loss = "class head", .off = 0.0}},
      {number("info-weight", "infogan: weight of the code loss", at_least(0)),
       {.of_loss = "codes", .off = 0.0}},
      {integer("code-classes", "infogan: values of the categorical code; 0: none", zero_or(between(2, 1024))),
       {.of_loss = "codes", .off = int64_t{0}}},
      {integer("code-values", "infogan: number of continuous codes", between(0, 1024)),
       {.of_loss = "codes", .off = int64_t{0}}},
      {integer("critic-steps", "updates of D per update of G", between(1, 1 << 20)),
       DUEL_AT(schedule.critic_steps)},
      {integer("generator-steps", "updates of G per iteration", between(1, 1 << 20)),
       with(DUEL_AT(schedule.generator_steps), int64_t{1})},
      {integer("generator-batch", "G's batch as a multiple of D's", between(1, 1LL << 40)),
       with(DUEL_AT(schedule.generator_batch), int64_t{1})},
      {integer("critic-warmup",
               "updates of D in the first 25 iterations and every 500th (WGAN's code: 100); 0: as always",
               at_least(0)),
       with(DUEL_AT(schedule.warmup.critic_steps), int64_t{0})},
      {word("update",
            "of the last three the last of an iteration's critic-steps moves both players, those before "
            "it D alone",
            updates()),
       {.get = [](const Objective& o) -> SettingValue { return word_of(updates(), o.schedule.update); },
        .set = [](Objective& o,
                  const SettingValue& word) { o.schedule.update = value_of<Update>(updates(), word); },
        .off = "alternating"}},
      {number("consensus", "weight of the consensus update's regulariser", at_least(0)),
       with(DUEL_AT(schedule.consensus), 0.0, {kConsensus})},
      {integer("unroll", "G plays against D so many of its steps ahead", between(0, 1024)),
       with(DUEL_AT(schedule.unroll), int64_t{0})},
      {number("label-flip", "probability that D is told a real image is fake and a fake one real",
              up_to(0, 1)),
       with(DUEL_AT(schedule.label_flip), 0.0)},
      {number("feature-matching", "weight of the distance of D's mean features in G's loss", at_least(0)),
       weight_of(&Objective::g_terms, feature_matching)},
      {integer("lazy-interval", "penalty only every INT critic steps, its weight times INT", at_least(1)),
       with(DUEL_AT(schedule.lazy_interval), int64_t{1}, {kPenalty})},
      {number("instance-noise", "deviation of normal noise on D's inputs, pixels in [-1, 1]", at_least(0)),
       with(DUEL_AT(schedule.instance_noise), 0.0)},
      {integer("instance-noise-steps", "iterations until that noise has faded to 0; 0: it stays",
               at_least(0)),
       {.get = [](const Objective& o) -> SettingValue { return o.schedule.instance_noise_steps; },
        .set = [](Objective& o,
                  const SettingValue& v) { o.schedule.instance_noise_steps = std::get<int64_t>(v); },
        .needs = {kInstanceNoise},
        .off = int64_t{0},
        .idle = int64_t{0}}},  // config.json of earlier runs says it
      {integer("packing", "images that D judges together, divides the batch", between(1, 1024)),
       with(DUEL_AT(schedule.packing), int64_t{1})},
  };
}

/// How lazy the path length is: of the term, where it is there.
ObjectivePlace path_length_every() {
  return {.get = [](const Objective& o) -> SettingValue {
            const auto found = std::find_if(o.g_terms.begin(), o.g_terms.end(), is_path_length);
            return found == o.g_terms.end() ? int64_t{1} : found->every;
          },
          .set =
              [](Objective& o, const SettingValue& value) {
                const auto found = std::find_if(o.g_terms.begin(), o.g_terms.end(), is_path_length);
                if (found != o.g_terms.end()) found->every = std::get<int64_t>(value);
              },
          .needs = {kNeedsPathLength},
          .off = int64_t{1}};
}

/// What adapts to how well D knows its images; and terms whose memory is as large as the networks.
std::vector<ObjectiveSetting> adaptation_settings() {
  ObjectivePlace ada = with(DUEL_AT(adaptation.augmentation), false, {kAugmentation});
  ada.idle = false;
  return {
      {truth("ada",
             "augment's changes each with a probability that follows how sure D is of its real images"),
       ada},
      {truth("apa", "generated images in place of D's real ones with such a probability"),
       with(DUEL_AT(adaptation.pseudo), false)},
      {number("adaptive-target",
              "ada, apa: mean sign of D's logits of real images that the probability aims at",
              {.low = 0, .high = 1, .above_low = true, .below_high = true}),
       with(DUEL_AT(adaptation.target), 0.6, {kAdaptation})},
      {integer("adaptive-images", "ada, apa: real images D is shown while the probability goes from 0 to 1",
               at_least(1)),
       with(DUEL_AT(adaptation.images), int64_t{500000}, {kAdaptation})},
      {number("historical-averaging", "weight of how far D's and G's weights are from their means so far",
              at_least(0)),
       weight_of_both(historical_averaging)},
      {number("spectral-regularisation",
              "weight of the squared largest singular values of D's weights (0.01)", at_least(0)),
       weight_of(&Objective::d_terms, spectral_regularisation)},
      {number("latent-step",
              "how far latents go towards what D finds real before G draws of them (0.9); 0: not",
              at_least(0)),
       with(DUEL_AT(latent_step.rate), 0.0)},
      {number("latent-damping", "damping of that step's natural gradient; 0: the plain gradient's",
              at_least(0)),
       with(DUEL_AT(latent_step.damping), 5.0, {kLatentStep})},
      {integer("path-length-every", "path-length only every INT steps of G, its weight times INT (4)",
               between(1, 1 << 20)),
       path_length_every()},
  };
}

std::vector<ObjectiveSetting> regulariser_group() {
  const auto d = &Objective::d_terms, g = &Objective::g_terms;
  const auto weight = [](const char* name, const char* help, ObjectivePlace place) {
    return ObjectiveSetting{number(name, help, at_least(0)), std::move(place)};
  };
  ObjectiveSetting augment;
  augment.name = "augment";
  augment.help = "what D's inputs go through: none, or with commas between of ada's";
  for (const std::string& policy : augmentation_policies())
    augment.help += (policy == "color" ? " and DiffAugment's " : policy == "flip" ? " " : ", ") + policy;
  augment.canonical = canonical_policy;
  augment.place = {
      .get = [](const Objective& o) -> SettingValue { return policy_of(o.augmentation); },
      .set = [](Objective& o,
                const SettingValue& text) { o.augmentation = augmentation(std::get<std::string>(text)); },
      .off = "none"};
  const auto of_logits = [](ObjectivePlace place) {
    place.needs = {kOneNumber};
    return place;
  };
  std::vector<ObjectiveSetting> settings = {
      augment,
      weight("lecam", "weight of D's distance to the other side's running mean (published: 0.01 to 0.5)",
             of_logits(weight_of(d, lecam))),
      weight("cr", "weight of D's change where real images are moved a little (10)",
             of_logits(weight_of(d, [](double w) { return consistency(Consistency::real, w); }))),
      weight("bcr", "the same of real and generated ones (10)",
             of_logits(weight_of(d, [](double w) { return consistency(Consistency::balanced, w); }))),
      weight("zcr-d", "weight of D's change where latents are disturbed (5 to 20)",
             of_logits(weight_of(d, latent_consistency_d))),
      weight("zcr-g", "weight of G's change where latents are disturbed, which it seeks (0.5)",
             weight_of(g, latent_consistency_g)),
      weight("orthogonal", "weight of the inner products of different rows of G's weights (1e-4)",
             weight_of(g, orthogonal)),
      weight(
          "cutmix",
          "weight of how D's logits of pixels change where real and generated images are mixed; arch unet (1)",
          weight_of(d, cutmix_consistency)),
      weight("path-length", "weight of how unequally G's images follow its latents (2)",
             weight_of(g, path_length)),
      {number("top-k", "share of a batch, those D finds best, that G learns from (0.5 to 1)",
              {.low = 0, .high = 1, .above_low = true}),
       with(DUEL_AT(schedule.top_k), 1.0, {kLogits, kOneNumber})},
  };
  for (ObjectiveSetting& setting : adaptation_settings()) settings.push_back(std::move(setting));
  return settings;
}

std::vector<ObjectiveSetting> optimizer_group() {
  return {
      {word("optimizer", "of D and G", optimizer_words()),
       {.get = [](const Objective& o) -> SettingValue {
          return word_of(optimizer_words(), o.schedule.d.kind);
        },
        .set =
            [](Objective& o, const SettingValue& word) {
              o.schedule.d.kind = o.schedule.g.kind = value_of<OptimizerKind>(optimizer_words(), word);
            }}},
      {number("lr", "learning rate of D and G, per step", positive()), {.parts = {"lr-d", "lr-g"}}},
      {number("lr-d", "learning rate of D alone", positive()), DUEL_AT(schedule.d.lr)},
      {number("lr-g", "learning rate of G alone", positive()), DUEL_AT(schedule.g.lr)},
      {integer("lr-decay-steps", "both rates fall linearly to 0 over INT iterations; 0: constant",
               at_least(0)),
       with(DUEL_AT(schedule.lr_decay_steps), int64_t{0})},
      {number("beta1", "Adam's decay of the first moment", up_to(0, 1)),
       of_both(&OptimizerChoice::beta1, {kAdam})},
      {number("beta2", "Adam's decay of the second moment", up_to(0, 1)),
       of_both(&OptimizerChoice::beta2, {kAdam})},
      {number("weight-decay", "adamw: weights shrink by the rate times this in a step", at_least(0)),
       of_both(&OptimizerChoice::weight_decay, {kAdamW})},
      {integer("lookahead",
               "every INT iterations both players' weights go back towards where they were; 0: never",
               between(0, 1 << 20)),
       with(DUEL_AT(schedule.lookahead), int64_t{0})},
      {number("lookahead-alpha", "how far from there to where they are they go then",
              {.low = 0, .high = 1, .above_low = true, .below_high = true}),
       with(DUEL_AT(schedule.lookahead_alpha), {}, {kLookahead})},
      {number("ema", "decay of the average of G's weights that samples use (0: none)", up_to(0, 1)),
       with(DUEL_AT(schedule.ema), 0.0)},
  };
}

}  // namespace

const std::vector<ObjectiveSetting>& objective_settings() {
  static const std::vector<ObjectiveSetting> settings = [] {
    std::vector<ObjectiveSetting> all = in_group("Objective", axis_group());
    for (ObjectiveSetting& setting : in_group("Objective", number_group())) all.push_back(std::move(setting));
    for (ObjectiveSetting& setting : in_group("Regularisers", regulariser_group()))
      all.push_back(std::move(setting));
    for (ObjectiveSetting& setting : in_group("Optimizers", optimizer_group()))
      all.push_back(std::move(setting));
    return all;
  }();
  return settings;
}

#undef DUEL_AT

}  // namespace duel::gan
