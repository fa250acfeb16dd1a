#include "duel/gan/run/internal/output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "duel/core/io/internal/file_ending.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::detail {

void check_output(const std::string& op, const std::string& flag, const std::filesystem::path& file,
                  const std::string& ending, bool force) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const std::string name = file.string();
  const bool there = fs::exists(file, ignored);
  DUEL_CHECK(force || !there, op, "{}: {}: is there already; choose another --{}, or --force to replace it",
             flag, name, flag);
  // A device or a folder cannot be replaced, whatever --force says.
  DUEL_CHECK(!there || fs::is_regular_file(file, ignored), op,
             "{}: {}: is not a regular file; choose another --{}", flag, name, flag);
  DUEL_CHECK(ending_of(file) == ending, op, "{}: {}: expected a name ending in {}", flag, name, ending);
  const fs::path folder = fs::absolute(file, ignored).parent_path();
  // With a dot: a file in the place of the folder is none.
  DUEL_CHECK(::access((folder / ".").c_str(), W_OK | X_OK) == 0, op,
             "{}: {}: cannot be written: {}: {}; choose another --{}", flag, name, folder.string(),
             std::string(std::strerror(errno)), flag);
}

}  // namespace duel::gan::detail
