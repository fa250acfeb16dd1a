// What the terminal behind a stream can show.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace duel::apps {

struct Terminal {
  bool live = false;     // a terminal that understands \r: lines may be redrawn
  bool color = false;    // and NO_COLOR is not set
  bool unicode = false;  // the locale is UTF-8
  bool grays = false;    // color, and the 24 grays of 256 colors
};

/// TERM=dumb, NO_COLOR and the locale's variables are respected.
Terminal terminal_of(std::FILE* stream);
/// $COLUMNS, else the window's width now, else 80.
int columns_of(std::FILE* stream);
/// Columns of a page of text on stdout: the window's, at least 60, or 100 where stdout is no terminal.
size_t page_columns();

/// Columns that a UTF-8 text takes, one for each character.
size_t width_of(const std::string& text);
/// The words of `text` in lines of at most `columns` where a word allows it. All begin at column `indent`:
/// the first one is there already, the others get spaces.
std::string wrapped(const std::string& text, size_t indent, size_t columns);

/// Lines of "name      value", each wrapped below its value where it is wider than `columns`.
std::string fitted_lines(const std::string& text, size_t columns);

/// "1:05" or "2:03:10"
std::string clock_text(double seconds);
/// "3.4", "340", "0.012": three significant digits
std::string brief(double value);
/// "|####      |" with `room` characters between: `share` (0 to 1) of them full.
std::string progress_bar(const Terminal& terminal, double share, size_t room);
/// A line that ends before the last column, which would make some terminals wrap: `left`, a bar, the first of
/// `rights` that leaves the bar and a sparkline their place (else the last, or none), and the last of
/// `values` as that sparkline.
std::string progress_line(const Terminal& terminal, size_t columns, std::string left,
                          const std::vector<std::string>& rights, double share,
                          const std::deque<double>& values = {});
/// Grays from 0 (black) to 255, two rows of them to a line of half blocks: 24 grays where the terminal has
/// them, elsewhere dots that are as dense as the gray is light. shade(y, x) of `height` x `width`.
std::vector<std::string> half_blocks(const Terminal& terminal, int64_t height, int64_t width,
                                     const std::function<int(int64_t, int64_t)>& shade);
/// Values as ▁▂▃▄▅▆▇█, scaled to their own range.
template <class Values>
std::string sparkline(const Values& values) {
  static constexpr const char* blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty()) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double base = *low, range = *high - base;
  std::string text;
  for (const double v : values)
    text += blocks[range > 0 ? std::min(7, static_cast<int>((v - base) / range * 8)) : 0];
  return text;
}

}  // namespace duel::apps
