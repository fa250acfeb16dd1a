// metrics.jsonl: one line of JSON per logged iteration, written by a run and read back as curves.
//
// Lines hold no times, so that equal runs write equal files. Keys: gan/README.md, Diagnostics. A value that
// is not finite is null; one that does not apply is left out. Nested values are read as
// "spectral_norms/0.weight".
//
// Example:
//   file << to_json_line(trainer.metrics(), 0.5, true);
//   MetricsLog log = parse_metrics(text);
//   if (const Curve* loss = log.curve("loss_d")) plot.line(loss->x, loss->y);
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/train/diagnostics.h"

namespace duel::gan {

/// One line. probabilities: also sigmoid of the logits.
std::string to_json_line(const Metrics& metrics, double epoch, bool probabilities,
                         const std::optional<Diagnosis>& diagnosis = std::nullopt);
/// A line of timing.jsonl, which stands beside so that metrics.jsonl is the same from run to run.
struct Timing {
  int64_t iteration = 0;
  // on the clock since training began: looks, samples and checkpoints with it, pauses without
  double seconds = 0;
  double images_per_second = 0;  // since the line before
};
std::string to_json_line(const Timing& timing);

/// The iteration of such a line; nothing if it is not a whole one.
std::optional<int64_t> iteration_of_line(const std::string& line);

/// Values over iterations; null is NaN.
struct Curve {
  std::vector<double> x, y;
};

/// In the order in which the keys first appear, which for layers is that of the network.
struct MetricsLog {
  std::vector<std::pair<std::string, Curve>> curves;
  // iteration and counts
  std::vector<std::pair<std::string, std::vector<std::pair<double, Histogram>>>> histograms;

  /// Null where there is none.
  const Curve* curve(const std::string& key) const;
  /// All "prefix/NAME", named without the prefix.
  std::vector<std::pair<std::string, const Curve*>> group(const std::string& prefix) const;
  /// The last one, null where there is none.
  const std::pair<double, Histogram>* last_histogram(const std::string& key) const;
};

/// Lines that are not whole are left out.
MetricsLog parse_metrics(const std::string& text);
/// The same of a file; Error where it cannot be read.
MetricsLog read_metrics(const std::filesystem::path& file);

}  // namespace duel::gan
