// metrics.jsonl: one line of JSON per logged iteration, written by a run and read back as curves.
//
// Lines hold no times, so that equal runs write equal files. Their keys are those of measures.h. A value that
// is not finite is null; one that does not apply is left out. Nested values are read as
// "spectral_norms/0.weight".
//
// Example:
//   const std::string line = to_json_line(trainer.metrics(), 0.5, true);
//   file << line;
//   log.add(line);
//   if (const Curve* loss = log.curve("loss_d")) plot.line(loss->x, loss->y);
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "duel/gan/train/measures.h"

namespace duel::gan {

/// One line. probabilities: also sigmoid of the logits.
std::string to_json_line(const Metrics& metrics, double epoch, bool probabilities,
                         const std::optional<Diagnosis>& diagnosis = std::nullopt,
                         const JudgedValues& judged = {});
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

/// What lines of metrics.jsonl and timing.jsonl say, as curves over iterations. It grows by lines, so a run
/// that writes them knows its curves without reading its files. Of a histogram the last one is kept.
class MetricsLog {
 public:
  /// Lines as to_json_line makes them; what is no whole line is left out.
  void add(std::string_view lines);
  /// Those of a file; Error where it cannot be read.
  void add_file(const std::filesystem::path& file);
  bool empty() const { return curves_.empty() && histograms_.empty(); }

  /// The last one; 0 where there is none.
  double iteration() const { return iteration_; }
  /// Of all curves, in the order in which they first appear.
  std::vector<std::string> keys() const;
  /// Null where there is none.
  const Curve* curve(const std::string& key) const;
  /// All "prefix/NAME", named without the prefix, in the order in which they first appear: for layers that of
  /// the network.
  std::vector<std::pair<std::string, const Curve*>> group(const std::string& prefix) const;
  /// The last one and its iteration, null where there is none.
  const std::pair<double, Histogram>* last_histogram(const std::string& key) const;

 private:
  template <class T>
  struct Named {
    std::vector<std::pair<std::string, T>> list;
    std::unordered_map<std::string, size_t> places;
    T& at(const std::string& key);
    const T* find(const std::string& key) const;
    bool empty() const { return list.empty(); }
  };
  double iteration_ = 0;
  Named<Curve> curves_;
  Named<std::pair<double, Histogram>> histograms_;
};

MetricsLog parse_metrics(const std::string& text);

}  // namespace duel::gan
