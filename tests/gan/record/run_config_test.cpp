// The table of a run's fields: what is set comes back from JSON, and no two rows share a member.
#include "duel/gan/record/run_config.h"

#include <gtest/gtest.h>

#include "duel/gan/record/internal/run_record.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;

/// A text that differs from every default, in the field's range.
std::string unusual(const ConfigField& field, int place) {
  if (field.name == "image-channels") return "3";
  if (field.name == "data") return "stacked:a \"quoted\" näme";
  switch (field.kind) {
    case Setting::Kind::truth:
      return "true";
    case Setting::Kind::integer:
    case Setting::Kind::unsigned_integer:
      return std::to_string(900 + place);
    case Setting::Kind::number:
      return "0.1" + std::to_string(1000 + place) + "5";
    case Setting::Kind::text:
      break;
  }
  if (!field.words.empty()) return field.words.at(field.name == "norm-d" ? 2 : 1);
  if (field.name == "loss") return "least_squares(-1,1,0)";
  if (field.name == "relativism") return "paired";
  if (field.name == "penalties") return "zero_centered@real:5, one_centered(1)@line:10";
  if (field.name == "constraint") return "weight_clip(0.25)";
  if (field.name == "augment") return "color,cutout";
  return field.name == "class-names" ? "1-26,255" : "a \"quoted\" näme " + std::to_string(place);
}

std::optional<std::string> text_in(const ConfigField& field, const RunConfig& config) {
  const auto value = field.get(config);
  return value ? std::optional(text_of(*value)) : std::nullopt;
}

TEST(RunConfig, EveryFieldComesBackFromJson) {
  RunConfig config;
  int place = 0;
  for (const ConfigField& field : config_fields()) set_field(config, field.name, unusual(field, ++place));
  const std::string json = to_json(config);
  const RunConfig back = run_config_from_json(json, "test");
  place = 0;
  for (const ConfigField& field : config_fields()) {
    const std::string text = unusual(field, ++place);
    if (field.name == "lr") continue;  // sets the two others
    EXPECT_EQ(text_in(field, config), text) << field.name << ": another row writes the same member";
    if (field.stored) {
      EXPECT_EQ(text_in(field, back), text) << field.name;
    }
  }
  EXPECT_EQ(to_json(back), json);
}

TEST(RunConfig, NumbersKeepEveryBit) {
  RunConfig config;
  config.seed = 18446744073709551615ull;
  config.overrides = {{"lr-d", 0.1 + 0.2}, {"lr-g", 1e-300}};
  const RunConfig back = run_config_from_json(to_json(config), "test");
  EXPECT_EQ(back.seed, config.seed);
  EXPECT_EQ(back.overrides.number("lr-d"), 0.1 + 0.2);
  EXPECT_EQ(back.overrides.number("lr-g"), 1e-300);
  EXPECT_FALSE(back.overrides.has("lambda"));
}

// A range stands in the row: by text, by JSON and by a member it is the same sentence.
TEST(RunConfig, RangesHoldAtEveryDoor) {
  RunConfig config;
  const std::string batch = "batch: expected an integer from 1 to 1048576, got 0";
  EXPECT_EQ(error_of([&] { set_field(config, "batch", "0"); }), "[config] " + batch);
  EXPECT_EQ(error_of([&] { update_from_json(config, "{\"batch\": 0}", "c.json"); }),
            "[config] c.json: " + batch);
  EXPECT_TRUE(has(error_of([&] { update_from_json(config, "{\"lambda\": -1}", "c.json"); }),
                  "c.json: lambda: expected a number of at least 0, got -1"));
  // 2^32 would be 0 in an int.
  EXPECT_TRUE(
      has(error_of([&] { set_field(config, "threads", "4294967296"); }), "threads: expected an integer"));
  EXPECT_TRUE(has(error_of([&] { set_field(config, "norm-d", "bach"); }),
                  "norm-d: expected auto, none, batch, layer, instance or virtual-batch, got 'bach'"));
  EXPECT_EQ(to_json(config), to_json(RunConfig()));
  check_values(config);
  config.batch = 0;
  EXPECT_EQ(error_of([&] { check_values(config); }), "[config] " + batch);
}

// What the help shows is what a configuration that says nothing has.
TEST(RunConfig, DefaultsAreThoseOfTheStruct) {
  const auto help = [](const char* name) {
    const ConfigField& field = config_field(name);
    return field.full_help(field.standard);
  };
  EXPECT_EQ(help("batch"), "images per step [64]");
  EXPECT_EQ(help("norm-g"),
            "auto, none, batch, layer, instance or virtual-batch; in G; auto is the architecture's [auto]");
  EXPECT_TRUE(has(help("steps"), "[3000]")) << "total_steps of a configuration that says nothing";
  EXPECT_TRUE(has(help("packing"), "[1; pacgan 2]"));
  for (const ConfigField& field : config_fields()) {
    if (field.group.empty() || field.kind != Setting::Kind::integer) continue;
    EXPECT_FALSE(field.standard.empty()) << field.name << " has no default in --help";
  }
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
    const ObjectiveOverrides all = resolved_overrides(name, {{"ema", 0.5}});
    const Objective again = named_objective(name, all), plain = named_objective(name, {{"ema", 0.5}});
    EXPECT_EQ(again.schedule.critic_steps, plain.schedule.critic_steps);
    EXPECT_EQ(again.schedule.d.lr, plain.schedule.d.lr);
    EXPECT_EQ(again.schedule.d.kind, plain.schedule.d.kind);
    EXPECT_EQ(again.schedule.ema, 0.5);
    EXPECT_EQ(again.constraint.weight_clip, plain.constraint.weight_clip);
    ASSERT_EQ(again.penalties.size(), plain.penalties.size());
    EXPECT_EQ(all.has("lambda"), !plain.penalties.empty()) << name;
    EXPECT_EQ(all.has("label-a"), name.starts_with("lsgan")) << name;
    EXPECT_EQ(all.has("beta1"), plain.schedule.d.kind == OptimizerKind::adam) << name;
    EXPECT_EQ(all.has("instance-noise-steps"), plain.schedule.instance_noise > 0) << name;
    // Resolving what is resolved changes nothing.
    EXPECT_EQ(resolved_overrides(name, all), all) << name;
  }
}

// Versions before these values were refused stored them: read as a run's they are left out, and only they.
TEST(Objectives, IdleValuesOfEarlierRunsAreLeftOut) {
  const RunConfig old = stored_config_from_json(
      R"({"objective": "wgan", "beta1": 0.9, "beta2": 0.99, "clip": 0.02, "instance-noise": 0, "instance-noise-steps": 7})",
      "c.json");
  for (const char* idle : {"beta1", "beta2", "instance-noise-steps"})
    EXPECT_FALSE(old.overrides.has(idle)) << idle;
  EXPECT_EQ(old.overrides.number("clip"), 0.02);
  EXPECT_NO_THROW(named_objective(old.objective, old.overrides));
  const RunConfig adam = stored_config_from_json(
      R"({"objective": "wgan", "optimizer": "adam", "beta1": 0.9, "instance-noise": 0.1, "instance-noise-steps": 7})",
      "c.json");
  EXPECT_EQ(adam.overrides.number("beta1"), 0.9);
  EXPECT_EQ(adam.overrides.integer("instance-noise-steps"), 7);
}

}  // namespace
}  // namespace duel::gan
