#include "duel/gan/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
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
  Checkpoint checkpoint{read_safetensors(path), {}};
  const std::string format = checkpoint.state.text("duel");
  DUEL_CHECK(!format.empty(), "checkpoint", "{}: a safetensors file, but not one that duel train wrote (no 'duel' entry in its metadata)",
             path.string());
  DUEL_CHECK(format == kFormat, "checkpoint", "{}: format '{}' is not known to this Duel, expected '{}'", path.string(), format, kFormat);
  DUEL_CHECK(checkpoint.state.text("crc32") == checksum(checkpoint.state), "checkpoint",
             "{}: crc32 does not match, the file is damaged; use an earlier checkpoint", path.string());
  checkpoint.config = checkpoint.state.text("config");
  checkpoint.state.metadata.clear();
  return checkpoint;
}

std::string checkpoint_name(int64_t iteration) {
  char name[40];
  std::snprintf(name, sizeof name, "step_%08lld.safetensors", static_cast<long long>(iteration));
  return name;
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

std::optional<std::filesystem::path> latest_checkpoint(const std::filesystem::path& run, const std::string& before) {
  // Names are zero-padded: more digits, or the same number of them and a later text, is a later step.
  const auto earlier = [](const std::string& a, const std::string& b) { return a.size() == b.size() ? a < b : a.size() < b.size(); };
  std::optional<std::filesystem::path> best;
  std::error_code why;
  for (const auto& entry : std::filesystem::directory_iterator(run / "checkpoints", why)) {
    long long step = 0;
    int used = 0;
    const std::string name = entry.path().filename().string();
    if (std::sscanf(name.c_str(), "step_%lld.safetensors%n", &step, &used) != 1 || used != static_cast<int>(name.size())) continue;
    if (!before.empty() && !earlier(name, before)) continue;
    if (!best || earlier(best->filename().string(), name)) best = entry.path();
  }
  DUEL_CHECK(!why || why == std::errc::no_such_file_or_directory || why == std::errc::not_a_directory, "checkpoint",
             "{}: cannot be read: {}; expected the folder with a run's checkpoints", (run / "checkpoints").string(), why.message());
  return best;
}

}  // namespace duel::gan
