// duel sweep: a file's points on the terminal, trained, shared among processes, taken over, and what is refused.
#include <csignal>
#include <sstream>

#include "command.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

/// Writes a file of the smallest runs.
std::string small_sweep(const Scratch& scratch, const std::string& axes) {
  const std::filesystem::path file = scratch / "small.json";
  write(file,
        R"({"settings": {"objective": "wgan-gp", "data": "synthetic", "synthetic-count": 60, "arch": "mlp",
                  "channels-g": 8, "channels-d": 8, "batch": 8, "steps": 1, "eval-count": 24}, )" +
            axes + "}");
  return file.string();
}

void expect_lines_fit(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(line.size() <= 80 || has(line, "results")) << line;
}

bool held(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder / "runs"))
    if (entry.path().extension() == ".claim") return true;
  return false;
}

TEST(Sweep, ShowsTrainsRanksAndGoesOn) {
  const Scratch scratch;
  const std::string file = small_sweep(scratch, R"("axes": {"lambda": [1, 10]}, "seeds": 2)");
  const Surroundings here{.cwd = scratch.dir()};
  const Result plan = duel({"sweep", file, "--dry-run"}, here);
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_TRUE(plan.out.starts_with("lambda\n1\n10\n\nall with objective=wgan-gp, ")) << plan.out;
  EXPECT_TRUE(has(plan.out, "\nplan      2 points x 2 seeds = 4 runs of 1 iteration, ranked by fd\n"))
      << plan.out;
  expect_lines_fit(plan.out);
  EXPECT_FALSE(std::filesystem::exists(scratch / "runs"));

  const std::filesystem::path out = scratch / "runs" / "sweep-small";
  Process a({"sweep", file, "--threads", "1"}, here), b({"sweep", file, "--threads", "1"}, here);
  const Result first = a.finish(), second = b.finish();
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(occurrences(first.err + second.err, ": FD "), 4U) << "each run once\n" << first.err << second.err;
  EXPECT_FALSE(held(out));

  const Result again = duel({"sweep", file, "--out", out.string()}, here);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_TRUE(has(again.err, "4 finished runs found, 0 to train")) << again.err;
  EXPECT_TRUE(has(again.out, "1 iterations, seeds 1, 2, judge digits-v1.")) << again.out;
  EXPECT_TRUE(has(again.out, "\nrank lambda runs FD ") && has(again.out, " s/run\n")) << again.out;
  EXPECT_TRUE(has(again.out, "/sweep.md, sweep.json, sweep.png, runs/\n")) << again.out;
  expect_lines_fit(again.out);
  EXPECT_TRUE(has(read(out / "sweep.md"), " | 10 | 2 | ")) << read(out / "sweep.md");
  EXPECT_EQ(duel({"sweep", file, "--quiet"}, here).err, "");

  const auto before = contents(out);
  expect_refused(duel({"sweep", file, "--steps", "2"}, here),
                 {"steps: this run has 1, asked for is 2", "--out"});
  expect_refused(duel({"sweep", small_sweep(scratch, R"("axes": {"lr": [1]})")}, here),
                 {"another sweep, over lambda", "--out"});
  EXPECT_EQ(contents(out), before);
}

TEST(Sweep, GivesBackWhatItStopsAndTakesOverWhatWasKilled) {
  const Scratch scratch;
  const std::filesystem::path out = scratch / "sweep";
  const Args args{"sweep",     small_sweep(scratch, R"("axes": {"lambda": [3]}, "seeds": [5])"),
                  "--out",     out.string(),
                  "--threads", "1"};
  for (const int signal : {SIGINT, SIGKILL}) {
    Process process(with(args, {"--steps", "1000000"}));
    ASSERT_TRUE(process.wait_for(out / "runs" / "lambda=3-5.claim", "pid"));
    process.send(signal);
    const Result r = process.finish();
    EXPECT_EQ(r.status, 128 + signal) << r.err;
    EXPECT_EQ(
        has(r.err, "finished runs are kept: the same command with --out '" + out.string() + "' goes on"),
        signal == SIGINT)
        << r.err;
    EXPECT_EQ(held(out), signal == SIGKILL);
  }
  const Result r = duel(args);
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.err, "[1/1] lambda=3 seed 5: FD ") && !has(r.err, "another process")) << r.err;
}

TEST(Sweep, PointsThatCannotBeTrainedStopItOrAreLeftOut) {
  const Scratch scratch;
  const std::string axes = R"("axes": {"norm-d": ["batch", "none"]}, "seeds": 1)";
  const Args args{"sweep", small_sweep(scratch, axes), "--out", (scratch / "sweep").string()};
  for (const Args& each : {args, with(args, {"--quiet"})}) {
    const Result r = duel(each);
    EXPECT_EQ(r.status, 2);
    EXPECT_TRUE(r.err.starts_with("refused: norm-d=batch\n  wgan-gp takes the gradient norm of each sample"))
        << r.err;
    EXPECT_TRUE(has(r.err, "\nduel: [sweep] ") && has(r.err, "1 of 2 points cannot be trained")) << r.err;
    EXPECT_EQ(r.out, "");
  }
  EXPECT_FALSE(std::filesystem::exists(scratch / "sweep"));
  (void)small_sweep(scratch, axes + R"(, "refused": "skip")");
  const Result r = duel(args);
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.err, "refused: norm-d=batch\n") && has(r.err, "[1/1] norm-d=none seed 1: FD ")) << r.err;
  EXPECT_TRUE(has(read(scratch / "sweep" / "sweep.md"), "- left out: norm-d=batch: wgan-gp takes"));
}

TEST(Sweep, RefusesInOneLine) {
  const Scratch scratch;
  expect_refused(duel({"sweep"}), {"FILE", "--help"});
  expect_refused(duel({"sweep", (scratch / "none.json").string()}), {"none.json", "No such file"});
  write(scratch / "bad.json", "{\"axes\":\n {\"lr\": [1e-4,]}}");
  expect_refused(duel({"sweep", (scratch / "bad.json").string()}), {"bad.json", "line 2, column 15"});
  expect_refused(duel({"sweep", small_sweep(scratch, R"("axes": {"lamda": [1]})")}),
                 {"small.json: axes", "'lamda'", "'lambda'"});
  expect_refused(duel({"sweep", small_sweep(scratch, R"("axes": {"lr": [1]})"), "--steps", "0"}),
                 {"--steps", "got 0"});
  EXPECT_TRUE(has(duel({"sweep", "--help"}).out, "\"axes\": {\"lambda\": [1, 10]"));
}

}  // namespace
}  // namespace duel::apps::testing
