// Broken kernels: each is caught, with the fault that says what it is, the instruction, the block and the thread.
#include "texts.h"

namespace duel::ptx::testing {
namespace {

using simt::Failure;
using simt::Fault;

Shape threads(unsigned block, unsigned grid = 1, size_t shared_bytes = 0) {
  Shape shape;
  shape.grid = dim3(grid);
  shape.block = dim3(block);
  shape.shared_bytes = shared_bytes;
  return shape;
}

void expect(const Failure& failure, Fault fault, const std::string& site, const std::string& what) {
  EXPECT_EQ(simt::name(failure.fault), std::string(simt::name(fault))) << failure.what();
  EXPECT_NE(failure.site.find(site), std::string::npos) << failure.what();
  EXPECT_NE(std::string(failure.what()).find(what), std::string::npos) << failure.what();
}

const char* const kRoom = ".extern .shared .align 16 .b8 room[];\n";
/// %r3: where the thread's own word of dynamic shared memory is.
const char* const kOwn = "mov.u32 %r1, room;\nshl.b32 %r2, %i2, 2;\nadd.u32 %r3, %r1, %r2;\n";

TEST(PtxBroken, StorePastTheEnd) {
  simt::Out<float> out(64, "y");
  const Failure failure = failure_of(
      entry("mul.wide.u32 %q30, %i0, 4;\nadd.u64 %q30, %q0, %q30;\nst.global.f32 [%q30+4], 0f3F800000;"),
      {out.data()}, threads(32, 2));
  expect(failure, Fault::out_of_bounds, "text.ptx:18: st.global.f32 [%q30+4], 0f3F800000;",
         "writes 4 bytes at 0 bytes past the end of output 'y' of 64 elements");
  EXPECT_EQ(failure.block.x, 1u);
  EXPECT_EQ(failure.thread.x, 31u);
  EXPECT_EQ(failure.kernel, "k");
  EXPECT_TRUE(failure.in_thread);
}

TEST(PtxBroken, LoadAcrossTheEnd) {
  simt::In<float> in({1, 2, 3, 4, 5, 6}, "x");
  expect(failure_of(entry("ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%q0+16];"), {in.data()}, threads(1)),
         Fault::out_of_bounds, "ld.global.v4.f32", "across the end of input 'x'");
}

TEST(PtxBroken, NullPointer) {
  expect(failure_of(entry("ld.global.f32 %f1, [%q0];"), {nullptr}, threads(1)), Fault::out_of_bounds,
         "ld.global.f32", "outside all buffers");
}

TEST(PtxBroken, MisalignedVector) {
  simt::In<float> in(std::vector<float>(8, 1.0f));
  expect(failure_of(entry("ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%q0+4];"), {in.data()}, threads(1)),
         Fault::misaligned, "ld.global.v4.f32", "no multiple of 16");
}

TEST(PtxBroken, RegisterThatSomeLanesHaveNotWritten) {
  simt::Out<uint32_t> out(32);
  const Failure failure =
      failure_of(entry("setp.ne.u32 %p1, %i2, 7;\n@%p1 mov.u32 %r1, 5;\nadd.u32 %r2, %r1, 1;"), {out.data()},
                 threads(32));
  expect(failure, Fault::uninitialised, "add.u32 %r2, %r1, 1;", "reads a register that it has not written");
  EXPECT_EQ(failure.thread.x, 7u);
}

TEST(PtxBroken, PredicateThatNobodyWrote) {
  expect(failure_of(entry("@%p5 bra OUT;\nOUT:"), {nullptr}), Fault::uninitialised, "@%p5 bra OUT;",
         "register");
}

TEST(PtxBroken, SharedMemoryThatNobodyWrote) {
  expect(failure_of(entry(std::string(kOwn) + "ld.shared.u32 %r4, [%r3];", 1, kRoom), {nullptr},
                    threads(32, 1, 128)),
         Fault::uninitialised, "ld.shared.u32", "dynamic shared memory (byte 0) that no thread");
}

TEST(PtxBroken, SharedMemoryOfTheBlockBefore) {
  // The first block writes what the second one only reads.
  const Failure failure =
      failure_of(entry(std::string("mov.u32 %r5, %ctaid.x;\nsetp.eq.u32 %p1, %r5, 0;\n") + kOwn +
                           "@%p1 st.shared.u32 [%r3], 1;\nld.shared.u32 %r4, [%r3];",
                       1, kRoom),
                 {nullptr}, threads(32, 2, 128));
  expect(failure, Fault::uninitialised, "ld.shared.u32", "shared memory");
  EXPECT_EQ(failure.block.x, 1u);
}

TEST(PtxBroken, DynamicSharedMemoryPastItsEnd) {
  expect(failure_of(entry(std::string(kOwn) + "st.shared.u32 [%r3+4], 1;", 1, kRoom), {nullptr},
                    threads(32, 1, 128)),
         Fault::out_of_bounds, "st.shared.u32", "at byte 128 of dynamic shared memory; the launch gave 128");
}

TEST(PtxBroken, StaticSharedMemoryIntoTheNextArray) {
  const std::string two = ".shared .align 4 .b8 first[128];\n.shared .align 4 .b8 second[128];\n";
  const std::string body =
      "mov.u32 %r1, first;\nmov.u32 %r5, second;\nshl.b32 %r2, %i2, 2;\nadd.u32 %r3, %r1, %r2;\n";
  EXPECT_NO_THROW(run(entry(body + "st.shared.u32 [%r3], 1;", 1, two), {nullptr}));
  expect(failure_of(entry(body + "st.shared.u32 [%r3+4], 1;", 1, two), {nullptr}), Fault::out_of_bounds,
         "st.shared.u32", "outside its variables");
}

TEST(PtxBroken, GlobalMemoryThatNobodyWrote) {
  simt::Scratch<float> scratch(4, "w");
  expect(failure_of(entry("ld.global.f32 %f1, [%q0+8];"), {scratch.data()}, threads(1)), Fault::uninitialised,
         "ld.global.f32",
         "reads element 2 of scratch buffer 'w' of 4 elements, which nothing has been written to");
}

TEST(PtxBroken, StoreToAnInput) {
  simt::In<float> in({1, 2}, "x");
  expect(failure_of(entry("st.global.f32 [%q0+4], 0f00000000;"), {in.data()}, threads(1)),
         Fault::write_to_input, "st.global.f32", "element 1 of input 'x'");
}

TEST(PtxBroken, StoreToAConstant) {
  expect(failure_of(
             entry("mov.u64 %q5, table;\nst.u32 [%q5], 1;", 1, ".const .align 4 .u32 table[2] = {1, 2};\n"),
             {nullptr}, threads(1)),
         Fault::write_to_input, "st.u32", "the constant table");
}

TEST(PtxBroken, DifferentBarriers) {
  expect(
      failure_of(
          entry(
              "setp.lt.u32 %p1, %i2, 32;\n@%p1 bra LOW;\nbar.sync 0;\nbra.uni OUT;\nLOW:\nbar.sync 0;\nOUT:"),
          {nullptr}, threads(64)),
      Fault::divergent_barrier, "bar.sync 0;",
      "comes to this barrier while thread (0, 0, 0) waits at text.ptx:");
}

TEST(PtxBroken, DifferentBarriersInOneWarp) {
  expect(
      failure_of(
          entry(
              "setp.lt.u32 %p1, %i2, 5;\n@%p1 bra LOW;\nbar.sync 0;\nbra.uni OUT;\nLOW:\nbar.sync 0;\nOUT:"),
          {nullptr}, threads(32)),
      Fault::divergent_barrier, "bar.sync 0;", "waits at");
}

TEST(PtxBroken, BarrierThatSomeThreadsSkip) {
  expect(
      failure_of(entry("setp.eq.u32 %p1, %i2, 3;\n@%p1 bra OUT;\nbar.sync 0;\nOUT:"), {nullptr}, threads(64)),
      Fault::skipped_barrier, "ret;", "ends while thread (0, 0, 0) waits at the barrier");
}

TEST(PtxBroken, BarrierAfterThreadsHaveEnded) {
  expect(failure_of(entry("setp.lt.u32 %p1, %i2, 32;\n@%p1 exit;\nbar.sync 0;"), {nullptr}, threads(64)),
         Fault::skipped_barrier, "bar.sync 0;", "after 32 threads of the block have ended without it");
}

TEST(PtxBroken, ShuffleWithALaneThatHasEnded) {
  expect(failure_of(entry("setp.eq.u32 %p1, %i2, 9;\n@%p1 exit;\nshfl.sync.bfly.b32 %r1, %i2, 1, 31, -1;"),
                    {nullptr}),
         Fault::exited_lane, "shfl.sync", "waits for lane 9, which has ended");
}

TEST(PtxBroken, ShuffleWithLanesThatTheBlockLacks) {
  expect(failure_of(entry("shfl.sync.bfly.b32 %r1, %i2, 1, 31, -1;"), {nullptr}, threads(20)),
         Fault::exited_lane, "shfl.sync", "lane 20, which the block does not have");
}

TEST(PtxBroken, ShuffleOfALaneOutsideTheMask) {
  expect(
      failure_of(
          entry(
              "setp.ge.u32 %p1, %i2, 16;\n@%p1 bra OUT;\nshfl.sync.bfly.b32 %r1, %i2, 16, 31, 0xFFFF;\nOUT:"),
          {nullptr}),
      Fault::bad_source_lane, "shfl.sync", "reads lane 16, which its mask does not name");
}

TEST(PtxBroken, LaneThatItsMaskDoesNotName) {
  expect(failure_of(entry("vote.sync.ballot.b32 %r1, 1, 0xFFFF;"), {nullptr}), Fault::lane_not_in_mask,
         "vote.sync", "a mask that does not name it");
}

TEST(PtxBroken, LanesOfAMaskAtDifferentOperations) {
  expect(
      failure_of(
          entry(
              "setp.lt.u32 %p1, %i2, 5;\n@%p1 bra LOW;\nshfl.sync.bfly.b32 %r1, %i2, 1, 31, -1;\nbra.uni OUT;\n"
              "LOW:\nshfl.sync.bfly.b32 %r1, %i2, 1, 31, -1;\nOUT:"),
          {nullptr}),
      Fault::divergent_warp_op, "shfl.sync", "of the same mask waits at");
}

TEST(PtxBroken, WarpOperationAgainstBarrier) {
  expect(failure_of(entry("setp.lt.u32 %p1, %i2, 5;\n@%p1 bra LOW;\nbar.warp.sync -1;\nLOW:\nbar.sync 0;"),
                    {nullptr}),
         Fault::deadlock, "bar.warp.sync", "waits at the barrier in");
}

TEST(PtxBroken, RaceOfTwoWriters) {
  expect(failure_of(entry("mov.u32 %r1, room;\nst.shared.u32 [%r1], %i2;", 1, kRoom), {nullptr},
                    threads(64, 1, 256)),
         Fault::race, "st.shared.u32 [%r1], %i2;", "which thread (0, 0, 0) wrote in text.ptx:");
  EXPECT_NO_THROW(
      run(entry("mov.u32 %r1, room;\nsetp.eq.u32 %p1, %i2, 0;\n@%p1 st.shared.u32 [%r1], 0;\nbar.sync 0;\n"
                "atom.shared.add.u32 %r2, [%r1], 1;",
                1, kRoom),
          {nullptr}, threads(64, 1, 256)))
      << "atomics do not race";
}

TEST(PtxBroken, RaceOfAReaderWithTheNextWriter) {
  // A barrier before the reads, none between them and the next writes.
  const std::string body =
      std::string(kOwn) +
      "st.shared.u32 [%r3], %i2;\nbar.sync 0;\nxor.b32 %r5, %r2, 128;\nadd.u32 %r6, %r1, %r5;\n"
      "ld.shared.u32 %r4, [%r6];\n";
  EXPECT_NO_THROW(
      run(entry(body + "bar.sync 0;\nst.shared.u32 [%r3], %r4;", 1, kRoom), {nullptr}, threads(64, 1, 256)));
  expect(failure_of(entry(body + "st.shared.u32 [%r3], %r4;", 1, kRoom), {nullptr}, threads(64, 1, 256)),
         Fault::race, "", "with no barrier between");
}

TEST(PtxBroken, RaceInsideAWarp) {
  const std::string body = std::string(kOwn) + "st.shared.u32 [%r3], %i2;\n";
  const std::string rest = "xor.b32 %r5, %r2, 4;\nadd.u32 %r6, %r1, %r5;\nld.shared.u32 %r4, [%r6];";
  EXPECT_NO_THROW(run(entry(body + "bar.warp.sync -1;\n" + rest, 1, kRoom), {nullptr}, threads(32, 1, 128)));
  expect(failure_of(entry(body + rest, 1, kRoom), {nullptr}, threads(32, 1, 128)), Fault::race,
         "ld.shared.u32", "with no barrier between");
}

/// Word i of the array is copied to the thread's own word of shared memory; then `rest`.
Failure failure_of_copy(const std::string& rest,
                        const std::string& copy = "cp.async.ca.shared.global [%r3], [%q2], 4;",
                        unsigned block = 64) {
  simt::In<uint32_t> in(std::vector<uint32_t>(64, 7), "x");
  return failure_of(
      entry(kOwn + std::string("mul.wide.u32 %q1, %i2, 4;\nadd.u64 %q2, %q0, %q1;\n") + copy + "\n" + rest, 1,
            kRoom),
      {in.data()}, threads(block, 1, 4 * 64));
}

TEST(PtxBroken, CopyThatIsReadTooSoon) {
  expect(failure_of_copy("ld.shared.u32 %r4, [%r3];"), Fault::uninitialised, "ld.shared.u32 %r4, [%r3];",
         "that no thread of the block has written");
  // A group that has not ended is not waited for.
  expect(failure_of_copy("cp.async.wait_group 0;\nld.shared.u32 %r4, [%r3];"), Fault::uninitialised,
         "ld.shared.u32 %r4, [%r3];", "that no thread of the block has written");
  expect(failure_of_copy("cp.async.commit_group;\ncp.async.wait_group 1;\nld.shared.u32 %r4, [%r3];"),
         Fault::uninitialised, "ld.shared.u32 %r4, [%r3];", "that no thread of the block has written");
  const std::string waits = "cp.async.commit_group;\ncp.async.wait_group 0;\n";
  expect(failure_of_copy(waits + "ld.shared.u32 %r4, [%r3];"), Fault::host_access, "", "no failure");
}

TEST(PtxBroken, CopyOfAnotherThreadWithoutABarrier) {
  const std::string waits = "cp.async.commit_group;\ncp.async.wait_group 0;\n",
                    other = "xor.b32 %r5, %r2, 128;\nadd.u32 %r5, %r1, %r5;\n";
  EXPECT_EQ(simt::name(failure_of_copy(waits + other + "ld.shared.u32 %r4, [%r5];").fault),
            std::string(simt::name(Fault::uninitialised)));  // of a warp that has not come so far
  expect(failure_of_copy(waits + "xor.b32 %r5, %r2, 4;\nadd.u32 %r5, %r1, %r5;\nld.shared.u32 %r4, [%r5];"),
         Fault::race, "ld.shared.u32 %r4, [%r5];", "with no barrier between");
  expect(failure_of_copy(waits + "bar.sync 0;\n" + other + "ld.shared.u32 %r4, [%r5];"), Fault::host_access,
         "", "no failure");
}

TEST(PtxBroken, CopyOverWhatOthersRead) {
  const std::string first =
                        "st.shared.u32 [%r3], 5;\nbar.sync 0;\nxor.b32 %r5, %r2, 4;\nadd.u32 %r5, %r1, %r5;\n"
                        "ld.shared.u32 %r4, [%r5];\n",
                    copy = "cp.async.ca.shared.global [%r3], [%q2], 4;";
  expect(failure_of_copy("", first + copy), Fault::race, copy, "with no barrier between");
  expect(failure_of_copy("", first + "bar.sync 0;\n" + copy), Fault::host_access, "", "no failure");
}

TEST(PtxBroken, CopiesFromAndToWrongPlaces) {
  expect(failure_of_copy("", "cp.async.cg.shared.global [%r3], [%q2], 16;", 1), Fault::host_access, "",
         "no failure");
  expect(failure_of_copy("", "cp.async.cg.shared.global [%r3], [%q2], 16;", 2), Fault::misaligned, "cp.async",
         "no multiple");
  expect(failure_of_copy("", "add.u64 %q2, %q2, 256;\ncp.async.ca.shared.global [%r3], [%q2], 4;", 1),
         Fault::out_of_bounds, "cp.async", "past the end of input 'x'");
  expect(
      failure_of_copy(
          "", "mov.u32 %r6, 0;\nadd.u64 %q2, %q2, 256;\ncp.async.ca.shared.global [%r3], [%q2], 4, %r6;", 1),
      Fault::host_access, "", "no failure");  // nothing is read, zeros are written
  expect(failure_of_copy("", "add.u32 %r3, %r3, 256;\ncp.async.ca.shared.global [%r3], [%q2], 4;", 1),
         Fault::out_of_bounds, "cp.async", "dynamic shared memory");
}

TEST(PtxBroken, GlobalMemoryBeforeTheGridsBeforeHaveEnded) {
  const simt::Out<uint32_t> out(32, "y");
  const std::string wait = "griddepcontrol.wait;\ngriddepcontrol.launch_dependents;\n",
                    store = "mul.wide.u32 %q1, %i2, 4;\nadd.u64 %q1, %q0, %q1;\nst.global.u32 [%q1], 1;\n";
  expect(failure_of(entry(store + wait), {out.data()}), Fault::race, "st.global.u32 [%q1], 1;",
         "writes global memory before it has waited for the kernels before it");
  expect(failure_of(entry("setp.ne.u32 %p1, %i2, 5;\n@%p1 griddepcontrol.wait;\n" + store), {out.data()}),
         Fault::race, "st.global.u32 [%q1], 1;", "before it has waited");
  expect(failure_of(entry(wait + store), {out.data()}), Fault::host_access, "", "no failure");
  expect(failure_of(entry(store), {out.data()}), Fault::host_access, "",
         "no failure");  // it is never started early
}

TEST(PtxBroken, FactorThatALaneHasNotWritten) {
  expect(
      failure_of(
          entry(
              "mov.u32 %r1, 0;\nmov.f32 %f1, 0f00000000;\nsetp.ne.u32 %p1, %i2, 9;\n@%p1 mov.u32 %r2, 0;\n"
              "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, {%r1, %r1, %r1, %r1}, "
              "{%r1, %r2}, {%f1, %f1, %f1, %f1};"),
          {nullptr}),
      Fault::uninitialised, "mma.sync", "reads a register that it has not written");
}

TEST(PtxBroken, ProductWithoutAllLanes) {
  const std::string product =
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, {%r1, %r1, %r1, %r1}, {%r1, %r1}, "
      "{%f1, %f1, %f1, %f1};";
  const std::string zeros = "mov.u32 %r1, 0;\nmov.f32 %f1, 0f00000000;\n";
  expect(failure_of(entry(zeros + product), {nullptr}, threads(24)), Fault::exited_lane, "mma.sync",
         "which the block does not have");
  expect(failure_of(entry(zeros + "setp.eq.u32 %p1, %i2, 3;\n@%p1 ret;\n" + product), {nullptr}),
         Fault::exited_lane, "mma.sync", "which has ended");
}

TEST(PtxBroken, LoopWithoutEnd) {
  expect(failure_of(entry("LOOP:\nadd.u32 %r1, %i2, 1;\nbra.uni LOOP;"), {nullptr}, threads(32), 10000),
         Fault::deadlock, "", "has executed more than 10000 instructions");
}

TEST(PtxBroken, SpinOnWhatAnotherBlockWouldWrite) {
  simt::InOut<uint32_t> flag(std::vector<uint32_t>{0});
  expect(
      failure_of(entry("LOOP:\nld.volatile.global.u32 %r1, [%q0];\nsetp.eq.u32 %p1, %r1, 0;\n@%p1 bra LOOP;"),
                 {flag.data()}, threads(1), 10000),
      Fault::deadlock, "", "does not end");
}

TEST(PtxBroken, Trap) {
  expect(failure_of(entry("setp.eq.u32 %p1, %i2, 2;\n@%p1 trap;"), {nullptr}), Fault::crash, "@%p1 trap;",
         "trap");
}

TEST(PtxBroken, LocalMemoryPastItsEnd) {
  expect(failure_of(entry(".local .align 4 .b8 depot[8];\nmov.u64 %q5, depot;\nst.local.u32 [%q5+8], 1;"),
                    {nullptr}),
         Fault::out_of_bounds, "st.local.u32", "local memory of 8 bytes");
  expect(failure_of(entry(".local .align 4 .b8 depot[8];\nmov.u64 %q5, depot;\nld.local.u32 %r1, [%q5];"),
                    {nullptr}),
         Fault::uninitialised, "ld.local.u32", "local memory");
}

TEST(PtxBroken, ParametersOfAnotherSize) {
  Module module("text.ptx", entry("", 2));
  try {
    Executor().run(module.program("k"), "k", std::vector<unsigned char>(8), dim3(1), dim3(1), 0, {0});
    ADD_FAILURE() << "ran";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.fault, Fault::bad_launch);
    EXPECT_NE(std::string(failure.what()).find("expected 16 bytes of parameters, got 8"), std::string::npos);
  }
}

TEST(PtxBroken, ParameterReadPastTheirEnd) {
  expect(failure_of(entry("ld.param.u64 %q5, [p0+8];"), {nullptr}, threads(1)), Fault::out_of_bounds,
         "ld.param.u64", "of parameters of 8 bytes");
}

TEST(PtxBroken, LaunchesThatADeviceRefuses) {
  EXPECT_EQ(failure_of(entry("", 1, "", ".maxntid 64, 1, 1\n"), {nullptr}, threads(96)).fault,
            Fault::bad_launch);
  EXPECT_EQ(failure_of(entry("mov.u32 %r1, big;", 1, ".shared .align 4 .b8 big[40000];\n"), {nullptr},
                       threads(32, 1, 10000))
                .fault,
            Fault::bad_launch);
}

std::string error_of(const std::string& text) {
  try {
    Module module("text.ptx", text);
    module.program("k");
  } catch (const ParseError& error) {
    return error.what();
  }
  return "";
}

// What is not known is refused when the entry is read, with file and line.
TEST(PtxBroken, TextsThatAreNotKnown) {
  const struct {
    const char* body;
    const char* what;
  } cases[] = {
      {"wgmma.fence.sync.aligned;", "an opcode that is not known: wgmma.fence.sync.aligned"},
      {"add.rz.f32 %f1, %f2, %f3;", "an opcode that is not known: add.rz.f32"},
      {"ld.global.L3::x.u32 %r1, [%q0];", "an opcode that is not known"},
      {"setp.lt.f16 %p1, %h1, %h2;", "an opcode that is not known"},
      {"bar.sync 1;", "barriers other than number 0"},
      {"bar.sync 0, 64;", "barriers of a part of the block"},
      {"add.s32 %r1, %r2;", "expected 3 operands, got 2"},
      {"add.s64 %q1, %r2, 1;", "a register of another width: '%r2'"},
      {"add.s32 %r99, %r2, 1;", "a register that is not declared: '%r99'"},
      {"add.s32 %r1, %r2, 0f3F800000 + 1;", "expected ';'"},
      {"add.f32 %f1, %f2, 1;", "an integer where a floating-point number is expected"},
      {"mov.u32 %tid.x, 1;", "a special register is written to"},
      {"mov.u32 %r1, nothing;", "neither a register nor a symbol: 'nothing'"},
      {"bra NOWHERE;", "a label that is not there: NOWHERE"},
      {"call.uni nothing, ();", "a function that the module lacks: nothing"},
      {"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {%f1}, {%r1}, {%r1}, {%f1};",
       "an opcode that is not known: mma.sync.aligned.m16n8k4"},
      {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1}, {%r1}, {%r1}, {%f1};",
       "expected a vector of 4 registers"},
      {"cp.async.bulk.commit_group;", "an opcode that is not known: cp.async.bulk.commit_group"},
      {"cp.async.cg.shared.global [%r1], [%q0], 8;", "a copy of a size that there is not"},
      {".surf x;", "a directive that is not known: '.surf'"},
  };
  for (const auto& each : cases) {
    const std::string error = error_of(entry(each.body));
    EXPECT_NE(error.find(each.what), std::string::npos) << each.body << ": " << error;
    EXPECT_EQ(error.rfind("text.ptx:", 0), 0u) << error;
  }
  EXPECT_NE(error_of(entry("add.rz.f32 %f1, %f2, %f3;")).find("text.ptx:16: "), std::string::npos);
  EXPECT_NE(error_of(header() + ".visible .entry other(){ret;}").find("no entry of the name k"),
            std::string::npos);
  EXPECT_NE(error_of(".version 8.0\n.address_size 32\n").find("64 bits"), std::string::npos);
  EXPECT_NE(error_of(header() + ".visible .entry k(){ ret;").find("the end of the text"), std::string::npos);
}

}  // namespace
}  // namespace duel::ptx::testing
