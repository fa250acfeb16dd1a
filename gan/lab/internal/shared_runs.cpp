#include "duel/gan/lab/internal/shared_runs.h"

#include <algorithm>
#include <atomic>
#include <tuple>

#include "duel/gan/objective/objective.h"
#include "duel/kernels/base/parallel.h"

namespace duel::gan::lab {
namespace {

struct Pending {
  const SharedRun* run;
  bool done = false;
  std::string holder = {};
};

/// Whether this process trained it.
bool train_one(const ResultStore& store, Pending& pending, LabObserver& observer) {
  const SharedRun& run = *pending.run;
  const bool heard = !pending.holder.empty();
  std::optional<Claim> claim = store.claim(run.name, pending.holder);
  pending.done = store.has(run.name);  // looked at behind the claim: whoever gave it back may have finished
  if (pending.done || !claim) {
    if (!heard) observer.taken(run.label, pending.done ? "finished" : pending.holder);
    return false;
  }
  pending.holder.clear();
  observer.begun(run.label);
  bool lost = false;
  pending.done = run.train([&] {
    observer.stepped();
    lost = !claim->beat();
    return !lost && !observer.stop();
  });
  if (lost) pending.holder = "another process";
  return pending.done;
}

}  // namespace

std::vector<std::pair<std::string, uint64_t>> recorded_seeds(const ResultStore& store) {
  std::vector<std::pair<std::string, uint64_t>> found;
  for (const std::string& stem : store.names()) {
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

std::vector<std::string> train_shared(const ResultStore& store, const std::vector<SharedRun>& runs,
                                      LabObserver& observer) {
  std::vector<Pending> pending;
  for (const SharedRun& run : runs) pending.push_back({&run});
  std::atomic<bool> trained = true;
  while (trained && !pending.empty() && !observer.stop()) {
    trained = false;
    kernels::parallel_for(std::ssize(pending), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end && !observer.stop(); ++i)
        if (train_one(store, pending[static_cast<size_t>(i)], observer)) trained = true;
    });
    std::erase_if(pending, [](const Pending& p) { return p.done; });
  }
  std::vector<std::string> held;
  for (const Pending& p : pending)
    if (!p.holder.empty() && !store.has(p.run->name))
      held.push_back(message("{} ({})", p.run->label, p.holder));
  return held;
}

std::vector<SharedRun> missing_runs(const ResultStore& store, const std::vector<SharedRun>& runs) {
  std::vector<SharedRun> missing;
  for (const SharedRun& run : runs)
    if (!store.has(run.name)) missing.push_back(run);
  return missing;
}

std::vector<std::string> train_and_write(const ResultStore& store, const std::vector<SharedRun>& all,
                                         const std::vector<SharedRun>& missing, LabObserver& observer,
                                         const std::function<void()>& write) {
  observer.started(std::ssize(missing), std::ssize(all) - std::ssize(missing));
  std::vector<std::string> held = train_shared(store, missing, observer);
  for (std::vector<std::string> there, before{""}; (there = store.names()) != before; before = there) write();
  return held;
}

}  // namespace duel::gan::lab
