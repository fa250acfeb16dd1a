// See counts.h.
#include "counts.h"

#include <numeric>

namespace duel::ptx {

uint64_t Counts::instructions() const { return std::accumulate(warps.begin(), warps.end(), uint64_t{0}); }

double Counts::coalescing() const {
  return global_sectors > 0 ? static_cast<double>(global_bytes) / (32.0 * static_cast<double>(global_sectors))
                            : 1.0;
}

double Counts::conflicts() const {
  return shared_passes.least > 0
             ? static_cast<double>(shared_passes.taken) / static_cast<double>(shared_passes.least)
             : 1.0;
}

Counts& Counts::operator+=(const Counts& other) {
  launches += other.launches;
  for (size_t k = 0; k < warps.size(); ++k) {
    warps[k] += other.warps[k];
    lanes[k] += other.lanes[k];
  }
  const auto add = [](std::map<int, uint64_t>& to, const std::map<int, uint64_t>& from) {
    for (const auto& [width, bytes] : from) to[width] += bytes;
  };
  add(global_loaded, other.global_loaded);
  add(global_stored, other.global_stored);
  add(shared_loaded, other.shared_loaded);
  add(shared_stored, other.shared_stored);
  global_accesses += other.global_accesses;
  global_sectors += other.global_sectors;
  global_bytes += other.global_bytes;
  shared_passes += other.shared_passes;
  return *this;
}

Counts count(const Program& program, const std::vector<Executed>& executed) {
  Counts counts;
  for (size_t pc = 0; pc < executed.size(); ++pc) {
    const Executed& each = executed[pc];
    if (each.warps == 0) continue;
    const Instruction& ins = program.code[pc];
    counts.warps[static_cast<size_t>(ins.sort)] += each.warps;
    counts.lanes[static_cast<size_t>(ins.sort)] += each.lanes;
    counts.shared_passes += each.passes;
    const bool copies = ins.run == Run::copy_async;
    if (ins.run != Run::load && ins.run != Run::store && ins.run != Run::atomic && !copies) continue;
    const int width = ins.type.bytes * ins.width;
    const uint64_t bytes = each.lanes * static_cast<uint64_t>(width);
    if (ins.space == Space::shared || copies) {
      if (ins.run == Run::load) counts.shared_loaded[width] += bytes;
      if (ins.run == Run::store || copies) counts.shared_stored[width] += bytes;
    }
    if ((ins.space != Space::shared && ins.space != Space::local) || copies) {
      const uint64_t moved = copies ? each.reading * static_cast<uint64_t>(width) : bytes;
      if (ins.run == Run::load || copies) counts.global_loaded[width] += moved;
      if (ins.run == Run::store) counts.global_stored[width] += bytes;
      counts.global_accesses += each.lanes > 0 ? each.warps : 0;
      counts.global_sectors += each.sectors;
      counts.global_bytes += moved;
    }
  }
  return counts;
}

}  // namespace duel::ptx
