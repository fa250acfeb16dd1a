// The only file that knows which compiler is reading. Every other kernel source is written once and
// compiled three ways:
//
//   CPU build    g++            host loops only                      DUEL_DEVICE_CODE == 0
//   CUDA build   nvcc           host loops and __global__ kernels    DUEL_DEVICE_CODE == 1
//   SIMT tests   g++ + tests/simt   the same __global__ kernels, thread by thread
//
// A formula is a DUEL_HD functor; a launcher takes a Stream and decides by stream.on_device().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define DUEL_DEVICE_CODE 1
#define DUEL_HD __host__ __device__ __forceinline__
#elif defined(DUEL_SIMT)
#include "simt/host_cuda.h"
#define DUEL_DEVICE_CODE 1
#define DUEL_HD inline __attribute__((always_inline))
#else
#define DUEL_DEVICE_CODE 0
#define DUEL_HD inline __attribute__((always_inline))
#endif

#define DUEL_RESTRICT __restrict__

// Loops over independent elements: tells the compiler that iterations do not touch each other.
#define DUEL_SIMD _Pragma("omp simd")
// The same where each iteration adds to one variable, in any order.
#define DUEL_PRAGMA(text) _Pragma(#text)
#define DUEL_SIMD_SUM(sum) DUEL_PRAGMA(omp simd reduction(+ : sum))

#include "duel/kernels/base/error.h"

namespace duel::kernels {

/// Counters that a stream of runtime::create_stream() has: Note [Tickets] in lanes.cuh.
inline constexpr int kTickets = 4096;

/// Where a launcher works: the host (default), or an opaque cudaStream_t of the current device.
class Stream {
 public:
  constexpr Stream() = default;
  /// `tickets`: kTickets zeros in the device's memory that no other stream has, or null.
  static constexpr Stream device(void* handle, unsigned* tickets = nullptr) {
    return Stream(handle, true, tickets);
  }
  constexpr bool on_device() const { return on_device_; }
  constexpr void* handle() const { return handle_; }
  constexpr unsigned* tickets() const { return tickets_; }

 private:
  constexpr Stream(void* handle, bool on_device, unsigned* tickets)
      : handle_(handle), tickets_(tickets), on_device_(on_device) {}
  void* handle_ = nullptr;
  unsigned* tickets_ = nullptr;
  bool on_device_ = false;
};

/// Throws Error for a failed call of the CUDA runtime: its name and text, the call, what to do. Defined in
/// runtime.cu.
[[noreturn]] void cuda_failure(int status, const std::string& call);

#if defined(__CUDACC__)
namespace runtime {
bool early_launch();  // runtime.h
}

/// Starts a __global__ function on the stream and checks the launch. Never allocates or synchronises, so
/// every launcher can be captured in a CUDA graph. Arguments are converted to the kernel's own types. The kernel
/// calls begin_kernel() first.
template <class... Params, class... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared_bytes, Stream stream,
            Args... args) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream.handle());
  cudaLaunchAttribute early{};
  if (runtime::early_launch()) {
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    config.attrs = &early;
    config.numAttrs = 1;
  }
  const cudaError_t status = cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...);
  if (status != cudaSuccess) {
    cuda_failure(static_cast<int>(status),
                 message("launch (grid {}, block {}, {} bytes shared)", static_cast<int64_t>(grid.x),
                         static_cast<int64_t>(block.x), static_cast<int64_t>(shared_bytes)));
  }
}

// Note [Kernels that start early]
// Where $DUEL_EARLY_LAUNCH=1 a kernel is started while the one before it in the stream still runs (programmatic dependent
// launch, from compute capability 9.0 on): the time that a start takes is over when it is needed. So the first thing that
// every kernel does is begin_kernel(): it waits until the kernel before has ended and what it wrote is seen, then lets the next
// one start. A kernel that touches global memory before would race with the one before it; tests/ptx/ checks that none does.

/// First in every kernel.
__device__ __forceinline__ void begin_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Note [Tensor cores]
// A warp multiplies 16 x 8 by 8 x 8 numbers at once. Lane l = 4 g + t, t < 4, holds of the left factor the rows g and g + 8
// in the columns t (a[0], a[1]) and t + 4 (a[2], a[3]); of the right one column g in the rows t and t + 4; of the sums the rows
// g (the first two) and g + 8 in the columns 2 t and 2 t + 1. (PTX ISA, mma.m16n8k8 with .tf32.) GPUs before compute
// capability 8.0 have none for these types: tensor_cores() in linear/device_library.h. How a GPU rounds the sum of eight products
// is its own.

/// Rounded to 10 bits of mantissa, to nearest, ties away from 0.
__device__ __forceinline__ unsigned to_tf32(float x) {
  unsigned rounded = 0;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
#else
  (void)x;
  __trap();
#endif
  return rounded;
}

/// sums += a b, by all lanes of a warp.
__device__ __forceinline__ void multiply_add_tf32(float (&sums)[4], const unsigned (&a)[4],
                                                  const unsigned (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  (void)sums, (void)a, (void)b;
  __trap();
#endif
}

/// Starts to copy kBytes (4, 8 or 16, the alignment of both addresses) from global to shared memory, or zeros where not
/// `exists`. Another thread finds them there after wait_for_copies() of this one and a barrier.
template <int kBytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global, bool exists) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
               :
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))), "l"(global), "n"(kBytes),
                 "r"(exists ? kBytes : 0)
               : "memory");
#else
  (void)shared, (void)global, (void)exists;
  __trap();
#endif
}
/// What this thread has started since the last call is a group.
__device__ __forceinline__ void end_group_of_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/// Until all groups of this thread but the latest kLeft are done.
template <int kLeft>
__device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#endif
}

#define DUEL_DYNAMIC_SHARED(T, name)                          \
  extern __shared__ __align__(16) unsigned char name##_raw[]; \
  T* name = reinterpret_cast<T*>(name##_raw)
#endif

}  // namespace duel::kernels
