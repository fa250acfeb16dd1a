// What `duel bench kernels` found, as a table, JSON and CSV, and two such files compared.
//
// Units: bytes, microseconds, GB/s (1e9 bytes), GFLOP/s. A number that does not exist is null in JSON, an
// empty cell in CSV and "-" in the table.
//
// Example:
//   Report report = read_report("old.json");
//   const Comparison c = compare(report, now, 10);   // c.regressions: slower by more than 10 %
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "statistics.h"

namespace duel::apps::bench {

/// One case at one size.
struct Row {
  std::string name, family, shape;
  int64_t size = 0;   ///< of the sweep
  int64_t bytes = 0;  ///< that must move: every input read once, every output written once
  Summary microseconds = {};
  int64_t calls = 1;   ///< per sample; a sample is their mean
  double copy_us = 0;  ///< median of a copy that moves as many bytes, taken in turns with this case
  double noise = 0;    ///< per cent: the widest spread of the kernel's, the copy's and the plain ops' times
  std::optional<double> flops = {};        ///< of one call
  std::optional<int64_t> launches = {};    ///< kernels started by one call
  std::optional<double> composed_us = {};  ///< median of the same function made of plain ops, taken in turns
  std::optional<int64_t> composed_launches = {};
  /// measured so often and the best gain kept: more than once where --check saw a loss
  int64_t attempts = 1;

  double gb_per_s() const { return static_cast<double>(bytes) / microseconds.median * 1e-3; }
  double copy_percent() const { return 100 * copy_us / microseconds.median; }
  std::optional<double> gflop_per_s() const {
    return flops ? std::optional(*flops / microseconds.median * 1e-3) : std::nullopt;
  }
  /// How many times faster the kernel is than the composition.
  std::optional<double> gain() const {
    return composed_us ? std::optional(*composed_us / microseconds.median) : std::nullopt;
  }
  /// Slower than the plain ops that it replaces. Within a tenth is a tie: where arithmetic is the limit and
  /// not memory, both do the same work, the fused kernel to more digits (softplus with AVX2: 0.96).
  bool loses() const { return composed_us && *gain() < kTie; }
  static constexpr double kTie = 0.9;
  bool noisy() const { return noise > kNoisyPercent; }
  static constexpr double kNoisyPercent = 10;
};

/// A case that could not be measured.
struct Skipped {
  std::string name;
  int64_t size = 0;
  std::string reason;
};

struct Report {
  std::string duel = {}, device = {}, cpu = {}, time = {}, dtype = {}, l2 = {};
  std::string commit = {};  ///< that it was compiled from; empty: not known
  int threads = 0;
  /// of the machine before the first sample: processes that want a CPU, over the last minute
  double load = 0;
  int64_t samples_wanted = 0;
  std::vector<Row> rows = {};
  std::vector<Skipped> skipped = {};
};

/// A cell of a table, flush right; with a negative width flush left.
std::string padded(const std::string& cell, int width);

std::string to_json(const Report& report);
std::string to_csv(const Report& report);
/// Error (naming the file) where it is not a report of this kind.
Report read_report(const std::filesystem::path& file);

std::string table_header();
std::string table_row(const Row& row, int64_t samples_wanted);

/// "1 KB", "256 KB", "64 MB", in powers of two; other numbers with one decimal.
std::string size_text(int64_t bytes);

/// measure(), and while the kernel loses once more, `attempts` times at most; the attempt with the best gain
/// is kept. A neighbour's noise is rarely there every time, a slow kernel is.
Row best_attempt(const std::function<Row()>& measure, int64_t attempts);

/// What --check says: how many kernels were compared with plain ops, and by name and shape those that lost
/// every time.
struct Verdict {
  std::string text;
  int64_t compared = 0, lost = 0;
};
Verdict check_gains(const Report& report);

/// A warning where the load leaves fewer CPUs free than the bench has threads, else nothing.
std::string load_warning(double load, int threads, int cpus);

struct Comparison {
  std::string table;  ///< the rows that both have, the largest change for the worse first
  int64_t compared = 0;
  int64_t regressions = 0;  ///< medians above the old ones by more than the threshold
  int64_t noisy = 0;        ///< rows whose times, old or new, lie further apart than kNoisyPercent
};
/// Error where dtype or L2 state differ or no row is in both; other differences are said in the table.
Comparison compare(const Report& before, const Report& now, double threshold_percent);

}  // namespace duel::apps::bench
