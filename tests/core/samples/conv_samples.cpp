// Samples of core/ops/linear/conv.h.
#include "duel/core/ops/linear/conv.h"
#include "duel/kernels/linear/conv.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

struct ConvCase {
  int64_t n, ci, co;
  Size2d size, kernel, stride, padding, output_padding, dilation = 1;
  int64_t groups = 1;
};
// Odd sizes, strides that leave a rest, kernels from 1 to 5, single channels, batch 1; then groups, dilation and
// rectangles, alone and together.
const ConvCase kConvCases[] = {{2, 1, 3, 6, 4, 2, 1, 0},
                               {1, 3, 1, 5, 3, 1, 1, 0},
                               {2, 2, 2, 7, 3, 2, 0, 1},
                               {3, 1, 1, 4, 1, 1, 0, 0},
                               {1, 2, 3, 5, 2, 2, 0, 1},
                               {2, 3, 2, 8, 5, 3, 2, 2},
                               {1, 1, 2, 7, 4, 2, 1, 1},
                               {2, 4, 4, 5, 3, 1, 1, 0, 1, 4},
                               {1, 2, 6, 5, 3, 2, 1, 1, 1, 2},
                               {1, 2, 3, 7, 3, 1, 2, 0, 2},
                               {1, 2, 2, 9, 3, 2, 1, 1, 3},
                               {1, 2, 3, {5, 6}, {3, 2}, {2, 1}, {1, 0}, {1, 0}},
                               {2, 4, 2, {7, 5}, {2, 3}, {1, 2}, {2, 1}, {0, 1}, {3, 1}, 2},
                               {1, 3, 6, {6, 9}, {2, 2}, {3, 2}, {0, 2}, {2, 0}, {2, 4}, 3}};

ConvOptions options_of(const ConvCase& c) {
  return {.stride = c.stride, .padding = c.padding, .dilation = c.dilation, .groups = c.groups};
}
std::string label_of(const ConvCase& c) {
  return message("n{} c{}-{} {}px k{} s{} p{} op{} d{} g{}", c.n, c.ci, c.co, c.size, c.kernel, c.stride,
                 c.padding, c.output_padding, c.dilation, c.groups);
}
Shape out_shape(const ConvCase& c) {
  return {c.n, c.co, kernels::conv_out_size(c.size.h, c.kernel.h, c.stride.h, c.padding.h, c.dilation.h),
          kernels::conv_out_size(c.size.w, c.kernel.w, c.stride.w, c.padding.w, c.dilation.w)};
}
Shape transposed_shape(const ConvCase& c) {
  return {c.n, c.co,
          kernels::conv_transpose_out_size(c.size.h, c.kernel.h, c.stride.h, c.padding.h, c.output_padding.h,
                                           c.dilation.h),
          kernels::conv_transpose_out_size(c.size.w, c.kernel.w, c.stride.w, c.padding.w, c.output_padding.w,
                                           c.dilation.w)};
}

/// Calls f(x index, w index, y index) for every product of the definition of a convolution.
template <class F>
void each_term(const Shape& x, const Shape& w, const Shape& y, const ConvOptions& o, F f) {
  for (int64_t n = 0; n < y[0]; ++n)
    for (int64_t co = 0; co < y[1]; ++co)
      for (int64_t p = 0; p < y[2]; ++p)
        for (int64_t q = 0; q < y[3]; ++q)
          for (int64_t ci = 0; ci < w[1]; ++ci)
            for (int64_t i = 0; i < w[2]; ++i)
              for (int64_t j = 0; j < w[3]; ++j) {
                const int64_t r = p * o.stride.h - o.padding.h + i * o.dilation.h;
                const int64_t c = q * o.stride.w - o.padding.w + j * o.dilation.w;
                if (r < 0 || c < 0 || r >= x[2] || c >= x[3]) continue;
                const int64_t channel = co / (y[1] / o.groups) * w[1] + ci;
                f(static_cast<size_t>(((n * x[1] + channel) * x[2] + r) * x[3] + c),
                  static_cast<size_t>(((co * w[1] + ci) * w[2] + i) * w[3] + j),
                  static_cast<size_t>(((n * y[1] + co) * y[2] + p) * y[3] + q));
              }
}

Array zeros(const Shape& shape) { return {shape, std::vector<double>(static_cast<size_t>(shape.numel()))}; }

void add_bias(Array& y, const Arrays& x) {
  if (x.size() < 3) return;
  for (int64_t i = 0; i < y.shape.numel(); ++i) {
    y.values[static_cast<size_t>(i)] +=
        x[2].values[static_cast<size_t>(i / (y.shape[2] * y.shape[3]) % y.shape[1])];
  }
}

std::vector<OpSample> conv2d_samples() {
  std::vector<OpSample> samples;
  for (const ConvCase& c : kConvCases) {
    const ConvOptions o = options_of(c);
    const Shape out = out_shape(c);
    samples.push_back({.label = label_of(c),
                       .inputs = {{.shape = {c.n, c.ci, c.size.h, c.size.w}},
                                  {.shape = {c.co, c.ci / c.groups, c.kernel.h, c.kernel.w}},
                                  {.shape = {c.co}}},
                       .apply = [o](const Tensors& x) { return conv2d(x[0], x[1], x[2], o); },
                       .reference =
                           [o, out](const Arrays& x) {
                             Array y = zeros(out);
                             each_term(x[0].shape, x[1].shape, y.shape, o,
                                       [&](size_t xi, size_t wi, size_t yi) {
                                         y.values[yi] += x[0].values[xi] * x[1].values[wi];
                                       });
                             add_bias(y, x);
                             return y;
                           }});
  }
  return samples;
}

std::vector<OpSample> conv_transpose2d_samples() {
  std::vector<OpSample> samples;
  for (const ConvCase& c : kConvCases) {
    ConvOptions o = options_of(c);
    o.output_padding = c.output_padding;
    const Shape out = transposed_shape(c);
    samples.push_back({.label = label_of(c),
                       .inputs = {{.shape = {c.n, c.ci, c.size.h, c.size.w}},
                                  {.shape = {c.ci, c.co / c.groups, c.kernel.h, c.kernel.w}},
                                  {.shape = {c.co}}},
                       .apply = [o](const Tensors& x) { return conv_transpose2d(x[0], x[1], x[2], o); },
                       .reference =
                           [o, out](const Arrays& x) {
                             Array y = zeros(out);
                             each_term(y.shape, x[1].shape, x[0].shape, o,
                                       [&](size_t yi, size_t wi, size_t xi) {
                                         y.values[yi] += x[0].values[xi] * x[1].values[wi];
                                       });
                             add_bias(y, x);
                             return y;
                           }});
  }
  return samples;
}

std::vector<OpSample> weight_grad_samples() {
  std::vector<OpSample> samples;
  for (const ConvCase& c : kConvCases) {
    const ConvOptions o = options_of(c);
    samples.push_back(
        {.label = label_of(c),
         .inputs = {{.shape = {c.n, c.ci, c.size.h, c.size.w}}, {.shape = out_shape(c)}},
         .apply = [o, c](const Tensors& x) { return conv2d_weight_grad(x[0], x[1], c.kernel, o); },
         .reference =
             [o, c](const Arrays& x) {
               Array w = zeros({c.co, c.ci / c.groups, c.kernel.h, c.kernel.w});
               each_term(x[0].shape, w.shape, x[1].shape, o, [&](size_t xi, size_t wi, size_t yi) {
                 w.values[wi] += x[0].values[xi] * x[1].values[yi];
               });
               return w;
             }});
  }
  return samples;
}

const RegisterOp conv2d_registered("conv2d", conv2d_samples);
const RegisterOp conv_transpose2d_registered("conv_transpose2d", conv_transpose2d_samples);
const RegisterOp weight_grad_registered("conv2d_weight_grad", weight_grad_samples);

}  // namespace
}  // namespace duel
