// Stopped in every way a run can be stopped, it goes on as if nothing had happened.
#include <signal.h>

#include <algorithm>
#include <fstream>

#include "command.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

std::vector<std::string> run_to(int steps, const std::filesystem::path& out,
                                std::vector<std::string> more = {}) {
  std::vector<std::string> args{"train",
                                "--data",
                                "synthetic",
                                "--synthetic-count",
                                "50",
                                "--batch",
                                "8",
                                "--arch",
                                "mlp",
                                "--channels-g",
                                "8",
                                "--channels-d",
                                "8",
                                "--log-every",
                                "3",
                                "--diagnose-every",
                                "4",
                                "--sample-every",
                                "5",
                                "--checkpoint-every",
                                "7",
                                "--out",
                                out.string(),
                                "--steps",
                                std::to_string(steps),
                                "--quiet",
                                "--threads",
                                "1"};
  return with(std::move(args), more);
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
  ASSERT_EQ(resume(torn).status, 0);
  expect_same_run(whole, torn, "step_00000020.safetensors");
  EXPECT_FALSE(std::filesystem::exists(torn / "checkpoints" / ".step_00000021.safetensors.tmp-1-0"));
  // run.json says who started it and who went on, also after an earlier version that kept only the time of it.
  std::string record = read(torn / "run.json");
  EXPECT_NE(record.find("at iteration 14"), std::string::npos);
  EXPECT_NE(record.find("--synthetic-count"), std::string::npos) << "the first command stays";
  const size_t begin = record.find("\"resumed_argv\"");
  ASSERT_NE(begin, std::string::npos) << record;
  EXPECT_NE(record.find("--resume", begin), std::string::npos) << record;
  std::ofstream(torn / "run.json") << record.replace(begin, std::string::npos, "\"seed\": 1}");
  ASSERT_EQ(resume(torn, {"--keep", "2"}).status, 0);
  record = read(torn / "run.json");
  record.erase(0, record.find("\"resumed_argv\""));
  EXPECT_EQ(std::count(record.begin(), record.end(), '['), 3) << "a list of an empty one and a whole one: " << record;
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
  ASSERT_EQ(duel(run_to(6, scratch / "whole")).status, 0);
  ASSERT_EQ(duel(run_to(6, scratch / "early")).status, 0);
  std::filesystem::remove(scratch / "early" / "checkpoints" / "step_00000006.safetensors");
  ASSERT_EQ(resume(scratch / "early").status, 0);
  expect_same_run(scratch / "whole", scratch / "early", "step_00000006.safetensors");
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
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(), 0.5);
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

}  // namespace
}  // namespace duel::apps::testing
