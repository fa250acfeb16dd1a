// Checkpoints: one safetensors file each, whole or not there, named step_00000200.safetensors. PyTorch opens
// the weights as they are ("g.0.weight", "d.0.weight", …); the configuration of the run travels in the
// header's metadata.
//
// Note [A checkpoint is checked before it is used]
// A CRC-32 over every name, dtype, shape, value and metadata entry is stored in the file and compared on
// reading, so a flipped bit is found wherever it is. Reading allocates no more than the file justifies.
//
// Example:
//   write_checkpoint("runs/a/checkpoints/step_00000200.safetensors", trainer.state(), config_json);
//   Checkpoint c = read_checkpoint(*latest_checkpoint("runs/a"));
//   trainer.restore(c.state);
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "duel/core/io/safetensors.h"
#include "duel/gan/train/run_files.h"

namespace duel::gan {

struct Checkpoint {
  TensorFile state;    // as Trainer::state() made it
  std::string config;  // JSON of the run's configuration
  std::string crc32;   // as it stands in the file: which checkpoint this is
};

void write_checkpoint(const std::filesystem::path& path, TensorFile state, const std::string& config);
/// Throws Error naming file and cause for a damaged, truncated or foreign file.
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// Why the system does not let us read a file to its end; empty where it does. Such a file may be whole.
std::string why_unreadable(const std::filesystem::path& file);

/// The checkpoint of the highest step in run/checkpoints, if there is one; with `before` a file's name, of
/// those of lower steps. Error where that folder cannot be read.
std::optional<std::filesystem::path> latest_checkpoint(const std::filesystem::path& run,
                                                       const std::string& before = "");

}  // namespace duel::gan
