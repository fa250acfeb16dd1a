// Convolutions on the host: direct loops.
#include "duel/kernels/conv.h"

#include <algorithm>

#include "duel/kernels/parallel.h"

namespace duel::kernels {
namespace {

void check(const char* op, Stream stream, const ConvShape& s) {
  DUEL_CHECK(!stream.on_device(), op, "expected a host stream: no CUDA kernel in this build");
  DUEL_CHECK(s.n >= 0 && s.c_in >= 0 && s.c_out >= 0 && s.h_in >= 0 && s.w_in >= 0, op,
             "expected sizes >= 0, got batch {}, channels {} -> {}, image {}x{}", s.n, s.c_in, s.c_out,
             s.h_in, s.w_in);
  DUEL_CHECK(
      s.kh >= 1 && s.kw >= 1 && s.stride_h >= 1 && s.stride_w >= 1 && s.pad_h >= 0 && s.pad_w >= 0, op,
      "expected kernel and stride >= 1 and padding >= 0, got kernel {}x{}, stride {}x{}, padding {}x{}", s.kh,
      s.kw, s.stride_h, s.stride_w, s.pad_h, s.pad_w);
  const int64_t h = conv_out_size(s.h_in, s.kh, s.stride_h, s.pad_h);
  const int64_t w = conv_out_size(s.w_in, s.kw, s.stride_w, s.pad_w);
  DUEL_CHECK(s.h_out == h && s.w_out == w, op, "expected an output of {}x{}, got {}x{}", h, w, s.h_out,
             s.w_out);
}

// Calls visit(offset in one image plane of x, offset in the kernel window) for the taps of output (p, q).
template <class Visit>
void for_taps(const ConvShape& s, int64_t p, int64_t q, Visit visit) {
  for (int64_t i = 0; i < s.kh; ++i) {
    const int64_t row = p * s.stride_h - s.pad_h + i;
    if (row < 0 || row >= s.h_in) continue;
    for (int64_t j = 0; j < s.kw; ++j) {
      const int64_t col = q * s.stride_w - s.pad_w + j;
      if (col >= 0 && col < s.w_in) visit(row * s.w_in + col, i * s.kw + j);
    }
  }
}

}  // namespace

template <class T>
size_t conv2d_workspace(const ConvShape&, ConvPass) {
  return 0;
}

template <class T>
void conv2d_forward(Stream stream, const ConvShape& s, const T* x, const T* w, const T* bias, T* y, void*) {
  check("conv2d", stream, s);
  const int64_t window = s.kh * s.kw, plane = s.h_in * s.w_in;
  parallel_for(s.n * s.c_out, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t sample = r / s.c_out, co = r % s.c_out;
      for (int64_t o = 0; o < s.h_out * s.w_out; ++o) {
        T sum = bias ? bias[co] : T(0);
        for (int64_t ci = 0; ci < s.c_in; ++ci) {
          const T* image = x + (sample * s.c_in + ci) * plane;
          const T* taps = w + (co * s.c_in + ci) * window;
          for_taps(s, o / s.w_out, o % s.w_out,
                   [&](int64_t at, int64_t tap) { sum += image[at] * taps[tap]; });
        }
        y[r * s.h_out * s.w_out + o] = sum;
      }
    }
  });
}

template <class T>
void conv2d_input_grad(Stream stream, const ConvShape& s, const T* dy, const T* w, const T* bias, T* dx,
                       void*) {
  check("conv2d_input_grad", stream, s);
  const int64_t window = s.kh * s.kw, plane = s.h_in * s.w_in;
  parallel_for(s.n * s.c_in, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t sample = r / s.c_in, ci = r % s.c_in;
      T* image = dx + r * plane;
      std::fill(image, image + plane, bias ? bias[ci] : T(0));
      for (int64_t co = 0; co < s.c_out; ++co) {
        const T* taps = w + (co * s.c_in + ci) * window;
        const T* grad = dy + (sample * s.c_out + co) * s.h_out * s.w_out;
        for (int64_t o = 0; o < s.h_out * s.w_out; ++o) {
          for_taps(s, o / s.w_out, o % s.w_out,
                   [&](int64_t at, int64_t tap) { image[at] += grad[o] * taps[tap]; });
        }
      }
    }
  });
}

template <class T>
void conv2d_weight_grad(Stream stream, const ConvShape& s, const T* x, const T* dy, T* dw, void*) {
  check("conv2d_weight_grad", stream, s);
  const int64_t window = s.kh * s.kw, plane = s.h_in * s.w_in;
  parallel_for(s.c_out * s.c_in, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t co = r / s.c_in, ci = r % s.c_in;
      T* taps = dw + r * window;
      std::fill(taps, taps + window, T(0));
      for (int64_t sample = 0; sample < s.n; ++sample) {
        const T* image = x + (sample * s.c_in + ci) * plane;
        const T* grad = dy + (sample * s.c_out + co) * s.h_out * s.w_out;
        for (int64_t o = 0; o < s.h_out * s.w_out; ++o) {
          for_taps(s, o / s.w_out, o % s.w_out,
                   [&](int64_t at, int64_t tap) { taps[tap] += grad[o] * image[at]; });
        }
      }
    }
  });
}

#define DUEL_INSTANTIATE(T)                                                                              \
  template size_t conv2d_workspace<T>(const ConvShape&, ConvPass);                                       \
  template void conv2d_forward<T>(Stream, const ConvShape&, const T*, const T*, const T*, T*, void*);    \
  template void conv2d_input_grad<T>(Stream, const ConvShape&, const T*, const T*, const T*, T*, void*); \
  template void conv2d_weight_grad<T>(Stream, const ConvShape&, const T*, const T*, T*, void*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels
