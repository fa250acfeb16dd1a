// Warps, fragments, control flow and barriers: see machine.h.
#include "machine.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <numeric>
#include <random>

namespace duel::ptx {

using simt::Fault;

namespace {

constexpr uint32_t kAll = 0xFFFFFFFFu;
constexpr uint64_t kSlice = 1u << 16;  // instructions of a warp before another one runs
constexpr size_t kNone = ~size_t{0};

std::string text(uint3 v) {
  return "(" + std::to_string(v.x) + ", " + std::to_string(v.y) + ", " + std::to_string(v.z) + ")";
}

uint3 unravel(uint64_t linear, dim3 extent) {
  return {static_cast<unsigned>(linear % extent.x), static_cast<unsigned>(linear / extent.x % extent.y),
          static_cast<unsigned>(linear / extent.x / extent.y)};
}

void fill(unsigned char* to, uint32_t value) {
  for (size_t lane = 0; lane < 32; ++lane) std::memcpy(to + 4 * lane, &value, 4);
}

}  // namespace

std::string Machine::thread_name(int linear) const {
  return "thread " + text(unravel(static_cast<uint64_t>(linear), grid_->block));
}

void Machine::fail(Fault fault, const std::string& what, const Warp& warp, uint32_t lane, uint32_t pc) {
  const uint3 thread = unravel(static_cast<uint64_t>(warp.index) * 32 + lane, grid_->block);
  const std::string site = program_->place(pc);
  simt::Failure failure(fault, std::string(simt::name(fault)) + ": block " + text(block_) + ", thread " +
                                   text(thread) + " " + what + ", at " + site + " in " + grid_->kernel +
                                   " [" + simt::to_text(simt::schedule()) + "]");
  failure.kernel = grid_->kernel;
  failure.in_thread = true;
  failure.block = block_;
  failure.thread = thread;
  failure.site = site;
  throw failure;
}

/// Lanes that read a register which they have not written.
uint32_t Machine::undefined(const Warp& warp, const Instruction& ins, uint32_t lanes) const {
  const uint32_t* defined = warp.defined;
  return lanes & ~(defined[ins.in[0].number] & defined[ins.in[1].number] & defined[ins.in[2].number] &
                   defined[ins.in[3].number] & defined[ins.address.number]);
}

void Machine::fail_undefined(const Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc) {
  uint32_t bad = undefined(warp, ins, lanes);
  if (ins.guarded) bad |= lanes & ~warp.defined[ins.guard.number];
  fail(Fault::uninitialised, "reads a register that it has not written", warp,
       static_cast<uint32_t>(std::countr_zero(bad)), pc);
}

void Machine::prepare(uint64_t linear) {
  const Program& p = *program_;
  block_ = unravel(linear, grid_->grid);
  threads_ = static_cast<int>(grid_->block.x * grid_->block.y * grid_->block.z);
  ended_ = waiting_ = 0;
  run_ = 0;
  ++epoch_;
  const size_t count = (static_cast<size_t>(threads_) + 31) / 32;
  const size_t file = (p.register_bytes + 63) / 64 * 64 + 64;
  if (files_.size() < count * file + 64) files_.resize(count * file + 64);
  defined_.assign(count * p.registers, 0);
  const size_t shared = kDynamicShared + grid_->shared_bytes;
  if (shared_.size() < shared) {
    shared_.resize(shared);
    shared_written_.resize(shared);
    cells_.resize(shared / 4 + 1);
  }
  if (!p.shared.empty()) std::memset(shared_written_.data(), 0, p.shared.back().second);
  std::memset(shared_written_.data() + kDynamicShared, 0, grid_->shared_bytes);
  std::memset(shared_.data() + kDynamicShared, 0xFF, grid_->shared_bytes);
  local_.assign(p.local_bytes * count * 32, 0xFF);
  local_written_.assign(local_.size(), 0);
  warps_.resize(count);
  auto start = reinterpret_cast<uintptr_t>(files_.data());
  start = (start + 63) / 64 * 64;
  for (size_t k = 0; k < count; ++k) {
    Warp& warp = warps_[k];
    const int lanes = std::min(threads_ - static_cast<int>(k) * 32, 32);
    warp.index = static_cast<int>(k);
    warp.present = kAll >> (32 - lanes);
    warp.ended = 0;
    warp.epoch = 0;
    warp.file = reinterpret_cast<unsigned char*>(start + k * file);
    warp.defined = defined_.data() + k * p.registers;
    warp.defined[0] = kAll;
    warp.waited = program_->waits_for_grids ? 0 : kAll;
    warp.copies.clear();
    warp.groups_of_copies.fill(0);
    warp.fragments.assign(1, {});
    warp.fragments[0].mask = warp.present;
    for (const auto& [which, offset] : p.specials) {
      for (uint32_t lane = 0; lane < 32; ++lane) {
        const uint3 thread = unravel(k * 32 + lane, grid_->block);
        const uint32_t values[] = {thread.x,
                                   thread.y,
                                   thread.z,
                                   grid_->block.x,
                                   grid_->block.y,
                                   grid_->block.z,
                                   block_.x,
                                   block_.y,
                                   block_.z,
                                   grid_->grid.x,
                                   grid_->grid.y,
                                   grid_->grid.z,
                                   lane,
                                   static_cast<uint32_t>(k),
                                   1u << lane,
                                   kAll >> (31 - lane),
                                   (1u << lane) - 1,
                                   kAll << lane,
                                   ~(kAll >> (31 - lane))};
        std::memcpy(warp.file + offset + 4 * lane, &values[static_cast<size_t>(which)], 4);
      }
    }
  }
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  const simt::Schedule& schedule = simt::schedule();
  reversed_ = schedule.order == simt::Order::reverse;
  if (reversed_) std::reverse(order_.begin(), order_.end());
  if (schedule.order == simt::Order::shuffled) {
    std::mt19937_64 random(schedule.seed * 0x9E3779B97F4A7C15u + linear);
    std::shuffle(order_.begin(), order_.end(), random);
    reversed_ = (random() & 1) != 0;
  }
}

void Machine::run_block(const Grid& grid, uint64_t linear, std::vector<Executed>& executed) {
  grid_ = &grid;
  program_ = grid.program;
  executed_ = &executed;
  last_region_ = nullptr;
  prepare(linear);
  while (ended_ < threads_) {
    bool ran = false;
    for (const int k : order_) ran = run_warp(warps_[static_cast<size_t>(k)]) || ran;
    if (!ran) fail_stuck();
  }
}

void Machine::fail_stuck() {
  const Warp* at_op = nullptr;
  const Fragment* waits = nullptr;
  const Fragment* barrier = nullptr;
  int barrier_warp = 0;
  for (const Warp& warp : warps_) {
    for (const Fragment& each : warp.fragments) {
      if (each.state == State::at_warp_op && waits == nullptr) {
        at_op = &warp;
        waits = &each;
      }
      if (each.state == State::at_barrier && barrier == nullptr) {
        barrier = &each;
        barrier_warp = warp.index;
      }
    }
  }
  std::string what = "waits at this instruction for ever";
  if (waits != nullptr && barrier != nullptr) {
    what += ", as " + thread_name(barrier_warp * 32 + std::countr_zero(barrier->mask)) +
            " waits at the barrier in " + program_->place(barrier->pc);
  }
  const Fragment& first = waits != nullptr ? *waits : *barrier;
  const Warp& warp = waits != nullptr ? *at_op : warps_[static_cast<size_t>(barrier_warp)];
  fail(Fault::deadlock, what, warp, static_cast<uint32_t>(std::countr_zero(first.mask)), first.pc);
}

/// Runs until no fragment can, or for its slice; whether any did.
bool Machine::run_warp(Warp& warp) {
  bool ran = false;
  slice_ = run_ + kSlice;
  for (size_t at; (at = pick(warp)) != kNone;) {
    ran = true;
    run_fragment(warp, at);
    if (run_ >= slice_) break;
  }
  return ran;
}

/// Joins fragments and says which one runs: Note [Lanes that part].
size_t Machine::pick(Warp& warp) {
  std::vector<Fragment>& all = warp.fragments;
  for (size_t k = 0; k < all.size(); ++k) {
    for (size_t j = all.size(); j-- > k + 1;) {
      if (all[k].state == State::ready && all[j].state == State::ready && all[k].beside(all[j])) {
        all[k].mask |= all[j].mask;
        all.erase(all.begin() + static_cast<ptrdiff_t>(j));
      }
    }
  }
  size_t best = kNone;
  for (size_t k = 0; k < all.size(); ++k) {
    if (all[k].state != State::ready) continue;
    if (best == kNone || all[k].depth > all[best].depth ||
        (all[k].depth == all[best].depth && all[k].pc < all[best].pc)) {
      best = k;
    }
  }
  return best;
}

void Machine::run_fragment(Warp& warp, size_t at) {
  const Instruction* const code = program_->code.data();
  uint32_t pc = warp.fragments[at].pc;
  const uint32_t mask = warp.fragments[at].mask;
  const int depth = warp.fragments[at].depth;
  uint32_t stop = kAll;  // where the next fragment may join
  for (size_t k = 0; k < warp.fragments.size(); ++k) {
    const Fragment& other = warp.fragments[k];
    if (k != at && other.state == State::ready && other.depth == depth) stop = std::min(stop, other.pc);
  }
  for (;;) {
    if (pc >= stop || run_ >= slice_) {
      warp.fragments[at].pc = pc;
      return;
    }
    const Instruction& ins = code[pc];
    if (++run_ > grid_->most) {
      fail(Fault::deadlock,
           "does not end: its block has executed more than " + std::to_string(grid_->most) + " instructions",
           warp, static_cast<uint32_t>(std::countr_zero(mask)), pc);
    }
    uint32_t lanes = mask;
    if (ins.guarded) {
      if ((mask & ~warp.defined[ins.guard.number]) != 0) fail_undefined(warp, ins, mask, pc);
      uint32_t guard;
      std::memcpy(&guard, warp.file + ins.guard.offset, 4);
      lanes &= ins.negated ? ~guard : guard;
    }
    Executed& executed = (*executed_)[pc];
    ++executed.warps;
    executed.lanes += static_cast<uint64_t>(std::popcount(lanes));
    if (undefined(warp, ins, lanes) != 0) fail_undefined(warp, ins, lanes, pc);
    switch (ins.run) {
      case Run::lanes:
        if (lanes != 0) {
          ins.function(warp.file + ins.out[0].offset, read(warp, ins.in[0]), read(warp, ins.in[1]),
                       read(warp, ins.in[2]), lanes);
          warp.defined[ins.out[0].number] |= lanes;
        }
        break;
      case Run::lookup:
      case Run::insert:
      case Run::pack:
      case Run::unpack:
        if (lanes != 0) run_bits(warp, ins, lanes);
        break;
      case Run::load:
        if (lanes != 0) load(warp, ins, lanes, pc);
        break;
      case Run::store:
        if (lanes != 0) store(warp, ins, lanes, pc);
        break;
      case Run::load_parameter:
        if (lanes != 0) load_parameter(warp, ins, lanes, pc);
        break;
      case Run::atomic:
        if (lanes != 0) change(warp, ins, lanes, pc);
        break;
      case Run::copy_async:
        if (lanes != 0) copy_async(warp, ins, lanes, pc);
        break;
      case Run::end_group:
        for (uint32_t left = lanes; left != 0; left &= left - 1)
          ++warp.groups_of_copies[static_cast<size_t>(std::countr_zero(left))];
        break;
      case Run::wait_for_grids:
        warp.waited |= lanes;
        break;
      case Run::wait_for_copies:
        wait_for_copies(warp, ins, lanes);
        break;
      case Run::fence:
        std::atomic_thread_fence(std::memory_order_seq_cst);
        break;
      case Run::active_mask:
        fill(warp.file + ins.out[0].offset, lanes);
        warp.defined[ins.out[0].number] |= lanes;
        break;
      case Run::trap:
        if (lanes != 0) {
          fail(Fault::crash, "comes to a trap", warp, static_cast<uint32_t>(std::countr_zero(lanes)), pc);
        }
        break;
      case Run::branch:
        if (lanes == mask) {
          pc = ins.target;
          continue;
        }
        if (lanes != 0) {
          Fragment& stays = warp.fragments[at];
          stays.mask = mask & ~lanes;
          stays.pc = pc + 1;
          Fragment taken = stays;
          taken.mask = lanes;
          taken.pc = ins.target;
          warp.fragments.push_back(taken);
          return;
        }
        break;
      case Run::call:
      case Run::leave:
      case Run::barrier:
      case Run::warp_barrier:
      case Run::shuffle:
      case Run::vote:
      case Run::match:
      case Run::reduce:
      case Run::multiply: {
        if (lanes == 0) break;
        if (lanes != mask) {  // those whose guard is false go on alone
          Fragment passes = warp.fragments[at];
          passes.mask = mask & ~lanes;
          passes.pc = pc + 1;
          warp.fragments.push_back(passes);
        }
        Fragment& mine = warp.fragments[at];
        mine.mask = lanes;
        mine.pc = pc;
        if (ins.run == Run::call) {
          if (mine.depth == kDepth) {
            fail(Fault::stack_overflow, "calls more than " + std::to_string(kDepth) + " functions deep", warp,
                 static_cast<uint32_t>(std::countr_zero(lanes)), pc);
          }
          mine.calls[static_cast<size_t>(mine.depth++)] = pc + 1;
          mine.pc = ins.target;
        } else if (ins.run == Run::leave) {
          leave(warp, at, ins, lanes);
        } else if (ins.run == Run::barrier) {
          arrive_at_barrier(warp, at, ins);
        } else if (gather(warp, at, ins)) {
          if (warp.fragments.size() == 1 && warp.fragments[0].mask == mask) {  // none has joined, none waits
            ++pc;
            continue;
          }
        }
        return;
      }
    }
    ++pc;
  }
}

void Machine::leave(Warp& warp, size_t at, const Instruction& ins, uint32_t lanes) {
  Fragment& mine = warp.fragments[at];
  if (mine.depth > 0 && ins.variant == 0) {
    mine.pc = mine.calls[static_cast<size_t>(--mine.depth)];
    return;
  }
  const uint32_t pc = mine.pc;
  warp.fragments.erase(warp.fragments.begin() + static_cast<ptrdiff_t>(at));
  end(warp, lanes, pc);
}

void Machine::end(Warp& warp, uint32_t lanes, uint32_t pc) {
  warp.ended |= lanes;
  ended_ += std::popcount(lanes);
  const auto first = static_cast<uint32_t>(std::countr_zero(lanes));
  if (waiting_ > 0) {
    fail(Fault::skipped_barrier,
         "ends while " + thread_name(barrier_thread_) + " waits at the barrier in " +
             program_->place(barrier_pc_),
         warp, first, pc);
  }
  for (const Fragment& each : warp.fragments) {
    if (each.state != State::at_warp_op || (each.wanted & lanes) == 0) continue;
    fail(Fault::exited_lane,
         "ends while " + thread_name(warp.index * 32 + std::countr_zero(each.mask)) + " waits for it in " +
             program_->place(each.pc),
         warp, static_cast<uint32_t>(std::countr_zero(each.wanted & lanes)), pc);
  }
}

void Machine::arrive_at_barrier(Warp& warp, size_t at, const Instruction& ins) {
  Fragment& mine = warp.fragments[at];
  const auto first = static_cast<uint32_t>(std::countr_zero(mine.mask));
  if (ended_ > 0) {
    fail(Fault::skipped_barrier,
         "comes to a barrier after " + std::to_string(ended_) + " threads of the block have ended without it",
         warp, first, mine.pc);
  }
  if (waiting_ > 0 && barrier_pc_ != mine.pc) {
    fail(Fault::divergent_barrier,
         "comes to this barrier while " + thread_name(barrier_thread_) + " waits at " +
             program_->place(barrier_pc_),
         warp, first, mine.pc);
  }
  if (waiting_ == 0) barrier_thread_ = warp.index * 32 + static_cast<int>(first);
  barrier_pc_ = mine.pc;
  mine.state = State::at_barrier;
  waiting_ += std::popcount(mine.mask);
  if (waiting_ == threads_) release_barrier(ins);
}

void Machine::release_barrier(const Instruction& ins) {
  const auto kind = static_cast<Barrier>(ins.variant);
  int count = 0;
  for (Warp& warp : warps_) {
    if (kind == Barrier::plain) break;
    uint32_t values;
    std::memcpy(&values, read(warp, ins.in[0]), 4);
    count += std::popcount(values & warp.present);
  }
  for (Warp& warp : warps_) {
    for (Fragment& each : warp.fragments) {
      each.state = State::ready;
      ++each.pc;
    }
    if (kind == Barrier::count) fill(warp.file + ins.out[0].offset, static_cast<uint32_t>(count));
    if (kind == Barrier::all || kind == Barrier::any) {
      const uint32_t all = (kind == Barrier::all ? count == threads_ : count > 0) ? kAll : 0;
      std::memcpy(warp.file + ins.out[0].offset, &all, 4);
    }
    if (kind != Barrier::plain) warp.defined[ins.out[0].number] |= warp.present;
  }
  waiting_ = 0;
  ++epoch_;
}

}  // namespace duel::ptx
