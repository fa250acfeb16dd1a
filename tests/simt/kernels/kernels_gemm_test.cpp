// Matrix products as CUDA kernels against the naive f64 sum: every transposition, tile, tail and cut along k.
// Fails on a lost tail, a swapped operand, a part counted twice, a read beyond an operand, a misaligned
// 16-byte access.
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "duel/kernels/linear/device/gemm_device.h"
#include "duel/kernels/linear/gemm.h"
#include "kernels_common.h"
#include "tensor_ways.h"

namespace duel::simt {
namespace {

using kernels::Activation;
using kernels::Stream;
using kernels::device::Cut;

template <class T>
class SimtGemm : public ::testing::Test {};
TYPED_TEST_SUITE(SimtGemm, Types);

struct Sizes {
  int64_t m, n, k;
};

// call(a, b, bias, c, workspace) against alpha * op(a) op(b) + bias + beta * c, entry by entry.
template <class T, class Call>
void expect_product(const Sizes& s, int transposed, T alpha, bool with_bias, T beta, size_t workspace_bytes,
                    int shift, bool tensor, Call call) {
  const bool ta = transposed & 1, tb = transposed & 2;
  const auto left = noise<T>(s.m * s.k, 1), right = noise<T>(s.k * s.n, 2), add = noise<T>(s.n, 3),
             old = noise<T>(s.m * s.n, 4);
  std::vector<double> expected, bound;
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      const size_t at = static_cast<size_t>(i * s.n + j);
      double sum = 0, size = 0;
      for (int64_t p = 0; p < s.k; ++p) {
        const double term = static_cast<double>(alpha) *
                            factor(left[static_cast<size_t>(ta ? p * s.m + i : i * s.k + p)], tensor) *
                            factor(right[static_cast<size_t>(tb ? j * s.k + p : p * s.n + j)], tensor);
        sum += term, size += std::abs(term);
      }
      const double rest = (with_bias ? add[static_cast<size_t>(j)] : 0.0) +
                          (beta != T(0) ? static_cast<double>(beta) * old[at] : 0.0);
      expected.push_back(sum + rest);
      bound.push_back(kernels::rounding_bound<T>(s.k + 2, size + std::abs(rest) + std::abs(expected.back())));
    }
  }
  const std::string what = std::to_string(s.m) + " x " + std::to_string(s.n) + " x " + std::to_string(s.k) +
                           (ta ? " A^T" : "") + (tb ? " B^T" : "") + ", shift " + std::to_string(shift) +
                           (tensor ? ", tensor cores" : "");
  const In<T> a(left, "a"), b(right, "b"), bias(add, "bias");
  const Scratch<T> space(static_cast<int64_t>(workspace_bytes / sizeof(T)), "workspace");
  const auto run = [&](auto& c) {
    try {
      run_all_orders(
          [&] {
            call(ta, tb, a.data(), b.data(), with_bias ? bias.data() : nullptr, c.data(), space.data());
          },
          {.shuffles = 1, .shift = shift});
    } catch (const Failure& failure) {
      FAIL() << what << ": " << failure.what();
    }
    const std::vector<T> got = c.values();
    for (size_t i = 0; i < got.size(); ++i) {
      // "not less or equal" also fails on NaN.
      ASSERT_LE(std::abs(got[i] - expected[i]), bound[i]) << what << ", element " << i;
    }
  };
  if (beta == T(0)) {
    const Out<T> c(s.m * s.n, "c");  // poisoned: must not be read
    run(c);
  } else {
    const InOut<T> c(old, "c");
    run(c);
  }
}

TYPED_TEST(SimtGemm, EveryTransposition) {
  using T = TypeParam;
  for (const Sizes& s : {Sizes{1, 1, 1}, Sizes{33, 65, 19}, Sizes{4, 64, 32}, Sizes{31, 7, 16},
                         Sizes{2, 3, 0}, Sizes{1, 40, 33}}) {
    for (int flags = 0; flags < 4; ++flags) {
      for (int which = 0; which < (sizeof(T) == 4 ? 4 : 2); ++which) {
        const int shift = which % 2;
        const bool tensor = which >= 2;
        const Tensor now(tensor);
        const bool bias = flags % 2 == 0;
        const T beta = bias ? T(0) : T(0.5), alpha = bias ? T(1) : T(-0.75);
        const size_t bytes = kernels::gemm_workspace<T>(flags & 1, flags & 2, s.m, s.n, s.k, stream());
        expect_product<T>(s, flags, alpha, bias, beta, bytes, shift, tensor,
                          [&](bool ta, bool tb, const T* a, const T* b, const T* add, T* c, void* space) {
                            if (bias) {
                              kernels::gemm_bias<T>(stream(), ta, tb, s.m, s.n, s.k, a, b, add, c, space);
                            } else {
                              kernels::gemm<T>(stream(), ta, tb, s.m, s.n, s.k, alpha, a, b, beta, c, space);
                            }
                          });
      }
    }
  }
}

TYPED_TEST(SimtGemm, FewResultsOfLongSumsAreCut) {
  using T = TypeParam;
  const Sizes s{5, 33, 1037};
  const size_t bytes = kernels::gemm_workspace<T>(false, true, s.m, s.n, s.k, stream());
  ASSERT_EQ(bytes, 8u * 5 * 33 * sizeof(T));  // 1037 / 128 parts
  for (int flags : {1, 2}) {
    for (const bool tensor : ways<T>()) {
      const Tensor now(tensor);
      expect_product<T>(s, flags, T(2), false, T(1), bytes, 0, tensor,
                        [&](bool ta, bool tb, const T* a, const T* b, const T*, T* c, void* space) {
                          kernels::gemm<T>(stream(), ta, tb, s.m, s.n, s.k, T(2), a, b, T(1), c, space);
                        });
    }
  }
  T x[1] = {};
  EXPECT_THROW((kernels::gemm<T>(stream(), false, true, s.m, s.n, s.k, T(1), x, x, T(0), x, nullptr)), Error);
}

TYPED_TEST(SimtGemm, EveryTileAndCut) {
  using T = TypeParam;
  const Sizes s{67, 135, 40};
  for (int tile : {32, 64, 128}) {
    if (tile == 128 && sizeof(T) == 8) continue;  // floats only
    for (const auto& [splits, depth] : {std::pair<int64_t, int64_t>{1, 48}, {3, 16}, {2, 32}}) {
      for (const bool tensor : ways<T>()) {
        const Cut cut{.tile = tile, .splits = splits, .depth = depth, .tensor = tensor};
        const size_t bytes = splits > 1 ? static_cast<size_t>(splits * s.m * s.n) * sizeof(T) : 0;
        const int flags = (tile / 32 + static_cast<int>(splits)) % 4;
        for (const Stream& on :
             {stream(), Stream::device(nullptr)}) {  // the last block adds; a second kernel does
          expect_product<T>(s, flags, T(1), true, T(0.25), bytes, tile == 64, tensor,
                            [&](bool ta, bool tb, const T* a, const T* b, const T* add, T* c, void* space) {
                              EXPECT_TRUE(kernels::device::gemm_by<T>(cut, on, ta, tb, s.m, s.n, s.k, T(1), a,
                                                                      b, T(0.25), add, c, space, {}) ||
                                          cut.splits > 1);
                            });
        }
      }
    }
  }
}

// Seven steps of 16 keep every stage in use; whatever way the operands lie, all three tiles.
TEST(SimtTensorGemm, ManySteps) {
  for (int flags = 0; flags < 4; ++flags) {
    for (int tile : {32, 64, 128}) {
      const Sizes s{tile + 5, tile - 4, 109};
      const Cut cut{.tile = tile, .splits = 1, .depth = 112, .tensor = true};
      for (int shift : {0, 1}) {  // copies of 16 bytes, and of 4
        expect_product<float>(
            s, flags, 1.0f, false, 0.0f, 0, shift, true,
            [&](bool ta, bool tb, const float* a, const float* b, const float*, float* c, void*) {
              EXPECT_TRUE(kernels::device::gemm_by<float>(cut, stream(), ta, tb, s.m, s.n, s.k, 1.0f, a, b,
                                                          0.0f, nullptr, c, nullptr, {}));
            });
      }
    }
  }
}

// What TF32 costs: each factor is off by at most 2^-11 of itself. And what it must not do: lose an infinity or NaN.
TEST(SimtTensorGemm, StaysWithinTheBoundOfTf32) {
  const int64_t m = 40, n = 36, k = 200;
  auto a = noise<float>(m * k, 1), b = noise<float>(k * n, 2);
  const Tensor now(true);
  const auto product = [&] {
    const In<float> left(a, "a"), right(b, "b");
    const Out<float> c(m * n, "c");
    const Scratch<float> space(
        static_cast<int64_t>(kernels::gemm_workspace<float>(false, false, m, n, k, stream()) / sizeof(float)),
        "workspace");
    run_all_orders([&] {
      kernels::gemm<float>(stream(), false, false, m, n, k, 1.0f, left.data(), right.data(), 0.0f, c.data(),
                           space.data());
    });
    return c.values();
  };
  const auto got = product();
  double worst = 0;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (int64_t p = 0; p < k; ++p) {
        const double term =
            static_cast<double>(a[static_cast<size_t>(i * k + p)]) * b[static_cast<size_t>(p * n + j)];
        sum += term, size += std::abs(term);
      }
      const double error = std::abs(got[static_cast<size_t>(i * n + j)] - sum);
      EXPECT_LE(error, size * std::ldexp(1.0, -10) + kernels::rounding_bound<float>(k, size));
      worst = std::max(worst, error / size);
    }
  }
  EXPECT_GT(worst, std::ldexp(1.0, -17));  // and it is TF32: float's error would be 1e-7
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  a[0] = inf, a[static_cast<size_t>(k)] = nan,
  a[static_cast<size_t>(2 * k)] = std::numeric_limits<float>::max();
  const auto odd = product();
  for (int64_t j = 0; j < n; ++j) {
    const float with = b[static_cast<size_t>(j)];
    EXPECT_EQ(odd[static_cast<size_t>(j)], with > 0 ? inf : -inf);
    EXPECT_TRUE(std::isnan(odd[static_cast<size_t>(n + j)]));
    EXPECT_TRUE(std::isinf(odd[static_cast<size_t>(2 * n + j)]));  // rounds up
  }
}

// What linear's input, weight and bias get, in one launch: the bits of two, whatever is cut along k. Where tiles differ, or
// the stream has no tickets that are needed, there are two launches.
TYPED_TEST(SimtGemm, PairsHaveTheBitsOfTwoProducts) {
  using T = TypeParam;
  struct Layer {
    int64_t rows, in, out;
    bool one_launch, without_tickets;
  };
  for (const bool tensor : ways<T>()) {
    const Tensor now(tensor);
    for (const Layer& s :
         {Layer{35, 40, 67, true, true}, Layer{1037, 33, 5, true, false}, Layer{3, 70, 1040, true, false},
          Layer{1, 1, 1, true, true}, Layer{64, 1000, 900, false, false}}) {
      const kernels::PairedShape of_x{s.rows, s.in, s.out}, of_w{s.out, s.in, s.rows};
      EXPECT_EQ(kernels::gemm_pairs<T>(stream(), of_x, of_w), s.one_launch) << s.rows << " " << s.in;
      EXPECT_EQ(kernels::gemm_pairs<T>(Stream::device(nullptr), of_x, of_w), s.without_tickets);
      EXPECT_FALSE(kernels::gemm_pairs<T>(Stream(), of_x, of_w));
      if (s.rows * s.in * s.out > 1000000) continue;
      const In<T> g(noise<T>(s.rows * s.out, 1), "g"), x(noise<T>(s.rows * s.in, 2), "x"),
          w(noise<T>(s.out * s.in, 3), "w");
      const auto scratch = [](bool trans_a, const kernels::PairedShape& p, bool sums) {
        return static_cast<int64_t>(
            kernels::gemm_workspace<T>(trans_a, false, p.m, p.n, p.k, stream(), sums) / sizeof(T));
      };
      const Scratch<T> space_x(scratch(false, of_x, false), "workspace of dx"),
          space_w(scratch(true, of_w, true), "workspace of dw");
      const kernels::Finish<T> leaky{.f = kernels::LeakyRelu{0.2}};
      using Results = std::array<std::vector<T>, 3>;
      const auto results = [&](bool paired, const Stream& on) {
        const Out<T> dx(s.rows * s.in, "dx"), dw(s.out * s.in, "dw"), db(s.out, "db");
        run_all_orders(
            [&] {
              kernels::Finish<T> finish = leaky;
              finish.slope_at = x.data();
              if (paired) {
                kernels::gemm_pair<T>(
                    on, {of_x, false, false, g.data(), w.data(), dx.data(), space_x.data(), finish},
                    {of_w, true, false, g.data(), x.data(), dw.data(), space_w.data(), {}, db.data()});
                return;
              }
              kernels::gemm<T>(on, false, false, s.rows, s.in, s.out, T(1), g.data(), w.data(), T(0),
                               dx.data(), space_x.data(), finish);
              kernels::gemm<T>(on, true, false, s.out, s.in, s.rows, T(1), g.data(), x.data(), T(0),
                               dw.data(), space_w.data(), {}, db.data());
            },
            {.shuffles = 1});
        return Results{dx.values(), dw.values(), db.values()};
      };
      const Results apart = results(false, stream());
      for (const Stream& on : {stream(), Stream::device(nullptr)}) {
        const Results pair = results(true, on);
        expect_same(pair[0], apart[0], "dx");
        expect_same(pair[1], apart[1], "dw");
        if (on.tickets() != nullptr) expect_same(pair[2], apart[2], "db");
      }
    }
  }
}

// What follows a product in its launch against the same in launches of its own, bit by bit; sums of the left operand's
// rows. Fails where a tail is finished with its neighbour's slope, where results that nobody keeps are written or read,
// where a part's sums are lost.
TYPED_TEST(SimtGemm, FinishesItsResults) {
  using T = TypeParam;
  const Sizes s{35, 67, 40};
  const auto left = noise<T>(s.m * s.k, 1), right = noise<T>(s.k * s.n, 2), add = noise<T>(s.n, 3),
             at = noise<T>(s.m * s.n, 4);
  std::vector<T> sums;  // of op(a)'s rows
  for (int64_t i = 0; i < s.m; ++i) {
    double sum = 0;
    for (int64_t p = 0; p < s.k; ++p) sum += left[static_cast<size_t>(p * s.m + i)];
    sums.push_back(static_cast<T>(sum));
  }
  const In<T> a(left, "a"), b(right, "b"), bias(add, "bias"), slope_at(at, "slope_at");
  const Activation activations[] = {kernels::Relu{}, kernels::LeakyRelu{0.2}, kernels::Tanh{}};
  std::vector<Cut> cuts;
  for (const bool tensor : ways<T>()) {
    for (const Cut& each :
         {Cut{32, 1, 48}, Cut{32, 3, 16}, Cut{64, 2, 32}, Cut{sizeof(T) == 4 ? 128 : 64, 1, 48}}) {
      cuts.push_back(each);
      cuts.back().tensor = tensor;
    }
  }
  for (const Cut& cut : cuts) {
    for (const Stream& on : {stream(), Stream::device(nullptr)}) {
      const bool whole = cut.splits == 1 || on.tickets() != nullptr;
      const Scratch<T> space(cut.splits * s.m * (s.n + 1), "workspace");
      const auto multiply = [&](T* c, const kernels::Finish<T>& finish, T* left_sums) {
        EXPECT_EQ(kernels::device::gemm_by<T>(cut, on, true, false, s.m, s.n, s.k, T(1), a.data(), b.data(),
                                              T(0), bias.data(), c, space.data(), finish, left_sums),
                  whole);
      };
      // c, value and left_sums of one call; what is not asked for stays empty.
      using Results = std::array<std::vector<T>, 3>;
      const auto results = [&](kernels::Finish<T> finish, bool keep, bool activate, bool sum) {
        std::optional<Out<T>> c, value, rows;
        if (keep) c.emplace(s.m * s.n, "c");
        if (activate) value.emplace(s.m * s.n, "value");
        if (sum) rows.emplace(s.m, "left_sums");
        run_all_orders(
            [&] {
              if (activate) finish.value = value->data();
              multiply(keep ? c->data() : nullptr, finish, sum ? rows->data() : nullptr);
            },
            {.shuffles = 1});
        return Results{keep ? c->values() : std::vector<T>(), activate ? value->values() : std::vector<T>(),
                       sum ? rows->values() : std::vector<T>()};
      };
      const std::vector<T> plain = results({}, true, false, false)[0];
      if (!whole) continue;  // the caller finishes: LaunchersFinishInAnyCase
      for (const Activation& f : activations) {
        std::vector<T> expected = plain, sloped = plain;
        kernels::finish_results<T>({}, s.m * s.n, nullptr, {.f = f, .value = expected.data()});
        kernels::finish_results<T>({}, s.m * s.n, sloped.data(), {.f = f, .slope_at = at.data()});
        const Results all = results({.f = f}, true, true, true);
        expect_same(all[0], plain, "results beside an activation");
        expect_same(all[1], expected, "activation");
        expect_near<T>(
            all[2], sums, [](size_t) { return 100 * std::numeric_limits<T>::epsilon(); },
            "sums of the left rows");
        expect_same(results({.f = f}, false, true, false)[1], expected, "activation alone");
        expect_same(results({.f = f, .slope_at = slope_at.data()}, true, false, false)[0], sloped,
                    "times slope");
      }
    }
  }
}

// The launchers, on streams where one launch does not do it and where there is nothing to multiply.
TYPED_TEST(SimtGemm, LaunchersFinishInAnyCase) {
  using T = TypeParam;
  for (const Sizes& s : {Sizes{5, 33, 1037}, Sizes{3, 4, 0}, Sizes{7, 5, 9}}) {
    for (const Stream& on : {stream(), Stream::device(nullptr)}) {
      const auto left = noise<T>(s.k * s.m, 1), right = noise<T>(s.k * s.n, 2);
      const kernels::Finish<T> by_leaky{.f = kernels::LeakyRelu{0.2}};
      const auto multiply = [&](Stream where, const T* a, const T* b, T* value, T* sums, void* space) {
        kernels::Finish<T> finish = by_leaky;
        finish.value = value;
        kernels::gemm<T>(where, true, false, s.m, s.n, s.k, T(1), a, b, T(0), nullptr, space, finish, sums);
      };
      std::vector<T> value(static_cast<size_t>(s.m * s.n)), sums(static_cast<size_t>(s.m));
      kernels::Workspace host(kernels::gemm_workspace<T>(true, false, s.m, s.n, s.k, {}, true));
      multiply({}, left.data(), right.data(), value.data(), sums.data(), host.data());
      const In<T> a(left, "a"), b(right, "b");
      const Out<T> device_value(s.m * s.n, "value"), device_sums(s.m, "left_sums");
      const Scratch<T> space(
          static_cast<int64_t>(kernels::gemm_workspace<T>(true, false, s.m, s.n, s.k, on, true) / sizeof(T)),
          "workspace");
      run_all_orders(
          [&] { multiply(on, a.data(), b.data(), device_value.data(), device_sums.data(), space.data()); },
          {.shuffles = 1});
      const auto bound = [&](size_t) {
        return 8 * std::sqrt(static_cast<double>(s.k + 1)) * std::numeric_limits<T>::epsilon() * 4;
      };
      expect_near(device_value.values(), value, bound, "value");
      expect_near(device_sums.values(), sums, bound, "left_sums");
    }
  }
}

TYPED_TEST(SimtGemm, BatchesByEveryTile) {
  using T = TypeParam;
  constexpr int64_t batch = 3;
  for (const auto& [m, n, k] :
       {std::tuple<int64_t, int64_t, int64_t>{35, 66, 20}, {4, 8, 17}, {1, 1, 1}, {5, 4, 0}}) {
    for (int flags = 0; flags < 4; ++flags) {
      const bool ta = flags & 1, tb = flags & 2, one_a = flags == 1,
                 one_b = flags == 2;  // one matrix for all
      const auto a = noise<T>((one_a ? 1 : batch) * m * k, 1), b = noise<T>((one_b ? 1 : batch) * k * n, 2);
      const int64_t step_a = one_a ? 0 : m * k, step_b = one_b ? 0 : k * n;
      std::vector<T> expected(static_cast<size_t>(batch * m * n));
      for (int64_t i = 0; i < batch; ++i) {
        for (int64_t row = 0; row < m; ++row) {
          for (int64_t column = 0; column < n; ++column) {
            double sum = 0;
            for (int64_t l = 0; l < k; ++l) {
              sum +=
                  static_cast<double>(a[static_cast<size_t>(i * step_a + (ta ? l * m + row : row * k + l))]) *
                  static_cast<double>(
                      b[static_cast<size_t>(i * step_b + (tb ? column * k + l : l * n + column))]);
            }
            expected[static_cast<size_t>((i * m + row) * n + column)] = static_cast<T>(sum);
          }
        }
      }
      const auto bound = [&, depth = k](size_t) {
        return 8 * static_cast<double>(depth + 1) * std::numeric_limits<T>::epsilon();
      };
      std::vector<T> space(kernels::gemm_batched_workspace<T>(ta, tb, batch, m, n, k) / sizeof(T) + 16),
          host(expected.size());
      void* aligned = space.data() + (64 - reinterpret_cast<uintptr_t>(space.data()) % 64) % 64 / sizeof(T);
      kernels::gemm_batched<T>(Stream(), ta, tb, batch, m, n, k, a.data(), step_a, b.data(), step_b,
                               host.data(), aligned);
      expect_near(host, expected, bound, "host");
      const In<T> left(a, "a"), right(b, "b");
      for (const Cut& cut : {Cut{32}, Cut{64}, Cut{128}, Cut{.tile = 32, .tensor = true},
                             Cut{.tile = 64, .tensor = true}, Cut{.tile = 128, .tensor = true}}) {
        if ((cut.tile == 128 || cut.tensor) && sizeof(T) == 8) continue;
        const Out<T> c(batch * m * n, "c");
        run_all_orders([&, m_ = m, n_ = n, k_ = k] {
          kernels::device::gemm_batched_by<T>(cut, stream(), ta, tb, batch, m_, n_, k_, left.data(), step_a,
                                              right.data(), step_b, c.data());
        });
        const auto rounded = [&, depth = k](size_t) {
          return static_cast<double>(depth) * std::ldexp(1.0, -10);
        };
        if (cut.tensor) {
          expect_near(c.values(), expected, rounded, "tensor cores");
        } else {
          expect_near(c.values(), expected, bound, "device");
        }
      }
    }
  }
}

TEST(SimtGemmCut, FollowsTheShape) {
  using kernels::device::cut_product;
  EXPECT_EQ(cut_product<float>(4096, 4096, 4096, true).tile, 128);
  EXPECT_EQ(cut_product<double>(4096, 4096, 4096, true).tile, 64);
  EXPECT_EQ(cut_product<float>(4096, 4096, 4096, true).splits, 1);
  const Cut small = cut_product<float>(192, 256, 784, true);  // performance-notes: 48 tiles, several parts
  EXPECT_EQ(small.tile, 32);
  EXPECT_EQ(small.splits, 5);
  for (int64_t k : {1, 15, 16, 127, 128, 129, 1000, 12544, 100003}) {
    for (int64_t m : {1, 16, 64, 500}) {
      const Cut cut = cut_product<float>(m, 16, k, true);
      EXPECT_EQ(cut.depth % kernels::device::kDepth, 0);
      EXPECT_GE(cut.splits * cut.depth, k);
      EXPECT_LT((cut.splits - 1) * cut.depth, k) << "an empty part";
      EXPECT_EQ(cut_product<float>(m, 16, k, false).splits, 1);
    }
  }
}

}  // namespace
}  // namespace duel::simt
