#include "duel/gan/lab/lab.h"

#include <algorithm>
#include <optional>

#include "duel/core/io/atomic_file.h"
#include "duel/gan/lab/internal/pictures.h"
#include "duel/gan/lab/internal/records.h"
#include "duel/gan/lab/table.h"
#include "duel/kernels/base/parallel.h"

namespace duel::gan::lab {
namespace {

/// Objective and seed of every record in the folder, by the order of objectives, then seeds.
std::vector<std::pair<std::string, uint64_t>> recorded(const std::filesystem::path& directory) {
  std::vector<std::pair<std::string, uint64_t>> found;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(directory / "runs", failure)) {
    if (entry.path().extension() != ".json") continue;
    const std::string stem = entry.path().stem().string();
    const size_t dash = stem.rfind('-');
    const std::string digits = dash == std::string::npos ? "" : stem.substr(dash + 1);
    if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos)
      continue;
    found.emplace_back(stem.substr(0, dash), std::stoull(digits));
  }
  const std::vector<std::string> names = objective_names();
  const auto place = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
    return std::tuple(place(a.first), a.first, a.second) < std::tuple(place(b.first), b.first, b.second);
  });
  return found;
}

void write_summary(const LabPlan& plan, const std::vector<PointRun>& runs) {
  const Table table = make_table(plan.mixture, plan.settings, runs);
  std::vector<PointRun> first;
  for (const PointRun& run : runs) {
    if (first.empty() || first.back().objective != run.objective) first.push_back(run);
  }
  write_png(plan.directory / "samples.png", overview(plan.mixture, first));
  write_png(plan.directory / "final.png", final_points(plan.mixture, first));
  write_png(plan.directory / "scores.png", scores_over_time(plan.mixture, runs));
  write_file_atomically(plan.directory / "results.md", to_markdown(table));
  write_file_atomically(plan.directory / "results.json", to_json(table, runs));
}

}  // namespace

LabOutcome run_lab(const LabPlan& plan, LabObserver& observer) {
  struct Job {
    std::string objective;
    uint64_t seed;
  };
  std::vector<Job> jobs;
  int64_t found = 0;
  for (const std::string& objective : plan.objectives) (void)point_objective(objective, plan.settings);
  // Seeds first: an experiment that is stopped early has something of every objective.
  for (const uint64_t seed : plan.seeds) {
    for (const std::string& objective : plan.objectives) {
      const bool there = load_run(plan.directory, plan.mixture, objective, seed, plan.settings).has_value();
      found += there;
      if (!there) jobs.push_back({objective, seed});
    }
  }
  for (const auto& [objective, seed] : recorded(plan.directory)) {
    (void)load_run(plan.directory, plan.mixture, objective, seed,
                   plan.settings);  // other settings are said now
  }
  observer.started(static_cast<int64_t>(jobs.size()), found);

  const std::shared_ptr<const ResidentData> data =
      jobs.empty() ? nullptr : training_points(plan.mixture, plan.settings);
  kernels::parallel_for(static_cast<int64_t>(jobs.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end && !observer.stop(); ++i) {
      const Job& job = jobs[static_cast<size_t>(i)];
      observer.begun(job.objective, job.seed);
      const auto keep_going = [&](int64_t) {
        observer.stepped();
        return !observer.stop();
      };
      const std::optional<PointRun> run =
          train_on_points(plan.mixture, job.objective, job.seed, plan.settings, keep_going, data);
      if (!run) return;
      const std::string name = job.objective + "-" + std::to_string(job.seed) + ".png";
      save_run(plan.directory, *run);
      write_png(plan.directory / "runs" / name, samples_over_time(plan.mixture, *run));
      observer.finished(*run);
    }
  });

  LabOutcome outcome;
  for (const auto& [objective, seed] : recorded(plan.directory)) {
    outcome.runs.push_back(*load_run(plan.directory, plan.mixture, objective, seed, plan.settings));
  }
  for (const Job& job : jobs) {
    outcome.complete &= std::any_of(outcome.runs.begin(), outcome.runs.end(), [&](const PointRun& run) {
      return run.objective == job.objective && run.seed == job.seed;
    });
  }
  if (!outcome.runs.empty()) write_summary(plan, outcome.runs);
  return outcome;
}

}  // namespace duel::gan::lab
