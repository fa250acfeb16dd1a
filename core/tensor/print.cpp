// Values as NumPy 2 prints them with its default options: precision 8, shortest digits, one column width for all
// elements, exponents where the values are very large, very small or very different.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <ostream>

#include "duel/core/tensor/internal/tensor_impl.h"

namespace duel {
namespace {

constexpr int kPrecision = 8;
constexpr int64_t kThreshold = 1000, kEdge = 3;

template <class T>
std::string shortest(T value, std::chars_format format) {
  char text[512];
  return {text, std::to_chars(text, text + sizeof text, value, format).ptr};
}
template <class T>
std::string rounded(T value, std::chars_format format, int digits) {
  char text[512];
  return {text, std::to_chars(text, text + sizeof text, value, format, digits).ptr};
}

/// "12.5" as {"12", "5", ""}; "1.5e+10" as {"1", "5", "e+10"}.
struct Parts {
  std::string whole, fraction, exponent;
};

template <class T>
Parts parts(T value, bool scientific) {
  const auto format = scientific ? std::chars_format::scientific : std::chars_format::fixed;
  std::string text = shortest(value, format);
  const auto split = [&] {
    Parts parts;
    const size_t e = text.find('e'), point = text.find('.');
    parts.exponent = e == std::string::npos ? "" : text.substr(e);
    const std::string number = text.substr(0, e);
    parts.whole = number.substr(0, point);
    parts.fraction = point == std::string::npos ? "" : number.substr(point + 1);
    return parts;
  };
  Parts now = split();
  if (now.fraction.size() > kPrecision) {
    text = rounded(value, format, kPrecision);
    now = split();
    while (!now.fraction.empty() && now.fraction.back() == '0') now.fraction.pop_back();
  }
  return now;
}

/// Turns the elements that are shown into texts of one width.
class Columns {
 public:
  template <class T>
  Columns(const std::vector<T>& shown) {
    if constexpr (std::is_floating_point_v<T>) {
      double most = 0, least = INFINITY;
      for (T v : shown) {
        if (!std::isfinite(v) || v == 0) continue;
        most = std::max(most, std::abs(static_cast<double>(v)));
        least = std::min(least, std::abs(static_cast<double>(v)));
      }
      scientific_ = most > 0 && (most >= 1e8 || least < 1e-4 || most / least > 1000.0);
      for (T v : shown) {
        if (!std::isfinite(v)) continue;
        const Parts p = parts(v, scientific_);
        whole_ = std::max(whole_, p.whole.size());
        fraction_ = std::max(fraction_, p.fraction.size());
        exponent_ = std::max(exponent_, p.exponent.size());
      }
      width_ = whole_ + 1 + fraction_ + exponent_;
      for (T v : shown) {
        if (!std::isfinite(v)) width_ = std::max(width_, text_of_special(v).size());
      }
    } else {
      for (T v : shown) width_ = std::max(width_, std::to_string(v).size());
    }
  }

  template <class T>
  std::string text(T value) const {
    if constexpr (!std::is_floating_point_v<T>) {
      return padded(std::to_string(value));
    } else {
      if (!std::isfinite(value)) return padded(text_of_special(value));
      const Parts p = parts(value, scientific_);
      const std::string fill(fraction_ - p.fraction.size(), scientific_ ? '0' : ' ');
      return padded(p.whole + "." + p.fraction + fill + p.exponent);
    }
  }

 private:
  static std::string text_of_special(double value) {
    return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  }
  std::string padded(const std::string& text) const { return std::string(width_ - text.size(), ' ') + text; }

  bool scientific_ = false;
  size_t whole_ = 0, fraction_ = 0, exponent_ = 0, width_ = 0;
};

/// Indices of an axis that are shown, -1 for what is left out.
std::vector<int64_t> shown_indices(int64_t size, bool summarised) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < size; ++i) {
    if (summarised && size > 2 * kEdge && i >= kEdge && i < size - kEdge) {
      if (i == kEdge) indices.push_back(-1);
      continue;
    }
    indices.push_back(i);
  }
  return indices;
}

template <class T>
void collect(const Shape& shape, int axis, int64_t offset, bool summarised, const T* values,
             std::vector<T>& shown) {
  if (axis == shape.rank()) {
    shown.push_back(values[offset]);
    return;
  }
  for (int64_t i : shown_indices(shape[axis], summarised)) {
    if (i >= 0) collect(shape, axis + 1, offset + i * shape.numel_from(axis + 1), summarised, values, shown);
  }
}

/// Of the text, brackets at its end included.
constexpr size_t kLineWidth = 75;

template <class T>
std::string block(const Shape& shape, int axis, int64_t offset, bool summarised, const T* values,
                  const Columns& columns) {
  if (axis == shape.rank()) return columns.text(values[offset]);
  const std::string indent(static_cast<size_t>(axis) + 1, ' ');
  std::string text = "[";
  size_t line = static_cast<size_t>(axis) + 1;
  bool first = true;
  const bool last_axis = axis == shape.rank() - 1;
  for (int64_t i : shown_indices(shape[axis], summarised)) {
    const std::string item =
        i < 0 ? "..."
              : block(shape, axis + 1, offset + i * shape.numel_from(axis + 1), summarised, values, columns);
    if (!first && !last_axis)
      text += std::string(static_cast<size_t>(shape.rank() - 1 - axis), '\n') + indent;
    if (last_axis) {
      if (!first && line + 1 + item.size() + static_cast<size_t>(shape.rank()) > kLineWidth) {
        text += "\n" + indent;
        line = indent.size();
      } else if (!first) {
        text += " ";
        ++line;
      }
      line += item.size();
    }
    text += item;
    first = false;
  }
  return text + "]";
}

}  // namespace

std::string to_string(const Tensor& x) {
  if (!x.defined()) return to_text(x);
  const Tensor here = detail::on_cpu(x);
  std::string text;
  const auto print = [&](auto zero) {
    using T = decltype(zero);
    const bool summarised = x.numel() > kThreshold;
    std::vector<T> shown;
    collect(x.shape(), 0, 0, summarised, here.data<T>(), shown);
    text = x.numel() == 0 ? "[]" : block(x.shape(), 0, 0, summarised, here.data<T>(), Columns(shown));
  };
  switch (x.dtype()) {
    case DType::f32:
      print(float{});
      break;
    case DType::f64:
      print(double{});
      break;
    case DType::u8:
      print(uint8_t{});
      break;
    case DType::i64:
      print(int64_t{});
      break;
  }
  return text + "\n(" + to_text(x) + (x.device().is_cuda() ? ", " + to_text(x.device()) : "") + ")";
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }

}  // namespace duel
