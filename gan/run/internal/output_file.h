// Internal to gan/run: whether a file that a person asks for may be written, before the work for it begins.
#pragma once

#include <filesystem>
#include <string>

namespace duel::gan::detail {

/// Error of `op` naming `flag` and the file: another ending, no folder for it, there already without `force`, or no
/// regular file.
void check_output(const std::string& op, const std::string& flag, const std::filesystem::path& file,
                  const std::string& ending, bool force);

}  // namespace duel::gan::detail
