// How good a generator is: what `duel eval` does, for any program. A program registers the objective and the networks
// of its own first (run.h, Note [Parts of one's own]).
//
// Note [What is compared with what]
// A run's samples stand against the test images of the data it was trained on: MNIST's test images, or drawn digits
// of a seed that is not the training set's. The floors then come from training images that are in neither set (of
// drawn digits, from a third seed), and `copies` looks at the training set. With `against` the floors come from
// halves of that set (comparison.h, Note [Floors]) and copies are not counted: nobody says that it was held out.
//
// Note [Stacked digits]
// Where the data is stacked digits the judge reads each colour of an image by itself: a sample's class is one of 1,000, and
// the judge is called mnist-v1-stacked. Measures of classes are taken, and no others: `modes` and `class_kl_uniform` are the
// published ones; they depend on `count`, so they mean something beside their floor. Real images are stacked test digits,
// floors come from stacked training digits.
//
// Note [Samples are pictures]
// Samples of a run become bytes, as a PNG would hold them: written to a file and read again they get the same numbers.
//
// Example:
//   const Evaluation e = evaluate({.set = "runs/mine"});
//   std::fputs(to_table(e).c_str(), stdout);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "duel/gan/data/image_files.h"
#include "duel/gan/judge/comparison.h"

namespace duel::gan {

struct LoadedTrainer;

struct EvalRequest {
  /// A run directory (its newest checkpoint), a checkpoint, or what read_images (image_files.h) takes.
  std::filesystem::path set = {};
  std::optional<std::filesystem::path> against = {};  // the same; without: test images of the data
  /// What image_files.h reads, "synthetic", or stacked ones of these (DataName); without: what the run was trained on,
  /// else MNIST where it is found.
  std::optional<std::string> data = {};
  /// Of all images that are read, classes not of `set`; of `data` what is not set here is as the run has it.
  ImageOptions image_options = {};
  int64_t count = 10000;                  // of each set at most
  std::string judge = "";                 // load_judge's; without: mnist-v1, or digits-v1 of drawn digits
  uint64_t seed = 1;                      // of latent points, of parts of larger sets, groups and pairs
  std::filesystem::path neighbours = {};  // a PNG to write: samples beside their nearest training images
  bool force = false;                     // replaces a picture that is there
  std::function<void(const std::string&)> say = {};  // what is done, a line each
};

struct Evaluation {
  std::string set, against;  // for people
  std::string judge;         // Judge::name()
  uint64_t seed = 0;
  Comparison comparison = {};
};

/// Error naming what is wrong (as the command's flag), before anything is written. The same request gives the same
/// bits on any number of threads.
Evaluation evaluate(const EvalRequest& request);

/// One line of JSON, its end included: sets, seed, judge, and for each measure, "fd-mnist-v1", value, low, high, floor.
std::string to_json_line(const Evaluation& evaluation);

/// For people, 80 columns (of stacked digits a few more): measure, value, interval, floor and how the value stands to the floor.
std::string to_table(const Evaluation& evaluation);

/// `count` fresh samples of a checkpoint, classes and codes drawn as in training.
ImageSet sample_images(const LoadedTrainer& loaded, int64_t count, uint64_t seed);

}  // namespace duel::gan
