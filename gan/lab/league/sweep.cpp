#include "duel/gan/lab/league/sweep.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "duel/core/io/atomic_file.h"
#include "duel/gan/lab/internal/shared_runs.h"
#include "duel/gan/lab/league/internal/judged_training.h"
#include "duel/gan/lab/league/internal/ranked_text.h"
#include "duel/gan/lab/league/internal/sweep_runs.h"
#include "duel/gan/record/internal/text_table.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

/// "-" where another variant alone sets it.
std::string value_of_axis(const SweepValues& values, const std::string& axis) {
  const auto found =
      std::find_if(values.begin(), values.end(), [&](const auto& each) { return each.first == axis; });
  return found == values.end() ? "-" : found->second;
}

std::string run_label(const SweepValues& values, uint64_t seed) {
  return message("{} seed {}", to_text(values), seed);
}

/// Axes with more than one value; all where each has one.
std::vector<std::string> differing(const std::vector<std::string>& axes,
                                   const std::vector<SweepValues>& points) {
  std::vector<std::string> found;
  for (const std::string& axis : axes) {
    std::set<std::string> values;
    for (const SweepValues& point : points) values.insert(value_of_axis(point, axis));
    if (values.size() > 1) found.push_back(axis);
  }
  return found.empty() ? axes : found;
}

// ---- The table --------------------------------------------------------------------------------------------

/// Columns that give way, the first one first.
const std::vector<std::string>& yielding_columns() {
  static const std::vector<std::string> heads{"gap", "modes", "cov", "rec", "prec", "real", "FD"};
  return heads;
}

struct SweepCells {
  std::vector<std::string> heads;
  TableCells rows;

  size_t width() const {
    size_t total = 0;
    for (size_t c = 0; c < heads.size(); ++c) {
      size_t widest = heads[c].size();
      for (const auto& row : rows) widest = std::max(widest, row[c].size());
      total += widest + (c > 0 ? 1 : 0);
    }
    return total;
  }
  /// Of the columns behind the first `kept`.
  bool drop(const std::string& head, size_t kept) {
    for (size_t c = kept; c < heads.size(); ++c) {
      if (heads[c] != head) continue;
      heads.erase(heads.begin() + static_cast<std::ptrdiff_t>(c));
      for (auto& row : rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(c));
      return true;
    }
    return false;
  }
  std::string lines() const {
    std::vector<detail::TextColumn> columns;
    for (const std::string& head : heads) columns.push_back({head});
    std::string text;
    for (const std::string& line : detail::text_table(columns, rows)) text += line + "\n";
    return text;
  }
};

/// `numbered`: points by their places in the table.
SweepCells sweep_cells(const SweepTable& table, bool numbered) {
  SweepCells cells{.heads = {"rank"}, .rows = {}};
  if (numbered) cells.heads.push_back("point");
  if (!numbered) cells.heads.insert(cells.heads.end(), table.axes.begin(), table.axes.end());
  cells.heads.push_back("runs");
  for (const RankedColumn& column : ranked_columns({}, table.protocol, table.by))
    cells.heads.push_back(column.head);
  for (const SweepRow& row : table.rows) {
    std::vector<std::string>& line = cells.rows.emplace_back();
    line.push_back(rank_text(row.rank));
    if (numbered) line.push_back(message("#{}", cells.rows.size()));
    if (!numbered)
      for (const std::string& axis : table.axes) line.push_back(visible(value_of_axis(row.values, axis)));
    line.push_back(runs_text(row));
    for (const RankedColumn& column : ranked_columns(row, table.protocol, table.by))
      line.push_back(column.cell);
  }
  return cells;
}

std::string wrapped_text(const std::string& text, size_t indent = 0) {
  std::string lines;
  for (const std::string& line : detail::text_lines(text, indent)) lines += line + "\n";
  return lines;
}

// ---- The folder's files -----------------------------------------------------------------------------------

/// What there is room for beside samples, in the font's letters.
std::string label_line(const std::string& text) {
  constexpr size_t kMost = 30;
  return text.size() <= kMost ? text : text.substr(0, kMost - 2) + "..";
}

void draw_sweep(const std::filesystem::path& file, const SweepTable& table,
                const std::vector<SweepRun>& runs) {
  std::vector<SamplesRow> rows;
  for (const SweepRow& row : table.rows) {
    const auto first =
        std::find_if(runs.begin(), runs.end(), [&](const SweepRun& r) { return r.values == row.values; });
    SamplesRow line{.samples = first->run.last_samples(), .names = {}, .found = "not finite"};
    for (const std::string& axis : table.axes)
      line.names.push_back(label_line(message("{} {}", axis, value_of_axis(row.values, axis))));
    if (row.score) {
      const RankedColumn score = ranked_columns(row, table.protocol, table.by).front();
      line.found = score.head + " " + score.cell;
    }
    rows.push_back(std::move(line));
  }
  draw_samples(file, rows);
}

std::string sweep_page(const SweepPlan& plan, const SweepTable& table) {
  std::string text = to_markdown(table);
  if (!plan.settings.empty()) text += "\nSettings of all: " + to_text(plan.settings) + ".\n";
  std::string refused;
  for (const SweepPoint& point : plan.points)
    if (!point.refusal.empty())
      refused += message("- left out: {}: {}\n", to_text(point.values), point.refusal);
  return text + (refused.empty() ? "" : "\n" + refused);
}

void write_sweep(const SweepPlan& plan, const std::filesystem::path& out, const std::vector<SweepRun>& runs,
                 const ResultStore& store) {
  const SweepTable table = make_sweep_table(plan, runs);
  write_file_atomically(out / "sweep.md", sweep_page(plan, table));
  write_file_atomically(
      out / "sweep.json",
      message(
          "{\n \"judge\": {},\n \"rank-by\": {},\n \"settings\": {},\n \"commits\": {},\n \"runs\": [\n{}\n ]\n}\n",
          json::dumped(table.protocol.judge), json::dumped(plan.rank_by),
          json::dumped(values_json(plan.settings)), json::dumped(store.commits()),
          json_lines(runs, sweep_json)));
  draw_sweep(out / "sweep.png", table, runs);
}

}  // namespace

std::vector<SweepRun> recorded_sweep(const SweepPlan& plan, const std::filesystem::path& out) {
  const ResultStore store("sweep", out);
  std::vector<SweepRun> runs;
  for (const std::string& name : store.names()) runs.push_back(load_sweep_run(plan, store, name));
  std::map<SweepValues, size_t> places;
  for (const SweepPoint& point : plan.points) places.emplace(point.values, places.size());
  const auto place = [&](const SweepRun& run) {
    const auto found = places.find(run.values);
    return found == places.end() ? places.size() : found->second;
  };
  std::sort(runs.begin(), runs.end(), [&](const SweepRun& a, const SweepRun& b) {
    return std::tuple(place(a), a.values, a.run.seed) < std::tuple(place(b), b.values, b.run.seed);
  });
  return runs;
}

SweepOutcome run_sweep(const SweepPlan& plan, const std::filesystem::path& out, LabObserver& observer) {
  check_refusals(plan);
  (void)recorded_sweep(plan, out);  // other settings are said now
  const ResultStore store("sweep", out);
  using Counts = std::pair<int64_t, int64_t>;  // of drawn digits, of training images used
  std::map<Counts, JudgedField> fields;
  // Seeds first: a sweep that is stopped early has something of every point.
  std::vector<SharedRun> all, missing;
  std::set<Counts> wanted;
  for (const uint64_t seed : plan.seeds) {
    for (const SweepPoint& point : plan.points) {
      if (!point.refusal.empty()) continue;
      const std::string label = run_label(point.values, seed);
      all.push_back({sweep_name(point.values, seed), label,
                     [&point, &fields, &store, &observer, seed, label](const auto& keep_going) {
                       RunConfig config = point.config;
                       config.seed = seed;
                       const auto run = train_judged(fields.at({config.synthetic_count, config.data_count}),
                                                     config, point.steps, keep_going);
                       if (!run) return false;
                       save_sweep_run(store, point.config, {point.values, *run});
                       observer.finished(label, found_in(*run), run->seconds, run->steps);
                       return true;
                     }});
      if (store.has(all.back().name)) continue;
      missing.push_back(all.back());
      wanted.insert({point.config.synthetic_count, point.config.data_count});
    }
  }
  for (const Counts& count : wanted) {
    RunConfig config = plan.base;
    std::tie(config.synthetic_count, config.data_count) = count;
    fields.emplace(count, judged_field("sweep", config, config.eval_count, observer));
  }
  SweepOutcome outcome;
  outcome.held = train_and_write(store, all, missing, observer, [&] {
    outcome.runs = recorded_sweep(plan, out);
    if (!outcome.runs.empty()) write_sweep(plan, out, outcome.runs, store);
  });
  outcome.complete = missing_runs(store, all).empty();
  return outcome;
}

SweepTable make_sweep_table(const SweepPlan& plan, const std::vector<SweepRun>& runs) {
  std::vector<SweepValues> points;
  std::vector<RunGroup> groups;
  std::vector<LeagueRun> judged;
  SweepTable table{.by = ranking("sweep", "rank-by", plan.rank_by), .protocol = {}};
  for (const SweepRun& run : runs) {
    const auto found = std::find(points.begin(), points.end(), run.values);
    const auto at = static_cast<size_t>(found - points.begin());
    if (found == points.end()) {
      points.push_back(run.values);
      groups.emplace_back();
    }
    groups[at].push_back(&run.run);
    judged.push_back(run.run);
    if (!run.run.failure.empty())
      table.failed.push_back(message("{}: {}", run_label(run.values, run.run.seed), run.run.failure));
  }
  table.protocol = protocol_of(judged, table.by);
  table.axes = differing(plan.axes, points);
  const std::vector<Ranked> all = ranked(groups, table.by);
  for (const size_t i : best_first(all, table.by)) table.rows.push_back({all[i], points[i]});
  return table;
}

std::string to_text(const SweepTable& table) {
  SweepCells cells = sweep_cells(table, false);
  size_t kept = 2 + table.axes.size() + 2;  // rank, settings, runs, score and interval stay
  const auto fit = [&] {
    for (const std::string& head : yielding_columns())
      if (cells.width() > detail::kTableWidth) cells.drop(head, kept);
  };
  fit();
  std::string list;
  if (cells.width() > detail::kTableWidth) {
    cells = sweep_cells(table, true);
    kept = 2 + 1 + 2;
    fit();
    for (size_t i = 0; i < table.rows.size(); ++i) {
      SweepValues shown_values;
      for (const std::string& axis : table.axes)
        shown_values.emplace_back(axis, value_of_axis(table.rows[i].values, axis));
      list += wrapped_text(message("#{} {}", i + 1, to_text(shown_values)));
    }
    list = "\n" + list;
  }
  std::string text = wrapped_text(protocol_text(table.protocol, table.by)) + "\n" + cells.lines() + list;
  if (!table.failed.empty()) text += "\n";
  for (const std::string& each : table.failed) text += wrapped_text("failed: " + each);
  return text;
}

std::string to_markdown(const SweepTable& table) {
  SweepCells cells = sweep_cells(table, false);
  cells.rows.insert(cells.rows.begin(), cells.heads);
  std::string text = protocol_text(table.protocol, table.by) + "\n\n" + markdown_table(cells.rows);
  if (!table.failed.empty()) text += "\n";
  for (const std::string& each : table.failed) text += "- failed: " + each + "\n";
  return text;
}

std::string points_text(const SweepPlan& plan) {
  std::vector<SweepValues> points;
  for (const SweepPoint& point : plan.points)
    if (point.refusal.empty()) points.push_back(point.values);
  SweepCells cells{.heads = differing(plan.axes, points), .rows = {}};
  for (const SweepValues& point : points) {
    cells.rows.emplace_back();
    for (const std::string& axis : cells.heads)
      cells.rows.back().push_back(visible(value_of_axis(point, axis)));
  }
  const bool narrow = cells.width() <= detail::kTableWidth;
  std::string text = narrow ? cells.lines() : "";
  if (!narrow)
    for (const SweepValues& point : points) text += wrapped_text(to_text(point));
  if (!plan.settings.empty()) text += "\n" + wrapped_text("all with " + to_text(plan.settings));
  return text;
}

}  // namespace duel::gan::lab
