#include "duel/gan/lab/league/scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "duel/core/ops.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

const QualityMeasure* ranking_measure(const std::string& key) {
  for (const QualityMeasure& row : quality_measures())
    if (row.key == key) return &row;
  return nullptr;
}

double mean_score(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? NAN : sum / static_cast<double>(values.size());
}

double mean_of_measure(const RunGroup& runs, const std::string& key) {
  std::vector<double> values;
  for (const LeagueRun* run : runs)
    if (const Value* v = run->find(key); v && std::isfinite(v->value)) values.push_back(v->value);
  return mean_score(values);
}

std::vector<double> scaled_scores(const RunGroup& runs, const Ranking& by) {
  std::vector<double> values;
  for (const LeagueRun* run : runs)
    if (const Value* v = run->find(by.measure->key)) values.push_back(by.scale(v->value));
  return values;
}

/// -1: `a` is better beyond the interval of their common seeds' differences, 1: worse; 0: not told apart.
int told_apart(const std::map<uint64_t, double>& a, const std::map<uint64_t, double>& b) {
  std::vector<double> differences;
  for (const auto& [seed, cost] : a)
    if (const auto of_b = b.find(seed); of_b != b.end()) differences.push_back(cost - of_b->second);
  if (differences.size() < 2) return 0;
  const Interval range = mean_interval(differences);
  return range.high < 0 ? -1 : range.low > 0 ? 1 : 0;
}

/// None where a run failed: Note [What a rank is].
std::map<uint64_t, double> costs_of(const RunGroup& runs, const Ranking& by) {
  std::map<uint64_t, double> costs;
  for (const LeagueRun* run : runs) {
    if (!run->failure.empty()) return {};
    if (const Value* v = run->find(by.measure->key)) costs[run->seed] = by.cost(v->value);
  }
  return costs;
}

Ranked ranked_group(const RunGroup& runs, const Ranking& by) {
  Ranked row;
  row.runs = std::ssize(runs);
  for (const LeagueRun* run : runs) {
    row.failed += run->failure.empty() ? 0 : 1;
    row.seconds += run->seconds / static_cast<double>(runs.size());
  }
  row.precision = mean_of_measure(runs, "precision");
  row.recall = mean_of_measure(runs, "recall");
  row.coverage = mean_of_measure(runs, "coverage");
  row.modes = mean_of_measure(runs, "modes");
  for (const LeagueRun* run : runs) row.held_out_gap += run->held_out_gap / static_cast<double>(runs.size());
  if (row.failed > 0) return row;
  static const Ranking fd = ranking("league", "rank-by", "fd");
  if (const std::vector<double> logs = scaled_scores(runs, fd); !logs.empty())
    row.fd = fd.back(mean_score(logs));
  const std::vector<double> scores = scaled_scores(runs, by);
  if (!scores.empty()) row.score = by.back(mean_score(scores));
  if (scores.size() > 1) {
    const Interval range = mean_interval(scores);
    row.range = Interval{by.back(range.low), by.back(range.high)};
  }
  if (const Value* own = runs.size() == 1 ? runs.front()->find(by.measure->key) : nullptr)
    row.own = Interval{own->low, own->high};
  return row;
}

}  // namespace

const Value* LeagueRun::find(const std::string& key) const {
  for (const auto& [name, value] : measures)
    if (name == key) return &value;
  return nullptr;
}

Tensor LeagueRun::last_samples() const { return slice(samples, 0, samples.dim(0) - 1, samples.dim(0)); }

Interval mean_interval(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / n;
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double reach = student_quantile(n - 1) * std::sqrt(squares / (n - 1) / n);
  return {mean - reach, mean + reach};
}

bool Ranking::logarithms() const { return measure->key == "fd"; }
double Ranking::scale(double value) const { return logarithms() ? std::log(value) : value; }
double Ranking::back(double scaled) const { return logarithms() ? std::exp(scaled) : scaled; }
double Ranking::cost(double value) const {
  return measure->better == Better::higher ? -scale(value) : scale(value);
}

Ranking ranking(const char* op, const std::string& setting, const std::string& key) {
  std::vector<std::string> names;
  std::string listed;
  for (const QualityMeasure& row : quality_measures()) {
    if (row.better == Better::near_floor) continue;
    listed += (names.empty() ? "" : ", ") + row.key;
    names.push_back(row.key);
  }
  const QualityMeasure* found = ranking_measure(key);
  DUEL_CHECK(found, op, "{}: expected one of {}, got '{}'", setting, listed, shown(key));
  DUEL_CHECK(found->better != Better::near_floor, op,
             "{}: {} is best near that of real samples, and so ranks nothing: expected one of {}", setting,
             key, listed);
  return {found};
}

std::vector<std::optional<Ranks>> rank_ranges(const std::vector<std::map<uint64_t, double>>& groups) {
  const auto counts = [](const auto& group) {
    return group.size() > 1;
  };  // of one run nothing is known about seeds
  const auto count = std::count_if(groups.begin(), groups.end(), counts);
  std::vector<std::optional<Ranks>> ranks(groups.size());
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!counts(groups[i])) continue;
    int64_t better = 0, worse = 0;
    for (size_t other = 0; other < groups.size(); ++other) {
      if (other == i || !counts(groups[other])) continue;
      const int order = told_apart(groups[other], groups[i]);
      better += order < 0;
      worse += order > 0;
    }
    ranks[i] = {1 + better, count - worse};
  }
  return ranks;
}

std::string rank_text(const std::optional<Ranks>& rank) {
  if (!rank) return "-";
  return rank->first == rank->second ? std::to_string(rank->first)
                                     : message("{}-{}", rank->first, rank->second);
}

std::vector<Ranked> ranked(const std::vector<RunGroup>& groups, const Ranking& by) {
  std::vector<Ranked> rows;
  std::vector<std::map<uint64_t, double>> costs;
  for (const RunGroup& group : groups) {
    rows.push_back(ranked_group(group, by));
    costs.push_back(costs_of(group, by));
  }
  const std::vector<std::optional<Ranks>> ranks = rank_ranges(costs);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].rank = ranks[i];
  return rows;
}

std::vector<size_t> best_first(const std::vector<Ranked>& all, const Ranking& by) {
  std::vector<size_t> places(all.size());
  std::iota(places.begin(), places.end(), size_t{0});
  std::stable_sort(places.begin(), places.end(), [&](size_t i, size_t j) {
    const std::optional<double>&a = all[i].score, &b = all[j].score;
    return a && b ? by.cost(*a) < by.cost(*b) : a.has_value() && !b;
  });
  return places;
}

Protocol protocol_of(const std::vector<LeagueRun>& runs, const Ranking& by) {
  Protocol p;
  std::set<uint64_t> seeds;
  std::vector<double> floors;
  for (const LeagueRun& run : runs) {
    seeds.insert(run.seed);
    p.judge = run.judge;
    p.gaps = p.gaps || std::isfinite(run.held_out_gap);
    p.steps = std::max(p.steps, run.steps);
    if (run.failure.empty())
      p.steps_least = p.steps_least == 0 ? run.steps : std::min(p.steps_least, run.steps);
    if (const Value* v = run.find(by.measure->key)) floors.push_back(v->floor);
  }
  p.floor = mean_score(floors);
  p.seeds.assign(seeds.begin(), seeds.end());
  return p;
}

}  // namespace duel::gan::lab
