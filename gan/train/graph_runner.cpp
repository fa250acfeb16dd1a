#include "duel/gan/train/graph_runner.h"

#include <algorithm>

#include "duel/core/device/side_streams.h"

namespace duel::gan {

Shown GraphRunner::run(const std::string& kind, const std::function<Shown(bool beside)>& work) {
  const auto beside = [&] {
    const ParallelLeafGradients leaves;
    return work(true);
  };
  const auto [found, first] = kinds_.try_emplace(kind);
  Kind& known = found->second;
  if (first) return beside();
  if (!known.graph) {
    if (count() >= kMost) return work(false);
    Shown shown;
    known.graph = std::make_unique<CapturedGraph>(device_, [&] { shown = beside(); });
    known.shown = std::move(shown);
  }
  known.graph->launch();
  return known.shown;
}

int64_t GraphRunner::count() const {
  return std::count_if(kinds_.begin(), kinds_.end(),
                       [](const auto& kind) { return kind.second.graph != nullptr; });
}

std::map<std::string, const CapturedGraph*> GraphRunner::captured() const {
  std::map<std::string, const CapturedGraph*> all;
  for (const auto& [kind, known] : kinds_) {
    if (known.graph) all[kind] = known.graph.get();
  }
  return all;
}

}  // namespace duel::gan
