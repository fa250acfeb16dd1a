// Every functor of the lists of kernels/map/: a row each, by the list alone. Compared, not timed: what their
// shapes of kernels cost is shown by the rows of map.cpp and loss.cpp.
#include <array>

#include "cases.h"
#include "duel/kernels/map/activations.h"
#include "duel/kernels/map/functors.h"
#include "duel/kernels/map/losses.h"
#include "example_of.h"

namespace duel::apps::bench {
namespace {

using namespace kernels;

template <class T, class F>
Case unary_case(const Setting& s) {
  const int64_t n = s.count(2 * s.element());
  const Tensor x = s.numbers({n}, 1, -4, 4), y = s.empty({n});
  return {.shape = std::to_string(n),
          .bytes = 2 * n * s.element(),
          .run = [=, stream = s.stream(),
                  to = y.mutable_data<T>()] { unary<F>(stream, n, x.data<T>(), to, example_of<F>()); },
          .results = {y}};
}

/// [rows, 1, 31] with [rows, 5, 1].
template <class T, class F>
Case binary_case(const Setting& s) {
  const int64_t rows = s.count((31 + 5 + 155) * s.element());
  const int64_t all[] = {rows, 5, 31}, left[] = {rows, 1, 31}, right[] = {rows, 5, 1};
  const Tensor a = s.numbers({rows, 31}, 1), b = s.numbers({rows, 5}, 2), y = s.empty({rows, 5, 31});
  return {.shape = message("{}x5x31", rows),
          .bytes = rows * (31 + 5 + 155) * s.element(),
          .run = [=, stream = s.stream(), plan = make_broadcast(all, left, right),
                  to = y.mutable_data<T>()] { binary<F>(stream, plan, a.data<T>(), b.data<T>(), to); },
          .results = {y}};
}

/// Of elements [0, 1, 2, 3] in turn, so that equal ones are among them.
template <class E>
Tensor few_values(const Setting& s, int64_t n, int64_t step) {
  std::vector<E> values(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) values[static_cast<size_t>(i)] = static_cast<E>(i * step % 7 % 4);
  return Tensor::from(values, {n}, s.device);
}

/// From elements E to elements Out by call(stream, plan, a, b, y).
template <class E, class Out, class Call>
Case few_values_case(const Setting& s, DType result, Call call) {
  const int64_t n = s.count(2 * sizeof(E) + sizeof(Out));
  const std::array<int64_t, 1> shape{n};
  const Tensor a = few_values<E>(s, n, 3), b = few_values<E>(s, n, 5),
               y = Tensor::zeros({n}, {result, s.device});
  return {.shape = std::to_string(n),
          .bytes = n * static_cast<int64_t>(2 * sizeof(E) + sizeof(Out)),
          .run = [=, stream = s.stream(), plan = make_broadcast(shape, shape, shape),
                  to = y.mutable_data<Out>()] { call(stream, plan, a.data<E>(), b.data<E>(), to); },
          .results = {y}};
}
template <class T, class F>
Case compare_case(const Setting& s) {
  return few_values_case<T, uint8_t>(s, DType::u8, [](auto... arguments) { compare<F, T>(arguments...); });
}
template <class T, class F>
Case integer_case(const Setting& s) {
  return few_values_case<int64_t, int64_t>(s, DType::i64,
                                           [](auto... arguments) { binary<F, int64_t>(arguments...); });
}

/// Value, g f' and g f''.
template <class T, class A>
Case activation_case(const Setting& s) {
  const int64_t n = s.count(5 * s.element());
  const Tensor x = s.numbers({n}, 1, -4, 4), g = s.numbers({n}, 2), y = s.empty({n}), d1 = s.empty({n}),
               d2 = s.empty({n});
  return {.shape = std::to_string(n),
          .bytes = 5 * n * s.element(),
          .run =
              [=, stream = s.stream(), f = example_of<A>(), to = y.mutable_data<T>(),
               to_1 = d1.mutable_data<T>(), to_2 = d2.mutable_data<T>()] {
                activation(stream, n, x.data<T>(), to, f);
                activation_d1(stream, n, x.data<T>(), g.data<T>(), to_1, f);
                activation_d2(stream, n, x.data<T>(), g.data<T>(), to_2, f);
              },
          .results = {y, d1, d2}};
}

/// Mean, its gradient, and the second-order product.
template <class T, class L>
Case loss_case(const Setting& s) {
  const int64_t n = s.count(4 * s.element());
  const Tensor x = s.numbers({n}, 1, -5, 5), g = s.numbers({n}, 2), value = s.empty({1}),
               gradient = s.empty({n}), d2 = s.empty({n}), work = s.empty({loss_workspace(n)});
  return {.shape = std::to_string(n),
          .bytes = 4 * n * s.element(),
          .run =
              [=, stream = s.stream(), loss = example_of<L>(), divisor = static_cast<T>(n),
               to = value.mutable_data<T>(), to_1 = gradient.mutable_data<T>(), to_2 = d2.mutable_data<T>(),
               scratch = work.mutable_data<T>()] {
                (void)work;
                loss_value_grad(stream, n, x.data<T>(), loss, divisor, to, to_1, scratch);
                loss_d2(stream, n, x.data<T>(), loss, divisor, g.data<T>(), to_2);
              },
          .results = {value, gradient, d2}};
}

}  // namespace

std::vector<NamedCase> functor_cases() {
  std::vector<NamedCase> rows;
  const auto add = [&](const char* family, const char* name, auto single, auto twice) {
    rows.push_back({name, family,
                    [=](const Setting& s) { return s.dtype == DType::f64 ? twice(s) : single(s); }, false});
  };
#define DUEL_UNARY_ROW(F) add("elementwise", #F, unary_case<float, F>, unary_case<double, F>);
#define DUEL_BINARY_ROW(F) add("elementwise", #F, binary_case<float, F>, binary_case<double, F>);
#define DUEL_COMPARE_ROW(F) add("elementwise", #F, compare_case<float, F>, compare_case<double, F>);
#define DUEL_LOGICAL_ROW(F) add("elementwise", #F, compare_case<uint8_t, F>, compare_case<uint8_t, F>);
#define DUEL_INTEGER_ROW(F) add("elementwise", #F " of i64", integer_case<float, F>, integer_case<double, F>);
#define DUEL_ACTIVATION_ROW(A) add("activations", #A, activation_case<float, A>, activation_case<double, A>);
#define DUEL_LOSS_ROW(L) add("losses", #L, loss_case<float, L>, loss_case<double, L>);
  DUEL_UNARY_FUNCTORS(DUEL_UNARY_ROW)
  DUEL_BINARY_FUNCTORS(DUEL_BINARY_ROW)
  DUEL_COMPARE_FUNCTORS(DUEL_COMPARE_ROW)
  DUEL_LOGICAL_FUNCTORS(DUEL_LOGICAL_ROW)
  DUEL_INTEGER_FUNCTORS(DUEL_INTEGER_ROW)
  DUEL_ACTIVATIONS(DUEL_ACTIVATION_ROW)
  DUEL_LOSSES(DUEL_LOSS_ROW)
  return rows;
}

}  // namespace duel::apps::bench
