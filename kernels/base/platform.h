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
/// Starts a __global__ function on the stream and checks the launch. Never allocates or synchronises, so
/// every launcher can be captured in a CUDA graph. Arguments are converted to the kernel's own types.
template <class... Params, class... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared_bytes, Stream stream,
            Args... args) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream.handle());
  const cudaError_t status = cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...);
  if (status != cudaSuccess) {
    cuda_failure(static_cast<int>(status),
                 message("launch (grid {}, block {}, {} bytes shared)", static_cast<int64_t>(grid.x),
                         static_cast<int64_t>(block.x), static_cast<int64_t>(shared_bytes)));
  }
}
#define DUEL_DYNAMIC_SHARED(T, name)                          \
  extern __shared__ __align__(16) unsigned char name##_raw[]; \
  T* name = reinterpret_cast<T*>(name##_raw)
#endif

}  // namespace duel::kernels
