// The league: every objective x seed trained on the same digits, with the same network, for the same number of
// iterations, and judged by the same judge against images that none of them saw. What `duel lab league` prints.
//
//   DIR/league.md, league.json   the table of all finished runs, and how FD went after an eighth, a quarter, half and all of
//                                the iterations; league.png: the same latents' samples of each objective's first seed then
//   DIR/runs/OBJECTIVE-SEED.*    every run: its measures, how FD went, its samples
//
// A run that is in the folder is not trained again, and several processes, or machines with a common file system, share
// the runs (internal/shared_runs.h). Folders of several machines are merged by copying their runs/ together.
//
// Ranks, scores and their intervals: scores.h, Note [What a rank is].
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
#include <string>
#include <vector>

#include "duel/gan/lab/league/league_run.h"
#include "duel/gan/lab/league/scores.h"
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

struct LeagueOutcome {
  std::vector<LeagueRun> runs;    // finished ones in the folder, by objective and seed
  bool complete = true;           // every run of the request is among them
  std::vector<std::string> held;  // where not: runs that other processes train, with who does
};

/// Trains what is not in the folder and no other process trains, until the observer stops it, and writes table and
/// picture of what is finished. Error before any training where an objective is unknown, the data has no test set, or
/// the folder holds runs of other settings.
LeagueOutcome run_league(const LeagueRequest& request, LabObserver& observer);

struct LeagueRow : Ranked {
  std::string objective = {};
  std::vector<double> course =
      {};  // FD at the table's looks, as the score is made of the runs' FD; NaN where there is none
};
struct LeagueTable {
  Protocol protocol;
  std::vector<int64_t> looks = {};   // iterations of the runs that went on longest
  std::vector<LeagueRow> rows = {};  // best first
};
LeagueTable make_league_table(const std::vector<LeagueRun>& runs);

/// At most 80 columns.
std::string to_text(const LeagueTable& table);
std::string to_markdown(const LeagueTable& table);

}  // namespace duel::gan::lab
