// Matrix products and convolutions: D's first layer and G's last, which have one channel, a layer between, and
// a layer of an MLP. They are the rows that other libraries are measured by (DUEL_HOST_LIBRARY,
// DUEL_DEVICE_LIBRARY).
#include <algorithm>

#include "cases.h"
#include "duel/kernels/linear/conv.h"
#include "duel/kernels/linear/gemm.h"

namespace duel::apps::bench {
namespace {

using kernels::ConvPass;

/// op(x) [rows, 784] times op(w) [784, 256], plus a bias.
template <class T, bool Transposed>
Case product(const Setting& s) {
  constexpr int64_t kIn = 784, kOut = 256, kWeights = (kIn + 1) * kOut;
  const int64_t room = s.size / s.element() - kWeights, rows = room > kIn + kOut ? room / (kIn + kOut) : 1;
  const Tensor x = s.numbers({rows, kIn}, 1), w = s.numbers({kOut, kIn}, 2), bias = s.numbers({kOut}, 3);
  const Tensor y = s.numbers({rows, kOut}, 4);
  const auto bytes =
      static_cast<int64_t>(kernels::gemm_workspace<T>(Transposed, !Transposed, rows, kOut, kIn, s.stream()));
  const Tensor work = Tensor::empty({bytes}, {DType::u8, s.device});
  return {.shape = message("{}x784x256", rows),
          .bytes = (rows * (kIn + kOut) + kWeights) * s.element(),
          .flops = 2.0 * static_cast<double>(rows * kIn * kOut),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>(), scratch = work.mutable_raw()] {
                (void)work;
                if constexpr (Transposed)
                  kernels::gemm<T>(stream, true, false, rows, kOut, kIn, T(0.5), x.data<T>(), w.data<T>(),
                                   T(-1), to, scratch);
                else
                  kernels::gemm_bias<T>(stream, false, true, rows, kOut, kIn, x.data<T>(), w.data<T>(),
                                        bias.data<T>(), to, scratch);
              },
          .results = {y}};
}
template <class T>
Case dense_layer(const Setting& s) {
  return product<T, false>(s);
}
template <class T>
Case transposed_product(const Setting& s) {
  return product<T, true>(s);
}

/// A layer that ends in an activation; then its weight's and its bias's gradient, and a gradient times that slope.
template <class T>
Case finished_products(const Setting& s) {
  constexpr int64_t kIn = 70, kOut = 37;
  const int64_t rows = s.count((kIn + 3 * kOut) * s.element());
  const Tensor x = s.numbers({rows, kIn}, 1), w = s.numbers({kOut, kIn}, 2), bias = s.numbers({kOut}, 3),
               g = s.numbers({rows, kOut}, 4);
  const Tensor before = s.empty({rows, kOut}), y = s.empty({rows, kOut}), dw = s.empty({kOut, kIn}),
               db = s.empty({kOut}), dx = s.empty({rows, kIn});
  const Tensor paired_dw = s.empty({kOut, kIn}), paired_db = s.empty({kOut}),
               paired_dx = s.empty({rows, kIn});
  const auto bytes = std::max({kernels::gemm_workspace<T>(false, true, rows, kOut, kIn, s.stream()),
                               kernels::gemm_workspace<T>(true, false, kOut, kIn, rows, s.stream(), true),
                               kernels::gemm_workspace<T>(false, false, rows, kIn, kOut, s.stream())});
  const Tensor work = Tensor::empty({static_cast<int64_t>(bytes)}, {DType::u8, s.device}),
               more_work = Tensor::empty({static_cast<int64_t>(bytes)}, {DType::u8, s.device});
  return {.shape = message("{}x{}x{}", rows, kIn, kOut),
          .bytes = rows * (4 * kIn + 5 * kOut) * s.element(),
          .run =
              [=, stream = s.stream(), to_before = before.mutable_data<T>(), to = y.mutable_data<T>(),
               to_w = dw.mutable_data<T>(), to_b = db.mutable_data<T>(), to_x = dx.mutable_data<T>(),
               scratch = work.mutable_raw()] {
                (void)work;
                const kernels::Activation leaky = kernels::LeakyRelu{0.2};
                kernels::gemm_bias<T>(stream, false, true, rows, kOut, kIn, x.data<T>(), w.data<T>(),
                                      bias.data<T>(), to_before, scratch, {.f = leaky, .value = to});
                kernels::gemm<T>(stream, true, false, kOut, kIn, rows, T(1), g.data<T>(), x.data<T>(), T(0),
                                 to_w, scratch, {}, to_b);
                kernels::gemm<T>(stream, false, false, rows, kIn, kOut, T(1), g.data<T>(), w.data<T>(), T(0),
                                 to_x, scratch, {.f = leaky, .slope_at = x.data<T>()});
                kernels::gemm_pair<T>(stream,
                                      {{rows, kIn, kOut},
                                       false,
                                       false,
                                       g.data<T>(),
                                       w.data<T>(),
                                       paired_dx.mutable_data<T>(),
                                       scratch,
                                       {.f = leaky, .slope_at = x.data<T>()}},
                                      {{kOut, kIn, rows},
                                       true,
                                       false,
                                       g.data<T>(),
                                       x.data<T>(),
                                       paired_dw.mutable_data<T>(),
                                       more_work.mutable_raw(),
                                       {},
                                       paired_db.mutable_data<T>()});
              },
          .results = {before, y, dw, db, dx, paired_dw, paired_db, paired_dx}};
}

/// [batch, 5, 37] times one [37, 6] for all.
template <class T>
Case batched(const Setting& s) {
  const int64_t batch = s.count((5 * 37 + 30) * s.element());
  const Tensor a = s.numbers({batch, 5 * 37}, 1), b = s.numbers({37 * 6}, 2), c = s.empty({batch, 30});
  const auto bytes =
      static_cast<int64_t>(kernels::gemm_batched_workspace<T>(false, false, batch, 5, 6, 37, s.stream()));
  const Tensor work = Tensor::empty({bytes}, {DType::u8, s.device});
  return {.shape = message("{}x5x37x6", batch),
          .bytes = (batch * (5 * 37 + 30) + 37 * 6) * s.element(),
          .run =
              [=, stream = s.stream(), to = c.mutable_data<T>(), scratch = work.mutable_raw()] {
                (void)work;
                kernels::gemm_batched<T>(stream, false, false, batch, 5, 6, 37, a.data<T>(), 5 * 37,
                                         b.data<T>(), 0, to, scratch);
              },
          .results = {c}};
}

/// `in` channels of side x side to `out` of half the side by 4 x 4 windows of stride 2.
template <class T>
Case halving(const Setting& s, ConvPass pass, int64_t in, int64_t out, int64_t side) {
  const int64_t half = side / 2, x_row = in * side * side, y_row = out * half * half, weights = out * in * 16;
  const int64_t room = s.size / s.element() - weights, n = room > x_row + y_row ? room / (x_row + y_row) : 1;
  const kernels::ConvShape shape{.n = n,
                                 .c_in = in,
                                 .h_in = side,
                                 .w_in = side,
                                 .c_out = out,
                                 .h_out = half,
                                 .w_out = half,
                                 .kh = 4,
                                 .kw = 4,
                                 .stride_h = 2,
                                 .stride_w = 2,
                                 .pad_h = 1,
                                 .pad_w = 1};
  const Tensor x = s.numbers({n, x_row}, 1), y = s.numbers({n, y_row}, 2), w = s.numbers({weights}, 3);
  const auto bytes = static_cast<int64_t>(kernels::conv2d_workspace<T>(shape, pass, s.stream()));
  const Tensor work = Tensor::empty({bytes}, {DType::u8, s.device});
  const Tensor result = pass == ConvPass::kForward ? y : pass == ConvPass::kInputGrad ? x : w;
  const Tensor first = pass == ConvPass::kInputGrad ? y : x, second = pass == ConvPass::kWeightGrad ? y : w;
  return {.shape = message("{}x{}x{}x{}", n, in, side, side),
          .bytes = (n * (x_row + y_row) + weights) * s.element(),
          .flops = 2.0 * static_cast<double>(n * y_row * in * 16),
          .run =
              [=, stream = s.stream(), to = result.mutable_data<T>(), scratch = work.mutable_raw()] {
                (void)work;
                kernels::conv2d<T>(stream, shape, pass, first.data<T>(), second.data<T>(), nullptr, to,
                                   scratch);
              },
          .results = {result}};
}
NamedCase halving_case(const char* name, ConvPass pass, int64_t in, int64_t out, int64_t side) {
  return {name, "conv", [=](const Setting& s) {
            return s.dtype == DType::f64 ? halving<double>(s, pass, in, out, side)
                                         : halving<float>(s, pass, in, out, side);
          }};
}

/// Two groups, dilated rows, another stride along each axis: 4x11x10 -> 6x5x3, all passes.
template <class T>
Case grouped(const Setting& s) {
  const int64_t x_row = 4 * 11 * 10, y_row = 6 * 5 * 3, weights = 6 * 2 * 3 * 4;
  const int64_t n = s.count(2 * (x_row + y_row) * s.element());
  const kernels::ConvShape shape{.n = n,
                                 .c_in = 4,
                                 .h_in = 11,
                                 .w_in = 10,
                                 .c_out = 6,
                                 .h_out = 5,
                                 .w_out = 3,
                                 .kh = 3,
                                 .kw = 4,
                                 .stride_h = 2,
                                 .stride_w = 3,
                                 .pad_h = 1,
                                 .pad_w = 1,
                                 .groups = 2,
                                 .dilation_h = 2};
  const Tensor x = s.numbers({n, x_row}, 1), dy = s.numbers({n, y_row}, 2), w = s.numbers({weights}, 3),
               bias = s.numbers({6}, 4);
  const Tensor y = s.empty({n, y_row}), dx = s.empty({n, x_row}), dw = s.empty({weights}), db = s.empty({6});
  size_t bytes = 0;
  for (const ConvPass pass : {ConvPass::kForward, ConvPass::kInputGrad, ConvPass::kWeightGrad}) {
    bytes =
        std::max(bytes, kernels::conv2d_workspace<T>(shape, pass, s.stream(), pass == ConvPass::kWeightGrad));
  }
  const Tensor work = Tensor::empty({static_cast<int64_t>(bytes)}, {DType::u8, s.device});
  return {.shape = message("{}x4x11x10", n),
          .bytes = 2 * n * (x_row + y_row) * s.element(),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>(), to_x = dx.mutable_data<T>(),
               to_w = dw.mutable_data<T>(), to_b = db.mutable_data<T>(), scratch = work.mutable_raw()] {
                (void)work;
                kernels::conv2d<T>(stream, shape, ConvPass::kForward, x.data<T>(), w.data<T>(),
                                   bias.data<T>(), to, scratch);
                kernels::conv2d<T>(stream, shape, ConvPass::kInputGrad, dy.data<T>(), w.data<T>(), nullptr,
                                   to_x, scratch);
                kernels::conv2d<T>(stream, shape, ConvPass::kWeightGrad, x.data<T>(), dy.data<T>(), nullptr,
                                   to_w, scratch, {}, to_b);
              },
          .results = {y, dx, dw, db}};
}

}  // namespace

std::vector<NamedCase> linear_cases() {
  return {halving_case("thin_conv_forward", ConvPass::kForward, 1, 64, 28),
          halving_case("thin_conv_input_grad", ConvPass::kInputGrad, 1, 64, 28),
          halving_case("thin_conv_weight_grad", ConvPass::kWeightGrad, 1, 64, 28),
          halving_case("conv_forward", ConvPass::kForward, 32, 64, 14),
          halving_case("conv_input_grad", ConvPass::kInputGrad, 32, 64, 14),
          halving_case("conv_weight_grad", ConvPass::kWeightGrad, 32, 64, 14),
          DUEL_VALUES("conv_groups", "conv", grouped),
          DUEL_BENCH("gemm", "gemm", dense_layer),
          DUEL_VALUES("gemm_batched", "gemm", batched),
          DUEL_VALUES("gemm_finished", "gemm", finished_products),
          DUEL_VALUES("gemm_transposed", "gemm", transposed_product)};
}

}  // namespace duel::apps::bench
