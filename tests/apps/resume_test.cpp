// Stopped in every way a run can be stopped, it goes on as if nothing had happened.
#include <signal.h>

#include <algorithm>
#include <fstream>

#include "command.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/gan/run/run.h"
#include "duel/nn/layers.h"
#include "tests/run_watcher.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

std::vector<std::string> run_to(int steps, const std::filesystem::path& out,
                                std::vector<std::string> more = {}) {
  return drawn_run(out, with({"--log-every", "3", "--diagnose-every", "4", "--sample-every", "5",
                              "--checkpoint-every", "7", "--steps", std::to_string(steps), "--quiet"},
                             more));
}

Result resume(const std::filesystem::path& out, std::vector<std::string> more = {}) {
  std::vector<std::string> args{"train", "--resume", "--out", out.string(), "--quiet"};
  args.insert(args.end(), more.begin(), more.end());
  return duel(args);
}

/// What an uninterrupted run leaves, but for clocks and for checkpoints that come and go.
void expect_same_run(const std::filesystem::path& a, const std::filesystem::path& b,
                     const std::string& last) {
  EXPECT_TRUE(read(a / "metrics.jsonl") == read(b / "metrics.jsonl"));
  EXPECT_NE(read(a / "metrics.jsonl").find("held_out_gap"), std::string::npos);
  EXPECT_TRUE(read(a / "config.json") == read(b / "config.json"));
  ASSERT_FALSE(read(a / "checkpoints" / last).empty());
  EXPECT_TRUE(read(a / "checkpoints" / last) == read(b / "checkpoints" / last));
  for (const auto& entry : std::filesystem::directory_iterator(a / "samples")) {
    EXPECT_TRUE(read(entry.path()) == read(b / "samples" / entry.path().filename())) << entry.path();
  }
  EXPECT_EQ(duel::testing::files_in(a / "samples"), duel::testing::files_in(b / "samples"));
}

TEST(Resume, CutsWhatLiesBehindTheCheckpointAndRepeatsIt) {
  Scratch scratch;
  const auto whole = scratch / "whole", torn = scratch / "torn";
  ASSERT_EQ(duel(run_to(20, whole)).status, 0);
  std::filesystem::copy(whole, torn, std::filesystem::copy_options::recursive);
  // As after a kill at iteration 19: the last checkpoint is that of 14; a line is torn, a save was under way.
  std::filesystem::remove(torn / "checkpoints" / "step_00000020.safetensors");
  std::ofstream(torn / "metrics.jsonl", std::ios::app) << "{\"iteration\":19,\"epo";
  std::ofstream(torn / "checkpoints" / ".step_00000021.safetensors.tmp-1-0") << "half";
  const gan::MetricsLog before = gan::parse_metrics(read(torn / "timing.jsonl"));
  ASSERT_EQ(resume(torn).status, 0);
  expect_same_run(whole, torn, "step_00000020.safetensors");
  // Times go on from those of the checkpoint's iteration.
  const std::vector<double> expected{1, 3, 4, 6, 7, 8, 9, 12, 14, 15, 16, 18, 20};
  const gan::MetricsLog after = gan::parse_metrics(read(torn / "timing.jsonl"));
  const gan::Curve *old = before.curve("seconds"), *now = after.curve("seconds");
  ASSERT_TRUE(old && now);
  EXPECT_EQ(old->x, expected);
  EXPECT_EQ(now->x, expected);
  EXPECT_TRUE(std::is_sorted(now->y.begin(), now->y.end()));
  for (size_t i = 0; i <= 8; ++i) EXPECT_EQ(now->y[i], old->y[i]) << "iteration " << now->x[i];
  EXPECT_FALSE(std::filesystem::exists(torn / "checkpoints" / ".step_00000021.safetensors.tmp-1-0"));
  // run.json says who started it and who went on, also after an earlier version that kept only the time of
  // it.
  std::string record = read(torn / "run.json");
  EXPECT_NE(record.find("at iteration 14"), std::string::npos);
  EXPECT_NE(record.find("--synthetic-count"), std::string::npos) << "the first command stays";
  const size_t begin = record.find("\"resumed_argv\"");
  ASSERT_NE(begin, std::string::npos) << record;
  EXPECT_NE(record.find("--resume", begin), std::string::npos) << record;
  std::ofstream(torn / "run.json") << record.replace(begin, std::string::npos, "\"earlier\": 1}");
  ASSERT_EQ(resume(torn, {"--keep", "2"}).status, 0);
  record = read(torn / "run.json");
  record.erase(0, record.find("\"resumed_argv\""));
  EXPECT_EQ(std::count(record.begin(), record.end(), '['), 3)
      << "a list of an empty one and a whole one: " << record;
  EXPECT_NE(record.find("--keep"), std::string::npos) << record;
}

TEST(Resume, AFinishedRunIsMadeLonger) {
  Scratch scratch;
  ASSERT_EQ(duel(run_to(15, scratch / "whole", {"--objective", "dragan"})).status, 0);
  ASSERT_EQ(duel(run_to(10, scratch / "longer", {"--objective", "dragan"})).status, 0);
  ASSERT_EQ(resume(scratch / "longer", {"--steps", "15", "--threads", "1"}).status, 0);
  expect_same_run(scratch / "whole", scratch / "longer", "step_00000015.safetensors");
  // Nothing left to do is no mistake, and is said so.
  const Result again = duel({"train", "--resume", "--out", (scratch / "longer").string()});
  EXPECT_EQ(again.status, 0);
  EXPECT_NE(again.out.find("at iteration 15 already"), std::string::npos) << again.out;
  EXPECT_EQ(again.out.find("images/s"), std::string::npos) << again.out;
  // Shorter than it is already: its config.json would no longer repeat it.
  const auto before = contents(scratch / "longer");
  for (const char* also : {"--quiet", "--dry-run"}) {
    expect_refused(duel({"train", "--resume", "--out", (scratch / "longer").string(), "--steps", "14", also}),
                   {"steps", "already at iteration 15", "got 14", "give more --steps"});
  }
  EXPECT_TRUE(contents(scratch / "longer") == before);
}

TEST(Resume, BeforeTheFirstCheckpointItStartsAgain) {
  Scratch scratch;
  const auto whole = scratch / "whole", early = scratch / "early";
  ASSERT_EQ(duel(run_to(6, whole)).status, 0);
  {
    Process process(run_to(100000, early, {"--checkpoint-every", "0"}));
    ASSERT_TRUE(process.wait_for(early / "metrics.jsonl", "\"iteration\":9,"));
    process.send(SIGKILL);
    process.finish();
  }
  ASSERT_EQ(resume(early, {"--steps", "6", "--checkpoint-every", "7", "--threads", "1"}).status, 0);
  expect_same_run(whole, early, "step_00000006.safetensors");
}

// `cp -al` makes a snapshot of a run out of hard links; a run that goes on must not write into it.
TEST(Resume, ASnapshotOfHardLinksStaysAsItWas) {
  Scratch scratch;
  const auto run = scratch / "run", snapshot = scratch / "snapshot";
  ASSERT_EQ(duel(run_to(6, run)).status, 0);
  std::filesystem::copy(
      run, snapshot,
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::create_hard_links);
  const auto before = contents(snapshot);
  ASSERT_EQ(resume(run, {"--steps", "9"}).status, 0);
  EXPECT_TRUE(contents(snapshot) == before);
  EXPECT_NE(read(run / "metrics.jsonl"), read(snapshot / "metrics.jsonl"));
}

// A checkpoint that was saved and is gone is not the same: everything would be written over from the start.
TEST(Resume, WithoutTheCheckpointsThatWereSavedNothingIsOverwritten) {
  Scratch scratch;
  const auto run = scratch / "run", kept = scratch / "kept.safetensors",
             checkpoint = run / "checkpoints" / "step_00000006.safetensors";
  ASSERT_EQ(duel(run_to(6, run)).status, 0);
  std::filesystem::rename(checkpoint, kept);
  const auto refused = [&](const std::vector<std::string>& parts) {
    const auto before = contents(run);
    for (const char* also : {"--quiet", "--dry-run"}) {
      expect_refused(duel({"train", "--resume", "--out", run.string(), "--steps", "9", also}), parts);
    }
    EXPECT_TRUE(contents(run) == before);
  };
  refused(
      {"no checkpoint", "log.txt says: saved ", "step_00000006", "put the checkpoint back", "another --out"});
  std::filesystem::rename(run / "log.txt", scratch / "log.txt");
  refused({"no checkpoint", "log.txt, which says whether there was one, is missing"});
  std::filesystem::create_symlink("gone", run / "log.txt");
  refused({"no checkpoint"});
  std::filesystem::remove(run / "log.txt");
  std::filesystem::rename(scratch / "log.txt", run / "log.txt");
  // A folder that is not there now (on a disk that is not mounted) is not an empty one.
  std::filesystem::remove(run / "checkpoints");
  std::filesystem::create_symlink("not mounted", run / "checkpoints");
  refused({"checkpoints", "cannot be created"});
  std::filesystem::remove(run / "checkpoints");
  std::filesystem::create_directory(run / "checkpoints");
  std::filesystem::rename(kept, checkpoint);
  EXPECT_EQ(resume(run, {"--steps", "9"}).status, 0);
}

// A disk that is not mounted, a right that is missing: the checkpoint is whole, and nobody is told to take it
// away.
TEST(Resume, ACheckpointThatCannotBeReadMayBeWhole) {
  Scratch scratch;
  const auto run = scratch / "run", checkpoint = run / "checkpoints" / "step_00000006.safetensors";
  ASSERT_EQ(duel(run_to(6, run, {"--checkpoint-every", "3"})).status, 0);
  std::filesystem::rename(checkpoint, scratch / "moved");
  std::filesystem::create_symlink(scratch / "not mounted", checkpoint);
  const auto lost = [&](const Result& r) {
    expect_refused(r, {checkpoint.string(), "No such file or directory"});
    EXPECT_EQ(r.err.find("delete"), std::string::npos) << r.err;
    EXPECT_EQ(r.err.find("elsewhere"), std::string::npos) << r.err;
    EXPECT_EQ(r.err.find("damaged"), std::string::npos) << r.err;
  };
  lost(resume(run));
  expect_refused(resume(run), {"may be whole", "make it readable"});
  lost(duel({"sample", "--checkpoint", run.string(), "--out", (scratch / "g.png").string()}));
  // Damage is another thing: the checkpoint before it is as good.
  std::filesystem::remove(checkpoint);
  std::string bytes = read(scratch / "moved");
  bytes[bytes.size() - 1000] ^= 1;
  std::ofstream(checkpoint, std::ios::binary) << bytes;
  expect_refused(resume(run), {checkpoint.string(), "crc32",
                               "move that file elsewhere to resume from the checkpoint before it"});
  std::filesystem::remove(checkpoint);
  EXPECT_EQ(resume(run).status, 0);
  EXPECT_EQ(read(checkpoint), read(scratch / "moved"));
}

TEST(Resume, DataThatWasGivenByARelativePathIsFoundFromElsewhere) {
  Scratch scratch;
  const auto run = scratch / "run", elsewhere = scratch / "elsewhere";
  for (const auto& folder : {elsewhere, scratch / "set"}) std::filesystem::create_directory(folder);
  gan::write_mnist(scratch / "set", gan::Split::train, gan::draw_digits(20, 1), false);
  ASSERT_EQ(duel(run_to(4, run, {"--data", "set", "--batch", "4"}), {.cwd = scratch.dir()}).status, 0);
  const std::string config = read(run / "config.json"),
                    absolute = "\"data\": \"" + (scratch / "set").string() + "\"";
  ASSERT_NE(config.find(absolute), std::string::npos) << config;
  EXPECT_EQ(
      duel({"train", "--resume", "--out", "../run", "--steps", "6", "--quiet"}, {.cwd = elsewhere}).status,
      0);
  // Duel 0.1.0 stored what was given.
  std::string old = read(run / "config.json");
  std::ofstream(run / "config.json") << old.replace(old.find(absolute), absolute.size(), "\"data\": \"set\"");
  const std::vector<std::string> on{"train", "--resume", "--out", run.string(), "--steps", "8", "--quiet"};
  expect_refused(duel(on, {.cwd = elsewhere}), {"data: set", elsewhere.string(), "--data"});
  EXPECT_EQ(duel(with(on, {"--data", "../set"}), {.cwd = elsewhere}).status, 0);
  EXPECT_NE(read(run / "config.json").find(absolute), std::string::npos);
}

class Signal : public ::testing::TestWithParam<int> {};

TEST_P(Signal, SavesExitsAndResumesBitForBit) {
  Scratch scratch;
  const auto whole = scratch / "whole", stopped = scratch / "stopped";
  const std::vector<std::string> tail{"--sample-every", "0", "--checkpoint-every", "0"};
  ASSERT_EQ(duel(run_to(2500, whole, tail)).status, 0);
  Process process(run_to(2500, stopped, tail));
  ASSERT_TRUE(process.wait_for(stopped / "metrics.jsonl", "\"iteration\":30,"));
  process.send(GetParam());
  const Result r = process.finish();
  ASSERT_EQ(r.status, 128 + GetParam()) << r.err;
  EXPECT_NE(r.err.find("continue with: duel train --resume --out "), std::string::npos) << r.err;
  ASSERT_EQ(duel::testing::files_in(stopped / "checkpoints"), 1u);
  ASSERT_EQ(resume(stopped).status, 0);
  expect_same_run(whole, stopped, "step_00002500.safetensors");
}

INSTANTIATE_TEST_SUITE_P(Resume, Signal, ::testing::Values(SIGINT, SIGTERM), [](const auto& number) {
  return number.param == SIGINT ? std::string("Interrupt") : std::string("Terminate");
});

TEST(Resume, ASecondSignalEndsAtOnce) {
  Scratch scratch;
  // Large enough that the first iteration is not over when the second signal comes.
  Process process({"train", "--data", "synthetic", "--synthetic-count", "512", "--batch", "512", "--arch",
                   "dcgan", "--objective", "wgan-gp", "--threads", "1", "--steps", "3", "--out",
                   (scratch / "a").string(), "--quiet"});
  ASSERT_TRUE(process.wait_for(scratch / "a" / "log.txt", "networks"));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  process.send(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  process.send(SIGINT);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(process.finish().status, 130);
  // Half a second would do on a quiet machine; the iteration that is cut short takes several.
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(), 2);
  EXPECT_TRUE(std::filesystem::is_empty(scratch / "a" / "checkpoints"));
}

TEST(Resume, KilledRunsGoOn) {
  Scratch scratch;
  const std::vector<std::string> tail{"--sample-every", "50", "--checkpoint-every", "20"};
  ASSERT_EQ(duel(run_to(300, scratch / "whole", tail)).status, 0);
  const auto killed = scratch / "killed";
  {
    Process process(run_to(300, killed, tail));
    ASSERT_TRUE(process.wait_for(killed / "metrics.jsonl", "\"iteration\":99,"));
    process.send(SIGKILL);
    EXPECT_EQ(process.finish().status, 128 + SIGKILL);
  }
  ASSERT_EQ(resume(killed).status, 0);
  expect_same_run(scratch / "whole", killed, "step_00000300.safetensors");
}

TEST(Resume, OneRunAtATimeInAFolder) {
  Scratch scratch;
  const auto folder = scratch / "a";
  Process first(run_to(100000, folder, {"--checkpoint-every", "1000"}));
  ASSERT_TRUE(first.wait_for(folder / "metrics.jsonl", "\"iteration\":3,"));
  expect_refused(resume(folder), {folder.string(), "another process"});
  expect_refused(duel(run_to(5, folder)), {folder.string(), "already holds a run"});
  first.send(SIGINT);
  EXPECT_EQ(first.finish().status, 130);
}

// Made by a program of its own: what Run says of it, not that its name is misspelt.
TEST(Resume, RunsOfAProgramsOwnPartsSaySo) {
  Scratch scratch;
  duel::testing::RunWatcher observer;
  gan::RunConfig config;
  config.data = "synthetic";
  config.synthetic_count = 20;
  config.batch = 4;
  config.steps = 2;
  config.sample_count = 4;
  config.networks.arch = "mlp";
  config.networks.channels_g = config.networks.channels_d = 4;
  config.threads = 1;
  config.out = scratch / "objective";
  gan::Objective mine = gan::named_objective("wgan-gp");
  mine.name = "test-mine";
  ASSERT_TRUE(gan::Run(config, {.objective = mine}).train(observer));
  const auto before = contents(scratch / "objective");
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"--steps", "4"}, {"--lambda", "3", "--steps", "4"}}) {
    expect_refused(resume(scratch / "objective", more),
                   {(scratch / "objective" / "config.json").string(),
                    "objective 'test-mine' is not registered in this program", "the program that made"});
  }
  EXPECT_TRUE(contents(scratch / "objective") == before);

  config.out = scratch / "networks";
  gan::Networks networks{.generator = std::make_shared<nn::Sequential>(nn::Linear(3, 784), nn::Tanh(),
                                                                       nn::Unflatten({1, 28, 28})),
                         .discriminator = std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(784, 1)),
                         .latent = {.noise = 3},
                         .options = {},
                         .name = "test-net"};
  ASSERT_TRUE(gan::Run(config, {.networks = networks}).train(observer));
  expect_refused(resume(scratch / "networks"),
                 {"arch 'test-net' is not registered", "the program that made"});
}

}  // namespace
}  // namespace duel::apps::testing
