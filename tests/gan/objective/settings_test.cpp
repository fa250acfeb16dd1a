// The rows of what may be set of an objective: each stands at a place of its own, is checked as it is set, is refused
// where it has no place, and shows the default that the objectives have.
#include "duel/gan/objective/settings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "duel/gan/objective/objective.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;

/// An allowed value that differs from every default and from those of other rows.
SettingValue unusual(const ObjectiveSetting& setting, int place) {
  if (setting.name == "loss") return "jensen_shannon";
  if (setting.name == "relativism") return "average";
  if (setting.name == "penalties") return "power(3)@real:0.25";
  if (setting.name == "constraint") return "weight_clip(0.25)";
  if (setting.name == "augment") return "translation";
  switch (setting.kind) {
    case Setting::Kind::truth:
      return true;
    case Setting::Kind::integer:
      return int64_t{100} + place;
    case Setting::Kind::number:
      return 0.1 + 0.001 * place;
    case Setting::Kind::unsigned_integer:
    case Setting::Kind::text:
      break;
  }
  return setting.words.back();
}

// A row whose get and set disagree, or two rows that write the same member, are found here.
TEST(ObjectiveSettings, EachStandsAtAPlaceOfItsOwn) {
  Objective all;  // with a place for every one
  all.penalties = {{one_centered(), on_lines(), 10.0}};
  all.constraint.weight_clip = 0.01;
  int place = 0, placed = 0;
  for (const ObjectiveSetting& setting : objective_settings()) {
    const ObjectivePlace& at = setting.place;
    EXPECT_EQ((at.get != nullptr) + (at.of_loss != nullptr) + !at.parts.empty(), 1) << setting.name;
    EXPECT_EQ(at.get != nullptr, at.set != nullptr) << setting.name;
    if (at.axis) continue;  // a whole part, in which numbers stand: composition_test.cpp
    // optimizer first: its last word is not Adam, whose betas stand there all the same
    if (at.set) at.set(all, unusual(setting, ++place));
  }
  place = 0;
  for (const ObjectiveSetting& setting : objective_settings()) {
    if (!setting.place.get || setting.place.axis) continue;
    EXPECT_EQ(setting.place.get(all), unusual(setting, ++place)) << setting.name;
    ++placed;
  }
  EXPECT_GT(placed, 20);
  EXPECT_EQ(all.penalties[0].weight, 0.101);  // lambda is the first row
}

// What is resolved is what was set, in every objective that has a place for it, and elsewhere it is refused.
TEST(ObjectiveSettings, AppliesWhereTheObjectiveHasAPlace) {
  for (const ObjectiveSetting& setting : objective_settings()) {
    if (!setting.place.parts.empty()) continue;
    const std::vector<std::string> having = objectives_with(setting);
    const SettingValue value = setting.name == "divergence-alpha" ? SettingValue(0.3) : unusual(setting, 1);
    for (const std::string& name : objective_names()) {
      ObjectiveOverrides o;
      o.set(setting.name, value);
      if (std::find(having.begin(), having.end(), name) != having.end()) {
        EXPECT_EQ(resolved_overrides(name, o).find(setting.name), o.find(setting.name)) << name;
      } else {
        const std::string why = error_of([&] { named_objective(name, o); });
        EXPECT_TRUE(has(why, setting.name) && why.find('{') == std::string::npos) << name << ": " << why;
      }
    }
  }
}

TEST(ObjectiveSettings, AreCheckedAsTheyAreSet) {
  const auto refused = [](const std::string& name, const SettingValue& value, const std::string& why) {
    const std::string text = error_of([&] { ObjectiveOverrides({{name, value}}); });
    EXPECT_EQ(text, "[objective] " + why);
  };
  refused("lamda", 1.0, "unknown setting 'lamda': did you mean 'lambda'?");
  refused("nonsense", 1.0, "unknown setting 'nonsense'; 'duel objectives NAME' lists an objective's");
  refused("lambda", -1, "lambda: expected a number of at least 0, got -1");
  refused("lambda", std::nan(""), "lambda: expected a number of at least 0, got 'nan'");
  refused("lambda", "10", "lambda: expected a number of at least 0, got '10'");
  refused("clip", 0.0, "clip: expected a positive number, got 0");
  refused("lr", 0.0, "lr: expected a positive number, got 0");
  refused("beta1", 1.0, "beta1: expected a number in [0, 1), got 1");
  refused("gamma", 1.5, "gamma: expected a number in [0, 1], got 1.5");
  refused("label-smoothing", 0.5, "label-smoothing: expected a number in [0, 0.5), got 0.5");
  refused("critic-steps", 2.0, "critic-steps: expected an integer from 1 to 1048576, got '2'");
  refused("critic-steps", 0, "critic-steps: expected an integer from 1 to 1048576, got 0");
  refused("lazy-interval", 0, "lazy-interval: expected an integer of at least 1, got 0");
  refused("code-classes", 1, "code-classes: expected 0 or an integer from 2 to 1024, got 1");
  refused("optimizer", "adm", "optimizer: expected adam, rmsprop, sgd, adamw or oadam, got 'adm'");
  refused("lookahead", -1, "lookahead: expected an integer from 0 to 1048576, got -1");
  refused("lookahead-alpha", 1.0, "lookahead-alpha: expected a number in (0, 1), got 1");
  refused("spectral-norm", 1, "spectral-norm: expected true or false, got '1'");
}

TEST(ObjectiveSettings, AreReadBack) {
  ObjectiveOverrides o = {
      {"lambda", 1}, {"critic-steps", 2}, {"update", "consensus"}, {"spectral-norm", true}};
  EXPECT_EQ(o.number("lambda"), 1.0);
  EXPECT_EQ(o.integer("critic-steps"), 2);
  EXPECT_EQ(o.text("update"), "consensus");
  EXPECT_TRUE(o.truth("spectral-norm"));
  EXPECT_FALSE(o.has("k"));
  EXPECT_TRUE(has(error_of([&] { o.number("k"); }), "k: expected a value"));
  EXPECT_TRUE(has(error_of([&] { o.number("critic-steps"); }), "critic-steps: expected a value"));
  EXPECT_TRUE(has(error_of([&] { o.has("lambada"); }), "did you mean 'lambda'?"));
  o.set("lr", 3e-4);  // both
  EXPECT_EQ(o.number("lr-d"), 3e-4);
  EXPECT_EQ(o.number("lr-g"), 3e-4);
  EXPECT_FALSE(o.has("lr"));
  o.unset("lambda");
  EXPECT_FALSE(o.has("lambda"));
  o.fill({{"lambda", 5.0}, {"lr-d", 1.0}});
  EXPECT_EQ(o.number("lambda"), 5.0);
  EXPECT_EQ(o.number("lr-d"), 3e-4) << "what is set stays";
}

// A value from a file goes with its place where a flag takes that away; what was given along with the flag stays, and is
// refused.
TEST(ObjectiveSettings, LoseTheirPlaceToAnother) {
  const ObjectiveOverrides file = {{"beta1", 0.5}, {"instance-noise", 0.1}, {"instance-noise-steps", 9}};
  ObjectiveOverrides sgd = file, still = file;
  sgd.set("optimizer", "sgd");
  still.set("instance-noise", 0.0);
  const auto left = [](const ObjectiveOverrides& o, const std::vector<std::string>& given) {
    return without_displaced("ns-gan", o, given);
  };
  EXPECT_FALSE(left(sgd, {"optimizer"}).has("beta1"));
  EXPECT_TRUE(left(sgd, {"optimizer", "beta1"}).has("beta1"));
  EXPECT_TRUE(left(sgd, {"ema"}).has("beta1")) << "the file itself says both: refused, not mended";
  EXPECT_EQ(left(sgd, {"optimizer"}).integer("instance-noise-steps"), 9);
  EXPECT_FALSE(left(still, {"instance-noise"}).has("instance-noise-steps"));
  EXPECT_TRUE(left(still, {"instance-noise"}).has("beta1"));
  const ObjectiveOverrides apart = {{"update", "alternating"}, {"consensus", 0.2}};
  EXPECT_FALSE(left(apart, {"update"}).has("consensus"));
  // Another objective takes nothing away silently.
  EXPECT_TRUE(without_displaced("ns-gan", {{"lambda", 1.0}}, {"objective"}).has("lambda"));
}

// What an optimizer or Lookahead has to say for itself is refused where it is not there.
TEST(ObjectiveSettings, OfTheOptimizersNeedThem) {
  const auto refusal = [](const ObjectiveOverrides& o) {
    return error_of([&] { named_objective("ns-gan", o); });
  };
  for (const char* word : {"adam", "adamw", "oadam"}) {
    EXPECT_EQ(named_objective("wgan", {{"optimizer", word}, {"beta1", 0.25}}).schedule.g.beta1, 0.25) << word;
    EXPECT_EQ(resolved_overrides("wgan", {{"optimizer", word}}).text("optimizer"), word);
  }
  EXPECT_TRUE(has(refusal({{"optimizer", "sgd"}, {"beta1", 0.25}}), "beta1 and beta2 are Adam's"));
  EXPECT_TRUE(has(refusal({{"weight-decay", 0.1}}), "add optimizer adamw"));
  EXPECT_TRUE(has(refusal({{"lookahead-alpha", 0.3}}), "add lookahead"));
  const Objective o = named_objective(
      "ns-gan", {{"optimizer", "adamw"}, {"weight-decay", 0.1}, {"lookahead", 5}, {"lookahead-alpha", 0.3}});
  EXPECT_EQ(o.schedule.d.weight_decay, 0.1);
  EXPECT_EQ(o.schedule.lookahead, 5);
  EXPECT_EQ(o.schedule.lookahead_alpha, 0.3);
  EXPECT_EQ(to_text(o.schedule.d), "adamw 2e-04 (0.5, 0.999)");
}

TEST(ObjectiveSettings, ShowTheDefaultsOfTheObjectives) {
  const auto standard = [](const char* name) { return default_text(objective_setting(name)); };
  EXPECT_EQ(standard("lambda"), "the objective's");
  EXPECT_EQ(standard("k"), "1");
  EXPECT_EQ(standard("clip"), "0.01");
  EXPECT_EQ(standard("label-c"), "1; lsgan-pearson 0");
  EXPECT_EQ(standard("packing"), "1; pacgan 2");
  EXPECT_EQ(standard("generator-steps"), "1; geometric-gan 10");
  EXPECT_EQ(standard("instance-noise-steps"), "0");
  EXPECT_EQ(standard("lr"), "the objective's");
  EXPECT_EQ(objective_setting("gamma").full_help("0.9"),
            "began: E(G(z)) / E(x) that the game is held at, in [0, 1] [0.9]");
  EXPECT_EQ(standard("weight-decay"), "0.01");
  EXPECT_EQ(standard("lookahead"), "0");
  EXPECT_EQ(standard("lookahead-alpha"), "0.5");
  EXPECT_EQ(objective_setting("optimizer").full_help(""), "adam, rmsprop, sgd, adamw or oadam; of D and G");
}

}  // namespace
}  // namespace duel::gan
