// Operations of a warp: see machine.h.
#include <bit>
#include <cstring>

#include "machine.h"

namespace duel::ptx {

using simt::Fault;

namespace {

uint32_t word(const unsigned char* from, int lane) {
  uint32_t value;
  std::memcpy(&value, from + 4 * lane, 4);
  return value;
}
void put(unsigned char* to, int lane, uint32_t value) { std::memcpy(to + 4 * lane, &value, 4); }
void put_predicate(unsigned char* to, uint32_t lanes, uint32_t values) {
  uint32_t before;
  std::memcpy(&before, to, 4);
  before = (before & ~lanes) | (values & lanes);
  std::memcpy(to, &before, 4);
}

uint32_t combine(const Instruction& ins, uint32_t a, uint32_t b) {
  const bool is_signed = ins.type.kind == Kind::is_signed;
  const bool less = is_signed ? static_cast<int32_t>(a) < static_cast<int32_t>(b) : a < b;
  switch (static_cast<Change>(ins.variant)) {
    case Change::min:
      return less ? a : b;
    case Change::max:
      return less ? b : a;
    case Change::bit_and:
      return a & b;
    case Change::bit_or:
      return a | b;
    case Change::bit_xor:
      return a ^ b;
    default:
      return a + b;
  }
}

}  // namespace

/// The fragment, whose state is ready, comes to an operation: true when all lanes of its mask are here and it has run.
bool Machine::gather(Warp& warp, size_t at, const Instruction& ins) {
  const uint32_t pc = warp.fragments[at].pc;
  const unsigned char* masks = read(warp, ins.in[0]);
  uint32_t lanes = warp.fragments[at].mask;
  const uint32_t wanted = word(masks, std::countr_zero(lanes));
  uint32_t same = 0;
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const uint32_t mask = word(masks, lane);
    if ((mask >> lane & 1) == 0) {
      fail(Fault::lane_not_in_mask, "executes it with a mask that does not name it", warp,
           static_cast<uint32_t>(lane), pc);
    }
    if (mask == wanted) same |= 1u << lane;
  }
  if (same != lanes) {  // other lanes, other groups
    Fragment others = warp.fragments[at];
    others.mask = lanes & ~same;
    warp.fragments[at].mask = lanes = same;
    warp.fragments.push_back(others);
  }
  const auto first = static_cast<uint32_t>(std::countr_zero(lanes));
  if (const uint32_t missing = wanted & (warp.ended | ~warp.present); missing != 0) {
    const int lane = std::countr_zero(missing);
    fail(Fault::exited_lane,
         "waits for lane " + std::to_string(lane) +
             ((warp.present >> lane & 1) != 0 ? ", which has ended" : ", which the block does not have"),
         warp, first, pc);
  }
  for (size_t k = warp.fragments.size(); k-- > 0;) {
    const Fragment& other = warp.fragments[k];
    if (k == at || other.state != State::at_warp_op) continue;
    if (other.wanted == wanted && other.beside(warp.fragments[at])) {
      lanes |= other.mask;
      warp.fragments[at].mask = lanes;
      warp.fragments.erase(warp.fragments.begin() + static_cast<ptrdiff_t>(k));
      if (k < at) --at;
    } else if ((other.wanted & lanes) != 0 && (other.mask & wanted) != 0) {
      fail(Fault::divergent_warp_op,
           "comes to this while " + thread_name(warp.index * 32 + std::countr_zero(other.mask)) +
               " of the same mask waits at " + program_->place(other.pc) +
               (other.wanted == wanted ? "" : " with another mask"),
           warp, first, pc);
    }
  }
  Fragment& mine = warp.fragments[at];
  if (lanes != wanted) {
    mine.state = State::at_warp_op;
    mine.wanted = wanted;
    return false;
  }
  run_warp_op(warp, ins, lanes, pc);
  mine.state = State::ready;
  ++mine.pc;
  return true;
}

void Machine::shuffle(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc) {
  const unsigned char *value = read(warp, ins.in[1]), *b = read(warp, ins.in[2]), *c = read(warp, ins.in[3]);
  uint32_t results[32] = {}, valid = 0;
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const auto by = static_cast<int>(word(b, lane) & 31), clamp = static_cast<int>(word(c, lane) & 31);
    const auto segment = static_cast<int>(word(c, lane) >> 8 & 31);
    const int last = (lane & segment) | (clamp & ~segment), begin = lane & segment;
    int from = lane;
    bool inside = false;
    switch (static_cast<Shuffle>(ins.variant)) {
      case Shuffle::up:
        from = lane - by;
        inside = from >= last;
        break;
      case Shuffle::down:
        from = lane + by;
        inside = from <= last;
        break;
      case Shuffle::exclusive_or:
        from = lane ^ by;
        inside = from <= last;
        break;
      case Shuffle::index:
        from = begin | (by & ~segment);
        inside = from <= last;
        break;
    }
    if (!inside) from = lane;
    if ((lanes >> from & 1) == 0) {
      fail(Fault::bad_source_lane, "reads lane " + std::to_string(from) + ", which its mask does not name",
           warp, static_cast<uint32_t>(lane), pc);
    }
    results[lane] = word(value, from);
    valid |= static_cast<uint32_t>(inside) << lane;
  }
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    put(warp.file + ins.out[0].offset, lane, results[lane]);
  }
  put_predicate(warp.file + ins.out[1].offset, lanes, valid);
  warp.defined[ins.out[1].number] |= lanes;
}

void Machine::run_warp_op(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc) {
  if (ins.run == Run::warp_barrier) {
    ++warp.epoch;
    return;
  }
  if (ins.run == Run::multiply) return multiply(warp, ins, pc);
  const unsigned char* value = read(warp, ins.in[1]);
  unsigned char* out = warp.file + ins.out[0].offset;
  switch (ins.run) {
    case Run::shuffle:
      shuffle(warp, ins, lanes, pc);
      break;
    case Run::vote: {
      const uint32_t votes = word(value, 0) & lanes;
      const auto kind = static_cast<Vote>(ins.variant);
      if (kind == Vote::ballot) {
        for (uint32_t left = lanes; left != 0; left &= left - 1) put(out, std::countr_zero(left), votes);
      } else {
        const bool yes = kind == Vote::any   ? votes != 0
                         : kind == Vote::all ? votes == lanes
                                             : votes == 0 || votes == lanes;
        put_predicate(out, lanes, yes ? ~uint32_t{0} : 0);
      }
      break;
    }
    case Run::match: {
      uint32_t results[32] = {};
      const size_t slot = ins.type.bytes;
      for (uint32_t left = lanes; left != 0; left &= left - 1) {
        const auto lane = static_cast<size_t>(std::countr_zero(left));
        for (uint32_t others = lanes; others != 0; others &= others - 1) {
          const auto other = static_cast<size_t>(std::countr_zero(others));
          if (std::memcmp(value + lane * slot, value + other * slot, slot) == 0) results[lane] |= 1u << other;
        }
      }
      for (uint32_t left = lanes; left != 0; left &= left - 1) {
        const int lane = std::countr_zero(left);
        put(out, lane, results[lane]);
      }
      break;
    }
    default: {
      uint32_t total = word(value, std::countr_zero(lanes));
      for (uint32_t left = lanes & (lanes - 1); left != 0; left &= left - 1) {
        total = combine(ins, total, word(value, std::countr_zero(left)));
      }
      for (uint32_t left = lanes; left != 0; left &= left - 1) put(out, std::countr_zero(left), total);
      break;
    }
  }
  warp.defined[ins.out[0].number] |= lanes;
}

}  // namespace duel::ptx
