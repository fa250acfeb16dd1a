// Runs blocks of a grid, warp by warp.
//
// Note [Lanes that part]
// The lanes of a warp that are at one instruction are a fragment. A branch that its lanes do not all take parts it; the
// fragment at the lowest instruction runs first (deepest call first), and fragments that come to the same instruction join.
// Operations of a warp and barriers wait for the lanes that they name, whatever the order, so results do not depend on it.
//
// Note [What a machine checks]
// Registers that a lane has not written; of memory what the SIMT harness checks (tests/simt/README.md), with its faults and
// words; barriers and warp operations as strictly as it does. A race on shared memory is two accesses of different threads,
// one of them a write, with no barrier of the block between, nor within a warp a bar.warp.sync. What cp.async copies is there
// when its thread has waited for it: Note [Copies that take time] in tests/simt/engine.h. A kernel that waits for the grids
// before it (griddepcontrol.wait) may have been started before they ended: it touches no global memory before.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "module.h"
#include "tests/simt/engine.h"

namespace duel::ptx {

/// How often shared memory is gone through for an access of a warp. At once it serves 128 bytes of its lanes, one word of each
/// of its 32 banks: `least` as often as the bytes ask for, `taken` as the banks allow.
struct Passes {
  uint64_t taken = 0, least = 0;
  Passes& operator+=(const Passes& other) {
    taken += other.taken, least += other.least;
    return *this;
  }
};
/// Of accesses of `bytes` each, from the first byte of shared memory on.
Passes passes(const std::array<uint64_t, 32>& addresses, uint32_t bytes, uint32_t lanes);

/// What was executed of one instruction.
struct Executed {
  uint64_t warps = 0, lanes = 0;
  uint64_t sectors = 0;  ///< of 32 bytes of global memory
  uint64_t reading = 0;  ///< lanes of a copy that are not of zeros
  Passes passes;         ///< over shared memory
};

/// A launch of a program.
struct Grid {
  const Program* program = nullptr;
  std::string kernel;  ///< for failures
  std::vector<unsigned char> parameters;
  dim3 grid{}, block{};
  size_t shared_bytes = 0;   ///< dynamic
  uint64_t most = 1u << 27;  ///< instructions of a block before it counts as endless
};

/// Different sectors of 32 bytes among the lanes' accesses, as an indication of how well they lie together.
uint64_t sectors(unsigned char* const* places, uint32_t bytes, uint32_t lanes);

/// What one OS thread runs blocks with.
class Machine {
 public:
  /// Throws simt::Failure. `executed` has a row for every instruction of the program.
  void run_block(const Grid& grid, uint64_t linear, std::vector<Executed>& executed);

 private:
  enum class State : uint8_t { ready, at_barrier, at_warp_op };
  static constexpr int kDepth = 8;
  struct Fragment {
    uint32_t pc = 0, mask = 0;
    State state = State::ready;
    uint32_t wanted = 0;  // the lanes that its operation waits for
    int depth = 0;
    std::array<uint32_t, kDepth> calls{};  // where to return to
    bool beside(const Fragment& other) const {
      return pc == other.pc && depth == other.depth &&
             std::equal(calls.begin(), calls.begin() + depth, other.calls.begin());
    }
  };
  struct PendingCopy {
    uint64_t to = 0;
    uint32_t lane = 0, bytes = 0, group = 0, pc = 0;
    std::array<unsigned char, 16> value{};
  };
  struct Warp {
    int index = 0;
    uint32_t present = 0, ended = 0, epoch = 0;
    uint32_t waited = 0;  // for the grids before
    unsigned char* file = nullptr;
    uint32_t* defined = nullptr;
    std::vector<Fragment> fragments;
    std::vector<PendingCopy> copies;
    std::array<uint32_t, 32> groups_of_copies{};
  };
  /// The history of four bytes of shared memory in a stretch between barriers.
  struct Cell {
    uint64_t epoch = 0;
    int16_t writer = -1;
    int16_t reader[2] = {-1, -1};
    uint8_t bytes = 0;  // that the writer wrote
    bool write_atomic = false;
    uint32_t write_epoch = 0, write_pc = 0;
    uint32_t read_epoch[2] = {0, 0};
    bool read_atomic[2] = {false, false};
  };

  // machine.cpp
  void prepare(uint64_t linear);
  bool run_warp(Warp& warp);
  size_t pick(Warp& warp);
  void run_fragment(Warp& warp, size_t at);
  void leave(Warp& warp, size_t at, const Instruction& ins, uint32_t lanes);
  void end(Warp& warp, uint32_t lanes, uint32_t pc);
  void arrive_at_barrier(Warp& warp, size_t at, const Instruction& ins);
  void release_barrier(const Instruction& ins);
  [[noreturn]] void fail_stuck();
  [[noreturn]] void fail_undefined(const Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc);
  [[noreturn]] void fail(simt::Fault fault, const std::string& what, const Warp& warp, uint32_t lane,
                         uint32_t pc);
  std::string thread_name(int linear) const;
  const unsigned char* read(const Warp& warp, const Operand& operand) const {
    return operand.constant != nullptr ? operand.constant : warp.file + operand.offset;
  }
  uint32_t undefined(const Warp& warp, const Instruction& ins, uint32_t lanes) const;

  // bit_ops.cpp
  void run_bits(Warp& warp, const Instruction& ins, uint32_t lanes);

  // warp_ops.cpp
  bool gather(Warp& warp, size_t at, const Instruction& ins);
  void run_warp_op(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc);
  void shuffle(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc);

  // tensor_ops.cpp
  void multiply(Warp& warp, const Instruction& ins, uint32_t pc);
  void copy_async(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc);
  void wait_for_copies(Warp& warp, const Instruction& ins, uint32_t lanes);

  // memory.cpp
  void load(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc);
  void store(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc);
  void change(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc);
  void load_parameter(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc);
  void find_places(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc, simt::Access access);
  unsigned char* global_place(uint64_t address, uint32_t bytes, simt::Access access, const Warp& warp,
                              uint32_t lane, uint32_t pc);
  unsigned char* shared_place(uint64_t address, uint32_t bytes, simt::Access access, const Warp& warp,
                              uint32_t lane, uint32_t pc);
  unsigned char* local_place(uint64_t address, uint32_t bytes, simt::Access access, const Warp& warp,
                             uint32_t lane, uint32_t pc);
  void check_race(Cell& cell, uint8_t bytes, simt::Access access, const Warp& warp, uint32_t lane,
                  uint32_t pc, uint64_t address);
  bool ordered(const Warp& warp, int thread, int other, uint32_t epoch) const;

  const Grid* grid_ = nullptr;
  const Program* program_ = nullptr;
  std::vector<Executed>* executed_ = nullptr;
  std::vector<Warp> warps_;
  std::vector<int> order_;
  uint3 block_{};
  int threads_ = 0, ended_ = 0, waiting_ = 0;
  uint32_t barrier_pc_ = 0;
  int barrier_thread_ = 0;
  uint64_t run_ = 0;  // instructions of the block
  uint64_t slice_ = 0;
  uint64_t epoch_ = 0;  // of barriers, never the same again
  bool reversed_ = false;

  std::vector<unsigned char> files_, shared_, shared_written_, local_, local_written_;
  std::vector<uint32_t> defined_;
  std::vector<Cell> cells_;
  std::array<unsigned char*, 32> places_{};
  simt::Region* last_region_ = nullptr;
};

}  // namespace duel::ptx
