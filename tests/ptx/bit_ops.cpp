// Instructions of bits with more operands than the table of lane_ops.h has: lop3, bfi, and mov of a register's parts.
#include <bit>
#include <cstring>

#include "machine.h"

namespace duel::ptx {
namespace {

uint32_t looked_up(uint8_t table, uint32_t a, uint32_t b, uint32_t c) {
  uint32_t result = 0;
  for (uint32_t row = 0; row < 8; ++row) {
    if ((table >> row & 1) == 0) continue;
    result |= ((row & 4) != 0 ? a : ~a) & ((row & 2) != 0 ? b : ~b) & ((row & 1) != 0 ? c : ~c);
  }
  return result;
}

uint64_t inserted(uint64_t field, uint64_t into, uint32_t begin, uint32_t length, uint32_t bits) {
  for (uint32_t k = 0; k < length && begin + k < bits; ++k) {
    into = (into & ~(uint64_t{1} << (begin + k))) | (field >> k & 1) << (begin + k);
  }
  return into;
}

}  // namespace

void Machine::run_bits(Warp& warp, const Instruction& ins, uint32_t lanes) {
  const size_t whole = ins.type.bytes == 8 ? 8 : 4, part = ins.width > 1 ? ins.type.bytes / ins.width : whole;
  const auto word = [&](size_t k, size_t lane) {
    uint32_t value;
    std::memcpy(&value, read(warp, ins.in[k]) + 4 * lane, 4);
    return value;
  };
  const auto wide = [&](size_t k, size_t lane) {
    uint64_t value = 0;
    std::memcpy(&value, read(warp, ins.in[k]) + whole * lane, whole);
    return value;
  };
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const auto lane = static_cast<size_t>(std::countr_zero(left));
    uint64_t result = 0;
    if (ins.run == Run::lookup) {
      result = looked_up(ins.variant, word(0, lane), word(1, lane), word(2, lane));
    } else if (ins.run == Run::insert) {
      result = inserted(wide(0, lane), wide(1, lane), word(2, lane) & 255, word(3, lane) & 255,
                        static_cast<uint32_t>(8 * whole));
    } else if (ins.run == Run::pack) {
      for (size_t k = 0; k < ins.width; ++k) {
        const uint64_t value = word(k, lane);
        std::memcpy(reinterpret_cast<unsigned char*>(&result) + k * part, &value, part);
      }
    } else {
      result = wide(0, lane);
      for (size_t k = 0; k < ins.width; ++k) {
        uint32_t value = 0;
        std::memcpy(&value, reinterpret_cast<const unsigned char*>(&result) + k * part, part);
        std::memcpy(warp.file + ins.out[k].offset + 4 * lane, &value, 4);
      }
      continue;
    }
    std::memcpy(warp.file + ins.out[0].offset + whole * lane, &result, whole);
  }
  for (size_t k = 0; k < (ins.run == Run::unpack ? ins.width : 1u); ++k)
    warp.defined[ins.out[k].number] |= lanes;
}

}  // namespace duel::ptx
