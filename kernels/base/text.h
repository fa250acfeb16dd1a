// Text for people and numbers from and to text: one place for each, the same in every locale.
//
// Note [Text from outside]
// Keys, names, paths and values that come from a file or a command line may hold anything, also bytes that
// move a terminal's cursor or hide what stands there. Whatever is shown passes visible() (all messages of
// duel::Error do), and what may be long passes shown().
//
// Example:
//   shown("\x1b[2Jlr")                 \x1b[2Jlr, in characters that can be seen
//   shortest(0.1f)                     0.1, the shortest text that reads back as the same number
//   parse_number<int64_t>("+12")       12; nothing for "", " 12", "12x", "1e3"
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace duel {

/// Control characters, marks that change the direction of text and bytes that are not UTF-8 as \n, \x1b,
/// \u202e.
std::string visible(std::string_view text);
/// The same, but ends of lines stay.
std::string visible_lines(std::string_view text);
/// visible() of at most `most` characters, and "…" for the rest.
std::string shown(std::string_view text, size_t most = 80);
/// shown() in double quotes.
std::string in_quotes(std::string_view text);
/// As a shell takes it back: bare where it may be, else in single quotes.
std::string shell_word(std::string_view text);

/// The known name nearest to `word`, or an empty string: at most a third of its characters (one of a short
/// word) are wrong, missing, too many or exchanged with the next. Case does not count.
std::string nearest_name(const std::string& word, const std::vector<std::string>& names);

namespace detail {
inline void append(std::string& text, std::string_view part) { text += part; }
template <std::integral T>
void append(std::string& text, T part) {
  text += std::to_string(part);
}
}  // namespace detail

/// "a, b, c": texts or whole numbers one after the other, with `between` between two.
template <class Parts>
std::string joined(const Parts& parts, std::string_view between = ", ") {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += between;
    detail::append(text, part);
  }
  return text;
}

/// The shortest text that reads back as the same number; "nan", "inf" and "-inf" for the others.
std::string shortest(double value);
std::string shortest(float value);
/// With so many digits after the point, as printf's %.*f.
std::string fixed(double value, int decimals);
/// With so many significant digits, as printf's %.*g.
std::string significant(double value, int digits);

/// The number that `text` is from its first to its last character, a leading + allowed; nothing for any other
/// text, one out of range, or one that is not finite. T: int, int64_t, uint64_t, float, double.
template <class T>
std::optional<T> parse_number(std::string_view text);

}  // namespace duel
