// Files in a zip archive, stored or deflated, as .npz archives hold them. Internal to the readers of gan/data.
//
// Format: APPNOTE.TXT of PKWARE, 4.3 to 4.5. The directory at the archive's end counts, of local headers only their
// length: NumPy's say sizes of 2^32 - 1. No encryption, no archive of more than 4 GiB.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace duel::gan::detail {

struct ZipEntry {
  std::string name;
  int64_t size = 0, packed = 0;  // bytes, unpacked and as they lie there
  uint32_t crc32 = 0;
  bool deflated = false;
  int64_t begin = 0;  // of its local header
};

class ZipArchive {
 public:
  using Read = std::function<size_t(std::span<uint8_t>)>;

  /// Reads the directory. Errors start with "[op] FILE: ", like those of all members.
  ZipArchive(std::string op, const std::filesystem::path& path);
  const std::vector<ZipEntry>& entries() const { return entries_; }

  /// Gives `body` a function that fills a span with the entry's next bytes as far as there are any, at most `size` in
  /// all. Error where the archive is damaged; its checksum is checked once `body` has read all.
  void read(const ZipEntry& entry, const std::function<void(const Read&)>& body);

 private:
  template <class... Args>
  [[noreturn]] void refuse(std::string_view pattern, const Args&... args) const;
  /// [begin, begin + out.size()) of the file; Error where it ends before.
  void bytes(int64_t begin, std::span<uint8_t> out);

  std::string op_, path_;
  std::ifstream file_;
  int64_t length_ = 0;
  std::vector<ZipEntry> entries_;
};

}  // namespace duel::gan::detail
