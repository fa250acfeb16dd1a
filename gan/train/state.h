// The state of a run in parts: whoever keeps something that decides the future says once how it stands in a
// checkpoint, and Trainer saves, restores and takes back by that.
//
// Example:
//   std::vector<StatePart> Judging::state() { return {state_of("random.label_flips", label_flips_)}; }
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "duel/core/io/safetensors.h"
#include "duel/core/tensor/random.h"
#include "duel/nn/module/module.h"

namespace duel::gan {

struct StatePart {
  /// Its entries by their names in a checkpoint; they may share storage with the part.
  std::function<nn::StateDict()> read;
  /// Takes its entries from a state that was found to have them.
  std::function<void(const TensorFile&)> write;
};

/// Seed, stream and offset, i64 [3]. A generator on a GPU is waited for when it is read.
StatePart state_of(const std::string& name, Generator& generator);
/// The tensor's values, which are copied in place.
StatePart state_of(const std::string& name, const Tensor& tensor);
/// Parameters and buffers; the names begin with `prefix`.
StatePart state_of(const std::string& prefix, nn::Module& module);

/// Copies on the CPU, whatever the parts' device.
TensorFile read_state(const std::vector<StatePart>& parts);
void write_state(const std::vector<StatePart>& parts, const TensorFile& state);

/// The entries whose names begin with `prefix`, without it; and with it again.
nn::StateDict strip_prefix(const std::string& prefix, const TensorFile& file);
nn::StateDict with_prefix(const std::string& prefix, const nn::StateDict& entries);

/// Where an average of a network's weights stands in a checkpoint.
inline constexpr const char* kAveragePrefix = "g_ema.";
/// Where the optimizer of G keeps its own; and how the average of a parameter ended there before version 0.2.
inline const std::string kOptimizerG = "optimizer_g.", kEmaSlot = ".ema";

/// A file of before version 0.2 in today's form: there the average was optimizer_g.NAME.ema, with no buffers
/// of its own, and layers drew from a generator that was not stored, whose entry is taken from `present`.
TensorFile brought_up(TensorFile file, const TensorFile& present);

/// Everything that restoring `found` over `present` could stumble over: other entries, shapes or types,
/// numbers that no run has, values that are not finite. Throws Error that names the entry.
void check_state(const TensorFile& found, const TensorFile& present);

}  // namespace duel::gan
