// Normalisation backward and double backward. Each is one visit of every tile (row sums, then elements); the
// gradients of gamma and beta are either row sums that are kept in the workspace and added over samples, or,
// for layer norm, a second pass that adds columns over rows in row order.
#include "duel/kernels/reduce/normalize.cuh"

namespace duel::kernels {
namespace {

using norm::Backward;
using norm::Projected;
using norm::SecondInput;
using norm::SecondMeans;

constexpr int64_t kColumnGrain = 128;

/// Row sums of the double backward. kInner: gamma and h vary inside a row, so q and r are summed apart;
/// otherwise dy is summed and the row's gamma and h are multiplied on afterwards.
template <bool kInner, class T>
DUEL_HD auto second_terms(T dy, T x, T v, T mean, T rstd, T gamma, T h) {
  const T xhat = norm::normalized(x, mean, rstd);
  if constexpr (kInner) {
    const T q = gamma * dy, r = h * dy;
    return Terms<7, T>{{q, q * xhat, v, v * xhat, q * v, r, r * xhat}};
  } else {
    return Terms<5, T>{{dy, dy * xhat, v, v * xhat, dy * v}};
  }
}

template <class T>
DUEL_HD SecondMeans<T> second_means(const Terms<7, T>& s, T count, T, T) {
  return {s.v[0] / count, s.v[1] / count, s.v[2] / count, s.v[3] / count,
          s.v[4] / count, s.v[5] / count, s.v[6] / count};
}

template <class T>
DUEL_HD SecondMeans<T> second_means(const Terms<5, T>& s, T count, T gamma, T h) {
  const T a = s.v[0] / count, b = s.v[1] / count;
  return {gamma * a, gamma * b, s.v[2] / count, s.v[3] / count, gamma * (s.v[4] / count), h * a, h * b};
}

/// sum dy rstd P(v) over a row, from its sums.
template <class T>
DUEL_HD T row_dgamma(const Terms<5, T>& s, T count, T rstd) {
  return rstd * (s.v[4] - s.v[0] * (s.v[2] / count) - s.v[1] * (s.v[3] / count));
}
template <class T>
DUEL_HD T row_dgamma(const Terms<7, T>&, T, T) {
  return T(0);
}

#if DUEL_DEVICE_CODE
/// A block takes a channel's parts in turn and adds their sums.
template <class T, int kBlock>
__global__ void __launch_bounds__(kBlock, 1)
    norm_backward_kernel(NormShape s, const T* dy, const T* x, const T* mean, const T* rstd, const T* gamma,
                         T* dx, T* sums_gamma, T* sums_beta) {
  begin_kernel();
  const T count = norm::divisor<T>(s.outer * s.inner);
  const T outside = s.affine_inner ? T(1) : norm::at_or(gamma, blockIdx.x % s.affine, T(1));
  const T* inside = s.affine_inner ? gamma : nullptr;
  T sum_gamma = 0, sum_beta = 0;
  for (int64_t row = blockIdx.x; row < s.rows; row += gridDim.x) {
    const T centre = mean[row], scale = rstd[row];
    const auto sums = norm::row_sums<kBlock, 2, T>(s, row, [&](int64_t i, int64_t inner) {
      const T q = norm::at_or(inside, inner, T(1)) * dy[i];
      return Terms<2, T>{{q, q * norm::normalized(x[i], centre, scale)}};
    });
    sum_beta += sums.v[0];
    sum_gamma += sums.v[1];
    if (dx == nullptr) continue;
    const Backward<T> formula{centre, scale, outside * (sums.v[0] / count), outside * (sums.v[1] / count)};
    norm::row_map<kBlock, T>(
        s, row,
        [&](int64_t i, int64_t inner) {
          return formula(dy[i], x[i], inside != nullptr ? inside[inner] : outside);
        },
        [&](int64_t i, T value) { dx[i] = value; });
  }
  if (threadIdx.x != 0) return;
  sums_beta[blockIdx.x] = sum_beta;
  sums_gamma[blockIdx.x] = sum_gamma;
}

template <bool kInner, class T>
__global__ void norm_double_backward_kernel(NormShape s, const T* dy, const T* x, const T* mean,
                                            const T* rstd, const T* gamma, NormCotangents<T> given, T* d_dy,
                                            T* d_x, T* keep) {
  begin_kernel();
  const int64_t row = blockIdx.x;
  const T centre = mean[row], scale = rstd[row], count = norm::divisor<T>(s.outer * s.inner);
  constexpr int kSums = kInner ? 7 : 5;
  const auto sums = norm::row_sums<kSumBlock, kSums, T>(s, row, [&](int64_t i, int64_t inner) {
    const int64_t a = norm::affine_index(s, row, inner);
    return second_terms<kInner, T>(dy[i], x[i], norm::at_or(given.dx, i, T(0)), centre, scale,
                                   norm::at_or(gamma, a, T(1)), norm::at_or(given.dgamma, a, T(0)));
  });
  const int64_t at = norm::affine_index(s, row, 0);
  const auto means =
      second_means<T>(sums, count, norm::at_or(gamma, at, T(1)), norm::at_or(given.dgamma, at, T(0)));
  if (threadIdx.x == 0) {
    keep[row] = kInner ? means.va : row_dgamma<T>(sums, count, scale);
    keep[s.rows + row] = means.vb;
  }
  const Projected<T> projected{centre, scale, means.va, means.vb};
  const SecondInput<T> second = means.input(centre, scale);
  norm::row_each(s, row, [&](int64_t i, int64_t inner) {
    const int64_t a = norm::affine_index(s, row, inner);
    const T g = norm::at_or(gamma, a, T(1)), h = norm::at_or(given.dgamma, a, T(0));
    const T v = norm::at_or(given.dx, i, T(0));
    if (d_dy != nullptr) {
      d_dy[i] = g * projected(v, x[i]) + h * norm::normalized(x[i], centre, scale) +
                norm::at_or(given.dbeta, a, T(0));
    }
    if (d_x != nullptr) d_x[i] = second(dy[i], x[i], v, g, h);
  });
}

/// out[c] = sum over rows c, c + affine, … of per_row; null outputs are skipped.
template <class T>
__global__ void add_rows_kernel(NormShape s, const T* per_row_a, T* a, const T* per_row_b, T* b) {
  begin_kernel();
  const int64_t c = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= s.affine) return;
  T sum_a = 0, sum_b = 0;
  for (int64_t row = c; row < s.rows; row += s.affine) {
    if (a != nullptr) sum_a += per_row_a[row];
    if (b != nullptr) sum_b += per_row_b[row];
  }
  if (a != nullptr) a[c] = sum_a;
  if (b != nullptr) b[c] = sum_b;
}

/// Layer norm: dgamma[j] = sum_b dy xhat, dbeta[j] = sum_b dy.
template <class T>
__global__ void add_columns_kernel(NormShape s, const T* dy, const T* x, const T* mean, const T* rstd,
                                   T* dgamma, T* dbeta) {
  begin_kernel();
  const int64_t j = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (j >= s.inner) return;
  T gamma = 0, beta = 0;
  for (int64_t row = 0; row < s.rows; ++row) {
    const T g = dy[row * s.inner + j];
    beta += g;
    gamma += g * norm::normalized(x[row * s.inner + j], mean[row], rstd[row]);
  }
  if (dgamma != nullptr) dgamma[j] = gamma;
  if (dbeta != nullptr) dbeta[j] = beta;
}

/// Layer norm: d_gamma[j] = sum_b dy rstd P(v), with the rows' means of v and v xhat given.
template <class T>
__global__ void add_projected_columns_kernel(NormShape s, const T* dy, const T* x, const T* v, const T* mean,
                                             const T* rstd, const T* va, const T* vb, T* d_gamma) {
  begin_kernel();
  const int64_t j = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (j >= s.inner) return;
  T sum = 0;
  for (int64_t row = 0; row < s.rows; ++row) {
    const int64_t i = row * s.inner + j;
    sum += dy[i] * Projected<T>{mean[row], rstd[row], va[row], vb[row]}(norm::at_or(v, i, T(0)), x[i]);
  }
  d_gamma[j] = sum;
}

constexpr int kColumnBlock = 64;
dim3 column_grid(int64_t n) { return dim3(static_cast<unsigned>((n + kColumnBlock - 1) / kColumnBlock)); }
#endif

template <class T>
void add_rows(const NormShape& s, const T* per_row, T* out) {
  if (out == nullptr) return;
  for (int64_t c = 0; c < s.affine; ++c) {
    T sum = 0;
    for (int64_t row = c; row < s.rows; row += s.affine) sum += per_row[row];
    out[c] = sum;
  }
}

/// Host: K column sums over all rows of a [rows, inner] matrix. row(r) gives a function of the column that
/// returns the terms; outputs may be null.
template <int K, class T, class Row>
void add_columns(const NormShape& s, Row row, T* const (&out)[K]) {
  parallel_for(s.inner, kColumnGrain, [&](int64_t begin, int64_t end) {
    alignas(64) T sum[K][kColumnGrain] = {};
    int64_t r = 0;
    for (; r + 4 <= s.rows; r += 4) {
      const auto r0 = row(r), r1 = row(r + 1), r2 = row(r + 2), r3 = row(r + 3);
      DUEL_INDEPENDENT
      for (int64_t j = begin; j < end; ++j) {
        const Terms<K, T> t0 = r0(j), t1 = r1(j), t2 = r2(j), t3 = r3(j);
        for (int k = 0; k < K; ++k) sum[k][j - begin] += (t0.v[k] + t1.v[k]) + (t2.v[k] + t3.v[k]);
      }
    }
    for (; r < s.rows; ++r) {
      const auto terms = row(r);
      DUEL_INDEPENDENT
      for (int64_t j = begin; j < end; ++j) {
        const Terms<K, T> t = terms(j);
        for (int k = 0; k < K; ++k) sum[k][j - begin] += t.v[k];
      }
    }
    for (int k = 0; k < K; ++k) {
      if (out[k] == nullptr) continue;
      for (int64_t j = begin; j < end; ++j) out[k][j] = sum[k][j - begin];
    }
  });
}

/// Host double backward of all tiles; keep[row] is the row's dgamma (or its mean of v, kInner),
/// keep[rows + row] its mean of v xhat.
template <bool kInner, class T>
void double_backward_tiles(const NormShape& s, const T* dy, const T* x, const T* mean, const T* rstd,
                           const T* gamma, const NormCotangents<T>& given, T* d_dy, T* d_x, T* keep) {
  using norm::kColumns;
  constexpr int kSums = kInner ? 7 : 5;
  const T count = norm::divisor<T>(s.count());
  norm::for_tiles<T, kInner>(s, [&](const auto& tile) {
    alignas(64) static constexpr T zeros[kColumns] = {};
    alignas(64) T space[9][kColumns];
    const auto centre = tile.per_row([&](int64_t row) { return mean[row]; }, space[0]);
    const auto scale = tile.per_row([&](int64_t row) { return rstd[row]; }, space[1]);
    const norm::AffineColumns<T> gammas(s, tile, gamma, T(1)), hs(s, tile, given.dgamma, T(0)),
        ks(s, tile, given.dbeta, T(0));
    SecondMeans<T> means[kColumns];
    tile.template sums<kSums>(
        [&](int64_t base, int64_t at) {
          return [centre, scale, dy_j = dy + base, x_j = x + base,
                  v_j = given.dx != nullptr ? given.dx + base : zeros, g = gammas.at(at),
                  h = hs.at(at)](int64_t j) {
            return second_terms<kInner, T>(dy_j[j], x_j[j], v_j[j], centre[j], scale[j], g[j], h[j]);
          };
        },
        [&](int64_t row, const Terms<kSums, T>& sums) {
          const int64_t a = s.affine_inner ? 0 : row % s.affine;
          const auto m =
              second_means<T>(sums, count, norm::at_or(gamma, a, T(1)), norm::at_or(given.dgamma, a, T(0)));
          means[row - tile.row()] = m;
          keep[row] = kInner ? m.va : row_dgamma<T>(sums, count, rstd[row]);
          keep[s.rows + row] = m.vb;
        });
    const auto of_row = [&](int64_t row) -> const SecondMeans<T>& { return means[row - tile.row()]; };
    const auto input = [&](int64_t row) { return of_row(row).input(mean[row], rstd[row]); };
    const auto va = tile.per_row([&](int64_t row) { return of_row(row).va; }, space[2]);
    if (d_dy != nullptr) {
      const auto vb = tile.per_row([&](int64_t row) { return of_row(row).vb; }, space[3]);
      tile.map(d_dy, [&](int64_t base, int64_t at) {
        return [centre, scale, va, vb, x_j = x + base, v_j = given.dx != nullptr ? given.dx + base : zeros,
                g = gammas.at(at), h = hs.at(at), k = ks.at(at)](int64_t j) {
          return g[j] * Projected<T>{centre[j], scale[j], va[j], vb[j]}(v_j[j], x_j[j]) +
                 h[j] * norm::normalized(x_j[j], centre[j], scale[j]) + k[j];
        };
      });
    }
    if (d_x != nullptr) {
      const auto qa = tile.per_row([&](int64_t row) { return of_row(row).qa; }, space[4]);
      const auto ra = tile.per_row([&](int64_t row) { return of_row(row).ra; }, space[5]);
      const auto of_q = tile.per_row([&](int64_t row) { return input(row).of_q; }, space[6]);
      const auto of_v = tile.per_row([&](int64_t row) { return input(row).of_v; }, space[7]);
      const auto of_xhat = tile.per_row([&](int64_t row) { return input(row).of_xhat; }, space[8]);
      tile.map(d_x, [&](int64_t base, int64_t at) {
        return [=, dy_j = dy + base, x_j = x + base, v_j = given.dx != nullptr ? given.dx + base : zeros,
                g = gammas.at(at), h = hs.at(at)](int64_t j) {
          const SecondInput<T> second{centre[j], scale[j], va[j], qa[j], ra[j], of_q[j], of_v[j], of_xhat[j]};
          return second(dy_j[j], x_j[j], v_j[j], g[j], h[j]);
        };
      });
    }
  });
}

}  // namespace

int64_t norm_workspace(const NormShape& shape) { return 2 * shape.rows; }

template <class T>
void norm_backward(Stream stream, const NormShape& shape, const T* dy, const T* x, const T* mean,
                   const T* rstd, const std::type_identity_t<T>* gamma, std::type_identity_t<T>* dx,
                   std::type_identity_t<T>* dgamma, std::type_identity_t<T>* dbeta, T* workspace) {
  norm::check("norm_backward", shape);
  const NormShape s = shape;
  T *row_gamma = workspace, *row_beta = workspace + s.rows;
  const bool affine = (dgamma != nullptr || dbeta != nullptr) && s.affine > 0;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    // Layer norm's dgamma and dbeta read dy again, so they come before a dx that may overwrite it.
    if (affine && s.affine_inner) {
      launch(add_columns_kernel<T>, column_grid(s.affine), dim3(kColumnBlock), 0, stream, s, dy, x, mean,
             rstd, dgamma, dbeta);
    }
    // Where a row is a channel (batch norm) its sums are the gradients.
    const bool direct = affine && !s.affine_inner && s.part_rows() == s.affine;
    if (direct && dgamma != nullptr) row_gamma = dgamma;
    if (direct && dbeta != nullptr) row_beta = dbeta;
    if (s.rows > 0 && (dx != nullptr || !s.affine_inner)) {
      norm::with_block<T>(s.count(), [&](auto block) {
        launch(norm_backward_kernel<T, block()>, dim3(static_cast<unsigned>(s.part_rows())), dim3(block()), 0,
               stream, s, dy, x, mean, rstd, gamma, dx, row_gamma, row_beta);
      });
    }
    if (affine && !s.affine_inner && !direct) {
      launch(add_rows_kernel<T>, column_grid(s.affine), dim3(kColumnBlock), 0, stream, s, row_gamma, dgamma,
             row_beta, dbeta);
    }
    return;
  }
#endif
  (void)stream;
  const T count = norm::divisor<T>(s.count());
  // As above: the columns first.
  if (affine && s.affine_inner) {
    add_columns<2, T>(s,
                      [=](int64_t r) {
                        return [dy_j = dy + r * s.inner, x_j = x + r * s.inner, m = mean[r],
                                d = rstd[r]](int64_t j) {
                          const T g = dy_j[j];
                          return Terms<2, T>{{g * norm::normalized(x_j[j], m, d), g}};
                        };
                      },
                      {dgamma, dbeta});
    if (dx == nullptr) return;
  }
  norm::for_tiles<T>(s, [&](const auto& tile) {
    alignas(64) T space[4][norm::kColumns];
    const auto centre = tile.per_row([&](int64_t row) { return mean[row]; }, space[0]);
    const auto scale = tile.per_row([&](int64_t row) { return rstd[row]; }, space[1]);
    const norm::AffineColumns<T> gammas(s, tile, gamma, T(1));
    const auto keep = [&](int64_t row, const Terms<2, T>& sums) {
      row_beta[row] = sums.v[0];
      row_gamma[row] = sums.v[1];
    };
    if constexpr (std::decay_t<decltype(tile)>::single) {  // others have no affine parameters inside of a row
      if (s.affine_inner) {
        tile.template sums<2>(
            [&](int64_t base, int64_t at) {
              return [centre, scale, dy_j = dy + base, x_j = x + base, g = gammas.at(at)](int64_t j) {
                const T q = g[j] * dy_j[j];
                return Terms<2, T>{{q, q * norm::normalized(x_j[j], centre[j], scale[j])}};
              };
            },
            keep);
      }
    }
    if (!s.affine_inner) {
      tile.template sums<2>(
          [&](int64_t base, int64_t) {
            return [centre, scale, dy_j = dy + base, x_j = x + base](int64_t j) {
              const T g = dy_j[j];
              return Terms<2, T>{{g, g * norm::normalized(x_j[j], centre[j], scale[j])}};
            };
          },
          keep);
    }
    if (dx == nullptr) return;
    const auto outside = [&](int64_t row) {
      return s.affine_inner ? T(1) : norm::at_or(gamma, row % s.affine, T(1));
    };
    const auto qa =
        tile.per_row([&](int64_t row) { return outside(row) * (row_beta[row] / count); }, space[2]);
    const auto qb =
        tile.per_row([&](int64_t row) { return outside(row) * (row_gamma[row] / count); }, space[3]);
    tile.map(dx, [&](int64_t base, int64_t at) {
      return [=, dy_j = dy + base, x_j = x + base, g = gammas.at(at)](int64_t j) {
        return Backward<T>{centre[j], scale[j], qa[j], qb[j]}(dy_j[j], x_j[j], g[j]);
      };
    });
  });
  if (affine && !s.affine_inner) {
    add_rows<T>(s, row_gamma, dgamma);
    add_rows<T>(s, row_beta, dbeta);
  }
}

template <class T>
void norm_double_backward(Stream stream, const NormShape& shape, const T* dy, const T* x, const T* mean,
                          const T* rstd, const std::type_identity_t<T>* gamma,
                          const NormCotangents<std::type_identity_t<T>>& cotangents,
                          std::type_identity_t<T>* d_dy, std::type_identity_t<T>* d_x,
                          std::type_identity_t<T>* d_gamma, T* workspace) {
  norm::check("norm_double_backward", shape);
  const NormShape s = shape;
  const NormCotangents<T> given = cotangents;
  T *va = workspace, *vb = workspace + s.rows;
  const bool affine = d_gamma != nullptr && s.affine > 0;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    if (s.rows > 0) {
      launch(s.affine_inner ? norm_double_backward_kernel<true, T> : norm_double_backward_kernel<false, T>,
             dim3(static_cast<unsigned>(s.rows)), dim3(kSumBlock), 0, stream, s, dy, x, mean, rstd, gamma,
             given, d_dy, d_x, workspace);
    }
    if (affine && s.affine_inner) {
      launch(add_projected_columns_kernel<T>, column_grid(s.affine), dim3(kColumnBlock), 0, stream, s, dy, x,
             given.dx, mean, rstd, va, vb, d_gamma);
    } else if (affine) {
      launch(add_rows_kernel<T>, column_grid(s.affine), dim3(kColumnBlock), 0, stream, s, va, d_gamma,
             nullptr, nullptr);
    }
    return;
  }
#endif
  (void)stream;
  if (s.affine_inner) {
    double_backward_tiles<true, T>(s, dy, x, mean, rstd, gamma, given, d_dy, d_x, workspace);
  } else {
    double_backward_tiles<false, T>(s, dy, x, mean, rstd, gamma, given, d_dy, d_x, workspace);
  }
  if (!affine) return;
  if (!s.affine_inner) {
    add_rows<T>(s, va, d_gamma);
  } else if (given.dx == nullptr) {
    for (int64_t j = 0; j < s.affine; ++j) d_gamma[j] = 0;
  } else {
    add_columns<1, T>(s,
                      [=](int64_t r) {
                        const int64_t at = r * s.inner;
                        return [dy_j = dy + at, x_j = x + at, v_j = given.dx + at,
                                formula = Projected<T>{mean[r], rstd[r], va[r], vb[r]}](int64_t j) {
                          return Terms<1, T>{{dy_j[j] * formula(v_j[j], x_j[j])}};
                        };
                      },
                      {d_gamma});
  }
}

#define DUEL_DEFINE_NORM_BACKWARD(T)                                                                      \
  template void norm_backward(Stream, const NormShape&, const T*, const T*, const T*, const T*, const T*, \
                              T*, T*, T*, T*);                                                            \
  template void norm_double_backward(Stream, const NormShape&, const T*, const T*, const T*, const T*,    \
                                     const T*, const NormCotangents<T>&, T*, T*, T*, T*);
DUEL_DEFINE_NORM_BACKWARD(float)
DUEL_DEFINE_NORM_BACKWARD(double)

}  // namespace duel::kernels
