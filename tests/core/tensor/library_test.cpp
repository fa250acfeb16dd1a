// What a user of NumPy or PyTorch expects of a tensor beside its ops: printing, indexing, compound assignment, integers
// and masks. Expected texts are NumPy 2's.
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/kernels/base/error.h"

namespace duel {
namespace {

using Values = std::vector<double>;
using Integers = std::vector<int64_t>;

/// The text without the line of dtype and shape.
std::string values_of(const Tensor& x) {
  const std::string text = to_string(x);
  return text.substr(0, text.rfind("\n("));
}

TEST(Print, AsNumPyDoes) {
  EXPECT_EQ(to_string(Tensor::from({1.f, 2.5f, -3.f, 4.f}, {2, 2})),
            "[[ 1.   2.5]\n [-3.   4. ]]\n(f32 [2, 2])");
  EXPECT_EQ(values_of(Tensor::from({1, 20, -3}, {3})), "[ 1 20 -3]");
  EXPECT_EQ(values_of(Tensor::from({0.1f}, {1})), "[0.1]");
  EXPECT_EQ(values_of(Tensor::from({1.0 / 3.0, 2.0}, {2})), "[0.33333333 2.        ]");
  EXPECT_EQ(values_of(Tensor::from({1e-10, 1.0}, {2})), "[1.e-10 1.e+00]");
  EXPECT_EQ(values_of(Tensor::from({123456789.0, 1.5}, {2})), "[1.23456789e+08 1.50000000e+00]");
  EXPECT_EQ(values_of(Tensor::from({double(NAN), 1.0, double(INFINITY), -double(INFINITY)}, {4})),
            "[ nan   1.  inf -inf]");
  EXPECT_EQ(values_of(Tensor::full({}, 2.5)), "2.5");
  EXPECT_EQ(values_of(Tensor::zeros({0, 3})), "[]");
  EXPECT_EQ(values_of(Tensor::from({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2})),
            "[[[1 2]\n  [3 4]]\n\n [[5 6]\n  [7 8]]]");
  std::ostringstream out;
  out << Tensor::from<uint8_t>({1, 0}, {2});
  EXPECT_EQ(out.str(), "[1 0]\n(u8 [2])");
}

TEST(Print, SummarisesAndBreaksLines) {
  EXPECT_EQ(values_of(arange(1001)), "[   0    1    2 ...  998  999 1000]");
  EXPECT_EQ(values_of(arange(30)),
            "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n 24 25 26 27 28 29]");
  EXPECT_EQ(
      values_of(arange(10000).reshape({100, 100})),
      "[[   0    1    2 ...   97   98   99]\n [ 100  101  102 ...  197  198  199]\n [ 200  201  202 ...  297  298  "
      "299]\n ...\n [9700 9701 9702 ... 9797 9798 9799]\n [9800 9801 9802 ... 9897 9898 9899]\n [9900 9901 9902 ... "
      "9997 9998 9999]]");
}

TEST(Creation, SequencesAndIdentities) {
  EXPECT_EQ(arange(5).to_vector<int64_t>(), (Integers{0, 1, 2, 3, 4}));
  EXPECT_EQ(arange(5).dtype(), DType::i64);
  EXPECT_EQ(arange(7, 0, -3).to_vector<int64_t>(), (Integers{7, 4, 1}));
  EXPECT_EQ(arange(0.0, 1.0, 0.25).to_vector<double>(), (Values{0, 0.25, 0.5, 0.75}));
  EXPECT_EQ(arange(0, 3, 1, {DType::f64, {}}).dtype(), DType::f64);
  EXPECT_EQ(arange(3, 3).numel(), 0);
  EXPECT_EQ(linspace(-1, 1, 5, {DType::f64, {}}).to_vector<double>(), (Values{-1, -0.5, 0, 0.5, 1}));
  EXPECT_EQ(linspace(0.1, 0.7, 7, {DType::f64, {}})[6].item(), 0.7);  // the end itself
  EXPECT_EQ(linspace(2, 9, 1).to_vector<double>(), (Values{2}));
  EXPECT_EQ(eye(2, 3).to_vector<double>(), (Values{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(one_hot(Tensor::from({2, 0}, {1, 2}), 3).shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(one_hot(Tensor::from({2, 0}, {2}), 3).to_vector<double>(), (Values{0, 0, 1, 1, 0, 0}));
  EXPECT_THROW(one_hot(Tensor::from({3}, {1}), 3), Error);
  EXPECT_THROW(arange(0, 5, 0), Error);
  EXPECT_EQ(full_like(eye(2, {DType::f64, {}}), 3).to_vector<double>(), (Values{3, 3, 3, 3}));
  manual_seed(3);
  const Tensor a = randn({4, 5}), b = rand({1000});
  manual_seed(3);
  EXPECT_EQ(randn({4, 5}).to_vector<double>(), a.to_vector<double>());
  EXPECT_TRUE(all(b >= 0.0 && b < 1.0).item() == 1);
}

TEST(Integers_, ArithmeticSumsAndComparisons) {
  const Tensor a = Tensor::from({7, -7, 6}, {3}), b = Tensor::from({2, 2, -4}, {3});
  EXPECT_EQ((a + b).to_vector<int64_t>(), (Integers{9, -5, 2}));
  EXPECT_EQ((a - b).to_vector<int64_t>(), (Integers{5, -9, 10}));
  EXPECT_EQ((a * b + 1).to_vector<int64_t>(), (Integers{15, -13, -23}));
  EXPECT_EQ(floor_divide(a, b).to_vector<int64_t>(), (Integers{3, -4, -2}));  // Python's //
  EXPECT_EQ((a % b).to_vector<int64_t>(), (Integers{1, 1, -2}));              // and %
  EXPECT_EQ((a % 4).to_vector<int64_t>(), (Integers{3, 1, 2}));
  EXPECT_EQ((-a).to_vector<int64_t>(), (Integers{-7, 7, -6}));
  EXPECT_EQ(abs(a).to_vector<int64_t>(), (Integers{7, 7, 6}));
  EXPECT_EQ(sign(a).to_vector<int64_t>(), (Integers{1, -1, 1}));
  EXPECT_EQ(clamp(a, -1, 6).to_vector<int64_t>(), (Integers{6, -1, 6}));
  EXPECT_EQ(maximum(a, b).to_vector<int64_t>(), (Integers{7, 2, 6}));
  EXPECT_EQ(a.sum().item<int64_t>(), 6);
  EXPECT_EQ(a.sum().dtype(), DType::i64);
  EXPECT_EQ(a.max().item(), 7);
  EXPECT_EQ(a.min().item(), -7);
  EXPECT_EQ(a.argmin().item(), 1);
  EXPECT_EQ(cumsum(a, 0).to_vector<int64_t>(), (Integers{7, 0, 6}));
  EXPECT_EQ(sort(a).values.to_vector<int64_t>(), (Integers{-7, 6, 7}));
  EXPECT_EQ((a > b).to_vector<int64_t>(), (Integers{1, 0, 1}));
  EXPECT_EQ((a == 6).to_vector<int64_t>(), (Integers{0, 0, 1}));
  const Tensor large = Tensor::from<int64_t>({int64_t{1} << 60, 1}, {2});  // beyond a double's integers
  EXPECT_EQ(sum(large).item<int64_t>(), (int64_t{1} << 60) + 1);
  const Tensor bytes = Tensor::full({300}, 200, {DType::u8, {}});
  EXPECT_EQ(bytes.sum().item<int64_t>(), 60000);
  EXPECT_EQ(bytes.max().dtype(), DType::u8);
  EXPECT_THROW(a + 0.5, Error);
  EXPECT_THROW(a / b, Error);
  EXPECT_THROW(mean(a), Error);
  EXPECT_THROW(a % 0, Error);
  EXPECT_THROW(a + Tensor::ones({3}), Error);
}

TEST(Masks, FollowIeeeAndChoose) {
  const Tensor x = Tensor::from({double(NAN), 1., double(INFINITY), -2.}, {4});
  EXPECT_EQ((x == x).to_vector<int64_t>(), (Integers{0, 1, 1, 1}));
  EXPECT_EQ((x != x).to_vector<int64_t>(), (Integers{1, 0, 0, 0}));
  EXPECT_EQ((x < 1.5).to_vector<int64_t>(), (Integers{0, 1, 0, 1}));
  EXPECT_EQ((1.0 <= x).to_vector<int64_t>(), (Integers{0, 1, 1, 0}));
  EXPECT_EQ((x > 0.0).dtype(), DType::u8);
  EXPECT_EQ(isnan(x).to_vector<int64_t>(), (Integers{1, 0, 0, 0}));
  EXPECT_EQ(isinf(x).to_vector<int64_t>(), (Integers{0, 0, 1, 0}));
  EXPECT_EQ(isfinite(x).to_vector<int64_t>(), (Integers{0, 1, 0, 1}));
  EXPECT_EQ((isnan(x) || !(x > 0.0)).to_vector<int64_t>(), (Integers{1, 0, 0, 1}));
  EXPECT_EQ(where(x > 0.0, Tensor::from({1}, {1}), Tensor::from({-1}, {1})).to_vector<int64_t>(),
            (Integers{-1, 1, 1, -1}));
  EXPECT_EQ(x.masked_fill(isnan(x), 0).to_vector<double>()[0], 0.0);
  EXPECT_EQ(any(x > 5.0).item(), 1);
  EXPECT_EQ(all(x > 5.0).item(), 0);
  EXPECT_TRUE(allclose(Tensor::from({1.0, 2.0}, {2}), Tensor::from({1.0 + 1e-7, 2.0}, {2})));
  EXPECT_FALSE(allclose(Tensor::from({1.0, 2.0}, {2}), Tensor::from({1.1, 2.0}, {2})));
  EXPECT_FALSE(allclose(x, x));
  EXPECT_TRUE(allclose(x, x, 1e-5, 1e-8, true));
  EXPECT_FALSE(allclose(Tensor::from({double(INFINITY)}, {1}), Tensor::from({1.0}, {1})));
  EXPECT_THROW((x && x), Error);
  // sorts and extremes put it last, as NumPy
  EXPECT_TRUE(std::isnan(sort(x).values.to_vector<double>()[3]));
  EXPECT_TRUE(std::isnan(sort(x, 0, true).values.to_vector<double>()[0]));
  EXPECT_TRUE(std::isnan(max(x).item()));
}

TEST(CompoundAssignment, WritesInPlaceWhereNothingRecords) {
  Tensor x = Tensor::from({1.f, 2.f}, {2});
  const Tensor same = x, view = x.reshape({2, 1});
  const uint64_t before = x.version();
  x += Tensor::from({10.f}, {1});
  x *= 2.0;
  x -= 1.0;
  x /= 3.0;
  EXPECT_EQ(x.to_vector<double>(), (Values{7, 23.f / 3.f}));
  EXPECT_EQ(view.to_vector<double>(), x.to_vector<double>());
  EXPECT_TRUE(same.same_storage(x));
  EXPECT_EQ(x.version(), before + 4);
  Tensor count = Tensor::from({1, 2}, {2});
  count += 3;
  EXPECT_EQ(count.to_vector<int64_t>(), (Integers{4, 5}));
  EXPECT_THROW(count += 0.5, Error);
  EXPECT_THROW(x += Tensor::ones({2, 2}), Error);  // would change x's shape
  const Tensor matrix = Tensor::zeros({2, 2});
  matrix[1] += 1.0;
  EXPECT_EQ(matrix.to_vector<double>(), (Values{0, 0, 1, 1}));
  EXPECT_THROW(matrix[1] += Tensor::ones({2}).set_requires_grad(true), Error);
}

TEST(CompoundAssignment, RecordsOrRefuses) {
  Tensor w = Tensor::from({2.0}, {1}).set_requires_grad(true);
  EXPECT_THROW(w += 1.0, Error);
  {
    NoGrad no_grad;
    w -= 0.5;  // a step
  }
  EXPECT_EQ(w.item(), 1.5);
  EXPECT_TRUE(w.is_leaf());
  Tensor y = w * 3.0;
  const Tensor before = y.detach(), handle = y;
  y += w;  // 4 w
  y *= y;  // 16 w^2
  EXPECT_EQ(handle.item(), 36.0);
  EXPECT_EQ(before.item(), 4.5);  // a view keeps the old value
  EXPECT_EQ(grad({y}, {w})[0].item(), 48.0);
  Tensor plain = Tensor::zeros({1}, {DType::f64, {}});
  plain += w;
  EXPECT_EQ(grad({plain}, {w})[0].item(), 1.0);
}

TEST(Indexing, RowsShareAndIndexCopies) {
  const Tensor x = arange(6).reshape({2, 3});
  EXPECT_EQ(x[1].to_vector<int64_t>(), (Integers{3, 4, 5}));
  EXPECT_EQ(x[-1][2].item(), 5);
  x[0].fill_(9);
  EXPECT_EQ(x.to_vector<int64_t>(), (Integers{9, 9, 9, 3, 4, 5}));
  const Tensor all = x.index({Ellipsis});
  EXPECT_FALSE(all.same_storage(x));
  EXPECT_EQ(x.index({Slice(), Tensor::from({-1, 0}, {2})}).to_vector<int64_t>(), (Integers{9, 9, 5, 3}));
  EXPECT_THROW(x[2], Error);
  EXPECT_THROW(x.index({0, 3}), Error);
  EXPECT_THROW(x.index({0, 0, 0}), Error);
  EXPECT_THROW(x.index({Ellipsis, Ellipsis}), Error);
  EXPECT_THROW(x.index({Slice(None, None, -1)}), Error);
  EXPECT_THROW(x.index({x > 3.0}), Error);
  EXPECT_THROW(x.index({Tensor::from({2}, {1}), Tensor::from({0}, {1})}), Error);  // not row 1's neighbour
}

TEST(Matmul, TakesVectorsAndRefusesWhatDoesNotFit) {
  const Tensor m = Tensor::from({1., 2., 3., 4., 5., 6.}, {2, 3}), v = Tensor::from({1., 0., -1.}, {3});
  EXPECT_EQ(matmul(m, v).to_vector<double>(), (Values{-2, -2}));
  EXPECT_EQ(matmul(v, m.t()).to_vector<double>(), (Values{-2, -2}));
  EXPECT_EQ(matmul(v, v).shape(), Shape{});
  EXPECT_EQ(matmul(v, v).item(), 2.0);
  EXPECT_EQ(matmul(Tensor::ones({4, 2, 3}), Tensor::ones({3})).shape(), (Shape{4, 2}));
  EXPECT_EQ(matmul(Tensor::ones({3}), Tensor::ones({4, 3, 2})).shape(), (Shape{4, 2}));
  EXPECT_THROW(matmul(m, m), Error);
  EXPECT_THROW(matmul(Tensor::ones({2, 2, 3}), Tensor::ones({3, 3, 2})), Error);
  EXPECT_THROW(bmm(Tensor::ones({2, 2, 3}), Tensor::ones({3, 2})), Error);
  EXPECT_THROW(einsum("ii->i", {m}), Error);
  EXPECT_THROW(einsum("ij,jk->iz", {m, m}), Error);
  EXPECT_THROW(einsum("ij,ik->jk", {m, m.t()}), Error);
  EXPECT_EQ(einsum("ij, jk", {m, m.t()}).to_vector<double>(), matmul(m, m.t()).to_vector<double>());
}

TEST(Statistics, AreDefinedAtZero) {
  const Tensor x = Tensor::zeros({3}, {DType::f64, {}}).set_requires_grad(true);
  EXPECT_EQ(grad({norm(x)}, {x})[0].to_vector<double>(), (Values{0, 0, 0}));
  EXPECT_EQ(grad({x.std()}, {x})[0].to_vector<double>(), (Values{0, 0, 0}));
  const Tensor with_zero = Tensor::from({2., 0., 5.}, {3}).set_requires_grad(true);
  EXPECT_EQ(grad({prod(with_zero)}, {with_zero})[0].to_vector<double>(), (Values{0, 10, 0}));
  const Tensor lowest = Tensor::full({2}, -INFINITY, {DType::f64, {}});
  EXPECT_EQ(logsumexp(lowest, 0).item(), -INFINITY);
  EXPECT_EQ(logsumexp(Tensor::full({2}, 1000.0, {DType::f64, {}}), 0).item(), 1000 + std::log(2));
  EXPECT_EQ(prod(Tensor::zeros({0})).item(), 1.0);
  EXPECT_THROW(var(Tensor::ones({1})), Error);
  EXPECT_EQ(topk(arange(5), 2).indices.to_vector<int64_t>(), (Integers{4, 3}));
  EXPECT_THROW(topk(arange(5), 6), Error);
}

}  // namespace
}  // namespace duel
