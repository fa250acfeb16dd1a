// Convolutions on the device with few channels: one input or one output channel (the first layer of a critic, the last of a
// generator), or groups of at most kFew (a depthwise layer).
//
//   spread   one channel -> many    forward with c_in = 1, input gradient with c_out = 1
//   gather   many channels -> one   forward with c_out = 1, input gradient with c_in = 1
//   group    few -> few             forward and input gradient with groups
//   weights  channel by channel     the weight gradient of any
//
// Without groups the weights of channel c are w[c * kh * kw + tap], whichever side is the thin one. An output pixel meets a
// tap m at source row first + m * direction, tap row tap0 + m * step (struct Line): the forward direction counts up, its
// adjoint down, and skips the taps that its stride does not meet.
#include "duel/kernels/base/divisor.h"
#include "duel/kernels/base/lanes.cuh"
#include "duel/kernels/linear/device/conv_device.h"
#include "duel/kernels/linear/device/gemm_device.h"

namespace duel::kernels::device {
namespace {

constexpr int kMostTaps = 64;
constexpr int64_t kFew = 8;

/// What a thin pass needs of a shape. "wide" counts the pairs of channels that meet: without groups the channels of the
/// many-channel side.
struct Thin {
  int64_t n, wide, groups, group_in, group_out;
  int from_h, from_w, to_h, to_w;  // images that are read and written; of a weight gradient x and dy
  int kh, kw, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

Thin thin_of(const ConvShape& s, bool adjoint) {
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  Thin t{s.n,
         s.c_out * s.group_in(),
         s.groups,
         s.group_in(),
         s.group_out(),
         i(s.h_in),
         i(s.w_in),
         i(s.h_out),
         i(s.w_out),
         i(s.kh),
         i(s.kw),
         i(s.stride_h),
         i(s.stride_w),
         i(s.pad_h),
         i(s.pad_w),
         i(s.dilation_h),
         i(s.dilation_w)};
  if (adjoint) t.from_h = i(s.h_out), t.from_w = i(s.w_out), t.to_h = i(s.h_in), t.to_w = i(s.w_in);
  return t;
}

// Weight gradient: samples are cut into slabs, taps into groups of kTaps.
constexpr int kTaps = 16;
struct Slabs {
  int64_t count, samples;
};
Slabs slabs_of(const ConvShape& s) {
  const int64_t blocks = s.c_out * s.group_in() * ceil_div(s.kh * s.kw, kTaps), pixels = s.h_out * s.w_out;
  const int64_t wanted = ceil_div(264, blocks), worth = ceil_div(s.n * pixels, 2048);
  int64_t slabs = wanted < worth ? wanted : worth;
  if (slabs > s.n) slabs = s.n;
  const int64_t samples = ceil_div(s.n, slabs);
  return {ceil_div(s.n, samples), samples};
}

#if DUEL_DEVICE_CODE

/// The taps along one axis that an output pixel meets.
struct Line {
  int tap0, step, first, direction;
};
template <bool adjoint>
__device__ __forceinline__ Line line_of(int pixel, int stride, int pad, int dilation, int kernel) {
  if (!adjoint) return {0, 1, pixel * stride - pad, dilation};
  const int at = pixel + pad;
  if (dilation == 1) return {at % stride, stride, at / stride, -1};
  int tap0 = 0, step = 1;
  while (tap0 < kernel && (at - tap0 * dilation) % stride != 0) ++tap0;
  while (step * dilation % stride != 0) ++step;
  return {tap0, step, (at - tap0 * dilation) / stride, -(step * dilation / stride)};
}

/// Calls f(source row, source column, tap) for every tap of pixel (u, v) that lies in the source image.
template <bool adjoint, class F>
__device__ __forceinline__ void for_taps(const Thin& t, int u, int v, F f) {
  const Line down = line_of<adjoint>(u, t.stride_h, t.pad_h, t.dilation_h, t.kh),
             across = line_of<adjoint>(v, t.stride_w, t.pad_w, t.dilation_w, t.kw);
  for (int i = down.tap0, row = down.first; i < t.kh; i += down.step, row += down.direction) {
    if (row < 0 || row >= t.from_h) continue;
    for (int j = across.tap0, column = across.first; j < t.kw; j += across.step, column += across.direction) {
      if (column >= 0 && column < t.from_w) f(row, column, i * t.kw + j);
    }
  }
}

/// Two by two taps of a pixel, and where they lie in the source image, if they do.
struct TapSquare {
  int tap[4], offset[4];
  unsigned inside = 0;  // a bit for each
};

/// Calls f(TapSquare) until every tap of pixel (u, v) was in one.
template <bool adjoint, class F>
__device__ __forceinline__ void for_squares(const Thin& t, int u, int v, F f) {
  const Line down = line_of<adjoint>(u, t.stride_h, t.pad_h, t.dilation_h, t.kh),
             across = line_of<adjoint>(v, t.stride_w, t.pad_w, t.dilation_w, t.kw);
  for (int i = down.tap0, row = down.first; i < t.kh; i += 2 * down.step, row += 2 * down.direction) {
    for (int j = across.tap0, column = across.first; j < t.kw;
         j += 2 * across.step, column += 2 * across.direction) {
      TapSquare square;
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const int tap_row = i + k / 2 * down.step, tap_column = j + k % 2 * across.step;
        const int r = row + k / 2 * down.direction, c = column + k % 2 * across.direction;
        square.tap[k] = tap_row * t.kw + tap_column;
        square.offset[k] = r * t.from_w + c;
        if (tap_row < t.kh && tap_column < t.kw &&
            static_cast<unsigned>(r) < static_cast<unsigned>(t.from_h) &&
            static_cast<unsigned>(c) < static_cast<unsigned>(t.from_w))
          square.inside |= 1u << k;
      }
      if (square.inside != 0) f(square);
    }
  }
}

constexpr int kBlock = 256, kChannels = 8;

/// One thread per pixel, kChannels channels at a time (blockIdx.y).
template <class T, bool adjoint>
__global__ void __launch_bounds__(kBlock, 4)
    spread_kernel(Thin t, const T* in, const T* w, const T* bias, T* out, Finish<T> finish) {
  begin_kernel();
  __shared__ T weights[kMostTaps][kChannels];
  const int taps = t.kh * t.kw;
  const int64_t c0 = static_cast<int64_t>(blockIdx.y) * kChannels;
  for (int i = static_cast<int>(threadIdx.x); i < taps * kChannels; i += kBlock) {
    const int64_t c = c0 + i % kChannels;
    weights[i / kChannels][i % kChannels] = c < t.wide ? w[c * taps + i / kChannels] : T(0);
  }
  __syncthreads();
  const int64_t plane = static_cast<int64_t>(t.to_h) * t.to_w;
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (pixel >= t.n * plane) return;
  const int64_t sample = static_cast<uint32_t>(pixel) / static_cast<uint32_t>(plane);  // thin_suits()
  const int at = static_cast<int>(pixel - sample * plane);
  T sums[kChannels] = {};
  const T* image = in + sample * t.from_h * t.from_w;
  for_taps<adjoint>(t, at / t.to_w, at % t.to_w, [&](int row, int column, int tap) {
    const T x = image[row * t.from_w + column];
#pragma unroll
    for (int c = 0; c < kChannels; ++c) sums[c] = std::fma(x, weights[tap][c], sums[c]);
  });
#pragma unroll
  for (int c = 0; c < kChannels; ++c) {
    if (c0 + c >= t.wide) break;
    store_one(out, finish, (sample * t.wide + c0 + c) * plane + at, bias ? sums[c] + bias[c0 + c] : sums[c]);
  }
}

/// A block sums `pixels` (a power of 2) pixels: kBlock / pixels slices of the channels each, folded as a
/// tree.
template <class T, bool adjoint>
__global__ void __launch_bounds__(kBlock, 1)
    gather_kernel(Thin t, int pixels, const T* in, const T* w, const T* bias, T* out, Finish<T> finish) {
  begin_kernel();
  __shared__ T partial[kBlock];
  const int slices = kBlock / pixels, slice = static_cast<int>(threadIdx.x) / pixels;
  const int taps = t.kh * t.kw;
  const int64_t plane = static_cast<int64_t>(t.to_h) * t.to_w,
                from = static_cast<int64_t>(t.from_h) * t.from_w;
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * pixels + static_cast<int>(threadIdx.x) % pixels;
  const bool inside = pixel < t.n * plane;
  T sum = 0;
  if (inside) {
    const int64_t sample = static_cast<uint32_t>(pixel) / static_cast<uint32_t>(plane);  // thin_suits()
    const int at = static_cast<int>(pixel - sample * plane);
    for_squares<adjoint>(t, at / t.to_w, at % t.to_w, [&](const TapSquare& square) {
      const T *image = in + (sample * t.wide + slice) * from, *weights = w + int64_t{slice} * taps;
      for (int64_t c = slice; c < t.wide; c += slices, image += slices * from, weights += slices * taps) {
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          if (square.inside >> k & 1) sum = std::fma(image[square.offset[k]], weights[square.tap[k]], sum);
        }
      }
    });
  }
  partial[threadIdx.x] = sum;
  for (int half = slices / 2; half > 0; half /= 2) {
    __syncthreads();
    if (slice < half) partial[threadIdx.x] += partial[threadIdx.x + half * pixels];
  }
  if (slice != 0 || !inside) return;
  store_one(out, finish, pixel, bias ? partial[threadIdx.x] + bias[0] : partial[threadIdx.x]);
}

/// One thread per output: the channels of its group, then the taps.
template <class T, bool adjoint>
__global__ void __launch_bounds__(kBlock)
    group_kernel(Thin t, int64_t count, Divisor plane, Divisor to_group, Divisor groups, const T* in,
                 const T* w, const T* bias, T* out, Finish<T> finish) {
  begin_kernel();
  const int64_t from = static_cast<int64_t>(t.from_h) * t.from_w,
                from_group = adjoint ? t.group_out : t.group_in;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < count; i += stride) {
    const int64_t line = i / plane, whole = line / to_group, group = whole % groups, member = line % to_group;
    const int at = static_cast<int>(i % plane), u = at / t.to_w, v = at - u * t.to_w;
    T sum = 0;
    for (int64_t k = 0; k < from_group; ++k) {
      const T* image = in + (whole * from_group + k) * from;
      const int64_t c_out = group * t.group_out + (adjoint ? k : member), c_in = adjoint ? member : k;
      const T* weights = w + (c_out * t.group_in + c_in) * t.kh * t.kw;
      for_taps<adjoint>(t, u, v, [&](int row, int column, int tap) {
        sum = std::fma(image[row * t.from_w + column], weights[tap], sum);
      });
    }
    store_one(out, finish, i, bias ? sum + bias[group * to_group.value() + member] : sum);
  }
}

/// One block per pair of channels, group of taps (blockIdx.y) and slab of samples (blockIdx.z); sums go to
/// parts[slab][pair][tap], pair = c_out * group_in + channel of the group. With tickets the last block of a pair and
/// group adds them into `out`. dy_sums, if wanted, are made beside the first taps of a channel's first pair, their parts
/// [slab][c_out] behind the others.
enum class Kernel { any, undilated, four };  // four: of 4 x 4 taps, undilated
template <class T, Kernel kernel>
__global__ void __launch_bounds__(kSumBlock)
    weights_kernel(Thin t, Divisor plane_of, Divisor row_of, int64_t samples, int64_t x_sample,
                   int64_t dy_sample, const T* x, const T* dy, T* parts, unsigned* tickets, T* out,
                   T* dy_sums) {
  begin_kernel();
  const int taps = t.kh * t.kw, tap0 = static_cast<int>(blockIdx.y) * kTaps;
  const int64_t plane = static_cast<int64_t>(t.to_h) * t.to_w;
  const int64_t begin = blockIdx.z * samples, end = begin + samples < t.n ? begin + samples : t.n;
  const int64_t in = static_cast<int64_t>(t.from_h) * t.from_w, c_out = blockIdx.x / t.group_in;
  const int64_t c_in = c_out / t.group_out * t.group_in + blockIdx.x % t.group_in;
  x += c_in * in;
  dy += c_out * plane;
  Terms<kTaps + 1, T> sums{};
  for (int64_t i = begin * plane + threadIdx.x; i < end * plane; i += kSumBlock) {
    const int64_t sample = i / plane_of;
    const int at = static_cast<int>(i - sample * plane);
    const T g = dy[sample * dy_sample + at];
    sums.v[kTaps] += g;
    const int u = static_cast<int>(at / row_of), row0 = u * t.stride_h - t.pad_h,
              column0 = (at - u * t.to_w) * t.stride_w - t.pad_w;
    const T* image = x + sample * x_sample;
    const auto inside = [](int place, int length) {
      return static_cast<unsigned>(place) < static_cast<unsigned>(length);
    };
    if constexpr (kernel == Kernel::four) {
      const T* corner = image + static_cast<int64_t>(row0) * t.from_w + column0;
#pragma unroll
      for (int l = 0; l < kTaps; ++l) {
        if (inside(row0 + l / 4, t.from_h) && inside(column0 + l % 4, t.from_w))
          sums.v[l] = std::fma(g, corner[l / 4 * t.from_w + l % 4], sums.v[l]);
      }
      continue;
    }
    const int down = kernel == Kernel::any ? t.dilation_h : 1,
              along = kernel == Kernel::any ? t.dilation_w : 1;
    int row = row0 + tap0 / t.kw * down, tap_column = tap0 % t.kw;
#pragma unroll
    for (int l = 0; l < kTaps; ++l) {
      const int column = column0 + tap_column * along;
      if (tap0 + l < taps && inside(row, t.from_h) && inside(column, t.from_w)) {
        sums.v[l] = std::fma(g, image[row * t.from_w + column], sums.v[l]);
      }
      if (++tap_column == t.kw) tap_column = 0, row += down;
    }
  }
  sums = block_sum(sums);
#pragma unroll
  for (int l = 0; l < kTaps; ++l) {  // a constant index each: sums stays in registers
    if (static_cast<int>(threadIdx.x) == l && tap0 + l < taps) {
      parts[(blockIdx.z * t.wide + blockIdx.x) * taps + tap0 + l] = sums.v[l];
    }
  }
  const bool sums_here = dy_sums != nullptr && blockIdx.y == 0 && blockIdx.x % t.group_in == 0;
  const int64_t channels = t.wide / t.group_in;
  T* const dy_parts = gridDim.z > 1 ? parts + gridDim.z * t.wide * taps : dy_sums;
  if (sums_here && threadIdx.x == 0) dy_parts[blockIdx.z * channels + c_out] = sums.v[kTaps];
  if (tickets == nullptr || !last_block(gridDim.z, tickets + blockIdx.x + gridDim.x * blockIdx.y)) return;
  if (sums_here && threadIdx.x == kTaps) {
    T sum = 0;
    for (unsigned slab = 0; slab < gridDim.z; ++slab) sum += dy_parts[slab * channels + c_out];
    dy_sums[c_out] = sum;
  }
  const int tap = tap0 + static_cast<int>(threadIdx.x);
  if (static_cast<int>(threadIdx.x) >= kTaps || tap >= taps) return;
  T sum = 0;
  for (unsigned slab = 0; slab < gridDim.z; ++slab) sum += parts[(slab * t.wide + blockIdx.x) * taps + tap];
  out[blockIdx.x * taps + tap] = sum;
}

template <class T, bool adjoint>
void pixels_pass(Stream stream, const ConvShape& s, const T* in, const T* w, const T* bias, T* out,
                 const Finish<T>& finish) {
  const Thin t = thin_of(s, adjoint);
  const int64_t pixels = t.n * t.to_h * t.to_w;
  if (s.groups > 1) {
    const int64_t count = s.n * (adjoint ? s.c_in : s.c_out) * t.to_h * t.to_w,
                  blocks = ceil_div(count, kBlock);
    launch(group_kernel<T, adjoint>, dim3(static_cast<unsigned>(blocks < 16384 ? blocks : 16384)),
           dim3(kBlock), 0, stream, t, count, Divisor(int64_t{t.to_h} * t.to_w),
           Divisor(adjoint ? s.group_in() : s.group_out()), Divisor(s.groups), in, w, bias, out, finish);
  } else if ((adjoint ? s.c_out : s.c_in) == 1) {
    const dim3 grid(static_cast<unsigned>(ceil_div(pixels, kBlock)),
                    static_cast<unsigned>(ceil_div(t.wide, kChannels)));
    launch(spread_kernel<T, adjoint>, grid, dim3(kBlock), 0, stream, t, in, w, bias, out, finish);
  } else {
    const int each = pixels >= 8192 ? 32 : pixels >= 1024 ? 8 : 2;
    launch(gather_kernel<T, adjoint>, dim3(static_cast<unsigned>(ceil_div(pixels, each))), dim3(kBlock), 0,
           stream, t, each, in, w, bias, out, finish);
  }
}

template <class T>
bool weights_pass(Stream stream, const ConvShape& s, const T* x, const T* dy, T* dw, T* workspace,
                  T* dy_sums) {
  const Thin t = thin_of(s, false);
  const Slabs slabs = slabs_of(s);
  const dim3 grid(static_cast<unsigned>(t.wide), static_cast<unsigned>(ceil_div(s.kh * s.kw, kTaps)),
                  static_cast<unsigned>(slabs.count));
  T* const parts = slabs.count > 1 ? workspace : dw;
  unsigned* const tickets =
      slabs.count > 1 ? tickets_for(stream, static_cast<int64_t>(grid.x) * grid.y) : nullptr;
  const bool undilated = s.dilation_h == 1 && s.dilation_w == 1;
  const auto kernel = undilated && s.kh == 4 && s.kw == 4 ? weights_kernel<T, Kernel::four>
                      : undilated                         ? weights_kernel<T, Kernel::undilated>
                                                          : weights_kernel<T, Kernel::any>;
  launch(kernel, grid, dim3(kSumBlock), 0, stream, t, Divisor(int64_t{t.to_h} * t.to_w), Divisor(t.to_w),
         slabs.samples, s.c_in * s.h_in * s.w_in, s.c_out * s.h_out * s.w_out, x, dy, parts, tickets, dw,
         dy_sums);
  if (slabs.count == 1 || tickets != nullptr) return true;
  add_parts<T>(stream, t.wide, s.kh * s.kw, slabs.count, parts, T(1), nullptr, T(0), dw);
  return false;
}

#endif

}  // namespace

bool thin_suits(const ConvShape& s) {
  constexpr int64_t kLimit = int64_t{1} << 30;
  const bool thin =
      s.groups == 1 ? s.c_in == 1 || s.c_out == 1 : s.group_in() <= kFew && s.group_out() <= kFew;
  return thin && s.kh * s.kw <= kMostTaps && s.h_in * s.w_in < kLimit && s.h_out * s.w_out < kLimit &&
         s.n * s.h_in * s.w_in < kLimit && s.n * s.h_out * s.w_out < kLimit &&
         s.c_out * s.group_in() <= 65535 && s.n <= 65535 && s.stride_h < kLimit && s.stride_w < kLimit &&
         s.pad_h < kLimit && s.pad_w < kLimit && s.kh * s.dilation_h < kLimit &&
         s.kw * s.dilation_w < kLimit && s.stride_h * s.dilation_h < kLimit &&
         s.stride_w * s.dilation_w < kLimit;
}

template <class T>
size_t thin_workspace(const ConvShape& s, ConvPass pass, bool dy_sums) {
  const int64_t slabs = pass == ConvPass::kWeightGrad ? slabs_of(s).count : 1;
  return slabs > 1 ? static_cast<size_t>(slabs * (s.weights() + (dy_sums ? s.c_out : 0))) * sizeof(T) : 0;
}

template <class T>
bool thin_conv(Stream stream, const ConvShape& s, ConvPass pass, const T* first, const T* second,
               const T* bias, T* out, void* workspace, const Finish<T>& finish, T* dy_sums) {
#if DUEL_DEVICE_CODE
  switch (pass) {
    case ConvPass::kForward:
      pixels_pass<T, false>(stream, s, first, second, bias, out, finish);
      return true;
    case ConvPass::kInputGrad:
      pixels_pass<T, true>(stream, s, first, second, bias, out, finish);
      return true;
    case ConvPass::kWeightGrad:
      break;
  }
  return weights_pass<T>(stream, s, first, second, out, static_cast<T*>(workspace), dy_sums);
#else
  (void)thin_of, (void)stream, (void)s, (void)pass, (void)first, (void)second, (void)bias, (void)out,
      (void)workspace, (void)finish, (void)dy_sums;
  fail("conv2d", "expected a host stream: no CUDA kernel in this build");
#endif
}

#define DUEL_INSTANTIATE(T)                                                                               \
  template size_t thin_workspace<T>(const ConvShape&, ConvPass, bool);                                    \
  template bool thin_conv<T>(Stream, const ConvShape&, ConvPass, const T*, const T*, const T*, T*, void*, \
                             const Finish<T>&, T*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels::device
