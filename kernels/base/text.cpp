#include "duel/kernels/base/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <utility>

namespace duel {
namespace {

/// The length of the UTF-8 character at the start of `text` and its number; length 0 where there is none.
struct Character {
  size_t length = 0;
  uint32_t number = 0;
};

Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const size_t length = lead >= 0xf0 && lead < 0xf5   ? 4
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                                                      : 0;
  if (length == 0 || length > text.size()) return {};
  uint32_t number = lead & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    number = number << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && number < 0x800) || (length == 4 && number < 0x10000);
  const bool none = overlong || number > 0x10ffff || (number >= 0xd800 && number < 0xe000);
  return none ? Character{} : Character{length, number};
}

/// Controls of both ranges, line and paragraph separators, and what changes the direction of text.
bool hidden(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200e && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void append_hex(std::string& out, const char* mark, uint32_t value, int digits) {
  out += mark;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[value >> shift & 15];
}

std::string escaped(std::string_view text, bool keep_lines, size_t most) {
  std::string out;
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    if (count == most) return out + "…";
    const auto [length, number] = first_character(text.substr(at));
    if (length == 0) {
      append_hex(out, "\\x", static_cast<unsigned char>(text[at]), 2);
    } else if (number == '\n' && !keep_lines) {
      out += "\\n";
    } else if (number == '\t') {
      out += keep_lines ? "\t" : "\\t";
    } else if (number == '\r') {
      out += "\\r";
    } else if (hidden(number) && number != '\n') {
      number < 0x80 ? append_hex(out, "\\x", number, 2) : append_hex(out, "\\u", number, 4);
    } else {
      out.append(text, at, length);
    }
    at += length == 0 ? 1 : length;
  }
  return out;
}

template <class T, class... Format>
std::string number_text(T value, Format... format) {
  if (std::isnan(value)) return "nan";  // to_chars writes the sign of a NaN, which means nothing
  char text[512];                       // the longest is -1.8e308 with digits after its point
  const auto [end, status] = std::to_chars(text, text + sizeof text, value, format...);
  return status == std::errc() ? std::string(text, end) : std::string("?");
}

}  // namespace

std::string visible(std::string_view text) { return escaped(text, false, text.size()); }
std::string visible_lines(std::string_view text) { return escaped(text, true, text.size()); }
std::string shown(std::string_view text, size_t most) { return escaped(text, false, most); }
std::string in_quotes(std::string_view text) { return "\"" + shown(text) + "\""; }

std::string shell_word(std::string_view text) {
  if (!text.empty() &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@%") ==
          std::string_view::npos)
    return std::string(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string shortest(double value) { return number_text(value); }
std::string shortest(float value) { return number_text(value); }
std::string fixed(double value, int decimals) {
  return number_text(value, std::chars_format::fixed, decimals);
}
std::string significant(double value, int digits) {
  return number_text(value, std::chars_format::general, digits);
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, value);
  if (status != std::errc() || stop != end) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return value;
}

template std::optional<int> parse_number<int>(std::string_view);
template std::optional<int64_t> parse_number<int64_t>(std::string_view);
template std::optional<uint64_t> parse_number<uint64_t>(std::string_view);
template std::optional<float> parse_number<float>(std::string_view);
template std::optional<double> parse_number<double>(std::string_view);

std::string nearest_name(const std::string& word, const std::vector<std::string>& names) {
  // characters of any name there is, and more; a text from a file may have millions
  constexpr size_t most = 64;
  if (word.size() > most) return {};
  const auto lower = [](std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
  };
  const std::string a = lower(word);
  std::string best;
  size_t limit = std::max<size_t>(a.size() / 3, 1);  // of the edits that are still a slip
  for (const std::string& name : names) {
    const std::string b = lower(name);
    // Edits from the first i characters of a to the first j of b: rows i - 2, i - 1 and i.
    std::vector<size_t> two_before, before, row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
      two_before = std::exchange(before, row);
      row[0] = i;
      for (size_t j = 1; j <= b.size(); ++j) {
        row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
          row[j] = std::min(row[j], two_before[j - 2] + 1);
      }
    }
    if (row[b.size()] > limit || (row[b.size()] == limit && !best.empty())) continue;
    limit = row[b.size()];
    best = name;
  }
  return best;
}

}  // namespace duel
