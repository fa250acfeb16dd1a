// Eigenvalues of symmetric matrices and the sum of singular values, for the Frechet distance. f64; 128 x 128
// in some milliseconds.
#pragma once

#include <vector>

#include "duel/gan/judge/internal/matrix.h"

namespace duel::gan::detail {

struct Eigen {
  std::vector<double> values;  // rising
  Matrix vectors;              // row i belongs to value i; orthonormal
};

/// Of a symmetric matrix [n, n], n >= 1: Householder's tridiagonal form, then implicit QL steps with Wilkinson's
/// shift (Martin, Reinsch & Wilkinson 1968; Dubrulle 1970). Values to within a few roundings of the largest.
Eigen symmetric_eigen(Matrix a);

/// The sum of the singular values of a [n, n]: a bidiagonal form by Householder reflections (Golub & Kahan
/// 1965), whose singular values are the positive eigenvalues of a tridiagonal matrix of twice the size with zeros
/// on its diagonal. No square is taken, so small ones are good to a rounding of the largest.
double nuclear_norm(Matrix a);

}  // namespace duel::gan::detail
