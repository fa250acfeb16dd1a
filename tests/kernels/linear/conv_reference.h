// The naive f64 definition of the three convolutions, and one problem that runs them and is compared with it.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "duel/kernels/linear/conv.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {

inline ConvShape make_shape(int64_t n, int64_t c_in, int64_t h, int64_t w, int64_t c_out, int64_t kh,
                            int64_t kw, int64_t sh, int64_t sw, int64_t ph, int64_t pw, int64_t groups = 1,
                            int64_t dh = 1, int64_t dw = 1) {
  ConvShape s{n, c_in, h, w, c_out, 0, 0, kh, kw, sh, sw, ph, pw, groups, dh, dw};
  s.h_out = conv_out_size(h, kh, sh, ph, dh);
  s.w_out = conv_out_size(w, kw, sw, pw, dw);
  return s;
}

inline std::string text(const ConvShape& s) {
  return "n " + std::to_string(s.n) + ", " + std::to_string(s.c_in) + "x" + std::to_string(s.h_in) + "x" +
         std::to_string(s.w_in) + " -> " + std::to_string(s.c_out) + "x" + std::to_string(s.h_out) + "x" +
         std::to_string(s.w_out) + ", kernel " + std::to_string(s.kh) + "x" + std::to_string(s.kw) +
         ", stride " + std::to_string(s.stride_h) + "x" + std::to_string(s.stride_w) + ", pad " +
         std::to_string(s.pad_h) + "x" + std::to_string(s.pad_w) + ", groups " + std::to_string(s.groups) +
         ", dilation " + std::to_string(s.dilation_h) + "x" + std::to_string(s.dilation_w);
}

// One product x * w -> y of the definition; visit(x index, w index, y index).
template <class Visit>
void for_products(const ConvShape& s, Visit visit) {
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t co = 0; co < s.c_out; ++co)
      for (int64_t p = 0; p < s.h_out; ++p)
        for (int64_t q = 0; q < s.w_out; ++q)
          for (int64_t ci = 0; ci < s.c_in / s.groups; ++ci)
            for (int64_t i = 0; i < s.kh; ++i)
              for (int64_t j = 0; j < s.kw; ++j) {
                const int64_t row = p * s.stride_h - s.pad_h + i * s.dilation_h;
                const int64_t col = q * s.stride_w - s.pad_w + j * s.dilation_w;
                if (row < 0 || row >= s.h_in || col < 0 || col >= s.w_in) continue;
                const int64_t channel = co / (s.c_out / s.groups) * (s.c_in / s.groups) + ci;
                visit(((n * s.c_in + channel) * s.h_in + row) * s.w_in + col,
                      ((co * (s.c_in / s.groups) + ci) * s.kh + i) * s.kw + j,
                      ((n * s.c_out + co) * s.h_out + p) * s.w_out + q);
              }
}

struct Reference {
  explicit Reference(int64_t count) : sum(count), size(count), terms(count) {}
  void add(int64_t at, double value) {
    sum[at] += value;
    size[at] += std::abs(value);
    ++terms[at];
  }
  template <class T>
  void expect(const std::vector<T>& got, const std::string& what) const {
    ASSERT_EQ(got.size(), sum.size());
    for (size_t i = 0; i < got.size(); ++i) {
      // "not less or equal" also fails on NaN.
      ASSERT_LE(std::abs(got[i] - sum[i]), rounding_bound<T>(terms[i], size[i])) << what << ", entry " << i;
    }
  }
  std::vector<double> sum, size;
  std::vector<int64_t> terms;
};

template <class T>
struct Arrays {
  explicit Arrays(const ConvShape& shape)
      : s(shape),
        x(noise<T>(s.n * s.c_in * s.h_in * s.w_in, 1)),
        w(noise<T>(s.c_out * (s.c_in / s.groups) * s.kh * s.kw, 2)),
        dy(noise<T>(s.n * s.c_out * s.h_out * s.w_out, 3)),
        bias_out(noise<T>(s.c_out, 4)),
        bias_in(noise<T>(s.c_in, 5)) {}

  std::vector<T> forward(bool bias) const {
    Guarded<T> y(dy.size());
    Workspace space(conv2d_workspace<T>(s, ConvPass::kForward));
    const PageEnd<T> x_in(x), w_in(w), bias_page(bias_out);
    conv2d<T>({}, s, ConvPass::kForward, x_in.data(), w_in.data(), bias ? bias_page.data() : nullptr,
              y.data(), space.data());
    EXPECT_TRUE(y.guards_intact()) << text(s);
    return y.copy();
  }
  std::vector<T> input_grad(bool bias) const {
    Guarded<T> dx(x.size());
    Workspace space(conv2d_workspace<T>(s, ConvPass::kInputGrad));
    const PageEnd<T> dy_in(dy), w_in(w), bias_page(bias_in);
    conv2d<T>({}, s, ConvPass::kInputGrad, dy_in.data(), w_in.data(), bias ? bias_page.data() : nullptr,
              dx.data(), space.data());
    EXPECT_TRUE(dx.guards_intact()) << text(s);
    return dx.copy();
  }
  std::vector<T> weight_grad() const {
    Guarded<T> dw(w.size());
    Workspace space(conv2d_workspace<T>(s, ConvPass::kWeightGrad));
    const PageEnd<T> x_in(x), dy_in(dy);
    conv2d<T>({}, s, ConvPass::kWeightGrad, x_in.data(), dy_in.data(), nullptr, dw.data(), space.data());
    EXPECT_TRUE(dw.guards_intact()) << text(s);
    return dw.copy();
  }

  void expect_right(bool bias) const {
    Reference y(dy.size()), dx(x.size()), dw(w.size());
    if (bias) {
      const int64_t out = s.h_out * s.w_out, in = s.h_in * s.w_in;
      for (int64_t i = 0; i < int64_t(dy.size()); ++i) y.add(i, bias_out[i / out % s.c_out]);
      for (int64_t i = 0; i < int64_t(x.size()); ++i) dx.add(i, bias_in[i / in % s.c_in]);
    }
    for_products(s, [&](int64_t in, int64_t tap, int64_t out) {
      y.add(out, double(x[in]) * w[tap]);
      dx.add(in, double(dy[out]) * w[tap]);
      dw.add(tap, double(dy[out]) * x[in]);
    });
    y.expect(forward(bias), "forward, " + text(s));
    dx.expect(input_grad(bias), "input gradient, " + text(s));
    dw.expect(weight_grad(), "weight gradient, " + text(s));
  }

  ConvShape s;
  std::vector<T> x, w, dy, bias_out, bias_in;
};

}  // namespace duel::kernels
