// --eval-every, --keep-best and --stop-if: what a judge says of a run while it trains, and what follows from it.
#include "duel/gan/run/internal/quality_watch.h"

#include <gtest/gtest.h>

#include <sstream>

#include "duel/core/io/internal/json.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/checkpoint.h"
#include "tests/files.h"
#include "tests/run_watcher.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::files_in;
using duel::testing::first_difference;
using duel::testing::get;
using duel::testing::has;
using duel::testing::Scratch;
using duel::testing::text_of;

struct JudgedWatcher : duel::testing::RunWatcher {
  void evaluated(const std::string& line) override { lines.push_back(line); }
  std::vector<std::string> lines;
};

RunConfig judged_config(const std::filesystem::path& out) {
  RunConfig c;
  c.out = out;
  c.data = "synthetic";
  c.synthetic_count = 200;
  c.networks.arch = "mlp";
  c.networks.channels_g = c.networks.channels_d = 8;
  c.batch = 16;
  c.steps = 24;
  c.log_every = 10;
  c.sample_count = 4;
  c.diagnose_every = c.sample_every = 0;
  c.checkpoint_every = 6;
  c.keep = 10;
  c.eval_every = 8;
  c.eval_count = 60;
  c.keep_best = "fd";
  return c;
}

std::vector<json::Json> lines_of(const std::filesystem::path& file) {
  std::vector<json::Json> lines;
  std::istringstream text(text_of(file));
  for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line, {}));
  return lines;
}

std::vector<double> distances(const std::filesystem::path& run) {
  std::vector<double> values;
  for (const json::Json& line : lines_of(run / "metric-fd-digits-v1.jsonl"))
    values.push_back(line.at("results").at("fd-digits-v1"));
  return values;
}

int64_t best_kept(const std::filesystem::path& run) {
  const auto best = RunFiles(run).all_best();
  return best.size() == 1 ? best[0].iteration : -static_cast<int64_t>(best.size());
}

TEST(QualityWatch, WritesTheCurveAndKeepsTheBest) {
  const Scratch scratch;
  JudgedWatcher watcher;
  EXPECT_TRUE(gan::Run(judged_config(scratch / "run")).train(watcher));
  ASSERT_EQ(watcher.lines.size(), 3u);
  EXPECT_TRUE(has(watcher.lines[0], "judged at iteration 8  fd-digits-v1 ")) << watcher.lines[0];

  const auto lines = lines_of(scratch / "run" / "metric-fd-digits-v1.jsonl");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[2].at("iteration"), 24);
  EXPECT_EQ(lines[2].at("metric"), "fd-digits-v1");
  EXPECT_EQ(lines[2].at("kimg"), 24 * 16 / 1000.0);
  EXPECT_EQ(lines[2].at("snapshot_pkl"), "step_00000024.safetensors");
  EXPECT_TRUE(lines[0].at("snapshot_pkl").is_null());
  EXPECT_LT(lines[2].at("floor"), lines[2].at("results").at("fd-digits-v1"));
  EXPECT_LE(lines[2].at("low"), lines[2].at("results").at("fd-digits-v1"));

  // The same numbers in metrics.jsonl, of every measure that has a file.
  MetricsLog log;
  log.add_file(scratch / "run" / "metrics.jsonl");
  const Curve* curve = log.curve("distances/fd-digits-v1");
  ASSERT_NE(curve, nullptr);
  const std::vector<double> values = distances(scratch / "run");
  EXPECT_EQ(curve->y, values);
  EXPECT_EQ(curve->x, (std::vector<double>{8, 16, 24}));
  size_t named = 0;
  for (const char* group : {"distances", "shares", "counts"}) named += log.group(group).size();
  EXPECT_EQ(named, RunFiles(scratch / "run").all_metrics().size());
  EXPECT_EQ(named, quality_measures().size() - 1) << "all but copies";

  const size_t least = static_cast<size_t>(std::min_element(values.begin(), values.end()) - values.begin());
  EXPECT_EQ(best_kept(scratch / "run"), 8 * (static_cast<int64_t>(least) + 1));
  for (const char* diagram : {"distances.png", "shares.png", "modes.png"})
    EXPECT_TRUE(std::filesystem::exists(scratch / "run" / "diagnostics" / diagram)) << diagram;
}

TEST(QualityWatch, ChangesNothingThatIsTrained) {
  const Scratch scratch;
  JudgedWatcher watcher;
  RunConfig plain = judged_config(scratch / "plain");
  plain.eval_every = 0;
  plain.keep_best = "";
  EXPECT_TRUE(gan::Run(plain).train(watcher));
  EXPECT_TRUE(watcher.lines.empty());
  EXPECT_TRUE(gan::Run(judged_config(scratch / "judged")).train(watcher));
  const auto state = [&](const char* run) {
    return read_checkpoint(scratch / run / "checkpoints" / "step_00000024.safetensors").state;
  };
  EXPECT_EQ(first_difference(state("plain"), state("judged")), "");
}

// Stopped between two looks, and after a look beyond the last checkpoint: the same files in the end.
TEST(QualityWatch, GoesOnBitForBit) {
  const Scratch scratch;
  JudgedWatcher watcher;
  EXPECT_TRUE(gan::Run(judged_config(scratch / "whole")).train(watcher));
  JudgedWatcher stopped;
  stopped.stop_at = 14;
  EXPECT_FALSE(gan::Run(judged_config(scratch / "parts")).train(stopped));
  // As after a kill: the newest checkpoints are gone, and what was written behind them is there.
  std::filesystem::remove(scratch / "parts" / "checkpoints" / "step_00000014.safetensors");
  std::filesystem::remove(scratch / "parts" / "checkpoints" / "step_00000012.safetensors");
  RunConfig again = judged_config(scratch / "parts");
  again.resume = true;
  JudgedWatcher rest;
  EXPECT_TRUE(gan::Run(again).train(rest));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch / "whole")) {
    const std::string name = std::filesystem::relative(entry.path(), scratch / "whole").string();
    const bool compared = name.starts_with("metric") || name.starts_with("checkpoints/");
    if (entry.is_regular_file() && compared) {
      EXPECT_EQ(get(entry.path()), get(scratch / "parts" / name)) << name;
    }
  }
  EXPECT_EQ(best_kept(scratch / "whole"), best_kept(scratch / "parts"));
}

// The rule holds from a look on, and did not before: there the run ends, with a checkpoint.
TEST(QualityWatch, EndsARunThatCollapses) {
  const Scratch scratch;
  JudgedWatcher watcher;
  EXPECT_TRUE(gan::Run(judged_config(scratch / "whole")).train(watcher));
  const std::vector<double> values = distances(scratch / "whole");
  // A bound between the first two values that the second crosses.
  const bool falls = values[1] < values[0];
  RunConfig config = judged_config(scratch / "ended");
  config.stop_if = message("fd{}{}", falls ? "<" : ">", (values[0] + values[1]) / 2);
  gan::Run run(config);
  EXPECT_TRUE(run.train(watcher));
  ASSERT_TRUE(run.collapse());
  EXPECT_TRUE(has(*run.collapse(), falls ? "fd-digits-v1 is " : "above")) << *run.collapse();
  EXPECT_EQ(run.trainer().iteration(), 16);
  EXPECT_TRUE(std::filesystem::exists(scratch / "ended" / "checkpoints" / "step_00000016.safetensors"));
  EXPECT_TRUE(has(text_of(scratch / "ended" / "log.txt"), "stopped at iteration 16: fd-digits-v1 is "));

  // True from the beginning: a young run, not one that collapsed.
  config = judged_config(scratch / "young");
  config.stop_if = "fd>0";
  gan::Run young(config);
  EXPECT_TRUE(young.train(watcher));
  EXPECT_FALSE(young.collapse());
}

TEST(QualityWatch, Rules) {
  const detail::StopRule rule = detail::parse_stop_rule("modes<3");
  EXPECT_EQ(rule.measure->key, "modes");
  EXPECT_TRUE(rule.holds(2));
  EXPECT_FALSE(rule.holds(3));
  EXPECT_TRUE(detail::parse_stop_rule("fd>1e2").holds(101));
  for (const char* text : {"modes", "<3", "modes<", "modes<three", "modes<nan", "modes=3"}) {
    EXPECT_TRUE(has(error_of([&] { detail::parse_stop_rule(text); }),
                    "stop-if: expected a measure, < or >, and a number"))
        << text;
  }
  EXPECT_TRUE(has(error_of([] { detail::parse_stop_rule("fid>3"); }),
                  "stop-if: expected a measure of duel eval, got 'fid': one of fd, fd_infinite, kid"));
}

TEST(QualityWatch, RefusesWhatItCannotDo) {
  const Scratch scratch;
  const auto refused = [&](const char* expected, const std::function<void(RunConfig&)>& change) {
    RunConfig config = judged_config(scratch / "run");
    change(config);
    const std::string said = error_of([&] { gan::Run run(config); });
    EXPECT_TRUE(has(said, expected)) << said;
    EXPECT_FALSE(std::filesystem::exists(scratch / "run"));
  };
  refused("keep-best: expected a measure of duel eval, got 'fid'", [](RunConfig& c) { c.keep_best = "fid"; });
  refused("keep-best: copies is not looked at", [](RunConfig& c) { c.keep_best = "copies"; });
  refused("stop-if: copies is not looked at", [](RunConfig& c) { c.stop_if = "copies>0.5"; });
  refused("keep-best: fd is looked at where samples are judged: say --eval-every too",
          [](RunConfig& c) { c.eval_every = 0; });
  refused("eval-count: expected at least 24", [](RunConfig& c) { c.eval_count = 23; });
  refused("as many to train on, got 60 and 20", [](RunConfig& c) { c.synthetic_count = 20; });
}

}  // namespace
}  // namespace duel::gan
