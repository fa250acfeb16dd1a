#include "duel/gan/train/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace duel::gan {
namespace {

constexpr const char* kFormat = "duel-checkpoint-1";

class Crc {
 public:
  void add(const void* bytes, size_t size) {
    const auto* next = static_cast<const Bytef*>(bytes);
    while (size > 0) {
      const auto part = static_cast<uInt>(std::min<size_t>(size, 1u << 30));
      value_ = crc32(value_, next, part);
      next += part;
      size -= part;
    }
  }
  /// Length first, so that moving a byte from one text to the next changes the sum.
  void add(const std::string& text) {
    const uint64_t size = text.size();
    add(&size, sizeof size);
    add(text.data(), text.size());
  }
  std::string text() const { return std::to_string(value_); }

 private:
  uLong value_ = crc32(0, nullptr, 0);
};

/// Over tensors and metadata in order of names, so that it does not depend on the file's order.
std::string checksum(TensorFile file) {
  const auto by_name = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::sort(file.tensors.begin(), file.tensors.end(), by_name);
  std::sort(file.metadata.begin(), file.metadata.end(), by_name);
  Crc crc;
  for (const auto& [name, tensor] : file.tensors) {
    crc.add(name);
    crc.add(to_text(tensor));
    const Tensor here = tensor.device().is_cuda() ? tensor.to(Device::cpu()) : tensor;
    crc.add(here.raw(), here.bytes());
  }
  for (const auto& [key, value] : file.metadata) {
    if (key == "crc32") continue;
    crc.add(key);
    crc.add(value);
  }
  return crc.text();
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, TensorFile state, const std::string& config) {
  state.metadata = {{"format", "pt"}, {"duel", kFormat}, {"config", config}};
  state.metadata.emplace_back("crc32", checksum(state));
  write_safetensors(path, state);
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  Checkpoint checkpoint{read_safetensors(path), {}, {}};
  const std::string format = checkpoint.state.text("duel");
  DUEL_CHECK(!format.empty(), "checkpoint",
             "{}: a safetensors file, but not one that duel train wrote (no 'duel' entry in its metadata)",
             path.string());
  DUEL_CHECK(format == kFormat, "checkpoint", "{}: format '{}' is not known to this Duel, expected '{}'",
             path.string(), shown(format), kFormat);
  // Whether a disk or a person changed the contents cannot be told from them; what is to be done can.
  const std::string stored = checkpoint.state.text("crc32"), found = checksum(checkpoint.state);
  DUEL_CHECK(stored == found, "checkpoint",
             "{}: crc32 in its metadata: expected {} for these tensors and metadata, got {}: "
             "they are not as duel train wrote them; if the file was damaged use an earlier checkpoint, "
             "if it was edited on purpose write {} there",
             path.string(), found, stored.empty() ? "none" : "'" + shown(stored) + "'", found);
  checkpoint.config = checkpoint.state.text("config");
  checkpoint.crc32 = stored;
  checkpoint.state.metadata.clear();
  return checkpoint;
}

std::string why_unreadable(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  std::vector<char> piece(1 << 20);
  ssize_t got = fd < 0 ? -1 : 1;
  while (got > 0 || (got < 0 && fd >= 0 && errno == EINTR)) got = ::read(fd, piece.data(), piece.size());
  const std::string why = got < 0 ? std::strerror(errno) : "";
  if (fd >= 0) ::close(fd);
  return why;
}

std::optional<std::filesystem::path> latest_checkpoint(const std::filesystem::path& run,
                                                       const std::string& before) {
  const RunFiles files(run);
  std::error_code why;
  const std::vector<NumberedFile> all = files.all_checkpoints(why);
  DUEL_CHECK(!why || why == std::errc::no_such_file_or_directory || why == std::errc::not_a_directory,
             "checkpoint", "{}: cannot be read: {}; expected the folder with a run's checkpoints",
             files.checkpoints().string(), why.message());
  const std::optional<int64_t> end = iteration_of_checkpoint(before);
  for (auto latest = all.rbegin(); latest != all.rend(); ++latest) {
    if (!end || latest->iteration < *end) return latest->file;
  }
  return std::nullopt;
}

}  // namespace duel::gan
