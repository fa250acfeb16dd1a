#include "duel/gan/lab/table.h"

#include <algorithm>
#include <map>

#include "duel/core/io/internal/json.h"
#include "duel/gan/lab/internal/records.h"
#include "duel/gan/lab/internal/result_store.h"
#include "duel/gan/lab/league/internal/ranked_text.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

/// "6.3 ± 0.5"; the error only where there is one.
std::string spread_text(double mean, double error, int digits, bool has_error) {
  return fixed(mean, digits) + (has_error ? " ± " + fixed(error, digits) : "");
}

std::string with_commas(int64_t value) {
  std::string text = std::to_string(value);
  for (auto i = static_cast<int64_t>(text.size()) - 3; i > 0; i -= 3)
    text.insert(static_cast<size_t>(i), ",");
  return text;
}

/// The cells of every kind of row, as texts.
using Cells = std::vector<std::string>;

Cells cells(const TableRow& row) {
  const bool many = row.runs > 1;
  std::string runs = std::to_string(row.runs);
  if (row.diverged > 0) runs += " (" + std::to_string(row.diverged) + " diverged)";
  return {rank_text(row.rank),
          row.name,
          runs,
          spread_text(row.modes.mean, row.modes.error, 1, many),
          spread_text(100 * row.high_quality.mean, 100 * row.high_quality.error, 1, many),
          spread_text(row.reverse_kl.mean, row.reverse_kl.error, 3, many),
          fixed(row.seconds, 0)};
}

Cells cells(const PublishedRow& row, bool errors) {
  return {"",
          row.name,
          "",
          spread_text(row.modes, row.modes_error, 1, errors),
          spread_text(row.high_quality, row.high_quality_error, errors ? 1 : 2, errors),
          row.reverse_kl ? spread_text(*row.reverse_kl, row.reverse_kl_error, 2, errors) : "-",
          ""};
}

Cells true_cells(const Table& t) {
  return {"",
          "true samples",
          "",
          fixed(static_cast<double>(t.mixture.means.size()), 1),
          fixed(100 * true_high_quality(), 2),
          fixed(true_reverse_kl(t.mixture, t.settings.measured_points), 4),
          ""};
}

Cells heading(const Table& t) {
  return {"rank",           "objective",  "runs", "modes of " + std::to_string(t.mixture.means.size()),
          "high quality %", "reverse KL", "s"};
}

bool has_errors(const Published& published) {
  return std::any_of(published.rows.begin(), published.rows.end(),
                     [](const PublishedRow& r) { return r.modes_error > 0; });
}

/// Characters, not bytes: ± is two bytes.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

Table make_table(const Mixture& mixture, const PointSettings& settings, const std::vector<PointRun>& runs) {
  Table table{.mixture = mixture, .settings = settings, .seeds = {}, .rows = {}};
  std::vector<std::string> names;
  for (const PointRun& run : runs) {
    if (std::find(names.begin(), names.end(), run.objective) == names.end()) names.push_back(run.objective);
    if (std::find(table.seeds.begin(), table.seeds.end(), run.seed) == table.seeds.end())
      table.seeds.push_back(run.seed);
  }
  std::sort(table.seeds.begin(), table.seeds.end());
  std::vector<std::map<uint64_t, double>> costs;
  for (const std::string& name : names) {
    TableRow row{.name = name, .modes = {}, .high_quality = {}, .reverse_kl = {}};
    std::vector<double> modes, quality, divergence;
    std::map<uint64_t, double> divergences;
    for (const PointRun& run : runs) {
      if (run.objective != name) continue;
      ++row.runs;
      row.diverged += run.diverged.has_value();
      row.seconds += run.seconds;
      modes.push_back(static_cast<double>(run.score.modes));
      quality.push_back(run.score.high_quality);
      divergence.push_back(run.score.reverse_kl);
      divergences[run.seed] = run.score.reverse_kl;
    }
    row.seconds /= static_cast<double>(row.runs);
    row.modes = spread_of(modes);
    row.high_quality = spread_of(quality);
    row.reverse_kl = spread_of(divergence);
    table.rows.push_back(row);
    costs.push_back(divergences);
  }
  const std::vector<std::optional<Ranks>> ranks = rank_ranges(costs);
  for (size_t i = 0; i < ranks.size(); ++i) table.rows[i].rank = ranks[i];
  return table;
}

std::string protocol_line(const Table& t) {
  return message(
      "{}: {} modes, deviation {}. {} step{} of batch {}, seed{} {}{}. {} {}. Ranks are by reverse KL and shared by what seeds "
      "do not tell apart; s: of a run.",
      t.mixture.name, t.mixture.means.size(), t.mixture.deviation, with_commas(t.settings.steps),
      t.settings.steps == 1 ? "" : "s", t.settings.batch, t.seeds.size() == 1 ? "" : "s",
      t.seeds.empty() ? "none" : joined(t.seeds),
      t.settings.own_schedule ? ", each objective's own optimizers and order of updates" : "",
      t.settings.steps == 400000 && t.seeds.size() == 10 && !t.settings.own_schedule
          ? "As many as published."
          : message("NOT the published length: PacGAN's protocol has 400,000 steps{} and 10 trials.",
                    t.settings.own_schedule ? " of Adam 1e-4 for both players at the same time" : ""),
      point_defaults(t.settings));
}

std::string to_text(const Table& t) {
  struct Line {
    std::string title;  // a line of its own, where set
    Cells cells;
  };
  std::vector<Line> lines{{"", heading(t)}};
  for (const TableRow& row : t.rows) lines.push_back({"", cells(row)});
  lines.push_back({"", true_cells(t)});
  for (const Published& published : published_results(t.mixture.name)) {
    lines.push_back({published.source + ": " + published.protocol, {}});
    for (const PublishedRow& row : published.rows) lines.push_back({"", cells(row, has_errors(published))});
  }
  std::vector<size_t> widths(heading(t).size(), 0);
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.cells.size(); ++i) widths[i] = std::max(widths[i], width_of(line.cells[i]));
  }
  std::string text = protocol_line(t) + "\n\n";
  for (const Line& line : lines) {
    if (!line.title.empty()) text += "\n" + line.title + "\n";
    std::string row;
    for (size_t i = 0; i < line.cells.size(); ++i) {
      row += line.cells[i];
      if (i + 1 < line.cells.size()) row.append(widths[i] - width_of(line.cells[i]) + 3, ' ');
    }
    if (!line.cells.empty()) text += row + "\n";
  }
  return text;
}

std::string to_markdown(const Table& t) {
  TableCells own{heading(t)};
  for (const TableRow& row : t.rows) own.push_back(cells(row));
  own.push_back(true_cells(t));
  std::string text = protocol_line(t) + "\n\n" + markdown_table(own);
  for (const Published& published : published_results(t.mixture.name)) {
    TableCells theirs{heading(t)};
    for (const PublishedRow& row : published.rows) theirs.push_back(cells(row, has_errors(published)));
    text += "\n" + published.source + ": " + published.protocol + ".\n\n" + markdown_table(theirs);
  }
  return text;
}

std::string to_json(const Table& t, const std::vector<PointRun>& runs,
                    const std::map<std::string, std::string>& commits) {
  using json::Json;
  const auto spread = [](const Spread& s) { return Json{{"mean", s.mean}, {"standard_error", s.error}}; };
  const std::string rows = json_lines(t.rows, [&](const TableRow& row) {
    return Json{{"objective", row.name},
                {"runs", row.runs},
                {"diverged", row.diverged},
                {"modes", spread(row.modes)},
                {"high_quality", spread(row.high_quality)},
                {"reverse_kl", spread(row.reverse_kl)},
                {"rank", rank_text(row.rank)},
                {"seconds", row.seconds}};
  });
  const std::string all = json_lines(
      runs, [](const PointRun& run) { return json::parse(to_json(run), {.bytes = size_t{1} << 30}); });
  const Json head = {{"protocol", protocol_line(t)},
                     {"mixture", t.mixture.name},
                     {"steps", t.settings.steps},
                     {"seeds", t.seeds},
                     {"commits", commits},
                     {"true_samples",
                      {{"modes", t.mixture.means.size()},
                       {"high_quality", true_high_quality()},
                       {"reverse_kl", true_reverse_kl(t.mixture, t.settings.measured_points)}}}};
  const std::string opened = head.dump(1);
  return opened.substr(0, opened.rfind('\n')) +
         message(",\n \"table\": [\n{}\n ],\n \"runs\": [\n{}\n ]\n}\n", rows, all);
}

}  // namespace duel::gan::lab
