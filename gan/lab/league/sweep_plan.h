// The file of a sweep: settings that all its runs have, settings that it tries several values of, and seeds.
//
//   {"settings": {"objective": "wgan-gp", "arch": "mlp", "steps": 2000},
//    "axes": {"lambda": [1, 10], "lr": [1e-4, 2e-4, 4e-4]},
//    "seeds": [1, 2, 3]}
//
//   settings   names and values as in config.json; what is left out is as duel train has it
//   axes       a setting each: a list of values, or a range {"min": 1e-5, "max": 1e-3, "log": true} of numbers
//   variants   a list of settings that go together, [{}, {"cr": 10}, {"lecam": 0.3}]: each with each point of the axes
//   runs       how many points are drawn at random from axes and variants; without it all of the grid are taken, and
//              no axis is a range
//   seed       of that draw [1]
//   seeds      of every point's runs: a list, or N for 1 to N [3]
//   rank-by    a measure of duel eval that is better lower or higher [fd]
//   refused    "stop": nothing is trained while a point cannot be; "skip": such points are left out ["stop"]
//
// Note [Points that are drawn]
// A number of a range is uniform in it, under "log" its logarithm is; it has three significant digits, so that what
// the table shows is what was trained. A point comes once. The first points of a longer draw are those of a shorter
// one: with more "runs" the same folder goes on.
//
// Example:
//   SweepPlan plan = read_sweep("lambda.json");
//   check_points(plan);
//   for (const SweepPoint& p : plan.points) std::puts((to_text(p.values) + ": " + p.refusal).c_str());
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/record/run_config.h"

namespace duel::gan::lab {

/// Names of settings with their values as texts.
using SweepValues = std::vector<std::pair<std::string, std::string>>;

/// "lambda=10, lr=0.0001"; "plain" of none.
std::string to_text(const SweepValues& values);

struct SweepPoint {
  SweepValues values;        // of its variant, then of the axes, in their order
  RunConfig config;          // with all that is set, but the seed
  int64_t steps = 0;         // by check_points(): iterations of its runs
  std::string refusal = "";  // by check_points(): why it cannot be trained; empty
};

struct SweepPlan {
  std::string source;  // the file
  SweepValues settings;
  RunConfig base;                 // with them in it
  std::vector<std::string> axes;  // every setting that a point may have a value of
  std::vector<SweepPoint> points;
  std::vector<uint64_t> seeds;
  std::string rank_by = "fd";
  bool skip_refused = false;
};

/// `steps`: in place of the file's. Error naming `source`, the place in it and what would be right.
SweepPlan sweep_from_json(const std::string& text, const std::string& source,
                          std::optional<int64_t> steps = {});
/// Of a file of at most 1 MiB.
SweepPlan read_sweep(const std::filesystem::path& file, std::optional<int64_t> steps = {});

/// The point's settings in the sweep's. Error where one of them cannot be.
RunConfig point_config(const SweepPlan& plan, const SweepValues& values);

/// Asks of every point what duel train asks before it trains, one iteration included (run/internal/rehearsal.h), and
/// notes steps and refusals. Error where the data cannot be read.
void check_points(SweepPlan& plan);

/// Points that cannot be trained, and why, a line each, at most 80 columns; empty where there are none.
std::string refusals_text(const SweepPlan& plan);

/// Error where a point is refused and the plan does not skip such points, or where none is left.
void check_refusals(const SweepPlan& plan);

}  // namespace duel::gan::lab
