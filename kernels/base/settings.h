// What is set from outside, by a flag, a key of a configuration or an environment variable: one rule for all
// of them.
//
// Example:
//   const auto seed = parsed<uint64_t>("config", "seed", "-1");   // Error: [config] seed: expected an integer from 0 to …
//   const bool on = chosen("DUEL_TF32", {"1", "0"}) == 0;
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace duel {

/// The number that `text` is as parse_number (text.h) reads it; else Error naming what is set and what would
/// be right. T: int, int64_t, uint64_t, float, double.
template <class T>
T parsed(std::string_view op, std::string_view name, std::string_view text);

/// An environment variable; empty where it is not set.
std::string environment(const char* name);

/// The place among `words` of the variable's text; 0 where it is not set or empty, Error for any other word.
int chosen(const char* name, std::initializer_list<const char*> words);

}  // namespace duel
