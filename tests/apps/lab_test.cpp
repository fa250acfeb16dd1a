// duel lab: tables and folders of results, games of the Dirac-GAN, and what is refused.
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "command.h"
#include "duel/gan/objective/objective.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

TEST(Lab, TrainsPrintsTheTableAndGoesOn) {
  Scratch scratch;
  const std::string out = (scratch / "ring").string();
  const std::vector<std::string> args{"lab", "ring",    "--objective", "hinge", "--steps",
                                      "2",   "--seeds", "2",           "--out", out};
  const Result r = duel(args);
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "2 steps of batch 100, seeds 1, 2. NOT the published length")) << r.out;
  EXPECT_TRUE(has(r.out, "\n1      hinge ") && has(r.out, " PacGAN4 ") && has(r.out, " true samples "))
      << r.out;
  EXPECT_TRUE(has(r.err, "[2/2] hinge seed ")) << r.err;
  for (const char* file :
       {"results.md", "results.json", "samples.png", "final.png", "scores.png", "runs/hinge-2.png"}) {
    EXPECT_TRUE(std::filesystem::exists(scratch / "ring" / file)) << file;
  }
  const Result again = duel(args);
  EXPECT_EQ(again.status, 0);
  EXPECT_EQ(again.out, r.out);
  EXPECT_TRUE(has(again.err, "2 finished runs found, 0 to train")) << again.err;

  const Result dirac = duel({"lab", "dirac", "--objective", "ns-gan,hinge"});
  EXPECT_EQ(dirac.status, 0) << dirac.err;
  EXPECT_TRUE(has(dirac.out, "| ns-gan ") && has(dirac.out, "| hinge ") && !has(dirac.out, "| wgan "))
      << dirac.out;

  const Result alone = duel({"lab", "dirac", "--objective", "dragan", "--quiet"});
  EXPECT_EQ(alone.status, 0) << alone.err;
  EXPECT_TRUE(has(alone.out, "| dragan | extragradient | - | - | kink | stalls |")) << alone.out;
  EXPECT_EQ(alone.err, "");
  expect_refused(duel({"lab", "dirac", "--objective", "hinge,sngan"}),
                 {"sngan cannot be played", "spectral norm", "sign"});
  expect_refused(duel({"lab", "dirac", "--objective", "cgan"}), {"cgan cannot be played", "label"});

  expect_refused(duel({"lab", "spiral"}), {"ring", "grid", "dirac", "'spiral'"});
  expect_refused(duel({"lab", "ring", "--objective", "hinge,wgn", "--out", out}), {"wgn", "wgan"});
  expect_refused(duel({"lab", "ring", "--seeds", "0"}), {"--seeds", "got 0"});
  expect_refused(duel({"lab", "ring", "--objective", "hinge", "--steps", "3", "--out", out}),
                 {"this run has 2, asked for is 3", "--out"});
}

std::vector<std::string> small_ring(const std::filesystem::path& out,
                                    const std::vector<std::string>& more = {}) {
  return with({"lab", "ring", "--objective", "hinge", "--steps", "2", "--seeds", "2", "--threads", "1",
               "--out", out.string()},
              more);
}

/// Whether a process holds a run of the folder.
bool claimed(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder / "runs"))
    if (entry.path().extension() == ".claim") return true;
  return false;
}

TEST(Lab, TwoProcessesShareAFolder) {
  Scratch scratch;
  const std::filesystem::path out = scratch / "ring";
  const std::vector<std::string> args = small_ring(out, {"--seeds", "6", "--steps", "4"});
  Process a(args), b(args);
  const Result first = a.finish(), second = b.finish();
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(occurrences(first.err + second.err, "] hinge seed "), 6U) << "each run once\n"
                                                                      << first.err << second.err;
  EXPECT_TRUE(has(read(out / "results.md"), "| hinge | 6 |")) << read(out / "results.md");
  EXPECT_FALSE(claimed(out));
}

TEST(Lab, SaysWhichRunsOthersHold) {
  Scratch scratch;
  const std::filesystem::path out = scratch / "ring", claim = out / "runs" / "hinge-2.claim";
  std::filesystem::create_directories(out / "runs");
  std::ofstream(claim) << R"({"host":"far","pid":7,"time":0,"space":"s","life":"9"})";
  const Result r = duel(small_ring(out));
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.err, "[1/2] hinge seed 1: ")) << r.err;
  EXPECT_TRUE(has(r.err, "hinge seed 2: taken by another process (far, process 7)\n")) << r.err;
  EXPECT_TRUE(has(r.err, "not finished yet: hinge seed 2 (far, process 7)\n")) << r.err;
  EXPECT_TRUE(has(r.err, "the same command with --out '" + out.string() + "' shows all")) << r.err;
  EXPECT_TRUE(has(read(out / "results.md"), "| hinge | 1 |"));
  std::filesystem::remove(claim);
  EXPECT_FALSE(has(duel(small_ring(out)).err, "not finished yet"));
  EXPECT_TRUE(has(read(out / "results.md"), "| hinge | 2 |"));
}

TEST(Lab, GivesBackWhatItStopsAndTakesOverWhatWasKilled) {
  Scratch scratch;
  const std::filesystem::path out = scratch / "ring", claim = out / "runs" / "hinge-1.claim";
  for (const int signal : {SIGTERM, SIGKILL}) {
    Process process(small_ring(out, {"--steps", "1000000"}));
    ASSERT_TRUE(process.wait_for(claim, "pid"));
    process.send(signal);
    const Result r = process.finish();
    EXPECT_EQ(r.status, 128 + signal) << r.err;
    EXPECT_EQ(has(r.err, "the same command with --out '" + out.string() + "' goes on"), signal == SIGTERM)
        << r.err;
    EXPECT_EQ(claimed(out), signal == SIGKILL);
  }
  const Result r = duel(small_ring(out));
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.err, "[1/2] hinge seed 1: ") && !has(r.err, "another process")) << r.err;
}

TEST(Lab, ShowsALineOnATerminalAndNothingWhenQuiet) {
  Scratch scratch;
  for (const size_t columns : {40, 80}) {
    const Surroundings terminal{
        .variables = {{"TERM", "xterm"}, {"NO_COLOR", "1"}, {"COLUMNS", std::to_string(columns)}},
        .terminal = true};
    std::string err = duel(small_ring(scratch / std::to_string(columns)), terminal).err;
    const size_t last = err.rfind("\r2/2 runs |#");
    ASSERT_NE(last, std::string::npos) << err;
    EXPECT_TRUE(has(err.substr(last), "<0:00")) << err;
    EXPECT_EQ(has(err.substr(last), " it/s, "), columns == 80) << err;
    for (size_t at; (at = err.find("\033[K")) != std::string::npos;) err.erase(at, 3);
    for (size_t begin = err.find('\r'); begin != std::string::npos; begin = err.find('\r', begin + 1)) {
      const std::string line = err.substr(begin + 1, err.find_first_of("\r\n", begin + 1) - begin - 1);
      if (!has(line, " runs ")) continue;  // a finished run's own line
      EXPECT_LT(line.size(), columns) << line;
    }
  }
  EXPECT_EQ(duel(small_ring(scratch / "quiet", {"--quiet"})).err, "");
  EXPECT_FALSE(has(duel(small_ring(scratch / "plain")).err, "\033"));
}

TEST(Lab, WeightsOfPenaltiesCanBeChosen) {
  Scratch scratch;
  const std::vector<std::string> wgan_gp{
      "lab", "ring",    "--objective", "wgan-gp", "--steps",
      "1",   "--seeds", "1",           "--out",   (scratch / "a").string()};
  const Result r = duel(wgan_gp);
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "weigh 0.1, wgan has its own optimizer.")) << r.out;
  EXPECT_TRUE(has(read(scratch / "a" / "runs" / "wgan-gp-1.json"), "\"lambda\": 0.1,"));
  expect_refused(duel(with(wgan_gp, {"--lambda", "10"})),
                 {"lambda: this run has 0.1, asked for is 10", "--out"});
  const Result ten = duel(with(wgan_gp, {"--lambda", "10", "--out", (scratch / "b").string()}));
  EXPECT_EQ(ten.status, 0) << ten.err;
  EXPECT_TRUE(has(ten.out, "Gradient penalties weigh 10")) << ten.out;
  expect_refused(duel(with(wgan_gp, {"--objective", "wgan-gp,ns-gan", "--lambda", "10"})),
                 {"ns-gan has no gradient penalty", "lambda"});
  for (const char* wrong : {"-1", "nan", "ten"})
    expect_refused(duel(with(wgan_gp, {"--lambda", wrong})), {"lambda", wrong});
}

// All of the Dirac-GAN, the default: what cannot be played is said before the games begin, and each is left
// out or a row.
TEST(Lab, DiracSaysWhatIsLeftOutAndWhy) {
  Scratch scratch;
  const Result r = duel({"lab", "dirac", "--steps", "100", "--out", (scratch / "games").string()});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.err, "left out: sngan: spectral norm leaves of D's one weight only its sign")) << r.err;
  for (const std::string& name : gan::objective_names()) {
    EXPECT_NE(has(r.err, "left out: " + name + ": "), has(r.out, "\n| " + name + " | ")) << name;
  }
  EXPECT_EQ(read(scratch / "games" / "dirac.md"), r.out);
  EXPECT_TRUE(read(scratch / "games" / "orbits.png").starts_with("\x89PNG"));
}

// A claim's facts on stdout, within 80 columns, its files, and Ctrl-C, which writes nothing.
TEST(Lab, ShowsAFoundingClaim) {
  Scratch scratch;
  const std::filesystem::path out = scratch / "lab";
  const Args args{"lab", "theory", "--quick", "--out", out.string()};
  Process process(with(args, {"--seeds", "10000"}));
  for (int i = 0; i < 200 && !std::filesystem::exists(out); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  process.send(SIGINT);
  const Result stopped = process.finish();
  EXPECT_EQ(stopped.status, 128 + SIGINT) << stopped.err;
  EXPECT_EQ(stopped.out, "");
  EXPECT_TRUE(has(stopped.err, "not written")) << stopped.err;
  EXPECT_EQ(duel::testing::files_in(out), 0U);

  const Result r = duel(args);
  EXPECT_EQ(r.status, 0) << r.out << r.err;
  EXPECT_TRUE(has(r.out, "arXiv:1701.07875")) << r.out;
  EXPECT_GE(occurrences(r.out, " yes\n"), 16U) << r.out;
  EXPECT_FALSE(has(r.out, " NO\n")) << r.out;
  std::istringstream lines(r.out);
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(line.size() <= 80 || has(line, "results")) << line;
  for (const char* file : {"theory.json", "theory-lines.png", "theory-discriminator.png", "lab.html"})
    EXPECT_TRUE(std::filesystem::exists(out / file)) << file;
  const Result quiet = duel(with(args, {"--quiet"}));
  EXPECT_EQ(quiet.err, "");
  EXPECT_EQ(quiet.out, r.out) << "the same seed, the same numbers";

  // Its tables too; a claim that is not shown in so few steps is status 1.
  const Result norms = duel({"lab", "norms", "--quick", "--data", "synthetic", "--out", out.string()});
  EXPECT_EQ(norms.status, has(norms.out, " NO\n") ? 1 : 0) << norms.out << norms.err;
  EXPECT_TRUE(has(norms.out, "\ncell ") && has(norms.out, "\nwgan, no norm ")) << norms.out;
  EXPECT_FALSE(has(norms.out, "seed 1, distance")) << "data for the record alone";
  std::istringstream table(norms.out);
  for (std::string line; std::getline(table, line);)
    EXPECT_TRUE(line.size() <= 80 || has(line, "results")) << line;

  const std::string help = duel({"lab", "--help"}).out;
  EXPECT_TRUE(has(help, "\ntheory      What the losses measure")) << help;
  EXPECT_TRUE(has(help, "\nclipping    What weight clipping")) << help;
  expect_refused(duel({"lab", "thoery"}), {"theory", "clipping", "'thoery'"});
  expect_refused(duel({"lab", "theory", "--seeds", "0"}), {"--seeds", "got 0"});
  write(scratch / "file", "");
  expect_refused(duel({"lab", "theory", "--out", (scratch / "file").string()}), {"file", "--out"});
}

// A gallery is a league of one seed; both put their samples' course into one picture.
TEST(Lab, AGalleryIsAShortLeague) {
  Scratch scratch;
  const Args small{
      "--objective", "hinge", "--steps", "2", "--count",    "30", "--data", "synthetic",
      "--arch",      "mlp",   "--batch", "8", "--channels", "8",  "--out",  (scratch / "g").string()};
  Args gallery = small;
  gallery.insert(gallery.begin(), {"lab", "gallery"});
  const Result r = duel(gallery);
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "2 iterations, seeds 1, judge digits-v1.")) << r.out;
  EXPECT_TRUE(has(read(scratch / "g" / "league.md"), "| FD after | 1 | 2 |"));
  Args league = small;
  league.insert(league.begin(), {"lab", "league", "--seeds", "1"});
  const Result same = duel(league);
  EXPECT_EQ(same.out, r.out);
  EXPECT_TRUE(has(same.err, "1 finished run found, 0 to train")) << same.err;
}

// An option that a problem does not use is refused, whatever else is said, before anything is written.
TEST(Lab, RefusesOptionsThatSayNothing) {
  Scratch scratch;
  const std::string out = (scratch / "lab").string();
  const std::vector<std::pair<std::string, std::vector<Args>>> mistakes = {
      {"dirac",
       {{"--seeds", "2"},
        {"--own-schedule"},
        {"--threads", "2"},
        {"--data", "synthetic"},
        {"--arch", "mlp"},
        {"--channels", "8"}}},
      {"gallery", {{"--own-schedule"}, {"--lambda", "1"}}},
      {"league", {{"--own-schedule"}, {"--lambda", "1"}}},
      {"theory", {{"--steps", "2"}, {"--threads", "2"}, {"--data", "synthetic"}, {"--loss", "hinge"}}},
      {"clipping",
       {{"--own-schedule"}, {"--lambda", "1"}, {"--arch", "mlp"}, {"--penalty", "zero_centered"}}},
      {"ring",
       {{"--quick"}, {"--data", "synthetic"}, {"--arch", "mlp"}, {"--channels", "8"}, {"--count", "50"}}},
      {"grid", {{"--data", "synthetic"}, {"--arch", "mlp"}, {"--channels", "8"}}}};
  for (const auto& [problem, options] : mistakes) {
    for (const Args& option : options) {
      const bool claim = problem == "theory" || problem == "clipping";
      Args args{"lab", problem};
      if (!claim) args.insert(args.end(), {"--objective", "hinge"});
      args.insert(args.end(), option.begin(), option.end());
      if (problem != "dirac") args.insert(args.end(), {"--out", out});
      if (problem != "dirac" && !claim) args.insert(args.end(), {"--steps", "8"});
      expect_refused(duel(args, {.cwd = scratch.dir()}), {option[0] + " says nothing to " + problem,
                                                          claim ? "--quick" : "--objective", "--quiet"});
    }
  }
  EXPECT_EQ(duel::testing::files_in(scratch.dir()), 0U);
}

}  // namespace
}  // namespace duel::apps::testing
