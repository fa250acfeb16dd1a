// Parsing the untrusted header of a safetensors file: event by event, so that nothing is built that the
// format does not have, and every length is compared with the file's before memory is taken.
#include "duel/core/io/internal/safetensors_header.h"

#include <nlohmann/json.hpp>
#include <tuple>

namespace duel::safetensors {
namespace {

/// Takes the events of the JSON parser and accepts nothing but the format's three levels.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderReader(const std::string& path, TensorFile& file, std::vector<Entry>& entries)
      : path_(path), file_(file), entries_(entries) {}

  bool null() override {
    // As the reference reader: no metadata.
    return passed() || (place_ == Place::top && key_ == kMetadata) || unexpected("null");
  }
  bool boolean(bool) override { return passed() || unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return passed() || unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return passed() || unexpected("a number that is no 64-bit integer");
  }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (passed()) return true;
    if (place_ == Place::shape) {
      if (entries_.back().shape.size() == Shape::kMaxRank) fail_at("shape", "expected at most 5 axes");
      if (value > INT64_MAX) fail_at("shape", "expected sizes below 2^63");
      entries_.back().shape.push_back(static_cast<int64_t>(value));
    } else if (place_ == Place::offsets) {
      if (offsets_ == 2) fail_at("data_offsets", "expected two numbers");
      (offsets_++ == 0 ? entries_.back().begin : entries_.back().end) = value;
    } else {
      return unexpected("a number");
    }
    return true;
  }

  bool string(string_t& value) override {
    if (passed()) return true;
    if (place_ == Place::metadata) {
      file_.metadata.back().second = std::move(value);
    } else if (place_ == Place::tensor && key_ == "dtype") {
      const auto found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                      [&](const FileType& t) { return value == t.name; });
      if (found == std::end(kTypes)) {
        fail_at(
            "dtype",
            message("{} is not supported: convert the tensor to F32, F64, U8 or I64 where the file is made",
                    in_quotes(value)));
      }
      entries_.back().type = found;
    } else {
      return unexpected("a text");
    }
    return true;
  }

  bool start_object(size_t) override {
    if (opens()) return true;
    if (place_ == Place::outside) {
      place_ = Place::top;
    } else if (place_ == Place::top && key_ == kMetadata) {
      place_ = Place::metadata;
    } else if (place_ == Place::top) {
      place_ = Place::tensor;
      entries_.emplace_back().name = key_;
      seen_ = 0;
    } else {
      return unexpected("an object");
    }
    return true;
  }

  bool key(string_t& value) override {
    if (passing_ && deep_ > 0) return true;
    key_ = std::move(value);
    if (place_ == Place::metadata) {
      if (file_.metadata.size() == kMaxMetadata)
        fail_at(kMetadata, message("expected at most {} entries", kMaxMetadata));
      file_.metadata.emplace_back(key_, "");
    } else if (place_ == Place::top) {
      if (key_ == kMetadata && has_metadata_) fail_at(kMetadata, "is there twice");
      has_metadata_ |= key_ == kMetadata;
      if (key_ != kMetadata && entries_.size() == kMaxTensors)
        fail_at("header", message("expected at most {} tensors", kMaxTensors));
    } else {
      const unsigned bit = key_ == "dtype" ? 1u : key_ == "shape" ? 2u : key_ == "data_offsets" ? 4u : 0u;
      passing_ = bit == 0;  // as the reference reader
      if (seen_ & bit) fail_at(key_, "is there twice");
      seen_ |= bit;
    }
    return true;
  }

  bool end_object() override {
    if (closes()) return true;
    if (place_ == Place::tensor) {
      if (seen_ != 7) fail_at(seen_ & 1 ? seen_ & 2 ? "data_offsets" : "shape" : "dtype", "is missing");
      place_ = Place::top;
    } else {
      place_ = place_ == Place::metadata ? Place::top : Place::outside;
    }
    return true;
  }

  bool start_array(size_t) override {
    if (opens()) return true;
    if (place_ != Place::tensor || key_ == "dtype") return unexpected("a list");
    place_ = key_ == "shape" ? Place::shape : Place::offsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() override {
    if (closes()) return true;
    if (place_ == Place::offsets && offsets_ != 2) fail_at("data_offsets", "expected two numbers");
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    const bool encoding = std::string_view(error.what()).find("UTF-8") != std::string_view::npos;
    fail(kOp,
         "{}: the header is not valid {} at byte {}: the file is damaged or no safetensors file; make it "
         "again",
         path_, encoding ? "UTF-8" : "JSON", 8 + position);
  }

 private:
  enum class Place { outside, top, metadata, tensor, shape, offsets };

  // A field that the format does not know is passed over with all that is in it.
  bool passed() {
    const bool passing = passing_;
    passing_ = passing_ && deep_ > 0;
    return passing;
  }
  bool opens() {
    deep_ += passing_ ? 1 : 0;
    return passing_;
  }
  bool closes() {
    if (!passing_) return false;
    passing_ = --deep_ > 0;
    return true;
  }

  [[noreturn]] void fail_at(std::string_view field, std::string_view what) const {
    std::string where(field);
    const bool in_tensor = place_ == Place::tensor || place_ == Place::shape || place_ == Place::offsets;
    if (in_tensor) where = message("tensor {}, {}", in_quotes(entries_.back().name), field);
    fail(kOp, "{}: {}: {}; make the file again with a safetensors writer", path_, where, what);
  }
  [[noreturn]] bool unexpected(std::string_view what) const {
    switch (place_) {
      case Place::outside:
        fail_at("header", message("expected a JSON object, got {}", what));
      case Place::top:
        fail_at(in_quotes(key_), message("expected an object, got {}", what));
      case Place::metadata:
        fail_at(kMetadata, message("expected texts, got {}", what));
      case Place::tensor:
        fail_at(key_, message("expected {}, got {}", key_ == "dtype" ? "a text" : "a list of numbers", what));
      case Place::shape:
        fail_at("shape", message("expected numbers of at least 0, got {}", what));
      case Place::offsets:
        fail_at("data_offsets", message("expected numbers of at least 0, got {}", what));
    }
    throw InternalError("no such place in a safetensors header");
  }

  const std::string& path_;
  TensorFile& file_;
  std::vector<Entry>& entries_;
  Place place_ = Place::outside;
  std::string key_;
  unsigned seen_ = 0;  // of dtype, shape, data_offsets
  int offsets_ = 0;
  bool has_metadata_ = false;
  bool passing_ = false;
  int64_t deep_ = 0;  // of lists and objects within what is passed over
};

/// shape x element size against the offsets, and the offsets against each other and the file.
void check_layout(const std::string& path, std::vector<Entry>& entries, uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t position = 0;
  for (const Entry& entry : entries) {
    const auto refuse = [&](std::string_view field, const std::string& what) {
      fail(kOp, "{}: tensor {}, {}: {}; the file is damaged: make it again", path, in_quotes(entry.name),
           field, what);
    };
    uint64_t bytes = 1;
    for (int64_t size : entry.shape) {
      if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes))
        refuse("shape", "the number of elements does not fit in 64 bits");
    }
    if (__builtin_mul_overflow(bytes, entry.type->size, &bytes))
      refuse("shape", "the number of bytes does not fit in 64 bits");
    if (entry.begin > entry.end)
      refuse("data_offsets", message("expected begin <= end, got [{}, {}]", entry.begin, entry.end));
    if (entry.begin != position) {
      refuse("data_offsets",
             message("expected the data to begin at {} where the tensor before ends, got {}{}", position,
                     entry.begin, entry.begin > position ? " (a hole)" : " (an overlap)"));
    }
    if (entry.end > data_bytes)
      refuse("data_offsets", message("expected an end of at most {}, the bytes of data in the file, got {}",
                                     data_bytes, entry.end));
    if (entry.end - entry.begin != bytes) {
      refuse("data_offsets", message("expected {} bytes for its shape and dtype {}, got {}", bytes,
                                     entry.type->name, entry.end - entry.begin));
    }
    position = entry.end;
  }
  DUEL_CHECK(
      position == data_bytes, kOp,
      "{}: {} bytes of data, the tensors use {}: bytes follow that belong to none; make the file again", path,
      data_bytes, position);
}

}  // namespace

std::string json_text(const std::string& path, const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail(kOp, "{}: {}: expected UTF-8", path, in_quotes(text));
  }
}

std::vector<Entry> parse_header(const std::string& path, const std::string& header, uint64_t data_bytes,
                                TensorFile& file) {
  const size_t start = header.find_first_not_of(" \t\r\n");
  // The parser would skip a byte order mark, and stop at a zero byte as if the text ended there.
  DUEL_CHECK(start != std::string::npos && header[start] == '{', kOp,
             "{}: header: expected a JSON object: no safetensors file", path);
  DUEL_CHECK(header.find('\0') == std::string::npos, kOp,
             "{}: header: expected JSON, got a zero byte: the file is damaged; make it again", path);
  std::vector<Entry> entries;
  HeaderReader reader(path, file, entries);
  nlohmann::json::sax_parse(header, &reader);
  check_distinct(path, "metadata entry", file.metadata, &std::pair<std::string, std::string>::first);
  check_distinct(path, "tensor", entries, &Entry::name);
  check_layout(path, entries, data_bytes);
  return entries;
}

}  // namespace duel::safetensors
