// CUDA's small vector types for g++. Copying one checks its address: a GPU traps on a misaligned vector
// access, and x86 would not.
#pragma once

#include <cstddef>
#include <cstdint>

struct uint3 {
  unsigned x = 0, y = 0, z = 0;
};

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3() = default;
  constexpr dim3(unsigned x_, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

namespace duel::simt {
/// A Failure of the running kernel when the address is no multiple of the alignment.
void check_alignment(const void* address, size_t alignment);
}  // namespace duel::simt

#define DUEL_SIMT_VECTOR_2(T, V)                                                              \
  struct alignas(2 * sizeof(T)) V {                                                           \
    T x, y;                                                                                   \
    V() = default;                                                                            \
    V(T x_, T y_) : x(x_), y(y_) {}                                                           \
    inline V(const V& o) : x((check(&o), o.x)), y(o.y) {}                                     \
    inline V& operator=(const V& o) {                                                         \
      check(&o), check(this);                                                                 \
      x = o.x, y = o.y;                                                                       \
      return *this;                                                                           \
    }                                                                                         \
    static inline void check(const void* p) { ::duel::simt::check_alignment(p, alignof(V)); } \
  };                                                                                          \
  inline V make_##V(T x, T y) { return {x, y}; }
#define DUEL_SIMT_VECTOR_4(T, V)                                                              \
  struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) V {                                 \
    T x, y, z, w;                                                                             \
    V() = default;                                                                            \
    V(T x_, T y_, T z_, T w_) : x(x_), y(y_), z(z_), w(w_) {}                                 \
    inline V(const V& o) : x((check(&o), o.x)), y(o.y), z(o.z), w(o.w) {}                     \
    inline V& operator=(const V& o) {                                                         \
      check(&o), check(this);                                                                 \
      x = o.x, y = o.y, z = o.z, w = o.w;                                                     \
      return *this;                                                                           \
    }                                                                                         \
    static inline void check(const void* p) { ::duel::simt::check_alignment(p, alignof(V)); } \
  };                                                                                          \
  inline V make_##V(T x, T y, T z, T w) { return {x, y, z, w}; }

DUEL_SIMT_VECTOR_2(float, float2)
DUEL_SIMT_VECTOR_2(double, double2)
DUEL_SIMT_VECTOR_2(int, int2)
DUEL_SIMT_VECTOR_2(unsigned, uint2)
DUEL_SIMT_VECTOR_2(long long, longlong2)
DUEL_SIMT_VECTOR_2(unsigned long long, ulonglong2)
DUEL_SIMT_VECTOR_2(unsigned char, uchar2)
DUEL_SIMT_VECTOR_4(float, float4)
DUEL_SIMT_VECTOR_4(double, double4)
DUEL_SIMT_VECTOR_4(int, int4)
DUEL_SIMT_VECTOR_4(unsigned, uint4)
DUEL_SIMT_VECTOR_4(unsigned short, ushort4)
DUEL_SIMT_VECTOR_4(unsigned char, uchar4)

#undef DUEL_SIMT_VECTOR_2
#undef DUEL_SIMT_VECTOR_4
