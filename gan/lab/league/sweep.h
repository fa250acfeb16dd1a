// A sweep: points (settings) x seeds, each trained on digits, judged and stored as the league's runs are
// (league.h), and ranked by a measure (scores.h, Note [What a rank is]). What `duel sweep` prints.
//
//   DIR/sweep.md, sweep.json   the table of all finished runs; sweep.png: samples of each point's first seed
//   DIR/runs/POINT-SEED.*      every run: its settings, measures, how FD went, its samples
//
// POINT is made of the point's own settings, so a file with more values, seeds or drawn points goes on in the same
// folder; what is there from a file with fewer or other values stays in the table.
//
// Example:
//   SweepPlan plan = read_sweep("lambda.json");
//   check_points(plan);
//   SweepOutcome outcome = run_sweep(plan, "runs/lambda", observer);
//   std::fputs(to_text(make_sweep_table(plan, outcome.runs)).c_str(), stdout);
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "duel/gan/lab/league/league_run.h"
#include "duel/gan/lab/league/scores.h"
#include "duel/gan/lab/league/sweep_plan.h"
#include "duel/gan/lab/observer.h"

namespace duel::gan::lab {

struct SweepRun {
  SweepValues values;  // of the plan's axes, in their order
  LeagueRun run;
};

struct SweepOutcome {
  std::vector<SweepRun> runs;     // finished ones in the folder, in the order of points and seeds
  bool complete = true;           // every run of points that are not refused is among them
  std::vector<std::string> held;  // where not: runs that other processes train, with who does
};

/// The finished runs in the folder. Error where one is not of a sweep over these axes, or has other settings.
std::vector<SweepRun> recorded_sweep(const SweepPlan& plan, const std::filesystem::path& out);

/// Trains what is not in the folder and no other process trains, until the observer stops it, and writes table and
/// picture of what is finished. Of a plan that went through check_points(); its refused points are left out. Errors,
/// before any training: recorded_sweep()'s, and check_refusals()'s.
SweepOutcome run_sweep(const SweepPlan& plan, const std::filesystem::path& out, LabObserver& observer);

struct SweepRow : Ranked {
  SweepValues values = {};
};
struct SweepTable {
  Ranking by;
  Protocol protocol;
  std::vector<std::string> axes = {};    // those in which the points differ: its columns
  std::vector<SweepRow> rows = {};       // best first
  std::vector<std::string> failed = {};  // runs that ended early, and why
};
SweepTable make_sweep_table(const SweepPlan& plan, const std::vector<SweepRun>& runs);

/// At most 80 columns: where the settings leave no room, measures that tell least are left out, and where even that
/// is not enough, points are numbers that are listed below.
std::string to_text(const SweepTable& table);
std::string to_markdown(const SweepTable& table);

/// The plan's points that are not refused, and the settings of all, at most 80 columns.
std::string points_text(const SweepPlan& plan);

}  // namespace duel::gan::lab
