// Samples from a run that is on the disk: what `duel sample` does, for any program. A program registers the
// objective and the networks of its own first (run.h, Note [Parts of one's own]).
//
// Note [Ranking by D]
// Of `best_of` times as many samples those are shown of which D is most certain that they are real, the best first, in
// every class for itself where columns are classes. D answers as a network that is not trained: running statistics, no
// noise on what it is shown; its logit counts, of an autoencoder its error. It is one network's opinion: what fools this D
// is ranked high too. Refused where rows belong together (walks, codes) and where D judges several samples at once.
//
// Note [Rejecting by D]
// Samples are drawn until so many are kept by discriminator rejection sampling (rejection.h), in every class for itself where
// columns are classes. The line says what share was kept. D answers as under [Ranking by D]; refused where that is, and under
// objectives whose logit is no ratio of densities.
//
// Note [More than a picture]
// A folder gets 000000.png, 000001.png, …, and of a conditional objective dataset.json with their labels, StyleGAN's form. An array is u8
// [N, H, W, C]; in a .npz it is arr_0, and labels are arr_1 (gan/data/image_arrays.h). Images are drawn as in training, classes and codes
// included, as `duel eval` draws them: the same seed, the same images. They are written as they come, so that memory does not grow
// with their number, and stand under their name when all are there. A .apng holds a grid whose images walk to another point and back.
//
// Example:
//   std::puts(sample_run({.checkpoint = "runs/mine", .out = "walk.png", .interpolate = true}).c_str());
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace duel::gan {

struct SampleRequest {
  std::filesystem::path checkpoint = {};  // or a run directory, for its latest one
  // G's weights from a file (weights.h), with `checkpoint` or without
  std::filesystem::path weights = {};
  // .png: a grid; .npz, .npy: an array; .apng: images that walk; empty: grid.png, or none beside `dir`. Note [More than a picture]
  std::filesystem::path out = {};
  std::filesystem::path dir = {};  // a folder to make: an image a file
  int64_t count = 64;  // 8 to a row; rows of classes, codes or walks are whole, so they may be more
  uint64_t seed = 7;   // of the latent points
  std::optional<int64_t> label = {};      // only this class, by its label; without: a column for each class
  std::string word = {};                  // the same by what it is called, or its label as a text
  std::optional<int64_t> code = {};       // each row goes through all values of this code
  bool interpolate = false;               // each row walks from one point to another, on the sphere
  std::optional<double> truncation = {};  // sampling.h, Note [Truncation]
  int64_t best_of = 1;                    // so many times as many are drawn: Note [Ranking by D]
  struct Reject {
    std::optional<double> percentile = {};  // that gamma is; nothing: gamma 0, exact for a perfect D
  };
  std::optional<Reject> reject = {};  // Note [Rejecting by D]
  bool force = false;                 // replaces a file that is there
  std::function<bool()> stop =
      {};  // asked while files are drawn; true: nothing is left of them, and Failure says so
};

/// Whether the samples are drawn into files in batches: a folder, an array, an animation.
bool draws_files(const SampleRequest& request);

/// Writes the picture and returns one line about it. Throws Error naming the member (as the command's flag) for
/// what cannot be, before anything is written.
std::string sample_run(const SampleRequest& request);

}  // namespace duel::gan
