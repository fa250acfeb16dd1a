#include "duel/gan/lab/league/internal/ranked_text.h"

#include <cmath>

#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

std::string dashed_number(double value, int digits) {
  return std::isfinite(value) ? fixed(value, digits) : "-";
}

std::string three_digits(const std::optional<double>& value) { return value ? significant(*value, 3) : "-"; }

std::string ranking_name(const Ranking& by) { return by.measure->key == "fd" ? "FD" : by.measure->key; }

/// Of a table from one seed the judge's interval.
std::string range_text(const Ranked& row, const Protocol& protocol) {
  const std::optional<Interval>& range = protocol.seeds.size() == 1 ? row.own : row.range;
  return range ? message("{}-{}", significant(range->low, 3), significant(range->high, 3)) : "-";
}

}  // namespace

std::string runs_text(const Ranked& row) {
  return row.failed ? message("{} of {}", row.runs - row.failed, row.runs) : std::to_string(row.runs);
}

std::vector<RankedColumn> ranked_columns(const Ranked& row, const Protocol& protocol, const Ranking& by) {
  std::vector<RankedColumn> columns{{ranking_name(by), three_digits(row.score)},
                                    {"95 %", range_text(row, protocol)}};
  if (by.logarithms())
    columns.push_back({"real", row.score ? significant(*row.score / protocol.floor, 3) : "-"});
  else
    columns.push_back({"FD", three_digits(row.fd)});
  const std::vector<RankedColumn> others{{"prec", dashed_number(row.precision, 2)},
                                         {"rec", dashed_number(row.recall, 2)},
                                         {"cov", dashed_number(row.coverage, 2)},
                                         {"modes", dashed_number(row.modes, 1)},
                                         {"s/run", dashed_number(row.seconds, 0)}};
  columns.insert(columns.end(), others.begin(), others.end());
  if (protocol.gaps)
    columns.insert(columns.end() - 1,
                   {"gap", std::isfinite(row.held_out_gap) ? significant(row.held_out_gap, 2) : "-"});
  return columns;
}

std::string protocol_text(const Protocol& p, const Ranking& by) {
  const std::string steps = p.steps_least > 0 && p.steps_least < p.steps
                                ? message("{} to {}", p.steps_least, p.steps)
                                : std::to_string(p.steps);
  const std::string floor = significant(p.floor, 3);
  return message("{} iterations, seeds {}, judge {}. ", steps, joined(p.seeds), p.judge) +
         (by.logarithms()
              ? message("FD: geometric mean; real: the same over FD of real images, {}.", floor)
              : message("{}: mean, of real images {}; FD: geometric mean.", ranking_name(by), floor)) +
         (p.seeds.size() == 1 ? " 95 %: of the samples; nothing is known of other seeds." : "") +
         (p.gaps ? " gap: held_out_gap." : "");
}

std::string markdown_table(const TableCells& rows) {
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    text += "|";
    for (const std::string& cell : rows[r]) {
      std::string shown_cell;  // a bar ends a cell
      for (const char c : cell) shown_cell += c == '|' ? std::string("&#124;") : std::string(1, c);
      text += " " + shown_cell + " |";
    }
    text += "\n";
    if (r > 0) continue;
    text += "|";
    for (size_t c = 0; c < rows[0].size(); ++c) text += "---|";
    text += "\n";
  }
  return text;
}

}  // namespace duel::gan::lab
