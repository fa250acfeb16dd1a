// What report.html is made of beside its contents: style, script, and tables.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace duel::gan::detail {

extern const char* const kStyle;
/// The slider of the samples, and the keys that move it.
extern const char* const kScript;

/// Rows of a key and its value.
std::string table(const std::vector<std::pair<std::string, std::string>>& rows);

}  // namespace duel::gan::detail
