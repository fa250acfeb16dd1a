// The algebra on the command line: composed objectives train, resume, sample and repeat from their files; bad mixes
// are one line.
#include <fstream>

#include "command.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

const Args kParts = {
    "--loss",       "hinge",  "--penalty",    "zero_centered@real:5", "--penalty", "one_centered(1)@line:10",
    "--relativism", "paired", "--constraint", "spectral_norm"};

Args run_into(const std::filesystem::path& out, const Args& more) {
  return drawn_run(
      out, with({"--synthetic-count", "40", "--quiet", "--log-every", "1", "--diagnose-every", "0"}, more));
}

TEST(ComposedObjective, TrainsResumesSamplesAndRepeats) {
  Scratch scratch;
  const auto whole = scratch / "whole", parts = scratch / "parts", again = scratch / "again";
  Result r = duel(run_into(whole, with(kParts, {"--steps", "4"})));
  ASSERT_EQ(r.status, 0) << r.err;
  r = duel(run_into(parts, with(kParts, {"--steps", "2"})));
  ASSERT_EQ(r.status, 0) << r.err;
  r = duel({"train", "--resume", "--out", parts.string(), "--steps", "4", "--quiet"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(read(whole / "metrics.jsonl"), read(parts / "metrics.jsonl"));
  r = duel({"train", "--config", (whole / "config.json").string(), "--out", again.string(), "--quiet"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(read(whole / "metrics.jsonl"), read(again / "metrics.jsonl"));
  const std::string config = read(whole / "config.json"), record = read(whole / "run.json");
  for (const char* line : {"\"objective\": \"composed\"", "\"loss\": \"hinge\"", "\"relativism\": \"paired\"",
                           "\"penalties\": \"zero_centered@real:5, one_centered(1)@line:10\"",
                           "\"constraint\": \"spectral_norm\""})
    EXPECT_NE(config.find(line), std::string::npos) << line;
  EXPECT_NE(record.find("\"formula\": \"L_D = E relu(1 - (r - f)) + 5 E"), std::string::npos);
  r = duel({"sample", "--checkpoint", whole.string(), "--out", (scratch / "g.png").string()});
  EXPECT_EQ(r.status, 0) << r.err;
  expect_refused(duel({"train", "--resume", "--out", parts.string(), "--loss", "wasserstein"}),
                 {"loss", "hinge", "wasserstein"});
}

TEST(ComposedObjective, StandsInAConfigFile) {
  Scratch scratch;
  const auto file = scratch / "c.json";
  std::ofstream(file) << R"json({"loss": "least_squares(-1,1,0)", "constraint": "weight_clip(0.5)"})json";
  const Result r = duel(run_into(scratch / "a", {"--config", file.string(), "--dry-run"}));
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_NE(r.out.find("\"loss\": \"least_squares(-1,1,0)\""), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("\"constraint\": \"weight_clip(0.5)\""), std::string::npos) << r.out;
  std::ofstream(file) << R"({"penalties": "zero_centered@nowhere"})";
  expect_refused(duel(run_into(scratch / "a", {"--config", file.string()})),
                 {"c.json", "penalties", "nowhere"});
}

TEST(ComposedObjective, ItsFormulaIsShown) {
  const Result r = duel(with({"objectives"}, kParts));
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_NE(r.out.find("L_D = E relu(1 - (r - f)) + 5 E ||grad D(x)||^2 (x real)"), std::string::npos)
      << r.out;
  const Result dirac =
      duel({"lab", "dirac", "--loss", "hinge", "--penalty", "zero_centered@real:1", "--quiet"});
  EXPECT_EQ(dirac.status, 0) << dirac.err;
  EXPECT_NE(dirac.out.find("| hinge+zero_centered@real:1 |"), std::string::npos) << dirac.out;
}

TEST(ComposedObjective, ABadMixIsOneLine) {
  Scratch scratch;
  const auto refused = [&](const Args& parts, const std::vector<std::string>& why) {
    expect_refused(duel(run_into(scratch / "a", parts)), why);
    expect_refused(duel(with({"objectives"}, parts)), why);
  };
  refused({"--loss", "hing"}, {"loss", "did you mean 'hinge'"});
  refused({"--loss", "softmax", "--relativism", "paired"}, {"softmax", "by itself"});
  refused({"--loss", "kullback_leibler", "--relativism", "average"}, {"no relativistic form"});
  refused({"--constraint", "weight_clip(0.01)", "--penalty", "one_centered@line"}, {"clips", "out of reach"});
  refused({"--penalty", "none", "--penalty", "zero_centered@real"}, {"one of the two"});
  EXPECT_EQ(duel::testing::files_in(scratch.dir()), 0u);
}

TEST(ComposedObjective, AnObjectivesNameAsALossIsThatObjective) {
  Scratch scratch;
  const Result r = duel(with(run_into(scratch / "a", {"--loss", "wgan-gp"}), {"--dry-run"}));
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_NE(r.out.find("\"objective\": \"wgan-gp\""), std::string::npos) << r.out;
  const Result shown = duel({"objectives", "--loss", "wgan-gp"});
  EXPECT_NE(shown.err.find("hint: --loss wgan-gp names an objective"), std::string::npos) << shown.err;
  expect_refused(duel(run_into(scratch / "a", {"--loss", "wgan-gp", "--objective", "r1"})), {"wgan-gp"});
}

TEST(ComposedObjective, HelpShowsTheAxes) {
  const Result r = duel({"train", "--help"}, {.variables = {{"COLUMNS", "80"}}});
  for (const char* text :
       {"objective = loss x relativism x penalties x constraint x schedule", "  --loss        minimax",
        "  --relativism  none, paired, average", "  --penalty     none, or SHAPE@WHERE:WEIGHT",
        "  --constraint  none, weight_clip(C), spectral_norm"})
    EXPECT_NE(r.out.find(text), std::string::npos) << r.out;
  for (size_t begin = 0; begin < r.out.size();) {
    const size_t end = std::min(r.out.find('\n', begin), r.out.size());
    EXPECT_LE(end - begin, 80u) << r.out.substr(begin, end - begin);
    begin = end + 1;
  }
}

}  // namespace
}  // namespace duel::apps::testing
