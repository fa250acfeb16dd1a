// What G starts from: noise, and where an objective asks for them class labels and codes, side by side in one
// matrix.
//
// Columns of the input, in this order:
//   noise values | one-hot label (classes) | one-hot categorical codes, one after the other | continuous codes in [-1, 1)
//
// Example, InfoGAN on MNIST (Chen 2016, appendix C.1):
//   LatentPlan plan{.noise = 62, .categorical = {10}, .continuous = 2};   // width 74
#pragma once

#include <cstdint>
#include <vector>

#include "duel/core/ops/map/creation.h"
#include "duel/core/tensor/random.h"
#include "duel/core/tensor/tensor.h"

namespace duel::gan {

using duel::one_hot;  // where 0.1.0 had it

enum class NoiseKind { normal, uniform };  // N(0, 1), or U[-1, 1)

/// What an objective hides in G's input for a critic to find.
struct Codes {
  std::vector<int64_t> categorical = {};  // sizes
  int64_t continuous = 0;
  int64_t count() const { return static_cast<int64_t>(categorical.size()) + continuous; }
};

struct LatentPlan {
  int64_t noise = 0;
  NoiseKind kind = NoiseKind::normal;
  int64_t classes = 0;                    // > 0: G is given a class label
  std::vector<int64_t> categorical = {};  // sizes of categorical codes
  int64_t continuous = 0;                 // number of continuous codes
  int64_t code_width() const;
  int64_t width() const { return noise + classes + code_width(); }
};

struct Latents {
  Tensor input = {};   // [N, plan.width()], what G is given
  Tensor labels = {};  // i64 [N]; undefined without classes
  Tensor codes = {};   // [N, plan.code_width()], the code columns of input; undefined without codes
};

/// Streams of random numbers behind draw_latents: labels and codes do not disturb the noise.
struct LatentGenerators {
  Generator noise, labels, codes;
};

/// A generator in two parts, which terms of G's intermediate latents use (path_length).
class MapsLatents {
 public:
  virtual ~MapsLatents() = default;
  /// What G is given, [N, plan.width()], to w [N, any].
  virtual Tensor mapped(const Tensor& input) = 0;
  /// w to images before G's last activation.
  virtual Tensor drawn(const Tensor& w) = 0;
};

Latents draw_latents(const LatentPlan& plan, int64_t n, LatentGenerators& random, TensorOptions options = {});

/// The input for given parts: noise [N, plan.noise], labels and codes as above (undefined where the plan has
/// none).
Latents compose_latents(const LatentPlan& plan, const Tensor& noise, const Tensor& labels,
                        const Tensor& codes);

/// Rows [begin, end) of all parts.
Latents slice(const Latents& latents, int64_t begin, int64_t end);

}  // namespace duel::gan
