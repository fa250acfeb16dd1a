// Element-wise maps, activations and reductions.
#include <array>

#include "cases.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/kernels/map/finish.h"
#include "duel/kernels/map/functors.h"
#include "duel/kernels/reduce/reduce.h"

namespace duel::apps::bench {

Tensor Setting::numbers(const Shape& shape, uint64_t seed, double low, double high) const {
  return Generator(seed, 77).uniform(shape, low, high, options());
}

std::vector<NamedCase> all_cases() {
  std::vector<NamedCase> all;
  for (auto* list : {functor_cases, movement_cases, map_cases, loss_cases, normalize_cases, training_cases,
                     linear_cases}) {
    for (NamedCase& one : list()) all.push_back(std::move(one));
  }
  return all;
}

namespace {

using namespace kernels;

std::string plain(int64_t n) { return std::to_string(n); }
std::string plain(int64_t rows, int64_t columns) { return plain(rows) + "x" + plain(columns); }

template <class T>
Case add_two(const Setting& s) {
  const int64_t n = s.count(3 * s.element());
  const Tensor a = s.numbers({n}, 1), b = s.numbers({n}, 2), y = s.empty({n});
  const int64_t shape[] = {n};
  return {
      .shape = plain(n),
      .bytes = 3 * n * s.element(),
      .run = [=, stream = s.stream(), plan = make_broadcast(shape, shape, shape),
              to = y.mutable_data<T>()] { binary<kernels::Add>(stream, plan, a.data<T>(), b.data<T>(), to); },
      .results = {y}};
}

template <class T>
Case add_bias(const Setting& s) {
  constexpr int64_t kColumns = 512;
  const int64_t rows = s.count(2 * kColumns * s.element());
  const Tensor x = s.numbers({rows, kColumns}, 1), bias = s.numbers({kColumns}, 2),
               y = s.empty({rows, kColumns});
  const int64_t shape[] = {rows, kColumns}, row[] = {kColumns};
  return {.shape = plain(rows, kColumns),
          .bytes = (2 * rows + 1) * kColumns * s.element(),
          .run =
              [=, stream = s.stream(), plan = make_broadcast(shape, shape, row), to = y.mutable_data<T>()] {
                binary<kernels::Add>(stream, plan, x.data<T>(), bias.data<T>(), to);
              },
          .results = {y}};
}

template <class T>
Case exponential(const Setting& s) {
  const int64_t n = s.count(2 * s.element());
  const Tensor x = s.numbers({n}, 1), y = s.empty({n});
  return {
      .shape = plain(n),
      .bytes = 2 * n * s.element(),
      .run = [=, stream = s.stream(), to = y.mutable_data<T>()] { unary<Exp>(stream, n, x.data<T>(), to); },
      .results = {y}};
}

template <class T>
Case fill_constant(const Setting& s) {
  const int64_t n = s.count(s.element());
  const Tensor y = s.empty({n});
  return {.shape = plain(n),
          .bytes = n * s.element(),
          .run = [=, stream = s.stream(), to = y.mutable_data<T>()] { fill(stream, n, T(3), to); },
          .results = {y}};
}

template <class T>
Case cast_pixels(const Setting& s) {
  const int64_t n = s.count(1 + s.element());
  const Tensor x = Tensor::full({n}, 200, {DType::u8, s.device}), y = s.empty({n});
  return {
      .shape = plain(n),
      .bytes = n * (1 + s.element()),
      .run = [=, stream = s.stream(), to = y.mutable_data<T>()] { cast(stream, n, x.data<uint8_t>(), to); },
      .results = {y}};
}

/// A comparison, where, += and the counter of a graph.
template <class T>
Case picks_and_sums(const Setting& s) {
  const int64_t n = s.count(6 * s.element());
  const Tensor a = s.numbers({n}, 1), b = s.numbers({n}, 2);
  const Tensor above = Tensor::zeros({n}, {DType::u8, s.device}), y = s.empty({n}), total = s.numbers({n}, 3);
  const std::array<int64_t, 1> shape{n};
  return {.shape = plain(n),
          .bytes = 6 * n * s.element(),
          .run =
              [=, stream = s.stream(), plan = make_broadcast(shape, shape, shape, shape),
               condition = above.mutable_data<uint8_t>(), to = y.mutable_data<T>(),
               to_total = total.mutable_data<T>()] {
                compare<IsGreater>(stream, make_broadcast(shape, shape, shape), a.data<T>(), b.data<T>(),
                                   condition);
                kernels::where(stream, plan, condition, a.data<T>(), b.data<T>(), to);
                add_inplace(stream, n, a.data<T>(), to_total);
              },
          .results = {above, y, total}};
}

/// Two arrays that are added to two others.
template <class T>
Case add_pairs(const Setting& s) {
  const int64_t n = s.count(6 * s.element());
  const Tensor a = s.numbers({n}, 1), b = s.numbers({n / 2}, 2), x = s.numbers({n}, 3),
               y = s.numbers({n / 2}, 4);
  return {.shape = plain(n),
          .bytes = 9 * n / 2 * s.element(),
          .run =
              [=, stream = s.stream(), to_x = x.mutable_data<T>(), to_y = y.mutable_data<T>()] {
                add_each(stream, Additions<T>{.count = 2,
                                              .to = {to_x, to_y},
                                              .from = {a.data<T>(), b.data<T>()},
                                              .size = {n, n / 2}});
              },
          .results = {x, y}};
}

/// What follows a product that could not do it itself: values of an activation, and slopes of another.
template <class T>
Case finished(const Setting& s) {
  const int64_t n = s.count(5 * s.element());
  const Tensor c = s.numbers({n}, 1), x = s.numbers({n}, 2), value = s.empty({n}), sloped = s.numbers({n}, 3);
  return {.shape = plain(n),
          .bytes = 5 * n * s.element(),
          .run =
              [=, stream = s.stream(), to = c.mutable_data<T>(), to_value = value.mutable_data<T>(),
               to_sloped = sloped.mutable_data<T>()] {
                finish_results<T>(stream, n, to, {.f = Tanh{}, .value = to_value});
                finish_results<T>(stream, n, to_sloped, {.f = LeakyRelu{0.2}, .slope_at = x.data<T>()});
              },
          .results = {value, sloped}};
}

/// y = f(x).
template <class T, class A>
Case value_of(const Setting& s, A f, std::function<Tensor(const Tensor&)> composed) {
  const int64_t n = s.count(2 * s.element());
  const Tensor x = s.numbers({n}, 1), y = s.empty({n});
  Case made{.shape = plain(n),
            .bytes = 2 * n * s.element(),
            .run = [=, stream = s.stream(),
                    to = y.mutable_data<T>()] { activation(stream, n, x.data<T>(), to, f); },
            .results = {y}};
  if (composed) made.composed = [=] { return std::vector<Tensor>{composed(x)}; };
  return made;
}

/// out = g f'(x) (Order 1) or g f''(x).
template <class T, int Order, class A>
Case derivative_of(const Setting& s, A f, std::function<Tensor(const Tensor&, const Tensor&)> composed) {
  const int64_t n = s.count(3 * s.element());
  const Tensor x = s.numbers({n}, 1), g = s.numbers({n}, 2), out = s.empty({n});
  Case made{.shape = plain(n), .bytes = 3 * n * s.element(), .run = {}, .results = {out}};
  made.run = [=, stream = s.stream(), to = out.mutable_data<T>()] {
    if constexpr (Order == 1)
      activation_d1(stream, n, x.data<T>(), g.data<T>(), to, f);
    else
      activation_d2(stream, n, x.data<T>(), g.data<T>(), to, f);
  };
  if (composed) made.composed = [=] { return std::vector<Tensor>{composed(x, g)}; };
  return made;
}

Tensor sigmoid_of(const Tensor& x) { return reciprocal(exp(neg(x)) + 1.0); }

template <class T>
Case leaky_relu_value(const Setting& s) {
  return value_of<T>(s, LeakyRelu{0.2}, [](const Tensor& x) { return maximum(x, x * 0.2); });
}
template <class T>
Case leaky_relu_d1(const Setting& s) {
  const Tensor zero = Tensor::zeros({1}, s.options());
  return derivative_of<T, 1>(s, LeakyRelu{0.2}, [zero](const Tensor& x, const Tensor& g) {
    return g * (greater(x, zero).to(x.dtype()) * 0.8 + 0.2);
  });
}
template <class T>
Case tanh_value(const Setting& s) {
  return value_of<T>(s, Tanh{}, [](const Tensor& x) { return 1.0 - 2.0 / (exp(x * 2.0) + 1.0); });
}
template <class T>
Case tanh_d2(const Setting& s) {
  return derivative_of<T, 2>(s, Tanh{}, [](const Tensor& x, const Tensor& g) {
    const Tensor y = 1.0 - 2.0 / (exp(x * 2.0) + 1.0);
    return g * (y * (1.0 - square(y)) * -2.0);
  });
}
template <class T>
Case sigmoid_d1(const Setting& s) {
  return derivative_of<T, 1>(s, Sigmoid{}, [](const Tensor& x, const Tensor& g) {
    const Tensor y = sigmoid_of(x);
    return g * (y * (1.0 - y));
  });
}
template <class T>
Case softplus_value(const Setting& s) {
  return value_of<T>(s, Softplus{},
                     [](const Tensor& x) { return clamp_min(x, 0) + log(exp(neg(abs(x))) + 1.0); });
}
template <class T>
Case gelu_value(const Setting& s) {
  return value_of<T>(s, Gelu{}, nullptr);  // core/ has no plain error function
}

template <class T>
Case sum_axis(const Setting& s, int64_t A, int64_t R, int64_t B, const std::string& shape) {
  const Tensor x = s.numbers({A * R * B}, 1), y = s.empty({A * B}),
               work = s.empty({reduce_workspace(A, R, B)});
  return {.shape = shape,
          .bytes = (A * R * B + A * B) * s.element(),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>(), scratch = work.mutable_data<T>()] {
                (void)work;
                sum_axes(stream, A, R, B, x.data<T>(), to, scratch);
              },
          .results = {y}};
}
template <class T>
Case sum_all(const Setting& s) {
  const int64_t n = s.count(s.element());
  return sum_axis<T>(s, 1, n, 1, plain(n));
}
template <class T>
Case sum_rows(const Setting& s) {
  const int64_t rows = s.count(784 * s.element());
  return sum_axis<T>(s, rows, 784, 1, plain(rows, 784));
}
template <class T>
Case sum_columns(const Setting& s) {
  const int64_t rows = s.count(512 * s.element());
  return sum_axis<T>(s, 1, rows, 512, plain(rows, 512));
}
/// Per channel: what a convolution's bias gets.
template <class T>
Case sum_channels(const Setting& s) {
  const int64_t n = s.count(64 * 49 * s.element());
  const Tensor x = s.numbers({n, 64, 49}, 1), y = s.empty({64}),
               work = s.empty({sum_around_workspace(n, 64, 49)});
  return {.shape = message("{}x64x49", n),
          .bytes = (n * 64 * 49 + 64) * s.element(),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>(), scratch = work.mutable_data<T>()] {
                (void)work;
                sum_around(stream, n, 64, 49, x.data<T>(), to, scratch);
              },
          .results = {y}};
}
template <class T>
Case max_rows(const Setting& s) {
  const int64_t rows = s.count(784 * s.element());
  const Tensor x = s.numbers({rows, 784}, 1), y = s.empty({rows}),
               work = s.empty({reduce_workspace(rows, 784, 1)});
  return {.shape = plain(rows, 784),
          .bytes = rows * 785 * s.element(),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>(), scratch = work.mutable_data<T>()] {
                (void)work;
                max_axes(stream, rows, 784, 1, x.data<T>(), to, scratch);
              },
          .results = {y}};
}  /// [A, R, B]: sums, smallest, and the places of the largest of the same numbers as rows.
template <class T>
Case inner_axis(const Setting& s) {
  constexpr int64_t R = 300, B = 65;
  const int64_t A = s.count(R * B * s.element());
  const Tensor x = s.numbers({A, R, B}, 1), total = s.empty({A, B}), least = s.empty({A, B}),
               place = Tensor::zeros({A * R}, {DType::i64, s.device}),
               work = s.empty({reduce_workspace(A, R, B)});
  return {.shape = message("{}x{}x{}", A, R, B),
          .bytes = A * (R + 2) * B * s.element(),
          .run =
              [=, stream = s.stream(), to = total.mutable_data<T>(), to_least = least.mutable_data<T>(),
               to_place = place.mutable_data<int64_t>(), scratch = work.mutable_data<T>()] {
                (void)work;
                sum_axes(stream, A, R, B, x.data<T>(), to, scratch, 0.5);
                min_axes(stream, A, R, B, x.data<T>(), to_least, scratch);
                argmax_rows(stream, A * R, B, x.data<T>(), to_place);
              },
          .results = {total, least, place}};
}

}  // namespace

std::vector<NamedCase> map_cases() {
  return {DUEL_BENCH("add", "elementwise", add_two),
          DUEL_BENCH("add_bias", "elementwise", add_bias),
          DUEL_BENCH("exp", "elementwise", exponential),
          DUEL_BENCH("fill", "elementwise", fill_constant),
          DUEL_BENCH("cast_u8", "elementwise", cast_pixels),
          DUEL_BENCH("leaky_relu", "activations", leaky_relu_value),
          DUEL_BENCH("leaky_relu_d1", "activations", leaky_relu_d1),
          DUEL_BENCH("tanh", "activations", tanh_value),
          DUEL_BENCH("tanh_d2", "activations", tanh_d2),
          DUEL_BENCH("sigmoid_d1", "activations", sigmoid_d1),
          DUEL_BENCH("softplus", "activations", softplus_value),
          DUEL_BENCH("gelu", "activations", gelu_value),
          DUEL_BENCH("sum_all", "reduce", sum_all),
          DUEL_BENCH("sum_rows", "reduce", sum_rows),
          DUEL_BENCH("sum_columns", "reduce", sum_columns),
          DUEL_BENCH("sum_channels", "reduce", sum_channels),
          DUEL_BENCH("max_rows", "reduce", max_rows),
          DUEL_VALUES("where", "elementwise", picks_and_sums),
          DUEL_VALUES("add_each", "elementwise", add_pairs),
          DUEL_VALUES("finish", "finish", finished),
          DUEL_VALUES("sum_inner", "reduce", inner_axis)};
}

}  // namespace duel::apps::bench
