// What kernels executed: instructions by sort, bytes by the width of an access, and how well lanes lie together.
//
// Example:
//   ptx::Executor& executor = ptx::Executor::installed();
//   executor.reset_counts();
//   …launches…
//   for (const auto& [kernel, counts] : executor.counts()) …
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "machine.h"

namespace duel::ptx {

struct Counts {
  uint64_t launches = 0;
  /// By Sort: instructions of warps, and of lanes (those whose guard is true).
  std::array<uint64_t, static_cast<size_t>(Sort::last)> warps{}, lanes{};
  /// Bytes that lanes moved, by how many each access has (1, 2, 4, 8, 16).
  std::map<int, uint64_t> global_loaded, global_stored, shared_loaded, shared_stored;
  uint64_t global_accesses = 0;  ///< of warps
  uint64_t global_sectors = 0;   ///< of 32 bytes that these touched
  uint64_t global_bytes = 0;     ///< that lanes loaded, stored and changed

  Passes shared_passes;  ///< of warps' accesses to shared memory

  uint64_t instructions() const;  ///< of warps
  /// Bytes that were asked for by bytes of the sectors that were touched: 1 where lanes lie side by side. More where lanes
  /// share a place.
  double coalescing() const;
  /// Passes over shared memory by the least that so many bytes need: 1 without conflicts of banks.
  double conflicts() const;
  Counts& operator+=(const Counts& other);
};

Counts count(const Program& program, const std::vector<Executed>& executed);

}  // namespace duel::ptx
