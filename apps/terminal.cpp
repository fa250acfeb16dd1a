// Environment variables and one ioctl.
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

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
  return t;
}

int columns_of(std::FILE* stream) {
  if (const char* text = variable("COLUMNS")) {
    const long wanted = std::strtol(text, nullptr, 10);
    if (wanted >= 10 && wanted <= 10000) return static_cast<int>(wanted);
  }
  winsize size{};
  return ::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
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
  char text[32];
  std::snprintf(text, sizeof text,
                value >= 100 || value <= -100 ? "%.0f"
                : value >= 10 || value <= -10 ? "%.1f"
                                              : "%.2f",
                value);
  return text;
}

std::string progress_bar(const Terminal& terminal, double share, size_t room) {
  const size_t full = std::min(room, static_cast<size_t>(std::max(share, 0.0) * static_cast<double>(room)));
  std::string filled;
  for (size_t i = 0; i < full; ++i) filled += terminal.unicode ? "█" : "#";
  return (terminal.color ? "|\033[36m" + filled + "\033[0m" : "|" + filled) + std::string(room - full, ' ') + "|";
}

}  // namespace duel::apps
