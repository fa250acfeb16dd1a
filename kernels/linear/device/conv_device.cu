// Convolutions on the device as matrix products without the matrices (implicit GEMM), for any shape.
//
//   pass          rows   columns                    k                     left             right (gathered)
//   forward       c_out  n, h_out, w_out            c_in, kh, kw          w                x
//   input grad    c_in   n, rows and columns of a   c_out, taps of that   w                dy
//                        phase of the stride        phase
//   weight grad   c_out  c_in, kh, kw               n, h_out, w_out       dy               x
//
// An index of three digits (a, b, c) gives an address and a place in the image that are sums of a part of the
// column and a part of k (struct Walk); whatever lies outside the image counts as 0. The input gradient is
// cut into stride_h x stride_w phases: pixels of one phase meet the same taps, so no product with a zero
// between the strides is computed. A group of the channels is a product of its own (blockIdx.z); channels
// above are those of one group.
#include "duel/kernels/linear/device/conv_device.h"

#include <numeric>
#include <type_traits>

#include "duel/kernels/base/divisor.h"
#include "duel/kernels/linear/device/conv_operands.cuh"

namespace duel::kernels::device {
namespace {

struct Phases {
  int64_t down = 1, across = 1;  // of an input gradient: how many
};
Phases phases(const ConvShape& s) {
  return {s.stride_h < s.h_in ? s.stride_h : s.h_in, s.stride_w < s.w_in ? s.stride_w : s.w_in};
}

/// The first tap i < kernel with at - i dilation a multiple of the stride; kernel where there is none.
DUEL_HD int64_t first_tap(int64_t at, int64_t stride, int64_t dilation, int64_t kernel) {
  int64_t i = 0;
  while (i < kernel && (at - i * dilation) % stride != 0) ++i;
  return i;
}

/// The product of one phase, from the one of the whole pass: rows r0, r0 + stride_h, … and columns alike.
template <class T>
DUEL_HD Product<T> phase_of(Product<T> p, const ConvShape& s, int64_t r0, int64_t c0) {
  const int64_t down = (s.h_in - r0 + s.stride_h - 1) / s.stride_h;
  const int64_t across = (s.w_in - c0 + s.stride_w - 1) / s.stride_w;
  // Pixel r0 + a stride_h meets the taps i = i0, i0 + tap_h, … in the rows a + top, a + top - dilation_h tap_h / stride_h, …
  // of dy.
  const int64_t i0 = first_tap(r0 + s.pad_h, s.stride_h, s.dilation_h, s.kh);
  const int64_t j0 = first_tap(c0 + s.pad_w, s.stride_w, s.dilation_w, s.kw);
  const int64_t top = (r0 + s.pad_h - i0 * s.dilation_h) / s.stride_h;
  const int64_t start = (c0 + s.pad_w - j0 * s.dilation_w) / s.stride_w;
  const int64_t taps_h = (s.kh - i0 + p.tap_h - 1) / p.tap_h, taps_w = (s.kw - j0 + p.tap_w - 1) / p.tap_w;
  p.columns = s.n * down * across;
  p.k = s.group_out() * taps_h * taps_w;
  // Of a phase that meets no tap no step is taken; digits of 0 are not divided by 0 either.
  p.left_k.count_b = static_cast<unsigned>(taps_h > 0 ? taps_h : 1);
  p.left_k.count_c = static_cast<unsigned>(taps_w > 0 ? taps_w : 1);
  p.left_k.base = i0 * s.kw + j0;
  p.right_k.count_b = p.left_k.count_b, p.right_k.count_c = p.left_k.count_c;
  p.right_column.count_b = static_cast<unsigned>(down),
  p.right_column.count_c = static_cast<unsigned>(across);
  p.right_column.base = top * s.w_out + start;
  p.right_column.row = static_cast<int>(top), p.right_column.column = static_cast<int>(start);
  p.out_column.count_b = static_cast<unsigned>(down), p.out_column.count_c = static_cast<unsigned>(across);
  p.out_column.base = r0 * s.w_in + c0;
  return p;
}

#if DUEL_DEVICE_CODE

/// With kDySums also the sums of the left operand's rows, whose parts, [part][row], are at dy_parts.
template <class T, class Tile, class Left, class Right, bool kDySums>
__device__ __forceinline__ void conv_tile(const Product<T>& p, int64_t tile, int64_t part, int64_t depth,
                                          T* parts, unsigned* tickets, const Finish<T>& finish, T* dy_parts,
                                          T* dy_sums) {
  const int64_t group = blockIdx.z;
  const int64_t across = ceil_div(p.columns, Tile::kSide);
  const int64_t row0 = tile / across * Tile::kSide, column0 = tile % across * Tile::kSide;
  const int64_t begin = part * depth, end = begin + depth < p.k ? begin + depth : p.k;
  typename Tile::Sums sums;
  std::conditional_t<kDySums, LeftSums<T, Tile>, NoLeftSums> rows;
  Left left(p, p.left + group * p.left_group, row0, begin);
  Right right(p, p.right + group * p.right_group, column0, begin);
  multiply_tile<T, Tile>(left, right, begin, end, sums, rows);
  // Of a weight gradient: one channel of dy is a row.
  const auto each_row_sum = [&](auto write) {
    if constexpr (kDySums) {
      if (column0 != 0) return;
      for_left_sums<T, Tile>(rows, [&](int row, T sum) {
        if (row0 + row < p.rows) write(group * p.rows + row0 + row, sum);
      });
    } else {
      (void)write;
    }
  };
  if (parts) {  // of a weight gradient, whose results lie side by side
    const bool aligned = p.out_aligned;
    const auto place = [&](int64_t i, int64_t j) {
      return (group * p.rows + row0 + i) * p.columns + column0 + j;
    };
    for_results<T, Tile>(sums, [&](int i, int j, const Four<T>& sum) {
      if (row0 + i >= p.rows || column0 + j >= p.columns) return;
      store_some(parts + part * p.all_rows * p.columns + place(i, j), sum, p.columns - column0 - j, aligned);
    });
    each_row_sum([&](int64_t row, T sum) { dy_parts[part * p.all_rows + row] = sum; });
    if (tickets == nullptr || !last_block(gridDim.y, tickets + blockIdx.x + gridDim.x * blockIdx.z)) return;
    each_row_sum([&](int64_t row, T) {
      T sum = 0;
      for (unsigned each = 0; each < gridDim.y; ++each) sum += dy_parts[each * p.all_rows + row];
      dy_sums[row] = sum;
    });
    for_results<T, Tile>(sums, [&](int i, int j, const Four<T>&) {
      if (row0 + i >= p.rows || column0 + j >= p.columns) return;
      const int64_t at = place(i, j), count = p.columns - column0 - j;
      store_some(p.out + at, add_four(parts + at, gridDim.y, p.all_rows * p.columns, count, aligned), count,
                 false);
    });
    return;
  }
  each_row_sum([&](int64_t row, T sum) { dy_sums[row] = sum; });
  for_results<T, Tile>(sums, [&](int i, int j, Four<T> sum) {
    const int64_t row = row0 + i, column = column0 + j, count = p.columns - column;
    if (row >= p.rows || count <= 0) return;
    if (p.bias) {
      const T add = p.bias[group * p.rows + row];
#pragma unroll
      for (int l = 0; l < 4; ++l) sum.v[l] += add;
    }
    const int64_t base = group * p.out_group + row * p.out_step;
    if (p.out_aligned && count >= 4) {
      return store_finished<false>(p.out, finish, base + at(p.out_column, column).offset, sum, count, true);
    }
#pragma unroll
    for (int l = 0; l < 4; ++l) {
      if (l < count) store_one<false>(p.out, finish, base + at(p.out_column, column + l).offset, sum.v[l]);
    }
  });
}

/// As many of a tile of floats would spill: where elements are takes registers as well.
template <class Tile>
constexpr int kResidentBlocks = Tile::kTensor         ? Tile::kResident
                                : Tile::kResident > 3 ? 6
                                : Tile::kResident > 2 ? 2
                                                      : 1;

/// One block per tile and part; `parts` is null where there is one part, `tickets` where a second kernel adds them.
template <class T, class Tile, bool kDySums, bool kRepeats>
__global__ void __launch_bounds__(Tile::kThreads, kResidentBlocks<Tile>)
    conv_kernel(Product<T> p, int64_t depth, T* parts, unsigned* tickets, Finish<T> finish, T* dy_parts,
                T* dy_sums) {
  begin_kernel();
  using Left = std::conditional_t<kRepeats, RepeatingLeft<T, Tile, true>, LineLeft<T, Tile>>;
  using Right = std::conditional_t<kRepeats, RepeatingRight<T, Tile>, WalkingRight<T, Tile>>;
  conv_tile<T, Tile, Left, Right, kDySums>(p, blockIdx.x, blockIdx.y, depth, parts, tickets, finish, dy_parts,
                                           dy_sums);
}

/// One block per tile of the largest phase and phase.
template <class T, class Tile, bool kRepeats>
__global__ void __launch_bounds__(Tile::kThreads,
                                  kResidentBlocks<Tile> - (kRepeats || Tile::kResident < 6 ? 0 : 1))
    conv_input_grad_kernel(Product<T> whole, ConvShape s, int64_t tiles, int64_t across, Finish<T> finish) {
  begin_kernel();
  const int64_t phase = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const Product<T> p = phase_of(whole, s, phase / across, phase % across);
  if (tile >= ceil_div(p.rows, Tile::kSide) * ceil_div(p.columns, Tile::kSide)) return;
  using Left = std::conditional_t<kRepeats, RepeatingLeft<T, Tile, false>, TapsLeft<T, Tile>>;
  using Right = std::conditional_t<kRepeats, RepeatingRight<T, Tile>, WalkingRight<T, Tile>>;
  conv_tile<T, Tile, Left, Right, false>(p, tile, 0, p.k, nullptr, nullptr, finish, nullptr, nullptr);
}

constexpr int kBlock = 256;

/// With `add` out is read, else only written.
template <class T, bool add>
__global__ void __launch_bounds__(kBlock)
    planes_kernel(int64_t count, Divisor channels, Divisor plane, const T* bias, T* out) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < count; i += stride) {
    const T value = bias ? bias[i / plane % channels] : T(0);
    out[i] = add ? out[i] + value : value;
  }
}

#endif

/// From one tap of a phase to the next.
int64_t tap_step(int64_t stride, int64_t dilation) { return stride / std::gcd(stride, dilation); }

/// Rows, columns and k of a pass and one group; of an input gradient those of its largest phase.
struct Extent {
  int64_t rows, columns, k;
};
Extent extent_of(const ConvShape& s, ConvPass pass) {
  switch (pass) {
    case ConvPass::kForward:
      return {s.group_out(), s.n * s.h_out * s.w_out, s.group_in() * s.kh * s.kw};
    case ConvPass::kInputGrad:
      return {s.group_in(), s.n * ceil_div(s.h_in, s.stride_h) * ceil_div(s.w_in, s.stride_w),
              s.group_out() * ceil_div(s.kh, tap_step(s.stride_h, s.dilation_h)) *
                  ceil_div(s.kw, tap_step(s.stride_w, s.dilation_w))};
    case ConvPass::kWeightGrad:
      break;
  }
  return {s.group_out(), s.group_in() * s.kh * s.kw, s.n * s.h_out * s.w_out};
}

/// Do the taps come back every kDepth steps, whatever the phase, and do offsets in the operands fit an int?
[[maybe_unused]] bool repeats(const ConvShape& s, ConvPass pass) {
  constexpr int64_t kMost = (int64_t{1} << 31) - 1;
  if (s.n * s.c_in * s.h_in * s.w_in > kMost || s.n * s.c_out * s.h_out * s.w_out > kMost ||
      s.c_out * s.group_in() * s.kh * s.kw > kMost)
    return false;
  if (pass == ConvPass::kForward) return kDepth % (s.kh * s.kw) == 0;
  if (pass == ConvPass::kWeightGrad) return false;
  const int64_t tap_h = tap_step(s.stride_h, s.dilation_h), tap_w = tap_step(s.stride_w, s.dilation_w);
  // Phases have these taps, one row or column less, or none.
  const int64_t down = ceil_div(s.kh, tap_h), across = ceil_div(s.kw, tap_w);
  for (const int64_t h : {down, s.kh / tap_h})
    for (const int64_t w : {across, s.kw / tap_w})
      if (h > 0 && w > 0 && kDepth % (h * w) != 0) return false;
  return true;
}

template <class T>
Cut cut_of(const ConvShape& s, ConvPass pass) {
  const Extent e = extent_of(s, pass);
  const Phases phase = pass == ConvPass::kInputGrad ? phases(s) : Phases{};
  return cut_product<T>(e.rows, e.columns, e.k, pass == ConvPass::kWeightGrad,
                        s.groups * phase.down * phase.across);
}

unsigned count(int64_t n) { return static_cast<unsigned>(n); }

// x as the right side: columns (n, p, q) and steps (c_in, i, j) of k, or the other way round.
Walk image_walk(const ConvShape& s) {
  return {count(s.h_out),
          count(s.w_out),
          -s.pad_h * s.w_in - s.pad_w,
          s.c_in * s.h_in * s.w_in,
          s.stride_h * s.w_in,
          s.stride_w,
          static_cast<int>(-s.pad_h),
          static_cast<int>(s.stride_h),
          static_cast<int>(-s.pad_w),
          static_cast<int>(s.stride_w)};
}
Walk tap_walk(const ConvShape& s) {
  const int down = static_cast<int>(s.dilation_h), across = static_cast<int>(s.dilation_w);
  return {count(s.kh), count(s.kw), 0, s.h_in * s.w_in, s.dilation_h * s.w_in, s.dilation_w,
          0,           down,        0, across};
}
// An index that is the offset.
Walk straight(int64_t n) { return {1, count(n), 0, 0, 0, 1}; }

template <class T>
Product<T> product_of(const ConvShape& s, ConvPass pass, const T* first, const T* second, const T* bias,
                      T* out) {
  const int64_t taps = s.kh * s.kw, in = s.h_in * s.w_in, plane = s.h_out * s.w_out;
  const Extent e = extent_of(s, pass);
  Product<T> p;
  p.rows = e.rows, p.columns = e.columns, p.k = e.k;
  p.all_rows = s.groups * e.rows;
  p.out = out;
  p.bias = bias;
  p.height = static_cast<int>(s.h_in), p.width = static_cast<int>(s.w_in);
  switch (pass) {
    case ConvPass::kForward:
      p.left = second, p.left_step = p.k, p.left_k = straight(p.k);
      p.left_aligned = wide(second, p.k);
      p.right = first, p.right_column = image_walk(s), p.right_k = tap_walk(s);
      p.out_step = plane, p.out_column = {1, count(plane), 0, s.c_out * plane, 0, 1};
      p.out_aligned = wide(out, plane) && plane % 4 == 0;
      p.left_group = p.rows * p.k, p.right_group = s.group_in() * in, p.out_group = p.rows * plane;
      break;
    case ConvPass::kInputGrad:  // phase_of() fills in the rest
      p.left = second, p.left_step = taps;
      p.tap_h = tap_step(s.stride_h, s.dilation_h), p.tap_w = tap_step(s.stride_w, s.dilation_w);
      p.left_k = {1, 1, 0, s.group_in() * taps, p.tap_h * s.kw, p.tap_w};
      p.right = first, p.height = static_cast<int>(s.h_out), p.width = static_cast<int>(s.w_out);
      p.right_column = {1, 1, 0, s.c_out * plane, s.w_out, 1, 0, 1, 0, 1};
      {
        const int64_t down = p.tap_h * s.dilation_h / s.stride_h,
                      across = p.tap_w * s.dilation_w / s.stride_w;
        p.right_k = {1,
                     1,
                     0,
                     plane,
                     -down * s.w_out,
                     -across,
                     0,
                     static_cast<int>(-down),
                     0,
                     static_cast<int>(-across)};
      }
      p.out_step = in, p.out_column = {1, 1, 0, s.c_in * in, s.stride_h * s.w_in, s.stride_w};
      p.left_group = s.group_out() * s.group_in() * taps, p.right_group = s.group_out() * plane;
      p.out_group = s.group_in() * in;
      break;
    case ConvPass::kWeightGrad:
      p.left = second, p.left_step = plane, p.left_k = {1, count(plane), 0, s.c_out * plane, 0, 1};
      p.left_aligned = wide(second, plane) && plane % 4 == 0;
      p.right = first, p.right_column = tap_walk(s), p.right_k = image_walk(s);
      p.out_step = p.columns, p.out_column = straight(p.columns);
      p.out_aligned = wide(out, p.columns);
      p.left_group = p.rows * plane, p.right_group = s.group_in() * in, p.out_group = p.rows * p.columns;
      break;
  }
  return p;
}

template <class T, bool add>
void planes(Stream stream, int64_t elements, int64_t channels, int64_t plane, const T* bias, T* out) {
  if (elements == 0) return;
#if DUEL_DEVICE_CODE
  const int64_t blocks = ceil_div(elements, kBlock);
  launch(planes_kernel<T, add>, dim3(count(blocks < 4096 ? blocks : 4096)), dim3(kBlock), 0, stream, elements,
         Divisor(channels), Divisor(plane), bias, out);
#else
  (void)stream, (void)channels, (void)plane, (void)bias, (void)out;
  fail("conv2d", "expected a host stream: no CUDA kernel in this build");
#endif
}

}  // namespace

template <class T>
size_t general_workspace(const ConvShape& s, ConvPass pass, bool dy_sums) {
  const Cut cut = cut_of<T>(s, pass);
  const Extent e = extent_of(s, pass);
  const int64_t of_part = s.groups * e.rows * (e.columns + (dy_sums ? 1 : 0));
  return cut.splits > 1 ? static_cast<size_t>(cut.splits * of_part) * sizeof(T) : 0;
}

template <class T>
bool general_conv(Stream stream, const ConvShape& s, ConvPass pass, const T* first, const T* second,
                  const T* bias, T* out, void* workspace, const Finish<T>& finish, T* dy_sums) {
  constexpr int64_t kLimit = int64_t{1} << 31;
  const Cut cut = cut_of<T>(s, pass);
  const Extent e = extent_of(s, pass);
  const Phases phase = pass == ConvPass::kInputGrad ? phases(s) : Phases{};
  const int64_t blocks = cut.tiles(e.rows, e.columns) * phase.down * phase.across;
  DUEL_CHECK(
      e.columns < kLimit && e.k < kLimit && blocks < kLimit && s.h_in < kLimit / 4 && s.w_in < kLimit / 4,
      "conv2d", "expected fewer than 2^31 pixels and terms for one launch, got {} and {}", e.columns, e.k);
  DUEL_CHECK(s.groups <= 65535, "conv2d", "expected at most 65535 groups on a GPU, got {}", s.groups);
  // A smooth activation is the caller's.
  const bool finishes = finish.f.second_is_zero();
  if (!finishes && out == nullptr) out = finish.value;
  Product<T> p = product_of(s, pass, first, second, bias, out);
  T* const parts = cut.splits > 1 ? static_cast<T*>(workspace) : nullptr;
  if (parts) p.out_aligned = wide(parts, e.columns);
  const Finish<T> now = finishes ? finish : Finish<T>();
  p.out_aligned = p.out_aligned && wide(now.slope_at, 0) && wide(now.value, 0);
#if DUEL_DEVICE_CODE
  unsigned* const tickets = parts ? tickets_for(stream, blocks * s.groups) : nullptr;
  const bool whole = !parts || tickets != nullptr;
  if (!whole) dy_sums = nullptr;  // the caller's
  T* const dy_parts = parts ? parts + cut.splits * s.groups * e.rows * e.columns : nullptr;
  with_tile<T>(cut, [&](auto tile) {
    using Tile = decltype(tile);
    constexpr bool kCan = Tile::kTensor;  // other tiles are the reference
    const bool again = kCan && repeats(s, pass);
    if (pass == ConvPass::kInputGrad) {
      launch(again ? conv_input_grad_kernel<T, Tile, kCan> : conv_input_grad_kernel<T, Tile, false>,
             dim3(count(blocks), 1, count(s.groups)), dim3(Tile::kThreads), 0, stream, p, s,
             cut.tiles(e.rows, e.columns), phase.across, now);
    } else {
      launch(dy_sums ? conv_kernel<T, Tile, true, false>
             : again ? conv_kernel<T, Tile, false, kCan>
                     : conv_kernel<T, Tile, false, false>,
             dim3(count(blocks), count(cut.splits), count(s.groups)), dim3(Tile::kThreads), 0, stream, p,
             cut.depth, parts, tickets, now, dy_parts, dy_sums);
    }
  });
  if (!whole) add_parts<T>(stream, s.groups * e.rows, e.columns, cut.splits, parts, T(1), nullptr, T(0), out);
  return whole && finishes;
#else
  (void)stream, (void)p, (void)now, (void)dy_sums;
  fail("conv2d", "expected a host stream: no CUDA kernel in this build");
#endif
}

template <class T>
void fill_planes(Stream stream, int64_t n, int64_t channels, int64_t plane, const T* bias, T* out) {
  planes<T, false>(stream, n * channels * plane, channels, plane, bias, out);
}

template <class T>
void add_bias(Stream stream, int64_t n, int64_t channels, int64_t plane, const T* bias, T* out) {
  planes<T, true>(stream, n * channels * plane, channels, plane, bias, out);
}

#define DUEL_INSTANTIATE(T)                                                                                  \
  template size_t general_workspace<T>(const ConvShape&, ConvPass, bool);                                    \
  template bool general_conv<T>(Stream, const ConvShape&, ConvPass, const T*, const T*, const T*, T*, void*, \
                                const Finish<T>&, T*);                                                       \
  template void fill_planes<T>(Stream, int64_t, int64_t, int64_t, const T*, T*);                             \
  template void add_bias<T>(Stream, int64_t, int64_t, int64_t, const T*, T*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels::device
