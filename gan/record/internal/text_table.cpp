#include "duel/gan/record/internal/text_table.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "duel/kernels/base/text.h"

namespace duel::gan::detail {
namespace {

constexpr size_t kNarrowest = 6;

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

/// Characters of UTF-8.
size_t length_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

/// Bytes of the first `count` characters.
size_t bytes_of(const std::string& text, size_t count) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (begins_character(text[at]) && count-- == 0) break;
  }
  return at;
}

}  // namespace

std::string cut_text(const std::string& text, size_t width) {
  if (length_of(text) <= width) return text;
  return text.substr(0, bytes_of(text, width - 1)) + "…";
}

std::string number_text(double value) { return std::isfinite(value) ? significant(value, 4) : "-"; }

std::vector<std::string> text_table(const std::vector<TextColumn>& columns,
                                    const std::vector<std::vector<std::string>>& rows, size_t width) {
  std::vector<std::vector<std::string>> all(1);
  for (const TextColumn& column : columns) all[0].push_back(column.head);
  for (const auto& row : rows) {
    all.emplace_back();
    for (const std::string& cell : row) all.back().push_back(visible(cell));
  }
  std::vector<size_t> widths(columns.size(), 0);
  for (const auto& row : all) {
    for (size_t c = 0; c < columns.size(); ++c) widths[c] = std::max(widths[c], length_of(row.at(c)));
  }
  size_t total = columns.size() - 1;
  for (const size_t each : widths) total += each;
  while (total > width) {
    size_t widest = columns.size();
    for (size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].narrows && widths[c] > kNarrowest &&
          (widest == columns.size() || widths[c] > widths[widest]))
        widest = c;
    }
    if (widest == columns.size()) break;
    --widths[widest];
    --total;
  }
  std::vector<std::string> lines;
  for (const auto& row : all) {
    std::string line;
    for (size_t c = 0; c < columns.size(); ++c) {
      const std::string cell = cut_text(row[c], widths[c]);
      line += cell + std::string(widths[c] - length_of(cell) + 1, ' ');
    }
    line.resize(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> text_lines(const std::string& text, size_t indent, size_t width) {
  const size_t room = width - indent;
  std::istringstream words(visible(text));
  std::vector<std::string> lines;
  std::string line;
  const auto end_line = [&] {
    if (!line.empty()) lines.push_back(std::string(indent, ' ') + line);
    line.clear();
  };
  for (std::string word; words >> word;) {
    if (!line.empty() && length_of(line) + 1 + length_of(word) > room) end_line();
    for (; length_of(word) > room; word.erase(0, bytes_of(word, room))) {
      line = word.substr(0, bytes_of(word, room));
      end_line();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  end_line();
  return lines;
}

}  // namespace duel::gan::detail
