// The league: every objective x seed trained on the same digits, with the same network, for the same number of
// iterations, and judged by the same judge against images that none of them saw. What `duel lab league` prints.
//
//   DIR/league.md, league.json   the table of all finished runs; league.png: samples of each objective's first seed
//   DIR/runs/OBJECTIVE-SEED.*    every run: its measures, how FD went, its samples
//
// A run that is in the folder is not trained again, and several processes, or machines with a common file system, share
// the runs (internal/shared_runs.h). Folders of several machines are merged by copying their runs/ together.
//
// Note [What a rank is]
// A run's score is its FD at the last iteration; an objective's is the geometric mean of its runs', because FD is
// positive and its spread grows with it. The interval is Student's on the logarithms, over seeds: what seeds, latents
// and the judge's finite samples do to it is all in there. Two objectives are held against each other by the
// differences of their logarithms at common seeds, from which networks, data order and latents begin alike (Student's
// paired interval; with three or five seeds a bootstrap would draw from so few numbers that its interval is far too
// narrow). A rank is a range, "2-4": one more than the objectives that are better beyond their interval, to all but
// those that are worse: within a range of ranks nothing is told apart. Nothing is corrected for the number of
// pairs: of twenty pairs that are alike one is told apart by chance. A run that left the finite numbers has no FD, and
// neither has its objective.
// Compute is equal in iterations of G and in images that G makes, not in time: an iteration holds as many steps of D
// as the objective asks for. The table has seconds, league.json images that D was shown.
//
// Example:
//   LabObserver quiet;
//   LeagueOutcome outcome = run_league({.objectives = {"ns-gan", "hinge"}, .seeds = {1, 2, 3}, .steps = 6000, .out = "league"}, quiet);
//   std::fputs(to_text(make_league_table(outcome.runs)).c_str(), stdout);
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/comparison.h"
#include "duel/gan/lab/observer.h"
#include "duel/gan/record/run_config.h"

namespace duel::gan::lab {

struct LeagueRequest {
  std::vector<std::string> objectives = {};
  std::vector<uint64_t> seeds = {1, 2, 3};
  int64_t steps = 6000;   // iterations of each run
  int64_t count = 10000;  // samples, and real images, that the judge sees
  RunConfig config = {};  // network, data and batch of every run; objective, steps and seed do not count
  std::filesystem::path out = {};
};

struct LeagueRun {
  std::string objective;
  uint64_t seed = 0;
  std::string failure = "";  // why it ended early; empty
  double seconds = 0;        // of training and judging, beside whatever else the machine did
  int64_t steps = 0;         // done
  int64_t images_d = 0;      // real images that D was shown
  std::string judge = "";
  std::vector<std::pair<std::string, Value>> measures = {};  // at the end, by keys of quality_measures()
  std::vector<std::pair<int64_t, double>> curve = {};        // FD after an eighth, a quarter, half and all
  Tensor samples = {};                                       // u8 [H, W] picture of some samples

  const Value* find(const std::string& key) const;
};

struct LeagueOutcome {
  std::vector<LeagueRun> runs;    // finished ones in the folder, by objective and seed
  bool complete = true;           // every run of the request is among them
  std::vector<std::string> held;  // where not: runs that other processes train, with who does
};

/// Trains what is not in the folder and no other process trains, until the observer stops it, and writes table and
/// picture of what is finished. Error before any training where an objective is unknown, the data has no test set, or
/// the folder holds runs of other settings.
LeagueOutcome run_league(const LeagueRequest& request, LabObserver& observer);

struct LeagueRow {
  std::string objective;
  int64_t runs = 0, failed = 0;
  std::optional<double> fd;       // Note [What a rank is]
  std::optional<Interval> range;  // of two runs or more
  std::optional<std::pair<int64_t, int64_t>> rank;
  double precision = 0, recall = 0, coverage = 0, modes = 0;  // means of the runs
  double seconds = 0;                                         // mean
};
struct LeagueTable {
  std::string judge;
  double floor = 0;             // FD of real images, mean of the runs'
  std::vector<LeagueRow> rows;  // best first
  std::vector<uint64_t> seeds;
  int64_t steps = 0;
};
LeagueTable make_league_table(const std::vector<LeagueRun>& runs);

/// At most 80 columns.
std::string to_text(const LeagueTable& table);
std::string to_markdown(const LeagueTable& table);

/// Student's 95 % interval of the mean; two values or more.
Interval mean_interval(const std::vector<double>& values);

}  // namespace duel::gan::lab
