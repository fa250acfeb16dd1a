// Temporary file, fsync, rename, fsync of the folder.
#include "duel/core/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "duel/core/io/whole_file.h"
#include "duel/kernels/base/error.h"

namespace duel {
namespace detail {

// One attempt to put bytes under a name; whatever is not finished is removed when it goes out of scope.
class PendingFile {
 public:
  PendingFile(const std::filesystem::path& path, size_t bytes) : path_(path), target_(path), bytes_(bytes) {
    DUEL_CHECK(path.has_filename(), "write", "{}: expected the name of a file", path.string());
    follow_links();
    struct stat old {};
    const bool replaces = ::lstat(target_.c_str(), &old) == 0;
    if (replaces && S_ISDIR(old.st_mode)) {
      errno = EISDIR;
      give_up("replace it");
    }
    DUEL_CHECK(
        !replaces || S_ISREG(old.st_mode), "write",
        "{}: is a device, a pipe or a socket, which cannot be replaced by a whole file; choose another name",
        path.string());
    static std::atomic<uint64_t> counter{0};
    temporary_ =
        target_.parent_path() / message(".{}.tmp-{}-{}", target_.filename().string(), ::getpid(), counter++);
    const mode_t mode = replaces ? old.st_mode & 0777 : 0666;
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd_ < 0) give_up("create a file in its folder");
    created_ = true;
    if (!replaces) return;
    // The owner only where it differs and the system lets us; where it does not, the file is ours, as after
    // any copy.
    struct stat made {};
    if (::fstat(fd_, &made) == 0 && (made.st_uid != old.st_uid || made.st_gid != old.st_gid) &&
        ::fchown(fd_, old.st_uid, old.st_gid) != 0 && ::fchown(fd_, static_cast<uid_t>(-1), old.st_gid) != 0)
      errno = 0;
    if (::fchmod(fd_, mode) != 0 && errno != EPERM && errno != ENOTSUP) give_up("keep its permissions");
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  ~PendingFile() {
    if (fd_ >= 0) ::close(fd_);
    if (created_) ::unlink(temporary_.c_str());
  }

  void write(std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), std::min(bytes.size(), size_t{1} << 30));
      if (written < 0) {
        if (errno == EINTR) continue;
        give_up("write");
      }
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }
  void want(size_t more) { bytes_ += more; }
  void overwrite(uint64_t offset, std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0) {
        if (errno == EINTR) continue;
        give_up("write");
      }
      offset += static_cast<uint64_t>(written);
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }

  void publish() {
    if (::fsync(fd_) != 0) give_up("force it to the disk");
    const int fd = fd_;
    fd_ = -1;
    if (::close(fd) != 0) give_up("close");
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) give_up("rename");
    created_ = false;
    sync_folder();
  }

 private:
  // The file behind the last of the links at the path; the folders on the way are the system's to follow.
  void follow_links() {
    constexpr int most = 40;  // as the kernel
    std::error_code none;
    for (int links = 0; std::filesystem::is_symlink(target_, none); ++links) {
      if (links == most) {
        errno = ELOOP;
        give_up("follow the links at it");
      }
      std::error_code why;
      const std::filesystem::path next = std::filesystem::read_symlink(target_, why);
      if (why) {
        errno = why.value();
        give_up("read the link at it");
      }
      target_ = target_.parent_path() / next;  // an absolute one stands alone
    }
  }

  // The rename is durable only once its folder is. Some network file systems cannot sync folders and say
  // so with EINVAL or ENOTSUP; there the rename is all one can have.
  void sync_folder() {
    const auto parent = target_.parent_path();
    const int fd = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;  // a folder may be writable and searchable without being readable
    const int result = ::fsync(fd);
    const int reason = errno;
    ::close(fd);
    errno = reason;
    if (result != 0 && reason != EINVAL && reason != ENOTSUP) give_up("force its folder to the disk");
  }

  [[noreturn]] void give_up(std::string_view step) const {
    const int reason = errno;
    fail_system(reason, "write", "{}: could not {} ({} bytes wanted): {}", path_.string(), step, bytes_,
                std::strerror(reason));
  }

  std::filesystem::path path_, target_, temporary_;  // target_: path_ with its links followed
  size_t bytes_;
  int fd_ = -1;
  bool created_ = false;
};

}  // namespace detail

using detail::PendingFile;

void write_file_atomically(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  PendingFile file(path, bytes.size());
  file.write(bytes);
  file.publish();
}

WholeFile::WholeFile(const std::filesystem::path& path) : pending_(std::make_unique<PendingFile>(path, 0)) {}
WholeFile::~WholeFile() = default;
WholeFile::WholeFile(WholeFile&&) noexcept = default;

void WholeFile::write(std::span<const uint8_t> bytes) {
  pending_->want(bytes.size());
  pending_->write(bytes);
}
void WholeFile::overwrite(uint64_t offset, std::span<const uint8_t> bytes) {
  pending_->overwrite(offset, bytes);
}
void WholeFile::publish() { pending_->publish(); }

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

}  // namespace duel
