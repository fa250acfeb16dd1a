// NumPy's header (its NEP 1) and, around it, a zip archive's local headers, central directory and end (PKWARE's APPNOTE 6.3, 4.3).
#include "duel/gan/data/image_arrays.h"

#include <zlib.h>

#include <algorithm>

#include "duel/core/io/internal/file_ending.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

constexpr const char* kOp = "arrays";
constexpr uint64_t kMostInZip = 0xffffffff;

/// Magic, version 1.0, length and literal, filled up so that the elements begin at a multiple of 64.
std::string npy_header(const std::string& type, const std::string& shape) {
  std::string text = message("{'descr': '{}', 'fortran_order': False, 'shape': ({}), }", type, shape);
  constexpr size_t before = 10, unit = 64;
  text.append((unit - (before + text.size() + 1) % unit) % unit, ' ');
  text += '\n';
  std::string header = "\x93NUMPY";
  header += '\x01';
  header += '\0';
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

void put(std::vector<uint8_t>& to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to.push_back(static_cast<uint8_t>(value >> 8 * i));
}

/// What both headers of an entry share, from the version that is needed on: stored, on the first day of the format's calendar.
void put_facts(std::vector<uint8_t>& to, const std::string& name, uint64_t size, uint32_t crc) {
  constexpr uint64_t version = 20, first_day = 0x21;
  put(to, version, 2);
  put(to, 0, 2);  // flags
  put(to, 0, 2);  // method
  put(to, 0, 2);  // time
  put(to, first_day, 2);
  put(to, crc, 4);
  put(to, size, 4);
  put(to, size, 4);
  put(to, name.size(), 2);
  put(to, 0, 2);  // extra
}

}  // namespace

ImageArrayWriter::ImageArrayWriter(const std::filesystem::path& path, int64_t count, int64_t height,
                                   int64_t width, int64_t channels)
    : path_(path), zip_(ending_of(path) == ".npz"), count_(count), bytes_(0), file_(path) {
  DUEL_CHECK(zip_ || ending_of(path) == ".npy", kOp, "{}: expected a name ending in .npy or .npz",
             path.string());
  DUEL_CHECK(
      count >= 1 && height >= 1 && width >= 1 && (channels == 1 || channels == 3), kOp,
      "{}: expected at least one image of at least a pixel, of 1 or 3 channels, got {} of {} x {} x {}",
      path.string(), count, height, width, channels);
  bytes_ = static_cast<uint64_t>(count);
  for (const int64_t size : {height, width, channels}) {
    DUEL_CHECK(!__builtin_mul_overflow(bytes_, static_cast<uint64_t>(size), &bytes_), kOp,
               "{}: the number of bytes does not fit in 64 bits", path.string());
  }
  // With labels and the directory.
  const uint64_t whole = bytes_ + 8 * static_cast<uint64_t>(count) + 1024;
  DUEL_CHECK(!zip_ || whole <= kMostInZip, kOp,
             "{}: {} bytes are more than a zip archive of this kind holds; take a name ending in .npy",
             path.string(), whole);
  begin("arr_0.npy", npy_header("|u1", message("{}, {}, {}, {}", count, height, width, channels)), bytes_);
}

void ImageArrayWriter::begin(const std::string& name, const std::string& header, uint64_t data) {
  if (zip_) {
    entries_.push_back({.name = name, .offset = position_, .size = header.size() + data});
    std::vector<uint8_t> local;
    put(local, 0x04034b50, 4);
    put_facts(local, name, entries_.back().size, 0);  // end() knows the sum
    local.insert(local.end(), name.begin(), name.end());
    file_.write(local);
    position_ += local.size();
  }
  write(bytes_of(header));
}

void ImageArrayWriter::write(std::span<const uint8_t> bytes) {
  file_.write(bytes);
  position_ += bytes.size();
  if (!zip_) return;
  uint32_t& crc = entries_.back().crc;
  for (size_t at = 0; at < bytes.size(); at += size_t{1} << 30) {
    const std::span piece = bytes.subspan(at, std::min(bytes.size() - at, size_t{1} << 30));
    crc = static_cast<uint32_t>(::crc32(crc, piece.data(), static_cast<uInt>(piece.size())));
  }
}

void ImageArrayWriter::end() {
  if (!zip_) return;
  constexpr uint64_t crc_at = 14;
  std::vector<uint8_t> crc;
  put(crc, entries_.back().crc, 4);
  file_.overwrite(entries_.back().offset + crc_at, crc);
}

void ImageArrayWriter::add(std::span<const uint8_t> images) {
  added_ += images.size();
  DUEL_CHECK(added_ <= bytes_, kOp, "{}: expected {} bytes of images, got {}", path_.string(), bytes_,
             added_);
  write(images);
}

void ImageArrayWriter::finish(std::span<const int64_t> labels) {
  DUEL_CHECK(added_ == bytes_, kOp, "{}: expected {} bytes of images, got {}", path_.string(), bytes_,
             added_);
  DUEL_CHECK(labels.empty() || (zip_ && labels.size() == static_cast<size_t>(count_)), kOp,
             "{}: expected no labels, or in a .npz one for each of {} images, got {}", path_.string(), count_,
             labels.size());
  end();
  if (!labels.empty()) {
    begin("arr_1.npy", npy_header("<i8", message("{},", count_)), 8 * labels.size());
    std::vector<uint8_t> bytes;
    bytes.reserve(8 * labels.size());
    for (const int64_t label : labels) put(bytes, static_cast<uint64_t>(label), 8);
    write(bytes);
    end();
  }
  if (zip_) {
    std::vector<uint8_t> directory;
    for (const Entry& entry : entries_) {
      put(directory, 0x02014b50, 4);
      put(directory, 20, 2);  // made by
      put_facts(directory, entry.name, entry.size, entry.crc);
      for (const int size : {2, 2, 2, 4}) put(directory, 0, size);  // comment, disk, attributes
      put(directory, entry.offset, 4);
      directory.insert(directory.end(), entry.name.begin(), entry.name.end());
    }
    const uint64_t size = directory.size();
    put(directory, 0x06054b50, 4);
    for (const uint64_t number :
         {uint64_t{0}, uint64_t{0}, uint64_t{entries_.size()}, uint64_t{entries_.size()}})
      put(directory, number, 2);
    put(directory, size, 4);
    put(directory, position_, 4);
    put(directory, 0, 2);
    file_.write(directory);
  }
  file_.publish();
}

std::vector<uint8_t> channels_last(std::span<const uint8_t> planes, int64_t channels, int64_t height,
                                   int64_t width) {
  std::vector<uint8_t> pixels(planes.size());
  const auto c = static_cast<size_t>(channels), plane = static_cast<size_t>(height * width);
  for (size_t i = 0; i < planes.size(); ++i) {
    const size_t image = i / (c * plane), channel = i / plane % c, pixel = i % plane;
    pixels[(image * plane + pixel) * c + channel] = planes[i];
  }
  return pixels;
}

}  // namespace duel::gan
