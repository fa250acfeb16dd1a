// Runs iterations, from the third of a kind on as one captured CUDA graph: Note [An iteration is one graph] in
// trainer.h.
//
// Example:
//   last = graphs.run("p.", [&](bool beside) { return iterate(beside); });
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "duel/core/device/graph.h"
#include "duel/gan/train/losses.h"

namespace duel::gan {

class GraphRunner {
 public:
  explicit GraphRunner(Device device) : device_(device) {}

  /// Calls `work` or replays it: `kind` says which iterations start the same kernels. The first of a kind is
  /// called (with side streams, as the capture will be: libraries plan, memory comes into the cache), the
  /// second captured. What `work` returned in the capture is then overwritten and returned by each replay.
  /// Kinds beyond kMost are always called, without side streams: each graph keeps memory of its own.
  Shown run(const std::string& kind, const std::function<Shown(bool beside)>& work);
  /// That were captured.
  int64_t count() const;
  /// By kind.
  std::map<std::string, const CapturedGraph*> captured() const;
  /// They are captured anew when next needed.
  void forget() { kinds_.clear(); }

  static constexpr int64_t kMost = 32;

 private:
  struct Kind {
    std::unique_ptr<CapturedGraph> graph;
    Shown shown;
  };
  Device device_;
  std::map<std::string, Kind> kinds_;
};

}  // namespace duel::gan
