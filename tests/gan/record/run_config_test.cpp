// The table of a run's fields: what is set comes back from JSON, and no two rows share a member.
#include "duel/gan/record/run_config.h"

#include <gtest/gtest.h>

#include "duel/gan/record/internal/run_record.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;

/// A text that differs from every default.
std::string unusual(const ConfigField& field, int place) {
  switch (field.kind) {
    case ConfigField::Kind::truth:
      return "true";
    case ConfigField::Kind::integer:
      return std::to_string(1000 + place);
    case ConfigField::Kind::number:
      return "0.1" + std::to_string(1000 + place) + "5";
    case ConfigField::Kind::text:
      break;
  }
  if (field.name == "optimizer") return "rmsprop";
  if (field.name == "update") return "consensus";
  if (field.name == "class-names") return "1-26,255";
  if (field.name.starts_with("norm-")) return field.name == "norm-g" ? "layer" : "instance";
  return "a \"quoted\" näme " + std::to_string(place);
}

TEST(RunConfig, EveryFieldComesBackFromJson) {
  RunConfig config;
  int place = 0;
  for (const ConfigField& field : config_fields()) field.set(config, unusual(field, ++place));
  const std::string json = to_json(config);
  const RunConfig back = run_config_from_json(json, "test");
  place = 0;
  for (const ConfigField& field : config_fields()) {
    const std::string text = unusual(field, ++place);
    if (field.name == "lr") continue;  // sets the two others
    EXPECT_EQ(field.get(config), text) << field.name << ": another row writes the same member";
    if (field.stored) {
      EXPECT_EQ(field.get(back), text) << field.name;
    }
  }
  EXPECT_EQ(to_json(back), json);
}

TEST(RunConfig, NumbersKeepEveryBit) {
  RunConfig config;
  config.seed = 18446744073709551615ull;
  config.overrides.lr_d = 0.1 + 0.2;
  config.overrides.lr_g = 1e-300;
  const RunConfig back = run_config_from_json(to_json(config), "test");
  EXPECT_EQ(back.seed, config.seed);
  EXPECT_EQ(back.overrides.lr_d, config.overrides.lr_d);
  EXPECT_EQ(back.overrides.lr_g, config.overrides.lr_g);
  EXPECT_FALSE(back.overrides.lambda.has_value());
}

TEST(RunConfig, AWrongKeyChangesNothing) {
  RunConfig config;
  EXPECT_TRUE(has(error_of([&] { update_from_json(config, "{\"batch\": 7, \"sede\": 3}", "c.json"); }),
                  "c.json: unknown key 'sede': did you mean 'seed'?"));
  EXPECT_EQ(config.batch, 64);
}

TEST(RunRecord, WhatIsNoneSaysHowToGoOnWithoutIt) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& text : {std::string(), std::string("{"), std::string("[1]"),
                                  std::string("{\"argv\": 3}"), "{\"argv\": " + deep + "}"}) {
    const std::string why = error_of([&] { run_record_from_json(text, "run.json"); });
    EXPECT_TRUE(why.starts_with("[run] run.json: ") &&
                why.ends_with("delete it to resume without the comparison of the data"))
        << why;
    EXPECT_LT(why.size(), 400u);
    EXPECT_TRUE(json_table(text).empty() || text == "{\"argv\": 3}");
  }
}

TEST(RunConfig, StepsComeFromEpochs) {
  RunConfig config;
  EXPECT_EQ(total_steps(config, 60000), 3000);
  config.epochs = 2;
  EXPECT_EQ(total_steps(config, 60000), 1875);
  config.epochs = 0.001;
  EXPECT_EQ(total_steps(config, 100), 1);
  config.epochs = 0;
  config.steps = 5;
  EXPECT_EQ(total_steps(config, 60000), 5);
}

TEST(Objectives, ResolvedOverridesSayTheSameObjective) {
  for (const std::string& name : objective_names()) {
    const ObjectiveOverrides all = resolved_overrides(name, {.ema = 0.5});
    const Objective again = named_objective(name, all), plain = named_objective(name, {.ema = 0.5});
    EXPECT_EQ(again.schedule.critic_steps, plain.schedule.critic_steps);
    EXPECT_EQ(again.schedule.d.lr, plain.schedule.d.lr);
    EXPECT_EQ(again.schedule.d.kind, plain.schedule.d.kind);
    EXPECT_EQ(again.schedule.ema, 0.5);
    EXPECT_EQ(again.constraint.weight_clip, plain.constraint.weight_clip);
    ASSERT_EQ(again.penalties.size(), plain.penalties.size());
    EXPECT_EQ(all.lambda.has_value(), !plain.penalties.empty()) << name;
    EXPECT_EQ(all.label_a.has_value(), name.starts_with("lsgan")) << name;
    EXPECT_EQ(all.beta1.has_value(), plain.schedule.d.kind == OptimizerKind::adam) << name;
    EXPECT_EQ(all.instance_noise_steps.has_value(), plain.schedule.instance_noise > 0) << name;
    // Resolving what is resolved changes nothing.
    const ObjectiveOverrides twice = resolved_overrides(name, all);
    EXPECT_EQ(twice.k, all.k);
    EXPECT_EQ(twice.label_c, all.label_c);
    EXPECT_EQ(twice.beta2, all.beta2);
  }
}

// Versions before these values were refused stored them: read as a run's they are left out, and only they.
TEST(Objectives, IdleValuesOfEarlierRunsAreLeftOut) {
  const RunConfig old = stored_config_from_json(
      R"({"objective": "wgan", "beta1": 0.9, "beta2": 0.99, "clip": 0.02, "instance-noise": 0, "instance-noise-steps": 7})",
      "c.json");
  EXPECT_FALSE(old.overrides.beta1 || old.overrides.beta2 || old.overrides.instance_noise_steps);
  EXPECT_EQ(old.overrides.clip, 0.02);
  EXPECT_NO_THROW(named_objective(old.objective, old.overrides));
  const RunConfig adam = stored_config_from_json(
      R"({"objective": "wgan", "optimizer": "adam", "beta1": 0.9, "instance-noise": 0.1, "instance-noise-steps": 7})",
      "c.json");
  EXPECT_EQ(adam.overrides.beta1, 0.9);
  EXPECT_EQ(adam.overrides.instance_noise_steps, 7);
}

}  // namespace
}  // namespace duel::gan
