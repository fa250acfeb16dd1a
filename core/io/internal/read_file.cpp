#include "duel/core/io/internal/read_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "duel/kernels/base/error.h"

namespace duel {
namespace {

constexpr int kPatience = 5000;  // milliseconds

class Opened {
 public:
  explicit Opened(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~Opened() {
    if (fd_ >= 0) ::close(fd_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::string size_words(size_t bytes) {
  return bytes % (size_t{1} << 20) == 0 ? message("{} MiB", bytes >> 20) : message("{} bytes", bytes);
}

}  // namespace

std::string read_file(std::string_view op, const std::filesystem::path& path, size_t limit,
                      std::string_view expected) {
  const std::string name = path.string();
  const Opened file(path);
  struct stat info {};
  if (file.fd() < 0 || ::fstat(file.fd(), &info) != 0)
    fail_system(errno, op, "{}: cannot be read: {}; expected {}", name, std::strerror(errno), expected);
  DUEL_CHECK(!S_ISDIR(info.st_mode), op, "{}: is a folder; expected {}", name, expected);
  const auto size = S_ISREG(info.st_mode) ? static_cast<size_t>(info.st_size) : 0;
  DUEL_CHECK(size <= limit, op, "{}: longer than {}; expected {}", name, size_words(limit), expected);
  std::string text;
  for (;;) {
    // A pipe whose writer has not come yet reads as if it had ended: first wait for it.
    pollfd ready{file.fd(), POLLIN, 0};
    const int count = ::poll(&ready, 1, kPatience);
    if (count < 0 && errno == EINTR) continue;
    DUEL_CHECK(count != 0, op, "{}: nothing came for {} seconds; expected {}", name, kPatience / 1000,
               expected);
    const size_t have = text.size(), room = std::min(limit + 1 - have, std::max(size + 1, size_t{1} << 16));
    text.resize(have + room);
    const ssize_t got = ::read(file.fd(), text.data() + have, room);
    text.resize(have + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return text;
    if (got < 0 && errno != EINTR && errno != EAGAIN)
      fail_system(errno, op, "{}: cannot be read: {}; expected {}", name, std::strerror(errno), expected);
    DUEL_CHECK(text.size() <= limit, op, "{}: longer than {}; expected {}", name, size_words(limit),
               expected);
  }
}

}  // namespace duel
