// The two mixtures of Gaussians that mode collapse is studied with (Srivastava et al. 2017, VEEGAN,
// arXiv:1705.07761; Lin et al. 2018, PacGAN, arXiv:1712.04086).
//
//   ring   8 modes at (cos, sin)(2 pi i / 8), i = 0 … 7, deviation 0.01: eight different modes. Well-known code takes
//          8 evenly spaced angles from 0 to 2 pi with both ends, which are 7 modes, one of them twice as heavy.
//   grid   25 modes at {-4, -2, 0, 2, 4}^2, deviation 0.05
//
// Example:
//   const Mixture ring = make_mixture("ring");
//   Generator random(1);
//   Tensor points = ring.sample(100000, random);   // f32 [100000, 2]
#pragma once

#include <array>
#include <string>
#include <vector>

#include "duel/core/tensor/random.h"
#include "duel/core/tensor/tensor.h"

namespace duel::gan::lab {

struct Mixture {
  std::string name;
  std::vector<std::array<double, 2>> means;
  double deviation = 0;  // of every mode, the same in all directions
  double extent = 0;     // pictures show [-extent, extent]^2

  struct Draw {
    Tensor points;  // f32 [n, 2]
    Tensor modes;   // i64 [n], the index in `means` of each
  };
  /// n points: a mode drawn evenly, then normal noise around it. A function of the generator alone.
  Draw draw(int64_t n, Generator& random) const;
  Tensor sample(int64_t n, Generator& random) const { return draw(n, random).points; }
};

std::vector<std::string> mixture_names();
/// "ring" or "grid"; anything else is an Error.
Mixture make_mixture(const std::string& name);

}  // namespace duel::gan::lab
