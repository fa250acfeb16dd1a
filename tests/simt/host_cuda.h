// The CUDA language for g++: kernels/base/platform.h includes this under DUEL_SIMT, and the same .cu files
// then run on the CPU, thread by thread, as strictly as README.md says.
//
// Every operation that another thread can see is an ordinary function of the harness. Left out on purpose:
// __activemask (a kernel must know its mask), clusters, inline PTX.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "host_runtime.h"
#include "vector_types.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) alignas(n)
#define __shared__ static thread_local

#define DUEL_DYNAMIC_SHARED(T, name) T* name = static_cast<T*>(::duel::simt::dynamic_shared())

#define threadIdx (::duel::simt::thread_index())
#define blockIdx (::duel::simt::block_index())
#define blockDim (::duel::simt::block_extent())
#define gridDim (::duel::simt::grid_extent())
#define warpSize 32

namespace duel::simt {

uint3 thread_index();
uint3 block_index();
dim3 block_extent();
dim3 grid_extent();
void* dynamic_shared();

/// Runs all blocks before it returns, or records them where the stream is captured; throws simt::Failure.
/// `thunk` is called once per CUDA thread; `pack` is Parameters::pack.
void run_grid(void (*thunk)(void*), size_t (*pack)(const void*, unsigned char*), void* arguments,
              size_t argument_bytes, const void* kernel, dim3 grid, dim3 block, size_t shared_bytes,
              bool on_device, void* stream);

// A warp operation moves 64 bits per lane. `pc` says who called.
enum class Shuffle { index, up, down, exclusive_or };
enum class Vote { ballot, any, all };
enum class Reduction { add, min, max, bit_and, bit_or, bit_xor };
uint64_t shuffle(Shuffle kind, unsigned mask, uint64_t value, int argument, int width);
uint64_t vote(Vote kind, unsigned mask, bool predicate);
uint64_t match_any(unsigned mask, uint64_t value);
uint64_t reduce(Reduction kind, unsigned mask, uint64_t value, bool is_signed);
/// One lane's part of a product of tensor cores: tensor_core.h.
void multiply_add_tf32(float* sums, const unsigned* a, const unsigned* b);
// Copies that are done when they are waited for: Note [Copies that take time] in engine.h.
void copy_async(void* shared, const void* global, int bytes, bool exists);
void end_group_of_copies();
void wait_for_copies(int left);
unsigned to_tf32(float x);

template <class T>
__forceinline__ uint64_t to_word(T value) {
  static_assert(std::is_arithmetic_v<T>, "warp operations move numbers of 4 or 8 bytes");
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  return word;
}
template <class T>
__forceinline__ T from_word(uint64_t word) {
  T value;
  std::memcpy(&value, &word, sizeof(T));
  return value;
}

template <class Function>
struct Parameters;
template <class... Params>
struct Parameters<void (*)(Params...)> {
  static_assert((std::is_trivially_copyable_v<Params> && ...), "kernel parameters are copied bit by bit");
  static_assert((sizeof(Params) + ... + 0) <= 32764, "kernel parameters are limited to 32,764 bytes");
  using Tuple = std::tuple<void (*)(Params...), Params...>;
  static void call(void* raw) {
    std::apply([](auto kernel, auto... params) { kernel(params...); }, *static_cast<Tuple*>(raw));
  }
  /// Writes them to `to` as a device gets them: in order, each at a multiple of its alignment. How many bytes that
  /// takes; null: only that.
  static size_t pack(const void* raw, unsigned char* to) {
    size_t end = 0;
    const auto place = [&](const auto& value) {
      constexpr size_t alignment = alignof(decltype(value));
      end = (end + alignment - 1) / alignment * alignment;
      if (to != nullptr) std::memcpy(to + end, &value, sizeof(value));
      end += sizeof(value);
    };
    std::apply([&](auto, const auto&... params) { (place(params), ...); }, *static_cast<const Tuple*>(raw));
    return end;
  }
};

}  // namespace duel::simt

namespace duel::kernels {
/// platform.h's launch, for any class with on_device() and handle().
template <class... Params, class AnyStream, class... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared_bytes, AnyStream stream,
            Args... args) {
  using Kernel = simt::Parameters<void (*)(Params...)>;
  typename Kernel::Tuple arguments(kernel, static_cast<Params>(args)...);
  simt::run_grid(Kernel::call, Kernel::pack, &arguments, sizeof(arguments),
                 reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, stream.on_device(),
                 stream.handle());
}

/// One kernel at a time here: whether each begins with it tests/ptx tells.
__forceinline__ void begin_kernel() {}

// Note [Tensor cores] and the copies of platform.h.
__forceinline__ unsigned to_tf32(float x) { return simt::to_tf32(x); }
__forceinline__ void multiply_add_tf32(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  simt::multiply_add_tf32(sums, a, b);
}
template <int kBytes>
__forceinline__ void copy_async(void* shared, const void* global, bool exists) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  simt::copy_async(shared, global, kBytes, exists);
}
__forceinline__ void end_group_of_copies() { simt::end_group_of_copies(); }
template <int kLeft>
__forceinline__ void wait_for_copies() {
  simt::wait_for_copies(kLeft);
}
}  // namespace duel::kernels

// Barriers. All threads of the block must come to the same one; none may have ended.
void __syncthreads();
int __syncthreads_count(int predicate);
int __syncthreads_and(int predicate);
int __syncthreads_or(int predicate);
void __syncwarp(unsigned mask = 0xffffffffu);

// Warp operations. All lanes of the mask must come to the same one with the same mask.
template <class T>
__forceinline__ T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  using namespace duel::simt;
  return from_word<T>(shuffle(Shuffle::index, mask, to_word(value), lane, width));
}
template <class T>
__forceinline__ T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  using namespace duel::simt;
  return from_word<T>(shuffle(Shuffle::up, mask, to_word(value), static_cast<int>(delta), width));
}
template <class T>
__forceinline__ T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  using namespace duel::simt;
  return from_word<T>(shuffle(Shuffle::down, mask, to_word(value), static_cast<int>(delta), width));
}
template <class T>
__forceinline__ T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
  using namespace duel::simt;
  return from_word<T>(shuffle(Shuffle::exclusive_or, mask, to_word(value), lane_mask, width));
}
__forceinline__ unsigned __ballot_sync(unsigned mask, int predicate) {
  return static_cast<unsigned>(duel::simt::vote(duel::simt::Vote::ballot, mask, predicate != 0));
}
__forceinline__ int __any_sync(unsigned mask, int predicate) {
  return static_cast<int>(duel::simt::vote(duel::simt::Vote::any, mask, predicate != 0));
}
__forceinline__ int __all_sync(unsigned mask, int predicate) {
  return static_cast<int>(duel::simt::vote(duel::simt::Vote::all, mask, predicate != 0));
}
template <class T>
__forceinline__ unsigned __match_any_sync(unsigned mask, T value) {
  return static_cast<unsigned>(duel::simt::match_any(mask, duel::simt::to_word(value)));
}
#define DUEL_SIMT_REDUCE(NAME, KIND, T)                                                          \
  __forceinline__ T NAME(unsigned mask, T value) {                                               \
    return static_cast<T>(duel::simt::reduce(duel::simt::Reduction::KIND, mask,                  \
                                             static_cast<uint64_t>(static_cast<int64_t>(value)), \
                                             std::is_signed_v<T>));                              \
  }
DUEL_SIMT_REDUCE(__reduce_add_sync, add, unsigned)
DUEL_SIMT_REDUCE(__reduce_add_sync, add, int)
DUEL_SIMT_REDUCE(__reduce_min_sync, min, unsigned)
DUEL_SIMT_REDUCE(__reduce_min_sync, min, int)
DUEL_SIMT_REDUCE(__reduce_max_sync, max, unsigned)
DUEL_SIMT_REDUCE(__reduce_max_sync, max, int)
DUEL_SIMT_REDUCE(__reduce_and_sync, bit_and, unsigned)
DUEL_SIMT_REDUCE(__reduce_or_sync, bit_or, unsigned)
DUEL_SIMT_REDUCE(__reduce_xor_sync, bit_xor, unsigned)
#undef DUEL_SIMT_REDUCE

void __threadfence();
void __threadfence_block();
void __threadfence_system();
void __nanosleep(unsigned nanoseconds);

// Atomics, sequentially consistent. They return the old value.
#define DUEL_SIMT_ATOMIC(T)          \
  T atomicAdd(T* address, T value);  \
  T atomicSub(T* address, T value);  \
  T atomicExch(T* address, T value); \
  T atomicMin(T* address, T value);  \
  T atomicMax(T* address, T value);  \
  T atomicAnd(T* address, T value);  \
  T atomicOr(T* address, T value);   \
  T atomicXor(T* address, T value);  \
  T atomicCAS(T* address, T compare, T value);
DUEL_SIMT_ATOMIC(int)
DUEL_SIMT_ATOMIC(unsigned)
DUEL_SIMT_ATOMIC(unsigned long long)
#undef DUEL_SIMT_ATOMIC
unsigned atomicInc(unsigned* address, unsigned limit);
unsigned atomicDec(unsigned* address, unsigned limit);
float atomicAdd(float* address, float value);
double atomicAdd(double* address, double value);
float atomicExch(float* address, float value);

// Loads and stores with a cache hint are plain ones here.
#define DUEL_SIMT_LOAD(NAME)                 \
  template <class T>                         \
  __forceinline__ T NAME(const T* address) { \
    return *address;                         \
  }
DUEL_SIMT_LOAD(__ldg)
DUEL_SIMT_LOAD(__ldcs)
DUEL_SIMT_LOAD(__ldcg)
DUEL_SIMT_LOAD(__ldca)
DUEL_SIMT_LOAD(__ldlu)
DUEL_SIMT_LOAD(__ldcv)
#undef DUEL_SIMT_LOAD
#define DUEL_SIMT_STORE(NAME)                      \
  template <class T>                               \
  __forceinline__ void NAME(T* address, T value) { \
    *address = value;                              \
  }
DUEL_SIMT_STORE(__stcs)
DUEL_SIMT_STORE(__stcg)
DUEL_SIMT_STORE(__stwb)
DUEL_SIMT_STORE(__stwt)
#undef DUEL_SIMT_STORE

// The part of CUDA's mathematics that <cmath> lacks. Approximate functions are the exact ones here: compare
// with results of a GPU by tolerance, never by bits.
#define DUEL_SIMT_MIN_MAX(T)                                \
  __forceinline__ T min(T a, T b) { return b < a ? b : a; } \
  __forceinline__ T max(T a, T b) { return a < b ? b : a; }
DUEL_SIMT_MIN_MAX(int)
DUEL_SIMT_MIN_MAX(unsigned)
DUEL_SIMT_MIN_MAX(long)
DUEL_SIMT_MIN_MAX(unsigned long)
DUEL_SIMT_MIN_MAX(long long)
DUEL_SIMT_MIN_MAX(unsigned long long)
#undef DUEL_SIMT_MIN_MAX
__forceinline__ float min(float a, float b) { return ::fminf(a, b); }
__forceinline__ float max(float a, float b) { return ::fmaxf(a, b); }
__forceinline__ double min(double a, double b) { return ::fmin(a, b); }
__forceinline__ double max(double a, double b) { return ::fmax(a, b); }

// C libraries have functions of these names, or will have.
#define rsqrtf(x) (1.0f / ::sqrtf(x))
#define rsqrt(x) (1.0 / ::sqrt(static_cast<double>(x)))
#define __expf(x) (::expf(x))
#define __logf(x) (::logf(x))
#define __sinf(x) (::sinf(x))
#define __cosf(x) (::cosf(x))
#define __fdividef(x, y) (static_cast<float>(x) / static_cast<float>(y))
#define __frcp_rn(x) (1.0f / static_cast<float>(x))
#define __fmaf_rn(x, y, z) (::fmaf((x), (y), (z)))
#define __fma_rn(x, y, z) (::fma((x), (y), (z)))
__forceinline__ float __saturatef(float x) { return ::fminf(::fmaxf(x, 0.0f), 1.0f); }
__forceinline__ int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
__forceinline__ unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
__forceinline__ float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
__forceinline__ float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
__forceinline__ long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
__forceinline__ double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
__forceinline__ int __popc(unsigned x) { return __builtin_popcount(x); }
__forceinline__ int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
__forceinline__ int __ffs(int x) { return __builtin_ffs(x); }
__forceinline__ int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
__forceinline__ unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<unsigned long long>(a) * b) >> 32);
}
__forceinline__ unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
