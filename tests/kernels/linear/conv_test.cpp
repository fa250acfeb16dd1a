// The three convolutions against a naive f64 definition, within the bound of a float sum in any order. Fails
// on wrong padding or stride arithmetic, rows of the input that no window reaches, tile edges, a batch or
// channel count that is not a multiple of a chunk, writes outside the output, bits that follow the thread
// count.
#include "duel/kernels/linear/conv.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "conv_reference.h"
#include "duel/kernels/base/parallel.h"

namespace duel::kernels {
namespace {

template <class T>
class Conv : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Conv, Reals);

TYPED_TEST(Conv, KernelsStridesPads) {
  for (int64_t kernel = 1; kernel <= 5; ++kernel) {
    for (int64_t stride = 1; stride <= 3; ++stride) {
      for (int64_t pad = 0; pad <= 2; ++pad) {
        for (int64_t c_in : {1, 3}) {
          // 9x11: with most strides some rows or columns are never reached (output_padding of the adjoint).
          Arrays<TypeParam>(make_shape(3, c_in, 9, 11, 5, kernel, kernel, stride, stride, pad, pad))
              .expect_right(pad != 1);
        }
      }
    }
  }
}

TYPED_TEST(Conv, ChannelCounts) {
  for (int64_t c_in : {1, 2, 3, 16, 17, 64}) {
    for (int64_t c_out : {1, 2, 3, 16, 17, 64}) {
      Arrays<TypeParam>(make_shape(2, c_in, 6, 6, c_out, 4, 4, 2, 2, 1, 1)).expect_right(c_in != 3);
    }
  }
}

TYPED_TEST(Conv, RectanglesEverywhere) {
  Arrays<TypeParam>(make_shape(2, 3, 5, 12, 4, 2, 5, 3, 1, 0, 2)).expect_right(true);
  Arrays<TypeParam>(make_shape(2, 1, 12, 5, 4, 5, 2, 1, 3, 2, 0)).expect_right(true);
  Arrays<TypeParam>(make_shape(1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0)).expect_right(true);
  Arrays<TypeParam>(make_shape(1, 2, 1, 40, 2, 1, 4, 1, 2, 0, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(3, 1, 33, 67, 2, 4, 4, 2, 2, 1, 1)).expect_right(true);
}

TYPED_TEST(Conv, GanLayersAndOddBatches) {
  for (int64_t n : {1, 5, 19}) {
    Arrays<TypeParam>(make_shape(n, 1, 28, 28, 64, 4, 4, 2, 2, 1, 1)).expect_right(true);
    Arrays<TypeParam>(make_shape(n, 1, 28, 28, 13, 4, 4, 2, 2, 1, 1)).expect_right(false);
  }
  Arrays<TypeParam>(make_shape(3, 64, 14, 14, 40, 4, 4, 2, 2, 1, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(2, 20, 6, 5, 290, 4, 4, 2, 2, 1, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(33, 8, 7, 7, 33, 3, 3, 1, 1, 1, 1)).expect_right(true);
}

TYPED_TEST(Conv, KernelTwiceTheStride) {
  // Fewer products than the definition has (kernels/linear/host/conv_winograd.h): odd and even outputs, rows
  // that no window reaches, wide padding, a batch that does not fill the last vector.
  Arrays<TypeParam>(make_shape(31, 26, 14, 13, 37, 4, 4, 2, 2, 1, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(16, 24, 7, 9, 24, 4, 4, 2, 2, 0, 0)).expect_right(false);
  Arrays<TypeParam>(make_shape(16, 24, 4, 5, 30, 4, 4, 2, 2, 3, 2)).expect_right(true);
  Arrays<TypeParam>(make_shape(47, 24, 5, 4, 24, 2, 2, 1, 1, 0, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(32, 25, 11, 8, 24, 6, 4, 3, 2, 2, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(15, 24, 4, 4, 24, 4, 4, 2, 2, 0, 0)).expect_right(true);  // one output
  Arrays<TypeParam>(make_shape(64, 64, 6, 6, 128, 4, 4, 2, 2, 1, 1)).expect_right(true);
}

TYPED_TEST(Conv, ThreeTapsOneStepApart) {
  // Fewer products than the definition has (kernels/linear/host/conv_three.h): odd and even outputs, every padding,
  // rectangles, a batch that does not fill the last vector, units of every number of tiles, channels of several tiles
  // and panels, so many that a unit has fewer tiles, and with most lanes empty.
  Arrays<TypeParam>(make_shape(16, 12, 8, 8, 13, 3, 3, 1, 1, 1, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(31, 26, 7, 9, 37, 3, 3, 1, 1, 1, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(16, 16, 6, 11, 24, 3, 3, 1, 1, 0, 2)).expect_right(false);
  Arrays<TypeParam>(make_shape(32, 17, 5, 4, 12, 3, 3, 1, 1, 2, 0)).expect_right(true);
  Arrays<TypeParam>(make_shape(64, 12, 3, 3, 12, 3, 3, 1, 1, 0, 0)).expect_right(true);  // one output
  Arrays<TypeParam>(make_shape(62, 33, 1, 28, 40, 3, 3, 1, 1, 1, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(16, 270, 4, 3, 30, 3, 3, 1, 1, 1, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(16, 30, 3, 4, 150, 3, 3, 1, 1, 2, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(3, 20, 30, 25, 20, 3, 3, 1, 1, 1, 1)).expect_right(true);
  Arrays<TypeParam>(make_shape(33, 36, 6, 5, 48, 3, 3, 1, 1, 1, 1, 3)).expect_right(true);  // groups
  Arrays<TypeParam>(make_shape(16, 32, 5, 6, 24, 3, 3, 1, 1, 2, 0, 2)).expect_right(false);
}

TYPED_TEST(Conv, OneTapOneStepApart) {
  // Matrix products with the images as they lie (kernels/linear/host/conv_point.h): places of a vector, of less, of pairs with
  // one more and with a part of one, channels of less and more than a tile and a block.
  for (const int64_t width : {1, 4, 8, 16, 17, 31, 33, 48, 55})
    Arrays<TypeParam>(make_shape(3, 5, 1, width, 7, 1, 1, 1, 1, 0, 0)).expect_right(true);
  for (const int64_t channels : {1, 2, 3, 4, 15, 33}) {
    Arrays<TypeParam>(make_shape(2, channels, 7, 7, 9, 1, 1, 1, 1, 0, 0)).expect_right(false);
    Arrays<TypeParam>(make_shape(5, 6, 14, 14, channels, 1, 1, 1, 1, 0, 0)).expect_right(true);
  }
}

TYPED_TEST(Conv, GroupsAndDilation) {
  for (int64_t kernel = 1; kernel <= 4; ++kernel) {
    for (int64_t stride = 1; stride <= 3; ++stride) {
      for (int64_t dilation = 1; dilation <= 4; ++dilation) {
        for (int64_t groups : {1, 2, 6}) {
          if (groups == 1 && dilation == 1) continue;
          Arrays<TypeParam>(
              make_shape(2, 6, 13, 14, 12, kernel, kernel, stride, stride, 2, 2, groups, dilation, dilation))
              .expect_right(kernel != 2);
        }
      }
    }
  }
  // Rectangles of everything; tiles of many rows, blocks of many samples, of several rows and of parts of one.
  Arrays<TypeParam>(make_shape(3, 4, 12, 9, 6, 2, 3, 2, 1, 1, 3, 2, 3, 2)).expect_right(true);
  Arrays<TypeParam>(make_shape(2, 8, 7, 15, 8, 3, 2, 1, 3, 0, 1, 8, 1, 5)).expect_right(true);
  Arrays<TypeParam>(make_shape(70, 34, 5, 4, 68, 3, 3, 1, 1, 1, 1, 2)).expect_right(true);
  Arrays<TypeParam>(make_shape(2, 40, 18, 17, 110, 3, 3, 1, 1, 2, 2, 1, 2, 2)).expect_right(true);
  Arrays<TypeParam>(make_shape(1, 60, 6, 7, 3, 3, 3, 1, 1, 2, 2, 1, 2, 2)).expect_right(false);
  Arrays<TypeParam>(make_shape(1, 2, 2, 530, 4, 2, 3, 1, 1, 1, 1, 2)).expect_right(true);
  Arrays<TypeParam>(make_shape(1, 2, 60, 50, 2, 25, 21, 1, 1, 0, 3, 2))
      .expect_right(true);  // more taps than a range
  Arrays<TypeParam>(make_shape(2, 2, 2, 3, 2, 3, 3, 1, 1, 5, 5, 2, 2, 3))
      .expect_right(true);  // mostly padding
  Arrays<TypeParam>(make_shape(0, 4, 8, 8, 6, 3, 3, 1, 1, 1, 1, 2)).expect_right(true);
}

TYPED_TEST(Conv, Empty) {
  const auto none = Arrays<TypeParam>(make_shape(0, 3, 8, 8, 5, 4, 4, 2, 2, 1, 1));
  none.expect_right(true);  // y and dx have no entries, dw is all zero
  Arrays<TypeParam>(make_shape(2, 0, 8, 8, 5, 4, 4, 2, 2, 1, 1)).expect_right(true);  // y is the bias
  Arrays<TypeParam>(make_shape(2, 3, 8, 8, 0, 4, 4, 2, 2, 1, 1)).expect_right(true);  // dx is the bias
  Arrays<TypeParam>(make_shape(2, 1, 2, 2, 3, 4, 4, 1, 1, 0, 0)).expect_right(true);  // no window fits
}

TYPED_TEST(Conv, SameBitsForAnyThreadCount) {
  for (const ConvShape& s :
       {make_shape(37, 1, 28, 28, 64, 4, 4, 2, 2, 1, 1), make_shape(21, 16, 14, 14, 32, 4, 4, 2, 2, 1, 1),
        make_shape(46, 24, 9, 9, 30, 4, 4, 2, 2, 1, 1), make_shape(46, 24, 9, 9, 30, 3, 3, 1, 1, 1, 1),
        make_shape(6, 24, 9, 9, 30, 1, 1, 1, 1, 0, 0), make_shape(37, 12, 14, 14, 12, 3, 3, 1, 1, 1, 1, 12),
        make_shape(21, 12, 20, 20, 18, 3, 3, 1, 1, 2, 2, 2, 2, 2),
        make_shape(9, 3, 13, 11, 20, 3, 5, 1, 2, 1, 0)}) {
    const Arrays<TypeParam> arrays(s);
    set_threads(1);
    const std::vector<TypeParam> one[] = {arrays.forward(true), arrays.input_grad(true),
                                          arrays.weight_grad()};
    for (int threads : {2, 4}) {
      set_threads(threads);
      const std::vector<TypeParam> many[] = {arrays.forward(true), arrays.input_grad(true),
                                             arrays.weight_grad()};
      for (int pass = 0; pass < 3; ++pass) {
        ASSERT_EQ(std::memcmp(one[pass].data(), many[pass].data(), one[pass].size() * sizeof(TypeParam)), 0)
            << threads << " threads, pass " << pass << ", " << text(s);
      }
    }
  }
  set_threads(2);
}

TYPED_TEST(Conv, RefusesBadShapes) {
  using T = TypeParam;
  ConvShape s = make_shape(1, 1, 4, 4, 1, 3, 3, 1, 1, 0, 0);
  std::vector<T> some(64);
  s.h_out = 3;
  EXPECT_THROW(conv2d<T>({}, s, ConvPass::kForward, some.data(), some.data(), nullptr, some.data(), nullptr),
               Error);
  s = make_shape(1, 1, 4, 4, 1, 3, 3, 1, 1, 0, 0);
  s.groups = 2;  // of one channel
  EXPECT_THROW(conv2d<T>({}, s, ConvPass::kForward, some.data(), some.data(), nullptr, some.data(), nullptr),
               Error);
  s.groups = 1;
  s.stride_w = 0;
  EXPECT_THROW(
      conv2d<T>({}, s, ConvPass::kWeightGrad, some.data(), some.data(), nullptr, some.data(), nullptr),
      Error);
}

}  // namespace
}  // namespace duel::kernels
