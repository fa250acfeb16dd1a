// Threads together: divergence, calls, memory, warp operations, barriers, atomics, counts.
#include <cmath>
#include <map>

#include "texts.h"

namespace duel::ptx::testing {
namespace {

/// What `body` leaves in %r9, one word a thread.
std::vector<uint32_t> words(const std::string& body, const Shape& shape = {},
                            const std::string& before = "") {
  simt::Out<uint32_t> out(int64_t{shape.grid.x} * shape.block.x);
  run(entry(body + "\nmul.wide.u32 %q30, %i0, 4;\nadd.u64 %q30, %q0, %q30;\nst.global.u32 [%q30], %r9;", 1,
            before),
      {out.data()}, shape);
  return out.values();
}

std::vector<uint32_t> of_lanes(uint32_t (*value)(uint32_t)) {
  std::vector<uint32_t> all(32);
  for (uint32_t lane = 0; lane < 32; ++lane) all[lane] = value(lane);
  return all;
}

TEST(PtxThreads, SpecialRegisters) {
  Shape shape;
  shape.grid = dim3(2);
  shape.block = dim3(40);
  const auto got = words(
      "mov.u32 %r1, %laneid;\nmov.u32 %r2, %nctaid.x;\nmov.u32 %r3, %lanemask_lt;\nmad.lo.u32 %r9, %r2, 1000, %r1;\n"
      "add.u32 %r9, %r9, %r3;",
      shape);
  for (uint32_t k = 0; k < 80; ++k) {
    const uint32_t lane = k % 40 % 32;
    EXPECT_EQ(got[k], 2000 + lane + ((1u << lane) - 1)) << k;
  }
}

TEST(PtxThreads, BranchesPartAndJoin) {
  const auto got = words(R"(
    and.b32 %r1, %i2, 3;
    setp.eq.u32 %p1, %r1, 0;
    mov.u32 %r9, 0;
    @%p1 bra ZERO;
    setp.eq.u32 %p2, %r1, 1;
    @!%p2 bra REST;
    add.u32 %r9, %r9, 10;
    bra.uni JOIN;
  REST:
    add.u32 %r9, %r9, 20;
    bra.uni JOIN;
  ZERO:
    add.u32 %r9, %r9, 30;
  JOIN:
    activemask.b32 %r2;
    popc.b32 %r2, %r2;
    add.u32 %r9, %r9, %r2;)");
  EXPECT_EQ(got, of_lanes([](uint32_t k) { return 32 + (k % 4 == 0 ? 30u : k % 4 == 1 ? 10u : 20u); }));
}

TEST(PtxThreads, LoopsOfDifferentLength) {
  const auto got = words(R"(
    mov.u32 %r9, 0;
    mov.u32 %r1, 0;
  LOOP:
    setp.gt.u32 %p1, %r1, %i2;
    @%p1 bra DONE;
    add.u32 %r9, %r9, %r1;
    add.u32 %r1, %r1, 1;
    bra.uni LOOP;
  DONE:)");
  EXPECT_EQ(got, of_lanes([](uint32_t k) { return k * (k + 1) / 2; }));
}

const char* const kFunctions = R"(
.func (.param .b32 result) twice(.param .b32 value)
;
.func (.param .b32 result) more(.param .b32 value, .param .b32 by)
{
  .reg .b32 %r<5>;
  ld.param.u32 %r1, [value];
  ld.param.u32 %r2, [by];
  { .param .b32 param0; st.param.b32 [param0+0], %r1; .param .b32 retval0;
    call.uni (retval0), twice, (param0);
    ld.param.b32 %r3, [retval0+0]; }
  add.u32 %r4, %r3, %r2;
  st.param.b32 [result+0], %r4;
  ret;
}
.func (.param .b32 result) twice(.param .b32 value)
{
  .reg .b32 %r<3>;
  .reg .pred %p<2>;
  ld.param.u32 %r1, [value];
  setp.lt.u32 %p1, %r1, 10;
  @%p1 bra SMALL;
  add.u32 %r2, %r1, %r1;
  st.param.b32 [result+0], %r2;
  ret;
SMALL:
  st.param.b32 [result+0], %r1;
  ret;
}
)";

TEST(PtxThreads, CallsFunctions) {
  const auto got = words(R"(
    setp.lt.u32 %p1, %i2, 3;
    mov.u32 %r9, 7777;
    @%p1 bra OUT;
    { .param .b32 param0; st.param.b32 [param0+0], %i2; .param .b32 param1; st.param.b32 [param1+0], 1000;
      .param .b32 retval0;
      call.uni (retval0), more, (param0, param1);
      ld.param.b32 %r9, [retval0+0]; }
  OUT:)",
                         {}, kFunctions);
  EXPECT_EQ(got, of_lanes([](uint32_t k) { return k < 3 ? 7777u : k < 10 ? 1000 + k : 1000 + 2 * k; }));
}

TEST(PtxThreads, ArraysOfTheModule) {
  const auto got = words(R"(
    mov.u64 %q5, table;
    cvta.const.u64 %q5, %q5;
    mul.wide.u32 %q6, %i2, 4;
    and.b64 %q6, %q6, 12;
    add.u64 %q5, %q5, %q6;
    ld.u32 %r1, [%q5];
    ld.const.u32 %r2, [table+8];
    add.u32 %r9, %r1, %r2;)",
                         {}, ".const .align 4 .u32 table[4] = {5, 0x10, 7, 9};\n");
  EXPECT_EQ(got, of_lanes([](uint32_t k) {
              return 7 + (k % 4 == 0 ? 5u : k % 4 == 1 ? 16u : k % 4 == 2 ? 7u : 9u);
            }));
}

TEST(PtxThreads, LocalMemoryIsEachThreadsOwn) {
  const auto got = words(R"(
    .local .align 8 .b8 depot[16];
    mov.u64 %q5, depot;
    cvta.local.u64 %q6, %q5;
    st.local.u32 [%q5+4], %i2;
    ld.u32 %r9, [%q6+4];)");
  EXPECT_EQ(got, of_lanes([](uint32_t k) { return k; }));
}

TEST(PtxThreads, SharedMemoryAcrossABarrier) {
  Shape shape;
  shape.block = dim3(64);
  shape.shared_bytes = 256;
  const auto got = words(R"(
    mov.u32 %r1, room;
    shl.b32 %r2, %i2, 2;
    add.u32 %r3, %r1, %r2;
    st.shared.u32 [%r3], %i2;
    bar.sync 0;
    xor.b32 %r2, %r2, 252;
    add.u32 %r3, %r1, %r2;
    ld.shared.u32 %r9, [%r3];)",
                         shape, ".extern .shared .align 16 .b8 room[];\n");
  for (uint32_t k = 0; k < 64; ++k) EXPECT_EQ(got[k], 63 - k);
}

TEST(PtxThreads, Vectors) {
  simt::In<float> in({1, 2, 3, 4});
  simt::Out<float> out(4);
  Shape shape;
  shape.block = dim3(1);
  run(entry("ld.global.nc.v4.f32 {%f1, %f2, %f3, %f4}, [%q1];\nst.global.v2.f32 [%q0], {%f4, %f3};\n"
            "st.global.v2.f32 [%q0+8], {%f2, %f1};",
            2),
      {out.data(), in.data()}, shape);
  EXPECT_EQ(out.values(), (std::vector<float>{4, 3, 2, 1}));
}

TEST(PtxThreads, NarrowMemory) {
  simt::In<int8_t> in({-5, 7, -128, 127});
  simt::Out<int32_t> out(3);
  Shape shape;
  shape.block = dim3(1);
  run(entry(
          "ld.global.s8 %r1, [%q1];\nld.global.u8 %r2, [%q1];\nst.global.u32 [%q0], %r1;\nst.global.u32 [%q0+4], %r2;\n"
          "ld.global.s16 %h1, [%q1+2];\ncvt.s32.s16 %r3, %h1;\nst.global.u8 [%q0+8], %r3;\nshr.u32 %r3, %r3, 8;\n"
          "st.global.u8 [%q0+9], %r3;\nst.global.v2.u8 [%q0+10], {%h1, %h1};",
          2),
      {out.data(), in.data()}, shape);
  EXPECT_EQ(out.values(), (std::vector<int32_t>{-5, 251, static_cast<int32_t>(0x80807F80u)}));
}

TEST(PtxThreads, Shuffles) {
  const auto with = [](const std::string& mode, int by, int c) {
    return words("shfl.sync." + mode + ".b32 %r9|%p1, %i2, " + std::to_string(by) + ", " + std::to_string(c) +
                 ", -1;\nselp.u32 %r1, 100, 0, %p1;\nadd.u32 %r9, %r9, %r1;");
  };
  EXPECT_EQ(with("bfly", 5, 31), of_lanes([](uint32_t k) { return 100 + (k ^ 5); }));
  EXPECT_EQ(with("down", 3, 31), of_lanes([](uint32_t k) { return k + 3 < 32 ? 103 + k : k; }));
  EXPECT_EQ(with("up", 3, 0), of_lanes([](uint32_t k) { return k >= 3 ? 97 + k : k; }));
  EXPECT_EQ(with("idx", 6, 31), of_lanes([](uint32_t) { return 106u; }));
  // Groups of eight lanes: c = (32 - 8) << 8 | 7.
  EXPECT_EQ(with("idx", 2, 24 << 8 | 31), of_lanes([](uint32_t k) { return 100 + (k & 24) + 2; }));
  EXPECT_EQ(with("down", 1, 24 << 8 | 7), of_lanes([](uint32_t k) { return (k & 7) < 7 ? 101 + k : k; }));
}

TEST(PtxThreads, ShufflesOfHalfWarpsThatPart) {
  const auto got = words(R"(
    setp.lt.u32 %p1, %i2, 16;
    @%p1 bra LOW;
    shfl.sync.bfly.b32 %r9, %i2, 1, 31, 0xFFFF0000;
    bra.uni OUT;
  LOW:
    shfl.sync.bfly.b32 %r9, %i2, 2, 31, 0x0000FFFF;
  OUT:)");
  EXPECT_EQ(got, of_lanes([](uint32_t k) { return k < 16 ? k ^ 2 : k ^ 1; }));
}

// Two groups come to one shuffle at different times, then go on together to the next.
TEST(PtxThreads, LanesThatMeetAtAShuffleStayTogether) {
  const auto got = words(R"(
    setp.lt.u32 %p1, %i2, 9;
    mov.u32 %r1, %i2;
    @%p1 bra LATE;
  MEET:
    shfl.sync.bfly.b32 %r2, %r1, 16, 31, -1;
    shfl.sync.bfly.b32 %r9, %r2, 1, 31, -1;
    bra.uni OUT;
  LATE:
    add.u32 %r1, %r1, 100;
    bra.uni MEET;
  OUT:)");
  EXPECT_EQ(got, of_lanes([](uint32_t k) { return (k ^ 17) + ((k ^ 17) < 9 ? 100 : 0); }));
}

TEST(PtxThreads, Votes) {
  const std::string odd = "and.b32 %r1, %i2, 1;\nsetp.eq.u32 %p1, %r1, 1;\n";
  EXPECT_EQ(words(odd + "vote.sync.ballot.b32 %r9, %p1, -1;"),
            of_lanes([](uint32_t) { return 0xAAAAAAAAu; }));
  EXPECT_EQ(words(odd + "vote.sync.any.pred %p2, %p1, -1;\nselp.u32 %r9, 1, 0, %p2;"),
            of_lanes([](uint32_t) { return 1u; }));
  EXPECT_EQ(words(odd + "vote.sync.all.pred %p2, %p1, -1;\nselp.u32 %r9, 1, 0, %p2;"),
            of_lanes([](uint32_t) { return 0u; }));
  EXPECT_EQ(words(odd + "vote.sync.uni.pred %p2, !%p1, -1;\nselp.u32 %r9, 1, 0, %p2;"),
            of_lanes([](uint32_t) { return 0u; }));
}

TEST(PtxThreads, MatchesAndReductions) {
  EXPECT_EQ(words("and.b32 %r1, %i2, 1;\nmatch.any.sync.b32 %r9, %r1, -1;"),
            of_lanes([](uint32_t k) { return k % 2 == 0 ? 0x55555555u : 0xAAAAAAAAu; }));
  EXPECT_EQ(words("redux.sync.add.u32 %r9, %i2, -1;"), of_lanes([](uint32_t) { return 496u; }));
  EXPECT_EQ(words("sub.u32 %r1, %i2, 5;\nredux.sync.min.s32 %r9, %r1, -1;"),
            of_lanes([](uint32_t) { return static_cast<uint32_t>(-5); }));
  EXPECT_EQ(words("sub.u32 %r1, %i2, 5;\nredux.sync.max.u32 %r9, %r1, -1;"),
            of_lanes([](uint32_t) { return UINT32_MAX; }));
  EXPECT_EQ(words("redux.sync.or.b32 %r9, %i2, -1;"), of_lanes([](uint32_t) { return 31u; }));
}

TEST(PtxThreads, BarriersThatCount) {
  Shape shape;
  shape.block = dim3(48);
  const std::string few = "setp.lt.u32 %p1, %i2, 40;\n";
  EXPECT_EQ(words(few + "bar.red.popc.u32 %r9, 0, %p1;", shape), std::vector<uint32_t>(48, 40));
  EXPECT_EQ(words(few + "bar.red.and.pred %p2, 0, %p1;\nselp.u32 %r9, 1, 0, %p2;", shape),
            std::vector<uint32_t>(48, 0));
  EXPECT_EQ(words(few + "bar.red.or.pred %p2, 0, %p1;\nselp.u32 %r9, 1, 0, %p2;", shape),
            std::vector<uint32_t>(48, 1));
}

TEST(PtxThreads, Atomics) {
  Shape shape;
  shape.grid = dim3(3);
  const auto result = [&](const std::string& op, uint32_t start) {
    simt::InOut<uint32_t> cell(std::vector<uint32_t>{start});
    run(entry(op), {cell.data()}, shape);
    return cell.values()[0];
  };
  EXPECT_EQ(result("red.global.add.u32 [%q0], %i0;", 1), 1u + 95 * 48);
  EXPECT_EQ(result("atom.global.max.u32 %r1, [%q0], %i0;", 1), 95u);
  EXPECT_EQ(result("atom.global.min.s32 %r1, [%q0], %i0;", 5), 0u);
  EXPECT_EQ(result("atom.global.or.b32 %r1, [%q0], %i0;", 128), 255u);
  EXPECT_EQ(result("atom.global.and.b32 %r1, [%q0], 12;", 255), 12u);
  EXPECT_EQ(result("atom.global.xor.b32 %r1, [%q0], 1;", 7), 7u);
  EXPECT_EQ(result("atom.global.exch.b32 %r1, [%q0], 9;", 7), 9u);
  EXPECT_EQ(result("atom.global.inc.u32 %r1, [%q0], 9;", 0), 96u % 10);
  EXPECT_EQ(result("atom.global.dec.u32 %r1, [%q0], 9;", 0), 4u);
  // One thread finds 7 and stores 100; the others find 100.
  EXPECT_EQ(
      result(
          "atom.global.cas.b32 %r1, [%q0], 7, 100;\nsetp.eq.u32 %p1, %r1, 7;\n@%p1 red.global.add.u32 [%q0], 1000;",
          7),
      1100u);
  simt::InOut<float> sum(std::vector<float>{0.5f});
  run(entry("red.global.add.f32 [%q0], 0f3F800000;"), {sum.data()}, shape);
  EXPECT_EQ(sum.values()[0], 96.5f);
}

TEST(PtxThreads, TicketsOfBlocksAreEachGivenOnce) {
  Shape shape;
  shape.grid = dim3(7);
  shape.block = dim3(1);
  simt::InOut<uint32_t> ticket(std::vector<uint32_t>{0});
  simt::Out<uint32_t> out(7);
  run(entry(
          "atom.global.add.u32 %r1, [%q1], 1;\nmembar.gl;\nmul.wide.u32 %q30, %r1, 4;\nadd.u64 %q30, %q0, %q30;\n"
          "st.global.u32 [%q30], %r1;",
          2),
      {out.data(), ticket.data()}, shape);
  EXPECT_EQ(out.values(), (std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(PtxThreads, StructuresAsParameters) {
  const std::string text =
      header() +
      ".visible .entry k(.param .align 8 .b8 both[24], .param .u8 small, .param .u64 out){\n"
      ".reg .b64 %q<9>;\n.reg .b32 %r<9>;\n.reg .b16 %h<9>;\nld.param.u64 %q0, [out];\n"
      "mov.b64 %q1, both;\nld.param.u32 %r1, [%q1+8];\nld.param.v2.u32 {%r2, %r3}, [both+16];\n"
      "ld.param.s8 %h1, [small];\ncvt.s32.s16 %r4, %h1;\n"
      "st.global.v4.u32 [%q0], {%r1, %r2, %r3, %r4};\nret;\n}\n";
  Module module("text.ptx", text);
  const Program& program = module.program("k");
  EXPECT_EQ(program.parameter_bytes, 40u);
  simt::Out<int32_t> out(4);
  std::vector<unsigned char> parameters(40);
  for (int k = 0; k < 6; ++k) {
    const int value = 10 * k;
    std::memcpy(parameters.data() + 4 * k, &value, 4);
  }
  parameters[24] = 0xFE;
  const int32_t* pointer = out.data();
  std::memcpy(parameters.data() + 32, &pointer, 8);
  Executor().run(program, "k", parameters, dim3(1), dim3(1), 0, {0});
  EXPECT_EQ(out.values(), (std::vector<int32_t>{20, 40, 50, -2}));
}

TEST(PtxThreads, CountsInstructionsBytesAndSectors) {
  Module module(
      "text.ptx",
      entry("mul.wide.u32 %q30, %i0, 4;\nadd.u64 %q31, %q1, %q30;\nadd.u64 %q30, %q0, %q30;\n"
            "ld.global.f32 %f1, [%q31];\nadd.rn.f32 %f2, %f1, %f1;\nsetp.lt.u32 %p1, %i2, 8;\n"
            "@%p1 fma.rn.f32 %f2, %f1, %f1, %f2;\nst.global.f32 [%q30], %f2;\n"
            "mul.wide.u32 %q32, %i2, 128;\nadd.u64 %q32, %q1, %q32;\nld.global.v2.f32 {%f3, %f4}, [%q32];",
            2));
  simt::In<float> in(std::vector<float>(2048, 1.0f));
  simt::Out<float> out(64);
  const void* pointers[] = {out.data(), in.data()};
  std::vector<unsigned char> parameters(16);
  std::memcpy(parameters.data(), pointers, 16);
  Executor executor;
  for (int k = 0; k < 2; ++k)
    executor.run(module.program("k"), "name", parameters, dim3(1), dim3(64), 0, {0});
  const std::map<std::string, Counts> all = executor.counts();
  ASSERT_EQ(all.size(), 1u);
  const Counts& counts = all.at("name");
  const auto of = [](const auto& by_sort, Sort sort) { return by_sort[static_cast<size_t>(sort)]; };
  EXPECT_EQ(counts.launches, 2u);
  EXPECT_EQ(of(counts.warps, Sort::f32), 2u * 2 * 2);
  EXPECT_EQ(of(counts.lanes, Sort::f32), 2u * (64 + 8)) << "lanes whose guard is false do not count";
  EXPECT_EQ(of(counts.lanes, Sort::load), 2u * 128);
  EXPECT_EQ(of(counts.lanes, Sort::f64), 0u);
  EXPECT_EQ(counts.global_loaded, (std::map<int, uint64_t>{{4, 2 * 256}, {8, 2 * 512}}));
  EXPECT_EQ(counts.global_stored, (std::map<int, uint64_t>{{4, 2 * 256}}));
  EXPECT_EQ(counts.global_accesses, 2u * 6);
  // 128 bytes side by side are 4 sectors; with 128 bytes between lanes every lane has one of its own.
  EXPECT_EQ(counts.global_sectors, 2u * (2 * 4 + 2 * 4 + 2 * 32));
  EXPECT_NEAR(counts.coalescing(), 1024.0 / (32 * 80), 1e-9);
  executor.reset_counts();
  EXPECT_TRUE(executor.counts().empty());
}

// A word of each of the 32 banks at once; of accesses of 8 and 16 bytes a half and a quarter of the lanes at once.
TEST(PtxThreads, CountsWhereBanksMeet) {
  const auto of = [](uint32_t bytes, uint32_t lanes, auto address) {
    std::array<uint64_t, 32> addresses;
    for (uint64_t lane = 0; lane < 32; ++lane) addresses[lane] = address(lane);
    const Passes found = passes(addresses, bytes, lanes);
    return std::pair(found.taken, found.least);
  };
  using Both = std::pair<uint64_t, uint64_t>;
  constexpr uint32_t kAll = 0xFFFFFFFFu;
  EXPECT_EQ(of(4, kAll, [](uint64_t lane) { return 4 * lane; }), Both(1, 1));
  EXPECT_EQ(of(4, kAll, [](uint64_t) { return 12; }), Both(1, 1)) << "one word for all";
  EXPECT_EQ(of(1, kAll, [](uint64_t lane) { return lane; }), Both(1, 1));
  EXPECT_EQ(of(4, kAll, [](uint64_t lane) { return 16 * lane; }), Both(4, 1));
  EXPECT_EQ(of(4, kAll, [](uint64_t lane) { return 128 * lane; }), Both(32, 1));
  EXPECT_EQ(of(4, 0xFFu, [](uint64_t lane) { return 128 * lane; }), Both(8, 1)) << "lanes that take part";
  EXPECT_EQ(of(8, kAll, [](uint64_t lane) { return 8 * lane; }), Both(2, 2));
  EXPECT_EQ(of(8, 0xFFFFu, [](uint64_t lane) { return 8 * lane; }), Both(1, 1));
  EXPECT_EQ(of(16, kAll, [](uint64_t lane) { return 16 * lane; }), Both(4, 4));
  EXPECT_EQ(of(16, kAll, [](uint64_t lane) { return 64 * lane; }), Both(16, 4));
}

// Against the product by the definition, in f64, of factors that the unit rounds towards 0 to 10 bits: what is below is not
// looked at.
TEST(PtxThreads, ProductsOfTensorCores) {
  std::vector<float> a(16 * 8), b(8 * 8), c(16 * 8);
  uint32_t state = 1;
  for (std::vector<float>* each : {&a, &b, &c}) {
    for (float& x : *each) {
      state = state * 1664525u + 1013904223u;
      x = static_cast<float>(static_cast<int32_t>(state)) / 65536.0f;
    }
  }
  const simt::In<float> left(a, "a"), right(b, "b");
  const simt::InOut<float> sums(c, "c");
  // %r1 = g, %r2 = t; offsets in bytes of a[g][t], b[t][g], c[g][2 t].
  run(entry(R"(
    shr.u32 %r1, %i2, 2;
    and.b32 %r2, %i2, 3;
    mad.lo.u32 %r3, %r1, 8, %r2;
    mad.lo.u32 %r4, %r2, 8, %r1;
    mad.lo.u32 %r5, %r1, 8, %r2;
    add.u32 %r5, %r5, %r2;
    mul.wide.u32 %q3, %r3, 4;
    add.u64 %q3, %q0, %q3;
    mul.wide.u32 %q4, %r4, 4;
    add.u64 %q4, %q1, %q4;
    mul.wide.u32 %q5, %r5, 4;
    add.u64 %q5, %q2, %q5;
    ld.global.u32 %r10, [%q3];
    ld.global.u32 %r11, [%q3+256];
    ld.global.u32 %r12, [%q3+16];
    ld.global.u32 %r13, [%q3+272];
    ld.global.u32 %r14, [%q4];
    ld.global.u32 %r15, [%q4+128];
    ld.global.v2.f32 {%f1, %f2}, [%q5];
    ld.global.v2.f32 {%f3, %f4}, [%q5+256];
    mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, {%r10, %r11, %r12, %r13}, {%r14, %r15},
      {%f1, %f2, %f3, %f4};
    st.global.v2.f32 [%q5], {%f1, %f2};
    st.global.v2.f32 [%q5+256], {%f3, %f4};)",
            3),
      {left.data(), right.data(), sums.data()});
  const auto cut = [](float x) {
    int exponent = 0;
    const double mantissa = std::frexp(static_cast<double>(x), &exponent);
    return std::ldexp(std::trunc(mantissa * 2048), exponent - 11);
  };
  const auto got = sums.values();
  for (size_t i = 0; i < 16; ++i) {
    for (size_t j = 0; j < 8; ++j) {
      double sum = c[i * 8 + j], size = std::abs(sum);
      for (size_t k = 0; k < 8; ++k) {
        sum += cut(a[i * 8 + k]) * cut(b[k * 8 + j]);
        size += std::abs(cut(a[i * 8 + k]) * cut(b[k * 8 + j]));
      }
      EXPECT_NEAR(got[i * 8 + j], sum, 1e-7 * size) << i << ", " << j;
    }
  }
}

TEST(PtxThreads, CopiesToSharedMemory) {
  simt::In<uint32_t> in({10, 11, 12, 13, 14, 15, 16, 17}, "x");
  simt::Out<uint32_t> out(8);
  // Two threads copy 16 bytes each, the second one 8 of them and zeros; in two groups.
  run(entry(R"(
    mov.u32 %r1, room;
    shl.b32 %r2, %i2, 4;
    add.u32 %r1, %r1, %r2;
    cvt.u64.u32 %q2, %r2;
    add.u64 %q3, %q0, %q2;
    add.u64 %q4, %q1, %q2;
    setp.eq.u32 %p1, %i2, 0;
    selp.u32 %r3, 16, 8, %p1;
    cp.async.ca.shared.global [%r1], [%q3], 16, %r3;
    cp.async.commit_group;
    cp.async.commit_group;
    cp.async.wait_group 1;
    ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r1];
    st.global.v4.u32 [%q4], {%r4, %r5, %r6, %r7};)",
            2, ".extern .shared .align 16 .b8 room[];\n"),
      {in.data(), out.data()}, {.block = dim3(2), .shared_bytes = 32});
  EXPECT_EQ(out.values(), (std::vector<uint32_t>{10, 11, 12, 13, 14, 15, 0, 0}));
}

}  // namespace
}  // namespace duel::ptx::testing
