#include "duel/gan/lab/league/league.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "duel/core/io/atomic_file.h"
#include "duel/core/ops.h"
#include "duel/gan/lab/internal/shared_runs.h"
#include "duel/gan/lab/league/internal/judged_training.h"
#include "duel/gan/lab/league/internal/league_runs.h"
#include "duel/gan/lab/league/internal/ranked_text.h"
#include "duel/gan/record/internal/text_table.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

std::vector<LeagueRun> recorded_league(const LeagueRequest& request, const ResultStore& store) {
  std::vector<LeagueRun> runs;
  for (const auto& [objective, seed] : recorded_seeds(store))
    runs.push_back(*load_league_run(request, objective, seed));
  return runs;
}

/// Samples of each objective's first seed as they came, best first, beside its name and FD; where a run of an older Duel is among
/// them, which kept the last ones alone, those.
void draw_league(const std::filesystem::path& file, const LeagueTable& table,
                 const std::vector<LeagueRun>& runs) {
  const bool whole = std::all_of(runs.begin(), runs.end(), [&](const LeagueRun& run) {
    return run.samples.dim(0) == std::ssize(run.curve) + (run.failure.empty() ? 0 : 1);
  });
  std::vector<SamplesRow> rows;
  for (const LeagueRow& row : table.rows) {
    const auto run = std::find_if(runs.begin(), runs.end(),
                                  [&](const LeagueRun& r) { return r.objective == row.objective; });
    const int64_t looks =
        std::min(std::ssize(run->curve), run->samples.dim(0));  // then comes where it failed
    rows.push_back({!whole                 ? run->last_samples()
                    : run->failure.empty() ? run->samples
                                           : slice(run->samples, 0, 0, looks),
                    {row.objective},
                    row.fd ? "FD " + significant(*row.fd, 3) : "not finite"});
  }
  std::vector<std::string> heads;
  for (const int64_t look : table.looks)
    if (whole) heads.push_back(message("iteration {}", look));
  draw_samples(file, rows, heads);
}

void write_league(const LeagueRequest& request, const std::vector<LeagueRun>& runs,
                  const ResultStore& store) {
  const LeagueTable table = make_league_table(runs);
  write_file_atomically(request.out / "league.md", to_markdown(table));
  const json::Json settings = league_settings(request, request.config, request.objectives.front());
  write_file_atomically(
      request.out / "league.json",
      message(
          "{\n \"judge\": \"{}\",\n \"steps\": {},\n \"settings\": {},\n \"commits\": {},\n \"runs\": [\n{}\n ]\n}\n",
          table.protocol.judge, request.steps, json::dumped(settings), json::dumped(store.commits()),
          json_lines(runs, league_json)));
  draw_league(request.out / "league.png", table, runs);
}

const Ranking& by_fd() {
  static const Ranking by = ranking("league", "rank-by", "fd");
  return by;
}

/// The heading first.
TableCells league_cells(const LeagueTable& table) {
  TableCells rows{{"rank", "objective", "runs"}};
  for (const RankedColumn& column : ranked_columns({}, table.protocol, by_fd()))
    rows[0].push_back(column.head);
  for (const LeagueRow& row : table.rows) {
    rows.push_back({rank_text(row.rank), row.objective, runs_text(row)});
    for (const RankedColumn& column : ranked_columns(row, table.protocol, by_fd()))
      rows.back().push_back(column.cell);
  }
  return rows;
}

/// FD of each look, geometric means.
std::vector<double> course_of(const RunGroup& runs, size_t looks) {
  std::vector<double> course(looks, NAN);
  for (size_t k = 0; k < looks; ++k) {
    double logs = 0;
    for (const LeagueRun* run : runs) logs += k < run->curve.size() ? std::log(run->curve[k].second) : NAN;
    course[k] = std::exp(logs / static_cast<double>(runs.size()));
  }
  return course;
}

/// The heading first.
TableCells course_cells(const LeagueTable& table) {
  TableCells rows{{"FD after"}};
  for (const int64_t look : table.looks) rows[0].push_back(std::to_string(look));
  for (const LeagueRow& row : table.rows) {
    rows.push_back({row.objective});
    for (const double fd : row.course) rows.back().push_back(std::isfinite(fd) ? significant(fd, 3) : "-");
  }
  return rows;
}

}  // namespace

LeagueTable make_league_table(const std::vector<LeagueRun>& runs) {
  std::map<std::string, RunGroup> by_objective;
  for (const LeagueRun& run : runs) by_objective[run.objective].push_back(&run);
  std::vector<std::string> objectives;
  std::vector<RunGroup> groups;
  for (const auto& [objective, own] : by_objective) {
    objectives.push_back(objective);
    groups.push_back(own);
  }
  LeagueTable table{.protocol = protocol_of(runs, by_fd())};
  for (const LeagueRun& run : runs) {
    if (run.curve.size() <= table.looks.size()) continue;
    table.looks.clear();
    for (const auto& [iteration, fd] : run.curve) table.looks.push_back(iteration);
  }
  const std::vector<Ranked> all = ranked(groups, by_fd());
  for (const size_t i : best_first(all, by_fd()))
    table.rows.push_back({all[i], objectives[i], course_of(groups[i], table.looks.size())});
  return table;
}

std::string to_text(const LeagueTable& table) {
  const TableCells cells = league_cells(table);
  std::string text;
  for (const std::string& line : detail::text_lines(protocol_text(table.protocol, by_fd()), 0))
    text += line + "\n";
  text += "\n";
  std::vector<detail::TextColumn> columns;
  for (const std::string& head : cells[0]) columns.push_back({head, head == "objective"});
  for (const std::string& line : detail::text_table(columns, {cells.begin() + 1, cells.end()}))
    text += line + "\n";
  return text;
}

std::string to_markdown(const LeagueTable& table) {
  const std::string ranks =
      protocol_text(table.protocol, by_fd()) + "\n\n" + markdown_table(league_cells(table));
  return table.looks.empty() ? ranks : ranks + "\n" + markdown_table(course_cells(table));
}

LeagueOutcome run_league(const LeagueRequest& request, LabObserver& observer) {
  DUEL_CHECK(request.steps >= 1, "league", "steps: expected at least 1, got {}", request.steps);
  DUEL_CHECK(request.count >= least_samples(kNeighbours), "league", "count: expected at least {}, got {}",
             least_samples(kNeighbours), request.count);
  DUEL_CHECK(!request.objectives.empty() && !request.seeds.empty(), "league",
             "expected at least one objective and one seed");
  for (const std::string& objective : request.objectives) (void)named_objective(objective);
  const ResultStore store("league", request.out);
  JudgedField field;
  // Seeds first: a league that is stopped early has something of every objective.
  std::vector<SharedRun> all;
  for (const uint64_t seed : request.seeds) {
    for (const std::string& objective : request.objectives) {
      const std::string label = message("{} seed {}", objective, seed);
      all.push_back({league_name(objective, seed), label,
                     [&request, &field, &observer, objective, seed, label](const auto& keep_going) {
                       RunConfig config = request.config;
                       config.objective = objective;
                       config.seed = seed;
                       const auto run = train_judged(field, config, request.steps, keep_going);
                       if (!run) return false;
                       save_league_run(request, *run);
                       observer.finished(label, found_in(*run), run->seconds, run->steps);
                       return true;
                     }});
    }
  }
  const std::vector<SharedRun> missing = missing_runs(store, all);
  (void)recorded_league(request, store);  // other settings are said now
  if (!missing.empty()) field = judged_field("league", request.config, request.count, observer);
  LeagueOutcome outcome;
  outcome.held = train_and_write(store, all, missing, observer, [&] {
    outcome.runs = recorded_league(request, store);
    if (!outcome.runs.empty()) write_league(request, outcome.runs, store);
  });
  outcome.complete = missing_runs(store, all).empty();
  return outcome;
}

}  // namespace duel::gan::lab
