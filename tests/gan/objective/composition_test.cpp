// The algebra in words: texts come back as they were meant, what is composed is what has a name, bit for bit, and
// what cannot be composed says why.
#include "duel/gan/objective/composition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/record/run_config.h"
#include "duel/gan/train/trainer.h"
#include "tests/files.h"
#include "tests/tensors.h"
#include "tests/training.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using testing::first_difference;

std::string canonical_of(const std::string& axis, const std::string& text) {
  return canonical(*find_axis(axis), "test", text);
}

std::vector<std::string> composable() {
  std::vector<std::string> names = objective_names();
  std::erase_if(names,
                [](const std::string& name) { return !why_not_composed(named_objective(name)).empty(); });
  return names;
}

/// The named objective from its axes and its numbers alone: as flags would say it.
Objective from_words(const std::string& name) {
  const Objective named = named_objective(name);
  const ObjectiveOverrides all = resolved_overrides(name);
  ObjectiveOverrides o;
  for (const Axis& axis : axes()) o.set(axis.name, axis.text(named));
  for (const ObjectiveSetting& setting : objective_settings()) {
    const ObjectivePlace& place = setting.place;
    if (place.axis || place.of_loss || !place.within.empty()) continue;
    if (const auto value = all.find(setting.name)) o.set(setting.name, *value);
  }
  return named_objective(kComposed, o);
}

struct Sides {
  Tensor d, g;
  std::vector<Tensor> gradients;  // of both losses in both batches' logits
};
Sides losses_of(const Objective& o) {
  const Tensor real = Tensor::from({0.3, -1.7, 2.5, 0.0, 40.0, -0.2}, {6, 1}).set_requires_grad(true);
  const Tensor fake = Tensor::from({-0.4, 1.1, 0.9, -3.0, -35.0, 0.7}, {6, 1}).set_requires_grad(true);
  Sides sides;
  sides.d = discriminator_loss(o.loss, o.relativism, real, fake);
  sides.g = generator_loss(o.loss, o.relativism, real, fake);
  // Real logits do not enter the loss of a G that answers to fakes alone: 0 times them does.
  const Tensor d = add(sides.d, mul_scalar(sum(add(real, fake)), 0.0));
  const Tensor g = add(sides.g, mul_scalar(sum(add(real, fake)), 0.0));
  for (const Tensor& loss : {d, g}) {
    for (const Tensor& gradient : grad({loss}, {real, fake})) sides.gradients.push_back(gradient);
  }
  return sides;
}

Trainer trainer_of(const Objective& objective) {
  Generator weights(3);
  const NetworkOptions options = networks_for(
      objective, {.arch = "mlp", .height = 4, .width = 4, .latent = 5, .channels_g = 6, .channels_d = 6});
  return Trainer(make_networks(options, objective, weights), objective,
                 std::make_shared<ResidentData>(testing::noise_images(64, 4, 4)), {.batch = 8});
}

TEST(Composition, WhatIsComposedIsTheNamedObjectiveBitForBit) {
  EXPECT_EQ(composable().size(), objective_names().size() - 11);
  for (const std::string& name : composable()) {
    SCOPED_TRACE(name);
    const Objective named = named_objective(name), composed = from_words(name);
    for (const Axis& axis : axes()) EXPECT_EQ(axis.text(composed), axis.text(named));
    const Sides a = losses_of(named), b = losses_of(composed);
    EXPECT_EQ(a.d.item(), b.d.item());
    EXPECT_EQ(a.g.item(), b.g.item());
    ASSERT_EQ(a.gradients.size(), b.gradients.size());
    for (size_t i = 0; i < a.gradients.size(); ++i)
      EXPECT_EQ(a.gradients[i].to_vector<double>(), b.gradients[i].to_vector<double>());
    Trainer first = trainer_of(named), second = trainer_of(composed);
    for (int i = 0; i < 3; ++i) {
      first.step(true);
      second.step(true);
      EXPECT_EQ(first.metrics().loss_d, second.metrics().loss_d);
      EXPECT_EQ(first.metrics().loss_g, second.metrics().loss_g);
    }
    EXPECT_EQ(first_difference(first.state(), second.state()), "");
  }
}

// Another text is another objective: the test above would see it.
TEST(Composition, AnotherTextIsAnotherTrajectory) {
  const auto state = [](const ObjectiveOverrides& o) {
    Trainer trainer = trainer_of(named_objective(kComposed, o));
    trainer.step(true);
    return trainer.state();
  };
  const auto plain = state({{"loss", "minimax"}});
  for (const ObjectiveOverrides& other :
       {ObjectiveOverrides{{"loss", "non_saturating"}},
        ObjectiveOverrides{{"loss", "minimax"}, {"relativism", "paired"}},
        ObjectiveOverrides{{"loss", "minimax"}, {"penalties", "zero_centered@real:5"}},
        ObjectiveOverrides{{"loss", "minimax"}, {"constraint", "weight_clip(0.01)"}}})
    EXPECT_NE(first_difference(plain, state(other)), "");
}

TEST(Composition, WhatIsMoreThanItsAxesSaysWhy) {
  std::map<std::string, std::string> why;
  for (const std::string& name : objective_names()) {
    const std::string reason = why_not_composed(named_objective(name));
    if (!reason.empty()) why[name] = reason;
  }
  const std::map<std::string, std::string> expected = {
      {"fisher-gan", "it has the term second_moment beside the loss"},
      {"mmd-gan", "its loss, mmd(rational_quadratic(0.2,0.5,1,2,5)), is of embeddings"},
      {"mmd-gan-rep", "its loss, mmd_repulsive(0.25,4), is of embeddings"},
      {"cramer-gan", "its loss, cramer, is of embeddings"},
      {"sliced-wasserstein", "its loss, sliced_wasserstein(256), is none of the table's"},
      {"ebgan", "its loss, energy_margin, is of the energies of an autoencoder"},
      {"began", "its loss, energy, is of the energies of an autoencoder"},
      {"cgan", "its D reads or tells classes"},
      {"acgan", "its D reads or tells classes"},
      {"projection", "its D reads or tells classes"},
      {"infogan", "its D finds codes of G's input"}};
  EXPECT_EQ(why, expected);
  Objective own = named_objective("hinge");
  own.penalties = {{.shape = zero_centered(), .sampling = {"corners", at_real().points}}};
  EXPECT_EQ(why_not_composed(own), "its penalties, zero_centered@corners:10, is none of the table's");
  own.penalties = {};
  own.loss.name = "bounded (mine";
  EXPECT_TRUE(has(why_not_composed(own), "its loss, bounded (mine,"));
  EXPECT_TRUE(has(composed_formula(own), "bounded (mine")) << "and its formula does not fail";
  own = named_objective("hinge", {{"feature-matching", 0.5}});
  EXPECT_EQ(why_not_composed(own), "") << "a flag of its own";
}

TEST(Composition, TextsComeBack) {
  const auto back = [](const std::string& axis, const std::string& text, const std::string& expected) {
    EXPECT_EQ(canonical_of(axis, text), expected);
    EXPECT_EQ(canonical_of(axis, expected), expected);
  };
  back("loss", "minimax", "minimax");
  back("loss", "minimax(0.9)", "minimax(0.9)");
  back("loss", " non-saturating ( 1 ) ", "non_saturating");
  back("loss", "least_squares(0,1,1)", "least_squares");
  back("loss", "least_squares(-1, 1, 0)", "least_squares(-1,1,0)");
  back("loss", "least_squares(0,1,1,1)", "least_squares(0,1,1,1)");
  back("loss", "alpha-divergence", "alpha_divergence(0.5)");
  back("loss", "saddle(least_squares(-1,1,0))", "saddle(least_squares(-1,1,0))");
  back("relativism", "average", "average");
  back("penalties", "none", "none");
  back("penalties", "zero_centered@real:5,one-centered@line",
       "zero_centered@real:5, one_centered(1)@line:10");
  back("penalties", "worst(one_sided(0.1))@dragan-two-sided:0.25",
       "worst(one_sided(0.1))@dragan_two_sided:0.25");
  back("penalties", "power(6) @ fake : 1e-3", "power(6)@fake:0.001");
  back("constraint", "weight_clip", "weight_clip(0.01)");
  back("constraint", "spectral-norm", "spectral_norm");
  for (const Axis& axis : axes()) {
    if (axis.name == "penalties") continue;  // its values are shapes and places
    for (const std::string& value : axis.values) {
      const std::string name = value.substr(0, value.find('('));
      if (name == "saddle") continue;
      EXPECT_TRUE(canonical_of(axis.name, name).starts_with(name)) << name;
    }
  }
}

TEST(Composition, PartsAreWhatTheirTextsSay) {
  const Objective o =
      named_objective(kComposed, {{"loss", "hinge"},
                                  {"relativism", "paired"},
                                  {"penalties", "zero_centered@real:5, one_centered(2)@line:10"},
                                  {"constraint", "spectral_norm"}});
  EXPECT_EQ(o.relativism, Relativism::paired);
  ASSERT_EQ(o.penalties.size(), 2u);
  EXPECT_EQ(o.penalties[0].weight, 5);
  EXPECT_EQ(o.penalties[0].sampling.name, "real");
  EXPECT_EQ(o.penalties[1].weight, 10);
  EXPECT_EQ(o.penalties[1].shape.k, 2);
  EXPECT_TRUE(o.constraint.spectral_norm);
  EXPECT_EQ(o.name, "hinge+paired+zero_centered@real:5,one_centered(2)@line:10+spectral_norm");
  EXPECT_EQ(
      o.formula,
      "L_D = E relu(1 - (r - f)) + 5 E ||grad D(x)||^2 (x real) + 10 E (||grad D(x)|| - 2)^2 (x on lines), "
      "every weight of D divided by its largest singular value;  L_G = -E (f - r)");
}

// Without a named objective nothing but the loss's rates is taken from anywhere; with one, the rest is its own.
TEST(Composition, AnAxisReplacesOneOfTheBase) {
  const Objective plain = named_objective(kComposed, {{"loss", "wasserstein"}}),
                  wgan = named_objective("wgan");
  EXPECT_EQ(plain.constraint.weight_clip, 0);
  EXPECT_EQ(plain.schedule.critic_steps, wgan.schedule.critic_steps);
  EXPECT_EQ(plain.schedule.d.lr, wgan.schedule.d.lr);
  EXPECT_EQ(plain.schedule.d.kind, OptimizerKind::rmsprop);
  EXPECT_EQ(named_objective(kComposed).name, "non_saturating") << "the default objective's loss";
  const Objective other = named_objective("wgan-gp", {{"penalties", "one_sided(1)@line:4"}, {"lr", 0.5}});
  EXPECT_EQ(other.name, "wgan-gp+penalties=one_sided(1)@line:4");
  EXPECT_EQ(other.formula, "L_D = -E r + E f + 4 E max(0, ||grad D(x)|| - 1)^2 (x on lines);  L_G = -E f");
  EXPECT_EQ(other.schedule.d.lr, 0.5);
  EXPECT_EQ(other.schedule.critic_steps, 5);
  EXPECT_EQ(resolved_overrides("wgan-gp").find("loss"), std::nullopt) << "an objective by name says no axes";
  const ObjectiveOverrides resolved = resolved_overrides("wgan-gp", {{"penalties", "one_sided@line:4"}});
  EXPECT_EQ(resolved.text("penalties"), "one_sided(1)@line:4");
  EXPECT_FALSE(resolved.has("lambda")) << "which would be one weight for all";
  for (const auto& [axis, setting, value] : std::vector<std::tuple<std::string, std::string, SettingValue>>{
           {"penalties", "lambda", 3.0}, {"penalties", "k", 2.0}}) {
    ObjectiveOverrides both = {{axis, "one_centered(1)@line:10"}};
    both.set(setting, value);
    EXPECT_TRUE(has(error_of([&] { named_objective("wgan-gp", both); }),
                    setting + " is a part of penalties 'one_centered(1)@line:10'"));
    EXPECT_FALSE(without_displaced("wgan-gp", both, {axis}).has(setting));
    EXPECT_TRUE(without_displaced("wgan-gp", both, {axis, setting}).has(setting)) << "refused, not dropped";
  }
  EXPECT_TRUE(has(error_of([] {
                    named_objective("ns-gan", {{"loss", "hinge"}, {"label-smoothing", 0.1}});
                  }),
                  "label-smoothing is a part of loss 'hinge'"));
  EXPECT_EQ(named_objective("acgan", {{"loss", "hinge"}, {"class-weight", 2.0}}).d_terms.size(), 1u);
}

TEST(Composition, WhatIsNoneIsRefused) {
  const auto refused = [](const std::string& axis, const std::string& text, const std::string& why) {
    const std::string told = error_of([&] { ObjectiveOverrides({{axis, text}}); });
    EXPECT_TRUE(has(told, axis + ": ") && has(told, why)) << told;
  };
  refused("loss", "hing", "unknown 'hing': did you mean 'hinge'? there are minimax(TARGET), ");
  refused("loss", "wgan-gp", "'wgan-gp' names an objective");
  refused("loss", "hinge(1)", "hinge: expected no number, got 1 numbers");
  refused("loss", "least_squares(0,one)", "expected a number, got 'one'");
  refused("loss", "least_squares(0,1,1,0)", "SCALE: expected a positive number, got 0");
  refused("loss", "non_saturating(0.5)", "TARGET: expected a number in (0.5, 1], got 0.5");
  refused("loss", "alpha_divergence(1)", "ALPHA: expected a number other than 0 and 1");
  refused("loss", "saddle", "saddle: expected the loss");
  refused("loss", "hinge)(", "expected NAME or NAME(VALUES)");
  refused("relativism", "pared", "did you mean 'paired'? there are none, paired, average");
  refused("penalties", "zero_centered", "expected SHAPE@WHERE:WEIGHT");
  refused("penalties", "zero_centered@rael:5", "did you mean 'real'?");
  refused("penalties", "zero_centred@real:5", "did you mean 'zero_centered'?");
  refused("penalties", "zero_centered(1)@real:5", "expected no number");
  refused("penalties", "power(0.5)@real", "expected a number of at least 1, got 0.5");
  refused("penalties", "zero_centered@real:-1", "expected a weight of at least 0");
  refused("penalties", "zero_centered@real:5:6", "expected one weight");
  refused("penalties", "none, zero_centered@real:5", "expected one of the two");
  refused("penalties", "zero_centered@real:5,", "expected SHAPE@WHERE:WEIGHT");
  refused("constraint", "weight_clip(0)", "expected a positive number");
  refused("constraint", "spectral_nrm", "did you mean 'spectral_norm'?");
  EXPECT_TRUE(has(error_of([] { named_objective("ebgan", {{"loss", "hinge"}}); }), "an energy, low on data"));
  EXPECT_TRUE(has(error_of([] { compose(named_objective("hinge"), {{"looss", "hinge"}}); }), "got 'looss'"));
}

// A configuration that names axes and no objective means that loss, in whatever order it says so; one without axes
// means what it did.
TEST(Composition, StandsInConfigurations) {
  const auto read = [](const std::string& text) { return run_config_from_json(text, "c.json"); };
  EXPECT_EQ(read(R"({"loss": "hinge"})").objective, kComposed);
  EXPECT_EQ(read(R"({"batch": 3})").objective, "ns-gan");
  for (const char* text :
       {R"({"loss": "hinge", "objective": "r1"})", R"({"objective": "r1", "loss": "hinge"})"})
    EXPECT_EQ(read(text).objective, "r1");
  EXPECT_EQ(read(R"({"objective": "ns-gan", "loss": "hinge"})").objective, "ns-gan");
  RunConfig config;
  set_field(config, "penalties", "one-sided@line");
  EXPECT_EQ(config.objective, kComposed);
  const RunConfig again = read(to_json(config));
  EXPECT_EQ(again.overrides, config.overrides);
  EXPECT_EQ(again.overrides.text("penalties"), "one_sided(1)@line:10");
  EXPECT_TRUE(has(error_of([&] { read(R"({"loss": "hinj(e"})"); }), "[config] c.json: loss: "));
  const ObjectiveOverrides whole = resolved_overrides(config.objective, config.overrides);
  EXPECT_EQ(resolved_overrides(config.objective, whole), whole) << "what a run stores makes the same run";
  EXPECT_EQ(whole.text("loss"), "non_saturating");
  EXPECT_TRUE(is_objective(kComposed));
  EXPECT_TRUE(has(error_of([] { register_objective(kComposed, [] { return Objective(); }); }), "Duel's own"));
}

}  // namespace
}  // namespace duel::gan
