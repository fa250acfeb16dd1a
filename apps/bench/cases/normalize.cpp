// Batch, layer and instance norm: forward, backward, double backward; composed from the formulas of
// kernels/reduce/normalize.h. And spectral norm's power iteration.
#include "duel/kernels/reduce/normalize.h"
#include "cases.h"
#include "duel/core/ops.h"
#include "duel/kernels/reduce/spectral.h"

namespace duel::apps::bench {
namespace {

using kernels::NormShape;

enum class Kind { batch, layer, instance };

constexpr int64_t kChannels = 64, kPlane = 196, kFeatures = 1024;
constexpr double kEps = 1e-5;

/// One normalisation with everything its kernels and its composition read.
struct Problem {
  NormShape norm;
  Shape shape, affine;          // of x and of gamma, ready to broadcast
  std::vector<int> row_axes;    // that share a mean
  std::vector<int> other_axes;  // that share a gamma
  std::string text;
  Tensor x, dy, v, gamma, beta, mean, rstd, work;

  int64_t bytes(int64_t arrays) const {
    return (arrays * norm.size() + 2 * norm.rows + 2 * norm.affine) *
           static_cast<int64_t>(size_of(x.dtype()));
  }
};

template <class T>
Problem make_problem(const Setting& s, Kind kind, int64_t arrays) {
  Problem p;
  if (kind == Kind::layer) {
    const int64_t b = s.count(arrays * kFeatures * s.element());
    p.norm = kernels::layer_norm_shape(b, kFeatures);
    p.shape = {b, kFeatures};
    p.affine = {1, kFeatures};
    p.row_axes = {1};
    p.other_axes = {0};
    p.text = message("{}x{}", b, kFeatures);
  } else {
    const int64_t n = s.count(arrays * kChannels * kPlane * s.element());
    p.norm = kind == Kind::batch ? kernels::batch_norm_shape(n, kChannels, kPlane)
                                 : kernels::instance_norm_shape(n, kChannels, kPlane);
    p.shape = {n, kChannels, kPlane};
    p.affine = {1, kChannels, 1};
    p.row_axes = kind == Kind::batch ? std::vector<int>{0, 2} : std::vector<int>{2};
    p.other_axes = {0, 2};
    p.text = message("{}x{}x{}", n, kChannels, kPlane);
  }
  p.x = s.numbers(p.shape, 1);
  p.dy = arrays > 2 ? s.numbers(p.shape, 2) : Tensor();
  p.v = arrays > 3 ? s.numbers(p.shape, 3) : Tensor();
  p.gamma = s.numbers(p.affine, 4, 0.5, 1.5);
  p.beta = s.numbers(p.affine, 5);
  p.mean = s.empty({p.norm.rows});
  p.rstd = s.empty({p.norm.rows});
  p.work = s.empty({kernels::norm_workspace(p.norm)});
  const Tensor y = s.empty(p.shape);
  kernels::norm_forward(s.stream(), p.norm, p.x.data<T>(), p.gamma.data<T>(), p.beta.data<T>(), T(kEps),
                        y.mutable_data<T>(), p.mean.mutable_data<T>(), p.rstd.mutable_data<T>());
  return p;
}

template <class T>
Case forward(const Setting& s, Kind kind) {
  const Problem p = make_problem<T>(s, kind, 2);
  const Tensor y = s.empty(p.shape);
  return {.shape = p.text,
          .bytes = p.bytes(2),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>(), mean = p.mean.mutable_data<T>(),
               rstd = p.rstd.mutable_data<T>()] {
                kernels::norm_forward(stream, p.norm, p.x.data<T>(), p.gamma.data<T>(), p.beta.data<T>(),
                                      T(kEps), to, mean, rstd);
              },
          .results = {y, p.mean, p.rstd},
          .composed =
              [=] {
                const Tensor mu = mean(p.x, p.row_axes, true), centred = p.x - mu;
                const Tensor rstd = reciprocal(sqrt(mean(square(centred), p.row_axes, true) + kEps));
                return std::vector<Tensor>{centred * rstd * p.gamma + p.beta, mu, rstd};
              }};
}

/// mean and rstd in a shape that broadcasts against x.
Tensor as_column(const Problem& p, const Tensor& statistic) {
  std::vector<int64_t> sizes(p.shape.begin(), p.shape.end());
  for (const int axis : p.row_axes) sizes[static_cast<size_t>(axis)] = 1;
  return statistic.reshape(sizes.size() == 2 ? Shape{sizes[0], sizes[1]}
                                             : Shape{sizes[0], sizes[1], sizes[2]});
}

/// q - mean(q) - xhat mean(q xhat)
Tensor projected(const Problem& p, const Tensor& q, const Tensor& xhat) {
  return q - mean(q, p.row_axes, true) - xhat * mean(q * xhat, p.row_axes, true);
}

template <class T>
Case backward(const Setting& s, Kind kind) {
  const Problem p = make_problem<T>(s, kind, 3);
  const Tensor dx = s.empty(p.shape), dgamma = s.empty(p.affine), dbeta = s.empty(p.affine);
  return {.shape = p.text,
          .bytes = p.bytes(3),
          .run =
              [=, stream = s.stream(), to = dx.mutable_data<T>(), to_gamma = dgamma.mutable_data<T>(),
               to_beta = dbeta.mutable_data<T>(), scratch = p.work.mutable_data<T>()] {
                kernels::norm_backward(stream, p.norm, p.dy.data<T>(), p.x.data<T>(), p.mean.data<T>(),
                                       p.rstd.data<T>(), p.gamma.data<T>(), to, to_gamma, to_beta, scratch);
              },
          .results = {dx, dgamma, dbeta},
          .composed =
              [=] {
                const Tensor rstd = as_column(p, p.rstd), xhat = (p.x - as_column(p, p.mean)) * rstd;
                return std::vector<Tensor>{rstd * projected(p, p.gamma * p.dy, xhat),
                                           sum(p.dy * xhat, p.other_axes), sum(p.dy, p.other_axes)};
              }};
}

template <class T>
Case double_backward(const Setting& s, Kind kind) {
  const Problem p = make_problem<T>(s, kind, 5);
  const Tensor d_dy = s.empty(p.shape), d_x = s.empty(p.shape), d_gamma = s.empty(p.affine);
  return {.shape = p.text,
          .bytes = p.bytes(5),
          .run =
              [=, stream = s.stream(), to_dy = d_dy.mutable_data<T>(), to_x = d_x.mutable_data<T>(),
               to_gamma = d_gamma.mutable_data<T>(), scratch = p.work.mutable_data<T>()] {
                kernels::norm_double_backward(stream, p.norm, p.dy.data<T>(), p.x.data<T>(), p.mean.data<T>(),
                                              p.rstd.data<T>(), p.gamma.data<T>(), {.dx = p.v.data<T>()},
                                              to_dy, to_x, to_gamma, scratch);
              },
          .results = {d_dy, d_x, d_gamma},
          .composed =
              [=] {
                const auto over_row = [&](const Tensor& t) { return mean(t, p.row_axes, true); };
                const Tensor rstd = as_column(p, p.rstd), xhat = (p.x - as_column(p, p.mean)) * rstd;
                const Tensor q = p.gamma * p.dy, pv = rstd * projected(p, p.v, xhat);
                const Tensor mv = over_row(p.v), mq = over_row(q), mqv = over_row(q * p.v);
                const Tensor mvx = over_row(p.v * xhat), mqx = over_row(q * xhat);
                const Tensor inner =
                    xhat * (mv * mq - mqv + mqx * mvx * 3.0) + mvx * (mq - q) + mqx * (mv - p.v);
                return std::vector<Tensor>{p.gamma * pv, square(rstd) * inner, sum(p.dy * pv, p.other_axes)};
              }};
}

/// Running statistics, and y by them.
template <class T>
Case by_running_statistics(const Setting& s) {
  const Problem p = make_problem<T>(s, Kind::batch, 2);
  const Tensor y = s.empty(p.shape), average = s.numbers({p.norm.rows}, 6),
               variance = s.numbers({p.norm.rows}, 7, 0.5, 1.5);
  return {.shape = p.text,
          .bytes = p.bytes(2),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>(), mean = p.mean.mutable_data<T>(),
               rstd = p.rstd.mutable_data<T>(), running = average.mutable_data<T>(),
               spread = variance.mutable_data<T>()] {
                kernels::norm_forward(stream, p.norm, p.x.data<T>(), p.gamma.data<T>(), p.beta.data<T>(),
                                      T(kEps), to, mean, rstd, {running, spread, T(0.1)});
                kernels::norm_inference(stream, p.norm, p.x.data<T>(), running, spread, p.gamma.data<T>(),
                                        p.beta.data<T>(), T(kEps), to);
              },
          .results = {y, average, variance}};
}

template <class T>
Case batch_forward(const Setting& s) {
  return forward<T>(s, Kind::batch);
}
template <class T>
Case batch_backward(const Setting& s) {
  return backward<T>(s, Kind::batch);
}
template <class T>
Case batch_double(const Setting& s) {
  return double_backward<T>(s, Kind::batch);
}
template <class T>
Case layer_forward(const Setting& s) {
  return forward<T>(s, Kind::layer);
}
template <class T>
Case layer_backward(const Setting& s) {
  return backward<T>(s, Kind::layer);
}
template <class T>
Case layer_double(const Setting& s) {
  return double_backward<T>(s, Kind::layer);
}
template <class T>
Case instance_forward(const Setting& s) {
  return forward<T>(s, Kind::instance);
}
template <class T>
Case instance_backward(const Setting& s) {
  return backward<T>(s, Kind::instance);
}
template <class T>
Case instance_double(const Setting& s) {
  return double_backward<T>(s, Kind::instance);
}

/// A weight of rank one, whose directions are found by one step from anywhere: the kernel moves u and v in place, and every
/// call gives the same.
template <class T>
struct SpectralProblem {
  explicit SpectralProblem(const Setting& s)
      : columns(s.count(kRows * s.element())),
        w(s.numbers({kRows, 1}, 1, 0.5, 1.5) * s.numbers({1, columns}, 2, 0.5, 1.5)),
        u(s.numbers({kRows}, 3, 0.1, 1)),
        v(s.numbers({columns}, 4, 0.1, 1)),
        results{s.empty({kRows}), s.empty({columns}), s.empty({1}), s.empty({1})} {}

  static constexpr int64_t kRows = 64;
  int64_t columns;
  Tensor w, u, v;
  std::vector<Tensor> results;

  kernels::WeightMatrix matrix() const { return {1, kRows, columns}; }
  kernels::SpectralResults<T> pointers() const {
    return {results[0].mutable_data<T>(), results[1].mutable_data<T>(), results[2].mutable_data<T>(),
            results[3].mutable_data<T>()};
  }
  int64_t bytes() const {
    return (w.numel() + 2 * (kRows + columns)) * static_cast<int64_t>(size_of(w.dtype()));
  }
  std::string shape() const { return message("{}x{}", kRows, columns); }
};

template <class T>
Case power_iteration(const Setting& s) {
  const SpectralProblem<T> p(s);
  const Tensor start = p.u.clone();
  return {.shape = p.shape(),
          .bytes = p.bytes(),
          .run =
              [p, stream = s.stream(), w = p.w.template data<T>(), u = p.u.template mutable_data<T>(),
               v = p.v.template mutable_data<T>(), to = p.pointers()] {
                kernels::power_iteration<T>(stream, p.matrix(), w, 1, T(1e-12), u, v, to);
              },
          .results = p.results,
          .composed =
              [p, start] {
                Tensor v = matmul(p.w, start.reshape({-1, 1}), true);
                v = v / sqrt(sum(square(v)));
                const Tensor product = matmul(p.w, v), norm = sqrt(sum(square(product)));
                return std::vector<Tensor>{(product / norm).reshape({-1}), v.reshape({-1}), norm.reshape({1}),
                                           Tensor::ones({1}, norm.options())};
              }};
}

template <class T>
Case spectral_value(const Setting& s) {
  const SpectralProblem<T> p(s);
  return {
      .shape = p.shape(),
      .bytes = p.bytes(),
      .run = [p, stream = s.stream(), w = p.w.template data<T>(), u = p.u.template data<T>(),
              v = p.v.template data<T>(),
              to = p.pointers()] { kernels::spectral_value<T>(stream, p.matrix(), w, T(1e-12), u, v, to); },
      .results = p.results,
      .composed =
          [p] {
            const Tensor product = matmul(p.w, p.v.reshape({-1, 1})).reshape({-1});
            return std::vector<Tensor>{p.u.clone(), p.v.clone(), sum(p.u * product).reshape({1}),
                                       Tensor::ones({1}, product.options())};
          }};
}

}  // namespace

std::vector<NamedCase> normalize_cases() {
  return {DUEL_BENCH("batch_norm", "normalize", batch_forward),
          DUEL_BENCH("batch_norm_backward", "normalize", batch_backward),
          DUEL_BENCH("batch_norm_double_backward", "normalize", batch_double),
          DUEL_BENCH("layer_norm", "normalize", layer_forward),
          DUEL_BENCH("layer_norm_backward", "normalize", layer_backward),
          DUEL_BENCH("layer_norm_double_backward", "normalize", layer_double),
          DUEL_BENCH("instance_norm", "normalize", instance_forward),
          DUEL_BENCH("instance_norm_backward", "normalize", instance_backward),
          DUEL_BENCH("instance_norm_double_backward", "normalize", instance_double),
          DUEL_BENCH("power_iteration", "spectral", power_iteration),
          DUEL_VALUES("spectral_value", "spectral", spectral_value),
          DUEL_VALUES("batch_norm_inference", "normalize", by_running_statistics)};
}

}  // namespace duel::apps::bench
