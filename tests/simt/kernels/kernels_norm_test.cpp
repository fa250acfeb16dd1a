// Batch, instance and layer norm as CUDA kernels: forward, inference, backward, double backward, against the
// host path. Row sums differ by rounding only. Fails on a wrong row, a lost tail, a channel mixed up, a
// missing term.
#include "duel/kernels/reduce/normalize.h"
#include "duel/kernels/reduce/spectral.h"
#include "kernels_common.h"

namespace duel::simt {
namespace {

using kernels::NormShape;
using kernels::Stream;

template <class T>
class SimtNorm : public ::testing::Test {};
TYPED_TEST_SUITE(SimtNorm, Types);

struct NormCase {
  std::string name;
  NormShape shape;
};

std::vector<NormCase> shapes() {
  using namespace kernels;
  return {{"batch 1 x 1 x 1", batch_norm_shape(1, 1, 1)},
          {"batch 5 x 3 x 49", batch_norm_shape(5, 3, 49)},
          {"batch 33 x 7 x 1", batch_norm_shape(33, 7, 1)},
          {"batch 4 x 2 x 300", batch_norm_shape(4, 2, 300)},
          {"batch of 2 parts 6 x 5 x 49", batch_norm_shape(6, 5, 49, 2)},
          {"batch of 3 parts 3 x 2 x 300", batch_norm_shape(3, 2, 300, 3)},
          {"instance 3 x 5 x 33", instance_norm_shape(3, 5, 33)},
          {"instance 2 x 1 x 257", instance_norm_shape(2, 1, 257)},
          {"layer 4 x 31", layer_norm_shape(4, 31)},
          {"layer 3 x 700", layer_norm_shape(3, 700)},
          {"layer 130 x 65", layer_norm_shape(130, 65)},
          {"layer 1 x 1", layer_norm_shape(1, 1)},
          {"no rows", batch_norm_shape(4, 0, 9)},
          {"empty rows", batch_norm_shape(0, 3, 9)}};
}

/// Rounding of sums over a row, in units of the values' size (about 1); the second order multiplies a few of
/// them.
template <class T>
double tolerance(const NormShape& s) {
  const double longest = static_cast<double>(std::max(s.count(), s.rows));
  return (4 * std::sqrt(longest) + 40) * std::numeric_limits<T>::epsilon();
}

template <class T>
struct Data {
  std::vector<T> x, dy, gamma, beta, mean, rstd, var, v, h, k;
  explicit Data(const NormShape& s)
      : x(noise<T>(s.size(), 1)),
        dy(noise<T>(s.size(), 2)),
        gamma(noise<T>(s.affine, 3)),
        beta(noise<T>(s.affine, 4)),
        mean(static_cast<size_t>(s.rows)),
        rstd(static_cast<size_t>(s.rows)),
        var(static_cast<size_t>(s.rows), T(0.7)),
        v(noise<T>(s.size(), 5)),
        h(noise<T>(s.affine, 6)),
        k(noise<T>(s.affine, 7)) {
    for (T& value : x) value = value * T(1.5) + T(0.5);
    std::vector<T> y(x.size());
    kernels::norm_forward(Stream(), s, x.data(), nullptr, nullptr, T(1e-2), y.data(), mean.data(),
                          rstd.data());
  }
};

TYPED_TEST(SimtNorm, Forward) {
  using T = TypeParam;
  for (const NormCase& each : shapes()) {
    const NormShape& s = each.shape;
    const bool is_batch_norm = !s.affine_inner && s.affine == s.part_rows();
    const Data<T> data(s);
    for (bool affine : {true, false}) {
      SCOPED_TRACE(each.name + (affine ? "" : ", no gamma"));
      std::vector<T> y(data.x), mean(data.mean), rstd(data.mean), running_mean(mean.size(), T(0.25)),
          running_var(mean.size(), T(2));
      const auto call = [&](Stream stream, const T* x, const T* gamma, const T* beta, T* to, T* m, T* r,
                            T* rm, T* rv) {
        kernels::norm_forward(stream, s, x, affine ? gamma : nullptr, affine ? beta : nullptr, T(1e-2), to, m,
                              r, {is_batch_norm ? rm : nullptr, is_batch_norm ? rv : nullptr, T(0.3)});
      };
      const In<T> x(data.x, "x"), gamma(data.gamma, "gamma"), beta(data.beta, "beta");
      std::vector<T> plain;
      {
        const Out<T> to(s.size(), "y"), m(s.rows, "mean"), r(s.rows, "rstd");
        const InOut<T> rm(running_mean, "running mean"), rv(running_var, "running variance");
        call(Stream(), data.x.data(), data.gamma.data(), data.beta.data(), y.data(), mean.data(), rstd.data(),
             running_mean.data(), running_var.data());
        run_all_orders(
            [&] {
              call(stream(), x.data(), gamma.data(), beta.data(), to.data(), m.data(), r.data(), rm.data(),
                   rv.data());
            },
            {.shift = 1});
        const auto near = [&](size_t) { return 10 * tolerance<T>(s); };  // rstd is at most 10
        expect_near(m.values(), mean, near, "mean");
        expect_near(r.values(), rstd, near, "rstd");
        expect_near(rm.values(), running_mean, near, "running mean");
        expect_near(rv.values(), running_var, near, "running variance");
        expect_near(to.values(), y, near, "y");
        plain = to.values();
      }
      // An activation in the launch: of the same values, bit by bit.
      std::vector<T> activated = plain;
      const kernels::Activation leaky = kernels::LeakyRelu{0.2};
      kernels::finish_results<T>({}, s.size(), nullptr, {.f = leaky, .value = activated.data()});
      const Out<T> value(s.size(), "activation"), m(s.rows, "mean"), r(s.rows, "rstd");
      run_all_orders(
          [&] {
            kernels::norm_forward(stream(), s, x.data(), affine ? gamma.data() : nullptr,
                                  affine ? beta.data() : nullptr, T(1e-2), static_cast<T*>(nullptr), m.data(),
                                  r.data(), {}, kernels::Finish<T>{.f = leaky, .value = value.data()});
          },
          {.shift = 1});
      expect_same(value.values(), activated, "activation");
    }
  }
}

TYPED_TEST(SimtNorm, Inference) {
  using T = TypeParam;
  for (const NormCase& each : shapes()) {
    const NormShape& s = each.shape;
    if (s.parts > 1) continue;  // refused
    const Data<T> data(s);
    for (bool affine : {true, false}) {
      expect_map<T, T>(
          {data.x, data.mean, data.var, data.gamma, data.beta}, s.size(),
          [&](Stream stream, auto& in, T* y) {
            kernels::norm_inference(stream, s, in[0], in[1], in[2], affine ? in[3] : nullptr,
                                    affine ? in[4] : nullptr, T(1e-2), y);
          },
          each.name);
    }
  }
}

TYPED_TEST(SimtNorm, Backward) {
  using T = TypeParam;
  for (const NormCase& each : shapes()) {
    const NormShape& s = each.shape;
    const Data<T> data(s);
    const int64_t space = kernels::norm_workspace(s);
    // All outputs, dx alone, dgamma and dbeta alone, one of those two; with and without gamma.
    for (int mode = 0; mode < 10; ++mode) {
      SCOPED_TRACE(each.name + ", mode " + std::to_string(mode));
      const bool with_dx = mode % 5 != 2, with_affine = mode % 5 != 1, with_gamma = mode < 5;
      const bool with_dgamma = with_affine && mode % 5 != 3, with_dbeta = with_affine && mode % 5 != 4;
      std::vector<T> dx(data.x), dgamma(data.gamma), dbeta(data.gamma), work(static_cast<size_t>(space) + 1);
      const auto call = [&](Stream stream, const T* dy, const T* x, const T* mean, const T* rstd,
                            const T* gamma, T* to, T* g, T* b, T* w) {
        kernels::norm_backward(stream, s, dy, x, mean, rstd, with_gamma ? gamma : nullptr,
                               with_dx ? to : nullptr, with_dgamma ? g : nullptr, with_dbeta ? b : nullptr,
                               w);
      };
      call(Stream(), data.dy.data(), data.x.data(), data.mean.data(), data.rstd.data(), data.gamma.data(),
           dx.data(), dgamma.data(), dbeta.data(), work.data());
      const In<T> dy(data.dy, "dy"), x(data.x, "x"), mean(data.mean, "mean"), rstd(data.rstd, "rstd"),
          gamma(data.gamma, "gamma");
      const Out<T> to(with_dx ? s.size() : 0, "dx"), g(with_dgamma ? s.affine : 0, "dgamma"),
          b(with_dbeta ? s.affine : 0, "dbeta");
      const Scratch<T> w(space, "workspace");
      run_all_orders(
          [&] {
            call(stream(), dy.data(), x.data(), mean.data(), rstd.data(), gamma.data(), to.data(), g.data(),
                 b.data(), w.data());
          },
          {.shuffles = 2, .shift = 1});
      const double rounding = tolerance<T>(s);
      if (with_dx)
        expect_near(
            to.values(), dx, [&](size_t) { return 50 * rounding; }, "dx");
      if (!with_affine) continue;
      // Sums over count * rows / affine terms of size up to about 10.
      const double terms = static_cast<double>(s.size()) / std::max<double>(1, static_cast<double>(s.affine));
      const auto near = [&](size_t) { return 10 * rounding * std::sqrt(terms + 1); };
      if (with_dgamma) expect_near(g.values(), dgamma, near, "dgamma");
      if (with_dbeta) expect_near(b.values(), dbeta, near, "dbeta");
    }
  }
}

TYPED_TEST(SimtNorm, DoubleBackward) {
  using T = TypeParam;
  for (const NormCase& each : shapes()) {
    const NormShape& s = each.shape;
    const Data<T> data(s);
    const int64_t space = kernels::norm_workspace(s);
    // Which cotangents are given (bits 0 to 2) and which outputs asked for.
    for (int mode : {7, 1, 2, 4, 3 + 8, 7 + 16, 7 + 32, 5 + 64}) {
      SCOPED_TRACE(each.name + ", mode " + std::to_string(mode));
      const bool with_d_dy = (mode & 8) == 0, with_d_x = (mode & 16) == 0, with_d_gamma = (mode & 32) == 0,
                 with_gamma = (mode & 64) == 0;
      std::vector<T> d_dy(data.x), d_x(data.x), d_gamma(data.gamma), work(static_cast<size_t>(space) + 1);
      const auto call = [&](Stream stream, const T* dy, const T* x, const T* mean, const T* rstd,
                            const T* gamma, const T* v, const T* h, const T* k, T* a, T* b, T* c, T* w) {
        kernels::norm_double_backward(
            stream, s, dy, x, mean, rstd, with_gamma ? gamma : nullptr,
            {(mode & 1) != 0 ? v : nullptr, (mode & 2) != 0 ? h : nullptr, (mode & 4) != 0 ? k : nullptr},
            with_d_dy ? a : nullptr, with_d_x ? b : nullptr, with_d_gamma ? c : nullptr, w);
      };
      call(Stream(), data.dy.data(), data.x.data(), data.mean.data(), data.rstd.data(), data.gamma.data(),
           data.v.data(), data.h.data(), data.k.data(), d_dy.data(), d_x.data(), d_gamma.data(), work.data());
      const In<T> dy(data.dy, "dy"), x(data.x, "x"), mean(data.mean, "mean"), rstd(data.rstd, "rstd"),
          gamma(data.gamma, "gamma"), v(data.v, "ggI"), h(data.h, "ggG"), k(data.k, "ggB");
      const Out<T> a(with_d_dy ? s.size() : 0, "d_dy"), b(with_d_x ? s.size() : 0, "d_x"),
          c(with_d_gamma ? s.affine : 0, "d_gamma");
      const Scratch<T> w(space, "workspace");
      run_all_orders(
          [&] {
            call(stream(), dy.data(), x.data(), mean.data(), rstd.data(), gamma.data(), v.data(), h.data(),
                 k.data(), a.data(), b.data(), c.data(), w.data());
          },
          {.shuffles = 1, .shift = 1});
      const double rounding = tolerance<T>(s);
      if (with_d_dy)
        expect_near(
            a.values(), d_dy, [&](size_t) { return 50 * rounding; }, "d_dy");
      if (with_d_x)
        expect_near(
            b.values(), d_x, [&](size_t) { return 500 * rounding; }, "d_x");
      const double terms = static_cast<double>(s.size()) / std::max<double>(1, static_cast<double>(s.affine));
      if (with_d_gamma) {
        expect_near(
            c.values(), d_gamma, [&](size_t) { return 50 * rounding * std::sqrt(terms + 1); }, "d_gamma");
      }
    }
  }
}

// Columns fewer than a block has threads, as many, more; rows of more than one warp each; no iteration.
TYPED_TEST(SimtNorm, PowerIteration) {
  using T = TypeParam;
  for (const kernels::WeightMatrix& m :
       {kernels::WeightMatrix{1, 1, 1}, {1, 7, 33}, {3, 5, 16}, {1, 33, 512}, {9, 4, 60}, {1, 2, 1031}}) {
    for (const int64_t iterations : {0, 1, 2}) {
      const std::vector<T> w = noise<T>(m.rows * m.columns(), 1), u0 = noise<T>(m.rows, 2),
                           v0 = noise<T>(m.columns(), 3);
      std::vector<T> u = u0, v = v0, u_then(u), v_then(v), sigma(1), slope(1);
      kernels::power_iteration<T>(Stream(), m, w.data(), iterations, T(1e-12), u.data(), v.data(),
                                  {u_then.data(), v_then.data(), sigma.data(), slope.data()});
      const In<T> weight(w, "w");
      const InOut<T> to_u(u0, "u"), to_v(v0, "v");
      const Out<T> a(m.rows, "copy of u"), b(m.columns(), "copy of v"), c(1, "sigma"), d(1, "slope");
      run_all_orders(
          [&] {
            kernels::power_iteration<T>(stream(), m, weight.data(), iterations, T(1e-12), to_u.data(),
                                        to_v.data(), {a.data(), b.data(), c.data(), d.data()});
          },
          {.shuffles = 1, .shift = 1});
      const double unit =
          32 * std::numeric_limits<T>::epsilon() * std::sqrt(static_cast<double>(m.columns() + m.rows));
      const auto bound = [&](size_t) { return unit; };
      expect_near(to_u.values(), u, bound, "u");
      expect_near(to_v.values(), v, bound, "v");
      expect_same(a.values(), to_u.values(), "copy of u");
      expect_same(b.values(), to_v.values(), "copy of v");
      expect_near(
          c.values(), sigma, [&](size_t) { return unit * static_cast<double>(m.rows + m.columns()); },
          "sigma");
      expect_same(d.values(), slope, "slope");
    }
  }
}

}  // namespace
}  // namespace duel::simt
