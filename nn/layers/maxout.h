// Maxout (Goodfellow et al. 2013, arXiv:1302.4389): every output is the greatest of `pieces` features. Behind
// a Linear of C * pieces outputs it is the LinearMaxout of Theano's libraries, except for which rows of the
// weight belong together: here rows c, c + C, c + 2 C, …, so that all C outputs are found side by side.
//
// Example:  nn::Sequential layer(nn::Linear(2, 200 * 5), nn::Maxout(5));   // [N, 2] to [N, 200]
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class Maxout : public Module {
 public:
  /// pieces >= 1; with 1 it is the identity.
  explicit Maxout(int64_t pieces);
  /// x [..., C * pieces] to [..., C]: feature c is the greatest of x[..., c + p * C], p from 0 to pieces - 1.
  /// Of equal maxima each takes an equal share of the gradient. At most 4 axes.
  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;

  int64_t pieces;

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<Maxout>(pieces); }
};

}  // namespace duel::nn
