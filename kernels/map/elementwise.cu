// Element-wise maps: the loops and kernels behind elementwise.h, and the only place where functors.h is
// compiled.
#include "duel/kernels/map/elementwise.h"

#include <cmath>
#include <type_traits>

#include "duel/kernels/base/divisor.h"
#include "duel/kernels/base/map.cuh"
#include "duel/kernels/map/functors.h"

namespace duel::kernels {
namespace {

/// Row-major strides of `in` seen with the output's rank; 0 along broadcast axes.
void align(std::span<const int64_t> out, std::span<const int64_t> in, int64_t* strides) {
  DUEL_CHECK(in.size() <= out.size(), "broadcast", "expected rank at most {}, got {}",
             static_cast<int64_t>(out.size()), static_cast<int64_t>(in.size()));
  const size_t lead = out.size() - in.size();
  int64_t step = 1;
  for (size_t d = out.size(); d-- > 0;) {
    const int64_t extent = d < lead ? 1 : in[d - lead];
    DUEL_CHECK(extent == out[d] || extent == 1, "broadcast", "axis {}: expected {} or 1, got {}",
               static_cast<int64_t>(d), out[d], extent);
    strides[d] = extent == 1 ? 0 : step;
    step *= extent;
  }
}

}  // namespace

Broadcast make_broadcast(std::span<const int64_t> out, std::span<const int64_t> a, std::span<const int64_t> b,
                         std::span<const int64_t> c) {
  DUEL_CHECK(out.size() <= kMaxRank, "broadcast", "expected rank at most {}, got {}", kMaxRank,
             static_cast<int64_t>(out.size()));
  int64_t full[3][kMaxRank] = {};
  align(out, a, full[0]);
  align(out, b, full[1]);
  align(out, c, full[2]);

  Broadcast plan;
  int64_t* kept[3] = {plan.stride_a, plan.stride_b, plan.stride_c};
  int rank = 0;
  for (size_t d = 0; d < out.size(); ++d) {
    DUEL_CHECK(out[d] >= 0, "broadcast", "expected extents of at least 0, got {}", out[d]);
    if (out[d] == 1) continue;
    // The axis before it is walked in the same stride: one axis of the product.
    bool merges = rank > 0;
    for (int k = 0; k < 3; ++k) merges = merges && kept[k][rank - 1] == full[k][d] * out[d];
    if (!merges) {
      plan.shape[rank++] = 1;
    }
    plan.shape[rank - 1] *= out[d];
    for (int k = 0; k < 3; ++k) kept[k][rank - 1] = full[k][d];
  }
  if (rank == 0) {
    plan.shape[0] = 1;
    rank = 1;
  }
  plan.rank = rank;
  return plan;
}

Broadcast make_broadcast(std::span<const int64_t> out, std::span<const int64_t> a,
                         std::span<const int64_t> b) {
  return make_broadcast(out, a, b, a);
}

namespace {

/// Where the inputs stand for one output element.
struct Offsets {
  int64_t a, b, c;
};

/// Of element i of axes [0, axes), whose extents are int64_t or Divisor. The loop's length is fixed: unrolled, a kernel reads
/// the plan from its arguments.
template <class Extent>
DUEL_HD Offsets locate(const Broadcast& plan, const Extent* extents, int axes, int64_t i) {
  Offsets at{0, 0, 0};
  for (int d = kMaxRank - 1; d >= 0; --d) {
    if (d >= axes) continue;
    const int64_t rest = i / extents[d], k = i - rest * plan.shape[d];
    at.a += k * plan.stride_a[d];
    at.b += k * plan.stride_b[d];
    at.c += k * plan.stride_c[d];
    i = rest;
  }
  return at;
}

/// What is done with `count` neighbours of the innermost axis: `work` is the loop's own, `first` the first output.
using Stretch = void (*)(const void* work, int64_t first, const Offsets& at, int64_t count);

/// stretch(work, …) for every stretch of the innermost axis, in parallel. A plain function: the walk is compiled once, not once
/// for every formula, and a call costs nothing beside a stretch.
void for_stretches(const Broadcast& plan, Stretch stretch, const void* work) {
  const int last = plan.rank - 1;
  const int64_t length = plan.shape[last];
  parallel_for(plan.size(), kMapGrain, [&](int64_t begin, int64_t end) {
    // Outer axes are counted up, not divided: stretches can be short.
    int64_t line = begin / length, inner = begin - line * length;
    int64_t position[kMaxRank] = {};
    int64_t rest = line;
    for (int d = last - 1; d >= 0; --d) {
      position[d] = rest % plan.shape[d];
      rest /= plan.shape[d];
    }
    Offsets at = locate(plan, plan.shape, last, line);
    for (int64_t i = begin; i < end;) {
      const int64_t count = length - inner < end - i ? length - inner : end - i;
      stretch(work, i,
              Offsets{at.a + inner * plan.stride_a[last], at.b + inner * plan.stride_b[last],
                      at.c + inner * plan.stride_c[last]},
              count);
      i += count;
      inner = 0;
      for (int d = last - 1; d >= 0; --d) {
        at.a += plan.stride_a[d];
        at.b += plan.stride_b[d];
        at.c += plan.stride_c[d];
        if (++position[d] < plan.shape[d]) break;
        at.a -= plan.stride_a[d] * plan.shape[d];
        at.b -= plan.stride_b[d] * plan.shape[d];
        at.c -= plan.stride_c[d] * plan.shape[d];
        position[d] = 0;
      }
    }
  });
}

/// run(s) with s the compile-time form of an innermost stride, 0 or 1.
template <class Run>
void with_stride(int64_t stride, Run run) {
  if (stride != 0) {
    run(std::integral_constant<int64_t, 1>());
  } else {
    run(std::integral_constant<int64_t, 0>());
  }
}

#if DUEL_DEVICE_CODE
struct Extents {
  Divisor of[kMaxRank];
};
Extents extents_of(const Broadcast& plan) {
  Extents extents;
  for (int d = 0; d < plan.rank; ++d) extents.of[d] = Divisor(plan.shape[d]);
  return extents;
}

template <class F, class T, class Out>
__global__ void binary_kernel(int64_t n, Broadcast plan, Extents extents, F f, const T* a, const T* b,
                              Out* y) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const Offsets at = locate(plan, extents.of, plan.rank, i);
    y[i] = f(a[at.a], b[at.b]);
  }
}

template <class F, class T>
__global__ void ternary_kernel(int64_t n, Broadcast plan, Extents extents, F f, const uint8_t* a, const T* b,
                               const T* c, T* y) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const Offsets at = locate(plan, extents.of, plan.rank, i);
    y[i] = f(a[at.a], b[at.b], c[at.c]);
  }
}
#endif

struct Choose {
  template <class T>
  DUEL_HD T operator()(uint8_t condition, T a, T b) const {
    return condition != 0 ? a : b;
  }
};

template <class T>
struct Constant {
  T value;
  DUEL_HD T operator()() const { return value; }
};

template <class To>
struct CastTo {
  template <class From>
  DUEL_HD To operator()(From x) const {
    if constexpr (std::is_floating_point_v<To> || std::is_same_v<From, To>) {
      return static_cast<To>(x);
    } else if constexpr (std::is_same_v<To, uint8_t>) {
      const From low = x > From(0) ? x : From(0);  // false for not-a-number
      const From inside = low < From(255) ? low : From(255);
      return static_cast<To>(
          static_cast<std::conditional_t<std::is_floating_point_v<From>, int32_t, From>>(inside));
    } else if constexpr (std::is_floating_point_v<From>) {
      const From edge = From(9223372036854775808.0);
      const bool fits = x >= -edge && x < edge;
      const To whole = static_cast<To>(fits ? x : From(0));
      const To above = x >= edge ? To(INT64_MAX) : whole;
      return x < -edge ? To(INT64_MIN) : above;
    } else {
      return static_cast<To>(x);
    }
  }
};

struct Plus {
  template <class T>
  DUEL_HD T operator()(T x, T y) const {
    return x + y;
  }
};

void check(const char* op, int64_t n, bool pointers) {
  DUEL_CHECK(n >= 0, op, "expected a size of at least 0, got {}", n);
  DUEL_CHECK(n == 0 || pointers, op, "expected arrays, got a null pointer");
}

template <class F, class T, class Out>
struct BinaryWork {
  F f;
  const T *a, *b;
  Out* y;
  int64_t inner_a, inner_b;
};

template <class F, class T, class Out>
void binary_stretch(const void* work, int64_t first, const Offsets& at, int64_t count) {
  const auto w = *static_cast<const BinaryWork<F, T, Out>*>(work);  // a copy: see map_range
  with_stride(w.inner_a, [&](auto sa) {
    with_stride(w.inner_b, [&](auto sb) {
      const F f = w.f;
      Out* out = w.y + first;
      const T* pa = w.a + at.a;
      const T* pb = w.b + at.b;
      DUEL_SIMD
      for (int64_t i = 0; i < count; ++i) out[i] = f(pa[i * sa], pb[i * sb]);
    });
  });
}

/// y = f(a, b) in Out: an arithmetic formula gives T, a comparison uint8_t.
template <class F, class T, class Out>
void binary_map(const char* op, Stream stream, const Broadcast& plan, const T* a, const T* b, Out* y, F f) {
  const int64_t n = plan.size();
  check(op, n, a && b && y);
  if (n == 0) return;
  const int64_t inner_a = plan.stride_a[plan.rank - 1], inner_b = plan.stride_b[plan.rank - 1];
  if (plan.rank == 1 && inner_a == 1 && inner_b == 1) {
    map(stream, n, f, y, a, b);
    return;
  }
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(binary_kernel<F, T, Out>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, plan,
           extents_of(plan), f, a, b, y);
    return;
  }
#endif
  const BinaryWork<F, T, Out> work{f, a, b, y, inner_a, inner_b};
  for_stretches(plan, &binary_stretch<F, T, Out>, &work);
}

}  // namespace

template <class F, class T>
void unary(Stream stream, int64_t n, const T* x, T* y, F f) {
  check("unary", n, x && y);
  map(stream, n, f, y, x);
}

template <class F, class T>
void binary(Stream stream, const Broadcast& plan, const T* a, const T* b, T* y, F f) {
  binary_map("binary", stream, plan, a, b, y, f);
}

template <class F, class T>
void compare(Stream stream, const Broadcast& plan, const T* a, const T* b, uint8_t* y, F f) {
  binary_map("compare", stream, plan, a, b, y, f);
}

namespace {

template <class T>
struct WhereWork {
  const uint8_t* condition;
  const T *a, *b;
  T* y;
  int64_t inner_condition, inner_a, inner_b;
};

template <class T>
void where_stretch(const void* work, int64_t first, const Offsets& at, int64_t count) {
  const auto w = *static_cast<const WhereWork<T>*>(work);
  with_stride(w.inner_condition, [&](auto sc) {
    with_stride(w.inner_a, [&](auto sa) {
      with_stride(w.inner_b, [&](auto sb) {
        T* out = w.y + first;
        const uint8_t* pc = w.condition + at.a;
        const T* pa = w.a + at.b;
        const T* pb = w.b + at.c;
        DUEL_SIMD
        for (int64_t i = 0; i < count; ++i) {
          const T left = pa[i * sa], right = pb[i * sb];
          out[i] = Choose{}(pc[i * sc], left, right);
        }
      });
    });
  });
}

}  // namespace

template <class T>
void where(Stream stream, const Broadcast& plan, const uint8_t* condition, const T* a, const T* b, T* y) {
  const int64_t n = plan.size();
  check("where", n, condition && a && b && y);
  if (n == 0) return;
  const int last = plan.rank - 1;
  if (plan.rank == 1 && plan.stride_a[0] == 1 && plan.stride_b[0] == 1 && plan.stride_c[0] == 1) {
    map(stream, n, Choose{}, y, condition, a, b);
    return;
  }
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(ternary_kernel<Choose, T>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, plan,
           extents_of(plan), Choose{}, condition, a, b, y);
    return;
  }
#endif
  const WhereWork<T> work{condition, a, b, y, plan.stride_a[last], plan.stride_b[last], plan.stride_c[last]};
  for_stretches(plan, &where_stretch<T>, &work);
}

template <class T>
void fill(Stream stream, int64_t n, T value, T* y) {
  check("fill", n, y);
  map(stream, n, Constant<T>{value}, y);
}

template <class From, class To>
void cast(Stream stream, int64_t n, const From* x, To* y) {
  check("cast", n, x && y);
  map(stream, n, CastTo<To>{}, y, x);
}

template <class T>
void add_inplace(Stream stream, int64_t n, const T* x, T* y) {
  check("add_inplace", n, x && y);
  map(stream, n, Plus{}, y, static_cast<const T*>(y), x);
}

#if DUEL_DEVICE_CODE
namespace {
/// blockIdx.y is the pair of arrays.
template <class T>
__global__ void __launch_bounds__(kMapBlock) add_each_kernel(Additions<T> all) {
  begin_kernel();
  T* to = nullptr;
  const T* from = nullptr;
  int64_t size = 0;
#pragma unroll
  for (int k = 0; k < Additions<T>::kMost; ++k) {  // a constant index each: they stay among the arguments
    if (static_cast<int>(blockIdx.y) == k) to = all.to[k], from = all.from[k], size = all.size[k];
  }
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += stride)
    to[i] += from[i];
}
}  // namespace
#endif

template <class T>
void add_each(Stream stream, const Additions<T>& all) {
  DUEL_CHECK(all.count >= 0 && all.count <= Additions<T>::kMost, "add_each",
             "expected 0 to {} arrays, got {}", Additions<T>::kMost, all.count);
  int64_t largest = 0;
  for (int k = 0; k < all.count; ++k) {
    DUEL_CHECK(all.size[k] == 0 || (all.size[k] > 0 && all.to[k] && all.from[k]), "add_each",
               "expected arrays, got a null pointer or {} elements", all.size[k]);
    largest = std::max(largest, all.size[k]);
  }
  if (largest == 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(add_each_kernel<T>, dim3(map_blocks(largest), static_cast<unsigned>(all.count)), dim3(kMapBlock),
           0, stream, all);
    return;
  }
#endif
  for (int k = 0; k < all.count; ++k) add_inplace(stream, all.size[k], all.from[k], all.to[k]);
}

#define DUEL_FLOATING(T)                                       \
  template void add_inplace<T>(Stream, int64_t, const T*, T*); \
  template void add_each<T>(Stream, const Additions<T>&);
DUEL_FLOATING(float)
DUEL_FLOATING(double)

#define DUEL_EVERY(T)                                                                       \
  template void where<T>(Stream, const Broadcast&, const uint8_t*, const T*, const T*, T*); \
  template void fill<T>(Stream, int64_t, T, T*);                                            \
  template void cast<T, float>(Stream, int64_t, const T*, float*);                          \
  template void cast<T, double>(Stream, int64_t, const T*, double*);                        \
  template void cast<T, uint8_t>(Stream, int64_t, const T*, uint8_t*);                      \
  template void cast<T, int64_t>(Stream, int64_t, const T*, int64_t*);
DUEL_EVERY(float)
DUEL_EVERY(double)
DUEL_EVERY(uint8_t)
DUEL_EVERY(int64_t)

#define DUEL_DEFINE(F) DUEL_UNARY_OF(F, float) DUEL_UNARY_OF(F, double)
DUEL_UNARY_FUNCTORS(DUEL_DEFINE)
#undef DUEL_DEFINE
#define DUEL_DEFINE(F) DUEL_BINARY_OF(F, float) DUEL_BINARY_OF(F, double)
DUEL_BINARY_FUNCTORS(DUEL_DEFINE)
#undef DUEL_DEFINE
#define DUEL_DEFINE(F) DUEL_BINARY_OF(F, int64_t)
DUEL_INTEGER_FUNCTORS(DUEL_DEFINE)
#undef DUEL_DEFINE
#define DUEL_DEFINE(F) \
  DUEL_COMPARE_OF(F, float) DUEL_COMPARE_OF(F, double) DUEL_COMPARE_OF(F, uint8_t) DUEL_COMPARE_OF(F, int64_t)
DUEL_COMPARE_FUNCTORS(DUEL_DEFINE)
#undef DUEL_DEFINE
#define DUEL_DEFINE(F) DUEL_COMPARE_OF(F, uint8_t)
DUEL_LOGICAL_FUNCTORS(DUEL_DEFINE)

}  // namespace duel::kernels
