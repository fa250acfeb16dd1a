// The weights of one network in a file of their own, as PyTorch's users have them: what `duel export` writes, `duel sample --weights`
// draws from and `duel train --init` starts from.
//
// Note [What an exported file holds]
// Parameters and buffers by their bare names ("0.weight"), and in its metadata
//   format     "pt"
//   duel       "duel-network-1"
//   version    Duel's, "0.2.0"
//   net        "g_ema", "g" or "d"
//   iteration  of the run
//   config     the run's config.json, from whose settings the networks are built: arch, latent, widths, norms, sides, classes, …
//   network    JSON of what follows from those: G's input column by column, images, spectral norm, what D judges
//   program    JSON of what the network computes (gan/models/program.h); absent where that cannot be written down, and then
//              "no_program" says why
//
// Note [Whose weights]
// A file says it itself ("net"), or it has the names and shapes of one of the two networks and not of the other, or its names begin
// with "g_ema." or "g.", and "d.", as in a checkpoint; of both averages and weights the averages are taken.
//
// Example:
//   std::puts(export_run({.checkpoint = "runs/mine", .out = "g.safetensors"}).c_str());
//   LoadedTrainer loaded = load_weights("g.safetensors");
//   Tensor images = loaded.trainer->sample(z);
#pragma once

#include <filesystem>
#include <string>

#include "duel/core/io/safetensors.h"
#include "duel/gan/models/models.h"
#include "duel/gan/run/run.h"

namespace duel::gan {

struct ExportRequest {
  std::filesystem::path checkpoint = {};  // or a run directory, for its latest one
  std::filesystem::path out = {};         // .safetensors
  std::string net =
      "";  // g_ema, g or d; empty: what samples are drawn by, g_ema where the run keeps an average
  bool force = false;  // replaces a file that is there
};

/// Writes the file and returns a line about it. Error naming the member (as the command's flag), before anything is written.
std::string export_run(const ExportRequest& request);

/// The weights of a file, or of the latest checkpoint of a run directory: Note [Whose weights].
class NetworkWeights {
 public:
  /// Reads the file; Error naming it.
  explicit NetworkWeights(const std::filesystem::path& path);

  /// Copies them into the networks that they are of, and says which: "G", "D" or "G and D". Error naming the file and every name and
  /// shape that does not fit; then nothing was changed. `g_alone`: a D's are passed over, a G's are expected.
  std::string load_into(const Networks& networks, bool g_alone = false) const;

  const std::filesystem::path& file() const { return file_; }
  const TensorFile& entries() const { return entries_; }

 private:
  std::filesystem::path file_;
  TensorFile entries_;
};

/// A trainer for sampling by G's weights from a file. What the networks are comes from the file's own metadata, or where `checkpoint` (or
/// a run directory) is given, from there; then D is that one's. Without, D is no trained one.
LoadedTrainer load_weights(const std::filesystem::path& weights,
                           const std::filesystem::path& checkpoint = {});

}  // namespace duel::gan
