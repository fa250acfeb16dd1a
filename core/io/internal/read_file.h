// A small file of text as a whole, within a limit. Files that come from outside may be anything: a folder, a
// pipe that nobody writes to, a device without an end.
//
// Example:
//   const std::string text = read_file("config", path, 1 << 20, "the config.json of a run directory");
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace duel {

/// Its bytes. Error naming `op`, the file and what was expected where there is none, it is a folder, longer
/// than `limit` bytes, or where nothing comes through a pipe for five seconds.
std::string read_file(std::string_view op, const std::filesystem::path& path, size_t limit,
                      std::string_view expected);

}  // namespace duel
