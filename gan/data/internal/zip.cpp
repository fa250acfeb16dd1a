#include "duel/gan/data/internal/zip.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "duel/gan/data/internal/image_limits.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::detail {
namespace {

constexpr int64_t kEndLength = 22, kDirectoryLength = 46, kLocalLength = 30, kMaxComment = 65535;
constexpr int64_t kMaxEntries = 1000;
constexpr uint32_t kEndMagic = 0x06054b50, kDirectoryMagic = 0x02014b50, kLocalMagic = 0x04034b50;
constexpr uint32_t kElsewhere = 0xffffffff;  // the number stands in a zip64 field

int64_t little_endian_16(const uint8_t* p) { return p[0] | p[1] << 8; }
uint32_t little_endian(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) | static_cast<uint32_t>(p[1]) << 8 | static_cast<uint32_t>(p[2]) << 16 |
         static_cast<uint32_t>(p[3]) << 24;
}

/// zlib's stream of one entry, freed whatever happens.
struct Inflater {
  z_stream stream{};
  bool ready = false, ended = false;
  std::array<uint8_t, 1 << 16> buffer;

  Inflater() : ready(::inflateInit2(&stream, -MAX_WBITS) == Z_OK) {}
  ~Inflater() {
    if (ready) ::inflateEnd(&stream);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

}  // namespace

template <class... Args>
void ZipArchive::refuse(std::string_view pattern, const Args&... args) const {
  fail(op_, "{}: {}", path_, message(pattern, args...));
}

void ZipArchive::bytes(int64_t begin, std::span<uint8_t> out) {
  const auto size = static_cast<int64_t>(out.size());
  if (begin < 0 || size > length_ || begin > length_ - size)
    refuse("zip archive: expected {} bytes at {}, but it has {}; get the file again", size, begin, length_);
  file_.clear();
  file_.seekg(begin);
  file_.read(reinterpret_cast<char*>(out.data()), size);
  if (file_.gcount() != size) refuse("zip archive: could not read {} bytes at {}", size, begin);
}

ZipArchive::ZipArchive(std::string op, const std::filesystem::path& path)
    : op_(std::move(op)), path_(path.string()) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) refuse("is not a regular file");
  length_ = static_cast<int64_t>(std::filesystem::file_size(path, error));
  file_.open(path, std::ios::binary);
  if (error || !file_) refuse("could not open");

  // The end's record, behind which only a comment may stand.
  std::vector<uint8_t> tail(static_cast<size_t>(std::min(length_, kEndLength + kMaxComment)));
  bytes(length_ - static_cast<int64_t>(tail.size()), tail);
  auto at = static_cast<int64_t>(tail.size()) - kEndLength;
  while (at >= 0 && little_endian(&tail[static_cast<size_t>(at)]) != kEndMagic) --at;
  if (at < 0) refuse("zip archive: has no end, it is truncated or none; get the file again");
  const uint8_t* end = &tail[static_cast<size_t>(at)];
  const int64_t count = little_endian_16(end + 10), size = little_endian(end + 12),
                begin = little_endian(end + 16);
  if (count != little_endian_16(end + 8)) refuse("zip archive: is one of several parts");
  if (count > kMaxEntries) refuse("zip archive: expected at most {} files, got {}", kMaxEntries, count);
  if (size > length_ || begin > length_ - size)
    refuse("zip archive: its directory of {} bytes at {} does not lie in its {} bytes; get the file again",
           size, begin, length_);
  std::vector<uint8_t> directory(static_cast<size_t>(size));
  bytes(begin, directory);

  int64_t p = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* record = directory.data() + p;
    if (size - p < kDirectoryLength || little_endian(record) != kDirectoryMagic)
      refuse("zip archive: its directory is damaged at file {} of {}; get the file again", i + 1, count);
    const int64_t name = little_endian_16(record + 28), extra = little_endian_16(record + 30),
                  comment = little_endian_16(record + 32);
    if (size - p - kDirectoryLength < name + extra + comment)
      refuse("zip archive: its directory is damaged at file {} of {}; get the file again", i + 1, count);
    ZipEntry entry;
    entry.name.assign(reinterpret_cast<const char*>(record) + kDirectoryLength, static_cast<size_t>(name));
    entry.crc32 = little_endian(record + 16);
    entry.packed = little_endian(record + 20);
    entry.size = little_endian(record + 24);
    entry.begin = little_endian(record + 42);
    const int64_t method = little_endian_16(record + 10);
    const std::string shown_name = in_quotes(entry.name);
    if ((little_endian_16(record + 8) & 1) != 0) refuse("{} in it is encrypted", shown_name);
    if (method != 0 && method != 8)
      refuse("{} in it is packed by method {}; expected 0 (stored) or 8 (deflated)", shown_name, method);
    if (entry.packed == kElsewhere || entry.size == kElsewhere || entry.begin == kElsewhere)
      refuse("{} in it is larger than 4 GiB", shown_name);
    entry.deflated = method == 8;
    if (entry.deflated ? entry.size / kMaxExpansion > entry.packed : entry.size != entry.packed)
      refuse("{} in it: {} bytes cannot unpack to {}; get the file again", shown_name, entry.packed,
             entry.size);
    entries_.push_back(std::move(entry));
    p += kDirectoryLength + name + extra + comment;
  }
}

void ZipArchive::read(const ZipEntry& entry, const std::function<void(const Read&)>& body) {
  const std::string name = in_quotes(entry.name);
  std::array<uint8_t, kLocalLength> local{};
  bytes(entry.begin, local);
  if (little_endian(local.data()) != kLocalMagic)
    refuse("{} in it: expected its header at {}, found none; get the file again", name, entry.begin);
  int64_t at = entry.begin + kLocalLength + little_endian_16(&local[26]) + little_endian_16(&local[28]);
  if (entry.packed > length_ || at > length_ - entry.packed)
    refuse("{} in it: expected {} bytes at {}, but the archive has {}; get the file again", name,
           entry.packed, at, length_);
  const int64_t end = at + entry.packed;
  Inflater zlib;
  if (!zlib.ready) refuse("not enough memory for zlib");
  uLong checksum = ::crc32(0, nullptr, 0);
  int64_t done = 0;

  const auto more = [&] {  // packed bytes into zlib's buffer
    const auto step =
        static_cast<size_t>(std::min<int64_t>(end - at, static_cast<int64_t>(zlib.buffer.size())));
    if (step == 0) refuse("{} in it: its packed bytes end too early; get the file again", name);
    bytes(at, std::span(zlib.buffer).first(step));
    at += static_cast<int64_t>(step);
    zlib.stream.next_in = zlib.buffer.data();
    zlib.stream.avail_in = static_cast<uInt>(step);
  };
  const auto unpack = [&](std::span<uint8_t> out) {
    zlib.stream.next_out = out.data();
    zlib.stream.avail_out = static_cast<uInt>(out.size());
    while (zlib.stream.avail_out > 0 && !zlib.ended) {
      if (zlib.stream.avail_in == 0) more();
      const int status = ::inflate(&zlib.stream, Z_NO_FLUSH);
      zlib.ended = status == Z_STREAM_END;
      if (!zlib.ended && status != Z_OK && status != Z_BUF_ERROR)
        refuse("{} in it: corrupt ({}); get the file again", name,
               zlib.stream.msg != nullptr ? zlib.stream.msg : ::zError(status));
    }
    return out.size() - zlib.stream.avail_out;
  };
  body([&](std::span<uint8_t> out) {
    constexpr size_t kPiece = size_t{1} << 30;  // zlib counts in 32 bits
    out = out.first(std::min({out.size(), kPiece, static_cast<size_t>(entry.size - done)}));
    if (!entry.deflated) bytes(at, out);
    const size_t got = entry.deflated ? unpack(out) : out.size();
    if (!entry.deflated) at += static_cast<int64_t>(got);
    if (got < out.size())
      refuse("{} in it: unpacks to fewer than {} bytes; get the file again", name, entry.size);
    checksum = ::crc32(checksum, out.data(), static_cast<uInt>(got));
    done += static_cast<int64_t>(got);
    return got;
  });
  if (done == entry.size && checksum != entry.crc32)
    refuse("{} in it: its checksum is wrong; get the file again", name);
}

}  // namespace duel::gan::detail
