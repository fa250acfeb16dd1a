// Integers, bits, predicates, moves, comparisons and choices: see lane_ops.h.
#include <cmath>
#include <limits>

#include "lane_ops.h"

namespace duel::ptx {
namespace lanes {
namespace {

// Arithmetic wraps: it is done without signs.
template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
using Wide = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
    std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                       std::conditional_t<std::is_signed_v<T>, Int128, UnsignedInt128>>>;

template <class T>
T low(uint64_t value) {
  return static_cast<T>(value);
}
template <class T>
uint64_t wide(T value) {
  return static_cast<uint64_t>(value);
}

struct Add {
  template <class T>
  static T of(T a, T b) {
    return low<T>(wide(a) + wide(b));
  }
};
struct AddSaturated {
  static int32_t of(int32_t a, int32_t b) {
    const int64_t sum = int64_t{a} + b;
    return static_cast<int32_t>(sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum);
  }
};
struct Sub {
  template <class T>
  static T of(T a, T b) {
    return low<T>(wide(a) - wide(b));
  }
};
struct MulLow {
  template <class T>
  static T of(T a, T b) {
    return low<T>(wide(a) * wide(b));
  }
};
struct MulHigh {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>((Wide<T>(a) * Wide<T>(b)) >> (8 * sizeof(T)));
  }
};
struct MulWide {
  template <class T>
  static Wide<T> of(T a, T b) {
    return static_cast<Wide<T>>(Wide<T>(a) * Wide<T>(b));
  }
};
template <class Product>
struct Mad {
  template <class T, class C>
  static C of(T a, T b, C c) {
    return Add::of<C>(static_cast<C>(Product::of(a, b)), c);
  }
};
// A GPU does not trap: a quotient by 0 is all ones, the most negative number by -1 stays.
struct Div {
  template <class T>
  static T of(T a, T b) {
    if (b == 0) return static_cast<T>(~T{0});
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Sub::of(T{0}, a);
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <class T>
  static T of(T a, T b) {
    if (b == 0) return a;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
struct Neg {
  template <class T>
  static T of(T a) {
    return Sub::of(T{0}, a);
  }
};
struct Abs {
  template <class T>
  static T of(T a) {
    return a < 0 ? Neg::of(a) : a;
  }
};
struct Min {
  template <class T>
  static T of(T a, T b) {
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  static T of(T a, T b) {
    return a < b ? b : a;
  }
};
struct And {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
struct Not {
  template <class T>
  static T of(T a) {
    return static_cast<T>(~a);
  }
};
struct CountedNot {
  template <class T>
  static T of(T a) {
    return a == 0 ? T{1} : T{0};
  }
};
struct Shl {
  template <class T>
  static T of(T a, uint32_t by) {
    return by >= 8 * sizeof(T) ? T{0} : static_cast<T>(a << by);
  }
};
struct Shr {
  template <class T>
  static T of(T a, uint32_t by) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    if (by >= kBits) return a < 0 ? static_cast<T>(~T{0}) : T{0};
    return static_cast<T>(a >> by);
  }
};
template <bool kLeft, bool kWrap>
struct Funnel {
  static uint32_t of(uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t by = kWrap ? c & 31 : c < 32 ? c : 32;
    const uint64_t both = uint64_t{b} << 32 | a;
    return static_cast<uint32_t>(kLeft ? both << by >> 32 : both >> by);
  }
};
struct Extract {
  template <class T>
  static T of(T a, uint32_t b, uint32_t c) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    const uint32_t at = b & 255, length = c & 255;
    const uint32_t top = at + length - 1 < kBits - 1 ? at + length - 1 : kBits - 1;
    const bool negative = std::is_signed_v<T> && length != 0 && (wide(a) >> top & 1) != 0;
    Unsigned<T> result = negative ? static_cast<Unsigned<T>>(~Unsigned<T>{0}) : Unsigned<T>{0};
    for (uint32_t k = 0; k < length && k < kBits; ++k) {
      const uint64_t bit = at + k < kBits ? wide(a) >> (at + k) & 1 : negative ? 1 : 0;
      result = static_cast<Unsigned<T>>((result & ~(uint64_t{1} << k)) | bit << k);
    }
    return static_cast<T>(result);
  }
};
struct Reverse {
  template <class T>
  static T of(T a) {
    T result = 0;
    for (uint32_t k = 0; k < 8 * sizeof(T); ++k) result = static_cast<T>(result << 1 | (a >> k & 1));
    return result;
  }
};
struct LeadingZeros {
  template <class T>
  static uint32_t of(T a) {
    return static_cast<uint32_t>(std::countl_zero(a));
  }
};
struct Population {
  template <class T>
  static uint32_t of(T a) {
    return static_cast<uint32_t>(std::popcount(a));
  }
};
struct FindBit {
  template <class T>
  static uint32_t of(T a) {
    const auto bits = static_cast<Unsigned<T>>(a < 0 ? ~a : a);
    return bits == 0 ? ~uint32_t{0} : static_cast<uint32_t>(std::bit_width(bits) - 1);
  }
};
struct Permute {
  static uint32_t of(uint32_t a, uint32_t b, uint32_t c) {
    const uint64_t both = uint64_t{b} << 32 | a;
    uint32_t result = 0;
    for (uint32_t k = 0; k < 4; ++k) {
      const uint32_t choice = c >> (4 * k);
      uint32_t byte = static_cast<uint32_t>(both >> (8 * (choice & 7)) & 255);
      if ((choice & 8) != 0) byte = (byte & 128) != 0 ? 255 : 0;
      result |= byte << (8 * k);
    }
    return result;
  }
};
struct Copy {
  template <class T>
  static T of(T a) {
    return a;
  }
};

// Predicates: one word holds all lanes.
enum class Logic { and_, or_, xor_, not_, copy };
template <Logic kLogic>
void predicates(void* d, const void* a, const void* b, const void*, uint32_t mask) {
  uint32_t x, y = 0, before;
  std::memcpy(&x, a, 4);
  if (kLogic < Logic::not_) std::memcpy(&y, b, 4);
  std::memcpy(&before, d, 4);
  const uint32_t result = kLogic == Logic::and_   ? x & y
                          : kLogic == Logic::or_  ? x | y
                          : kLogic == Logic::xor_ ? x ^ y
                          : kLogic == Logic::not_ ? ~x
                                                  : x;
  before = (before & ~mask) | (result & mask);
  std::memcpy(d, &before, 4);
}

enum class Compare { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };

template <Compare kCompare, class T>
bool holds(T a, T b) {
  bool unordered = false;
  if constexpr (std::is_floating_point_v<T>) unordered = std::isnan(a) || std::isnan(b);
  switch (kCompare) {
    case Compare::eq:
      return a == b;
    case Compare::ne:
      return !unordered && a != b;
    case Compare::lt:
      return a < b;
    case Compare::le:
      return a <= b;
    case Compare::gt:
      return a > b;
    case Compare::ge:
      return a >= b;
    case Compare::equ:
      return unordered || a == b;
    case Compare::neu:
      return unordered || a != b;
    case Compare::ltu:
      return unordered || a < b;
    case Compare::leu:
      return unordered || a <= b;
    case Compare::gtu:
      return unordered || a > b;
    case Compare::geu:
      return unordered || a >= b;
    case Compare::num:
      return !unordered;
    case Compare::nan:
      return unordered;
  }
  return false;
}

template <Compare kCompare, class T, bool kFlush>
void compare(void* d, const void* a, const void* b, const void*, uint32_t mask) {
  uint32_t result = 0, before;
  for (int lane = 0; lane < 32; ++lane) {
    T x = get<T>(a, lane), y = get<T>(b, lane);
    if constexpr (kFlush) {
      x = std::fabs(x) < std::numeric_limits<T>::min() ? T{0} : x;
      y = std::fabs(y) < std::numeric_limits<T>::min() ? T{0} : y;
    }
    result |= static_cast<uint32_t>(holds<kCompare, T>(x, y)) << lane;
  }
  std::memcpy(&before, d, 4);
  before = (before & ~mask) | (result & mask);
  std::memcpy(d, &before, 4);
}

template <class T>
void choose(void* d, const void* a, const void* b, const void* p, uint32_t mask) {
  uint32_t choice;
  std::memcpy(&choice, p, 4);
  for_each(mask,
           [&](int lane) { put<T>(d, lane, (choice >> lane & 1) != 0 ? get<T>(a, lane) : get<T>(b, lane)); });
}

template <class T>
void add_choice(Table& table, const std::string& type_name) {
  table.add("selp." + type_name,
            {&choose<T>, Sort::compare, type<T>(), 3, {type<T>(), type<T>(), {Kind::predicate, 0}}});
}

template <Compare kCompare, class T>
void add_compare(Table& table, const std::string& name, const std::string& type_name) {
  const LaneOp op{
      &compare<kCompare, T, false>, Sort::compare, {Kind::predicate, 0}, 2, {type<T>(), type<T>(), {}}};
  table.add("setp." + name + "." + type_name, op);
  if constexpr (std::is_same_v<T, float>) {
    LaneOp flushed = op;
    flushed.function = &compare<kCompare, T, true>;
    table.add("setp." + name + ".ftz." + type_name, flushed);
  }
}

template <class T>
void add_order(Table& table, const std::string& t) {
  add_compare<Compare::eq, T>(table, "eq", t);
  add_compare<Compare::ne, T>(table, "ne", t);
  add_compare<Compare::lt, T>(table, "lt", t);
  add_compare<Compare::le, T>(table, "le", t);
  add_compare<Compare::gt, T>(table, "gt", t);
  add_compare<Compare::ge, T>(table, "ge", t);
  if constexpr (std::is_floating_point_v<T>) {
    add_compare<Compare::equ, T>(table, "equ", t);
    add_compare<Compare::neu, T>(table, "neu", t);
    add_compare<Compare::ltu, T>(table, "ltu", t);
    add_compare<Compare::leu, T>(table, "leu", t);
    add_compare<Compare::gtu, T>(table, "gtu", t);
    add_compare<Compare::geu, T>(table, "geu", t);
    add_compare<Compare::num, T>(table, "num", t);
    add_compare<Compare::nan, T>(table, "nan", t);
  }
  if constexpr (std::is_unsigned_v<T>) {
    add_compare<Compare::lt, T>(table, "lo", t);
    add_compare<Compare::le, T>(table, "ls", t);
    add_compare<Compare::gt, T>(table, "hi", t);
    add_compare<Compare::ge, T>(table, "hs", t);
  }
}

template <class T>
void add_arithmetic(Table& table, const std::string& t) {
  constexpr Sort kInteger = Sort::integer;
  table.add2<Add, T, T, T>("add." + t, kInteger);
  table.add2<Sub, T, T, T>("sub." + t, kInteger);
  table.add2<MulLow, T, T, T>("mul.lo." + t, kInteger);
  table.add2<MulHigh, T, T, T>("mul.hi." + t, kInteger);
  table.add3<Mad<MulLow>, T, T, T, T>("mad.lo." + t, kInteger);
  table.add3<Mad<MulHigh>, T, T, T, T>("mad.hi." + t, kInteger);
  if constexpr (sizeof(T) < 8) {
    table.add2<MulWide, Wide<T>, T, T>("mul.wide." + t, kInteger);
    table.add3<Mad<MulWide>, Wide<T>, T, T, Wide<T>>("mad.wide." + t, kInteger);
  }
  table.add2<Div, T, T, T>("div." + t, kInteger);
  table.add2<Rem, T, T, T>("rem." + t, kInteger);
  table.add2<Min, T, T, T>("min." + t, kInteger);
  table.add2<Max, T, T, T>("max." + t, kInteger);
  table.add2<Shr, T, T, uint32_t>("shr." + t, kInteger);
  if constexpr (std::is_signed_v<T>) {
    table.add1<Neg, T, T>("neg." + t, kInteger);
    table.add1<Abs, T, T>("abs." + t, kInteger);
  }
  if constexpr (sizeof(T) > 2) {
    table.add3<Extract, T, T, uint32_t, uint32_t>("bfe." + t, kInteger);
    table.add1<FindBit, uint32_t, T>("bfind." + t, kInteger);
  }
  add_order<T>(table, t);
}

template <class T>
void add_bits(Table& table, const std::string& t) {
  constexpr Sort kInteger = Sort::integer;
  table.add2<And, T, T, T>("and." + t, kInteger);
  table.add2<Or, T, T, T>("or." + t, kInteger);
  table.add2<Xor, T, T, T>("xor." + t, kInteger);
  table.add1<Not, T, T>("not." + t, kInteger);
  table.add1<CountedNot, T, T>("cnot." + t, kInteger);
  table.add2<Shl, T, T, uint32_t>("shl." + t, kInteger);
  table.add2<Shr, T, T, uint32_t>("shr." + t, kInteger);
  if constexpr (sizeof(T) > 2) {
    table.add1<Reverse, T, T>("brev." + t, kInteger);
    table.add1<LeadingZeros, uint32_t, T>("clz." + t, kInteger);
    table.add1<Population, uint32_t, T>("popc." + t, kInteger);
  }
  add_compare<Compare::eq, T>(table, "eq", t);
  add_compare<Compare::ne, T>(table, "ne", t);
}

template <class T>
void add_moves(Table& table, const std::string& bits, const std::string& letters) {
  for (const char letter : letters) {
    const std::string name = std::string(1, letter) + bits;
    table.add1<Copy, T, T>("mov." + name, Sort::move);
    add_choice<T>(table, name);
  }
}

}  // namespace

void add_integer_ops(Table& table) {
  add_arithmetic<uint16_t>(table, "u16");
  add_arithmetic<int16_t>(table, "s16");
  add_arithmetic<uint32_t>(table, "u32");
  add_arithmetic<int32_t>(table, "s32");
  add_arithmetic<uint64_t>(table, "u64");
  add_arithmetic<int64_t>(table, "s64");
  add_order<float>(table, "f32");
  add_order<double>(table, "f64");
  add_bits<uint16_t>(table, "b16");
  add_bits<uint32_t>(table, "b32");
  add_bits<uint64_t>(table, "b64");
  add_moves<uint16_t>(table, "16", "bus");
  add_moves<uint32_t>(table, "32", "busf");
  add_moves<uint64_t>(table, "64", "busf");
  table.add2<AddSaturated, int32_t, int32_t, int32_t>("add.sat.s32", Sort::integer);
  table.add3<Funnel<true, true>, uint32_t, uint32_t, uint32_t, uint32_t>("shf.l.wrap.b32", Sort::integer);
  table.add3<Funnel<true, false>, uint32_t, uint32_t, uint32_t, uint32_t>("shf.l.clamp.b32", Sort::integer);
  table.add3<Funnel<false, true>, uint32_t, uint32_t, uint32_t, uint32_t>("shf.r.wrap.b32", Sort::integer);
  table.add3<Funnel<false, false>, uint32_t, uint32_t, uint32_t, uint32_t>("shf.r.clamp.b32", Sort::integer);
  table.add3<Permute, uint32_t, uint32_t, uint32_t, uint32_t>("prmt.b32", Sort::integer);
  const Type p{Kind::predicate, 0};
  table.add("and.pred", {&predicates<Logic::and_>, Sort::integer, p, 2, {p, p, {}}});
  table.add("or.pred", {&predicates<Logic::or_>, Sort::integer, p, 2, {p, p, {}}});
  table.add("xor.pred", {&predicates<Logic::xor_>, Sort::integer, p, 2, {p, p, {}}});
  table.add("not.pred", {&predicates<Logic::not_>, Sort::integer, p, 1, {p, {}, {}}});
  table.add("mov.pred", {&predicates<Logic::copy>, Sort::move, p, 1, {p, {}, {}}});
}

}  // namespace lanes
}  // namespace duel::ptx
