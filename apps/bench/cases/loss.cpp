// The fused adversarial losses and the per-sample norm with its two backwards.
#include "cases.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/map/losses.h"
#include "duel/kernels/reduce/sample_norm.h"

namespace duel::apps::bench {
namespace {

/// A loss of x and its gradient, by the engine.
std::vector<Tensor> with_gradient(const Tensor& x, const std::function<Tensor(const Tensor&)>& loss) {
  const EnableGrad on;
  const Tensor leaf = x.detach().set_requires_grad(true);
  const Tensor value = loss(leaf);
  return {value.detach(), grad({value}, {leaf})[0]};
}

/// Value and gradient of the batch mean in one pass; composed: plain ops and the engine's backward.
template <class T, class L>
Case value_and_gradient(const Setting& s, L loss, std::function<Tensor(const Tensor&)> plain) {
  const int64_t n = s.count(2 * s.element());
  const Tensor x = s.numbers({n}, 1), value = s.empty({1}), gradient = s.empty({n});
  const Tensor work = s.empty({kernels::loss_workspace(n)});
  const T divisor = static_cast<T>(n);
  return {
      .shape = std::to_string(n),
      .bytes = 2 * n * s.element(),
      .run =
          [=, stream = s.stream(), v = value.mutable_data<T>(), g = gradient.mutable_data<T>(),
           scratch = work.mutable_data<T>()] {
            (void)work;
            kernels::loss_value_grad(stream, n, x.data<T>(), loss, divisor, v, g, scratch);
          },
      .results = {value, gradient},
      .composed = [=] { return with_gradient(x, [=](const Tensor& leaf) { return mean(plain(leaf)); }); }};
}

template <class T>
Case bce(const Setting& s) {
  return value_and_gradient<T>(s, kernels::SigmoidBce{0.9}, [](const Tensor& x) {
    return clamp_min(x, 0) - x * 0.9 + log(exp(neg(abs(x))) + 1.0);
  });
}
template <class T>
Case hinge(const Setting& s) {
  return value_and_gradient<T>(s, kernels::Hinge{1.0}, [](const Tensor& x) { return clamp_min(1.0 - x, 0); });
}
template <class T>
Case squared(const Setting& s) {
  return value_and_gradient<T>(s, kernels::SquaredDifference{1.0, 0.5},
                               [](const Tensor& x) { return square(x - 1.0) * 0.5; });
}
template <class T>
Case wasserstein(const Setting& s) {
  return value_and_gradient<T>(s, kernels::WassersteinMean{-1.0}, [](const Tensor& x) { return neg(x); });
}

template <class T>
Case bce_d2(const Setting& s) {
  const int64_t n = s.count(3 * s.element());
  const Tensor x = s.numbers({n}, 1), g = s.numbers({n}, 2), out = s.empty({n});
  return {.shape = std::to_string(n),
          .bytes = 3 * n * s.element(),
          .run =
              [=, stream = s.stream(), to = out.mutable_data<T>()] {
                kernels::loss_d2(stream, n, x.data<T>(), kernels::SigmoidBce{0.9}, T(1), g.data<T>(), to);
              },
          .results = {out},
          .composed =
              [=] {
                const Tensor y = reciprocal(exp(neg(x)) + 1.0);
                return std::vector<Tensor>{g * (y * (1.0 - y))};
              }};
}

constexpr int64_t kPixels = 784;

struct Rows {
  int64_t batch;
  std::string shape;
  Tensor x, norm, g;
};
/// Samples whose three arrays per row move `arrays` times a row.
template <class T>
Rows rows_of(const Setting& s, int64_t arrays) {
  const int64_t batch = s.count(arrays * kPixels * s.element());
  Rows rows{batch, std::to_string(batch) + "x784", s.numbers({batch, kPixels}, 1), s.empty({batch}),
            s.numbers({batch}, 2)};
  kernels::sample_norm(s.stream(), batch, kPixels, rows.x.data<T>(), T(0), rows.norm.mutable_data<T>());
  return rows;
}

/// Both sides' losses of D in one launch; composed: two losses of the halves and their sum.
template <class T>
Case both(const Setting& s) {
  const int64_t n = 2 * s.count(4 * s.element());
  const Tensor x = s.numbers({n}, 1), value = s.empty({1}), gradient = s.empty({n});
  const Tensor work = s.empty({kernels::loss_of_sides_workspace(n / 2, n / 2)});
  const auto real = any_loss(kernels::SigmoidBce{0.9}), fake = any_loss(kernels::SigmoidBce{0.0});
  return {.shape = std::to_string(n),
          .bytes = 2 * n * s.element(),
          .run =
              [=, stream = s.stream(), v = value.mutable_data<T>(), g = gradient.mutable_data<T>(),
               scratch = work.mutable_data<T>()] {
                (void)work;
                kernels::loss_of_sides<T>(stream, kernels::Against::nothing, {n / 2, x.data<T>(), real, g},
                                          {n / 2, x.data<T>() + n / 2, fake, g + n / 2}, v, scratch);
              },
          .results = {value, gradient},
          .composed =
              [=] {
                return with_gradient(x, [n](const Tensor& leaf) {
                  return bce_with_logits(rows(leaf, 0, n / 2), 0.9) +
                         bce_with_logits(rows(leaf, n / 2, n), 0.0);
                });
              }};
}

/// The same against partners, and against the other side's mean with sides of unequal size.
template <class T>
Case compared_sides(const Setting& s) {
  const int64_t n = s.count(4 * s.element()), m = n + 5;
  const Tensor x = s.numbers({n}, 1), y = s.numbers({m}, 2), values = s.empty({2}), by_x = s.empty({n}),
               by_y = s.empty({n}), mean_by_x = s.empty({n}), mean_by_y = s.empty({m});
  const Tensor work = s.empty({kernels::loss_of_sides_workspace(n, m)});
  const auto one = any_loss(kernels::SigmoidBce{0.9}), other = any_loss(kernels::SoftplusLoss{0.5, -1, 0.25});
  return {.shape = message("{}, {}", n, m),
          .bytes = 2 * (n + m) * s.element(),
          .run =
              [=, stream = s.stream(), v = values.mutable_data<T>(), scratch = work.mutable_data<T>()] {
                (void)work;
                kernels::loss_of_sides<T>(stream, kernels::Against::partner,
                                          {n, x.data<T>(), one, by_x.mutable_data<T>()},
                                          {n, y.data<T>(), other, by_y.mutable_data<T>()}, v, scratch);
                kernels::loss_of_sides<T>(
                    stream, kernels::Against::mean, {n, x.data<T>(), one, mean_by_x.mutable_data<T>()},
                    {m, y.data<T>(), other, mean_by_y.mutable_data<T>()}, v + 1, scratch);
              },
          .results = {values, by_x, by_y, mean_by_x, mean_by_y}};
}

template <class T>
Case norm(const Setting& s) {
  const Rows r = rows_of<T>(s, 1);
  return {.shape = r.shape,
          .bytes = r.batch * (kPixels + 1) * s.element(),
          .run =
              [=, stream = s.stream(), to = r.norm.mutable_data<T>()] {
                kernels::sample_norm(stream, r.batch, kPixels, r.x.data<T>(), T(0), to);
              },
          .results = {r.norm},
          .composed = [=] { return std::vector<Tensor>{sqrt(sum(square(r.x), {1}))}; }};
}

/// A gradient penalty from the gradients on; composed: the norm's kernel and plain ops.
template <class T>
Case norm_penalty(const Setting& s) {
  const Rows r = rows_of<T>(s, 1);
  const Tensor n = s.empty({r.batch}), slope = s.empty({r.batch}), value = s.empty({1}),
               mean_norm = s.empty({1});
  return {.shape = r.shape,
          .bytes = r.batch * (kPixels + 2) * s.element(),
          .run =
              [=, stream = s.stream(), to_n = n.mutable_data<T>(), to_slope = slope.mutable_data<T>(),
               to_value = value.mutable_data<T>(), to_mean = mean_norm.mutable_data<T>()] {
                kernels::norm_penalty(stream, r.batch, kPixels, r.x.data<T>(), {.k = 1}, 10, to_n, to_value,
                                      to_slope, to_mean);
              },
          .results = {value, slope, mean_norm},
          .composed =
              [=] {
                const Tensor norms = sqrt(sum(square(r.x), {1}));
                const Tensor excess = norms - 1.0;
                return std::vector<Tensor>{mean(square(excess)) * 10.0,
                                           excess * (20.0 / static_cast<double>(r.batch)), mean(norms)};
              }};
}

/// With its gradient in x and its sum with a loss.
template <class T>
Case norm_penalty_gradient(const Setting& s) {
  const Rows r = rows_of<T>(s, 2);
  const Tensor n = s.empty({r.batch}), slope = s.empty({r.batch}), numbers = s.empty({2}),
               base = s.numbers({1}, 5), total = s.empty({1}), dx = s.empty({r.batch, kPixels});
  return {.shape = r.shape,
          .bytes = r.batch * (2 * kPixels + 2) * s.element(),
          .run =
              [=, stream = s.stream(), to_n = n.mutable_data<T>(), to_slope = slope.mutable_data<T>(),
               to_numbers = numbers.mutable_data<T>(),
               extras =
                   kernels::PenaltyExtras<T>{dx.mutable_data<T>(), base.data<T>(), total.mutable_data<T>()}] {
                kernels::norm_penalty(stream, r.batch, kPixels, r.x.data<T>(), {.k = 1, .one_sided = true},
                                      10, to_n, to_numbers, to_slope, to_numbers + 1, extras);
              },
          .results = {numbers, slope, total, dx}};
}

template <class T>
Case norm_backward(const Setting& s) {
  const Rows r = rows_of<T>(s, 2);
  const Tensor dx = s.empty({r.batch, kPixels});
  return {.shape = r.shape,
          .bytes = r.batch * (2 * kPixels + 2) * s.element(),
          .run =
              [=, stream = s.stream(), to = dx.mutable_data<T>()] {
                kernels::sample_norm_backward(stream, r.batch, kPixels, r.x.data<T>(), r.norm.data<T>(),
                                              r.g.data<T>(), to);
              },
          .results = {dx},
          .composed =
              [=] {
                return std::vector<Tensor>{r.x * (r.g / r.norm).reshape({r.batch, 1})};
              }};
}

template <class T>
Case norm_double_backward(const Setting& s) {
  const Rows r = rows_of<T>(s, 3);
  const Tensor gg = s.numbers({r.batch, kPixels}, 3), d_g = s.empty({r.batch}),
               d_x = s.empty({r.batch, kPixels});
  return {
      .shape = r.shape,
      .bytes = r.batch * (3 * kPixels + 3) * s.element(),
      .run =
          [=, stream = s.stream(), to_g = d_g.mutable_data<T>(), to_x = d_x.mutable_data<T>()] {
            kernels::sample_norm_double_backward(stream, r.batch, kPixels, r.x.data<T>(), r.norm.data<T>(),
                                                 r.g.data<T>(), gg.data<T>(), to_g, to_x);
          },
      .results = {d_g, d_x},
      .composed =
          [=] {
            const Shape column{r.batch, 1};
            const Tensor along = sum(gg * r.x, {1});
            const Tensor share = (along / square(r.norm)).reshape(column);
            return std::vector<Tensor>{along / r.norm, (r.g / r.norm).reshape(column) * (gg - r.x * share)};
          }};
}

}  // namespace

std::vector<NamedCase> loss_cases() {
  return {DUEL_BENCH("loss_sigmoid_bce", "losses", bce),
          DUEL_BENCH("loss_hinge", "losses", hinge),
          DUEL_BENCH("loss_squared_difference", "losses", squared),
          DUEL_BENCH("loss_wasserstein", "losses", wasserstein),
          DUEL_BENCH("loss_of_sides", "losses", both),
          DUEL_VALUES("loss_of_sides compared", "losses", compared_sides),
          DUEL_BENCH("loss_sigmoid_bce_d2", "losses", bce_d2),
          DUEL_BENCH("sample_norm", "sample_norm", norm),
          DUEL_BENCH("norm_penalty", "sample_norm", norm_penalty),
          DUEL_VALUES("norm_penalty_gradient", "sample_norm", norm_penalty_gradient),
          DUEL_BENCH("sample_norm_backward", "sample_norm", norm_backward),
          DUEL_BENCH("sample_norm_double_backward", "sample_norm", norm_double_backward)};
}

}  // namespace duel::apps::bench
