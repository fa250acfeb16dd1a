// The element-wise pattern, written once for host and device: y[i] = f(x0[i], x1[i], …).
// Internal to kernels/: included by the .cu files of element-wise families.
//
// Example:
//   struct Axpy { float a; DUEL_HD float operator()(float x, float y) const { return a * x + y; } };
//   map(stream, n, Axpy{2.0f}, y, x, y);
#pragma once

#include "duel/kernels/parallel.h"
#include "duel/kernels/platform.h"

namespace duel::kernels {

/// Items of one host range: small enough to share, large enough that claiming a range costs nothing.
inline constexpr int64_t kMapGrain = 16384;

#if DUEL_DEVICE_CODE
inline constexpr int kMapBlock = 256;

template <class F, class Out, class... In>
__global__ void map_kernel(int64_t n, F f, Out* out, const In*... in) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    out[i] = f(in[i]...);
  }
}

/// Blocks for n independent items: enough to fill the chip, the rest by striding.
inline unsigned map_blocks(int64_t n) {
  const int64_t blocks = (n + kMapBlock - 1) / kMapBlock;
  return static_cast<unsigned>(blocks < 4096 ? blocks : 4096);
}
#endif

/// out may be one of the inputs (same index), no other overlap.
template <class F, class Out, class... In>
void map(Stream stream, int64_t n, F f, Out* out, const In*... in) {
  if (n <= 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(map_kernel<F, Out, In...>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, f, out, in...);
    return;
  }
#endif
  (void)stream;
  parallel_for(n, kMapGrain, [&](int64_t begin, int64_t end) {
    DUEL_SIMD
    for (int64_t i = begin; i < end; ++i) out[i] = f(in[i]...);
  });
}

}  // namespace duel::kernels
