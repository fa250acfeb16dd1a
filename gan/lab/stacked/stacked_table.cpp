// The table of runs on stacked digits, beside what papers report.
#include <algorithm>
#include <cmath>
#include <map>

#include "duel/gan/lab/league/internal/ranked_text.h"
#include "duel/gan/lab/league/scores.h"
#include "duel/gan/lab/stacked/stacked.h"
#include "duel/gan/record/internal/text_table.h"
#include "duel/kernels/base/text.h"

namespace duel::gan::lab {
namespace {

using StackedCells = std::vector<std::string>;

const StackedCells kStackedHeading = {"rank", "objective", "runs", "modes", "95 %", "reverse KL", "FD", "s"};

std::string pm_text(double mean, double error, int digits) {
  return fixed(mean, digits) + (error > 0 ? " ± " + fixed(error, digits) : "");
}

std::string range_text(const std::optional<Interval>& range, int digits) {
  return range ? fixed(range->low, digits) + " to " + fixed(range->high, digits) : "-";
}

StackedCells row_cells(const StackedRow& row) {
  return {rank_text(row.rank),
          row.objective,
          row.failed ? message("{} of {}", row.runs - row.failed, row.runs) : std::to_string(row.runs),
          pm_text(row.modes.mean, row.modes.error, 1),
          range_text(row.modes_range, 1),
          pm_text(row.reverse_kl.mean, row.reverse_kl.error, 3),
          row.fd ? significant(*row.fd, 3) : "-",
          fixed(row.seconds, 0)};
}

StackedCells published_cells(const StackedPublished& row) {
  return {"", row.name,
          "", pm_text(row.modes, row.modes_error, 1),
          "", pm_text(row.reverse_kl, row.reverse_kl_error, 3),
          "", ""};
}

/// Student's, as far as there are values.
Interval stacked_interval(const std::vector<double>& values, double most) {
  const Interval range = mean_interval(values);
  return {std::max(range.low, 0.0), std::min(range.high, most)};
}

std::vector<StackedCells> own_rows(const StackedTable& t) {
  std::vector<StackedCells> rows;
  for (const StackedRow& row : t.rows) rows.push_back(row_cells(row));
  if (t.floor)
    rows.push_back({"", "real digits", "", std::to_string(t.floor->score.modes), "",
                    fixed(t.floor->score.reverse_kl, 4), significant(t.floor->fd, 2), ""});
  rows.push_back({"", "even kinds", "", fixed(expected_modes(t.request.count), 1), "",
                  fixed(expected_reverse_kl(t.request.count), 4), "", ""});
  return rows;
}

std::vector<StackedCells> published_rows(const StackedTable& t) {
  std::vector<StackedCells> rows;
  for (const StackedPublished& row : stacked_protocol(t.request.protocol).published)
    rows.push_back(published_cells(row));
  return rows;
}

std::string stacked_protocol_text(const StackedTable& t) {
  const StackedProtocol& protocol = stacked_protocol(t.request.protocol);
  return message(
      "Stacked digits, protocol {}: {}. {} iterations of batch {}, seeds {}; modes and divergence from even "
      "kinds in {} samples, ± the standard error over seeds, 95 % Student's; FD of the single digits; ranks are by modes and shared by what seeds "
      "do not tell apart.{} {}",
      protocol.name, protocol.about, t.request.steps, protocol.batch,
      t.seeds.empty() ? "none" : joined(t.seeds), t.request.count,
      t.request.own_schedule ? " Each objective's own optimizers." : "",
      t.request.steps >= protocol.published_steps
          ? "As long as published."
          : message("NOT the published length: that has {} iterations.", protocol.published_steps));
}

}  // namespace

StackedTable make_stacked_table(const StackedOutcome& outcome) {
  StackedTable table{.request = outcome.request, .floor = outcome.floor};
  std::vector<std::string> names;
  for (const StackedRun& run : outcome.runs) {
    if (std::find(names.begin(), names.end(), run.objective) == names.end()) names.push_back(run.objective);
    if (std::find(table.seeds.begin(), table.seeds.end(), run.seed) == table.seeds.end())
      table.seeds.push_back(run.seed);
  }
  std::sort(table.seeds.begin(), table.seeds.end());
  std::vector<std::map<uint64_t, double>> costs;
  for (const std::string& name : names) {
    StackedRow row{.objective = name};
    std::vector<double> modes, divergence, distances;
    std::map<uint64_t, double> lost;
    for (const StackedRun& run : outcome.runs) {
      if (run.objective != name) continue;
      ++row.runs;
      row.failed += !run.failure.empty();
      if (run.fd) distances.push_back(*run.fd);
      row.seconds += run.seconds;
      modes.push_back(static_cast<double>(run.score.modes));
      divergence.push_back(run.score.reverse_kl);
      lost[run.seed] = -modes.back();
    }
    if (!distances.empty()) row.fd = spread_of(distances).mean;
    row.seconds /= static_cast<double>(row.runs);
    row.modes = spread_of(modes);
    row.reverse_kl = spread_of(divergence);
    if (row.runs > 1) row.modes_range = stacked_interval(modes, 1000);
    table.rows.push_back(row);
    costs.push_back(lost);
  }
  const std::vector<std::optional<Ranks>> ranks = rank_ranges(costs);
  for (size_t i = 0; i < ranks.size(); ++i) table.rows[i].rank = ranks[i];
  std::stable_sort(table.rows.begin(), table.rows.end(),
                   [](const StackedRow& a, const StackedRow& b) { return a.modes.mean > b.modes.mean; });
  return table;
}

std::string to_text(const StackedTable& table) {
  std::string text;
  for (const std::string& line : detail::text_lines(stacked_protocol_text(table), 0)) text += line + "\n";
  std::vector<StackedCells> rows = own_rows(table);
  const size_t own = rows.size();
  for (StackedCells& row : published_rows(table)) rows.push_back(std::move(row));
  std::vector<detail::TextColumn> columns;
  for (const std::string& head : kStackedHeading) columns.push_back({head, head == "objective"});
  const std::vector<std::string> lines = detail::text_table(columns, rows);
  text += "\n";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i == own + 1) {
      text += "\n";
      for (const std::string& line :
           detail::text_lines(stacked_protocol(table.request.protocol).published_in + ":", 0))
        text += line + "\n";
    }
    text += lines[i] + "\n";
  }
  return text;
}

std::string to_markdown(const StackedTable& table) {
  TableCells own{kStackedHeading}, published{{"published", "modes", "reverse KL"}};
  for (StackedCells& row : own_rows(table)) own.push_back(std::move(row));
  for (const StackedCells& row : published_rows(table)) published.push_back({row[1], row[3], row[5]});
  return stacked_protocol_text(table) + "\n\n" + markdown_table(own) + "\n" +
         stacked_protocol(table.request.protocol).published_in + ":\n\n" + markdown_table(published);
}

}  // namespace duel::gan::lab
