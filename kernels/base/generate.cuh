// Elements made from their own positions, written once for host and device: y[i] = f.at(i).
// Internal to kernels/: included by the .cu files of families that read elsewhere than they write.
#pragma once

#include "duel/kernels/base/map.cuh"

namespace duel::kernels {

#if DUEL_DEVICE_CODE
template <class F, class T>
__global__ void generate_kernel(int64_t n, F f, T* y) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    y[i] = f.at(i);
}
#endif

/// y[i] = f.at(i); the host claims `grain` elements at a time.
template <class F, class T>
void generate(Stream stream, int64_t n, F f, T* y, int64_t grain = kMapGrain) {
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(generate_kernel<F, T>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, f, y);
    return;
  }
#endif
  (void)stream;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = f.at(i);
  });
}

}  // namespace duel::kernels
