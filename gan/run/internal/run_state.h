// Internal to gan/run/: what a run is made of while it trains. Its functions: run.cpp (the loop), run_start.cpp
// (before the first iteration, resuming), run_output.cpp (what it writes).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "duel/gan/record/event_file.h"
#include "duel/gan/record/internal/run_directory.h"
#include "duel/gan/record/internal/run_record.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/gan/run/internal/fork_source.h"
#include "duel/gan/run/internal/quality_watch.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/run/run.h"
#include "duel/gan/run/weights.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/gan/train/sampling.h"

namespace duel::gan {

struct Run::State {
  detail::RunSetup setup;
  DataRecord data;
  std::unique_ptr<Trainer> trainer;
  std::shared_ptr<const ResidentData> held_out;
  std::filesystem::path directory_path;
  std::optional<RunDirectory> directory;
  std::optional<std::filesystem::path> resumed_from;
  std::optional<NetworkWeights> init;  // --init, of a run that begins
  std::string init_of = "";            // whose weights they were
  std::optional<ForkRecord> fork;
  std::string checkpoint_config;
  SampleGrid sample_points;
  Metrics latest;
  std::optional<Diagnosis> diagnosis;         // of the same iteration, where one was made
  std::optional<detail::QualityWatch> watch;  // --eval-every
  std::optional<Comparison> quality;          // of the same iteration, where samples were judged
  std::optional<std::string> collapse;        // why the run ended before its last iteration
  std::optional<EventFile> events;            // --tensorboard
  std::set<std::string> warned;
  std::chrono::steady_clock::time_point next_drawing = {};
  std::chrono::steady_clock::time_point timed_from = {};  // of this process's training
  double seconds_before = 0;                              // of the run until then
  Timing timed = {};                                      // the last line of timing.jsonl
  RunCurves curves = {};                                  // what both files say
  bool prepared = false;

  const RunConfig& config() const { return setup.config; }
  std::string run_name() const { return config().networks.arch + "-" + config().objective; }

  // Draws the digits if they are to be drawn, and puts the trainer together.
  void make_ready(RunObserver* observer);
  void resume(RunObserver* observer);
  void start_from(const detail::ForkSource& source, RunObserver* observer);  // fork.cpp
  void prepare(RunObserver& observer);
  void write_record() const;

  /// complete: of an iteration with diagnostics; of another one only the losses are looked at.
  void check_finite(const Metrics& m, bool complete = true) const;
  /// Weights, moments, averages and buffers. On a CPU it costs next to nothing; on a GPU it waits.
  void check_all_finite() const;
  [[noreturn]] void diverged(const std::string& what, int64_t iteration) const;
  void log(const std::string& text, RunObserver& observer);
  void warn_once(const std::string& kind, const std::string& text, RunObserver& observer);
  void write_metrics(RunObserver& observer);
  void write_events(const std::string& line, RunObserver& observer);
  void begin_timing();
  void write_timing(RunObserver& observer);
  void sample(int64_t iteration, RunObserver& observer);
  void draw(bool last, RunObserver& observer, bool diverged = false);
  void judge_samples(RunObserver& observer);
  void write_quality(RunObserver& observer);
  void keep_best(RunObserver& observer);
  void save(RunObserver& observer);
  void write_state(const std::filesystem::path& file) const;
  std::string last_good_checkpoint() const;
  bool sample_due(int64_t iteration) const;
  bool evaluation_due(int64_t iteration) const;
};

}  // namespace duel::gan
