// Tables that tests compute and gan/objective/proofs.md shows. Where the environment variable DUEL_PROOFS
// names that file, the part between "<!-- NAME -->" and "<!-- end NAME -->" is written anew:
//   DUEL_PROOFS=gan/objective/proofs.md build/tests/duel_test_gan --gtest_filter='*PenaltyGradcheck*:*DiracObjective*:*LeftOut*'
// Otherwise the tests hold the file in the tree against what they found, so that it cannot go stale: names
// and verdicts, not digits, which another CPU moves.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tests/files.h"
#include "tests/source.h"

namespace duel::testing {

using Cells = std::vector<std::string>;

/// Whether the file is being written: what it says now is no matter.
inline bool publishing() { return std::getenv("DUEL_PROOFS") != nullptr; }

/// Where a part begins and ends in a text; fails the test where it is not there.
inline std::pair<size_t, size_t> part_of(const std::string& text, const std::string& name) {
  const std::string begin = "<!-- " + name + " -->\n";
  const size_t from = text.find(begin), to = text.find("<!-- end " + name + " -->");
  const bool whole = from != std::string::npos && to != std::string::npos && from < to;
  EXPECT_TRUE(whole) << "gan/objective/proofs.md has no part " << name;
  return whole ? std::pair(from + begin.size(), to) : std::pair<size_t, size_t>(0, 0);
}

inline void publish(const std::string& name, const std::string& markdown) {
  if (!publishing()) return;
  const char* path = std::getenv("DUEL_PROOFS");
  const Bytes bytes = get(path);
  std::string text(bytes.begin(), bytes.end());
  const auto [from, to] = part_of(text, name);
  if (to == 0) return;
  text.replace(from, to - from, markdown);
  put(path, Bytes(text.begin(), text.end()));
}

/// The cells of a markdown table row by row, the heading first, without the line below it.
inline std::vector<Cells> table_cells(const std::string& markdown) {
  std::vector<Cells> rows;
  for (size_t at = 0; at < markdown.size();) {
    const size_t end = std::min(markdown.find('\n', at), markdown.size());
    const std::string line = markdown.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with("| ")) continue;
    Cells cells;
    for (size_t begin = 2; begin < line.size();) {
      const size_t bar = std::min(line.find(" |", begin), line.size());
      cells.push_back(line.substr(begin, bar - begin));
      begin = bar + 3;
    }
    rows.push_back(cells);
  }
  return rows;
}

/// A part of the file in the tree.
inline std::vector<Cells> published(const std::string& name) {
  const Bytes bytes = get(in_source("gan/objective/proofs.md"));
  const std::string text(bytes.begin(), bytes.end());
  const auto [from, to] = part_of(text, name);
  return table_cells(text.substr(from, to - from));
}

/// Only these columns of each row; a row that lacks one shows "(missing)".
inline std::vector<Cells> columns(const std::vector<Cells>& rows, const std::vector<size_t>& wanted) {
  std::vector<Cells> picked;
  for (const Cells& row : rows) {
    Cells cells;
    for (const size_t column : wanted) cells.push_back(column < row.size() ? row[column] : "(missing)");
    picked.push_back(cells);
  }
  return picked;
}

}  // namespace duel::testing
