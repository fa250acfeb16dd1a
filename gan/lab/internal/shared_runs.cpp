#include "duel/gan/lab/internal/shared_runs.h"

#include <atomic>

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

}  // namespace duel::gan::lab
