// What runs from several seeds say together, and which of several such groups are told apart: the ranks of the
// league and of a sweep.
//
// Note [What a rank is]
// A run's score is its measure at the last iteration; a group's is the mean of its runs', of FD the geometric mean,
// because FD is positive and its spread grows with it. The interval is Student's over seeds, of FD on the logarithms:
// what seeds, latents and the judge's finite samples do to it is all in there. Two groups are held against each other
// by the differences of their scores (of FD: of the logarithms) at common seeds, from which networks, data order and
// latents begin alike (Student's paired interval; with three or five seeds a bootstrap would draw from so few numbers
// that its interval is far too narrow). A rank is a range, "2-4": one more than the groups that are better beyond
// their interval, to all but those that are worse: within a range of ranks nothing is told apart. Nothing is corrected
// for the number of pairs: of twenty pairs that are alike one is told apart by chance. A run that left the finite
// numbers has no score, and neither has its group.
//
// Example:
//   const Scale by = ranking("fd");
//   std::vector<Ranked> all = ranked({{&a1, &a2}, {&b1, &b2}}, by);
//   for (const size_t i : best_first(all, by)) std::puts(rank_text(all[i].rank).c_str());
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/judge/comparison.h"
#include "duel/gan/lab/league/league_run.h"

namespace duel::gan::lab {

/// Student's 95 % interval of the mean; two values or more.
Interval mean_interval(const std::vector<double>& values);

struct Ranking {
  const QualityMeasure* measure = nullptr;
  bool logarithms() const;  // Note [What a rank is]
  double scale(double value) const;
  double back(double scaled) const;
  /// A run's value as ranks compare it: the smaller the better.
  double cost(double value) const;
};

/// By the measure of this key. Error naming `setting`: an unknown one, or one that is healthy near its floor and so
/// ranks nothing.
Ranking ranking(const char* op, const std::string& setting, const std::string& key);

using Ranks = std::pair<int64_t, int64_t>;  // from the best to the worst that it may be

/// Of groups that have a cost for every seed, the smaller the better; Note [What a rank is]. Nothing for a group of less
/// than two seeds.
std::vector<std::optional<Ranks>> rank_ranges(const std::vector<std::map<uint64_t, double>>& groups);

/// "2", "2-4", "-".
std::string rank_text(const std::optional<Ranks>& rank);

struct Ranked {
  int64_t runs = 0, failed = 0;
  std::optional<double> score;    // Note [What a rank is]
  std::optional<Interval> range;  // of two runs or more
  std::optional<Interval> own;    // of one run: the judge's, which knows its samples and no other seed
  std::optional<Ranks> rank = {};
  std::optional<double> fd;                                   // geometric mean
  double precision = 0, recall = 0, coverage = 0, modes = 0;  // means of the runs
  double held_out_gap = 0;                                    // the same, NaN of older records
  double seconds = 0;                                         // mean
};

using RunGroup = std::vector<const LeagueRun*>;

/// In the order of the groups.
std::vector<Ranked> ranked(const std::vector<RunGroup>& groups, const Ranking& by);

/// Places in `all`, the best first, those without a score last.
std::vector<size_t> best_first(const std::vector<Ranked>& all, const Ranking& by);

/// What is common to all runs of a table.
struct Protocol {
  std::string judge;
  bool gaps = false;  // whether a run has a held_out_gap
  double floor = 0;   // of the ranking's measure: real images', mean of the runs'
  std::vector<uint64_t> seeds;
  int64_t steps_least = 0, steps = 0;  // least and most of the runs that ended as planned
};
Protocol protocol_of(const std::vector<LeagueRun>& runs, const Ranking& by);

}  // namespace duel::gan::lab
