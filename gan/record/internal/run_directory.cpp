// Names, the lock, appends that take back a torn line, and the cut on resume.
#include "duel/gan/record/internal/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

std::string reason() { return std::strerror(errno); }

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) found.push_back(entry.path());
  return found;
}

/// With the folders above it; gives back those that were not there before, the outermost first.
std::vector<fs::path> make_folders(const fs::path& path, const fs::path& run) {
  std::error_code why;
  std::vector<fs::path> missing;
  for (fs::path above = path; !above.empty() && !fs::exists(above, why); above = above.parent_path()) {
    if (above.has_filename()) missing.insert(missing.begin(), above);  // "runs/a/" has no last name
  }
  fs::create_directories(path, why);
  if (why)
    fail_system(why.value(), "run", "out: {}: cannot be created: {}: {}; choose another --out", run.string(),
                path.string(), why.message());
  return missing;
}

/// Nothing where another process holds it, or where it cannot be locked (errno).
std::optional<int> try_lock(const fs::path& file, int flags) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC | flags, 0666);
    if (fd < 0) return std::nullopt;
    struct stat mine {
    }, named{};
    const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
    // A start that failed may have removed the file between the two calls: a lock on it would keep nobody
    // out.
    if (locked && ::fstat(fd, &mine) == 0 && ::stat(file.c_str(), &named) == 0 &&
        mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
      return fd;
    const int why = errno;
    ::close(fd);
    errno = why;
    if (!locked) return std::nullopt;
  }
  errno = EWOULDBLOCK;
  return std::nullopt;
}

[[noreturn]] void fail_to_lock(const fs::path& folder) {
  DUEL_CHECK(errno != EWOULDBLOCK, "run",
             "out: {}: another process is training in this folder; wait for it, or choose another --out",
             folder.string());
  fail_system(errno, "run",
              "{}: cannot be opened and locked for writing: {}; choose a run directory that can be written",
              RunFiles(folder).lock().string(), reason());
}

int take_lock(const fs::path& folder) {
  const std::optional<int> fd = try_lock(RunFiles(folder).lock(), O_CREAT);
  if (!fd) fail_to_lock(folder);
  return *fd;
}

bool is_temporary(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') && name.find(".tmp-") != std::string::npos;
}

void remove_temporaries(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::path& entry : entries(folder)) {
    if (is_temporary(entry)) fs::remove(entry, ignored);
  }
}

/// Whether a folder is what a start that was killed leaves, Note [A start that fails leaves no trace, …]: its
/// lock, and nothing but the files that a run makes before its config.json.
bool half_made(const RunFiles& files) {
  std::error_code ignored;
  if (!fs::is_regular_file(files.lock(), ignored)) return false;
  const auto holds_only = [&](const fs::path& inner, const fs::path& file) {
    if (!fs::is_directory(inner, ignored)) return false;
    const std::vector<fs::path> found = entries(inner);
    return std::all_of(found.begin(), found.end(),
                       [&](const fs::path& e) { return is_temporary(e) || e == file; });
  };
  for (const fs::path& entry : entries(files.path())) {
    const bool own = entry == files.lock() || entry == files.record() || is_temporary(entry) ||
                     (entry == files.samples() && holds_only(entry, files.reals())) ||
                     (entry == files.checkpoints() && holds_only(entry, ""));
    if (!own) return false;
  }
  return true;
}

/// What such a start left but its lock, which is ours now.
void clear_half_made(const RunFiles& files) {
  std::error_code ignored;
  for (const fs::path& inner : {files.path(), files.samples(), files.checkpoints()})
    remove_temporaries(inner);
  for (const fs::path& made : {files.record(), files.reals(), files.samples(), files.checkpoints()})
    fs::remove(made, ignored);
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

std::string kept_text(const fs::path& file) {
  return read_file("run", file, size_t{1} << 40, "a file of a run directory");
}

/// Keeps the whole lines of iterations up to this one.
void cut_lines(const fs::path& file, int64_t iteration) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return;
  const std::string all = kept_text(file);
  std::string kept;
  for (size_t begin = 0, end; (end = all.find('\n', begin)) != std::string::npos;
       begin = end + 1) {  // what follows is torn
    const auto number = iteration_of_line(all.substr(begin, end - begin));
    if (number && *number <= iteration) kept.append(all, begin, end + 1 - begin);
  }
  if (kept != all) write_file_atomically(file, kept);
}

/// Lines are added in place: under a second name of the file (in a snapshot made of hard links) they would be
/// added there too.
void make_own(const fs::path& file) {
  std::error_code ignored;
  if (fs::is_regular_file(file, ignored) && fs::hard_link_count(file, ignored) > 1)
    write_file_atomically(file, kept_text(file));
}

}  // namespace

void RunDirectory::check_fresh(const fs::path& path) {
  std::error_code why;
  const fs::file_status status = fs::status(path, why);
  if (fs::exists(status)) {
    DUEL_CHECK(fs::is_directory(status), "run", "out: {}: is a file; choose a folder that is not there yet",
               path.string());
    const RunFiles files(path);
    DUEL_CHECK(!fs::exists(files.config()), "run",
               "out: {}: already holds a run; continue it with --resume, or choose another --out",
               path.string());
    const bool empty = fs::is_empty(path, why);
    DUEL_CHECK(!why && (empty || half_made(files)), "run",
               "out: {}: this folder is not empty; choose one that is not there yet", path.string());
    if (!empty) {
      const std::optional<int> lock = try_lock(files.lock(), 0);  // only to see whether it is free
      if (!lock) fail_to_lock(path);
      ::close(*lock);
    }
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

bool RunDirectory::is_held(const fs::path& path) {
  const int fd = ::open(RunFiles(path).lock().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return held;
}

fs::path RunDirectory::next_numbered(const fs::path& root, const std::string& name) {
  int64_t next = 0;
  for (const fs::path& entry : entries(root)) {
    const std::string text = entry.filename().string();
    if (const auto number = number_in(text.substr(0, text.find('-')), "", ""))
      next = std::max(next, *number + 1);
  }
  char digits[24];
  std::snprintf(digits, sizeof digits, "%05lld", static_cast<long long>(next));
  return root / (digits + ("-" + name));
}

RunDirectory RunDirectory::create(const fs::path& path) {
  check_fresh(path);
  const fs::path trimmed = path.has_filename() ? path : path.parent_path();  // "runs/a/" has no last name
  RunDirectory made(trimmed, -1);
  if (trimmed.has_parent_path()) made.made_ = make_folders(trimmed.parent_path(), path);
  // Exclusively, so that of two runs with one idea only the first gets it; an empty folder of the user's is
  // taken as it is.
  if (::mkdir(trimmed.c_str(), 0777) == 0) {
    made.made(trimmed);
  } else if (errno != EEXIST) {
    fail_system(errno, "run", "out: {}: cannot be created: {}; choose another --out", path.string(),
                reason());
  }
  made.settle();
  return made;
}

RunDirectory RunDirectory::create_numbered(const fs::path& root, const std::string& name) {
  const std::vector<fs::path> above = make_folders(root, root / name);
  for (;;) {
    RunDirectory made(next_numbered(root, name), -1);
    if (::mkdir(made.path_.c_str(), 0777) == 0) {
      made.made_ = above;
      made.made(made.path_);
      made.settle();
      return made;
    }
    if (errno != EEXIST)
      fail_system(errno, "run", "out: {}: cannot be created: {}; choose another --out", made.path_.string(),
                  reason());
  }
}

void RunDirectory::settle() {
  lock_ = take_lock(path_);
  // With the lock held: nobody else has made it a run since it was looked at.
  DUEL_CHECK(!fs::exists(config()), "run",
             "out: {}: already holds a run; continue it with --resume, or choose another --out",
             path_.string());
  made(lock());
  DUEL_CHECK(half_made(*this), "run", "out: {}: this folder is not empty; choose one that is not there yet",
             path_.string());
  clear_half_made(*this);
  for (const fs::path& inner : {samples(), checkpoints()}) {
    for (fs::path& folder : make_folders(inner, path_)) made(std::move(folder));
  }
}

RunDirectory RunDirectory::reopen(const fs::path& path) {
  std::error_code ignored;
  DUEL_CHECK(fs::is_directory(path, ignored), "run",
             "out: {}: no such run directory to resume; leave out --resume to start one", path.string());
  const RunFiles files(path);
  DUEL_CHECK(fs::exists(files.config(), ignored) || !half_made(files), "run",
             "out: {}: this run was stopped while its folder was made, before it trained: "
             "leave out --resume to start it anew",
             path.string());
  DUEL_CHECK(fs::exists(files.config(), ignored), "run",
             "out: {}: no config.json in it, so it is not a run directory to resume; leave out --resume to "
             "start one",
             path.string());
  RunDirectory opened(path, take_lock(path));
  make_folders(files.samples(), path);
  make_folders(files.checkpoints(), path);
  // With the lock held, temporary files are those of a writer that was killed.
  for (const fs::path& folder : {path, files.samples(), files.checkpoints(), files.diagnostics()}) {
    remove_temporaries(folder);
  }
  return opened;
}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept
    : RunFiles(std::move(other)),
      lock_(std::exchange(other.lock_, -1)),
      made_(std::exchange(other.made_, {})) {}

RunDirectory::~RunDirectory() {
  std::error_code ignored;  // a folder that somebody else has put something into stays
  for (auto last = made_.rbegin(); last != made_.rend(); ++last) fs::remove(*last, ignored);
  if (lock_ >= 0) ::close(lock_);
}

std::optional<std::string> RunDirectory::append_metrics(const std::string& line) {
  return append(metrics(), line);
}
std::optional<std::string> RunDirectory::append_timing(const std::string& line) {
  return append(timing(), line);
}
std::optional<std::string> RunDirectory::append_log(const std::string& line) {
  return append(log(), visible_lines(line));
}

std::optional<std::string> RunDirectory::append_metric(const std::string& name, const std::string& line) {
  return append(metric(name), line);
}

void RunDirectory::keep_best(const fs::path& written) {
  std::error_code ignored;
  for (const auto& [number, file] : all_best()) {
    if (file != written) fs::remove(file, ignored);
  }
}

void RunDirectory::sync_metrics() {
  const int fd = ::open(metrics().c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;  // nothing was written yet
  ::fdatasync(fd);
  ::close(fd);
}

void RunDirectory::cut_after(int64_t iteration) {
  std::vector<fs::path> lines = all_metrics();
  lines.insert(lines.end(), {metrics(), timing()});
  for (const fs::path& file : lines) cut_lines(file, iteration);
  lines.push_back(log());
  for (const fs::path& file : lines) make_own(file);
  std::error_code ignored;
  for (const auto& list : {all_fakes(), all_best()}) {
    for (const auto& [number, file] : list) {
      if (number > iteration) fs::remove(file, ignored);
    }
  }
}

void RunDirectory::keep_checkpoints(int64_t keep, const fs::path& written) {
  const std::vector<NumberedFile> found = all_checkpoints();
  std::error_code ignored;
  for (size_t i = 0; i + static_cast<size_t>(keep) < found.size(); ++i) {
    if (found[i].file != written) fs::remove(found[i].file, ignored);
  }
}

}  // namespace duel::gan
