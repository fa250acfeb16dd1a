// Kernels with one mistake each: see the comment at the line that harness_test.cpp expects to be named.
#include <cstring>

#include "harness_kernels.h"

namespace duel::simt {
using kernels::launch;
namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void missing_barrier_kernel(const float* x, float* y) {
  __shared__ float values[64];
  values[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = values[63 - threadIdx.x];  // MISTAKE missing_barrier
}

/// The first step of the tree is behind a barrier, the others are not.
__global__ void missing_loop_barrier_kernel(const float* x, float* y) {
  __shared__ float values[64];
  values[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  for (unsigned half = 32; half > 0; half /= 2) {
    if (threadIdx.x < half)
      values[threadIdx.x] += values[threadIdx.x + half];  // MISTAKE missing_loop_barrier
  }
  if (threadIdx.x == 0) *y = values[0];
}

__global__ void write_race_kernel(float* y) {
  __shared__ float value;
  value = static_cast<float>(threadIdx.x);  // MISTAKE write_race
  __syncthreads();
  y[threadIdx.x] = value;
}

/// A shuffle is no __syncwarp.
__global__ void warp_race_kernel(const float* x, float* y) {
  __shared__ float values[32];
  values[threadIdx.x] = x[threadIdx.x];
  const float other = __shfl_xor_sync(kAll, x[threadIdx.x], 1);
  y[threadIdx.x] = other + values[threadIdx.x ^ 1];  // MISTAKE warp_race
}

__global__ void atomic_and_plain_kernel(int* y) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  y[threadIdx.x] = count;  // MISTAKE atomic_and_plain
  atomicAdd(&count, 1);
}

__global__ void divergent_barrier_kernel(int* y) {
  if (threadIdx.x % 2 == 0) {
    y[threadIdx.x] = 0;
    __syncthreads();
  } else {
    y[threadIdx.x] = 1;
    __syncthreads();  // MISTAKE divergent_barrier
  }
}

/// The same barrier in the same function, but called from two places.
__attribute__((noinline)) void meet() { __syncthreads(); }
__global__ void divergent_calls_kernel(int* y) {
  if (threadIdx.x < 32) {
    meet();
    y[threadIdx.x] = 0;
  } else {
    meet();  // MISTAKE divergent_calls
    y[threadIdx.x] = 1;
  }
}

__global__ void skipped_barrier_kernel(int* y) {
  y[threadIdx.x] = 1;
  if (threadIdx.x >= 48) return;
  __syncthreads();  // MISTAKE skipped_barrier
}

__global__ void divergent_shuffle_kernel(const int* x, int* y) {
  int sum = x[threadIdx.x];
  if (threadIdx.x % 32 < 16) {
    sum += __shfl_xor_sync(kAll, sum, 1);
  } else {
    sum -= __shfl_xor_sync(kAll, sum, 1);  // MISTAKE divergent_shuffle
  }
  y[threadIdx.x] = sum;
}

__global__ void differing_masks_kernel(const int* x, int* y) {
  const unsigned mask = threadIdx.x < 16 ? kAll : 0xffff0001u;
  y[threadIdx.x] = __shfl_sync(mask, x[threadIdx.x], 0);  // MISTAKE differing_masks
}

__global__ void exited_lane_kernel(const int* x, int* y) {
  y[threadIdx.x] = 0;
  if (threadIdx.x >= 20) return;
  y[threadIdx.x] = __shfl_down_sync(kAll, x[threadIdx.x], 1);  // MISTAKE exited_lane
}

__global__ void partial_warp_kernel(const int* x, int* y) {
  y[threadIdx.x] = __shfl_down_sync(kAll, x[threadIdx.x], 1);  // MISTAKE partial_warp
}

__global__ void lane_not_in_mask_kernel(const int* x, int* y) {
  y[threadIdx.x] = __shfl_sync(0x0000ffffu, x[threadIdx.x], 0);  // MISTAKE lane_not_in_mask
}

__global__ void bad_source_lane_kernel(const int* x, int* y) {
  y[threadIdx.x] = 0;
  if (threadIdx.x < 16)
    y[threadIdx.x] = __shfl_sync(0x0000ffffu, x[threadIdx.x], 20);  // MISTAKE bad_source_lane
}

__global__ void barrier_against_shuffle_kernel(const int* x, int* y) {
  if (threadIdx.x == 5) __syncthreads();
  y[threadIdx.x] = __shfl_xor_sync(kAll, x[threadIdx.x], 1);  // MISTAKE barrier_against_shuffle
  if (threadIdx.x != 5) __syncthreads();
}

__global__ void read_past_end_kernel(int n, const float* x, float* y) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < n) y[i] = x[i] + x[i + 1];  // MISTAKE read_past_end
}

__global__ void read_before_begin_kernel(int n, const float* x, float* y) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < n) y[i] = x[i] + x[i - 1];  // MISTAKE read_before_begin
}

__global__ void write_past_end_kernel(int n, float* y) {
  const int i = static_cast<int>(threadIdx.x);
  if (i <= n) y[i] = 1.0f;  // MISTAKE write_past_end
}

__global__ void null_pointer_kernel(float* y, const float* x) {
  y[threadIdx.x] = x[threadIdx.x];  // MISTAKE null_pointer
}

__global__ void misaligned_vector_kernel(const float* x, float* y) {
  const float4 v = reinterpret_cast<const float4*>(x)[threadIdx.x];  // MISTAKE misaligned_vector
  y[threadIdx.x] = v.x + v.y + v.z + v.w;
}

__global__ void misaligned_double_kernel(const char* x, double* y) {
  y[threadIdx.x] = *reinterpret_cast<const double*>(x + 4 + 8 * threadIdx.x);  // MISTAKE misaligned_double
}

__global__ void write_to_input_kernel(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];
  const_cast<float*>(x)[threadIdx.x] = 0.0f;  // MISTAKE write_to_input
}

__global__ void uninitialised_static_kernel(float* y) {
  __shared__ float values[33];
  values[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = values[threadIdx.x + 1];  // MISTAKE uninitialised_static
}

__global__ void uninitialised_dynamic_kernel(float* y) {
  DUEL_DYNAMIC_SHARED(float, values);
  if (threadIdx.x != 7) values[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = values[threadIdx.x];  // MISTAKE uninitialised_dynamic
}

__global__ void uninitialised_scratch_kernel(float* scratch, float* y) {
  if (threadIdx.x > 0) scratch[threadIdx.x] = 2.0f;
  y[threadIdx.x] = scratch[threadIdx.x];  // MISTAKE uninitialised_scratch
}

__global__ void past_dynamic_shared_kernel(float* y) {
  DUEL_DYNAMIC_SHARED(float, values);
  values[threadIdx.x + 1] = 1.0f;  // MISTAKE past_dynamic_shared
  y[threadIdx.x] = 1.0f;
}

/// Shared memory does not outlive its block, even where the next one finds the same bytes.
__global__ void static_shared_of_other_block_kernel(int* y) {
  __shared__ int value;
  if (blockIdx.x == 1) value = 5;
  y[blockIdx.x] = blockIdx.x == 1 ? 0 : value;  // MISTAKE static_shared_of_other_block
}

__global__ void float_atomics_kernel(int n, const float* x, float* y) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) atomicAdd(y, x[i]);
}

__global__ void waits_for_other_block_kernel(int* flags, int* y) {
  const unsigned next = (blockIdx.x + 1) % gridDim.x;
  atomicExch(&flags[blockIdx.x], 1);
  while (atomicAdd(&flags[next], 0) == 0) {  // MISTAKE waits_for_other_block
  }
  y[blockIdx.x] = 1;
}

/// Each thread reads what its neighbour replaces: in global memory, so only the order shows it.
__global__ void neighbour_in_place_kernel(int n, float* y) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i + 1 < n) y[i] += y[i + 1];
}

__global__ void unwritten_output_kernel(int n, float* y) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n - 1) y[i] = 1.0f;
}

/// The C library's memset is not watched; the guard bytes are.
__global__ void unseen_write_kernel(int n, float* y, size_t extra) {
  for (int i = 0; i < n; ++i) y[i] = 0.0f;
  std::memset(y, 0, static_cast<size_t>(n) * sizeof(float) + extra);
}

__attribute__((noinline)) int deep(int level, volatile int* keep) {
  volatile int frame[256];
  for (int k = 0; k < 256; ++k) frame[k] = level + k;
  return level == 0 ? frame[*keep & 255] : deep(level - 1, frame) + frame[3];  // MISTAKE stack_hog
}
__global__ void stack_hog_kernel(int* y) {
  volatile int zero = 0;
  y[threadIdx.x] = deep(1000, &zero);
}

__global__ void divides_by_zero_kernel(const int* x, int* y) {
  y[threadIdx.x] = 7 / x[threadIdx.x];  // MISTAKE divides_by_zero
}

__global__ void other_threads_local_kernel(int* y) {
  __shared__ int* pointer;
  volatile int own = static_cast<int>(threadIdx.x);
  if (threadIdx.x == 3) pointer = const_cast<int*>(&own);
  __syncthreads();
  y[threadIdx.x] = *pointer + own;  // MISTAKE other_threads_local
  __syncthreads();
}

__global__ void nothing_kernel(int* y) { *y = 0; }

__device__ __forceinline__ void start_copy(float* to, const float* from) {
  kernels::copy_async<4>(to, from, true);
  kernels::end_group_of_copies();
}

__global__ void copy_read_too_soon_kernel(const float* x, float* y) {
  __shared__ float room[64];
  start_copy(room + threadIdx.x, x + threadIdx.x);
  kernels::wait_for_copies<1>();
  y[threadIdx.x] = room[threadIdx.x];  // MISTAKE copy_read_too_soon
}

__global__ void copy_without_barrier_kernel(const float* x, float* y) {
  __shared__ float room[32];
  start_copy(room + threadIdx.x, x + threadIdx.x);
  kernels::wait_for_copies<0>();
  y[threadIdx.x] = room[threadIdx.x / 2 * 2];  // MISTAKE copy_without_barrier
}

__global__ void copy_over_readers_kernel(const float* x, float* y) {
  __shared__ float room[64];
  start_copy(room + threadIdx.x, x + threadIdx.x);
  kernels::wait_for_copies<0>();
  __syncthreads();
  // A lane that is behind finds a copy started here.
  y[threadIdx.x] = room[threadIdx.x ^ 1];  // MISTAKE copy_over_readers
  kernels::copy_async<4>(room + threadIdx.x, x, true);
}

__global__ void copy_past_input_kernel(const float* x, float* y) {
  __shared__ float room[64];
  y[threadIdx.x] = 0;
  kernels::copy_async<4>(room + threadIdx.x, x + threadIdx.x + 1, true);  // MISTAKE copy_past_input
}

__global__ void copy_misaligned_kernel(const float* x, float* y) {
  alignas(16) __shared__ float room[64];
  y[threadIdx.x] = 0;
  kernels::copy_async<16>(room, x + 1, true);  // MISTAKE copy_misaligned
}

__global__ void copy_to_no_shared_kernel(const float* x, float* y) {
  y[threadIdx.x] = 0;
  kernels::copy_async<4>(y + threadIdx.x, x + threadIdx.x, true);  // MISTAKE copy_to_no_shared
}

__global__ void product_of_a_part_kernel(const float* x, float* y) {
  float sums[4] = {};
  const unsigned a[4] = {}, b[2] = {};
  y[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x == 3) return;
  kernels::multiply_add_tf32(sums, a, b);  // MISTAKE product_of_a_part
}

}  // namespace

#define DUEL_ONE_BLOCK(name, threads, shared, parameters, ...) \
  void name parameters { launch(name##_kernel, dim3(1), dim3(threads), shared, stream, __VA_ARGS__); }
DUEL_ONE_BLOCK(missing_barrier, 64, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(missing_loop_barrier, 64, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(write_race, 64, 0, (Stream stream, float* y), y)
DUEL_ONE_BLOCK(warp_race, 32, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(atomic_and_plain, 32, 0, (Stream stream, int* y), y)
DUEL_ONE_BLOCK(divergent_barrier, 64, 0, (Stream stream, int* y), y)
DUEL_ONE_BLOCK(divergent_calls, 64, 0, (Stream stream, int* y), y)
DUEL_ONE_BLOCK(skipped_barrier, 64, 0, (Stream stream, int* y), y)
DUEL_ONE_BLOCK(divergent_shuffle, 32, 0, (Stream stream, const int* x, int* y), x, y)
DUEL_ONE_BLOCK(differing_masks, 32, 0, (Stream stream, const int* x, int* y), x, y)
DUEL_ONE_BLOCK(exited_lane, 32, 0, (Stream stream, const int* x, int* y), x, y)
DUEL_ONE_BLOCK(partial_warp, 40, 0, (Stream stream, const int* x, int* y), x, y)
DUEL_ONE_BLOCK(lane_not_in_mask, 32, 0, (Stream stream, const int* x, int* y), x, y)
DUEL_ONE_BLOCK(bad_source_lane, 32, 0, (Stream stream, const int* x, int* y), x, y)
DUEL_ONE_BLOCK(barrier_against_shuffle, 32, 0, (Stream stream, const int* x, int* y), x, y)
DUEL_ONE_BLOCK(read_past_end, 32, 0, (Stream stream, int n, const float* x, float* y), n, x, y)
DUEL_ONE_BLOCK(read_before_begin, 32, 0, (Stream stream, int n, const float* x, float* y), n, x, y)
DUEL_ONE_BLOCK(write_past_end, 32, 0, (Stream stream, int n, float* y), n, y)
DUEL_ONE_BLOCK(null_pointer, 32, 0, (Stream stream, float* y), y, nullptr)
DUEL_ONE_BLOCK(misaligned_vector, 8, 0, (Stream stream, const float* x, float* y), x + 1, y)
DUEL_ONE_BLOCK(misaligned_double, 8, 0, (Stream stream, const char* x, double* y), x, y)
DUEL_ONE_BLOCK(write_to_input, 8, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(uninitialised_static, 32, 0, (Stream stream, float* y), y)
DUEL_ONE_BLOCK(uninitialised_dynamic, 32, 32 * sizeof(float), (Stream stream, float* y), y)
DUEL_ONE_BLOCK(uninitialised_scratch, 32, 0, (Stream stream, float* scratch, float* y), scratch, y)
DUEL_ONE_BLOCK(past_dynamic_shared, 32, 32 * sizeof(float), (Stream stream, float* y), y)
DUEL_ONE_BLOCK(copy_read_too_soon, 64, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(copy_without_barrier, 32, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(copy_over_readers, 64, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(copy_past_input, 64, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(copy_misaligned, 64, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(copy_to_no_shared, 64, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(product_of_a_part, 32, 0, (Stream stream, const float* x, float* y), x, y)
DUEL_ONE_BLOCK(stack_hog, 2, 0, (Stream stream, int* y), y)
DUEL_ONE_BLOCK(divides_by_zero, 8, 0, (Stream stream, const int* x, int* y), x, y)
DUEL_ONE_BLOCK(other_threads_local, 8, 0, (Stream stream, int* y), y)
DUEL_ONE_BLOCK(unseen_write, 1, 0, (Stream stream, int n, float* y), n, y, static_cast<size_t>(n))

void too_many_threads(Stream stream, int* y) { launch(nothing_kernel, dim3(1), dim3(1025), 0, stream, y); }
void too_much_shared(Stream stream, int* y) {
  launch(nothing_kernel, dim3(1), dim3(32), 49 * 1024, stream, y);
}
void static_shared_of_other_block(Stream stream, int* y) {
  launch(static_shared_of_other_block_kernel, dim3(3), dim3(1), 0, stream, y);
}
void float_atomics(Stream stream, int n, const float* x, float* y) {
  launch(float_atomics_kernel, dim3(static_cast<unsigned>((n + 31) / 32)), dim3(32), 0, stream, n, x, y);
}
void waits_for_other_block(Stream stream, int* flags, int* y) {
  launch(waits_for_other_block_kernel, dim3(2), dim3(1), 0, stream, flags, y);
}
void neighbour_in_place(Stream stream, int n, float* y) {
  launch(neighbour_in_place_kernel, dim3(static_cast<unsigned>((n + 31) / 32)), dim3(32), 0, stream, n, y);
}
void unwritten_output(Stream stream, int n, float* y) {
  launch(unwritten_output_kernel, dim3(static_cast<unsigned>((n + 31) / 32)), dim3(32), 0, stream, n, y);
}
void reads_on_the_host(Stream stream, const float* x, float* y) {
  const float first = x[0];  // MISTAKE reads_on_the_host
  launch(write_past_end_kernel, dim3(1), dim3(32), 0, stream, first > 0 ? 7 : 3, y);
}

}  // namespace duel::simt
