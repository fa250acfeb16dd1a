// The harness itself: right kernels pass with the right results, and each of the broken ones is caught, by
// the right diagnosis, naming kernel, thread and source line. Fails on a harness that lets a mistake through,
// reports another one, or refuses a right kernel.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "harness_kernels.h"
#include "simt.h"
#include "tests/source.h"

namespace duel::simt {
namespace {

template <class T>
std::vector<T> ramp(int64_t n, T first = T(0)) {
  std::vector<T> values(static_cast<size_t>(n));
  std::iota(values.begin(), values.end(), first);
  return values;
}

// Right kernels.

TEST(SimtRight, BlockSum) {
  for (int64_t n : {1, 127, 128, 129, 1000}) {
    const int64_t blocks = (n + 127) / 128;
    const In<float> x(ramp<float>(n));
    const Out<float> y(blocks);
    run_all_orders([&] { block_sum(stream(), n, x.data(), y.data()); });
    for (int64_t b = 0; b < blocks; ++b) {
      float sum = 0;
      for (int64_t i = 128 * b; i < n && i < 128 * b + 128; ++i) sum += static_cast<float>(i);
      EXPECT_EQ(y.data()[b], sum) << n;
    }
  }
}

TEST(SimtRight, Scan) {
  for (int n : {1, 31, 200, 256}) {
    const In<int> x(ramp<int>(n, 3));
    const Out<int> y(n);
    run_all_orders([&] { scan(stream(), n, x.data(), y.data()); });
    std::vector<int> expected = x.values();
    std::partial_sum(expected.begin(), expected.end(), expected.begin());
    EXPECT_EQ(y.values(), expected);
  }
}

TEST(SimtRight, TiledTranspose) {
  for (const auto& [rows, cols] : {std::pair{16, 16}, {1, 40}, {33, 17}}) {
    const In<double> x(ramp<double>(int64_t{rows} * cols));
    const Out<double> y(int64_t{rows} * cols);
    run_all_orders([&, r = rows, c = cols] { transpose(stream(), r, c, x.data(), y.data()); });
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < cols; ++j) ASSERT_EQ(y.data()[j * rows + i], i * cols + j);
    }
  }
}

TEST(SimtRight, WarpSum) {
  const In<int> x(ramp<int>(8 * 32));
  const Out<int> y(8);
  run_all_orders([&] { warp_sum(stream(), 8, x.data(), y.data()); });
  for (int w = 0; w < 8; ++w) EXPECT_EQ(y.data()[w], 32 * 32 * w + 496);
}

TEST(SimtRight, DynamicSharedMemory) {
  for (int n : {1, 50, 256}) {
    const In<float> x(ramp<float>(n));
    const Out<float> y(n);
    run_all_orders([&] { dynamic_reverse(stream(), n, x.data(), y.data()); });
    for (int i = 0; i < n; ++i) EXPECT_EQ(y.data()[i], static_cast<float>(n - 1 - i));
  }
}

TEST(SimtRight, VectorCopyAlignedOrNot) {
  for (int64_t n : {1, 4, 5, 130, 513}) {
    const In<float> x(ramp<float>(n));
    const Out<float> y(n);
    for (int shift : {0, 1, 4}) {
      run_all_orders([&] { vector_copy(stream(), n, x.data(), y.data()); }, {.shift = shift});
      EXPECT_EQ(y.values(), x.values());
      EXPECT_EQ(reinterpret_cast<uintptr_t>(y.data()) % 256, 4u * static_cast<unsigned>(shift));
    }
  }
}

TEST(SimtRight, LastBlockSums) {
  const In<int> x(ramp<int>(37));
  const Scratch<int> partial(37);
  const InOut<unsigned> counter(std::vector<unsigned>{0});
  const Out<int> y(1);
  run_all_orders([&] { last_block_sum(stream(), 37, x.data(), partial.data(), counter.data(), y.data()); },
                 {.shuffles = 10});
  EXPECT_EQ(y.data()[0], 36 * 37);
  EXPECT_EQ(counter.data()[0], 0u);
}

TEST(SimtRight, VotesAndReductions) {
  const In<int> x(ramp<int>(32));
  const Out<unsigned> y(32 * 12);
  run_all_orders([&] { votes(stream(), x.data(), y.data()); });
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned thirds = 0;
    for (unsigned k = lane % 3; k < 32; k += 3) thirds |= 1u << k;
    const std::vector<unsigned> expected = {0xaaaaaaaau,
                                            1,
                                            1,
                                            thirds,
                                            496,
                                            static_cast<unsigned>(-10),
                                            21,
                                            64,
                                            31,
                                            0,
                                            lane < 16 ? 0x0000ffffu : 0xffff0000u,
                                            0};
    const unsigned* row = y.data() + 12 * lane;
    EXPECT_EQ(std::vector<unsigned>(row, row + 12), expected) << lane;
  }
}

TEST(SimtRight, ShufflesAsPtxDefinesThem) {
  const In<int> x(ramp<int>(32, 100));
  const Out<int> y(32 * 8);
  run_all_orders([&] { shuffles(stream(), x.data(), y.data()); });
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane / 8 * 8;
    const std::vector<int> expected = {103,
                                       100 + group + 5,
                                       100 + (lane >= 3 ? lane - 3 : lane),
                                       100 + (lane - 3 >= group ? lane - 3 : lane),
                                       100 + (lane + 3 < 32 ? lane + 3 : lane),
                                       100 + (lane + 3 < group + 8 ? lane + 3 : lane),
                                       100 + ((lane ^ 9) < group + 8 ? lane ^ 9 : lane),
                                       3 * (100 + (lane ^ 17))};
    const int* row = y.data() + 8 * lane;
    EXPECT_EQ(std::vector<int>(row, row + 8), expected) << lane;
  }
}

TEST(SimtRight, HalfWarpsUseTheirOwnMasks) {
  const In<int> x(std::vector<int>(32, 1));
  const Out<int> y(32);
  run_all_orders([&] { half_warps(stream(), x.data(), y.data()); });
  for (int i = 0; i < 32; ++i) EXPECT_EQ(y.data()[i], i < 16 ? 16 : 0);
}

TEST(SimtRight, SyncwarpOrdersSharedMemory) {
  const In<int> x(ramp<int>(64));
  const Out<int> y(64);
  run_all_orders([&] { warp_exchange(stream(), x.data(), y.data()); });
  for (int i = 0; i < 64; ++i) EXPECT_EQ(y.data()[i], (i ^ 31 ^ 1) + 1);
}

TEST(SimtRight, IntegerAtomicsInAnyOrder) {
  const In<int> x(ramp<int>(1000));
  const InOut<int> bins(std::vector<int>(8, 0));
  run_all_orders([&] { histogram(stream(), 1000, x.data(), bins.data()); });
  EXPECT_EQ(bins.values(), std::vector<int>(8, 125));
}

TEST(SimtRight, BarriersThatVote) {
  const In<int> x(ramp<int>(64));
  const Out<int> y(64 * 3);
  run_all_orders([&] { block_votes(stream(), x.data(), y.data()); });
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(y.data()[3 * i], 23);
    EXPECT_EQ(y.data()[3 * i + 1], 1);
    EXPECT_EQ(y.data()[3 * i + 2], 0);
  }
}

TEST(SimtRight, EveryIndexOnce) {
  const Out<int> y(12 * 24);
  run_all_orders([&] { grid_index(stream(), y.data()); });
  for (int b = 0; b < 12; ++b) {
    for (int t = 0; t < 24; ++t) EXPECT_EQ(y.data()[b * 24 + t], b * 100 + t);
  }
}

// Broken kernels.

int line_of_mistake(const std::string& name) {
  std::ifstream source(testing::in_source("tests/simt/harness_broken.cu"));
  std::string line;
  for (int number = 1; std::getline(source, line); ++number) {
    const size_t at = line.find("// MISTAKE " + name);
    if (at != std::string::npos && at + 11 + name.size() == line.size()) return number;
  }
  return -1;
}

/// `work` fails with this fault, in this kernel, at the line marked with its name.
template <class Work>
Failure expect_caught(const std::string& name, Fault fault, Work&& work) {
  try {
    run_all_orders(work);
  } catch (const Failure& failure) {
    const std::string text = failure.what();
    SCOPED_TRACE(text);
    EXPECT_EQ(static_cast<int>(failure.fault), static_cast<int>(fault)) << simt::name(failure.fault);
    if (failure.in_thread) {
      EXPECT_NE(failure.kernel.find(name + "_kernel"), std::string::npos);
      EXPECT_NE(text.find("thread ("), std::string::npos);
      const int line = line_of_mistake(name);
      EXPECT_GT(line, 0) << "no line is marked with " << name;
      // A compiler cache may put its own way to the tree before the path.
      EXPECT_NE(failure.site.find("tests/simt/harness_broken.cu:" + std::to_string(line)), std::string::npos)
          << failure.site;
    }
    return failure;
  }
  ADD_FAILURE() << name << " was not caught";
  return {fault, ""};
}

const std::vector<float> kFloats = ramp<float>(64, 1);
const std::vector<int> kInts = ramp<int>(64);

TEST(SimtBroken, MissingBarrier) {
  const In<float> x(kFloats);
  const Out<float> y(64);
  expect_caught("missing_barrier", Fault::uninitialised,
                [&] { missing_barrier(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, MissingBarrierInALoop) {
  const In<float> x(kFloats);
  const Out<float> y(1);
  expect_caught("missing_loop_barrier", Fault::race,
                [&] { missing_loop_barrier(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, WriteRace) {
  const Out<float> y(64);
  const Failure found = expect_caught("write_race", Fault::race, [&] { write_race(stream(), y.data()); });
  EXPECT_EQ(found.thread.x, 1u);
  EXPECT_NE(std::string(found.what()).find("which thread (0, 0, 0) wrote"), std::string::npos)
      << found.what();
}

TEST(SimtBroken, RaceWithinAWarp) {
  const In<float> x(kFloats);
  const Out<float> y(32);
  expect_caught("warp_race", Fault::race, [&] { warp_race(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, PlainReadOfAtomicCounter) {
  const Out<int> y(32);
  expect_caught("atomic_and_plain", Fault::race, [&] { atomic_and_plain(stream(), y.data()); });
}

TEST(SimtBroken, DivergentBarrier) {
  const Out<int> y(64);
  const Failure found = expect_caught("divergent_barrier", Fault::divergent_barrier,
                                      [&] { divergent_barrier(stream(), y.data()); });
  EXPECT_EQ(found.thread.x, 1u);
  EXPECT_EQ(found.block.x, 0u);
}

TEST(SimtBroken, OneBarrierFromTwoCalls) {
  const Out<int> y(64);
  try {
    run_all_orders([&] { divergent_calls(stream(), y.data()); });
    ADD_FAILURE() << "was not caught";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.fault, Fault::divergent_barrier) << failure.what();
    const std::string line = ":" + std::to_string(line_of_mistake("divergent_calls"));
    EXPECT_NE(failure.site.find(line), std::string::npos) << failure.what();
  }
}

TEST(SimtBroken, SkippedBarrier) {
  const Out<int> y(64);
  expect_caught("skipped_barrier", Fault::skipped_barrier, [&] { skipped_barrier(stream(), y.data()); });
}

TEST(SimtBroken, DivergentShuffle) {
  const In<int> x(kInts);
  const Out<int> y(32);
  expect_caught("divergent_shuffle", Fault::divergent_warp_op,
                [&] { divergent_shuffle(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, DifferingMasks) {
  const In<int> x(kInts);
  const Out<int> y(32);
  expect_caught("differing_masks", Fault::divergent_warp_op,
                [&] { differing_masks(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, MaskNamesAnExitedLane) {
  const In<int> x(kInts);
  const Out<int> y(32);
  expect_caught("exited_lane", Fault::exited_lane, [&] { exited_lane(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, MaskNamesALaneThatTheBlockLacks) {
  const In<int> x(kInts);
  const Out<int> y(40);
  expect_caught("partial_warp", Fault::exited_lane, [&] { partial_warp(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, LaneNotInItsMask) {
  const In<int> x(kInts);
  const Out<int> y(32);
  const Failure found = expect_caught("lane_not_in_mask", Fault::lane_not_in_mask,
                                      [&] { lane_not_in_mask(stream(), x.data(), y.data()); });
  EXPECT_EQ(found.thread.x, 16u);
}

TEST(SimtBroken, ShuffleFromALaneOutsideTheMask) {
  const In<int> x(kInts);
  const Out<int> y(32);
  expect_caught("bad_source_lane", Fault::bad_source_lane,
                [&] { bad_source_lane(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, BarrierAgainstShuffle) {
  const In<int> x(kInts);
  const Out<int> y(32);
  expect_caught("barrier_against_shuffle", Fault::deadlock,
                [&] { barrier_against_shuffle(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, OutOfBounds) {
  const In<float> x(std::vector<float>(20, 1.0f), "x");
  const Out<float> y(20, "y");
  const Failure past = expect_caught("read_past_end", Fault::out_of_bounds,
                                     [&] { read_past_end(stream(), 20, x.data(), y.data()); });
  EXPECT_EQ(past.thread.x, 19u);
  EXPECT_NE(std::string(past.what()).find("0 bytes past the end of input 'x' of 20 elements"),
            std::string::npos)
      << past.what();
  const Failure before = expect_caught("read_before_begin", Fault::out_of_bounds,
                                       [&] { read_before_begin(stream(), 20, x.data(), y.data()); });
  EXPECT_EQ(before.thread.x, 0u);
  EXPECT_NE(std::string(before.what()).find("4 bytes before the beginning of input 'x'"), std::string::npos)
      << before.what();
  expect_caught("write_past_end", Fault::out_of_bounds, [&] { write_past_end(stream(), 20, y.data()); });
}

TEST(SimtBroken, NullPointer) {
  const Out<float> y(32);
  expect_caught("null_pointer", Fault::out_of_bounds, [&] { null_pointer(stream(), y.data()); });
}

TEST(SimtBroken, Misaligned) {
  const In<float> x(kFloats);
  const Out<float> y(8);
  expect_caught("misaligned_vector", Fault::misaligned,
                [&] { misaligned_vector(stream(), x.data(), y.data()); });
  const In<char> bytes(std::vector<char>(100));
  const Out<double> z(8);
  expect_caught("misaligned_double", Fault::misaligned,
                [&] { misaligned_double(stream(), bytes.data(), z.data()); });
}

TEST(SimtBroken, WriteToInput) {
  const In<float> x(kFloats);
  const Out<float> y(8);
  expect_caught("write_to_input", Fault::write_to_input,
                [&] { write_to_input(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, Uninitialised) {
  const Out<float> y(32);
  const Scratch<float> scratch(32);
  const Failure found = expect_caught("uninitialised_static", Fault::uninitialised,
                                      [&] { uninitialised_static(stream(), y.data()); });
  EXPECT_EQ(found.thread.x, 31u);
  expect_caught("uninitialised_dynamic", Fault::uninitialised,
                [&] { uninitialised_dynamic(stream(), y.data()); });
  expect_caught("uninitialised_scratch", Fault::uninitialised,
                [&] { uninitialised_scratch(stream(), scratch.data(), y.data()); });
}

TEST(SimtBroken, SharedMemoryOfTheBlockBefore) {
  const Out<int> y(3);
  expect_caught("static_shared_of_other_block", Fault::uninitialised,
                [&] { static_shared_of_other_block(stream(), y.data()); });
}

TEST(SimtBroken, PastDynamicSharedMemory) {
  const Out<float> y(32);
  const Failure found = expect_caught("past_dynamic_shared", Fault::out_of_bounds,
                                      [&] { past_dynamic_shared(stream(), y.data()); });
  EXPECT_EQ(found.thread.x, 31u);
}

TEST(SimtBroken, CopiesThatTakeTime) {
  const In<float> x(kFloats, "x");
  const struct {
    const char* name;
    void (*launcher)(kernels::Stream, const float*, float*);
    Fault fault;
    int threads;
  } cases[] = {
      {"copy_read_too_soon", copy_read_too_soon, Fault::uninitialised, 64},
      {"copy_without_barrier", copy_without_barrier, Fault::race, 32},
      {"copy_over_readers", copy_over_readers, Fault::uninitialised, 64},
      {"copy_past_input", copy_past_input, Fault::out_of_bounds, 64},
      {"copy_misaligned", copy_misaligned, Fault::misaligned, 64},
      {"copy_to_no_shared", copy_to_no_shared, Fault::out_of_bounds, 64},
      {"product_of_a_part", product_of_a_part, Fault::exited_lane, 32},
  };
  for (const auto& each : cases) {
    const Out<float> y(each.threads, "y");
    expect_caught(each.name, each.fault, [&] { each.launcher(stream(), x.data(), y.data()); });
  }
}

TEST(SimtBroken, FloatAtomicsDependOnTheOrder) {
  std::vector<float> values(200);
  for (size_t k = 0; k < values.size(); ++k) values[k] = std::pow(1.37f, static_cast<float>(k % 40));
  const In<float> x(values);
  const InOut<float> y(std::vector<float>{0.0f});
  const Failure found = expect_caught("float_atomics", Fault::order_dependence,
                                      [&] { float_atomics(stream(), 200, x.data(), y.data()); });
  EXPECT_NE(found.kernel.find("float_atomics_kernel"), std::string::npos) << found.what();
}

TEST(SimtBroken, BlocksThatWaitForEachOther) {
  const InOut<int> flags(std::vector<int>{0, 0});
  const Out<int> y(2);
  expect_caught("waits_for_other_block", Fault::deadlock,
                [&] { waits_for_other_block(stream(), flags.data(), y.data()); });
}

TEST(SimtBroken, NeighbourInPlace) {
  const InOut<float> y(kFloats);
  expect_caught("neighbour_in_place", Fault::order_dependence,
                [&] { neighbour_in_place(stream(), 64, y.data()); });
}

TEST(SimtBroken, UnwrittenOutput) {
  const Out<float> y(40, "y");
  const Failure found = expect_caught("unwritten_output", Fault::unwritten_output,
                                      [&] { unwritten_output(stream(), 40, y.data()); });
  EXPECT_NE(std::string(found.what()).find("element 39 of output 'y'"), std::string::npos) << found.what();
}

TEST(SimtBroken, WriteThatOnlyTheGuardsSee) {
  const Out<float> y(20);
  expect_caught("unseen_write", Fault::guard_overwritten, [&] { unseen_write(stream(), 20, y.data()); });
}

TEST(SimtBroken, LocalMemory) {
  const Out<int> y(8);
  const Failure found = [&] {
    try {
      run_all_orders([&] { stack_hog(stream(), y.data()); });
    } catch (const Failure& failure) {
      return failure;
    }
    return Failure(Fault::race, "was not caught");
  }();
  EXPECT_EQ(found.fault, Fault::stack_overflow) << found.what();
  expect_caught("other_threads_local", Fault::out_of_bounds,
                [&] { other_threads_local(stream(), y.data()); });
}

TEST(SimtBroken, Crash) {
  const In<int> x(kInts);
  const Out<int> y(8);
  expect_caught("divides_by_zero", Fault::crash, [&] { divides_by_zero(stream(), x.data(), y.data()); });
}

TEST(SimtBroken, HostTouchesDeviceMemory) {
  const In<float> x(kFloats, "x");
  const Out<float> y(8);
  const Failure found = expect_caught("reads_on_the_host", Fault::host_access,
                                      [&] { reads_on_the_host(stream(), x.data(), y.data()); });
  const std::string line = ":" + std::to_string(line_of_mistake("reads_on_the_host")) + " touches input 'x'";
  EXPECT_NE(std::string(found.what()).find(line), std::string::npos) << found.what();
}

TEST(SimtBroken, LaunchesThatADeviceRefuses) {
  const Out<int> y(1);
  expect_caught("too_many_threads", Fault::bad_launch, [&] { too_many_threads(stream(), y.data()); });
  expect_caught("too_much_shared", Fault::bad_launch, [&] { too_much_shared(stream(), y.data()); });
  expect_caught("host_stream", Fault::bad_launch, [&] { grid_index(Stream(), y.data()); });
}

/// After a failure the harness works as before: stacks and shadows of the broken launch leave nothing behind.
TEST(SimtBroken, NextLaunchIsClean) {
  for (int k = 0; k < 3; ++k) {
    {
      const Out<int> y(64);
      EXPECT_THROW(run_all_orders([&] { divergent_barrier(stream(), y.data()); }), Failure);
    }
    const In<int> x(ramp<int>(64));
    const Out<int> z(64);
    run_in_order({Order::shuffled, 5, 2}, [&] { warp_exchange(stream(), x.data(), z.data()); });
    EXPECT_EQ(z.data()[0], 31);
  }
}

}  // namespace
}  // namespace duel::simt
