// Latents of given images: what `duel invert` does, for any program. A program registers the objective and the networks
// of its own first (run.h, Note [Parts of one's own]).
//
// Note [What is minimised]
// For each image x, over z:   e(z) = mean over pixels of (G(z) - x)^2,   pixels in [-1, 1],
// by Adam on z from several starts, each a draw of the prior; the z of the least e that any start met counts (Zhu et al.
// 2016, arXiv:1609.03552, section 3.1; Creswell & Bharath 2018, arXiv:1802.05701, section II, whose loss is this one
// where pixels are normal around G's). The rate falls along a half cosine to zero. G is that of duel sample: evaluation
// mode, by the average of its weights where the run keeps one. Noise and continuous codes move, and stay in [-1, 1]
// where they are drawn from there; a class and categorical codes stay those of the start. Where G knows classes there is
// a start in each of them at least.
//
// Nothing says that a G can draw an image: a large e means that none of the starts found it.
//
// Example:
//   const Inversion found = invert({.checkpoint = "runs/a", .images = "digits.npy", .out = "latents.safetensors"});
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/data/image_files.h"

namespace duel::gan {

struct InvertRequest {
  std::filesystem::path checkpoint = {};  // or a run directory, for its latest one
  std::filesystem::path images = {};      // what read_images (image_files.h) takes
  ImageOptions image_options = {};
  int64_t count = 16;  // the first ones of the set, at most 1024
  int64_t steps = 300, starts = 4;
  double lr = 0.1;    // of Adam, at the beginning
  uint64_t seed = 7;  // of the starts
  std::filesystem::path out = "latents.safetensors";
  std::filesystem::path picture = {};  // a PNG; empty: the name of `out` with another ending
  bool force = false;                  // replaces files that are there
  // called as steps are done
  std::function<void(int64_t done, int64_t total)> progressed = {};
};

struct Inversion {
  Tensor latents;                        // f32 [N, width of G's input]
  std::vector<double> errors, at_start;  // e(z), and the least e among the starts
  std::vector<int64_t> labels = {};      // of the class that was best; empty where G knows none
  std::filesystem::path out, picture;
};

/// Writes the latents ("latents", f32 [N, width], and "errors", f32 [N]) and a picture, each image beside what G makes of
/// its latents; both atomically. The same request gives the same bits on any number of threads. Error naming the member,
/// as the command's flag, before anything is written.
Inversion invert(const InvertRequest& request);

/// For people: a line for each image, and where the files are.
std::string to_table(const Inversion& inversion);

}  // namespace duel::gan
