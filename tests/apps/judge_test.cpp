// duel judge: makes, describes and tests the networks that measures are taken with.
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "command.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/judge/judge.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

/// A folder that holds 300 drawn digits to train on and 50 to test with, and a command that does.
class JudgeTrain : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(data_);
    gan::write_mnist(data_, gan::Split::train, gan::draw_digits(300, 1), false);
    gan::write_mnist(data_, gan::Split::test, gan::draw_digits(50, 2), false);
  }
  Args training(const std::filesystem::path& out, const Args& more = {}) const {
    return with({"judge", "train", "--data", data_.string(), "--count", "200", "--epochs", "2", "--threads",
                 "1", "--out", out.string()},
                more);
  }

  const Scratch scratch_;
  const std::filesystem::path data_ = scratch_ / "data";
};

TEST(JudgeCommand, InfoSaysWhatTheFilesSay) {
  const Result all = duel({"judge", "info"});
  EXPECT_EQ(all.status, 0) << all.err;
  for (const std::string& name : gan::judge_names()) {
    EXPECT_TRUE(has(all.out, name + "\n  network   conv1 24x3x3, relu, conv2 32x4x4 stride 2")) << all.out;
    const Result one = duel({"judge", "info", name});
    EXPECT_TRUE(has(all.out, one.out)) << one.out;
    EXPECT_TRUE(has(one.out, "  command   duel judge train --data ")) << one.out;
  }
}

TEST_F(JudgeTrain, TrainsWhatInfoAndTestCanRead) {
  const std::filesystem::path file = scratch_ / "small.safetensors";
  const Result r = duel(training(file, {"--seed", "5"}));
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.err, "trains on 200 images: ")) << r.err;
  EXPECT_TRUE(has(r.err, "epoch 1: loss ") && has(r.err, "epoch 2: loss ")) << r.err;
  EXPECT_TRUE(has(r.out, "small.safetensors reads ")) << r.out;
  const gan::Judge judge = gan::load_judge(file);
  EXPECT_EQ(judge.facts().name, "small");
  EXPECT_EQ(judge.facts().seed, 5U);
  EXPECT_EQ(judge.facts().epochs, 2);
  EXPECT_EQ(judge.facts().images, 200);
  EXPECT_TRUE(has(judge.facts().command, " --count 200 --out ")) << judge.facts().command;
  EXPECT_TRUE(has(judge.facts().command, " --epochs 2 --seed 5")) << judge.facts().command;
  EXPECT_TRUE(has(duel({"judge", "info", file.string()}).out, judge.name() + "\n"));

  const Result tested = duel({"judge", "test", file.string(), "--data", data_.string(), "--json"});
  ASSERT_EQ(tested.status, 0) << tested.err;
  EXPECT_TRUE(has(tested.out, message("{\"judge\":\"{}\",", judge.name()))) << tested.out;
  EXPECT_TRUE(
      has(tested.out, message("\"images\":50,\"correct\":{},", fixed(50 * judge.facts().accuracy, 0))))
      << tested.out;

  // The same seed makes the same judge; what is there is not overwritten.
  expect_refused(duel(training(file)), {"small.safetensors is there already", "--force"});
  EXPECT_EQ(duel(training(file, {"--seed", "5", "--force", "--quiet"})).err, "");
  EXPECT_EQ(gan::load_judge(file).name(), judge.name());
  EXPECT_EQ(duel(training(file, {"--seed", "6", "--force", "--quiet"})).status, 0);
  EXPECT_NE(gan::load_judge(file).name(), judge.name());
}

TEST_F(JudgeTrain, StopsAtASignalAndWritesNothing) {
  const std::filesystem::path file = scratch_ / "never.safetensors";
  Process process(training(file, {"--epochs", "100000"}));
  std::this_thread::sleep_for(std::chrono::seconds(2));
  process.send(SIGINT);
  const Result r = process.finish();
  EXPECT_EQ(r.status, 130) << r.err;
  EXPECT_TRUE(has(r.err, "stopped")) << r.err;
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(JudgeTrain, RefusesInOneLine) {
  const std::string out = (scratch_ / "a.safetensors").string();
  expect_refused(duel({"judge", "jump"}), {"train, info or test", "\"jump\""});
  expect_refused(duel({"judge", "info", "mnist-v0"}), {"mnist-v1", "or a file of weights"});
  expect_refused(duel({"judge", "info", "--json"}), {"--json says nothing to info"});
  expect_refused(duel({"judge", "test"}), {"expected a judge"});
  expect_refused(duel({"judge", "test", "digits-v1", "--data", (scratch_ / "none").string()}), {"none"});
  expect_refused(duel({"judge", "train", "mnist-v1"}), {"expected no name"});
  expect_refused(duel({"judge", "train", "--data", "synthetic"}), {"--out: missing"});
  expect_refused(duel({"judge", "train", "--data", "synthetic", "--out", (scratch_ / "no/a").string()}),
                 {"is not a folder"});
  expect_refused(duel({"judge", "train", "--data", "synthetic", "--out", scratch_.dir().string()}),
                 {"is a folder"});
  expect_refused(duel(training(scratch_ / "two words.safetensors")), {"name", "two words"});
  expect_refused(duel(training(out, {"--epochs", "0"})), {"--epochs", "1 to"});
  expect_refused(duel(training(out, {"--seed", "-1"})), {"seed"});
  expect_refused(duel(training(out, {"--count", "301"})), {"--count", "at most the 300 images"});
  std::ofstream(out) << "weights";
  expect_refused(duel({"judge", "info", out}), {"a.safetensors", "expected at least 8 bytes"});

  gan::ImageSet small{.count = 2,
                      .height = 8,
                      .width = 8,
                      .images = std::vector<uint8_t>(128),
                      .labels = {0, 1},
                      .source = ""};
  gan::write_mnist(scratch_.dir(), gan::Split::test, small, false);
  expect_refused(duel({"judge", "test", "digits-v1", "--data", scratch_.dir().string()}),
                 {"28 x 28, got 8 x 8"});
}

}  // namespace
}  // namespace duel::apps::testing
