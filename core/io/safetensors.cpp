// Reading and writing safetensors; the header's parser is safetensors_header.cpp.
#include "duel/core/io/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <span>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/safetensors_header.h"
#include "duel/core/io/internal/safetensors_memory.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/kernels/base/error.h"

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

namespace duel {
namespace {

using namespace safetensors;
using Named = std::pair<std::string, Tensor>;

float from_half(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, exponent = bits >> 10 & 0x1f,
                 mantissa = bits & 0x3ff;
  if (exponent == 0) {  // zero and subnormal numbers: mantissa 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}
float from_bfloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
/// Four bits of exponent with a bias of 7, three of mantissa; all ones are no number, and there are no infinities.
float from_e4m3(uint8_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x80) << 24, exponent = bits >> 3 & 0xf,
                 mantissa = bits & 7;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-9f;
    return sign ? -magnitude : magnitude;
  }
  const bool none = exponent == 15 && mantissa == 7;
  return std::bit_cast<float>(sign | (none ? 255u : exponent + 120) << 23 | mantissa << 20);
}
/// A half's upper byte.
float from_e5m2(uint8_t bits) { return from_half(static_cast<uint16_t>(bits << 8)); }
/// A power of two, 2^(bits - 127).
float from_e8m0(uint8_t bits) {
  return bits == 255 ? std::numeric_limits<float>::quiet_NaN()
                     : std::bit_cast<float>(bits == 0 ? 0x400000u : static_cast<uint32_t>(bits) << 23);
}
template <class From>
int64_t from_int(From value) {
  return static_cast<int64_t>(value);
}

const FileType& type_to_write(DType dtype) {
  return *std::find_if(std::begin(kTypes), std::end(kTypes),
                       [&](const FileType& t) { return t.dtype == dtype; });
}

/// Bytes that can be read from anywhere in them.
class Source {
 public:
  Source(std::string name, uint64_t size) : name_(std::move(name)), size_(size) {}
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }
  virtual void read(uint64_t offset, void* to, size_t bytes) const = 0;

 protected:
  std::string name_;
  uint64_t size_;
};

class MemorySource : public Source {
 public:
  MemorySource(std::string_view bytes, std::string name)
      : Source(std::move(name), bytes.size()), bytes_(bytes) {}
  void read(uint64_t offset, void* to, size_t bytes) const override {
    bytes_.copy(static_cast<char*>(to), bytes, offset);
  }

 private:
  std::string_view bytes_;
};

/// An open regular file.
class FileSource : public Source {
 public:
  explicit FileSource(const std::filesystem::path& path)
      : Source(path.string(), 0), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0) fail_system(errno, kOp, "{}: could not open: {}", name_, std::strerror(errno));
    struct stat info {};
    const bool known = ::fstat(fd_, &info) == 0;
    if (!known || !S_ISREG(info.st_mode)) {
      ::close(fd_);
      fail(kOp, "{}: expected a file, got something else (a folder or a device)", name_);
    }
    size_ = static_cast<uint64_t>(info.st_size);
  }
  ~FileSource() override { ::close(fd_); }

  void read(uint64_t offset, void* to, size_t bytes) const override {
    char* at = static_cast<char*>(to);
    while (bytes > 0) {
      const ssize_t got = ::pread(fd_, at, std::min(bytes, size_t{1} << 30), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_system(errno, kOp, "{}: could not read: {}", name_, std::strerror(errno));
      DUEL_CHECK(got > 0, kOp, "{}: the file became shorter while it was read", name_);
      at += got;
      offset += static_cast<uint64_t>(got);
      bytes -= static_cast<size_t>(got);
    }
  }

 private:
  int fd_;
};

/// Reads `count` elements in pieces and converts them.
template <class From, class To>
void read_converted(const Source& source, uint64_t offset, int64_t count, To* to, To (*convert)(From)) {
  constexpr int64_t kPiece = 8192;
  std::vector<From> piece(static_cast<size_t>(std::min(count, kPiece)));
  for (int64_t done = 0; done < count; done += kPiece) {
    const int64_t now = std::min(kPiece, count - done);
    source.read(offset + static_cast<uint64_t>(done) * sizeof(From), piece.data(),
                static_cast<size_t>(now) * sizeof(From));
    std::transform(piece.begin(), piece.begin() + now, to + done, convert);
  }
}

Tensor read_tensor(const Source& source, const Entry& entry, uint64_t offset) {
  Tensor tensor = Tensor::empty(Shape(entry.shape), {entry.type->dtype});
  const std::string_view type = entry.type->name;
  const auto as = [&](auto* to, auto convert) {
    read_converted(source, offset, tensor.numel(), to, convert);
  };
  const auto floats = [&](auto convert) { as(tensor.mutable_data<float>(), convert); };
  const auto integers = [&](auto convert) { as(tensor.mutable_data<int64_t>(), convert); };
  if (type == "F16") {
    floats(from_half);
  } else if (type == "BF16") {
    floats(from_bfloat);
  } else if (type == "F8_E4M3") {
    floats(from_e4m3);
  } else if (type == "F8_E5M2") {
    floats(from_e5m2);
  } else if (type == "F8_E8M0") {
    floats(from_e8m0);
  } else if (type == "I8") {
    integers(from_int<int8_t>);
  } else if (type == "I16") {
    integers(from_int<int16_t>);
  } else if (type == "U16") {
    integers(from_int<uint16_t>);
  } else if (type == "I32") {
    integers(from_int<int32_t>);
  } else if (type == "U32") {
    integers(from_int<uint32_t>);
  } else {
    source.read(offset, tensor.mutable_raw(), tensor.bytes());
  }
  if (type == "U64") {  // the same bits as far as both go
    const std::span values(tensor.data<int64_t>(), static_cast<size_t>(tensor.numel()));
    const auto large = std::find_if(values.begin(), values.end(), [](int64_t value) { return value < 0; });
    DUEL_CHECK(large == values.end(), kOp, "{}: tensor {}: U64: expected numbers below 2^63, got {}",
               source.name(), in_quotes(entry.name), static_cast<uint64_t>(*large));
  }
  return tensor;
}

TensorFile read_from(const Source& source) {
  const std::string& name = source.name();
  DUEL_CHECK(source.size() >= 8, kOp,
             "{}: expected at least 8 bytes, got {}: the file is truncated or no safetensors file", name,
             source.size());
  uint64_t length = 0;
  source.read(0, &length, 8);
  DUEL_CHECK(length <= kMaxHeader, kOp,
             "{}: header length: expected at most {}, got {}: no safetensors file, or a damaged one", name,
             kMaxHeader, length);
  DUEL_CHECK(length <= source.size() - 8, kOp,
             "{}: header length: {} bytes are announced, {} follow: the file is truncated; copy it again",
             name, length, source.size() - 8);
  TensorFile file;
  std::vector<Entry> entries;
  {
    std::string header(length, '\0');
    source.read(8, header.data(), length);
    entries = parse_header(name, header, source.size() - 8 - length, file);
  }
  file.tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    Tensor tensor = read_tensor(source, entry, 8 + length + entry.begin);
    file.tensors.emplace_back(std::move(entry.name), std::move(tensor));
  }
  return file;
}

}  // namespace

const Tensor* TensorFile::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const Named& entry) { return entry.first == name; });
  return found == tensors.end() ? nullptr : &found->second;
}

std::string TensorFile::text(std::string_view key) const {
  const auto found =
      std::find_if(metadata.begin(), metadata.end(), [&](const auto& entry) { return entry.first == key; });
  return found == metadata.end() ? std::string() : found->second;
}

TensorFile read_safetensors(const std::filesystem::path& path) { return read_from(FileSource(path)); }

TensorFile safetensors::parse(std::string_view bytes, const std::string& name) {
  return read_from(MemorySource(bytes, name));
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  const std::string target = path.string();
  DUEL_CHECK(file.tensors.size() <= kMaxTensors && file.metadata.size() <= kMaxMetadata, kOp,
             "{}: expected at most {} tensors and {} metadata entries, got {} and {}", target, kMaxTensors,
             kMaxMetadata, file.tensors.size(), file.metadata.size());
  check_distinct(target, "metadata entry", file.metadata, &std::pair<std::string, std::string>::first);
  check_distinct(target, "tensor", file.tensors, &Named::first);
  std::vector<const Named*> order;
  for (const Named& entry : file.tensors) order.push_back(&entry);
  for (const Named* entry : order) {
    DUEL_CHECK(entry->first != kMetadata, kOp, "{}: a tensor cannot be named {}", target, kMetadata);
    DUEL_CHECK(entry->second.defined(), kOp, "{}: tensor {}: expected a tensor, got an undefined one", target,
               in_quotes(entry->first));
  }
  std::sort(order.begin(), order.end(), [](const Named* a, const Named* b) {
    const size_t size_a = size_of(a->second.dtype()), size_b = size_of(b->second.dtype());
    return size_a != size_b ? size_a > size_b : a->first < b->first;
  });

  std::string header = "{";
  const auto comma = [&] { header += header.size() > 1 ? "," : ""; };
  if (!file.metadata.empty()) {
    header += message("\"{}\":", kMetadata);
    char before = '{';
    for (const auto& [key, value] : file.metadata) {
      header += before + json_text(target, key) + ":" + json_text(target, value);
      before = ',';
    }
    header += "}";
  }
  uint64_t position = 0;
  for (const Named* entry : order) {
    const auto& [name, tensor] = *entry;
    comma();
    header += json_text(target, name) +
              message(":{\"dtype\":\"{}\",\"shape\":[", type_to_write(tensor.dtype()).name);
    for (int axis = 0; axis < tensor.rank(); ++axis)
      header += message(axis > 0 ? ",{}" : "{}", tensor.dim(axis));
    header += message("],\"data_offsets\":[{},{}]}", position, position + tensor.bytes());
    position += tensor.bytes();
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  DUEL_CHECK(header.size() <= kMaxHeader, kOp,
             "{}: the header takes {} bytes, at most {} are allowed: shorten names and metadata", target,
             header.size(), kMaxHeader);

  std::vector<uint8_t> bytes(8 + header.size() + position);
  const uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  uint8_t* to = std::copy(header.begin(), header.end(), bytes.data() + 8);
  for (const Named* entry : order) {
    const Tensor here = detail::on_cpu(entry->second);
    to = std::copy_n(static_cast<const uint8_t*>(here.raw()), here.bytes(), to);
  }
  write_file_atomically(path, bytes);
}

}  // namespace duel
