// Environment variables and one ioctl.
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <sstream>

#include "duel/kernels/base/text.h"

namespace duel::apps {
namespace {

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (const char* value = variable(name))
      return std::strstr(value, "UTF-8") || std::strstr(value, "utf8") || std::strstr(value, "UTF8");
  }
  return false;
}

}  // namespace

Terminal terminal_of(std::FILE* stream) {
  const char* term = variable("TERM");
  Terminal t;
  t.live = ::isatty(::fileno(stream)) && term && std::strcmp(term, "dumb") != 0;
  t.color = t.live && !variable("NO_COLOR");
  t.unicode = t.live && utf8_locale();
  const auto named = [&](const char* part) { return std::strstr(term, part) != nullptr; };
  t.grays = t.color && (variable("COLORTERM") || named("256color") || named("direct") || named("kitty") ||
                        named("alacritty"));
  return t;
}

int columns_of(std::FILE* stream) {
  if (const char* text = variable("COLUMNS")) {
    const int wanted = parse_number<int>(text).value_or(0);
    if (wanted >= 10 && wanted <= 10000) return wanted;
  }
  winsize size{};
  return ::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

size_t page_columns() {
  return ::isatty(STDOUT_FILENO) ? static_cast<size_t>(std::max(columns_of(stdout), 60)) : 100;
}

size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string wrapped(const std::string& text, size_t indent, size_t columns) {
  std::string all, gap;
  size_t at = indent;
  std::istringstream words(text);
  for (std::string word; words >> word; gap = " ") {
    if (!gap.empty() && at + 1 + width_of(word) > columns) {
      gap = "\n" + std::string(indent, ' ');
      at = indent;
    } else {
      at += gap.size();
    }
    all += gap + word;
    at += width_of(word);
  }
  return all;
}

std::string fitted_lines(const std::string& text, size_t columns) {
  std::istringstream lines(text);
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    if (width_of(line) > columns) {
      const size_t gap = line.find("  "), value = line.find_first_not_of(' ', gap);
      const size_t indent =
          gap != std::string::npos && value != std::string::npos && value <= columns / 2 ? value : 0;
      line = line.substr(0, indent) + wrapped(line.substr(indent), indent, columns);
    }
    all += line + "\n";
  }
  return all;
}

std::string clock_text(double seconds) {
  const auto all = static_cast<long>(seconds + 0.5);
  char text[32];
  if (all >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", all / 3600, all / 60 % 60, all % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", all / 60, all % 60);
  }
  return text;
}

std::string brief(double value) {
  return fixed(value, value >= 100 || value <= -100 ? 0 : value >= 10 || value <= -10 ? 1 : 2);
}

std::string progress_bar(const Terminal& terminal, double share, size_t room) {
  const size_t full = std::min(room, static_cast<size_t>(std::max(share, 0.0) * static_cast<double>(room)));
  std::string filled;
  for (size_t i = 0; i < full; ++i) filled += terminal.unicode ? "█" : "#";
  return (terminal.color ? "|\033[36m" + filled + "\033[0m" : "|" + filled) + std::string(room - full, ' ') +
         "|";
}

std::string progress_line(const Terminal& terminal, size_t columns, std::string left,
                          const std::vector<std::string>& rights, double share,
                          const std::deque<double>& values) {
  constexpr size_t least_bar = 12, most_bar = 32, least_spark = 9;  // with what stands around them
  const size_t end = columns - 1;
  const bool sparks = terminal.unicode && values.size() > 1;
  const auto room_beside = [&](const std::string& right) {
    const size_t taken = width_of(left) + width_of(right);
    return end > taken ? end - taken : 0;
  };
  std::string right;
  for (const std::string& choice : rights) {
    right = " " + choice;
    if (room_beside(right) >= least_bar + (sparks ? least_spark : 0)) break;
  }
  if (room_beside(right) < least_bar) right.clear();
  size_t room = room_beside(right);
  std::string spark;
  if (sparks && room >= least_bar + least_spark / 2) {
    const size_t shown = std::min(room - least_bar - 1, values.size());
    spark =
        " " + sparkline(std::deque<double>(values.end() - static_cast<std::ptrdiff_t>(shown), values.end()));
    room -= shown + 1;
  }
  const std::string bar = room >= 5 ? progress_bar(terminal, share, std::min(room, most_bar) - 2) : "";
  left.resize(std::min(left.size(), end));
  return left + bar + right + spark;
}

namespace {

/// The nearest of black, the 24 grays and white among the 256 colors.
int gray_code(int shade) {
  if (shade < 4) return 16;
  if (shade > 246) return 231;
  return 232 + std::clamp((shade - 3) / 10, 0, 23);
}

std::string gray_line(int64_t width, const std::function<int(int64_t)>& top,
                      const std::function<int(int64_t)>& bottom) {
  std::string text;
  int foreground = -1, background = -1;
  for (int64_t x = 0; x < width; ++x) {
    const int upper = gray_code(top(x)), lower = gray_code(bottom(x));
    if (upper != foreground) text += "\033[38;5;" + std::to_string(upper) + "m";
    if (lower != background) text += "\033[48;5;" + std::to_string(lower) + "m";
    foreground = upper;
    background = lower;
    text += "▀";
  }
  return text + "\033[0m";
}

/// Ordered dither (Bayer 1973): whether the dot at (y, x) is set for this gray.
bool dot(int shade, int64_t y, int64_t x) {
  static constexpr int order[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
  return shade * 16 > 255 * (order[y % 4][x % 4] + 0.5);
}

}  // namespace

std::vector<std::string> half_blocks(const Terminal& terminal, int64_t height, int64_t width,
                                     const std::function<int(int64_t, int64_t)>& shade) {
  const auto at = [&](int64_t y, int64_t x) { return y < height ? shade(y, x) : 0; };
  std::vector<std::string> lines;
  for (int64_t y = 0; y < height; y += 2) {
    if (terminal.grays) {
      lines.push_back(gray_line(
          width, [&](int64_t x) { return at(y, x); }, [&](int64_t x) { return at(y + 1, x); }));
      continue;
    }
    std::string line;
    for (int64_t x = 0; x < width; ++x) {
      const bool top = dot(at(y, x), y, x), bottom = dot(at(y + 1, x), y + 1, x);
      line += top && bottom ? "█" : top ? "▀" : bottom ? "▄" : " ";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace duel::apps
