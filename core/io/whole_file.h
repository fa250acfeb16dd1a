// A file that is written piece by piece and has its name only when it is whole: atomic_file.h for what does not fit into memory.
//
// Example:
//   WholeFile file("samples.npy");
//   file.write(header);
//   for (…) file.write(images);
//   file.publish();               // until then, and if it is never called, there is no samples.npy, or the older one
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace duel {

namespace detail {
class PendingFile;
}  // namespace detail

/// Errors, links, permissions and the order of what reaches the disk as of write_file_atomically().
class WholeFile {
 public:
  explicit WholeFile(const std::filesystem::path& path);
  ~WholeFile();
  WholeFile(WholeFile&&) noexcept;
  WholeFile& operator=(WholeFile&&) = delete;

  void write(std::span<const uint8_t> bytes);
  /// In the place of bytes that were written.
  void overwrite(uint64_t offset, std::span<const uint8_t> bytes);
  /// Gives it its name. Nothing may be written then.
  void publish();

 private:
  std::unique_ptr<detail::PendingFile> pending_;
};

}  // namespace duel
