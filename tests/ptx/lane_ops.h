// Operations on lanes that are functions of their operands alone, by the full names that PTX gives them.
//
// Floating-point follows the PTX manual: round to nearest even, denormals kept but for .ftz, a NaN result in f32 is
// 0x7FFFFFFF, min and max prefer numbers to NaN. Approximate functions are exact ones rounded once (ex2, lg2, sin, cos,
// tanh, rsqrt, f32 divisions), but for rcp and rsqrt.approx.ftz.f64, which give the upper word of a double as on a GPU.
#pragma once

#include <bit>
#include <cstring>
#include <string>

#include "module.h"

namespace duel::ptx {

struct LaneOp {
  LaneFunction function = nullptr;
  Sort sort{};
  Type result;
  int inputs = 0;
  Type input[3];
};

/// Null if there is none of that name.
const LaneOp* lane_op(std::string_view name);

namespace lanes {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UnsignedInt128;

inline constexpr uint32_t kAll = 0xFFFFFFFFu;

/// What a lane of a type is stored as.
template <class T>
inline constexpr size_t kSlot = sizeof(T) == 8 ? 8 : 4;

template <class T>
inline T get(const void* from, int lane) {
  if constexpr (sizeof(T) < 4) {
    uint32_t word;
    std::memcpy(&word, static_cast<const char*>(from) + lane * 4, 4);
    return static_cast<T>(word);
  } else {
    T value;
    std::memcpy(&value, static_cast<const char*>(from) + static_cast<size_t>(lane) * sizeof(T), sizeof(T));
    return value;
  }
}
template <class T>
inline void put(void* to, int lane, T value) {
  if constexpr (sizeof(T) < 4) {
    const auto word = static_cast<uint32_t>(static_cast<int32_t>(value));
    std::memcpy(static_cast<char*>(to) + lane * 4, &word, 4);
  } else {
    std::memcpy(static_cast<char*>(to) + static_cast<size_t>(lane) * sizeof(T), &value, sizeof(T));
  }
}

/// Calls work(lane) for the lanes of the mask; operands may be the result's own registers, lane by lane.
template <class Work>
inline void for_each(uint32_t mask, Work work) {
  if (mask == kAll) {
#pragma GCC ivdep
    for (int lane = 0; lane < 32; ++lane) work(lane);
  } else {
    for (; mask != 0; mask &= mask - 1) work(std::countr_zero(mask));
  }
}

template <class T>
constexpr Type type() {
  if constexpr (std::is_same_v<T, bool>) return {Kind::predicate, 0};
  if constexpr (std::is_floating_point_v<T>) return {Kind::is_float, sizeof(T)};
  return {std::is_signed_v<T> ? Kind::is_signed : Kind::is_unsigned, sizeof(T)};
}

/// A function object F with static operator()-like `F::of(a…)` over lanes.
template <class F, class R, class A>
void unary(void* d, const void* a, const void*, const void*, uint32_t mask) {
  for_each(mask, [&](int lane) { put<R>(d, lane, F::of(get<A>(a, lane))); });
}
template <class F, class R, class A, class B>
void binary(void* d, const void* a, const void* b, const void*, uint32_t mask) {
  for_each(mask, [&](int lane) { put<R>(d, lane, F::of(get<A>(a, lane), get<B>(b, lane))); });
}
template <class F, class R, class A, class B, class C>
void ternary(void* d, const void* a, const void* b, const void* c, uint32_t mask) {
  for_each(mask,
           [&](int lane) { put<R>(d, lane, F::of(get<A>(a, lane), get<B>(b, lane), get<C>(c, lane))); });
}

class Table {
 public:
  template <class F, class R, class A>
  void add1(std::string name, Sort sort) {
    add(std::move(name), {&unary<F, R, A>, sort, type<R>(), 1, {type<A>(), {}, {}}});
  }
  template <class F, class R, class A, class B>
  void add2(std::string name, Sort sort) {
    add(std::move(name), {&binary<F, R, A, B>, sort, type<R>(), 2, {type<A>(), type<B>(), {}}});
  }
  template <class F, class R, class A, class B, class C>
  void add3(std::string name, Sort sort) {
    add(std::move(name), {&ternary<F, R, A, B, C>, sort, type<R>(), 3, {type<A>(), type<B>(), type<C>()}});
  }
  void add(std::string name, LaneOp op) { ops_.emplace(std::move(name), op); }
  const LaneOp* find(std::string_view name) const {
    const auto found = ops_.find(name);
    return found != ops_.end() ? &found->second : nullptr;
  }

 private:
  std::map<std::string, LaneOp, std::less<>> ops_;
};

void add_integer_ops(Table& table);
void add_float_ops(Table& table);
void add_conversions(Table& table);

}  // namespace lanes
}  // namespace duel::ptx
