#include "duel/gan/lab/internal/claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>

#include "duel/core/io/internal/json.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

using json::Json;

constexpr int64_t kDeadAfter = 600;  // seconds

std::string first_line(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// When a process began, in ticks since the machine did: a number that is given to a later process does not make
/// that one the owner. Empty where there is none, or it has ended and waits to be asked how.
std::string life_of(int64_t pid) {
  const std::string stat = first_line(message("/proc/{}/stat", pid));
  size_t at = stat.rfind(')');  // behind the name, which may hold anything: state, then 18 numbers
  if (at == std::string::npos || at + 2 >= stat.size() || stat[at + 2] == 'Z' || stat[at + 2] == 'X')
    return "";
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  return at == std::string::npos ? "" : stat.substr(at + 1, stat.find(' ', at + 1) - at - 1);
}

/// `space`: where process numbers mean the same, this start of the machine and this container.
Json this_process() {
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = 0;
  std::error_code none;
  const std::string space = first_line("/proc/sys/kernel/random/boot_id") + " " +
                            std::filesystem::read_symlink("/proc/self/ns/pid", none).string();
  const int64_t pid = ::getpid();
  return {{"host", host},
          {"pid", pid},
          {"time", static_cast<int64_t>(std::time(nullptr))},
          {"space", space},
          {"life", life_of(pid)}};
}

/// Who wrote a claim. Between its making and its writing it is empty: then a stranger.
Json owner_of(const std::filesystem::path& claim) {
  const Json stranger{{"host", "?"}, {"pid", 0}, {"space", ""}, {"life", ""}};
  const Json read = json::parse_or_null(first_line(claim.string()), {});
  for (const auto& [key, value] : stranger.items())
    if (!read.contains(key) || read[key].is_string() != value.is_string() ||
        read[key].is_number_integer() != value.is_number_integer())
      return stranger;
  return read;
}

bool is_gone(const Json& owner, const Json& me) {
  if (owner["host"] != me["host"] || owner["space"] != me["space"]) return false;
  const auto pid = owner["pid"].get<int64_t>();
  if (me["life"] == "") return ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;  // no /proc
  return life_of(pid) != owner["life"];
}

class ClaimsLock {
 public:
  explicit ClaimsLock(const std::filesystem::path& claim)
      : fd_(::open((claim.parent_path() / ".claims.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    int locked = -1;
    while (fd_ >= 0 && (locked = ::flock(fd_, LOCK_EX)) != 0 && errno == EINTR) {
    }
    held_ = locked == 0;
  }
  ClaimsLock(const ClaimsLock&) = delete;
  ClaimsLock& operator=(const ClaimsLock&) = delete;
  ~ClaimsLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool held() const { return held_; }
  /// As the file system counts seconds: clocks of several machines differ.
  int64_t now() const {
    struct stat lock {};
    return ::futimens(fd_, nullptr) == 0 && ::fstat(fd_, &lock) == 0 ? lock.st_mtim.tv_sec : 0;
  }

 private:
  int fd_;
  bool held_ = false;
};

/// A new file with the owner's name; -1 where it is there already.
int written_claim(const std::filesystem::path& file, const Json& me) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0 && errno == EEXIST) return -1;
  const std::string text = me.dump() + "\n";
  if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    const int why = errno;
    if (fd >= 0) ::close(fd), ::unlink(file.c_str());
    fail_system(why, "claim", "{}: cannot be written: {}; choose another --out", file.string(),
                std::strerror(why));
  }
  return fd;
}

}  // namespace

std::optional<Claim> Claim::take(const std::filesystem::path& file, std::string& holder) {
  const Json me = this_process();
  for (;;) {
    if (const int fd = written_claim(file, me); fd >= 0) return Claim(file, fd);
    const ClaimsLock lock(file);
    struct stat there {};
    if (::stat(file.c_str(), &there) != 0) continue;  // given back meanwhile
    const Json owner = owner_of(file);
    const bool dead = is_gone(owner, me) || lock.now() - there.st_mtim.tv_sec > kDeadAfter;
    if (!lock.held() || !dead) {
      holder = message("{}, process {}", owner["host"].get<std::string>(), owner["pid"].get<int64_t>());
      return std::nullopt;
    }
    static std::atomic<uint64_t> counter{0};
    const std::filesystem::path own =
        file.parent_path() / message(".{}.tmp-{}-{}", file.filename().string(), ::getpid(), counter++);
    ::unlink(own.c_str());  // of an earlier process of this number
    const int fd = written_claim(own, me);
    DUEL_ASSERT(fd >= 0);
    if (::rename(own.c_str(), file.c_str()) == 0) return Claim(file, fd);
    const int why = errno;
    ::close(fd);
    ::unlink(own.c_str());
    fail_system(why, "claim", "{}: cannot be taken over: {}; choose another --out", file.string(),
                std::strerror(why));
  }
}

bool Claim::mine() const {
  struct stat own {
  }, named{};
  return ::fstat(fd_, &own) == 0 && ::stat(file_.c_str(), &named) == 0 && own.st_ino == named.st_ino &&
         own.st_dev == named.st_dev;
}

bool Claim::beat(std::chrono::seconds every) {
  const auto now = std::chrono::steady_clock::now();
  if (lost_ || now - beaten_ < every) return !lost_;
  beaten_ = now;
  ::futimens(fd_, nullptr);  // of the file that is open, never of the one that took its name
  lost_ = !mine();
  return !lost_;
}

Claim::~Claim() {
  if (fd_ < 0) return;
  {
    const ClaimsLock lock(file_);
    if (mine()) ::unlink(file_.c_str());
  }
  ::close(fd_);
}

}  // namespace duel::gan::lab
