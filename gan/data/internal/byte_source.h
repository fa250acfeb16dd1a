// Bytes of a file in order, unpacked on the way if the file is gzip. Internal to the readers of gan/data.
//
// zlib's own gzread is not used: it passes unpacked input through, and it ignores what follows the archive.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace duel::gan {

/// Four bytes, the greatest first.
inline int64_t big_endian(const uint8_t* p) {
  return int64_t{p[0]} << 24 | int64_t{p[1]} << 16 | int64_t{p[2]} << 8 | int64_t{p[3]};
}

class ByteSource {
 public:
  /// Opens a regular file. Errors start with "[op] FILE: ", like those of all members.
  ByteSource(std::string_view op, const std::filesystem::path& path);
  ~ByteSource();

  /// Fills `out` as far as there is content and returns the number of bytes. A damaged archive throws; one
  /// whose content has been read to its end has been checked against its checksum.
  size_t read(std::span<uint8_t> out);

  bool is_gzip() const;
  /// Length of the file as it lies on the disk.
  int64_t file_size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace duel::gan
