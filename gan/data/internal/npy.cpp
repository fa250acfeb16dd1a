#include "duel/gan/data/internal/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "duel/gan/data/internal/image_limits.h"
#include "duel/gan/data/internal/planes.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are read as they lie in the file");

constexpr int64_t kMaxHeader = 65536;
constexpr const char* kNpy = "npy";

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads the header's literal, and nothing else of Python.
class HeaderParser {
 public:
  HeaderParser(const std::string& what, const std::string& text) : what_(what), text_(text) {}

  Header parse() {
    Header header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!take('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !descr) {
        if (peek() == '[')
          fail(kNpy, "{}: expected an array of numbers, got one of records; save one field of it", what_);
        header.descr = string();
        descr = true;
      } else if (key == "fortran_order" && !order) {
        header.fortran_order = boolean();
        order = true;
      } else if (key == "shape" && !shape) {
        header.shape = tuple();
        shape = true;
      } else {
        wrong();
      }
      if (!take(',') && peek() != '}') wrong();
    }
    if (!descr || !order || !shape || peek() != '\0') wrong();
    return header;
  }

 private:
  [[noreturn]] void wrong() const {
    fail(kNpy,
         "{}: header: expected {'descr': …, 'fortran_order': …, 'shape': …}, got {}; save the array with "
         "numpy.save",
         what_, in_quotes(text_));
  }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) wrong();
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') wrong();
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string::npos) wrong();
    std::string found = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return found;
  }
  bool boolean() {
    for (const std::string_view word : {"True", "False"}) {
      if (peek() != word[0] || text_.compare(at_, word.size(), word) != 0) continue;
      at_ += word.size();
      return word == "True";
    }
    wrong();
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> numbers;
    expect('(');
    while (!take(')')) {
      peek();
      size_t end = at_;
      while (end < text_.size() && text_[end] >= '0' && text_[end] <= '9') ++end;
      const auto number = parse_number<int64_t>(text_.substr(at_, end - at_));
      if (!number || numbers.size() == 8) wrong();
      numbers.push_back(*number);
      at_ = end;
      if (!take(',') && peek() != ')') wrong();
    }
    return numbers;
  }

  const std::string& what_;
  const std::string& text_;
  size_t at_ = 0;
};

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t side : shape) text += (text.empty() ? "(" : ", ") + message("{}", side);
  return shape.empty() ? "()" : text + ")";
}

/// How images lie in an array.
struct ImageLayout {
  std::array<int64_t, 3> sides{};  // N, H, W
  int64_t channels = 1;
  bool channels_last = false;
};

/// Of the shapes that images may have.
ImageLayout image_layout(const std::string& what, const std::vector<int64_t>& shape, Colours colours) {
  ImageLayout layout;
  std::array<int64_t, 3>& sides = layout.sides;
  const bool kept = colours == Colours::kept;
  if (shape.size() == 2) {
    sides = {1, shape[0], shape[1]};
  } else if (kept && shape.size() == 3 && shape[2] == 3) {
    layout.channels = 3;
    layout.channels_last = true;
    sides = {1, shape[0], shape[1]};
  } else if (shape.size() == 3) {
    sides = {shape[0], shape[1], shape[2]};
  } else if (shape.size() == 4 && shape[1] == 1) {
    sides = {shape[0], shape[2], shape[3]};
  } else if (shape.size() == 4 && shape[3] == 1) {
    sides = {shape[0], shape[1], shape[2]};
  } else if (kept && shape.size() == 4 && (shape[1] == 3 || shape[3] == 3)) {
    layout.channels = 3;
    layout.channels_last = shape[1] != 3;
    sides = {shape[0], shape[layout.channels_last ? 1 : 2], shape[layout.channels_last ? 2 : 3]};
  } else {
    const char* channels = kept ? "1 or 3" : "1";
    fail(
        kNpy,
        "{}: shape: expected {}images (N, H, W), (N, {}, H, W) or (N, H, W, {}), or (H, W) of one, got {}; reshape it",
        what, kept ? "" : "gray ", channels, channels, shape_text(shape));
  }
  int64_t pixels = layout.channels;
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t most = axis == 0 ? kMaxPixels : kMaxSide;
    DUEL_CHECK(sides[axis] >= 1 && sides[axis] <= most, kNpy, "{}: shape: expected 1 to {} {}, got {}", what,
               most, axis == 0 ? "images" : "pixels a side", shape_text(shape));
    pixels *= sides[axis];  // at most 2^30 * 2^12 * 2^12
  }
  DUEL_CHECK(pixels <= kMaxPixels, kNpy, "{}: shape: expected at most {} pixels in all, got {}", what,
             kMaxPixels, shape_text(shape));
  return layout;
}

int64_t bytes_of(const std::string& what, const std::string& descr) {
  if (descr == "|u1" || descr == "<u1" || descr == "u1") return 1;
  if (descr == "<f4") return 4;
  if (descr == "<f8") return 8;
  if (descr.ends_with("O") || descr.starts_with("|O"))
    fail(kNpy, "{}: is an array of Python objects, which are never unpickled; save one of numbers", what);
  fail(kNpy, "{}: type: expected uint8, float32 or float64 (|u1, <f4, <f8), got {}; convert it with astype",
       what, in_quotes(descr));
}

/// Bytes of floats from -1 to 1, or from 0 to 1 where none is negative.
std::vector<uint8_t> pixels_of(const std::string& what, const std::vector<float>& values) {
  constexpr float kRounding = 1e-3F;
  float low = values.empty() ? 0 : values.front(), high = low;
  for (const float v : values) {
    DUEL_CHECK(std::isfinite(v), kNpy, "{}: expected finite numbers, got {}", what, v);
    low = std::min(low, v);
    high = std::max(high, v);
  }
  DUEL_CHECK(
      low >= -1 - kRounding && high <= 1 + kRounding, kNpy,
      "{}: expected floats from -1 to 1 (or 0 to 1), got {} to {}; scale them, or save pixels of 0 to 255 as "
      "uint8",
      what, low, high);
  const float begin = low < 0 ? -1 : 0;
  std::vector<uint8_t> pixels(values.size());
  std::transform(values.begin(), values.end(), pixels.begin(), [begin](float v) {
    const float ink = (std::clamp(v, begin, 1.F) - begin) / (1 - begin);
    return static_cast<uint8_t>(std::lround(ink * 255));
  });
  return pixels;
}

/// What stands before the elements.
struct NpyStart {
  Header header;
  int64_t length = 0;  // of the elements, by the length of the file
};

/// Fills `out`; Error where the content ends before.
void fill_npy(const std::string& what, const std::function<size_t(std::span<uint8_t>)>& read,
              std::span<uint8_t> out) {
  while (!out.empty()) {
    const size_t got = read(out);
    DUEL_CHECK(got > 0, kNpy, "{}: ends too early; get the file again", what);
    out = out.subspan(got);
  }
}

NpyStart read_npy_start(const std::string& what, int64_t length,
                        const std::function<size_t(std::span<uint8_t>)>& read) {
  std::array<uint8_t, 12> start{};
  fill_npy(what, read, std::span(start).first(10));
  DUEL_CHECK(std::memcmp(start.data(), "\x93NUMPY", 6) == 0, kNpy, "{}: is no array of NumPy's", what);
  const int version = start[6];
  DUEL_CHECK(version >= 1 && version <= 3, kNpy, "{}: version: expected 1 to 3, got {}", what, version);
  int64_t header_length = start[8] | start[9] << 8, begin = 10;
  if (version > 1) {
    fill_npy(what, read, std::span(start).subspan(10, 2));
    header_length |= int64_t{start[10]} << 16 | int64_t{start[11]} << 24;
    begin = 12;
  }
  DUEL_CHECK(header_length <= kMaxHeader && header_length <= length - begin, kNpy,
             "{}: header: expected at most {} bytes of it, got {}; get the file again", what,
             std::clamp<int64_t>(length - begin, 0, kMaxHeader), header_length);
  std::string text(static_cast<size_t>(header_length), ' ');
  fill_npy(what, read, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  return {HeaderParser(what, text).parse(), length - begin - header_length};
}

/// Bytes of an integer type, little-endian, and whether it has a sign; 0 of any other type.
std::pair<int64_t, bool> integer_type(const std::string& descr) {
  for (const char* kind : {"|u1", "|i1", "|b1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8"})
    if (descr == kind) return {descr[2] - '0', descr[1] == 'i'};
  return {0, false};
}

}  // namespace

ImageSet read_npy(const std::string& what, int64_t length,
                  const std::function<size_t(std::span<uint8_t>)>& read, const CheckShape& check_shape,
                  Colours colours) {
  const auto [header, elements] = read_npy_start(what, length, read);
  const int64_t each = bytes_of(what, header.descr);
  const ImageLayout layout = image_layout(what, header.shape, colours);
  DUEL_CHECK(!header.fortran_order, kNpy,
             "{}: is in Fortran order; save numpy.ascontiguousarray of it, which is in C order", what);
  ImageSet set;
  set.count = layout.sides[0];
  set.height = layout.sides[1];
  set.width = layout.sides[2];
  set.channels = layout.channels;
  set.source = what;
  const int64_t pixels = set.count * set.pixels();
  DUEL_CHECK(elements == pixels * each, kNpy,
             "{}: length: expected {} bytes of elements for shape {}, got {}; get the file again", what,
             pixels * each, shape_text(header.shape), elements);
  if (check_shape) check_shape(shape_of(set));

  // Memory grows with what has really been read: an archive may claim a thousand times its length.
  constexpr int64_t kPiece = int64_t{1} << 20;
  std::vector<float> values;
  std::vector<uint8_t> piece;
  for (int64_t done = 0; done < pixels; done += kPiece) {
    const auto now = static_cast<size_t>(std::min(kPiece, pixels - done));
    piece.resize(now * static_cast<size_t>(each));
    fill_npy(what, read, piece);
    if (each == 1) set.images.insert(set.images.end(), piece.begin(), piece.end());
    for (size_t i = 0; each > 1 && i < now; ++i) {
      double wide = 0;
      float narrow = 0;
      if (each == 8) std::memcpy(&wide, &piece[i * 8], 8);
      if (each == 4) std::memcpy(&narrow, &piece[i * 4], 4);
      values.push_back(each == 8 ? static_cast<float>(wide) : narrow);
    }
  }
  if (each > 1) set.images = pixels_of(what, values);
  if (layout.channels_last) set.images = with_channels_first(set.images, set);
  return set;
}

std::vector<uint8_t> read_npy_labels(const std::string& what, int64_t length,
                                     const std::function<size_t(std::span<uint8_t>)>& read, int64_t count) {
  const auto [header, elements] = read_npy_start(what, length, read);
  const auto [each, has_sign] = integer_type(header.descr);
  DUEL_CHECK(each > 0, kNpy, "{}: type: expected integers as labels, got {}", what, in_quotes(header.descr));
  const std::vector<int64_t>& shape = header.shape;
  const bool flat = shape.size() == 1 || (shape.size() == 2 && (shape[0] == 1 || shape[1] == 1));
  const int64_t found = !flat ? 0 : shape.size() == 1 || shape[1] == 1 ? shape[0] : shape[1];
  DUEL_CHECK(flat && found == count, kNpy, "{}: shape: expected a label for each of {} images, ({}), got {}",
             what, count, count, shape_text(shape));
  DUEL_CHECK(elements == count * each, kNpy, "{}: length: expected {} bytes of elements for shape {}, got {}",
             what, count * each, shape_text(shape), elements);
  std::vector<uint8_t> labels, one(static_cast<size_t>(each));
  for (int64_t i = 0; i < count; ++i) {
    fill_npy(what, read, one);
    bool small = true;
    for (size_t byte = 1; byte < one.size(); ++byte) small = small && one[byte] == 0;
    DUEL_CHECK(small && !(has_sign && each == 1 && one[0] > 127), kNpy,
               "{}: expected labels from 0 to 255, got another one for image {}", what, i);
    labels.push_back(one[0]);
  }
  return labels;
}

}  // namespace duel::gan::detail
