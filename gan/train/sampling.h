// What to give G for a grid of images: fresh ones, one class, a sweep of one code, walks between points.
//
// Note [Truncation]
// With `truncation` psi the noise is that of a standard normal one that is known to lie in [-psi, psi], element by
// element: drawn as ever, and elements beyond psi are drawn again until they are inside (the truncation trick: Brock,
// Donahue & Simonyan 2019, arXiv:1809.11096, section 3.1). What is inside stays as it was without. Smaller psi: samples
// more typical and more alike. Labels and codes stay. Error for psi of 0 or less, and for noise that is uniform,
// which has no tails.
//
// Where an objective knows classes, each column of a grid is a class; where it has a categorical code, each
// column is a value of the first one. `count` is rounded up to full rows then.
//
// Example:
//   LatentGenerators random = sampling_generators(/*seed=*/7);
//   SampleGrid grid = sample_grid(trainer.networks().latent, 64, random);
//   write_png("grid.png", image_grid(trainer.sample(grid.input), grid.columns));
#pragma once

#include <cstdint>
#include <vector>

#include <optional>

#include "duel/gan/objective/latent.h"
#include "duel/gan/picture/png.h"

namespace duel::gan {

/// Bytes of pixels from -1, black, to 1; what lies beyond is cut.
std::vector<uint8_t> gray_pixels(const std::vector<float>& values);

/// Images [N, 1, H, W], gray, or [N, 3, H, W], red, green and blue, in [-1, 1] as a grid of rows of `columns`.
Picture image_grid(const Tensor& images, int64_t columns);

struct SampleGrid {
  Tensor input;  // [N, plan.width()], row after row
  int64_t columns = 8;
};

/// psi of Note [Truncation]; nothing: the noise as it is drawn.
using Truncation = std::optional<double>;

/// Streams of a seed; `noise` is the stream of the noise.
LatentGenerators sampling_generators(uint64_t seed, uint64_t noise = 0);

/// `count` images in 8 columns, or one column per class or category.
SampleGrid sample_grid(const LatentPlan& plan, int64_t count, LatentGenerators& random,
                       Truncation truncation = {});

/// `count` images of one class in 8 columns. Error where G knows no classes, or not this one.
SampleGrid class_grid(const LatentPlan& plan, int64_t count, int64_t label, LatentGenerators& random,
                      Truncation truncation = {});

/// Each row keeps its noise and other codes while code number `code` goes through its values from left to
/// right: every category, or 10 values from -2 to 2 of a continuous one (twice the range of training, as in
/// Chen 2016, figure 2). Categorical codes are counted first. Error where there is no such code.
SampleGrid sweep_grid(const LatentPlan& plan, int64_t count, int64_t code, LatentGenerators& random,
                      Truncation truncation = {});

/// Each row walks from one point of the noise to another in `steps` columns, at least 2, with class and codes kept: on the great
/// circle where the noise is normal (Shoemake 1985: in between, its length stays that of a draw, which a
/// straight line's would not), on a straight line where it is uniform. Without a label: class r modulo their
/// number in row r.
SampleGrid walk_grid(const LatentPlan& plan, int64_t count, std::optional<int64_t> label,
                     LatentGenerators& random, Truncation truncation = {}, int64_t steps = 8);

/// `count` points with classes and codes drawn as in training, or all of the class `label`.
Latents sample_points(const LatentPlan& plan, int64_t count, LatentGenerators& random,
                      std::optional<int64_t> label = {}, Truncation truncation = {});

}  // namespace duel::gan
