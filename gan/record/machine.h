// What Duel runs on and is made of, for `duel info`, run.json and the banner.
//
// Example:
//   Machine m = this_machine();   // m.cpu == "Intel(R) Xeon(R) …", m.isa == "AVX-512"
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace duel::gan {

struct Machine {
  std::string duel;      // version
  std::string cpu;       // model name
  std::string isa;       // widest vectors that this build uses, and what else the CPU has
  int cores = 0;         // that this process may run on
  int threads = 0;       // that parallel loops use
  std::string system;    // "Linux 6.1 x86_64"
  std::string compiler;  // "gcc 12.2.0"
  std::string gpu;       // name, or "none: " and why
  std::vector<std::pair<std::string, std::string>> libraries;  // name, version
};

Machine this_machine();

/// The commit that the build was configured from, 40 hexadecimal digits; "unknown" outside a clone of the repository.
/// Changes that were not committed do not show in it.
const char* source_commit();

/// Bytes: the most that the process ever held in memory (VmHWM); 0 where the system does not say.
int64_t peak_resident_bytes();

/// Now, as local time "2026-01-31T12:00:00+0000".
std::string local_time();

}  // namespace duel::gan
