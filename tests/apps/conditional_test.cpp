// duel train and duel sample with classes and codes, from the command line.
#include "command.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A run of two iterations on a few drawn digits.
void train(const std::filesystem::path& out, const std::string& objective, std::vector<std::string> more = {}) {
  std::vector<std::string> args{"train",   "--data",      "synthetic", "--synthetic-count", "32",     "--batch", "4",
                                "--arch",  "mlp",         "--steps",   "2",                 "--threads", "1",    "--channels-g",
                                "8",       "--channels-d", "8",        "--log-every",       "1",      "--quiet", "--objective",
                                objective, "--out",       out.string()};
  const Result r = duel(with(args, more));
  ASSERT_EQ(r.status, 0) << r.err;
}

struct Grid : ::testing::Test {
  Scratch scratch;
  std::string run(const std::string& objective) {
    const auto out = scratch / objective;
    train(out, objective);
    return out.string();
  }
  Result sample(const std::string& from, const std::string& file, std::vector<std::string> more = {}) {
    std::vector<std::string> args{"sample", "--checkpoint", from, "--out", (scratch / file).string()};
    return duel(with(args, more));
  }
};

TEST_F(Grid, ClassesOfAConditionalRun) {
  const std::string cgan = run("cgan");
  EXPECT_TRUE(has(read(scratch / "cgan" / "config.json"), "\"classes\": 10"));
  Result r = sample(cgan, "all.png");
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "70 images (64 wanted, whole rows of 10 made)") && has(r.out, "302x212")) << r.out;  // 10 columns, a class each, in full rows
  r = sample(cgan, "seven.png", {"--class", "7", "--count", "16"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "16 images of") && has(r.out, "242x62")) << r.out;
  ASSERT_EQ(sample(cgan, "eight.png", {"--class", "8", "--count", "16"}).status, 0);
  EXPECT_FALSE(read(scratch / "seven.png") == read(scratch / "eight.png"));
  ASSERT_EQ(sample(cgan, "walk.png", {"--class", "7", "--interpolate", "--count", "16"}).status, 0);
  EXPECT_FALSE(read(scratch / "seven.png") == read(scratch / "walk.png"));
  expect_refused(sample(cgan, "x.png", {"--class", "10"}), {"class", "from 0 to 9, got 10"});
  expect_refused(sample(cgan, "x.png", {"--class", "-1"}), {"class", "got -1"});
  expect_refused(sample(cgan, "x.png", {"--class", "-1", "--interpolate"}), {"class", "got -1"});
  expect_refused(sample(cgan, "x.png", {"--class", "seven"}), {"class", "seven"});
  expect_refused(sample(cgan, "x.png", {"--sweep-code", "0"}), {"sweep-code", "cgan", "no codes", "infogan"});
  EXPECT_FALSE(std::filesystem::exists(scratch / "x.png"));
}

TEST_F(Grid, CodesOfInfogan) {
  const std::string infogan = run("infogan");
  EXPECT_TRUE(has(read(scratch / "infogan" / "metrics.jsonl"), "\"terms_g\":{\"info\":"));
  Result r = sample(infogan, "categories.png", {"--sweep-code", "0", "--count", "20"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "20 images") && has(r.out, "302x62")) << r.out;
  ASSERT_EQ(sample(infogan, "value.png", {"--sweep-code", "2", "--count", "20"}).status, 0);
  EXPECT_FALSE(read(scratch / "categories.png") == read(scratch / "value.png"));
  expect_refused(sample(infogan, "x.png", {"--sweep-code", "3"}), {"sweep-code", "from 0 to 2, got 3"});
  expect_refused(sample(infogan, "x.png", {"--sweep-code", "0", "--interpolate"}), {"sweep-code", "interpolate", "choose one"});
  expect_refused(sample(infogan, "x.png", {"--class", "7"}), {"class", "infogan", "no classes", "cgan"});
  EXPECT_FALSE(std::filesystem::exists(scratch / "x.png"));
}

TEST_F(Grid, BeganTellsItsBalance) {
  const std::string began = run("began");
  for (const char* key : {"\"k\":", "\"convergence\":"}) EXPECT_TRUE(has(read(scratch / "began" / "metrics.jsonl"), key)) << key;
  expect_refused(sample(began, "x.png", {"--class", "7"}), {"began", "no classes"});
}

TEST(ConditionalFlags, BelongToTheirObjective) {
  const auto refused = [](std::vector<std::string> flags, std::vector<std::string> parts) {
    std::vector<std::string> args{"train", "--data", "synthetic", "--dry-run"};
    args.insert(args.end(), flags.begin(), flags.end());
    expect_refused(duel(args), parts);
  };
  refused({"--margin", "2"}, {"ns-gan", "margin does not apply"});
  refused({"--objective", "ebgan", "--gamma", "0.3"}, {"ebgan", "gamma does not apply"});
  refused({"--objective", "infogan", "--code-classes", "0", "--code-values", "0"}, {"codes"});
  refused({"--objective", "acgan", "--packing", "2"}, {"packing 2"});
  refused({"--objective", "cgan", "--classes", "7"}, {"classes", "7", "10"});
}

// Resuming must restore k and the streams of labels and codes.
TEST(ConditionalRun, StoppedAndResumedIsTheSameRun) {
  Scratch scratch;
  for (const char* objective : {"began", "infogan", "acgan"}) {
    const auto whole = scratch / (std::string("whole-") + objective), parts = scratch / (std::string("parts-") + objective);
    train(whole, objective, {"--steps", "4"});
    train(parts, objective);
    const Result r = duel({"train", "--resume", "--out", parts.string(), "--steps", "4", "--quiet"});
    ASSERT_EQ(r.status, 0) << r.err;
    for (const char* file : {"metrics.jsonl", "samples/fakes_000004.png", "checkpoints/step_00000004.safetensors"}) {
      EXPECT_TRUE(read(whole / file) == read(parts / file)) << objective << " " << file;
    }
  }
}

}  // namespace
}  // namespace duel::apps::testing
