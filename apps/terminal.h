// What the terminal behind a stream can show.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>

namespace duel::apps {

struct Terminal {
  bool live = false;     // a terminal that understands \r: lines may be redrawn
  bool color = false;    // and NO_COLOR is not set
  bool unicode = false;  // the locale is UTF-8
};

/// TERM=dumb, NO_COLOR and the locale's variables are respected.
Terminal terminal_of(std::FILE* stream);
/// $COLUMNS, else the window's width now, else 80.
int columns_of(std::FILE* stream);

/// "1:05" or "2:03:10"
std::string clock_text(double seconds);
/// "3.4", "340", "0.012": three significant digits
std::string brief(double value);
/// "|####      |" with `room` characters between: `share` (0 to 1) of them full.
std::string progress_bar(const Terminal& terminal, double share, size_t room);
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
