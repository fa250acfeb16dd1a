#include "duel/gan/objective/axes/axis_text.h"

#include <algorithm>
#include <cmath>

#include "duel/gan/objective/objective.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/text.h"

namespace duel::gan::detail {
namespace {

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

std::vector<std::string> parts_of(const std::string& text, char mark) {
  std::vector<std::string> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t at = 0; at <= text.size(); ++at) {
    if (at == text.size() || (text[at] == mark && depth == 0)) {
      parts.push_back(trimmed(text.substr(begin, at - begin)));
      begin = at + 1;
    } else if (text[at] == '(') {
      ++depth;
    } else if (text[at] == ')') {
      --depth;
    }
  }
  return parts;
}

Call call_of(const char* op, const std::string& axis, const std::string& text) {
  const std::string whole = trimmed(text);
  const size_t open = whole.find('(');
  Call call{trimmed(whole.substr(0, open)), {}};
  std::replace(call.name.begin(), call.name.end(), '-', '_');
  if (open == std::string::npos) return call;
  DUEL_CHECK(whole.back() == ')' &&
                 std::count(whole.begin(), whole.end(), '(') == std::count(whole.begin(), whole.end(), ')'),
             op, "{}: expected NAME or NAME(VALUES), got '{}'", axis, shown(text));
  call.arguments = parts_of(whole.substr(open + 1, whole.size() - open - 2), ',');
  return call;
}

double number_of(const char* op, const std::string& axis, const std::string& call, const std::string& text) {
  const auto number = parse_number<double>(text);
  DUEL_CHECK(number && std::isfinite(*number), op, "{}: {}: expected a number, got '{}'", axis, shown(call),
             shown(text));
  return *number;
}

void unknown_value(const char* op, const std::string& axis, const std::string& name,
                   const std::vector<std::string>& values) {
  std::vector<std::string> names;
  for (const std::string& value : values) names.push_back(value.substr(0, value.find('(')));
  const std::string all = joined(values);
  std::string dashed = name;
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  const std::vector<std::string> objectives = objective_names();
  if (std::find(objectives.begin(), objectives.end(), dashed) != objectives.end())
    fail(op, "{}: '{}' names an objective: say objective {}, or of {}", axis, dashed, dashed, all);
  const std::string nearest = nearest_name(name, names);
  fail(op, "{}: unknown '{}'{}there are {}", axis, shown(name),
       nearest.empty() ? "; " : ": did you mean '" + nearest + "'? ", all);
}

}  // namespace duel::gan::detail
