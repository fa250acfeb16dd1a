// What the texts of axes are made of: a name with arguments.
#pragma once

#include <string>
#include <vector>

namespace duel::gan::detail {

/// NAME(ARGUMENT,ARGUMENT): spaces around each are nothing, and "-" in a name is "_".
struct Call {
  std::string name;
  std::vector<std::string> arguments;
};

/// Error of `op` naming the axis where parentheses do not match.
Call call_of(const char* op, const std::string& axis, const std::string& text);

/// The parts between commas (another mark) that stand in no parentheses, without spaces around them.
std::vector<std::string> parts_of(const std::string& text, char mark);

/// A number of a call; Error naming axis and call.
double number_of(const char* op, const std::string& axis, const std::string& call, const std::string& text);

/// "[op] AXIS: unknown NAME, …" with the nearest name and all there are; where the name is an objective's, that.
[[noreturn]] void unknown_value(const char* op, const std::string& axis, const std::string& name,
                                const std::vector<std::string>& values);

}  // namespace duel::gan::detail
