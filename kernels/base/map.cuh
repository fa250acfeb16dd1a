// The element-wise pattern, written once for host and device: y[i] = f(x0[i], x1[i], …).
// For the .cu files of element-wise families, Duel's and a user's.
//
// Example:
//   struct Axpy { float a; DUEL_HD float operator()(float x, float y) const { return a * x + y; } };
//   map(stream, n, Axpy{2.0f}, y, x, y);
#pragma once

#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// Items of one host range: small enough to share, large enough that claiming a range costs nothing.
inline constexpr int64_t kMapGrain = 16384;

#if DUEL_DEVICE_CODE
inline constexpr int kMapBlock = 256;

/// W neighbours that travel in one access.
template <class T, int W>
struct alignas(W * sizeof(T)) Packed {
  T v[W];
};

template <int W, class T>
__device__ Packed<T, W> load_packed(const T* from, int64_t at) {
  return reinterpret_cast<const Packed<T, W>*>(from)[at];
}

template <int W, class F, class Out, class... In>
__device__ void map_packed(const F& f, Out* out, int64_t at, const Packed<In, W>&... x) {
  Packed<Out, W> y;
#pragma unroll
  for (int k = 0; k < W; ++k) y.v[k] = f(x.v[k]...);
  reinterpret_cast<Packed<Out, W>*>(out)[at] = y;
}

// Two packs of every input are under way at once: that, and 16 bytes an access, is what fills the memory's
// pipeline.
template <int W, class F, class Out, class... In>
__global__ void map_kernel(int64_t n, F f, Out* out, const In*... in) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x, packs = n / W;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  int64_t p = first;
  for (; p + stride < packs; p += 2 * stride) {
    const int64_t q = p + stride;
    const auto load_second = [&](const Packed<In, W>&... x) {
      const auto store_both = [&](const Packed<In, W>&... y) {
        map_packed<W, F, Out, In...>(f, out, p, x...);
        map_packed<W, F, Out, In...>(f, out, q, y...);
      };
      store_both(load_packed<W>(in, q)...);
    };
    load_second(load_packed<W>(in, p)...);
  }
  if (p < packs) map_packed<W, F, Out, In...>(f, out, p, load_packed<W>(in, p)...);
  const int64_t rest = packs * W + first;
  if (rest < n) out[rest] = f(in[rest]...);
}

/// Blocks for n independent items: enough to fill the chip, the rest by striding.
inline unsigned map_blocks(int64_t n) {
  const int64_t blocks = (n + kMapBlock - 1) / kMapBlock;
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks < 4096 ? blocks : 4096);
}

template <int W, class F, class Out, class... In>
void launch_map(Stream stream, int64_t n, F f, Out* out, const In*... in) {
  launch(map_kernel<W, F, Out, In...>, dim3(map_blocks((n + 2 * W - 1) / (2 * W))), dim3(kMapBlock), 0,
         stream, n, f, out, in...);
}

#endif

/// The host's part [begin, end). Everything comes by value: a byte that is written through a captured pointer
/// could be the captured pointer's own, and then no loop over bytes vectorises.
template <class F, class Out, class... In>
inline void map_range(int64_t begin, int64_t end, F f, Out* out, const In*... in) {
  DUEL_SIMD
  for (int64_t i = begin; i < end; ++i) out[i] = f(in[i]...);
}

/// out may be one of the inputs (same index), no other overlap.
template <class F, class Out, class... In>
void map(Stream stream, int64_t n, F f, Out* out, const In*... in) {
  if (n <= 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    constexpr int kWide = 16 / static_cast<int>(std::max({sizeof(Out), sizeof(In)...}));
    const auto aligned = [](const auto* p) {
      return reinterpret_cast<uintptr_t>(p) % (kWide * sizeof(*p)) == 0;
    };
    if (aligned(out) && (aligned(in) && ...)) {
      launch_map<kWide>(stream, n, f, out, in...);
    } else {
      launch_map<1>(stream, n, f, out, in...);
    }
    return;
  }
#endif
  (void)stream;
  parallel_for(n, kMapGrain, [&](int64_t begin, int64_t end) { map_range(begin, end, f, out, in...); });
}

}  // namespace duel::kernels
