// Loads, stores and atomics, each checked: see machine.h.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "machine.h"

namespace duel::ptx {

using simt::Access;
using simt::Fault;
using simt::Region;
using simt::Role;

namespace {

constexpr uint64_t kWindow = uint64_t{1} << 32;

uint64_t base_of(const unsigned char* from, uint8_t slot, int lane) {
  uint64_t value = 0;
  if (slot == 4) {
    uint32_t low;
    std::memcpy(&low, from + 4 * lane, 4);
    value = low;
  } else if (slot == 8) {
    std::memcpy(&value, from + 8 * lane, 8);
  }
  return value;
}

template <class T>
void load_lanes(unsigned char* to, unsigned char slot, unsigned char* const* places, size_t at,
                uint32_t lanes) {
  using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
  for (; lanes != 0; lanes &= lanes - 1) {
    const auto lane = static_cast<size_t>(std::countr_zero(lanes));
    T value;
    std::memcpy(&value, places[lane] + at, sizeof(T));
    const auto wide = static_cast<Wide>(value);
    std::memcpy(to + slot * lane, &wide, slot);
  }
}

void load_values(const Instruction& ins, unsigned char* to, unsigned char* const* places, size_t at,
                 uint32_t lanes) {
  const bool is_signed = ins.type.kind == Kind::is_signed;
  switch (ins.type.bytes) {
    case 1:
      return is_signed ? load_lanes<int8_t>(to, ins.slot, places, at, lanes)
                       : load_lanes<uint8_t>(to, ins.slot, places, at, lanes);
    case 2:
      return is_signed ? load_lanes<int16_t>(to, ins.slot, places, at, lanes)
                       : load_lanes<uint16_t>(to, ins.slot, places, at, lanes);
    case 4:
      return is_signed ? load_lanes<int32_t>(to, ins.slot, places, at, lanes)
                       : load_lanes<uint32_t>(to, ins.slot, places, at, lanes);
    default:
      return load_lanes<uint64_t>(to, ins.slot, places, at, lanes);
  }
}

std::string bytes_text(uint32_t bytes) { return std::to_string(bytes) + " bytes"; }

}  // namespace

uint64_t sectors(unsigned char* const* places, uint32_t bytes, uint32_t lanes) {
  uint64_t found[64];
  size_t count = 0;
  bool sorted = true;
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const auto begin = reinterpret_cast<uintptr_t>(places[std::countr_zero(left)]);
    const uint64_t sector = begin / 32, last = (begin + bytes - 1) / 32;
    for (uint64_t each = sector; each <= last; ++each) {
      if (count > 0 && found[count - 1] == each) continue;
      sorted = sorted && (count == 0 || found[count - 1] < each);
      found[count++] = each;
    }
  }
  if (!sorted) {
    std::sort(found, found + count);
    count = static_cast<size_t>(std::unique(found, found + count) - found);
  }
  return count;
}

Passes passes(const std::array<uint64_t, 32>& addresses, uint32_t bytes, uint32_t lanes) {
  const size_t together = 32 / std::max<size_t>(bytes / 4, 1), words = std::max<size_t>(bytes / 4, 1);
  Passes all;
  for (size_t begin = 0; begin < 32; begin += together) {
    std::array<uint64_t, 32> found;  // different words
    std::array<uint8_t, 32> of_bank{};
    size_t count = 0;
    uint8_t most = 0;
    for (size_t lane = begin; lane < begin + together; ++lane) {
      if ((lanes >> lane & 1) == 0) continue;
      for (size_t k = 0; k < words; ++k) {
        const uint64_t word = addresses[lane] / 4 + k;
        uint8_t& bank = of_bank[word % 32];
        if (bank > 0 && std::find(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), word) !=
                            found.begin() + static_cast<std::ptrdiff_t>(count))
          continue;
        found[count++] = word;
        most = std::max(most, ++bank);
      }
    }
    all.taken += most;
    all.least += most > 0 ? 1 : 0;
  }
  return all;
}

bool Machine::ordered(const Warp& warp, int thread, int other, uint32_t epoch) const {
  return other == thread || (other / 32 == warp.index && epoch < warp.epoch);
}

void Machine::check_race(Cell& cell, uint8_t bytes, Access access, const Warp& warp, uint32_t lane,
                         uint32_t pc, uint64_t address) {
  const int thread = warp.index * 32 + static_cast<int>(lane);
  const bool atomic = access == Access::atomic;
  if (cell.epoch != epoch_) {
    cell = Cell{};
    cell.epoch = epoch_;
  }
  const auto race = [&](int other, const std::string& did) {
    fail(Fault::race,
         simt::verb(access) + std::string(address >= kDynamicShared ? "dynamic" : "static") +
             " shared memory (byte " +
             std::to_string(address >= kDynamicShared ? address - kDynamicShared : address) + ") which " +
             thread_name(other) + did + " with no barrier between",
         warp, lane, pc);
  };
  if (cell.writer >= 0 && (cell.bytes & bytes) != 0 && !(atomic && cell.write_atomic) &&
      !ordered(warp, thread, cell.writer, cell.write_epoch)) {
    race(cell.writer, " wrote in " + program_->place(cell.write_pc));
  }
  if (access == Access::read) {
    int slot = -1;
    for (int k = 0; k < 2; ++k) {
      if (cell.reader[k] == thread || (slot < 0 && cell.reader[k] < 0)) slot = k;
    }
    if (slot < 0) {  // two readers of different warps already clash with any writer but their own
      if (cell.reader[0] / 32 != cell.reader[1] / 32) return;
      slot = 1;
    }
    cell.reader[slot] = static_cast<int16_t>(thread);
    cell.read_epoch[slot] = warp.epoch;
    return;
  }
  for (int k = 0; k < 2; ++k) {
    if (cell.reader[k] >= 0 && !ordered(warp, thread, cell.reader[k], cell.read_epoch[k])) {
      race(cell.reader[k], " read");
    }
  }
  cell.writer = static_cast<int16_t>(thread);
  cell.bytes = bytes;
  cell.write_atomic = atomic;
  cell.write_epoch = warp.epoch;
  cell.write_pc = pc;
  cell.reader[0] = cell.reader[1] = -1;
}

unsigned char* Machine::shared_place(uint64_t address, uint32_t bytes, Access access, const Warp& warp,
                                     uint32_t lane, uint32_t pc) {
  const bool dynamic = address >= kDynamicShared;
  bool inside = dynamic && address + bytes <= kDynamicShared + grid_->shared_bytes && address < kWindow;
  for (size_t k = 0; !dynamic && !inside && k < program_->shared.size(); ++k) {
    inside = address >= program_->shared[k].first && address + bytes <= program_->shared[k].second;
  }
  if (!inside) {
    const std::string where =
        dynamic ? bytes_text(bytes) + " at byte " + std::to_string(address - kDynamicShared) +
                      " of dynamic shared memory; the launch gave " + std::to_string(grid_->shared_bytes)
                : bytes_text(bytes) + " at byte " + std::to_string(address) +
                      " of static shared memory, outside its variables";
    fail(Fault::out_of_bounds, simt::verb(access) + where, warp, lane, pc);
  }
  unsigned char* written = shared_written_.data() + address;
  if (access == Access::write) {
    std::memset(written, 1, bytes);
  } else if (std::memchr(written, 0, bytes) != nullptr) {
    fail(Fault::uninitialised,
         simt::verb(access) + std::string(dynamic ? "dynamic" : "static") + " shared memory (byte " +
             std::to_string(dynamic ? address - kDynamicShared : address) +
             ") that no thread of the block has written",
         warp, lane, pc);
  }
  for (uint64_t at = address; at < address + bytes;) {
    const uint64_t end = std::min(at / 4 * 4 + 4, address + bytes);
    const auto part = static_cast<uint8_t>(((1u << (end - at)) - 1) << (at % 4));
    check_race(cells_[at / 4], part, access, warp, lane, pc, at);
    at = end;
  }
  return shared_.data() + address;
}

unsigned char* Machine::local_place(uint64_t address, uint32_t bytes, Access access, const Warp& warp,
                                    uint32_t lane, uint32_t pc) {
  if (address + bytes > program_->local_bytes || address >= kWindow) {
    fail(Fault::out_of_bounds,
         simt::verb(access) + bytes_text(bytes) + " at byte " + std::to_string(address) +
             " of local memory of " + bytes_text(program_->local_bytes),
         warp, lane, pc);
  }
  const size_t at = (static_cast<size_t>(warp.index) * 32 + lane) * program_->local_bytes + address;
  if (access == Access::write) {
    std::memset(local_written_.data() + at, 1, bytes);
  } else if (std::memchr(local_written_.data() + at, 0, bytes) != nullptr) {
    fail(Fault::uninitialised, simt::verb(access) + std::string("local memory that it has not written"), warp,
         lane, pc);
  }
  return local_.data() + at;
}

unsigned char* Machine::global_place(uint64_t address, uint32_t bytes, Access access, const Warp& warp,
                                     uint32_t lane, uint32_t pc) {
  if ((warp.waited >> lane & 1) == 0) {
    fail(Fault::race,
         simt::verb(access) + std::string("global memory before it has waited for the kernels before it"),
         warp, lane, pc);
  }
  auto* p = reinterpret_cast<unsigned char*>(address);
  Region* region = last_region_;
  if (region == nullptr || p < region->begin() || p >= region->begin() + region->bytes()) {
    region = simt::region_at(reinterpret_cast<const char*>(p));
    if (region == nullptr) {
      for (const auto& variable : *program_->variables) {
        if (p < variable->begin() || p + bytes > variable->begin() + variable->bytes) continue;
        if (access != Access::read && variable->space == Space::constant) {
          fail(Fault::write_to_input, simt::verb(access) + std::string("the constant ") + variable->name,
               warp, lane, pc);
        }
        return p;
      }
      fail(Fault::out_of_bounds,
           simt::verb(access) + bytes_text(bytes) + " at " + simt::nearest(reinterpret_cast<const char*>(p)),
           warp, lane, pc);
    }
    last_region_ = region;
  }
  const auto at = static_cast<size_t>(p - region->begin());
  if (at + bytes > region->bytes()) {
    fail(Fault::out_of_bounds,
         simt::verb(access) + bytes_text(bytes) + " across the end of " + simt::quoted(*region), warp, lane,
         pc);
  }
  if (access != Access::read && region->role() == Role::in) {
    fail(Fault::write_to_input,
         simt::verb(access) + std::string("element ") + std::to_string(at / region->element()) + " of " +
             simt::quoted(*region),
         warp, lane, pc);
  }
  if (region->role() == Role::in || region->role() == Role::in_out) return p;
  unsigned char* flags = region->flags() + at;
  if (access == Access::write) {
    std::memset(flags, 1, bytes);
  } else if (std::memchr(flags, 0, bytes) != nullptr) {
    fail(Fault::uninitialised,
         simt::verb(access) + std::string("element ") + std::to_string(at / region->element()) + " of " +
             simt::quoted(*region) + ", which nothing has been written to",
         warp, lane, pc);
  }
  return p;
}

/// Where each lane's bytes are, all checks passed.
void Machine::find_places(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc, Access access) {
  const uint32_t bytes = uint32_t{ins.type.bytes} * ins.width;
  const unsigned char* base = read(warp, ins.address);
  bool global = false;
  uint32_t shared = 0;
  std::array<uint64_t, 32> addresses;  // of those
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const auto number = static_cast<uint32_t>(lane);
    uint64_t address = base_of(base, ins.address_slot, lane) + static_cast<uint64_t>(ins.offset);
    if (address % bytes != 0) {
      fail(Fault::misaligned,
           simt::verb(access) + bytes_text(bytes) + " at an address that is no multiple of " +
               std::to_string(bytes),
           warp, number, pc);
    }
    Space space = ins.space;
    if (space == Space::generic) {
      space = address >= kSharedWindow && address < kSharedWindow + kWindow ? Space::shared
              : address >= kLocalWindow && address < kLocalWindow + kWindow ? Space::local
                                                                            : Space::global;
      if (space == Space::shared) address -= kSharedWindow;
      if (space == Space::local) address -= kLocalWindow;
    }
    unsigned char*& place = places_[static_cast<size_t>(lane)];
    if (space == Space::shared) {
      place = shared_place(address, bytes, access, warp, number, pc);
      addresses[number] = address;
      shared |= 1u << lane;
    } else if (space == Space::local) {
      place = local_place(address, bytes, access, warp, number, pc);
    } else {
      place = global_place(address, bytes, access, warp, number, pc);
      global = true;
    }
  }
  if (global) (*executed_)[pc].sectors += sectors(places_.data(), bytes, lanes);
  if (shared != 0) (*executed_)[pc].passes += passes(addresses, bytes, shared);
}

void Machine::load(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc) {
  find_places(warp, ins, lanes, pc, Access::read);
  for (size_t k = 0; k < ins.width; ++k) {
    load_values(ins, warp.file + ins.out[k].offset, places_.data(), k * ins.type.bytes, lanes);
    warp.defined[ins.out[k].number] |= lanes;
  }
}

void Machine::store(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc) {
  find_places(warp, ins, lanes, pc, Access::write);
  for (size_t k = 0; k < ins.width; ++k) {
    const unsigned char* from = read(warp, ins.in[k]);
    for (uint32_t left = lanes; left != 0;) {
      // The last one of two lanes that store to one place stays: either may, on a GPU.
      const int lane = reversed_ ? 31 - std::countl_zero(left) : std::countr_zero(left);
      left &= ~(1u << lane);
      const auto index = static_cast<size_t>(lane);
      std::memcpy(places_[index] + k * ins.type.bytes, from + index * ins.slot, ins.type.bytes);
    }
  }
}

void Machine::load_parameter(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc) {
  const uint32_t bytes = uint32_t{ins.type.bytes} * ins.width;
  const unsigned char* base = read(warp, ins.address);
  auto* parameters = const_cast<unsigned char*>(grid_->parameters.data());
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const uint64_t address = base_of(base, ins.address_slot, lane) + static_cast<uint64_t>(ins.offset);
    if (address % bytes != 0) {
      fail(Fault::misaligned,
           "reads " + bytes_text(bytes) + " of the parameters at byte " + std::to_string(address), warp,
           static_cast<uint32_t>(lane), pc);
    }
    if (address + bytes > grid_->parameters.size() || address >= kWindow) {
      fail(Fault::out_of_bounds,
           "reads " + bytes_text(bytes) + " at byte " + std::to_string(address) + " of parameters of " +
               bytes_text(static_cast<uint32_t>(grid_->parameters.size())),
           warp, static_cast<uint32_t>(lane), pc);
    }
    places_[static_cast<size_t>(lane)] = parameters + address;
  }
  for (size_t k = 0; k < ins.width; ++k) {
    load_values(ins, warp.file + ins.out[k].offset, places_.data(), k * ins.type.bytes, lanes);
    warp.defined[ins.out[k].number] |= lanes;
  }
}

namespace {

template <class T, class F>
T changed(unsigned char* place, F value_of) {
  std::atomic_ref<T> cell(*reinterpret_cast<T*>(place));
  T old = cell.load();
  while (!cell.compare_exchange_weak(old, value_of(old))) {
  }
  return old;
}

template <class T>
T change_number(Change change, unsigned char* place, T value, T other) {
  return changed<T>(place, [&](T old) -> T {
    switch (change) {
      case Change::add:
        return static_cast<T>(old + value);
      case Change::exchange:
        return value;
      default:
        break;
    }
    if constexpr (std::is_integral_v<T>) {
      switch (change) {
        case Change::min:
          return value < old ? value : old;
        case Change::max:
          return old < value ? value : old;
        case Change::bit_and:
          return static_cast<T>(old & value);
        case Change::bit_or:
          return static_cast<T>(old | value);
        case Change::bit_xor:
          return static_cast<T>(old ^ value);
        case Change::compare:
          return old == value ? other : old;
        case Change::increment:
          return old >= value ? T{0} : static_cast<T>(old + 1);
        case Change::decrement:
          return old == 0 || old > value ? value : static_cast<T>(old - 1);
        default:
          break;
      }
    }
    return old;
  });
}

template <class T>
void change_lane(const Instruction& ins, unsigned char* place, const unsigned char* a, const unsigned char* b,
                 unsigned char* to) {
  T value, other{};
  std::memcpy(&value, a, sizeof(T));
  if (b != nullptr) std::memcpy(&other, b, sizeof(T));
  const T old = change_number<T>(static_cast<Change>(ins.variant), place, value, other);
  if (to != nullptr) std::memcpy(to, &old, sizeof(T));
}

}  // namespace

void Machine::change(Warp& warp, const Instruction& ins, uint32_t lanes, uint32_t pc) {
  find_places(warp, ins, lanes, pc, Access::atomic);
  for (uint32_t left = lanes; left != 0;) {
    const int lane = reversed_ ? 31 - std::countl_zero(left) : std::countr_zero(left);
    left &= ~(1u << lane);
    const size_t at = static_cast<size_t>(lane) * ins.slot;
    unsigned char* place = places_[static_cast<size_t>(lane)];
    const unsigned char* a = read(warp, ins.in[0]) + at;
    const unsigned char* b = ins.inputs > 1 ? read(warp, ins.in[1]) + at : nullptr;
    unsigned char* to = ins.wants_result ? warp.file + ins.out[0].offset + at : nullptr;
    const bool is_signed = ins.type.kind == Kind::is_signed;
    if (ins.type.kind == Kind::is_float) {
      ins.slot == 4 ? change_lane<float>(ins, place, a, b, to) : change_lane<double>(ins, place, a, b, to);
    } else if (ins.slot == 4) {
      is_signed ? change_lane<int32_t>(ins, place, a, b, to) : change_lane<uint32_t>(ins, place, a, b, to);
    } else {
      is_signed ? change_lane<int64_t>(ins, place, a, b, to) : change_lane<uint64_t>(ins, place, a, b, to);
    }
  }
  if (ins.wants_result) warp.defined[ins.out[0].number] |= lanes;
}

}  // namespace duel::ptx
