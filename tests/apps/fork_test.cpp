// duel train --fork: bit for bit the run that it is from while nothing is changed, another one from where something is,
// and what has no place in its state is refused by name.
#include <signal.h>

#include <fstream>

#include "tiny_run.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

class Fork : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Scratch;
    // An average, whose statistics have a generator of their own, and rates that fall: all of it is in the state.
    ASSERT_EQ(duel(tiny_run(origin(), {"--objective", "dragan", "--ema", "0.9", "--keep", "9"})).status, 0);
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static std::filesystem::path origin() { return *folder_ / "origin"; }
  static std::string at(const std::string& step) { return origin().string() + "@" + step; }
  static std::filesystem::path checkpoint(const std::filesystem::path& run, const std::string& step) {
    return run / "checkpoints" / ("step_000000" + step + ".safetensors");
  }
  static Args fork(const std::string& from, const std::filesystem::path& out, const Args& more = {}) {
    Args args{"train", "--fork", from, "--out", out.string(), "--quiet", "--threads", "1"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  /// Lines of metrics after an iteration.
  static std::string metrics_after(const std::filesystem::path& run, int iteration) {
    const std::string all = read(run / "metrics.jsonl");
    for (size_t begin = 0; begin < all.size(); begin = all.find('\n', begin) + 1) {
      if (std::atoi(all.c_str() + begin + std::string("{\"iteration\":").size()) > iteration)
        return all.substr(begin);
    }
    return {};
  }

  inline static Scratch* folder_ = nullptr;
  const Scratch scratch_;
};

TEST_F(Fork, WithNothingChangedItIsTheSameRunBitForBit) {
  const auto before = contents(origin());
  for (const std::string& from : {at("10"), checkpoint(origin(), "10").string()}) {
    const auto run = scratch_ / (has(from, "@") ? "by step" : "by file");
    ASSERT_EQ(duel(fork(from, run)).status, 0);
    EXPECT_TRUE(read(checkpoint(run, "10")) == read(checkpoint(origin(), "10"))) << "its first one is a copy";
    EXPECT_TRUE(read(checkpoint(run, "20")) == read(checkpoint(origin(), "20")));
    EXPECT_EQ(read(run / "metrics.jsonl"), metrics_after(origin(), 10));
    EXPECT_EQ(read(run / "config.json"), read(origin() / "config.json"));
    for (const char* grid : {"fakes_000010.png", "fakes_000015.png", "fakes_000020.png", "reals.png"})
      EXPECT_TRUE(read(run / "samples" / grid) == read(origin() / "samples" / grid)) << grid;
  }
  EXPECT_TRUE(contents(origin()) == before);
}

TEST_F(Fork, OfTheBestIsOfTheCheckpointThatWasKeptForItsQuality) {
  const auto rated = scratch_ / "rated";
  std::filesystem::copy(origin(), rated, std::filesystem::copy_options::recursive);
  std::filesystem::rename(checkpoint(rated, "10"), rated / "checkpoints" / "best_00000010.safetensors");
  const auto run = scratch_ / "run";
  const Result r = duel(fork(rated.string() + "@best", run));
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(read(checkpoint(run, "10")) == read(checkpoint(origin(), "10")));
  EXPECT_TRUE(read(checkpoint(run, "20")) == read(checkpoint(origin(), "20")));
}

TEST_F(Fork, SaysWhereItIsFrom) {
  const auto run = scratch_ / "run";
  Args args = fork(at("10"), run, {"--lr-g", "0.001", "--steps", "25"});
  std::erase(args, "--quiet");
  const Result r = duel(args);
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "fork      of iteration 10 of " + checkpoint(origin(), "10").string() + " (crc32 "))
      << r.out;
  EXPECT_TRUE(has(r.out, "changed   lr-g 1e-04 to 0.001\n")) << r.out;
  EXPECT_TRUE(has(r.out, "changed   steps 20 to 25\n")) << r.out;
  EXPECT_EQ(occurrences(r.out, "changed "), 2u) << r.out;
  const std::string record = read(run / "run.json");
  for (const char* part : {"\"fork\"", "\"iteration\": 10", "\"crc32\": \"", "lr-g 1e-04 to 0.001"})
    EXPECT_TRUE(has(record, part)) << record;
  EXPECT_TRUE(has(record, "\"run\": \"" + origin().string() + "\"")) << record;
  EXPECT_TRUE(has(read(run / "report.html"),
                  "<p>Forked from iteration 10 of " + checkpoint(origin(), "10").string()));
  EXPECT_TRUE(has(read(run / "config.json"), "\"lr-g\": 0.001"));
  EXPECT_NE(metrics_after(run, 13), metrics_after(origin(), 13)) << "the new rate counts";
}

TEST_F(Fork, IsResumedAsAnyRun) {
  const Args changed{"--lr", "0.001",   "--lambda", "3", "--steps", "40", "--checkpoint-every",
                     "7",    "--batch", "4"};
  const auto whole = scratch_ / "whole", torn = scratch_ / "torn";
  ASSERT_EQ(duel(fork(at("latest"), whole, changed)).status, 0);
  std::filesystem::copy(whole, torn, std::filesystem::copy_options::recursive);
  for (const char* step : {"40", "35", "28", "21"}) std::filesystem::remove(checkpoint(torn, step));
  ASSERT_TRUE(std::filesystem::exists(checkpoint(whole, "40")));
  // Of whole --keep left the newest; of the one that was killed early the first is there.
  std::filesystem::copy_file(checkpoint(origin(), "20"), scratch_ / "kept");
  if (!std::filesystem::exists(checkpoint(torn, "20")))
    std::filesystem::rename(scratch_ / "kept", checkpoint(torn, "20"));
  const std::string record = read(torn / "run.json");
  ASSERT_EQ(duel({"train", "--resume", "--out", torn.string(), "--quiet"}).status, 0);
  EXPECT_TRUE(read(checkpoint(torn, "40")) == read(checkpoint(whole, "40")));
  EXPECT_EQ(read(torn / "metrics.jsonl"), read(whole / "metrics.jsonl"));
  EXPECT_TRUE(has(read(torn / "run.json"), record.substr(record.find("\"fork\""), 60))) << "its origin stays";
}

TEST_F(Fork, KilledBeforeItsOwnFirstCheckpointItGoesOnFromItsCopy) {
  const Args changed{"--steps", "600", "--checkpoint-every", "0", "--lr-d", "0.0001"};
  const auto whole = scratch_ / "whole", killed = scratch_ / "killed";
  ASSERT_EQ(duel(fork(at("10"), whole, changed)).status, 0);
  Args longer = fork(at("10"), killed, changed);
  longer[std::find(longer.begin(), longer.end(), "600") - longer.begin()] = "1000000";
  {
    Process process(longer);
    ASSERT_TRUE(process.wait_for(killed / "metrics.jsonl", "\"iteration\":21,"));
    process.send(SIGKILL);
    process.finish();
  }
  // Without that copy it would start again from nothing.
  std::filesystem::copy(killed, scratch_ / "bare", std::filesystem::copy_options::recursive);
  std::filesystem::remove(checkpoint(scratch_ / "bare", "10"));
  expect_refused(duel({"train", "--resume", "--out", (scratch_ / "bare").string()}),
                 {"this fork of iteration 10", "no checkpoint of its own", "again into another --out"});
  ASSERT_EQ(duel({"train", "--resume", "--out", killed.string(), "--steps", "600", "--quiet"}).status, 0);
  EXPECT_EQ(read(killed / "metrics.jsonl"), read(whole / "metrics.jsonl"));
}

TEST_F(Fork, OtherWeightsStepsAndObjectives) {
  // Objectives that move networks of the same kind by the same optimizer fit.
  const auto run = scratch_ / "other";
  ASSERT_EQ(duel(fork(at("20"), run, {"--objective", "hinge", "--steps", "22"})).status, 0);
  EXPECT_TRUE(has(read(run / "config.json"), "\"objective\": \"hinge\""));
  EXPECT_TRUE(has(read(run / "config.json"), "\"ema\": 0.9")) << "what was set stays";
  EXPECT_FALSE(has(read(run / "config.json"), "\"lambda\"")) << "what was another objective's";
  ASSERT_EQ(duel(fork(at("20"), scratch_ / "more",
                      {"--critic-steps", "2", "--steps", "22", "--instance-noise", "0.1"}))
                .status,
            0);
}

TEST_F(Fork, WhatHasNoPlaceInTheStateIsRefusedByItsName) {
  const auto fresh = scratch_ / "fresh";
  const auto refuse = [&](const std::string& from, const Args& more, const std::vector<std::string>& parts) {
    const auto before = contents(origin());
    expect_refused(duel(fork(from, fresh, more)), parts);
    EXPECT_TRUE(contents(origin()) == before);
    EXPECT_FALSE(std::filesystem::exists(fresh));
  };
  refuse(at("10"), {"--dry-run", "--latent", "7"}, {"[fork] latent: "});
  refuse(at("10"), {"--arch", "dcgan"}, {"[fork] arch: ", "has mlp", "does not fit dcgan", "leave it out"});
  refuse(at("10"), {"--channels-g", "16"}, {"[fork] channels-g: ", "has 8", "16"});
  refuse(at("10"), {"--channels-d", "16", "--lr", "0.1"}, {"[fork] channels-d: "});
  refuse(at("10"), {"--latent", "5"}, {"[fork] latent: ", "does not fit 5"});
  refuse(at("10"), {"--optimizer", "sgd"}, {"optimizer"});
  refuse(at("10"), {"--ema", "0"}, {"[fork] ema: ", "has 0.9"});
  refuse(at("10"), {"--norm-d", "layer"}, {"[fork] norm-d: "});
  refuse(at("10"), {"--objective", "wgan"}, {"[fork] objective: ", "dragan"});
  refuse(at("10"), {"--objective", "began"}, {"[fork] objective: "});
  refuse(at("10"), {"--seed", "2"}, {"[fork] seed: ", "random streams"});
  refuse(at("20"), {}, {"[fork] steps: ", "at iteration 20 already", "more --steps"});
  refuse(at("7"), {}, {"@7", "no checkpoint of that step", "5, 10, 15, 20"});
  refuse(at("best"), {}, {"@best", "kept no checkpoint for its quality"});
  refuse(at("ten"), {}, {"'ten' is no step", "RUN@STEP"});
  refuse((scratch_ / "nowhere").string() + "@3", {}, {"nowhere", "no such run directory"});
  refuse("nowhere", {}, {"nowhere", "RUN@STEP, RUN@latest, RUN@best or a checkpoint"});
  refuse(scratch_.dir().string() + "@latest", {}, {"no config.json"});
  refuse((origin() / "config.json").string(), {}, {"config.json"});
  expect_refused(duel({"train", "--fork", at("10"), "--resume", "--out", origin().string()}), {"fork"});
  expect_refused(duel(fork(at("10"), origin())), {origin().string(), "already holds a run"});
  write(scratch_ / "c.json", "{\"fork\": \"" + at("10") + "\"}");
  expect_refused(duel({"train", "--config", (scratch_ / "c.json").string(), "--out", fresh.string()}),
                 {"c.json", "fork", "command line"});
}

TEST_F(Fork, ADamagedCheckpointIsRefused) {
  const auto run = scratch_ / "run";
  std::filesystem::copy(origin(), run, std::filesystem::copy_options::recursive);
  std::string bytes = read(checkpoint(run, "10"));
  bytes[bytes.size() - 1000] ^= 1;
  write(checkpoint(run, "10"), bytes);
  expect_refused(duel(fork(run.string() + "@10", scratch_ / "fresh")), {"step_00000010", "crc32"});
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "fresh"));
}

}  // namespace
}  // namespace duel::apps::testing
