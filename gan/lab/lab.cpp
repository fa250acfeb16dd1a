#include "duel/gan/lab/lab.h"

#include <algorithm>
#include <optional>

#include "duel/core/io/atomic_file.h"
#include "duel/gan/lab/internal/pictures.h"
#include "duel/gan/lab/internal/records.h"
#include "duel/gan/lab/internal/shared_runs.h"
#include "duel/gan/lab/table.h"

namespace duel::gan::lab {
namespace {

/// Error where one is damaged or has other settings.
std::vector<PointRun> recorded_runs(const LabPlan& plan, const ResultStore& store) {
  std::vector<PointRun> runs;
  for (const auto& [objective, seed] : recorded_seeds(store))
    runs.push_back(*load_run(plan.directory, plan.mixture, objective, seed, plan.settings));
  return runs;
}

std::string found_text(const PointRun& run) {
  return run.diverged ? message("diverged before step {}", *run.diverged)
                      : message("{} modes, {} % high quality, reverse KL {}", run.score.modes,
                                fixed(100 * run.score.high_quality, 1), fixed(run.score.reverse_kl, 2));
}

void write_summary(const LabPlan& plan, const std::vector<PointRun>& runs, const ResultStore& store) {
  const Table table = make_table(plan.mixture, plan.settings, runs);
  std::vector<PointRun> first;
  for (const PointRun& run : runs) {
    if (first.empty() || first.back().objective != run.objective) first.push_back(run);
  }
  write_png(plan.directory / "samples.png", overview(plan.mixture, first));
  write_png(plan.directory / "final.png", final_points(plan.mixture, first));
  write_png(plan.directory / "scores.png", scores_over_time(plan.mixture, runs));
  write_file_atomically(plan.directory / "results.md", to_markdown(table));
  write_file_atomically(plan.directory / "results.json", to_json(table, runs, store.commits()));
}

}  // namespace

LabOutcome run_lab(const LabPlan& plan, LabObserver& observer) {
  const ResultStore store("lab", plan.directory);
  std::shared_ptr<const ResidentData> data;
  const auto shared_run = [&](const std::string& objective, uint64_t seed) {
    const std::string name = objective + "-" + std::to_string(seed),
                      label = message("{} seed {}", objective, seed);
    return SharedRun{
        name, label, [=, &plan, &observer, &data](const std::function<bool()>& keep_going) {
          const std::optional<PointRun> run = train_on_points(
              plan.mixture, objective, seed, plan.settings, [&](int64_t) { return keep_going(); }, data);
          if (!run) return false;
          write_png(plan.directory / "runs" / (name + ".png"), samples_over_time(plan.mixture, *run));
          save_run(plan.directory, *run);
          observer.finished(label, found_text(*run), run->seconds, run->history.back().step);
          return true;
        }};
  };
  for (const std::string& objective : plan.objectives) (void)point_objective(objective, plan.settings);
  // Seeds first: an experiment that is stopped early has something of every objective.
  std::vector<SharedRun> all;
  for (const uint64_t seed : plan.seeds)
    for (const std::string& objective : plan.objectives) all.push_back(shared_run(objective, seed));
  const std::vector<SharedRun> missing = missing_runs(store, all);
  (void)recorded_runs(plan, store);  // other settings are said now
  if (!missing.empty()) data = training_points(plan.mixture, plan.settings);
  LabOutcome outcome;
  outcome.held = train_and_write(store, all, missing, observer, [&] {
    outcome.runs = recorded_runs(plan, store);
    if (!outcome.runs.empty()) write_summary(plan, outcome.runs, store);
  });
  outcome.complete = missing_runs(store, all).empty();
  return outcome;
}

}  // namespace duel::gan::lab
