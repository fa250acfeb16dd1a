// Windows of planes. Every output is made alone, from the elements that its window holds or from the windows that hold
// it, so host and device give the same bits.
#include "duel/kernels/reduce/pooling.h"

#include <algorithm>
#include <limits>

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

// Note [Rows of windows]
// On the host windows that lie one step apart in a row are summed for many columns at once: for each the same elements in the
// same order as at() adds them, so the bits are those of the device; only what is not there is left out by the columns' range
// in place of the window's.
constexpr int64_t kColumns = 128;

/// Columns [first, last) of row `row` of a plane's window sums; stride_w is 1.
template <class T>
void window_row(const PoolShape& s, const T* plane, int64_t row, int64_t first, int64_t last, T divisor,
                T* y) {
  const Span rows = held(row, s.kh, s.stride_h, s.pad_h, s.h_in);
  T sum[kColumns] = {}, part[kColumns];
  for (int64_t r = rows.first; r < rows.last; ++r) {
    std::fill(part, part + (last - first), T(0));
    for (int64_t c = 0; c < s.kw; ++c) {
      const int64_t from = std::max(first, s.pad_w - c), to = std::min(last, s.w_in + s.pad_w - c);
      const T* x = plane + r * s.w_in + c - s.pad_w;
      for (int64_t j = from; j < to; ++j) part[j - first] += x[j];
    }
    for (int64_t j = 0; j < last - first; ++j) sum[j] += part[j];
  }
  for (int64_t j = first; j < last; ++j) y[j] = sum[j - first] / divisor;
}

/// Columns [first, last) of row `row` of what returns to a plane; stride_w is 1.
template <class T>
void holder_row(const PoolShape& s, const Divisor& stride_h, const T* plane, int64_t row, int64_t first,
                int64_t last, T divisor, T* dx) {
  const Span rows = holders(row, s.kh, stride_h, s.pad_h, s.h_out);
  T sum[kColumns] = {};
  for (int64_t r = rows.first; r < rows.last; ++r) {
    for (int64_t c = 1 - s.kw; c <= 0; ++c) {  // window j + pad + c
      const int64_t from = std::max(first, -s.pad_w - c), to = std::min(last, s.w_out - s.pad_w - c);
      const T* g = plane + r * s.w_out + s.pad_w + c;
      for (int64_t j = from; j < to; ++j) sum[j - first] += g[j];
    }
  }
  for (int64_t j = first; j < last; ++j) dx[j] = sum[j - first] / divisor;
}

/// f(plane, row, first, last) for pieces of every row of planes of rows x columns.
template <class F>
void by_rows(int64_t planes, int64_t rows, int64_t columns, int64_t work, const F& f) {
  parallel_for(planes * rows, kMapGrain / (columns * work) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t at = 0; at < columns; at += kColumns)
        f(i / rows, i % rows, at, std::min(at + kColumns, columns));
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
  generate(stream, s.planes * in_plane(s), FromHolders<T, true>{s, g, index, T(1)}, dx, grain(s.kh * s.kw));
}

template <class T>
void window_sums(Stream stream, const PoolShape& s, const T* x, T* y, double divisor) {
  if (!check("window_sums", s, out_plane(s), x, y)) return;
  if (!stream.on_device() && s.stride_w == 1) {  // Note [Rows of windows]
    by_rows(s.planes, s.h_out, s.w_out, s.kh * s.kw,
            [&](int64_t p, int64_t row, int64_t first, int64_t last) {
              window_row(s, x + p * in_plane(s), row, first, last, static_cast<T>(divisor),
                         y + (p * s.h_out + row) * s.w_out);
            });
    return;
  }
  generate(stream, s.planes * out_plane(s), WindowSum<T>{s, x, static_cast<T>(divisor)}, y,
           grain(s.kh * s.kw));
}

template <class T>
void window_sums_adjoint(Stream stream, const PoolShape& s, const T* g, T* dx, double divisor) {
  if (!check("window_sums_adjoint", s, in_plane(s), g, dx)) return;
  if (!stream.on_device() && s.stride_w == 1) {  // Note [Rows of windows]
    by_rows(s.planes, s.h_in, s.w_in, s.kh * s.kw, [&](int64_t p, int64_t row, int64_t first, int64_t last) {
      holder_row(s, Divisor(s.stride_h), g + p * out_plane(s), row, first, last, static_cast<T>(divisor),
                 dx + (p * s.h_in + row) * s.w_in);
    });
    return;
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
