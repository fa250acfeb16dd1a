// What every command does when it is used rightly.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include "command.h"
#include "duel/gan/objective/objective.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/kernels/linear/device_library.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

/// Columns on a terminal: one for each character of UTF-8, none for escape sequences.
size_t width_of(const std::string& text) {
  size_t columns = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033')
      i = text.find_first_of("mK", i);
    else if ((text[i] & 0xC0) != 0x80)
      ++columns;
  }
  return columns;
}

/// A run of a second: two small networks on a few drawn digits.
std::vector<std::string> small_run(const std::filesystem::path& out, std::vector<std::string> more = {}) {
  return drawn_run(out, with({"--synthetic-count", "64", "--log-every", "2"}, more));
}

const Args kCommands = {"train", "sample", "plot", "objectives", "info",   "bench", "lab",
                        "judge", "eval",   "list", "compare",    "invert", "sweep"};

TEST(Command, HelpOfEveryCommandIsOnStdout) {
  for (const std::string& name : kCommands) {
    const Result r = duel({name, "--help"});
    EXPECT_EQ(r.status, 0) << name;
    EXPECT_EQ(r.err, "");
    EXPECT_TRUE(has(r.out, "duel " + name)) << r.out;
  }
  const Result r = duel({});
  EXPECT_EQ(r.status, 0);
  for (const std::string& name : kCommands) EXPECT_TRUE(has(r.out, name));
  EXPECT_TRUE(has(duel({"--version"}).out, "duel "));
}

// What the judge finds is said as it is found, and the run ends where it is told to.
TEST(Train, IsJudgedAndEndsWhereItCollapses) {
  Scratch scratch;
  const std::vector<std::string> judged{"--synthetic-count", "100", "--steps",     "6", "--eval-every", "2",
                                        "--eval-count",      "60",  "--keep-best", "fd"};
  const Result whole = duel(small_run(scratch / "whole", judged));
  ASSERT_EQ(whole.status, 0) << whole.err;
  EXPECT_EQ(occurrences(whole.err, "judged at iteration"), 3u) << whole.err;
  EXPECT_TRUE(has(whole.err, "judged at iteration 2  fd-digits-v1 ")) << whole.err;
  EXPECT_FALSE(has(whole.out, "ended")) << whole.out;
  const gan::MetricsLog log = gan::parse_metrics(read(scratch / "whole" / "metrics.jsonl"));
  const gan::Curve* fd = log.curve("distances/fd-digits-v1");
  ASSERT_NE(fd, nullptr);
  const double first = fd->y[0], second = fd->y[1];
  std::vector<std::string> ends = judged;
  ends.insert(ends.end(), {"--stop-if", message("fd{}{}", second < first ? "<" : ">", (first + second) / 2)});
  const Result ended = duel(small_run(scratch / "ended", ends));
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_TRUE(has(ended.out, "ended     at iteration 4 of 6: fd-digits-v1 is ")) << ended.out;

  expect_refused(duel(small_run(scratch / "none", {"--stop-if", "modes<3"})),
                 {"stop-if: modes<3 is looked at where samples are judged: say --eval-every too"});
  expect_refused(duel(small_run(scratch / "none", {"--eval-every", "2", "--stop-if", "modes"})),
                 {"stop-if: expected a measure, < or >, and a number, as modes<3, got 'modes'"});
}

TEST(Command, HelpOfTrainShowsFlagsWithDefaultsAndHidesAliases) {
  const std::string help = duel({"train", "--help"}).out;
  for (const char* flag : {"--objective", "--lambda", "--lr-d", "--batch", "--resume", "--config", "--norm-d",
                           "--checkpoint-every"}) {
    EXPECT_TRUE(has(help, flag)) << flag;
  }
  EXPECT_TRUE(has(help, "[64]"));
  EXPECT_FALSE(has(help, "--batchSize"));
}

/// Columns of the longest line that is no command to copy.
size_t longest_line(const std::string& text) {
  size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  duel ")) longest = std::max(longest, width_of(line));
  }
  return longest;
}

TEST(Command, HelpFitsTheWindow) {
  std::vector<Args> all{{"--help"}};
  for (const std::string& name : kCommands) all.push_back({name, "--help"});
  for (const auto& args : all) {
    const std::string plain = duel(args).out;
    EXPECT_LE(longest_line(plain), 80u) << plain;
    for (const char* columns : {"40", "60", "120"}) {
      const std::string help = duel(args, {.variables = {{"COLUMNS", columns}}}).out;
      EXPECT_LE(longest_line(help), static_cast<size_t>(std::atoi(columns))) << help;
      const auto words = [](const std::string& text) {
        std::istringstream in(text);
        return std::vector<std::string>(std::istream_iterator<std::string>(in), {});
      };
      EXPECT_EQ(words(help), words(plain));
    }
  }
  EXPECT_GT(longest_line(duel({"train", "--help"}, {.variables = {{"COLUMNS", "120"}}}).out), 100u)
      << "a wide window is used";
}

TEST(Train, WritesARunDirectoryAndSaysHowToGoOn) {
  Scratch scratch;
  const auto run = scratch / "a run";
  const Result r = duel(small_run(run, {"--steps", "4"}));
  ASSERT_EQ(r.status, 0) << r.err;
  for (const char* file :
       {"config.json", "run.json", "metrics.jsonl", "log.txt", "samples/reals.png",
        "samples/fakes_000000.png", "samples/fakes_000004.png", "checkpoints/step_00000004.safetensors",
        "diagnostics/losses.png", "report.html"}) {
    EXPECT_GT(read(run / file).size(), 60u) << file;
  }
  EXPECT_TRUE(read(run / "samples" / "fakes_000004.png").starts_with("\x89PNG"));
  const std::string metrics = read(run / "metrics.jsonl");
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 3);  // 1, 2, 4
  for (const char* key : {"\"iteration\":4", "\"epoch\":0.5", "loss_d", "loss_g", "penalty", "d_real",
                          "p_fake", "input_gradient_norm", "grad_norm_d", "grad_norm_g"}) {
    EXPECT_TRUE(has(metrics, key)) << key;
  }
  const gan::MetricsLog timing = gan::parse_metrics(read(run / "timing.jsonl"));
  for (const char* key : {"seconds", "images_per_second"}) {
    const gan::Curve* curve = timing.curve(key);
    ASSERT_NE(curve, nullptr) << key;
    EXPECT_EQ(curve->x, (std::vector<double>{1, 2, 4}));
    for (const double value : curve->y) EXPECT_TRUE(value > 0 && value < 1e9) << key << " " << value;
  }
  EXPECT_FALSE(has(metrics, "seconds"));
  EXPECT_TRUE(has(r.out, "duel train --resume --out '")) << r.out;
  EXPECT_TRUE(has(r.out, "duel sample --checkpoint '"));
  EXPECT_TRUE(has(r.out, "fakes_000004.png"));
  EXPECT_TRUE(has(r.err, "[4/4] ")) << r.err;
  EXPECT_FALSE(has(r.err, "\r"));
  const std::string record = read(run / "run.json");
  for (const char* key :
       {"\"argv\"", "--synthetic-count", "\"cpu\"", "\"compiler\"", "\"oneDNN\"", "\"crc32\""})
    EXPECT_TRUE(has(record, key)) << key;
}

TEST(Train, QuietSaysNothing) {
  Scratch scratch;
  const Result r = duel(small_run(scratch / "a", {"--steps", "1", "--quiet"}));
  EXPECT_EQ(r.status, 0);
  EXPECT_EQ(r.out + r.err, "");
}

/// The number after `name` in the last line of `text` that holds `line`.
double number_after(const std::string& text, const std::string& line, const std::string& name) {
  const size_t begin = text.rfind(line), at = text.find(name, begin);
  return begin == std::string::npos || at == std::string::npos ? -1e9
                                                               : std::atof(text.c_str() + at + name.size());
}

TEST(Train, TerminalAndLogShowTheSameOfD) {
  Scratch scratch;
  const std::pair<const char*, std::pair<const char*, const char*>> shown[] = {
      {"ns-gan", {" D(x) ", " D(G(z)) "}},
      {"wgan-gp", {" logit real ", " fake "}},
      {"began", {" energy real ", " fake "}}};
  for (const auto& [objective, names] : shown) {
    const Result r = duel(small_run(scratch / objective, {"--steps", "4", "--objective", objective}));
    ASSERT_EQ(r.status, 0) << r.err;
    const std::string log = read(scratch / objective / "log.txt");
    for (const char* name : {names.first, names.second}) {
      const double told = number_after(r.err, "[4/4]", name);
      EXPECT_NEAR(told, number_after(log, "iteration 4 ", name), 0.006 * std::max(1.0, std::abs(told)))
          << r.err << log;
    }
    EXPECT_EQ(has(log, "D(x)"), std::string(objective) == "ns-gan");
  }
  EXPECT_GT(number_after(read(scratch / "ns-gan" / "log.txt"), "iteration 4 ", " D(x) "), 0);
}

TEST(Train, DryRunWritesNothing) {
  Scratch scratch;
  const Result r = duel(small_run(scratch / "a", {"--steps", "4", "--dry-run"}));
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "\"channels-g\": 8"));
  EXPECT_EQ(duel::testing::files_in(scratch.dir()), 0u);
}

TEST(Train, TheResolvedConfigurationRepeatsTheRun) {
  Scratch scratch;
  ASSERT_EQ(duel(small_run(scratch / "a",
                           {"--steps", "4", "--objective", "wgan-gp", "--lambda", "3", "--ema", "0.9"}))
                .status,
            0);
  const std::string config = read(scratch / "a" / "config.json");
  EXPECT_TRUE(has(config, "\"lambda\": 3") && has(config, "\"critic-steps\": 5") && has(config, "\"k\": 1"))
      << config;
  const Result again = duel(
      {"train", "--config", (scratch / "a" / "config.json").string(), "--out", (scratch / "b").string()});
  ASSERT_EQ(again.status, 0) << again.err;
  for (const char* file : {"config.json", "metrics.jsonl", "checkpoints/step_00000004.safetensors",
                           "samples/fakes_000004.png"}) {
    EXPECT_TRUE(read(scratch / "a" / file) == read(scratch / "b" / file)) << file;
  }
  // Flags win over the file.
  const Result changed =
      duel({"train", "--config", (scratch / "a" / "config.json").string(), "--lambda", "5", "--dry-run"});
  EXPECT_TRUE(has(changed.out, "\"lambda\": 5")) << changed.out;
}

TEST(Train, ThreadsDoNotChangeABit) {
  Scratch scratch;
  for (const char* threads : {"1", "3"}) {
    ASSERT_EQ(duel(small_run(scratch / threads,
                             {"--steps", "4", "--batch", "32", "--channels-g", "64", "--threads", threads}))
                  .status,
              0);
  }
  for (const char* file :
       {"metrics.jsonl", "checkpoints/step_00000004.safetensors", "samples/fakes_000004.png"}) {
    EXPECT_TRUE(read(scratch / "1" / file) == read(scratch / "3" / file)) << file;
  }
}

TEST(Train, AcceptsTheSpellingsOfOtherTrainers) {
  const Result r =
      duel({"train", "--batchSize", "16", "--nz", "20", "--ngf", "32", "--ndf", "16", "--manualSeed", "9",
            "--niter", "2", "--synthetic-count", "160", "--outf", "/tmp/duel-never-made", "--dry-run"});
  ASSERT_EQ(r.status, 0) << r.err;
  for (const char* part : {"\"batch\": 16", "\"latent\": 20", "\"channels-g\": 32", "\"channels-d\": 16",
                           "\"seed\": 9", "\"steps\": 20"}) {
    EXPECT_TRUE(has(r.out, part)) << part;
  }
}

TEST(Train, NumbersItsRunsAndFindsMnistWhereTheVariableSays) {
  Scratch scratch;
  auto args = small_run("unused", {"--steps", "1", "--quiet"});
  args.erase(std::find(args.begin(), args.end(), "--out"), std::find(args.begin(), args.end(), "unused") + 1);
  ASSERT_EQ(duel(args, {.cwd = scratch.dir()}).status, 0);
  ASSERT_EQ(duel(args, {.cwd = scratch.dir()}).status, 0);
  EXPECT_TRUE(std::filesystem::exists(scratch / "runs" / "00000-mlp-ns-gan" / "config.json"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "runs" / "00001-mlp-ns-gan" / "config.json"));
  expect_refused(
      duel({"train", "--quiet"}, {.cwd = scratch.dir(), .variables = {{"DUEL_DATA", "/nonexistent/set"}}}),
      {"/nonexistent/set", "no such folder"});
}

TEST(Train, KeepsTheLatestCheckpoints) {
  Scratch scratch;
  ASSERT_EQ(duel(small_run(scratch / "a", {"--steps", "9", "--checkpoint-every", "2", "--keep", "2"})).status,
            0);
  EXPECT_EQ(duel::testing::files_in(scratch / "a" / "checkpoints"), 2u);
  EXPECT_TRUE(std::filesystem::exists(scratch / "a" / "checkpoints" / "step_00000008.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "a" / "checkpoints" / "step_00000009.safetensors"));
}

TEST(Train, DivergenceIsToldWithTheLastGoodCheckpoint) {
  Scratch scratch;
  const Result r =
      duel(small_run(scratch / "a", {"--steps", "40", "--lr", "1e30", "--optimizer", "sgd", "--quiet"}));
  EXPECT_EQ(r.status, 1);
  EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
  for (const char* part :
       {"duel: ", "iteration ", "diverged", "last good checkpoint: none yet", "lower --lr", "--anomaly"})
    EXPECT_TRUE(has(r.err, part)) << r.err;
  EXPECT_TRUE(std::filesystem::is_empty(scratch / "a" / "checkpoints"));
}

TEST(Train, AnomalyModeNamesTheOp) {
  Scratch scratch;
  const Result r = duel(small_run(
      scratch / "a", {"--steps", "40", "--lr", "1e30", "--optimizer", "sgd", "--quiet", "--anomaly"}));
  EXPECT_EQ(r.status, 1);
  EXPECT_TRUE(has(r.err, "iteration ") && has(r.err, "[anomaly]")) << r.err;
}

TEST(Train, SaysHowToLookAtItsEventFiles) {
  Scratch scratch;
  const Result with = duel(small_run(scratch / "runs" / "a", {"--steps", "2", "--tensorboard"}));
  ASSERT_EQ(with.status, 0) << with.err;
  const std::string folder = (scratch / "runs").string();
  EXPECT_TRUE(has(with.out, "tensorboard --logdir '" + folder + "' --samples_per_plugin images=200\n"))
      << with.out;
  EXPECT_EQ(occurrences(with.out, "tensorboard"), 1u);
  const Result without = duel(small_run(scratch / "runs" / "b", {"--steps", "2"}));
  EXPECT_FALSE(has(without.out, "tensorboard"));
}

TEST(Plot, DrawsARunAgain) {
  Scratch scratch;
  const auto run = scratch / "a run";
  ASSERT_EQ(duel(small_run(run, {"--steps", "4", "--diagnose-every", "2"})).status, 0);
  ASSERT_EQ(duel({"train", "--resume", "--out", run.string(), "--steps", "8", "--quiet"}).status, 0);
  const auto drawn = contents(run / "diagnostics");  // of both parts, from what the run had in memory
  std::filesystem::remove_all(run / "diagnostics");
  std::filesystem::remove(run / "report.html");
  const Result r = duel({"plot", run.string()});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "losses.png\n") && has(r.out, "held_out.png\n") && has(r.out, "report.html\n"))
      << r.out;
  EXPECT_TRUE(contents(run / "diagnostics") == drawn)
      << "the run read its first part, and drew the rest as it wrote it";
  expect_refused(duel({"plot", (scratch / "nowhere").string()}), {"nowhere", "no such folder", "duel train"});
  expect_refused(duel({"plot", scratch.dir().string()}), {"metrics.jsonl", "cannot be read"});
}

TEST(Train, AWarningIsNoReasonToStop) {
  Scratch scratch;
  const auto run = scratch / "a";
  ASSERT_EQ(duel(small_run(run, {"--steps", "2"})).status, 0);
  std::filesystem::create_directories(run / "samples" / "fakes_000004.png" / "in the way");
  std::filesystem::remove(run / "metrics.jsonl");
  std::filesystem::create_directory(run / "metrics.jsonl");
  const Result r = duel({"train", "--resume", "--out", run.string(), "--steps", "4", "--quiet"});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.err, "warning") && has(r.err, "fakes_000004.png") && has(r.err, "metrics.jsonl"))
      << r.err;
  EXPECT_TRUE(std::filesystem::exists(run / "checkpoints" / "step_00000004.safetensors"));
}

TEST(Train, ShowsABarOnATerminal) {
  Scratch scratch;
  Surroundings terminal{.variables = {{"TERM", "xterm"}, {"LANG", "C.UTF-8"}, {"COLUMNS", "110"}},
                        .terminal = true};
  const Result r = duel(small_run(scratch / "a", {"--steps", "20"}), terminal);
  EXPECT_EQ(r.status, 0);
  for (const char* part : {"\r20/20 |", "it/s", "img/s", " D ", "D(x)", "D(G(z))", "█", "▀", "\033[36m"})
    EXPECT_TRUE(has(r.err, part)) << part;

  terminal.variables["NO_COLOR"] = "1";
  EXPECT_FALSE(has(duel(small_run(scratch / "b", {"--steps", "4"}), terminal).err, "\033[36m"));
  terminal.variables["TERM"] = "dumb";
  const std::string dumb = duel(small_run(scratch / "d", {"--steps", "4"}), terminal).err;
  EXPECT_TRUE(has(dumb, "[4/4] ")) << dumb;
  EXPECT_FALSE(has(dumb, "\033"));
}

/// The last state of the line that is redrawn.
std::string last_line(const std::string& err) {
  const size_t begin = err.rfind("\r20/20 "), end = err.find("\033[K", begin);
  return begin == std::string::npos ? "" : err.substr(begin + 1, end - begin - 1);
}

TEST(Train, TheProgressLineFitsEveryWindowAndKeepsItsBar) {
  Scratch scratch;
  Surroundings terminal{.variables = {{"TERM", "xterm-256color"}}, .terminal = true};
  for (const char* locale : {"C", "C.UTF-8"}) {
    const bool unicode = std::string(locale) != "C";
    terminal.variables["LANG"] = locale;
    for (const size_t columns : {40, 60, 80, 120}) {
      terminal.variables["COLUMNS"] = std::to_string(columns);
      const std::string err =
          duel(small_run(scratch / (locale + std::to_string(columns)), {"--steps", "20"}), terminal).err;
      const std::string line = last_line(err);
      EXPECT_LT(width_of(line), columns) << line;
      EXPECT_GE(occurrences(line, unicode ? "█" : "#"), 9u) << "a full bar: " << line;
      EXPECT_TRUE(has(line, "<0:00")) << line;
      EXPECT_EQ(has(line, "D(x)"), columns >= 120 || (columns == 80 && !unicode)) << line;
      EXPECT_EQ(has(line, "img/s"), columns >= 120) << line;
      EXPECT_EQ(has(line, " G "), columns >= 60) << line;
      if (columns >= 80) {
        EXPECT_TRUE(has(line, "it/s")) << line;
        EXPECT_EQ(has(line, "▁"), unicode) << line;
      }
      // Every redrawn line and every line of the pictures, not only the last.
      std::string text = err;
      std::replace(text.begin(), text.end(), '\r', '\n');
      std::istringstream lines(text);
      for (std::string each; std::getline(lines, each);) {
        EXPECT_LE(width_of(each), columns) << each;
      }
    }
  }
}

// G has learned nothing yet: its pixels are around the middle gray, and so is the picture.
TEST(Train, TheFirstPictureIsGray) {
  Scratch scratch;
  Surroundings terminal{.variables = {{"TERM", "xterm"}, {"LANG", "C.UTF-8"}, {"COLUMNS", "80"}},
                        .terminal = true};
  const auto picture = [&](const std::string& name) {
    const std::string err =
        duel(small_run(scratch / name, {"--steps", "1", "--sample-every", "0"}), terminal).err;
    return err.substr(0, err.find("\r1/1 "));
  };
  const std::string dots = picture("dots");
  const size_t full = occurrences(dots, "█"), half = occurrences(dots, "▀") + occurrences(dots, "▄"),
               none = occurrences(dots, " ");
  EXPECT_GT(half, 400u) << dots;
  EXPECT_LT(full, half) << dots;
  EXPECT_LT(none, half) << dots;
  EXPECT_FALSE(has(dots, "\033[38;5;")) << dots;
  terminal.variables["TERM"] = "xterm-256color";
  const std::string grays = picture("grays");
  size_t middle = 0;
  for (int code = 240; code <= 248; ++code)
    middle += occurrences(grays, "\033[38;5;" + std::to_string(code) + "m");
  EXPECT_GT(middle, 100u) << grays;
  EXPECT_GT(2 * middle, occurrences(grays, "\033[38;5;")) << grays;
  terminal.variables["NO_COLOR"] = "1";
  EXPECT_FALSE(has(picture("no color"), "\033[38;5;"));
}

TEST(Command, OutputThatIsLostIsAMistake) {
  Surroundings full;
  full.stdout_file = "/dev/full";
  for (const Args& args :
       {Args{"objectives"}, Args{"objectives", "began"}, Args{"--help"}, Args{"train", "--help"},
        Args{"--version"}, Args{"info"}, Args{}, Args{"lab", "dirac", "--objective", "gan"},
        Args{"train", "--dry-run", "--synthetic-count", "100"}}) {
    const Result r = duel(args, full);
    EXPECT_EQ(r.status, 1) << (args.empty() ? "" : args[0]);  // nothing is wrong with the input
    EXPECT_TRUE(has(r.err, "stdout") && has(r.err, "No space left")) << r.err;
  }
}

TEST(Train, RunsThatStartTogetherGetNumbersOfTheirOwn) {
  Scratch scratch;
  auto args = small_run("unused", {"--steps", "2", "--quiet"});
  args.erase(std::find(args.begin(), args.end(), "--out"), std::find(args.begin(), args.end(), "unused") + 1);
  Process a(args, {.cwd = scratch.dir()}), b(args, {.cwd = scratch.dir()}), c(args, {.cwd = scratch.dir()});
  for (Process* each : {&a, &b, &c}) EXPECT_EQ(each->finish().status, 0);
  EXPECT_EQ(duel::testing::files_in(scratch / "runs"), 3u);
}

TEST(Train, AClosedStdoutHarmsNoFile) {
  Scratch scratch;
  EXPECT_EQ(duel(small_run(scratch / "a", {"--steps", "2"}), {.no_stdout = true}).status, 0);
  EXPECT_TRUE(read(scratch / "a" / "config.json").starts_with("{"));
  EXPECT_TRUE(read(scratch / "a" / "metrics.jsonl").starts_with("{"));
}

class Sample : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(duel(small_run(run_, {"--steps", "2", "--objective", "wgan-gp", "--ema", "0.5"})).status, 0);
  }
  Result sample(std::vector<std::string> more) {
    std::vector<std::string> args{"sample", "--checkpoint", run_.string()};
    args.insert(args.end(), more.begin(), more.end());
    return duel(args);
  }
  Scratch scratch_;
  std::filesystem::path run_ = scratch_ / "run";
};

TEST_F(Sample, DrawsAGridFromAFileOrARun) {
  const auto a = scratch_ / "a.png", b = scratch_ / "b.png", c = scratch_ / "c.png";
  const Result r = sample({"--out", a.string()});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "64 images of iteration 2 (wgan-gp, mlp), 242x242"));
  EXPECT_TRUE(read(a).starts_with("\x89PNG"));
  EXPECT_EQ(duel({"sample", "--checkpoint", (run_ / "checkpoints" / "step_00000002.safetensors").string(),
                  "--out", b.string()})
                .status,
            0);
  EXPECT_TRUE(read(a) == read(b));
  EXPECT_EQ(sample({"--out", c.string(), "--seed", "8", "--count", "9"}).status, 0);
  EXPECT_FALSE(read(a) == read(c));
}

TEST_F(Sample, GoesThroughLinks) {
  const auto picture = scratch_ / "picture.png", link = scratch_ / "link.png",
             dangling = scratch_ / "dangling.png";
  ASSERT_EQ(sample({"--out", picture.string()}).status, 0);
  const std::string before = read(picture);
  std::filesystem::create_symlink("picture.png", link);
  std::filesystem::create_symlink("made.png", dangling);
  expect_refused(sample({"--out", link.string(), "--seed", "8"}), {"link.png", "--force"});
  EXPECT_EQ(sample({"--out", link.string(), "--seed", "8", "--force"}).status, 0);
  EXPECT_EQ(sample({"--out", dangling.string(), "--seed", "8"}).status, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(link) && std::filesystem::is_symlink(dangling));
  EXPECT_NE(read(picture), before);
  EXPECT_EQ(read(scratch_ / "made.png"), read(picture));
}

TEST_F(Sample, InterpolatesAndOverwritesOnlyWhenForced) {
  const auto file = scratch_ / "walk.png";
  ASSERT_EQ(sample({"--out", file.string(), "--interpolate", "--count", "16"}).status, 0);
  const std::string before = read(file);
  expect_refused(sample({"--out", file.string()}), {"walk.png", "out", "--force"});
  EXPECT_TRUE(read(file) == before);
  EXPECT_EQ(sample({"--out", file.string(), "--force"}).status, 0);
  EXPECT_FALSE(read(file) == before);
  expect_refused(sample({"--out", "/dev/null", "--force"}), {"/dev/null", "regular file"});
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(Objectives, TableAndOneInFull) {
  const Result all = duel({"objectives"});
  EXPECT_EQ(all.status, 0);
  for (const char* name : {"gan ", "ns-gan", "wgan ", "wgan-gp", "wgan-lp", "lsgan ", "lsgan-pearson",
                           "dragan", "hinge", "arXiv:1704.00028"}) {
    EXPECT_TRUE(has(all.out, name)) << name;
  }
  const Result one = duel({"objectives", "wgan-gp"});
  EXPECT_EQ(one.status, 0);
  for (const char* part : {"L_D =", "Gulrajani", "--lambda", "--critic-steps", "batch norm"})
    EXPECT_TRUE(has(one.out, part)) << one.out;
  EXPECT_FALSE(has(one.out, "Goodfellow"));
  EXPECT_TRUE(has(one.out, "raw logits; E: mean")) << one.out;
  const Result hinge = duel({"objectives", "hinge"});
  EXPECT_TRUE(has(hinge.out, "Lim & Ye: RMSProp 2e-4"))
      << "the paper's rates, where Duel's are others: " << hinge.out;
  const Result energies = duel({"objectives", "began"});
  EXPECT_TRUE(has(energies.out, "E: mean absolute error") && has(energies.out, "energies, low on data"))
      << energies.out;
  EXPECT_FALSE(has(energies.out, "E: mean over the batch")) << energies.out;
}

TEST(Objectives, LinesFitAndNumbersHaveOneForm) {
  std::string all = duel({"objectives"}).out;
  for (const char* name : {"fgan-alpha", "began", "acgan"}) all += duel({"objectives", name}).out;
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  EXPECT_TRUE(has(all, "lr-d 0.00005,") && has(all, "lr-d 0.0005,") &&
              has(all, "--lr-g                   0.0002\n"));
  EXPECT_FALSE(has(all, "e-0"));
  // Nothing of a formula is lost.
  std::string joined;
  for (const char c : all) {
    if (c != ' ' && c != '\n') joined += c;
  }
  for (const std::string& name : gan::objective_names()) {
    std::string formula = gan::named_objective(name).formula;
    std::erase(formula, ' ');
    EXPECT_TRUE(has(joined, formula)) << name;
  }
}

TEST(Objectives, DefaultsAreFlagsOfTrain) {
  for (const char* name : {"sngan", "ns-gan", "began"}) {
    const std::string out = duel({"objectives", name}).out;
    std::vector<std::string> args{"train", "--objective", name,        "--arch",   "mlp", "--synthetic-count",
                                  "64",    "--data",      "synthetic", "--dry-run"};
    std::istringstream words(out.substr(out.find("duel train:\n") + 12));
    bool flag = false;
    for (std::string line; std::getline(words, line) && line.starts_with("  --"); flag = true) {
      std::istringstream parts(line);
      for (std::string part; parts >> part;) args.push_back(part);
    }
    EXPECT_TRUE(flag);
    const Result given = duel(args), plain = duel({args.begin(), args.begin() + 10});
    ASSERT_EQ(given.status, 0) << given.err;
    EXPECT_EQ(given.out.substr(given.out.find('{')), plain.out.substr(plain.out.find('{')));
  }
  const Result off =
      duel({"train", "--objective", "sngan", "--spectral-norm=false", "--data", "synthetic", "--dry-run"});
  EXPECT_TRUE(has(off.out, "\"spectral-norm\": false")) << off.out;
}

TEST(Info, NamesMachineAndLibraries) {
  const Result r = duel({"info"});
  EXPECT_EQ(r.status, 0);
  for (const std::string& part :
       std::vector<std::string>{"CPU ", "threads ", "GPU ", "oneDNN " + kernels::host_library_version() + ",",
                                "zlib 1.", "compiler   ", "data "})
    EXPECT_TRUE(has(r.out, part)) << r.out;
}

}  // namespace
}  // namespace duel::apps::testing
