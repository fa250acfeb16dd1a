// Integer, bit, predicate and choice instructions against references that are written another way.
#include <bitset>
#include <limits>

#include "texts.h"

namespace duel::ptx::testing {
namespace {

template <class T>
std::vector<T> edges() {
  using L = std::numeric_limits<T>;
  return {T{0},
          T{1},
          T{2},
          T{3},
          static_cast<T>(-1),
          static_cast<T>(-2),
          T{7},
          T{31},
          T{32},
          L::max(),
          L::min(),
          static_cast<T>(L::max() - 1),
          static_cast<T>(L::min() + 1),
          T{100},
          static_cast<T>(-77)};
}

__extension__ typedef __int128 Exact;

template <class T>
T wrapped(Exact value) {
  Exact modulus = 1;
  for (size_t k = 0; k < 8 * sizeof(T); ++k) modulus *= 2;
  Exact low = value % modulus;
  if (low < 0) low += modulus;
  if (std::is_signed_v<T> && low >= modulus / 2) low -= modulus;
  return static_cast<T>(low);
}

template <class R, class T, class Reference>
void expect_pairs(const std::string& op, Reference reference) {
  const Pairs<T> all = pairs(edges<T>());
  const std::vector<R> got = apply<R>(op + " $d, $a, $b;", all.a, all.b);
  for (size_t k = 0; k < got.size(); ++k) {
    EXPECT_EQ(got[k], static_cast<R>(reference(all.a[k], all.b[k])))
        << op << " of " << +all.a[k] << ", " << +all.b[k];
  }
}

template <class T>
void test_arithmetic() {
  const std::string t = "." + Named<T>::memory();
  expect_pairs<T, T>("add" + t, [](T a, T b) { return wrapped<T>(Exact{a} + b); });
  expect_pairs<T, T>("sub" + t, [](T a, T b) { return wrapped<T>(Exact{a} - b); });
  expect_pairs<T, T>("min" + t, [](T a, T b) { return std::min(a, b); });
  expect_pairs<T, T>("max" + t, [](T a, T b) { return std::max(a, b); });
  expect_pairs<T, T>("div" + t,
                     [](T a, T b) { return b == 0 ? static_cast<T>(-1) : wrapped<T>(Exact{a} / b); });
  expect_pairs<T, T>("rem" + t, [](T a, T b) { return b == 0 ? a : wrapped<T>(Exact{a} % b); });
  if constexpr (sizeof(T) < 8) {
    expect_pairs<T, T>("mul.lo" + t, [](T a, T b) { return wrapped<T>(Exact{a} * b); });
    expect_pairs<T, T>("mul.hi" + t, [](T a, T b) {
      const Exact product = Exact{a} * b, modulus = Exact{1} << (8 * sizeof(T));
      return wrapped<T>(product / modulus - (product % modulus < 0 ? 1 : 0));
    });
  }
  const Pairs<T> all = triples(std::vector<T>{T{0}, T{3}, static_cast<T>(-5), std::numeric_limits<T>::max()});
  const std::vector<T> mad = apply<T>("mad.lo" + t + " $d, $a, $b, $c;", all.a, all.b, all.c);
  for (size_t k = 0; k < mad.size(); ++k)
    EXPECT_EQ(mad[k], wrapped<T>(Exact{wrapped<T>(Exact{all.a[k]} * all.b[k])} + all.c[k])) << t;
}

TEST(PtxInteger, Arithmetic) {
  test_arithmetic<uint16_t>();
  test_arithmetic<int16_t>();
  test_arithmetic<uint32_t>();
  test_arithmetic<int32_t>();
  test_arithmetic<uint64_t>();
  test_arithmetic<int64_t>();
}

TEST(PtxInteger, ProductsOf64Bits) {
  const Pairs<uint64_t> all = pairs(edges<uint64_t>());
  const auto low = apply<uint64_t>("mul.lo.u64 $d, $a, $b;", all.a, all.b);
  const auto high = apply<uint64_t>("mul.hi.u64 $d, $a, $b;", all.a, all.b);
  for (size_t k = 0; k < low.size(); ++k) {
    // By halves of 32 bits.
    const uint64_t a0 = all.a[k] & 0xFFFFFFFFu, a1 = all.a[k] >> 32, b0 = all.b[k] & 0xFFFFFFFFu,
                   b1 = all.b[k] >> 32;
    const uint64_t middle = (a0 * b0 >> 32) + (a0 * b1 & 0xFFFFFFFFu) + (a1 * b0 & 0xFFFFFFFFu);
    EXPECT_EQ(high[k], a1 * b1 + (a0 * b1 >> 32) + (a1 * b0 >> 32) + (middle >> 32));
    EXPECT_EQ(low[k], (middle << 32) | (a0 * b0 & 0xFFFFFFFFu));
  }
}

TEST(PtxInteger, WideProducts) {
  expect_pairs<int64_t, int32_t>("mul.wide.s32", [](int32_t a, int32_t b) { return int64_t{a} * b; });
  expect_pairs<uint64_t, uint32_t>("mul.wide.u32", [](uint32_t a, uint32_t b) { return uint64_t{a} * b; });
  expect_pairs<int32_t, int16_t>("mul.wide.s16", [](int16_t a, int16_t b) { return int32_t{a} * b; });
  const std::vector<int32_t> a = {-7, 2147483647}, b = {3, 2147483647};
  const std::vector<int64_t> c = {100, -1};
  EXPECT_EQ((apply<int64_t>("mad.wide.s32 $d, $a, $b, $c;", a, b, c)),
            (std::vector<int64_t>{79, 4611686014132420608}));
}

TEST(PtxInteger, Saturation) {
  expect_pairs<int32_t, int32_t>("add.sat.s32", [](int32_t a, int32_t b) {
    return std::clamp<int64_t>(int64_t{a} + b, INT32_MIN, INT32_MAX);
  });
}

TEST(PtxInteger, Bits) {
  expect_pairs<uint32_t, uint32_t>("and.b32", [](uint32_t a, uint32_t b) { return ~(~a | ~b); });
  expect_pairs<uint64_t, uint64_t>("or.b64", [](uint64_t a, uint64_t b) { return ~(~a & ~b); });
  expect_pairs<uint16_t, uint16_t>("xor.b16", [](uint16_t a, uint16_t b) { return (a | b) & ~(a & b); });
  const std::vector<uint32_t> words = edges<uint32_t>();
  const auto inverse = apply<uint32_t>("not.b32 $d, $a;", words);
  const auto leading = apply<uint32_t>("clz.b32 $d, $a;", words);
  const auto ones = apply<uint32_t>("popc.b32 $d, $a;", words);
  const auto reversed = apply<uint32_t>("brev.b32 $d, $a;", words);
  const auto zero = apply<uint32_t>("cnot.b32 $d, $a;", words);
  for (size_t k = 0; k < words.size(); ++k) {
    const std::bitset<32> bits(words[k]);
    uint32_t first = 0;
    while (first < 32 && !bits[31 - first]) ++first;
    std::bitset<32> back;
    for (size_t i = 0; i < 32; ++i) back[31 - i] = bits[i];
    EXPECT_EQ(inverse[k], UINT32_MAX - words[k]);
    EXPECT_EQ(leading[k], first);
    EXPECT_EQ(ones[k], bits.count());
    EXPECT_EQ(reversed[k], back.to_ulong());
    EXPECT_EQ(zero[k], words[k] == 0 ? 1u : 0u);
  }
  EXPECT_EQ((apply<uint32_t>("bfind.u32 $d, $a;", std::vector<uint32_t>{0, 1, 0x80000000u})),
            (std::vector<uint32_t>{UINT32_MAX, 0, 31}));
  EXPECT_EQ((apply<uint32_t>("bfind.s32 $d, $a;", std::vector<int32_t>{-1, -2, 5})),
            (std::vector<uint32_t>{UINT32_MAX, 0, 2}));
}

TEST(PtxInteger, ShiftsStopAtTheWidth) {
  const std::vector<int32_t> a = {-8, -8, -8, 8};
  const std::vector<uint32_t> by = {1, 31, 200, 200};
  EXPECT_EQ((apply<int32_t>("shr.s32 $d, $a, $b;", a, by)), (std::vector<int32_t>{-4, -1, -1, 0}));
  EXPECT_EQ((apply<int32_t>("shr.u32 $d, $a, $b;", a, by)), (std::vector<int32_t>{0x7FFFFFFC, 1, 0, 0}));
  EXPECT_EQ((apply<int32_t>("shl.b32 $d, $a, $b;", a, by)), (std::vector<int32_t>{-16, 0, 0, 0}));
  EXPECT_EQ((apply<int16_t>("shr.s16 $d, $a, $b;", std::vector<int16_t>{-9}, std::vector<uint32_t>{2})),
            (std::vector<int16_t>{-3}));
}

TEST(PtxInteger, FunnelShifts) {
  const std::vector<uint32_t> low = {0x89ABCDEFu, 0x89ABCDEFu}, high = {0x01234567u, 0x01234567u},
                              by = {8, 40};
  EXPECT_EQ((apply<uint32_t>("shf.l.wrap.b32 $d, $a, $b, $c;", low, high, by)),
            (std::vector<uint32_t>{0x23456789u, 0x23456789u}));
  EXPECT_EQ((apply<uint32_t>("shf.l.clamp.b32 $d, $a, $b, $c;", low, high, by)),
            (std::vector<uint32_t>{0x23456789u, 0x89ABCDEFu}));
  EXPECT_EQ((apply<uint32_t>("shf.r.wrap.b32 $d, $a, $b, $c;", low, high, by)),
            (std::vector<uint32_t>{0x6789ABCDu, 0x6789ABCDu}));
  EXPECT_EQ((apply<uint32_t>("shf.r.clamp.b32 $d, $a, $b, $c;", low, high, by)),
            (std::vector<uint32_t>{0x6789ABCDu, 0x01234567u}));
}

TEST(PtxInteger, Fields) {
  const std::vector<uint32_t> a(3, 0xFEDCBA98u), at = {4, 28, 0}, length = {8, 8, 0};
  EXPECT_EQ((apply<uint32_t>("bfe.u32 $d, $a, $b, $c;", a, at, length)),
            (std::vector<uint32_t>{0xA9, 0xF, 0}));
  const std::vector<int32_t> s(3, static_cast<int32_t>(0xFEDCBA98u));
  EXPECT_EQ((apply<int32_t>("bfe.s32 $d, $a, $b, $c;", s, at, length)), (std::vector<int32_t>{-87, -1, 0}));
  EXPECT_EQ((apply<uint32_t>("bfi.b32 $d, $a, $b, 8, 12;", std::vector<uint32_t>{0xFFFFF123u},
                             std::vector<uint32_t>{0xAAAAAAAAu})),
            (std::vector<uint32_t>{0xAAA123AAu}));
  EXPECT_EQ((apply<uint64_t>("bfi.b64 $d, $a, $b, 60, 12;", std::vector<uint64_t>{0xFFFu},
                             std::vector<uint64_t>{0x0123456789ABCDEFu})),
            (std::vector<uint64_t>{0xF123456789ABCDEFu}));
  EXPECT_EQ((apply<uint32_t>("prmt.b32 $d, $a, $b, 0x7C10;", std::vector<uint32_t>{0x33221100u},
                             std::vector<uint32_t>{0x776655F4u})),
            (std::vector<uint32_t>{0x77FF1100u}));
}

TEST(PtxInteger, Lookup) {
  const std::vector<uint32_t> a = {0xF0F0F0F0u}, b = {0xCCCCCCCCu}, c = {0xAAAAAAAAu};
  // With these inputs the result's bytes are the table.
  for (const uint32_t table : {0x00u, 0x96u, 0xE8u, 0x1Bu, 0xFFu}) {
    EXPECT_EQ((apply<uint32_t>("lop3.b32 $d, $a, $b, $c, " + std::to_string(table) + ";", a, b, c))[0],
              table * 0x01010101u);
  }
}

template <class T>
void test_comparisons(const std::string& t) {
  const Pairs<T> all = pairs(edges<T>());
  const auto holds = [&](const std::string& name) {
    return apply<uint32_t>("setp." + name + "." + t + " %p1, $a, $b;\nselp.u32 $d, 1, 0, %p1;", all.a, all.b);
  };
  const auto eq = holds("eq"), ne = holds("ne"), lt = holds("lt"), le = holds("le"), gt = holds("gt"),
             ge = holds("ge");
  for (size_t k = 0; k < eq.size(); ++k) {
    const T a = all.a[k], b = all.b[k];
    EXPECT_EQ(eq[k], a == b);
    EXPECT_EQ(ne[k], a != b);
    EXPECT_EQ(lt[k], a < b) << t << " " << +a << " " << +b;
    EXPECT_EQ(le[k], a <= b);
    EXPECT_EQ(gt[k], a > b);
    EXPECT_EQ(ge[k], a >= b);
  }
}

TEST(PtxInteger, Comparisons) {
  test_comparisons<uint16_t>("u16");
  test_comparisons<int16_t>("s16");
  test_comparisons<uint32_t>("u32");
  test_comparisons<int32_t>("s32");
  test_comparisons<uint64_t>("u64");
  test_comparisons<int64_t>("s64");
}

TEST(PtxInteger, ComparisonsWithLogicAndBothResults) {
  const std::vector<int32_t> a = {1, 1, 2, 2}, b = {1, 1, 1, 1}, c = {0, 1, 0, 1};
  const auto run_with = [&](const std::string& logic, const std::string& which) {
    return apply<int32_t>("setp.ne.s32 %p3, $c, 0;\nsetp.eq." + logic +
                              ".s32 %p1|%p2, $a, $b, %p3;\nselp.s32 $d, 1, 0, " + which + ";",
                          a, b, c);
  };
  EXPECT_EQ(run_with("and", "%p1"), (std::vector<int32_t>{0, 1, 0, 0}));
  EXPECT_EQ(run_with("and", "%p2"), (std::vector<int32_t>{0, 0, 0, 1}));
  EXPECT_EQ(run_with("or", "%p1"), (std::vector<int32_t>{1, 1, 0, 1}));
  EXPECT_EQ(run_with("xor", "%p2"), (std::vector<int32_t>{0, 1, 1, 0}));
}

TEST(PtxInteger, Predicates) {
  const std::vector<int32_t> a = {0, 0, 1, 1}, b = {0, 1, 0, 1};
  const auto run_with = [&](const std::string& op) {
    return apply<int32_t>(
        "setp.ne.s32 %p1, $a, 0;\nsetp.ne.s32 %p2, $b, 0;\n" + op + "\nselp.s32 $d, 1, 0, %p3;", a, b);
  };
  EXPECT_EQ(run_with("and.pred %p3, %p1, %p2;"), (std::vector<int32_t>{0, 0, 0, 1}));
  EXPECT_EQ(run_with("or.pred %p3, %p1, %p2;"), (std::vector<int32_t>{0, 1, 1, 1}));
  EXPECT_EQ(run_with("xor.pred %p3, %p1, %p2;"), (std::vector<int32_t>{0, 1, 1, 0}));
  EXPECT_EQ(run_with("not.pred %p3, %p1;"), (std::vector<int32_t>{1, 1, 0, 0}));
  EXPECT_EQ(run_with("and.pred %p3, %p1, !%p2;"), (std::vector<int32_t>{0, 0, 1, 0}));
}

TEST(PtxInteger, SignsAndSizes) {
  EXPECT_EQ((apply<int32_t>("neg.s32 $d, $a;", std::vector<int32_t>{5, INT32_MIN})),
            (std::vector<int32_t>{-5, INT32_MIN}));
  EXPECT_EQ((apply<int64_t>("abs.s64 $d, $a;", std::vector<int64_t>{-5, 7, INT64_MIN})),
            (std::vector<int64_t>{5, 7, INT64_MIN}));
}

TEST(PtxInteger, PacksAndUnpacks) {
  EXPECT_EQ((apply<uint64_t>("mov.b64 $d, {$a, $b};", std::vector<uint32_t>{0x11111111u},
                             std::vector<uint32_t>{0x22222222u})),
            (std::vector<uint64_t>{0x2222222211111111u}));
  EXPECT_EQ((apply<uint32_t>("mov.b64 {%r30, $d}, $a;", std::vector<uint64_t>{0x2222222211111111u})),
            (std::vector<uint32_t>{0x22222222u}));
  EXPECT_EQ((apply<uint32_t>("mov.b32 {%h3, %h4}, $a;\nmov.b32 $d, {%h4, %h3};",
                             std::vector<uint32_t>{0xAAAABBBBu})),
            (std::vector<uint32_t>{0xBBBBAAAAu}));
  EXPECT_EQ((apply<uint64_t>("mov.b64 {%h1, %h2, %h3, %h4}, $a;\nmov.b64 $d, {%h4, %h3, %h2, %h1};",
                             std::vector<uint64_t>{0x0123456789ABCDEFu})),
            (std::vector<uint64_t>{0xCDEF89AB45670123u}));
}

}  // namespace
}  // namespace duel::ptx::testing
