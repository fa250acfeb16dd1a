// Internal to gan/run/: what --eval-every does. At some iterations a judge compares samples of the run with images that it
// was not trained on; the curve goes into metrics.jsonl and metric-NAME.jsonl, the best checkpoint is kept, and a run that
// collapses ends.
//
// Samples come from the same latent points every time, by the averaged weights where the run has them, as bytes; the
// floors come from training images. All of it is a function of the run's weights and settings, so a resumed run writes the
// same lines; best and stop are decided from the curve, which a resumed run reads back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "duel/gan/judge/comparison.h"
#include "duel/gan/judge/judge.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/gan/run/internal/run_setup.h"

namespace duel::gan::detail {

/// "modes<3": a measure (quality_measures()), what it must not be, and where.
struct StopRule {
  const QualityMeasure* measure = nullptr;
  bool below = true;
  double bound = 0;
  bool holds(double value) const { return below ? value < bound : value > bound; }
};
/// Error naming the setting and what would be right.
StopRule parse_stop_rule(const std::string& text);

/// The row of this key; Error naming `setting` and the keys that there are.
const QualityMeasure& quality_measure(const std::string& setting, const std::string& key);

/// Error where settings of the watch contradict each other, or its judge does not read what the run makes.
void check_quality_settings(const RunSetup& setup);

class QualityWatch {
 public:
  /// Reads the images to compare with. `training`: the run's data, of which floors come.
  QualityWatch(const RunSetup& setup, const ResidentData& training, Device device);

  Comparison look(Trainer& trainer) const;
  JudgedValues judged(const Comparison& comparison) const;
  /// "fd-mnist-v1": the name of a measure in lines and files.
  std::string name_of(const QualityMeasure& measure) const { return measure.key + "-" + judge_.name(); }
  const std::string& judge_name() const { return judge_.name(); }

  /// The iteration whose value is the best of all that the log holds; none without any.
  std::optional<int64_t> best_iteration(const MetricsLog& log, double floor) const;
  /// Why the run should end: the rule holds at the last look, and did not at an earlier one, for a run that begins so is
  /// young and not collapsed. Nothing where it should go on.
  std::optional<std::string> collapsed(const MetricsLog& log) const;

  const QualityMeasure* best_by() const { return best_by_; }

 private:
  const Curve* curve(const MetricsLog& log, const QualityMeasure& measure) const;

  Judge judge_;
  SampleSet real_, others_;
  int64_t count_;
  uint64_t seed_;
  const QualityMeasure* best_by_ = nullptr;
  std::optional<StopRule> stop_ = {};
};

/// A line of metric-NAME.jsonl: StyleGAN's keys "results" and "metric", beside iteration, thousands of images in G's
/// batches (which `epoch` counts too), interval and floor. No times: they are in timing.jsonl.
std::string metric_line(const std::string& name, const Value& value, int64_t iteration, double kimg,
                        const std::string& checkpoint);

}  // namespace duel::gan::detail
