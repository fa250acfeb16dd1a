// A file descriptor, a 64 KiB buffer and zlib's inflate.
#include "duel/gan/data/internal/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "duel/kernels/base/error.h"

namespace duel::gan {

struct ByteSource::State {
  std::string op, path;
  int fd = -1;
  int64_t size = 0;
  bool gzip = false;
  bool inflating = false;    // inside a gzip member
  bool initialised = false;  // stream holds memory
  z_stream stream{};
  std::array<uint8_t, 1 << 16> buffer;
  std::span<const uint8_t> pending;  // bytes of the file not consumed yet

  ~State() {
    if (initialised) ::inflateEnd(&stream);
    if (fd >= 0) ::close(fd);
  }

  template <class... Args>
  [[noreturn]] void refuse(std::string_view pattern, const Args&... args) const {
    fail(op, "{}: {}", path, message(pattern, args...));
  }

  // Ensures that `wanted` bytes are pending, unless the file ends before.
  void fill(size_t wanted) {
    while (pending.size() < wanted) {
      if (!pending.empty()) std::memmove(buffer.data(), pending.data(), pending.size());
      const size_t kept = pending.size();
      const ssize_t got = ::read(fd, buffer.data() + kept, buffer.size() - kept);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_system(errno, op, "{}: could not read: {}", path, std::strerror(errno));
      pending = {buffer.data(), kept + static_cast<size_t>(got)};
      if (got == 0) return;
    }
  }

  size_t read_plain(std::span<uint8_t> out) {
    size_t done = 0;
    while (done < out.size()) {
      fill(1);
      if (pending.empty()) break;
      const size_t step = std::min(out.size() - done, pending.size());
      std::memcpy(out.data() + done, pending.data(), step);
      pending = pending.subspan(step);
      done += step;
    }
    return done;
  }

  // After a member has ended: another may follow directly (RFC 1952, 2.2), or zero bytes up to the end (what
  // fills the last block of a tape or an archive; GNU gzip takes them, too). Anything else is an error.
  bool next_member() {
    fill(2);
    bool padded = false;
    while (!pending.empty() && pending[0] == 0) {
      padded = true;
      pending = pending.subspan(1);
      fill(1);
    }
    if (pending.empty()) return false;
    if (padded || pending.size() < 2 || pending[0] != 0x1f || pending[1] != 0x8b) {
      refuse("gzip stream: expected the end of the file, got trailing bytes; get the file again");
    }
    ::inflateReset(&stream);
    return true;
  }

  size_t read_gzip(std::span<uint8_t> out) {
    size_t done = 0;
    while (done < out.size()) {
      if (!inflating) {
        if (!next_member()) break;
        inflating = true;
      }
      fill(1);
      if (pending.empty()) {
        refuse("gzip stream: truncated after {} bytes; get the file again", size);
      }
      stream.next_in = const_cast<uint8_t*>(pending.data());
      stream.avail_in = static_cast<uInt>(pending.size());
      stream.next_out = out.data() + done;
      const uInt room = static_cast<uInt>(std::min(out.size() - done, size_t{1} << 30));
      stream.avail_out = room;
      const int status = ::inflate(&stream, Z_NO_FLUSH);
      pending = pending.subspan(pending.size() - stream.avail_in);
      done += room - stream.avail_out;
      if (status == Z_STREAM_END) {
        inflating = false;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        refuse("gzip stream: corrupt ({}); get the file again",
               stream.msg != nullptr ? stream.msg : ::zError(status));
      }
    }
    return done;
  }
};

ByteSource::ByteSource(std::string_view op, const std::filesystem::path& path)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.op = op;
  s.path = path.string();
  // O_NONBLOCK: opening a named pipe must not hang before it can be refused.
  s.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (s.fd < 0) s.refuse("could not open: {}", std::strerror(errno));
  struct stat info {};
  if (::fstat(s.fd, &info) != 0) s.refuse("could not open: {}", std::strerror(errno));
  if (S_ISDIR(info.st_mode)) s.refuse("is a folder; expected a file");
  if (!S_ISREG(info.st_mode)) s.refuse("is not a regular file");
  s.size = info.st_size;
  s.fill(2);
  s.gzip = s.pending.size() >= 2 && s.pending[0] == 0x1f && s.pending[1] == 0x8b;
  if (s.gzip) {
    DUEL_CHECK(::inflateInit2(&s.stream, 16 + MAX_WBITS) == Z_OK, op, "{}: not enough memory for zlib",
               s.path);
    s.initialised = true;
    s.inflating = true;
  }
}

ByteSource::~ByteSource() = default;

size_t ByteSource::read(std::span<uint8_t> out) {
  return state_->gzip ? state_->read_gzip(out) : state_->read_plain(out);
}

bool ByteSource::is_gzip() const { return state_->gzip; }
int64_t ByteSource::file_size() const { return state_->size; }

}  // namespace duel::gan
