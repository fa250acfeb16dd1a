// Reading and writing of IDX files, and MNIST's file names.
#include "duel/gan/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <system_error>

#include "duel/core/io/atomic_file.h"
#include "duel/gan/data/internal/byte_source.h"
#include "duel/gan/data/internal/image_limits.h"
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

std::string_view purpose(int rank) { return rank == 1 ? "labels" : rank == 3 ? "images" : "matrix"; }

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
  std::array<uint8_t, 12> bytes{};
  const size_t wanted = static_cast<size_t>(rank) * 4;
  const size_t got = source.read(std::span(bytes).first(wanted));
  DUEL_CHECK(got == wanted, "idx", "{}: dimensions: expected {} bytes of them, file ends after {}; {}", file,
             wanted, got, again);
  int64_t elements = 1;
  for (int axis = 0; axis < rank; ++axis) {
    const uint8_t* b = &bytes[static_cast<size_t>(axis) * 4];
    const int64_t side = int64_t{b[0]} << 24 | int64_t{b[1]} << 16 | int64_t{b[2]} << 8 | int64_t{b[3]};
    DUEL_CHECK(side >= 1 && side <= largest(axis), "idx", "{}: dimension {}: expected 1 to {}, got {}; {}",
               file, axis, largest(axis), side, again);
    elements *= side;  // at most 2^30 * 2^12 * 2^12
    shape.push_back(side);
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

std::string stem(Split split) { return split == Split::train ? "train" : "t10k"; }

std::array<std::string, 4> mnist_names(Split split, bool images) {
  const std::string kind = images ? "images" : "labels", rank = images ? "idx3" : "idx1";
  const std::string dash = stem(split) + "-" + kind + "-" + rank + "-ubyte";
  const std::string dot = stem(split) + "-" + kind + "." + rank + "-ubyte";
  return {dash, dot, dash + ".gz", dot + ".gz"};
}

// The first of the names that is there; empty if none. A folder of that name (some archives unpack to one)
// is taken only if nothing else is there, to be refused as such.
fs::path find_file(const fs::path& dir, Split split, bool images) {
  fs::path folder;
  std::error_code ignored;
  for (const auto& name : mnist_names(split, images)) {
    const fs::path candidate = dir / name;
    if (!fs::exists(candidate, ignored)) continue;
    if (!fs::is_directory(candidate, ignored)) return candidate;
    folder = candidate;
  }
  return folder;
}

fs::path image_file_in(const fs::path& dir, Split split) {
  const fs::path found = find_file(dir, split, true);
  if (!found.empty()) return found;
  const auto names = mnist_names(split, true);
  fail("mnist",
       "{}: {} images missing: looked for {} and {}, each also with .gz; put MNIST's files there or choose "
       "another folder",
       dir.string(), split == Split::train ? "training" : "test", names[0], names[1]);
}

}  // namespace

IdxData read_idx(const fs::path& path, int rank,
                 const std::function<void(const std::vector<int64_t>&)>& check_shape) {
  DUEL_CHECK(rank >= 1 && rank <= 3, "idx", "expected a rank of 1 to 3, got {}", rank);
  const std::string file = path.string();
  ByteSource source("idx", path);
  std::array<uint8_t, 4> magic{};
  const size_t got = source.read(magic);
  DUEL_CHECK(got == magic.size(), "idx", "{}: magic: expected 4 bytes, file ends after {}; {}", file, got,
             again);
  check_magic(magic, rank, file);
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

void write_idx(const fs::path& path, std::span<const int64_t> shape, std::span<const uint8_t> data,
               bool gzip) {
  DUEL_CHECK(shape.size() >= 1 && shape.size() <= 3, "idx", "{}: expected a rank of 1 to 3, got {}",
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

void write_mnist(const fs::path& dir, Split split, const ImageSet& set, bool gzip) {
  DUEL_CHECK(set.channels == 1, "mnist", "{}: MNIST's files hold gray images, got images of {} channels",
             dir.string(), set.channels);
  const size_t name = gzip ? 2 : 0;
  const fs::path images = dir / mnist_names(split, true)[name];
  const fs::path labels = set.labels.empty() ? fs::path() : dir / mnist_names(split, false)[name];
  for (const bool of_images : {true, false}) {
    const fs::path there = find_file(dir, split, of_images), ours = of_images ? images : labels;
    DUEL_CHECK(there.empty() || there == ours, "mnist",
               "{}: is there already and would be read with these images; remove it or choose another folder",
               there.string());
  }
  write_idx(images, std::array{set.count, set.height, set.width}, set.images, gzip);
  if (!labels.empty()) write_idx(labels, std::array{set.count}, set.labels, gzip);
}

ImageSet load_mnist(const fs::path& dir, Split split) {
  std::error_code ignored;
  DUEL_CHECK(fs::exists(dir, ignored), "mnist", "{}: no such folder; expected one with MNIST's files",
             dir.string());
  DUEL_CHECK(fs::is_directory(dir, ignored), "mnist", "{}: is a file; expected the folder with MNIST's files",
             dir.string());
  const fs::path image_file = image_file_in(dir, split), label_file = find_file(dir, split, false);
  IdxData labels;
  if (!label_file.empty()) labels = read_idx(label_file, 1);
  // Before the images are unpacked: a few bytes can stand for a gigabyte of them.
  IdxData images = read_idx(image_file, 3, [&](const std::vector<int64_t>& shape) {
    DUEL_CHECK(
        label_file.empty() || labels.shape[0] == shape[0], "idx",
        "{}: count: expected {} labels for the images of {}, got {}; take both files from the same set",
        label_file.string(), shape[0], image_file.filename().string(), labels.data.size());
  });
  ImageSet set;
  set.count = images.shape[0];
  set.height = images.shape[1];
  set.width = images.shape[2];
  set.images = std::move(images.data);
  set.labels = std::move(labels.data);
  set.source = image_file.string();
  return set;
}

bool has_mnist(const fs::path& dir, Split split) { return !find_file(dir, split, true).empty(); }

fs::path find_mnist(const std::optional<fs::path>& chosen) {
  const auto holder = [](const fs::path& dir) -> fs::path {
    for (const fs::path& inner : {dir, dir / "mnist", dir / "MNIST" / "raw"}) {
      if (!find_file(inner, Split::train, true).empty()) return inner;
    }
    return {};
  };
  const auto or_itself = [&](const fs::path& dir) {
    const fs::path found = holder(dir);
    return found.empty() ? dir : found;
  };
  if (chosen) return or_itself(*chosen);
  const char* wanted = std::getenv("DUEL_DATA");
  if (wanted != nullptr && *wanted != '\0') return or_itself(wanted);
  return find_file(fs::path("data") / "mnist", Split::train, true).empty() ? fs::path()
                                                                           : fs::path("data") / "mnist";
}

}  // namespace duel::gan
