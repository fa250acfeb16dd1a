// Windows of planes. Every output is made alone, from the elements that its window holds or from the windows that hold
// it, so host and device give the same bits.
#include "duel/kernels/reduce/pooling.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "duel/kernels/base/divisor.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/generate.cuh"

namespace duel::kernels {
namespace {

/// Positions [first, last).
struct Span {
  int64_t first, last;
};

/// What window `at` holds of [0, size).
DUEL_HD Span held(int64_t at, int64_t kernel, int64_t stride, int64_t pad, int64_t size) {
  const int64_t begin = at * stride - pad, end = begin + kernel;
  return {begin < 0 ? 0 : begin, end < size ? end : size};
}

/// Which of `count` windows hold position i: at * stride - pad <= i < at * stride - pad + kernel.
DUEL_HD Span holders(int64_t i, int64_t kernel, const Divisor& stride, int64_t pad, int64_t count) {
  const int64_t first = i + pad < kernel ? 0 : (i + pad - kernel) / stride + 1;
  const int64_t last = (i + pad) / stride + 1;
  return {first, last < count ? last : count};
}

/// A flat position taken apart.
struct Place {
  int64_t plane, row, column;
};
struct Places {
  Divisor height, width;
  DUEL_HD Place at(int64_t i) const { return {i / width / height, i / width % height, i % width}; }
};
Places inputs(const PoolShape& s) { return {Divisor(s.h_in), Divisor(s.w_in)}; }
Places outputs(const PoolShape& s) { return {Divisor(s.h_out), Divisor(s.w_out)}; }

/// The place of window i's maximum in its plane.
template <class T>
struct WhereLargest {
  PoolShape s;
  const T* x;
  T nothing = -std::numeric_limits<T>::infinity();
  Places places = outputs(s);
  DUEL_HD int64_t at(int64_t i) const {
    const Place o = places.at(i);
    const Span rows = held(o.row, s.kh, s.stride_h, s.pad_h, s.h_in);
    const Span columns = held(o.column, s.kw, s.stride_w, s.pad_w, s.w_in);
    const T* plane = x + o.plane * s.h_in * s.w_in;
    int64_t best = rows.first * s.w_in + columns.first;
    T largest = nothing;
    for (int64_t r = rows.first; r < rows.last; ++r) {
      for (int64_t c = columns.first; c < columns.last; ++c) {
        const T value = plane[r * s.w_in + c];
        if (value > largest || value != value) {
          largest = value;
          best = r * s.w_in + c;
        }
      }
    }
    return best;
  }
};

template <class T>
struct TakeFromPlanes {
  int64_t in_plane;
  Divisor out_plane;
  const T* x;
  const int64_t* index;
  DUEL_HD T at(int64_t i) const { return x[i / out_plane * in_plane + index[i]]; }
};

/// The sum over the windows that hold element i, of all of them or of those whose index names it.
template <class T, bool kByIndex>
struct FromHolders {
  PoolShape s;
  const T* g;
  const int64_t* index;
  T divisor;
  Places places = inputs(s);
  Divisor stride_h = Divisor(s.stride_h), stride_w = Divisor(s.stride_w);
  DUEL_HD T at(int64_t i) const {
    const Place to = places.at(i);
    const Span rows = holders(to.row, s.kh, stride_h, s.pad_h, s.h_out);
    const Span columns = holders(to.column, s.kw, stride_w, s.pad_w, s.w_out);
    const int64_t named = to.row * s.w_in + to.column;
    T sum = T(0);
    for (int64_t r = rows.first; r < rows.last; ++r) {
      for (int64_t c = columns.first; c < columns.last; ++c) {
        const int64_t o = (to.plane * s.h_out + r) * s.w_out + c;
        if (!kByIndex || index[o] == named) sum += g[o];
      }
    }
    return kByIndex ? sum : sum / divisor;
  }
};

template <class T>
struct WindowSum {
  PoolShape s;
  const T* x;
  T divisor;
  Places places = outputs(s);
  DUEL_HD T at(int64_t i) const {
    const Place o = places.at(i);
    const Span rows = held(o.row, s.kh, s.stride_h, s.pad_h, s.h_in);
    const Span columns = held(o.column, s.kw, s.stride_w, s.pad_w, s.w_in);
    const T* plane = x + o.plane * s.h_in * s.w_in;
    T sum = T(0);
    for (int64_t r = rows.first; r < rows.last; ++r) {
      T part = T(0);
      for (int64_t c = columns.first; c < columns.last; ++c) part += plane[r * s.w_in + c];
      sum += part;
    }
    return sum / divisor;
  }
};

// Note [Whole planes on the host]
// Windows one step apart in both directions are summed on the host for a plane at once: over a copy with zeros around it, in
// whose rows, laid end to end, every window's elements are as far apart as every other's. For each sum the same elements in
// the same order as at() adds them, and zeros, which change no sum that began with 0: the bits are those of the device.
template <class T>
class PaddedPlane {
 public:
  /// `top` and `left` zeros before rows x columns, so many behind that windows of kh x kw reach them.
  PaddedPlane(int64_t rows, int64_t columns, int64_t top, int64_t left)
      : rows_(rows), columns_(columns), top_(top), left_(left), width_(columns + 2 * left) {
    plane_.resize(static_cast<size_t>((rows + 2 * top + 1) * width_));  // a row more, for windows that wrap
    sums_.resize(plane_.size());
  }
  int64_t width() const { return width_; }
  int64_t size() const { return (rows_ + 2 * top_) * width_; }
  void fill(const T* from) {
    for (int64_t r = 0; r < rows_; ++r)
      std::copy_n(from + r * columns_, columns_, plane_.data() + (top_ + r) * width_ + left_);
  }
  /// sums[i] = values[i] + … + values[i + (count - 1) * step], from left to right.
  void add_up(std::vector<T>& values, std::vector<T>& sums, int64_t count, int64_t step) const {
    T* to = sums.data();
    const T* x = values.data();
    const int64_t n = size() - (count - 1) * step;
    if (count == 1) {
      for (int64_t i = 0; i < n; ++i) to[i] = T(0) + x[i];
      return;
    }
    DUEL_SIMD
    for (int64_t i = 0; i < n; ++i) to[i] = T(0) + x[i] + x[i + step];
    for (int64_t k = 2; k < count; ++k) {
      const T* next = x + k * step;
      DUEL_SIMD
      for (int64_t i = 0; i < n; ++i) to[i] += next[i];
    }
  }
  /// The windows' sums, each row's added up first.
  const T* by_rows(int64_t kh, int64_t kw) {
    add_up(plane_, sums_, kw, 1);
    rows_done_.resize(sums_.size());
    add_up(sums_, rows_done_, kh, width_);
    return rows_done_.data();
  }
  /// The same, added one after the other.
  const T* one_by_one(int64_t kh, int64_t kw) {
    const int64_t n = size() - (kh - 1) * width_ - (kw - 1);
    T* to = sums_.data();
    if (kh == 2 && kw == 2) {  // in one pass
      const T *x = plane_.data(), *below = x + width_;
      DUEL_SIMD
      for (int64_t i = 0; i < n; ++i) to[i] = T(0) + x[i] + x[i + 1] + below[i] + below[i + 1];
      return to;
    }
    std::fill_n(to, n, T(0));
    for (int64_t r = 0; r < kh; ++r) {
      for (int64_t c = 0; c < kw; ++c) {
        const T* x = plane_.data() + r * width_ + c;
        DUEL_SIMD
        for (int64_t i = 0; i < n; ++i) to[i] += x[i];
      }
    }
    return to;
  }

 private:
  int64_t rows_, columns_, top_, left_, width_;
  std::vector<T> plane_, sums_, rows_done_;
};

/// y[plane] = windows(padded plane) / divisor, rows x columns of each.
template <class T, class Windows>
void whole_planes(int64_t planes, PaddedPlane<T> padded, const T* x, int64_t x_plane, int64_t rows,
                  int64_t columns, T divisor, T* y, int64_t work, const Windows& windows) {
  parallel_for(planes, kMapGrain / (rows * columns * work) + 1, [&](int64_t begin, int64_t end) {
    PaddedPlane<T> own = padded;
    for (int64_t p = begin; p < end; ++p) {
      own.fill(x + p * x_plane);
      const T* sums = windows(own);
      T* to = y + p * rows * columns;
      for (int64_t r = 0; r < rows; ++r) {
        DUEL_SIMD
        for (int64_t c = 0; c < columns; ++c) to[r * columns + c] = sums[r * own.width() + c] / divisor;
      }
    }
  });
}

bool one_step(const PoolShape& s) { return s.stride_h == 1 && s.stride_w == 1; }

/// Windows side by side: each element is held by one, or by none behind the last one.
bool side_by_side(const PoolShape& s) {
  return s.stride_h == s.kh && s.stride_w == s.kw && s.pad_h == 0 && s.pad_w == 0;
}

/// f(plane, row) for every row of windows, which lie side by side.
template <class F>
void by_window_rows(const PoolShape& s, const F& f) {
  parallel_for(s.planes * s.h_out, kMapGrain / (s.w_out * s.kh * s.kw) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i / s.h_out, i % s.h_out);
  });
}

/// WhereLargest on the host.
template <class T>
void largest_of_rows(const PoolShape& s, const T* x, int64_t* index) {
  by_window_rows(s, [&](int64_t p, int64_t row) {
    const T* plane = x + p * s.h_in * s.w_in;
    int64_t* to = index + (p * s.h_out + row) * s.w_out;
    for (int64_t o = 0; o < s.w_out; ++o) {
      const int64_t corner = row * s.kh * s.w_in + o * s.kw;
      int64_t best = corner;
      T largest = -std::numeric_limits<T>::infinity();
      for (int64_t r = 0; r < s.kh; ++r) {
        for (int64_t c = 0; c < s.kw; ++c) {
          const int64_t at = corner + r * s.w_in + c;
          const bool larger = plane[at] > largest || plane[at] != plane[at];
          largest = larger ? plane[at] : largest;
          best = larger ? at : best;
        }
      }
      to[o] = best;
    }
  });
}

/// FromHolders by index on the host; every element of dx is written.
template <class T>
void return_to_rows(const PoolShape& s, const T* g, const int64_t* index, T* dx) {
  if (s.h_out * s.kh < s.h_in || s.w_out * s.kw < s.w_in) std::fill_n(dx, s.planes * s.h_in * s.w_in, T(0));
  by_window_rows(s, [&](int64_t p, int64_t row) {
    T* plane = dx + p * s.h_in * s.w_in;
    const int64_t first = (p * s.h_out + row) * s.w_out;
    for (int64_t o = 0; o < s.w_out; ++o) {
      const int64_t corner = row * s.kh * s.w_in + o * s.kw;
      for (int64_t r = 0; r < s.kh; ++r) {
        for (int64_t c = 0; c < s.kw; ++c) {
          const int64_t at = corner + r * s.w_in + c;
          plane[at] = T(0) + (index[first + o] == at ? g[first + o] : T(0));
        }
      }
    }
  });
}

void check_axis(const char* op, const char* axis, int64_t in, int64_t kernel, int64_t stride, int64_t pad,
                int64_t out) {
  DUEL_CHECK(
      in >= 0 && kernel >= 1 && stride >= 1 && pad >= 0 && 2 * pad <= kernel, op,
      "{}: expected a size >= 0, a window and a stride >= 1 and a padding of at most half the window, got "
      "{}, {}, {}, {}",
      axis, in, kernel, stride, pad);
  const int64_t room = in + 2 * pad - kernel, expected = room < 0 ? 0 : room / stride + 1;
  DUEL_CHECK(out == expected, op, "{}: expected {} windows, got {}", axis, expected, out);
}

/// Also says whether there is anything to do: `to` is the number of outputs in a plane.
bool check(const char* op, const PoolShape& s, int64_t to, const void* read, const void* written) {
  DUEL_CHECK(s.planes >= 0, op, "expected planes >= 0, got {}", s.planes);
  check_axis(op, "height", s.h_in, s.kh, s.stride_h, s.pad_h, s.h_out);
  check_axis(op, "width", s.w_in, s.kw, s.stride_w, s.pad_w, s.w_out);
  if (s.planes * to == 0) return false;
  DUEL_CHECK((read || s.h_out * s.w_out == 0) && written, op, "expected arrays, got a null pointer");
  return true;
}

int64_t in_plane(const PoolShape& s) { return s.h_in * s.w_in; }
int64_t out_plane(const PoolShape& s) { return s.h_out * s.w_out; }

/// Outputs in a host range, each of about `work` steps.
int64_t grain(int64_t work) { return kMapGrain / work + 1; }

}  // namespace

template <class T>
void max_pool2d(Stream stream, const PoolShape& s, const T* x, T* y, int64_t* index) {
  if (!check("max_pool2d", s, out_plane(s), x, index)) return;
  if (!stream.on_device() && side_by_side(s))
    largest_of_rows(s, x, index);
  else
    generate(stream, s.planes * out_plane(s), WhereLargest<T>{s, x}, index, grain(s.kh * s.kw));
  take_from_planes(stream, s, x, index, y);
}

template <class T>
void take_from_planes(Stream stream, const PoolShape& s, const T* x, const int64_t* index, T* y) {
  if (!check("take_from_planes", s, out_plane(s), x, y)) return;
  DUEL_CHECK(index, "take_from_planes", "expected indices, got a null pointer");
  generate(stream, s.planes * out_plane(s), TakeFromPlanes<T>{in_plane(s), Divisor(out_plane(s)), x, index},
           y);
}

template <class T>
void return_to_planes(Stream stream, const PoolShape& s, const T* g, const int64_t* index, T* dx) {
  if (!check("return_to_planes", s, in_plane(s), g, dx)) return;
  DUEL_CHECK(index || out_plane(s) == 0, "return_to_planes", "expected indices, got a null pointer");
  if (!stream.on_device() && side_by_side(s) && out_plane(s) > 0) return return_to_rows(s, g, index, dx);
  generate(stream, s.planes * in_plane(s), FromHolders<T, true>{s, g, index, T(1)}, dx, grain(s.kh * s.kw));
}

template <class T>
void window_sums(Stream stream, const PoolShape& s, const T* x, T* y, double divisor) {
  if (!check("window_sums", s, out_plane(s), x, y)) return;
  if (!stream.on_device() && one_step(s)) {  // Note [Whole planes on the host]
    return whole_planes(s.planes, PaddedPlane<T>(s.h_in, s.w_in, s.pad_h, s.pad_w), x, in_plane(s), s.h_out,
                        s.w_out, static_cast<T>(divisor), y, s.kh * s.kw,
                        [&](PaddedPlane<T>& plane) { return plane.by_rows(s.kh, s.kw); });
  }
  generate(stream, s.planes * out_plane(s), WindowSum<T>{s, x, static_cast<T>(divisor)}, y,
           grain(s.kh * s.kw));
}

template <class T>
void window_sums_adjoint(Stream stream, const PoolShape& s, const T* g, T* dx, double divisor) {
  if (!check("window_sums_adjoint", s, in_plane(s), g, dx)) return;
  if (!stream.on_device() && one_step(s) && out_plane(s) > 0) {  // Note [Whole planes on the host]
    const PaddedPlane<T> padded(s.h_out, s.w_out, s.kh - 1 - s.pad_h, s.kw - 1 - s.pad_w);
    return whole_planes(s.planes, padded, g, out_plane(s), s.h_in, s.w_in, static_cast<T>(divisor), dx,
                        s.kh * s.kw, [&](PaddedPlane<T>& plane) { return plane.one_by_one(s.kh, s.kw); });
  }
  generate(stream, s.planes * in_plane(s), FromHolders<T, false>{s, g, nullptr, static_cast<T>(divisor)}, dx,
           grain(s.kh * s.kw));
}

#define DUEL_INSTANTIATE(T)                                                                  \
  template void max_pool2d<T>(Stream, const PoolShape&, const T*, T*, int64_t*);             \
  template void take_from_planes<T>(Stream, const PoolShape&, const T*, const int64_t*, T*); \
  template void return_to_planes<T>(Stream, const PoolShape&, const T*, const int64_t*, T*); \
  template void window_sums<T>(Stream, const PoolShape&, const T*, T*, double);              \
  template void window_sums_adjoint<T>(Stream, const PoolShape&, const T*, T*, double);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels
