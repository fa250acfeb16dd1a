// Right kernels of the harness's tests.
#include "harness_kernels.h"

namespace duel::simt {
using kernels::launch;
namespace {

__global__ void block_sum_kernel(int64_t n, const float* x, float* y) {
  __shared__ float lanes[128];
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  lanes[threadIdx.x] = i < n ? x[i] : 0.0f;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) lanes[threadIdx.x] += lanes[threadIdx.x + half];
  }
  if (threadIdx.x == 0) y[blockIdx.x] = lanes[0];
}

__global__ void scan_kernel(int n, const int* x, int* y) {
  __shared__ int values[2][256];
  const int i = static_cast<int>(threadIdx.x);
  int from = 0;
  values[0][i] = i < n ? x[i] : 0;
  __syncthreads();
  for (int step = 1; step < 256; step *= 2) {
    values[1 - from][i] = values[from][i] + (i >= step ? values[from][i - step] : 0);
    from = 1 - from;
    __syncthreads();
  }
  if (i < n) y[i] = values[from][i];
}

__global__ void transpose_kernel(int rows, int cols, const double* x, double* y) {
  __shared__ double tile[16][17];
  const int r0 = static_cast<int>(blockIdx.y) * 16, c0 = static_cast<int>(blockIdx.x) * 16;
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  if (r0 + ty < rows && c0 + tx < cols) tile[ty][tx] = x[(r0 + ty) * cols + c0 + tx];
  __syncthreads();
  if (c0 + ty < cols && r0 + tx < rows) y[(c0 + ty) * rows + r0 + tx] = tile[tx][ty];
}

__global__ void warp_sum_kernel(const int* x, int* y) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  int sum = x[i];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0) y[i / 32] = sum;
}

__global__ void dynamic_reverse_kernel(int n, const float* x, float* y) {
  DUEL_DYNAMIC_SHARED(float, values);
  const int i = static_cast<int>(threadIdx.x);
  values[i] = x[i];
  __syncthreads();
  y[i] = values[n - 1 - i];
}

__global__ void vector_copy_kernel(int64_t n, const float* x, float* y) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const bool aligned = (reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(y)) % 16 == 0;
  if (aligned && 4 * i + 3 < n) {
    const float4 v = __ldg(reinterpret_cast<const float4*>(x) + i);
    __stcs(reinterpret_cast<float4*>(y) + i, v);
  } else {
    for (int64_t k = 4 * i; k < 4 * i + 4 && k < n; ++k) y[k] = x[k];
  }
}

__global__ void last_block_sum_kernel(const int* x, int* partial, unsigned* counter, int* y) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = 2 * x[blockIdx.x];
    __threadfence();
    last = atomicInc(counter, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  int sum = 0;
  for (unsigned b = 0; b < gridDim.x; ++b) sum += partial[b];
  *y = sum;
}

__global__ void votes_kernel(const int* x, unsigned* y) {
  const unsigned all = 0xffffffffu;
  const int v = x[threadIdx.x];
  unsigned* to = y + 12 * threadIdx.x;
  to[0] = __ballot_sync(all, v & 1);
  to[1] = static_cast<unsigned>(__any_sync(all, v == 7));
  to[2] = static_cast<unsigned>(__all_sync(all, v >= 0));
  to[3] = __match_any_sync(all, v % 3);
  to[4] = __reduce_add_sync(all, static_cast<unsigned>(v));
  to[5] = static_cast<unsigned>(__reduce_min_sync(all, v - 10));
  to[6] = static_cast<unsigned>(__reduce_max_sync(all, v - 10));
  to[7] = __reduce_and_sync(all, static_cast<unsigned>(v) | 64u);
  to[8] = __reduce_or_sync(all, static_cast<unsigned>(v));
  to[9] = __reduce_xor_sync(all, static_cast<unsigned>(v));
  to[10] = __match_any_sync(all, static_cast<double>(v / 16));
  to[11] = static_cast<unsigned>(__all_sync(all, v < 31));
}

__global__ void half_warps_kernel(const int* x, int* y) {
  const int i = static_cast<int>(threadIdx.x);
  int sum = x[i];
  if (i < 16) {
    for (int offset = 8; offset > 0; offset /= 2) sum += __shfl_xor_sync(0x0000ffffu, sum, offset);
  } else {
    for (int offset = 8; offset > 0; offset /= 2) sum -= __shfl_xor_sync(0xffff0000u, sum, offset);
  }
  y[i] = sum;
}

__global__ void warp_exchange_kernel(const int* x, int* y) {
  __shared__ int values[64];
  const int i = static_cast<int>(threadIdx.x);
  values[i] = x[i];
  __syncwarp();
  const int other = values[i ^ 1];
  __syncwarp();
  values[i] = other + 1;
  __syncwarp();
  y[i] = values[i ^ 31];
}

__global__ void histogram_kernel(int n, const int* x, int* bins) {
  __shared__ int local[8];
  if (threadIdx.x < 8) local[threadIdx.x] = 0;
  __syncthreads();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) atomicAdd(&local[x[i] & 7], 1);
  __syncthreads();
  if (threadIdx.x < 8) atomicAdd(&bins[threadIdx.x], local[threadIdx.x]);
}

__global__ void block_votes_kernel(const int* x, int* y) {
  const int v = x[threadIdx.x];
  y[3 * threadIdx.x] = __syncthreads_count(v > 40);
  y[3 * threadIdx.x + 1] = __syncthreads_and(v >= 0);
  y[3 * threadIdx.x + 2] = __syncthreads_or(v == 1000);
}

__global__ void shuffles_kernel(const int* x, int* y) {
  const unsigned all = 0xffffffffu;
  const int v = x[threadIdx.x];
  int* to = y + 8 * threadIdx.x;
  to[0] = __shfl_sync(all, v, 35);
  to[1] = __shfl_sync(all, v, 5, 8);
  to[2] = __shfl_up_sync(all, v, 3);
  to[3] = __shfl_up_sync(all, v, 3, 8);
  to[4] = __shfl_down_sync(all, v, 3);
  to[5] = __shfl_down_sync(all, v, 3, 8);
  to[6] = __shfl_xor_sync(all, v, 9, 8);
  to[7] = static_cast<int>(__shfl_xor_sync(all, 1.5 * v, 17) * 2);
}

__global__ void grid_index_kernel(int* y) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  y[block * 24 + thread] = static_cast<int>(block * 100 + thread);
}

}  // namespace

void block_sum(Stream stream, int64_t n, const float* x, float* y) {
  launch(block_sum_kernel, dim3(static_cast<unsigned>((n + 127) / 128)), dim3(128), 0, stream, n, x, y);
}
void scan(Stream stream, int n, const int* x, int* y) {
  launch(scan_kernel, dim3(1), dim3(256), 0, stream, n, x, y);
}
void transpose(Stream stream, int rows, int cols, const double* x, double* y) {
  const dim3 grid(static_cast<unsigned>((cols + 15) / 16), static_cast<unsigned>((rows + 15) / 16));
  launch(transpose_kernel, grid, dim3(16, 16), 0, stream, rows, cols, x, y);
}
void warp_sum(Stream stream, int warps, const int* x, int* y) {
  launch(warp_sum_kernel, dim3(static_cast<unsigned>(warps / 2)), dim3(64), 0, stream, x, y);
}
void dynamic_reverse(Stream stream, int n, const float* x, float* y) {
  launch(dynamic_reverse_kernel, dim3(1), dim3(static_cast<unsigned>(n)),
         static_cast<size_t>(n) * sizeof(float), stream, n, x, y);
}
void vector_copy(Stream stream, int64_t n, const float* x, float* y) {
  launch(vector_copy_kernel, dim3(static_cast<unsigned>((n + 127) / 128)), dim3(32), 0, stream, n, x, y);
}
void last_block_sum(Stream stream, int blocks, const int* x, int* partial, unsigned* counter, int* y) {
  launch(last_block_sum_kernel, dim3(static_cast<unsigned>(blocks)), dim3(32), 0, stream, x, partial, counter,
         y);
}
void votes(Stream stream, const int* x, unsigned* y) {
  launch(votes_kernel, dim3(1), dim3(32), 0, stream, x, y);
}
void half_warps(Stream stream, const int* x, int* y) {
  launch(half_warps_kernel, dim3(1), dim3(32), 0, stream, x, y);
}
void warp_exchange(Stream stream, const int* x, int* y) {
  launch(warp_exchange_kernel, dim3(1), dim3(64), 0, stream, x, y);
}
void histogram(Stream stream, int n, const int* x, int* bins) {
  launch(histogram_kernel, dim3(static_cast<unsigned>((n + 63) / 64)), dim3(64), 0, stream, n, x, bins);
}
void block_votes(Stream stream, const int* x, int* y) {
  launch(block_votes_kernel, dim3(1), dim3(64), 0, stream, x, y);
}
void shuffles(Stream stream, const int* x, int* y) {
  launch(shuffles_kernel, dim3(1), dim3(32), 0, stream, x, y);
}
void grid_index(Stream stream, int* y) {
  launch(grid_index_kernel, dim3(3, 2, 2), dim3(4, 3, 2), 0, stream, y);
}

}  // namespace duel::simt
