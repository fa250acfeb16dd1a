// JSON from outside, read within bounds: the one door for it. Internal (it includes nlohmann's header) and
// not installed.
//
// Nothing is built that is nested deeper than allowed, a key that stands twice or that nobody knows is
// refused when it is met, and time and memory are linear in the text, whose length is limited. The header of
// a safetensors file has a reader of its own (safetensors_header.cpp), with the same rules.
//
// Example:
//   const Json json = json::parse(text, {.op = "config", .source = "c.json"});
//   fail("config", "lr: expected a number, got {}", json::described(json["lr"]));
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace duel::json {

using Json = nlohmann::ordered_json;

struct Rules {
  std::string op = "json";  // first word of every error
  std::string source = "";  // where the text is from, for errors
  std::string remedy = "";  // what else to do about an error than to write the text anew
  size_t bytes = size_t{1} << 20;
  int depth = 16;  // of lists and objects in each other
  // throws for a key that the outermost object may not have
  std::function<void(const std::string& key)> check_key = {};
};

/// Throws Error naming the source and what is wrong.
Json parse(std::string_view text, const Rules& rules);
/// Null where parse() would throw.
Json parse_or_null(std::string_view text, const Rules& rules);

/// A value for a message, by its type where it is long: 2.5, "fast" (in quotes), a list, an object.
std::string described(const Json& value);

/// JSON has no numbers that are not finite: null stands for them.
Json number_or_null(double value);

/// JSON of at most 16 levels as text; bytes that are not UTF-8 (a path may be anything) are replaced.
std::string dumped(const Json& json, int indent = -1);

}  // namespace duel::json
