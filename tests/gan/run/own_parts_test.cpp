// Runs of parts of one's own: they are resumed, sampled from and told about as Duel's are.
#include <gtest/gtest.h>

#include "duel/core/ops.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/models/network.h"
#include "duel/gan/run/fork.h"
#include "duel/gan/run/run.h"
#include "duel/gan/run/sample_run.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/nn/layers.h"
#include "tests/files.h"
#include "tests/run_watcher.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::get;
using duel::testing::has;
using duel::testing::Scratch;

/// Two penalties of different weights: one number for both (lambda) would change it.
Objective mine(const std::string& name = "test-mine") {
  const auto pull = [](double sign) { return [sign](const Tensor& x) { return mean(tanh(x * sign)); }; };
  Objective objective{.name = name, .loss = {"tanh", pull(-1), pull(1), pull(-1), pull(1)}};
  objective.penalties = {{one_centered(1.0), on_lines(), 5.0}, {zero_centered(), at_real(), 0.25}};
  objective.schedule.ema = 0.5;
  return objective;
}

/// Batch norm in G, so that buffers have to come back too; images of 6 x 6.
Networks hand_made(const std::string& name, uint64_t seed) {
  Generator random(seed);
  const LendDefaultGenerator lent(random);
  return {
      .generator = std::make_shared<nn::Sequential>(nn::Linear(3, 5), nn::BatchNorm1d(5), nn::ReLU(),
                                                    nn::Linear(5, 36), nn::Tanh(), nn::Unflatten({1, 6, 6})),
      .discriminator = std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(36, 4), nn::LeakyReLU(0.2),
                                                        nn::Linear(4, 1)),
      .latent = {.noise = 3},
      .options = {},
      .name = name};
}

std::shared_ptr<const ResidentData> pictures() {
  return std::make_shared<ResidentData>(Generator(9).uniform({20, 1, 6, 6}, -1, 1));
}

RunConfig config(const std::filesystem::path& out, int64_t steps) {
  RunConfig c;
  c.out = out;
  c.steps = steps;
  c.batch = 4;
  c.sample_count = 4;
  c.log_every = 1;
  c.diagnose_every = c.checkpoint_every = 3;
  return c;
}

void train(const std::filesystem::path& out, int64_t steps, bool resume, RunParts parts) {
  RunConfig c = config(out, steps);
  c.resume = resume;
  duel::testing::RunWatcher watcher;
  EXPECT_TRUE(gan::Run(c, std::move(parts)).train(watcher));
}

TEST(OwnParts, GoOnBitForBit) {
  const Scratch scratch;
  train(scratch / "whole", 6, false, {mine(), hand_made("test-hand", 1), pictures()});
  train(scratch / "parts", 3, false, {mine(), hand_made("test-hand", 1), pictures()});
  // Given again, from whatever weights: those of the checkpoint count.
  train(scratch / "parts", 6, true, {mine(), hand_made("test-hand", 2), pictures()});
  for (const char* file : {"metrics.jsonl", "config.json", "checkpoints/step_00000006.safetensors",
                           "samples/fakes_000006.png", "samples/reals.png"})
    EXPECT_EQ(get(scratch / "whole" / file), get(scratch / "parts" / file)) << file;
  EXPECT_TRUE(std::filesystem::exists(scratch / "parts" / "report.html"));
  const auto bytes = get(scratch / "parts" / "config.json");
  const std::string stored(bytes.begin(), bytes.end());
  for (const char* part : {"\"objective\": \"test-mine\"", "\"arch\": \"test-hand\"", "\"data\": \"own\"",
                           "\"height\": 6", "\"latent\": 3"})
    EXPECT_TRUE(has(stored, part)) << stored;
}

// Other data, and other networks, are another run.
TEST(OwnParts, AreForkedBitForBit) {
  const Scratch scratch;
  train(scratch / "whole", 6, false, {mine(), hand_made("test-hand", 1), pictures()});
  const auto forked = [&](const std::string& name, RunParts parts) {
    RunConfig c = forked_config((scratch / "whole").string() + "@3");
    c.out = scratch / name;
    duel::testing::RunWatcher watcher;
    EXPECT_TRUE(gan::Run(c, std::move(parts)).train(watcher));
  };
  forked("fork", {mine(), hand_made("test-hand", 2), pictures()});
  for (const char* file : {"checkpoints/step_00000006.safetensors", "checkpoints/step_00000003.safetensors",
                           "samples/fakes_000006.png", "config.json"})
    EXPECT_EQ(get(scratch / "whole" / file), get(scratch / "fork" / file)) << file;
  // Networks that were given are not those of a row: the state itself says that it does not fit.
  Networks other = hand_made("test-hand", 2);
  other.discriminator = std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(36, 1));
  const std::string why = error_of([&] { forked("other", {mine(), other, pictures()}); });
  EXPECT_TRUE(has(why, "[fork] ") && has(why, "step_00000003") && has(why, "d.1.weight")) << why;
  EXPECT_FALSE(std::filesystem::exists(scratch / "other"));
}

TEST(OwnParts, AreHeldToTheRun) {
  const Scratch scratch;
  train(scratch / "run", 3, false, {mine(), hand_made("test-hand", 1), pictures()});
  const auto other = std::make_shared<ResidentData>(Generator(8).uniform({20, 1, 6, 6}, -1, 1));
  RunConfig c = config(scratch / "run", 6);
  c.resume = true;
  const auto refused = [&](RunParts parts) { return error_of([&] { gan::Run run(c, std::move(parts)); }); };
  EXPECT_TRUE(has(refused({mine(), hand_made("test-hand", 1), other}), "holds other ones"));
  EXPECT_TRUE(has(refused({mine(), hand_made("test-other", 1), pictures()}), "arch: this run was started"));
  EXPECT_TRUE(has(refused({mine("test-other"), hand_made("test-hand", 1), pictures()}), "objective: "));
  c.data = "own";
  EXPECT_TRUE(has(refused({mine(), hand_made("test-hand", 1)}), "its own program gave"));
}

TEST(OwnParts, AreWhatTheRunTrains) {
  const Scratch scratch;
  const Networks given = hand_made("test-hand", 1);
  gan::Run run(config(scratch / "run", 3), {mine(), given, pictures()});
  // Everything was checked by an iteration, and nothing has moved.
  const nn::StateDict before = hand_made("test-hand", 1).generator->state_dict();
  const nn::StateDict now = run.trainer().networks().generator->state_dict();
  EXPECT_EQ(run.trainer().networks().generator, given.generator);
  ASSERT_EQ(before.size(), now.size());
  for (size_t i = 0; i < now.size(); ++i)
    EXPECT_EQ(before[i].second.to_vector<double>(), now[i].second.to_vector<double>()) << now[i].first;
  ASSERT_EQ(run.trainer().objective().penalties.size(), 2u);
  EXPECT_EQ(run.trainer().objective().penalties[1].weight, 0.25);
  EXPECT_TRUE(has(run.banner(), "20 images of 6x6: samples of the program's own")) << run.banner();
}

TEST(OwnParts, AreRebuiltByTheirNames) {
  const Scratch scratch;
  train(scratch / "run", 3, false, {mine("test-named"), hand_made("test-row", 1), pictures()});
  const std::string sentence = error_of([&] { load_trainer(scratch / "run"); });
  EXPECT_TRUE(has(sentence, "[checkpoint] ") &&
              has(sentence, "arch 'test-row' is not registered in this program") &&
              has(sentence, "register_network") && has(sentence, "Duel's own networks only"))
      << sentence;
  register_network({.name = "test-row", .about = "by hand", .build = [](const NetworkOptions&) {
                      return hand_made("", 5);
                    }});
  const LoadedTrainer loaded = load_trainer(scratch / "run");
  EXPECT_EQ(loaded.trainer->iteration(), 3);
  EXPECT_EQ(loaded.trainer->objective().penalties[1].weight, 0.25);
  const std::string line =
      sample_run({.checkpoint = scratch / "run", .out = scratch / "grid.png", .count = 8});
  EXPECT_TRUE(has(line, "8 images of iteration 3 (test-named, test-row), 66x10 pixels")) << line;
  EXPECT_TRUE(std::filesystem::exists(scratch / "grid.png"));
  EXPECT_TRUE(has(error_of([&] { sample_run({.checkpoint = scratch / "run", .out = scratch / "grid.png"}); }),
                  "is there already"));
}

// A stored run of an objective that nobody registered: the sentence says what is missing.
TEST(OwnParts, NameWhatIsNotRegistered) {
  const Scratch scratch;
  train(scratch / "run", 3, false, {mine("test-gone"), hand_made("test-hand", 1), pictures()});
  Checkpoint stored = read_checkpoint(*latest_checkpoint(scratch / "run"));
  stored.config.replace(stored.config.find("test-gone"), 9, "test-lost");
  write_checkpoint(scratch / "lost.safetensors", stored.state, stored.config);
  const std::string sentence = error_of([&] { load_trainer(scratch / "lost.safetensors"); });
  EXPECT_TRUE(has(sentence, "objective 'test-lost' is not registered in this program") &&
              has(sentence, "register_objective"))
      << sentence;
}

TEST(OwnParts, ThatCannotBeAreRefusedBeforeAnythingIsWritten) {
  const Scratch scratch;
  const auto refused = [&](RunParts parts) {
    const std::string text = error_of([&] { gan::Run run(config(scratch / "run", 3), std::move(parts)); });
    EXPECT_FALSE(std::filesystem::exists(scratch / "run"));
    return text;
  };
  EXPECT_TRUE(has(refused({.objective = mine("wgan-gp")}), "'wgan-gp' is Duel's own objective"));
  EXPECT_TRUE(has(refused({.objective = mine("")}), "expected a name"));
  EXPECT_TRUE(has(refused({.networks = Networks{}, .data = pictures()}), "null pointer"));
  EXPECT_TRUE(has(refused({.data = std::make_shared<ResidentData>(Generator(1).normal({20, 2}))}),
                  "expected images [count, 1, H, W] or"));
  Networks told = hand_made("test-hand", 1);
  told.latent.classes = 4;
  EXPECT_TRUE(has(refused({mine(), told, pictures()}), "is told 0 classes"));
  Networks large = hand_made("test-hand", 1);  // whose images are not those of the data
  EXPECT_TRUE(has(refused({mine(), large, draw_digits(8, 1)}), "its first iteration would fail"));
}

// Duel's own objective and networks on data of one's own need no names.
TEST(OwnParts, DataAloneMayBeGiven) {
  const Scratch scratch;
  RunConfig c = config(scratch / "run", 2);
  c.networks.arch = "mlp";
  c.networks.channels_g = c.networks.channels_d = 4;
  c.objective = "cgan";
  ImageSet digits = draw_digits(30, 3);
  duel::testing::RunWatcher watcher;
  EXPECT_TRUE(gan::Run(c, {.data = digits}).train(watcher));
  EXPECT_EQ(load_trainer(scratch / "run").config.networks.classes, 10);
}

}  // namespace
}  // namespace duel::gan
