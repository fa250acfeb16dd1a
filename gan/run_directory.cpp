// Names, the lock, appends that take back a torn line, and the cut on resume.
#include "duel/gan/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "duel/core/atomic_file.h"
#include "duel/gan/checkpoint.h"
#include "duel/gan/metrics_log.h"
#include "duel/kernels/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

std::string reason() { return std::strerror(errno); }

/// The iteration in a name like PREFIX00000200SUFFIX; nothing for other names.
std::optional<int64_t> numbered(const std::string& name, const std::string& prefix,
                                const std::string& suffix) {
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix))
    return std::nullopt;
  const std::string digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  if (digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return std::stoll(digits);
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) found.push_back(entry.path());
  return found;
}

void make_folder(const fs::path& path, const fs::path& run) {
  std::error_code why;
  fs::create_directories(path, why);
  DUEL_CHECK(!why, "run", "out: {}: cannot be created: {}: {}; choose another --out", run.string(),
             path.string(), why.message());
}

int take_lock(const fs::path& folder) {
  const fs::path file = folder / ".lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  DUEL_CHECK(fd >= 0, "run",
             "{}: cannot be opened for writing: {}; choose a run directory that can be written",
             file.string(), reason());
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int why = errno;
  ::close(fd);
  DUEL_CHECK(why != EWOULDBLOCK, "run",
             "out: {}: another process is training in this folder; wait for it, or choose another --out",
             folder.string());
  errno = why;
  fail("run", "{}: cannot be locked: {}", file.string(), reason());
}

/// Appends in one write(); what was written of a line that did not fit is cut off again.
std::optional<std::string> append(const fs::path& file, const std::string& text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) return message("{}: cannot be opened: {}", file.string(), reason());
  struct stat before {};
  const bool known = ::fstat(fd, &before) == 0;
  const ssize_t written = ::write(fd, text.data(), text.size());
  std::optional<std::string> problem;
  if (written != static_cast<ssize_t>(text.size())) {
    problem = message("{}: {} bytes could not be written: {}", file.string(), text.size(),
                      written < 0 ? reason() : std::string("the disk is full or a limit is reached"));
    if (known && written > 0 && ::ftruncate(fd, before.st_size) != 0)
      *problem += ", and its last line is torn";
  }
  ::close(fd);
  return problem;
}

}  // namespace

void RunDirectory::check_fresh(const fs::path& path) {
  std::error_code why;
  const fs::file_status status = fs::status(path, why);
  if (fs::exists(status)) {
    DUEL_CHECK(fs::is_directory(status), "run", "out: {}: is a file; choose a folder that is not there yet",
               path.string());
    DUEL_CHECK(!fs::exists(path / "config.json"), "run",
               "out: {}: already holds a run; continue it with --resume, or choose another --out",
               path.string());
    DUEL_CHECK(fs::is_empty(path, why) && !why, "run",
               "out: {}: this folder is not empty; choose one that is not there yet", path.string());
  }
  check_creatable(path);
}

void RunDirectory::check_creatable(const fs::path& path) {
  std::error_code why;
  // The first folder above that is there has to let us in.
  fs::path above = path;
  while (!fs::exists(fs::status(above, why))) {
    DUEL_CHECK(!why || why == std::errc::no_such_file_or_directory, "run",
               "out: {}: cannot be created: {}; choose another --out", path.string(), why.message());
    above = above.parent_path();
    if (above.empty()) above = ".";
  }
  DUEL_CHECK(fs::is_directory(above, why), "run",
             "out: {}: cannot be created: {} is not a folder; choose another --out", path.string(),
             above.string());
  DUEL_CHECK(::access(above.c_str(), W_OK | X_OK) == 0, "run",
             "out: {}: cannot be created: {}: {}; choose another --out", path.string(), above.string(),
             reason());
}

fs::path RunDirectory::next_numbered(const fs::path& root, const std::string& name) {
  int64_t next = 0;
  for (const fs::path& entry : entries(root)) {
    const std::string text = entry.filename().string();
    if (const auto number = numbered(text.substr(0, text.find('-')), "", ""))
      next = std::max(next, *number + 1);
  }
  char digits[24];
  std::snprintf(digits, sizeof digits, "%05lld", static_cast<long long>(next));
  return root / (digits + ("-" + name));
}

RunDirectory RunDirectory::create(const fs::path& path) {
  check_fresh(path);
  const fs::path trimmed = path.has_filename() ? path : path.parent_path();  // "runs/a/" has no last name
  if (trimmed.has_parent_path()) make_folder(trimmed.parent_path(), path);
  // Exclusively, so that of two runs with one idea only the first gets it; an empty folder of the user's is
  // taken as it is.
  DUEL_CHECK(::mkdir(trimmed.c_str(), 0777) == 0 || errno == EEXIST, "run",
             "out: {}: cannot be created: {}; choose another --out", path.string(), reason());
  const int lock = take_lock(trimmed);
  RunDirectory made(trimmed, lock);
  DUEL_CHECK(!fs::exists(made.config()), "run",
             "out: {}: already holds a run; continue it with --resume, or choose another --out",
             path.string());
  make_folder(trimmed / "samples", path);
  make_folder(trimmed / "checkpoints", path);
  return made;
}

RunDirectory RunDirectory::create_numbered(const fs::path& root, const std::string& name) {
  make_folder(root, root / name);
  for (;;) {
    const fs::path path = next_numbered(root, name);
    if (::mkdir(path.c_str(), 0777) == 0) return create(path);
    DUEL_CHECK(errno == EEXIST, "run", "out: {}: cannot be created: {}; choose another --out", path.string(),
               reason());
  }
}

RunDirectory RunDirectory::reopen(const fs::path& path) {
  std::error_code ignored;
  DUEL_CHECK(fs::is_directory(path, ignored), "run",
             "out: {}: no such run directory to resume; leave out --resume to start one", path.string());
  DUEL_CHECK(fs::exists(path / "config.json", ignored), "run",
             "out: {}: no config.json in it, so it is not a run directory to resume; leave out --resume to "
             "start one",
             path.string());
  RunDirectory opened(path, take_lock(path));
  make_folder(path / "samples", path);
  make_folder(path / "checkpoints", path);
  // With the lock held, temporary files are those of a writer that was killed.
  for (const fs::path& folder : {path, path / "samples", path / "checkpoints", path / "diagnostics"}) {
    for (const fs::path& entry : entries(folder)) {
      const std::string name = entry.filename().string();
      if (name.starts_with('.') && name.find(".tmp-") != std::string::npos) fs::remove(entry, ignored);
    }
  }
  return opened;
}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

RunDirectory::~RunDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

fs::path RunDirectory::fakes(int64_t iteration) const {
  char name[40];
  std::snprintf(name, sizeof name, "fakes_%06lld.png", static_cast<long long>(iteration));
  return path_ / "samples" / name;
}

fs::path RunDirectory::checkpoint(int64_t iteration) const {
  return path_ / "checkpoints" / checkpoint_name(iteration);
}

std::optional<std::string> RunDirectory::append_metrics(const std::string& line) {
  return append(metrics(), line);
}
std::optional<std::string> RunDirectory::append_log(const std::string& line) { return append(log(), line); }

void RunDirectory::sync_metrics() {
  const int fd = ::open(metrics().c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;  // nothing was written yet
  ::fdatasync(fd);
  ::close(fd);
}

void RunDirectory::cut_after(int64_t iteration) {
  std::error_code ignored;
  std::string all, kept;
  if (fs::is_regular_file(metrics(), ignored)) {
    std::ifstream in(metrics(), std::ios::binary);
    all.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = all.find('\n', begin);
    if (end == std::string::npos) break;  // torn
    const auto number = iteration_of_line(all.substr(begin, end - begin));
    if (number && *number <= iteration) kept.append(all, begin, end + 1 - begin);
    begin = end + 1;
  }
  if (kept != all) write_file_atomically(metrics(), kept);
  for (const fs::path& entry : entries(path_ / "samples")) {
    const auto number = numbered(entry.filename().string(), "fakes_", ".png");
    if (number && *number > iteration) fs::remove(entry, ignored);
  }
}

void RunDirectory::keep_checkpoints(int64_t keep, const fs::path& written) {
  std::vector<std::pair<int64_t, fs::path>> found;
  for (const fs::path& entry : entries(path_ / "checkpoints")) {
    if (const auto number = numbered(entry.filename().string(), "step_", ".safetensors"))
      found.emplace_back(*number, entry);
  }
  std::sort(found.begin(), found.end());
  std::error_code ignored;
  for (size_t i = 0; i + static_cast<size_t>(keep) < found.size(); ++i) {
    if (found[i].second != written) fs::remove(found[i].second, ignored);
  }
}

}  // namespace duel::gan
