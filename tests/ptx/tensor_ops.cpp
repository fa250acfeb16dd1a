// Products of tensor cores and copies from global to shared memory, from their text to what they do.
#include <bit>
#include <cstring>

#include "decoder.h"
#include "machine.h"
#include "tests/simt/tensor_core.h"

namespace duel::ptx {

using simt::Access;
using simt::Fault;

void Decoder::decode_multiply(const Statement& s) {
  if (s.opcode != "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32") {
    fail("an opcode that is not known: " + std::string(s.opcode));
  }
  need(s, 4);
  constexpr size_t kCounts[] = {4, 4, 2, 4};
  constexpr Type kFactor{Kind::bits, 4}, kSum{Kind::is_float, 4};
  Factors factors;
  Instruction made;
  for (size_t k = 0; k < 4; ++k) {
    const Raw& raw = s.operands[k];
    if (raw.kind != Raw::vector || raw.words.size() != kCounts[k]) {
      fail("expected a vector of " + std::to_string(kCounts[k]) + " registers");
    }
    for (size_t j = 0; j < kCounts[k]; ++j) {
      if (k == 0) {
        made.out[j] = destination(raw.words[j], kSum);
        continue;
      }
      Raw each;
      each.text = raw.words[j];
      (k == 1 ? factors.a : k == 2 ? factors.b : factors.c)[j] = source(each, k == 3 ? kSum : kFactor);
    }
  }
  made.in[0] = constant(0xFFFFFFFFu, kFactor);  // the mask: all lanes
  made.inputs = 1;
  made.target = static_cast<uint32_t>(program_->factors.size());
  program_->factors.push_back(factors);
  emit(Run::multiply, Sort::tensor, made);
}

void Decoder::decode_copy(const Statement& s) {
  const auto unknown = [&] { fail("an opcode that is not known: " + std::string(s.opcode)); };
  if (s.opcode == "cp.async.commit_group") {
    need(s, 0);
    emit(Run::end_group, Sort::copy);
    return;
  }
  if (s.opcode == "cp.async.wait_group") {
    need(s, 1);
    emit(Run::wait_for_copies, Sort::copy).target = static_cast<uint32_t>(immediate(s.operands[0]));
    return;
  }
  const bool any_cache = s.opcode == "cp.async.ca.shared.global";
  if (!any_cache && s.opcode != "cp.async.cg.shared.global") unknown();
  if (s.operands.size() != 4) need(s, 3);
  const uint64_t bytes = immediate(s.operands[2]);
  if (bytes != 16 && (!any_cache || (bytes != 4 && bytes != 8))) fail("a copy of a size that there is not");
  Instruction made;
  made.space = Space::shared;
  made.type = {Kind::bits, static_cast<uint8_t>(bytes)};
  address(s.operands[0], made);
  const Raw& from = s.operands[1];
  if (from.kind != Raw::address || from.text.empty() || from.offset != 0) {
    fail("a copy whose source is no register alone");
  }
  Raw base;
  base.text = from.text;
  made.in[0] = source(base, {Kind::bits, 8});
  constexpr Type kWord{Kind::is_unsigned, 4};
  made.in[1] = s.operands.size() == 4 ? source(s.operands[3], kWord) : constant(bytes, kWord);
  made.inputs = 2;
  emit(Run::copy_async, Sort::copy, made);
}

void Machine::multiply(Warp& warp, const Instruction& ins, uint32_t pc) {
  const Factors& factors = program_->factors[ins.target];
  uint32_t defined = 0xFFFFFFFFu;
  for (const Operand& each : factors.a) defined &= warp.defined[each.number];
  for (const Operand& each : factors.b) defined &= warp.defined[each.number];
  for (const Operand& each : factors.c) defined &= warp.defined[each.number];
  if (defined != 0xFFFFFFFFu) {
    fail(Fault::uninitialised, "reads a register that it has not written", warp,
         static_cast<uint32_t>(std::countr_one(defined)), pc);
  }
  const auto word = [&](const Operand& operand, size_t lane) {
    uint32_t value;
    std::memcpy(&value, read(warp, operand) + 4 * lane, 4);
    return value;
  };
  float sums[4][32];
  simt::multiply_warp_tf32(
      [&](size_t lane, size_t k) { return word(factors.a[k], lane); },
      [&](size_t lane, size_t k) { return word(factors.b[k], lane); },
      [&](size_t lane, size_t k) { return std::bit_cast<float>(word(factors.c[k], lane)); },
      [&](size_t lane, size_t k, float sum) { sums[k][lane] = sum; });
  for (size_t k = 0; k < 4; ++k) {
    std::memcpy(warp.file + ins.out[k].offset, sums[k], sizeof(sums[k]));
    warp.defined[ins.out[k].number] = 0xFFFFFFFFu;
  }
}

void Machine::copy_async(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc) {
  const uint32_t bytes = ins.type.bytes;
  const unsigned char *base = read(warp, ins.address), *sources = read(warp, ins.in[0]),
                      *sizes = read(warp, ins.in[1]);
  uint32_t reading = 0;
  std::array<uint64_t, 32> targets;
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(left));
    uint64_t to = 0, from;
    uint32_t size;
    std::memcpy(&to, base + ins.address_slot * lane, ins.address_slot);
    to += static_cast<uint64_t>(ins.offset);
    std::memcpy(&from, sources + 8 * lane, 8);
    std::memcpy(&size, sizes + 4 * lane, 4);
    if (to % bytes != 0 || from % bytes != 0) {
      fail(Fault::misaligned,
           "copies " + std::to_string(bytes) + " bytes from or to an address that is no multiple of it", warp,
           lane, pc);
    }
    targets[lane] = to;
    if (size > bytes) fail(Fault::out_of_bounds, "copies more bytes than it has room for", warp, lane, pc);
    PendingCopy copy{
        .to = to, .lane = lane, .bytes = bytes, .group = warp.groups_of_copies[lane], .pc = pc, .value = {}};
    if (size > 0) {
      unsigned char* const place = global_place(from, size, Access::read, warp, lane, pc);
      std::memcpy(copy.value.data(), place, size);
      places_[lane] = place;
      reading |= 1u << lane;
    }
    shared_place(to, bytes, Access::write, warp, lane, pc);
    std::memset(shared_written_.data() + to, 0, bytes);
    warp.copies.push_back(copy);
  }
  (*executed_)[pc].sectors += sectors(places_.data(), bytes, reading);
  (*executed_)[pc].passes += passes(targets, bytes, lanes);
  (*executed_)[pc].reading += static_cast<uint64_t>(std::popcount(reading));
}

void Machine::wait_for_copies(Warp& warp, const Instruction& ins, uint32_t lanes) {
  std::erase_if(warp.copies, [&](const PendingCopy& copy) {
    const bool waits = (lanes >> copy.lane & 1) != 0;
    if (!waits || copy.group + ins.target >= warp.groups_of_copies[copy.lane]) return false;
    std::memcpy(shared_place(copy.to, copy.bytes, Access::write, warp, copy.lane, copy.pc), copy.value.data(),
                copy.bytes);
    return true;
  });
}

}  // namespace duel::ptx
