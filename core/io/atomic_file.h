// Files that are either whole or not there: a reader never sees half of one, whatever dies in between.
//
// The bytes go to a temporary file in the same folder, are forced to the disk, and take the final name in
// one rename; then the folder itself is forced to the disk. An older file of that name stays intact until
// the rename. Folders are not created.
//
// Note [What a replaced file keeps]
// A symbolic link stays, and the file that it leads to is written, also one that is not there yet. The new
// file has the permissions of the old one, and where the system allows it its owner and group; a file that
// was not there has those that open() gives (0666 less the umask). Of a file with several names (hard links)
// only this name gets the new bytes: what the others name stays whole, as whoever keeps an older state that
// way expects. A device, a pipe or a socket is refused.
//
// Example:
//   write_file_atomically("runs/a/config.json", text);
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace duel {

/// Writes `bytes` as the file `path`. On failure the temporary file is removed, an older `path` is
/// untouched, and duel::Error names path, bytes wanted, the step that failed and the system's reason.
/// Note [What a replaced file keeps].
void write_file_atomically(const std::filesystem::path& path, std::span<const uint8_t> bytes);

/// The same for text.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace duel
