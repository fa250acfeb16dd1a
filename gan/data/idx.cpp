// Reading and writing of IDX files. The folders they lie in are mnist_files.cpp.
#include "duel/gan/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "duel/core/io/atomic_file.h"
#include "duel/gan/data/internal/byte_source.h"
#include "duel/gan/data/internal/image_limits.h"
#include "duel/gan/data/internal/planes.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

using detail::kMaxExpansion;
using detail::kMaxPixels;
using detail::kMaxSide;

constexpr std::string_view again = "get the file again";

std::string hex(std::span<const uint8_t> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text = "0x";
  for (const uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string type_name(uint8_t code) {
  switch (code) {
    case 0x08:
      return "u8";
    case 0x09:
      return "i8";
    case 0x0b:
      return "i16";
    case 0x0c:
      return "i32";
    case 0x0d:
      return "f32";
    case 0x0e:
      return "f64";
    default:
      return "unknown";
  }
}

std::string_view purpose(int rank) { return rank == 1 ? "labels" : rank == 2 ? "matrix" : "images"; }

void check_magic(std::span<const uint8_t> magic, int rank, const std::string& file) {
  const std::array<uint8_t, 4> wanted{0, 0, 0x08, static_cast<uint8_t>(rank)};
  if (std::ranges::equal(magic, wanted)) return;
  const std::string got = hex(magic), expected = hex(wanted);
  DUEL_CHECK(magic[0] == 0 && magic[1] == 0, "idx",
             "{}: magic: expected {} (IDX) or a gzip header 0x1f8b, got {}; is this an IDX file?", file,
             expected, got);
  DUEL_CHECK(
      magic[2] == 0x08, "idx",
      "{}: element type (magic): expected {} (u8), got {} ({}); convert the elements to unsigned bytes", file,
      expected, got, type_name(magic[2]));
  fail("idx", "{}: rank (magic): expected {} ({}, rank {}), got {} (rank {}); is this the file for {}?", file,
       expected, purpose(rank), rank, got, magic[3], purpose(rank));
}

int64_t largest(int axis) { return axis == 0 ? kMaxPixels : kMaxSide; }

// Reads and checks the dimensions; returns the number of elements.
int64_t read_shape(ByteSource& source, int rank, const std::string& file, std::vector<int64_t>& shape) {
  std::array<uint8_t, 16> bytes{};
  const size_t wanted = static_cast<size_t>(rank) * 4;
  const size_t got = source.read(std::span(bytes).first(wanted));
  DUEL_CHECK(got == wanted, "idx", "{}: dimensions: expected {} bytes of them, file ends after {}; {}", file,
             wanted, got, again);
  int64_t elements = 1;
  for (int axis = 0; axis < rank; ++axis) {
    const int64_t side = big_endian(&bytes[static_cast<size_t>(axis) * 4]);
    DUEL_CHECK(side >= 1 && side <= largest(axis), "idx", "{}: dimension {}: expected 1 to {}, got {}; {}",
               file, axis, largest(axis), side, again);
    shape.push_back(side);
    elements = elements > std::numeric_limits<int64_t>::max() / side ? std::numeric_limits<int64_t>::max()
                                                                     : elements * side;
  }
  DUEL_CHECK(elements <= kMaxPixels, "idx", "{}: dimensions: expected at most {} elements in all, got {}; {}",
             file, kMaxPixels, elements, again);
  return elements;
}

/// `check` is called once the file's length has been found to go with its dimensions, before memory is taken.
void read_elements(ByteSource& source, int64_t elements, int64_t header, const std::string& file,
                   const std::function<void()>& check, std::vector<uint8_t>& data) {
  const auto wrong_length = [&](std::string_view got) {
    fail("idx", "{}: length: expected {} bytes (header {} + elements {}), got {}; {}", file,
         header + elements, header, elements, got, again);
  };
  const auto total = static_cast<size_t>(elements);
  if (!source.is_gzip()) {
    if (source.file_size() != header + elements) wrong_length(std::to_string(source.file_size()));
    check();
    data.resize(total);
    const size_t got = source.read(data);
    if (got != total) wrong_length(std::to_string(header + static_cast<int64_t>(got)));
    return;
  }
  if (elements / kMaxExpansion > source.file_size()) {
    wrong_length("an archive of only " + std::to_string(source.file_size()));
  }
  check();
  // Grows with what has really been unpacked, so that a small archive cannot ask for much.
  while (data.size() < total) {
    const size_t have = data.size();
    data.resize(std::min(total, std::max<size_t>(have * 2, 1 << 18)));
    const size_t got = source.read(std::span(data).subspan(have));
    if (have + got < data.size()) wrong_length(std::to_string(header + static_cast<int64_t>(have + got)));
  }
  uint8_t beyond;
  if (source.read({&beyond, 1}) != 0) wrong_length("more");
}

void append_u32(std::vector<uint8_t>& out, int64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(value >> shift));
}

std::vector<uint8_t> pack_gzip(std::span<const uint8_t> bytes) {
  z_stream stream{};
  DUEL_CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK, "idx",
             "not enough memory for zlib");
  std::vector<uint8_t> out(deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  DUEL_ASSERT(status == Z_STREAM_END);
  return out;
}

std::array<uint8_t, 4> read_magic(ByteSource& source, const std::string& file) {
  std::array<uint8_t, 4> magic{};
  const size_t got = source.read(magic);
  DUEL_CHECK(got == magic.size(), "idx", "{}: magic: expected 4 bytes, file ends after {}; {}", file, got,
             again);
  return magic;
}

/// Behind the magic number of u8.
IdxData read_rest(ByteSource& source, int rank, const std::string& file,
                  const std::function<void(const std::vector<int64_t>&)>& check_shape) {
  IdxData result;
  const int64_t elements = read_shape(source, rank, file, result.shape);
  read_elements(
      source, elements, 4 + 4 * rank, file,
      [&] {
        if (check_shape) check_shape(result.shape);
      },
      result.data);
  return result;
}

}  // namespace

IdxData read_idx(const fs::path& path, int rank,
                 const std::function<void(const std::vector<int64_t>&)>& check_shape) {
  DUEL_CHECK(rank >= 1 && rank <= 4, "idx", "expected a rank of 1 to 4, got {}", rank);
  const std::string file = path.string();
  ByteSource source("idx", path);
  check_magic(read_magic(source, file), rank, file);
  return read_rest(source, rank, file, check_shape);
}

ImageSet read_idx_images(const fs::path& path, const CheckShape& check_shape) {
  const std::string file = path.string();
  ByteSource source("idx", path);
  const std::array<uint8_t, 4> magic = read_magic(source, file);
  const int rank = magic[3] == 4 ? 4 : 3;
  check_magic(magic, rank, file);
  ImageSet set;
  bool channels_last = false;
  IdxData idx = read_rest(source, rank, file, [&](const std::vector<int64_t>& shape) {
    const auto suits = [](int64_t channels) { return channels == 1 || channels == 3; };
    DUEL_CHECK(rank == 3 || suits(shape[1]) || suits(shape[3]), "idx",
               "{}: dimensions: expected (N, C, H, W) or (N, H, W, C) of C 1 or 3 channels, got ({})", file,
               joined(shape));
    channels_last = rank == 4 && !suits(shape[1]);
    const size_t at = rank == 4 && !channels_last ? 2 : 1;
    set.count = shape[0];
    set.height = shape[at];
    set.width = shape[at + 1];
    set.channels = rank == 3 ? 1 : shape[channels_last ? 3 : 1];
    if (check_shape) check_shape(detail::shape_of(set));
  });
  set.images = std::move(idx.data);
  if (channels_last) set.images = detail::with_channels_first(set.images, set);
  set.source = file;
  return set;
}

std::vector<uint8_t> read_idx_labels(const fs::path& path) {
  constexpr int64_t kMostColumns = 64;
  const std::string file = path.string();
  ByteSource source("idx", path);
  const std::array<uint8_t, 4> magic = read_magic(source, file);
  if (magic[0] != 0 || magic[1] != 0 || magic[2] != 0x0c || magic[3] < 1 || magic[3] > 2) {
    check_magic(magic, 1, file);
    return read_rest(source, 1, file, {}).data;
  }
  std::vector<int64_t> shape;
  std::vector<uint8_t> labels;
  read_shape(source, magic[3], file, shape);
  const int64_t columns = shape.size() > 1 ? shape[1] : 1, header = 4 + 4 * magic[3];
  DUEL_CHECK(columns <= kMostColumns, "idx",
             "{}: dimension 1: expected at most {} numbers for a label, got {}", file, kMostColumns, columns);
  if (!source.is_gzip()) {
    DUEL_CHECK(source.file_size() == header + shape[0] * columns * 4, "idx",
               "{}: length: expected {} bytes, got {}; {}", file, header + shape[0] * columns * 4,
               source.file_size(), again);
  }
  std::vector<uint8_t> row(static_cast<size_t>(columns) * 4);
  for (int64_t i = 0; i < shape[0]; ++i) {
    DUEL_CHECK(source.read(row) == row.size(), "idx",
               "{}: length: expected {} labels, file ends after {}; {}", file, shape[0], i, again);
    const int64_t label = big_endian(row.data());  // of an i32
    DUEL_CHECK(label <= 255, "idx", "{}: label of image {}: expected 0 to 255, got {}", file, i,
               static_cast<int32_t>(label));
    labels.push_back(static_cast<uint8_t>(label));
  }
  DUEL_CHECK(source.read(std::span(row).first(1)) == 0, "idx", "{}: length: expected {} labels, got more; {}",
             file, shape[0], again);
  return labels;
}

void write_idx(const fs::path& path, std::span<const int64_t> shape, std::span<const uint8_t> data,
               bool gzip) {
  DUEL_CHECK(shape.size() >= 1 && shape.size() <= 4, "idx", "{}: expected a rank of 1 to 4, got {}",
             path.string(), shape.size());
  std::vector<uint8_t> bytes{0, 0, 0x08, static_cast<uint8_t>(shape.size())};
  int64_t elements = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    const int64_t side = shape[axis], limit = largest(static_cast<int>(axis));
    DUEL_CHECK(side >= 1 && side <= limit, "idx", "{}: dimension {}: expected 1 to {}, got {}", path.string(),
               axis, limit, side);
    elements *= side;
    DUEL_CHECK(elements <= kMaxPixels, "idx", "{}: expected at most {} elements, got {} or more",
               path.string(), kMaxPixels, elements);
    append_u32(bytes, side);
  }
  DUEL_CHECK(static_cast<int64_t>(data.size()) == elements, "idx",
             "{}: expected {} elements for the shape, got {}", path.string(), elements, data.size());
  bytes.insert(bytes.end(), data.begin(), data.end());
  write_file_atomically(path, gzip ? pack_gzip(bytes) : bytes);
}

}  // namespace duel::gan
