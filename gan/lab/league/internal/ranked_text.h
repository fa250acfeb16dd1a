// Ranks and measures in the cells of a table: what the league's and a sweep's have in common.
#pragma once

#include <string>
#include <vector>

#include "duel/gan/lab/league/scores.h"

namespace duel::gan::lab {

/// "3", "2 of 3" where one failed.
std::string runs_text(const Ranked& row);

struct RankedColumn {
  std::string head, cell;
};
/// Score, interval, measures and seconds, the first ones the most telling.
std::vector<RankedColumn> ranked_columns(const Ranked& row, const Protocol& protocol, const Ranking& by);

/// What all runs have in common and what the columns are, in one line.
std::string protocol_text(const Protocol& protocol, const Ranking& by);

using TableCells = std::vector<std::vector<std::string>>;

/// The first row is the heading.
std::string markdown_table(const TableCells& rows);

}  // namespace duel::gan::lab
