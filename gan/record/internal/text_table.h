// Tables for a terminal: columns as wide as what stands in them, narrowed until a line fits.
//
// Example:
//   for (const std::string& line : text_table({{"name", true}, {"loss"}}, {{"a", "0.5"}})) std::puts(line.c_str());
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace duel::gan::detail {

inline constexpr size_t kTableWidth = 80;

struct TextColumn {
  std::string head;
  bool narrows = false;  // gives way where lines are too long, the widest first
};

/// Lines without their ends: the heads, then the rows, each with a cell for every column. Control characters are
/// made visible; of what does not fit the beginning is shown, and "…".
std::vector<std::string> text_table(const std::vector<TextColumn>& columns,
                                    const std::vector<std::vector<std::string>>& rows,
                                    size_t width = kTableWidth);

/// Its words in lines of at most `width` characters, each after `indent` spaces; a longer word is parted.
std::vector<std::string> text_lines(const std::string& text, size_t indent, size_t width = kTableWidth);

/// The first characters, and "…" in the place of the last where there are more than `width`.
std::string cut_text(const std::string& text, size_t width);

/// Four significant digits; "-" for what is not finite.
std::string number_text(double value);

}  // namespace duel::gan::detail
