#include "duel/kernels/base/settings.h"

#include <cstdlib>
#include <type_traits>

#include "duel/kernels/base/error.h"

namespace duel {

template <class T>
T parsed(std::string_view op, std::string_view name, std::string_view text) {
  constexpr const char* expected = std::is_floating_point_v<T> ? "a finite number"
                                   : std::is_unsigned_v<T>     ? "an integer from 0 to 2^64 - 1"
                                                               : "an integer";
  const std::optional<T> value = parse_number<T>(text);
  DUEL_CHECK(value, op, "{}: expected {}, got '{}'", name, expected, shown(text));
  return *value;
}

template int parsed<int>(std::string_view, std::string_view, std::string_view);
template int64_t parsed<int64_t>(std::string_view, std::string_view, std::string_view);
template uint64_t parsed<uint64_t>(std::string_view, std::string_view, std::string_view);
template float parsed<float>(std::string_view, std::string_view, std::string_view);
template double parsed<double>(std::string_view, std::string_view, std::string_view);

std::string environment(const char* name) {
  const char* text = std::getenv(name);
  return text ? text : "";
}

int chosen(const char* name, std::initializer_list<const char*> words) {
  const std::string text = environment(name);
  if (text.empty()) return 0;
  int place = 0;
  std::string listed;
  for (const char* word : words) {
    if (text == word) return place;
    listed += (place++ > 0 ? " or " : "") + std::string(word);
  }
  fail("environment", "{}: expected {}, got '{}'", name, listed, shown(text));
}

}  // namespace duel
