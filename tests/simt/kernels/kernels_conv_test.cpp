// Convolutions as CUDA kernels against the naive f64 definition: all passes, thin and general kernels. Fails
// on a lost phase of a stride, a pixel beyond the padding, a tap at the wrong place, a slab counted twice, a
// misaligned access.
#include <optional>

#include "duel/kernels/linear/conv.h"
#include "duel/kernels/linear/device/conv_device.h"
#include "kernels_common.h"
#include "tensor_ways.h"
#include "tests/kernels/linear/conv_reference.h"

namespace duel::simt {
namespace {

using kernels::Arrays;
using kernels::ConvPass;
using kernels::ConvShape;
using kernels::make_shape;
using kernels::Reference;

template <class T>
class SimtConv : public ::testing::Test {};
TYPED_TEST_SUITE(SimtConv, Types);

// The launchers as a user meets them, and the general kernel where a thin one would be chosen, of floats by tensor cores too.
enum class By { choice, general, tensor };

template <class T>
void expect_pass(const Arrays<T>& host, ConvPass pass, By by, bool with_bias, int shift) {
  const ConvShape& s = host.s;
  const bool weight_grad = pass == ConvPass::kWeightGrad, forward = pass == ConvPass::kForward;
  const std::vector<T>& result = weight_grad ? host.w : forward ? host.dy : host.x;
  const std::vector<T>& add = forward ? host.bias_out : host.bias_in;
  const bool tensor = by == By::tensor;
  const Tensor now(tensor);
  const auto product = [&](T a, T b) { return factor(a, tensor) * factor(b, tensor); };
  Reference expected(static_cast<int64_t>(result.size()));
  if (with_bias) {
    const int64_t plane = forward ? s.h_out * s.w_out : s.h_in * s.w_in;
    for (size_t i = 0; i < result.size(); ++i) {
      expected.add(static_cast<int64_t>(i), add[i / static_cast<size_t>(plane) % add.size()]);
    }
  }
  kernels::for_products(s, [&](int64_t in, int64_t tap, int64_t out) {
    if (forward) expected.add(out, product(host.x[in], host.w[tap]));
    if (pass == ConvPass::kInputGrad) expected.add(in, product(host.dy[out], host.w[tap]));
    if (weight_grad) expected.add(tap, product(host.dy[out], host.x[in]));
  });

  const In<T> first(pass == ConvPass::kInputGrad ? host.dy : host.x, "first");
  const In<T> second(weight_grad ? host.dy : host.w, "second"), bias(add, "bias");
  // Of a weight gradient the sums of dy per channel too, by one launch or by two.
  const Out<T> out(static_cast<int64_t>(result.size()), "out");
  std::optional<Out<T>> sums;
  if (weight_grad) sums.emplace(s.c_out, "dy_sums");
  const size_t bytes = by != By::choice ? kernels::device::general_workspace<T>(s, pass, weight_grad)
                                        : kernels::conv2d_workspace<T>(s, pass, stream(), weight_grad);
  const Scratch<T> space(static_cast<int64_t>(bytes / sizeof(T)), "workspace");
  const std::string what = std::string(forward       ? "forward, "
                                       : weight_grad ? "weight gradient, "
                                                     : "input gradient, ") +
                           (by == By::choice ? ""
                            : tensor         ? "tensor cores, "
                                             : "general, ") +
                           text(s) + ", shift " + std::to_string(shift);
  try {
    run_all_orders(
        [&] {
          const T* b = with_bias ? bias.data() : nullptr;
          if (by != By::choice) {
            EXPECT_TRUE(kernels::device::general_conv<T>(stream(), s, pass, first.data(), second.data(), b,
                                                         out.data(), space.data(), {},
                                                         sums ? sums->data() : nullptr));
          } else {
            kernels::conv2d<T>(stream(), s, pass, first.data(), second.data(), b, out.data(), space.data(),
                               {}, sums ? sums->data() : nullptr);
          }
        },
        {.shuffles = 1, .shift = shift});
  } catch (const Failure& failure) {
    FAIL() << what << ": " << failure.what();
  }
  expected.expect(out.values(), what);
  if (!sums) return;
  Reference channels(s.c_out);
  const int64_t plane = s.h_out * s.w_out;
  for (int64_t i = 0; i < s.n * s.c_out * plane; ++i)
    channels.add(i / plane % s.c_out, host.dy[static_cast<size_t>(i)]);
  channels.expect(sums->values(), what + ", sums of dy");
}

template <class T>
void expect_all(const ConvShape& s, By by, int shift = 0) {
  const Arrays<T> host(s);
  for (ConvPass pass : {ConvPass::kForward, ConvPass::kInputGrad, ConvPass::kWeightGrad}) {
    expect_pass(host, pass, by, pass != ConvPass::kWeightGrad && (s.c_in + shift) % 2 == 0, shift);
  }
}

//                        n  ci  h  w  co kh kw sh sw ph pw
const std::vector<ConvShape> kShapes = {
    make_shape(2, 3, 6, 6, 5, 4, 4, 2, 2, 1, 1),    // the layers of a DCGAN
    make_shape(1, 2, 7, 5, 2, 3, 3, 1, 1, 1, 1),    //
    make_shape(3, 4, 5, 8, 2, 2, 3, 2, 3, 0, 1),    // strides that leave a rest
    make_shape(2, 2, 9, 4, 3, 5, 1, 3, 1, 2, 0),    // taps that some phases do not meet
    make_shape(2, 5, 4, 4, 3, 1, 1, 1, 1, 0, 0),    //
    make_shape(1, 2, 4, 5, 2, 1, 2, 3, 2, 0, 0),    // pixels without any tap
    make_shape(2, 2, 2, 3, 2, 4, 5, 1, 2, 2, 3),    // more padding than image
    make_shape(1, 33, 3, 3, 34, 3, 3, 1, 1, 1, 1),  // more than one tile
    make_shape(40, 2, 4, 4, 3, 2, 2, 2, 2, 0, 0),   //
    make_shape(70, 3, 6, 6, 2, 4, 4, 2, 2, 1, 1),   // a weight gradient in parts
};

TYPED_TEST(SimtConv, AnyShape) {
  for (const ConvShape& s : kShapes) {
    expect_all<TypeParam>(s, By::choice);
    if (sizeof(TypeParam) == 4) expect_all<TypeParam>(s, By::tensor);
  }
  EXPECT_GT(kernels::conv2d_workspace<TypeParam>(kShapes.back(), ConvPass::kWeightGrad, stream()), 0u);
}

TYPED_TEST(SimtConv, GroupsAndDilation) {
  for (const ConvShape& s : {
           make_shape(2, 4, 7, 6, 6, 3, 3, 1, 1, 1, 1, 2),          //
           make_shape(1, 3, 8, 7, 3, 3, 2, 2, 1, 2, 0, 1, 2, 3),    // a dilation that the stride divides
           make_shape(2, 2, 9, 9, 4, 3, 3, 2, 3, 1, 2, 2, 3, 2),    // and one that it does not
           make_shape(1, 2, 12, 11, 2, 3, 4, 4, 6, 2, 3, 1, 6, 4),  // phases that meet no tap at all
           make_shape(2, 36, 4, 4, 70, 1, 2, 1, 1, 0, 0, 2, 1, 2),  // more than one tile in a group
           make_shape(70, 2, 6, 6, 4, 3, 3, 1, 1, 1, 1, 2, 2, 1),   // a weight gradient in parts
       }) {
    expect_all<TypeParam>(s, By::general);
    if (sizeof(TypeParam) == 4) expect_all<TypeParam>(s, By::tensor);
  }
  const ConvShape parts = make_shape(40, 18, 5, 5, 18, 2, 2, 1, 1, 1, 1, 2);
  ASSERT_FALSE(kernels::device::thin_suits(parts));
  expect_all<TypeParam>(parts, By::choice);
}

// Depthwise and other groups of few channels, through their own kernels; dilation with one channel.
TYPED_TEST(SimtConv, FewChannelsInAGroup) {
  for (const ConvShape& s :
       {make_shape(2, 5, 6, 7, 5, 3, 3, 1, 1, 1, 1, 5), make_shape(1, 3, 8, 7, 9, 4, 4, 2, 2, 1, 1, 3),
        make_shape(2, 6, 7, 9, 4, 3, 2, 2, 3, 2, 0, 2, 3, 2),
        make_shape(1, 4, 9, 8, 4, 3, 3, 4, 1, 3, 2, 4, 6, 2),
        make_shape(40, 2, 12, 12, 2, 5, 5, 1, 1, 2, 2, 2),
        make_shape(2, 1, 8, 7, 5, 3, 3, 2, 2, 2, 1, 1, 2, 3),
        make_shape(2, 5, 8, 7, 1, 3, 3, 2, 2, 2, 1, 1, 2, 3)}) {
    ASSERT_TRUE(kernels::device::thin_suits(s));
    expect_all<TypeParam>(s, By::choice, 1);
  }
}

// An activation or a slope in the launch against the same in a launch of its own, bit by bit, in every kernel: spread,
// gather, group and tiles with and without 16-byte stores.
TYPED_TEST(SimtConv, FinishesItsResults) {
  using T = TypeParam;
  for (const bool tensor : ways<T>()) {
    const Tensor now(tensor);
    for (const ConvShape& s :
         {make_shape(2, 1, 6, 6, 9, 4, 4, 2, 2, 1, 1), make_shape(3, 7, 6, 6, 1, 4, 4, 2, 2, 1, 1),
          make_shape(2, 5, 6, 7, 5, 3, 3, 1, 1, 1, 1, 5), make_shape(2, 4, 4, 4, 8, 3, 3, 1, 1, 1, 1),
          kShapes[3]}) {
      const Arrays<T> host(s);
      for (ConvPass pass : {ConvPass::kForward, ConvPass::kInputGrad}) {
        const bool forward = pass == ConvPass::kForward;
        const auto count = static_cast<int64_t>(forward ? host.dy.size() : host.x.size());
        const In<T> first(forward ? host.x : host.dy, "first"), second(host.w, "second"),
            bias(forward ? host.bias_out : host.bias_in, "bias"), at(noise<T>(count, 9), "slope_at");
        const auto results = [&](kernels::Finish<T> finish, bool keep, bool activate) {
          std::optional<Out<T>> out, value;
          if (keep) out.emplace(count, "out");
          if (activate) value.emplace(count, "value");
          run_all_orders(
              [&] {
                if (activate) finish.value = value->data();
                kernels::conv2d<T>(stream(), s, pass, first.data(), second.data(), bias.data(),
                                   keep ? out->data() : nullptr, nullptr, finish);
              },
              {.shuffles = 1});
          return std::pair(keep ? out->values() : std::vector<T>(),
                           activate ? value->values() : std::vector<T>());
        };
        const std::vector<T> plain = results({}, true, false).first;
        for (const kernels::Activation& f :
             {kernels::Activation(kernels::Relu{}), kernels::Activation(kernels::LeakyRelu{0.2}),
              kernels::Activation(kernels::Tanh{})}) {
          std::vector<T> expected = plain, sloped = plain;
          kernels::finish_results<T>({}, count, nullptr, {.f = f, .value = expected.data()});
          kernels::finish_results<T>({}, count, sloped.data(),
                                     {.f = f, .slope_at = noise<T>(count, 9).data()});
          const auto both = results({.f = f}, true, true);
          expect_same(both.first, plain, text(s) + " beside an activation");
          expect_same(both.second, expected, text(s) + " activation");
          expect_same(results({.f = f}, false, true).second, expected, text(s) + " activation alone");
          expect_same(results({.f = f, .slope_at = at.data()}, true, false).first, sloped,
                      text(s) + " times slope");
        }
      }
    }
  }
}

TYPED_TEST(SimtConv, AnyAddress) {
  expect_all<TypeParam>(kShapes[0], By::choice, 1);
  expect_all<TypeParam>(make_shape(2, 4, 4, 4, 8, 3, 3, 1, 1, 1, 1), By::choice, 0);  // every 16-byte path
  expect_all<TypeParam>(make_shape(2, 4, 4, 4, 8, 3, 3, 1, 1, 1, 1), By::choice, 1);  // and none of them
  if (sizeof(TypeParam) == 8) return;
  for (int shift : {0, 1})
    expect_all<TypeParam>(make_shape(2, 4, 4, 4, 8, 3, 3, 1, 1, 1, 1), By::tensor, shift);
}

// One channel on either side or on both, through its own kernels and through the general one.
TYPED_TEST(SimtConv, OneChannel) {
  for (const ConvShape& s :
       {make_shape(2, 1, 6, 6, 9, 4, 4, 2, 2, 1, 1), make_shape(3, 7, 6, 6, 1, 4, 4, 2, 2, 1, 1),
        make_shape(2, 1, 7, 5, 3, 3, 2, 1, 3, 2, 0), make_shape(2, 1, 3, 4, 1, 5, 5, 1, 1, 2, 2),
        make_shape(3, 20, 4, 4, 1, 4, 4, 1, 1, 0, 0), make_shape(1, 2, 9, 8, 1, 8, 8, 1, 1, 3, 3)}) {
    ASSERT_TRUE(kernels::device::thin_suits(s));
    expect_all<TypeParam>(s, By::choice, 1);
    expect_all<TypeParam>(s, By::general);
  }
  const ConvShape many = make_shape(24, 1, 28, 28, 2, 4, 4, 2, 2, 1, 1);  // slabs of samples
  EXPECT_GT(kernels::conv2d_workspace<TypeParam>(many, ConvPass::kWeightGrad, stream()), 0u);
  expect_all<TypeParam>(many, By::choice);
  const ConvShape wide = make_shape(1, 1, 9, 9, 2, 9, 9, 1, 1, 4, 4);  // more taps than the thin kernels hold
  ASSERT_FALSE(kernels::device::thin_suits(wide));
  expect_all<TypeParam>(wide, By::choice);
}

// Pixels for eight and for thirty-two at a time.
TYPED_TEST(SimtConv, OneChannelManyPixels) {
  const Arrays<TypeParam> some(make_shape(1, 2, 34, 33, 1, 3, 3, 1, 1, 1, 1)),
      more(make_shape(9, 2, 31, 31, 1, 1, 2, 1, 1, 0, 0));
  expect_pass(some, ConvPass::kForward, By::choice, true, 0);
  expect_pass(more, ConvPass::kForward, By::choice, false, 0);
}

TYPED_TEST(SimtConv, WithoutProducts) {
  using T = TypeParam;
  const ConvShape no_batch = make_shape(0, 2, 4, 4, 3, 2, 2, 1, 1, 0, 0),
                  no_input = make_shape(2, 0, 4, 4, 3, 2, 2, 1, 1, 0, 0);
  expect_all<T>(no_batch, By::choice);
  expect_all<T>(no_input, By::choice);
  expect_pass(Arrays<T>(no_input), ConvPass::kForward, By::choice, true, 0);  // the bias is left
}

// What follows cuDNN, which adds no bias.
TYPED_TEST(SimtConv, AddBias) {
  using T = TypeParam;
  const auto values = noise<T>(2 * 3 * 7, 1), add = noise<T>(3, 2);
  std::vector<T> expected = values;
  for (size_t i = 0; i < expected.size(); ++i) expected[i] += add[i / 7 % 3];
  const InOut<T> y(values, "y");
  const In<T> bias(add, "bias");
  run_all_orders([&] { kernels::device::add_bias<T>(stream(), 2, 3, 7, bias.data(), y.data()); },
                 {.shift = 1});
  expect_same(y.values(), expected, "add_bias");
}

// Images wide enough for the tiles of 64 and 128.
TYPED_TEST(SimtConv, LargeTiles) {
  using T = TypeParam;
  const Arrays<T> medium(make_shape(3, 2, 54, 54, 33, 1, 1, 1, 1, 0, 0));
  const Arrays<T> large(make_shape(3, 1, 76, 76, 65, 1, 1, 1, 1, 0, 0));
  ASSERT_GT(medium.s.n * 54 * 54, 132 * 64);
  ASSERT_GT(large.s.n * 76 * 76, 132 * 128);
  expect_pass(medium, ConvPass::kForward, By::general, true, 0);
  if (sizeof(T) == 8) return;
  expect_pass(large, ConvPass::kForward, By::general, true, 0);
  expect_pass(medium, ConvPass::kForward, By::tensor, true, 0);
  expect_pass(large, ConvPass::kForward, By::tensor, true, 0);
}

}  // namespace
}  // namespace duel::simt
