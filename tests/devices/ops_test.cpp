// Every registered op, every sample of it, CUDA against CPU in f64 and f32: its value, its gradient, and the
// gradient of that gradient.
//
// Bounds: an op that adds nothing up must give the same bits on both devices, in f64 but for some ulp where
// its value is libm's (libm_ulps). Sums may be taken in another order: then the difference is at most 1e-12
// in f64 and `ulps` sqrt(terms) 2^-24 in f32 (op_registry.h), times order + 1, relative to the largest value
// or 1.
#include <cmath>
#include <map>
#include <set>

#include "device.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "tests/op_cases.h"

namespace duel {
namespace {

using testing_devices::kDevice;
using testing_devices::OnDevice;
using testing_devices::same_bits;
using testing_ops::Case;

/// Value, gradients, second gradients; undefined where nothing depends on an input.
std::vector<Tensor> all_orders(const Case& test, const Tensors& inputs) {
  Tensors wanted;
  for (const Tensor& input : inputs) {
    if (input.requires_grad()) wanted.push_back(input);
  }
  const Tensor y = test.sample.apply(inputs);
  Tensors results{y.detach()};
  if (test.sample.max_order < 1 || wanted.empty() || !y.requires_grad()) return results;
  const auto weights = [](const Tensor& like) {  // of the same numbers on every device
    std::vector<double> values;
    for (int64_t i = 0; i < like.numel(); ++i) values.push_back(0.5 + static_cast<double>(i * 7 % 11) / 8.0);
    return Tensor::from(values, like.shape()).to(like.dtype()).to(like.device());
  };
  Tensor v = weights(y).set_requires_grad(true);
  const bool second = test.sample.max_order >= 2;
  const Tensors first = grad({y}, wanted, {v}, {.create_graph = second, .allow_unused = true});
  Tensors outputs, seeds;
  for (const Tensor& g : first) {
    results.push_back(g.defined() ? g.detach() : Tensor());
    if (!second || !g.defined() || !g.requires_grad()) continue;
    outputs.push_back(g);
    seeds.push_back(weights(g));
  }
  if (outputs.empty()) return results;
  wanted.push_back(v);
  for (const Tensor& g : grad(outputs, wanted, seeds, {.allow_unused = true})) results.push_back(g);
  return results;
}

void expect_close(const Tensor& cpu, const Tensor& gpu, double bound) {
  ASSERT_EQ(cpu.defined(), gpu.defined());
  if (!cpu.defined()) return;
  ASSERT_EQ(to_text(cpu), to_text(gpu));
  const auto expected = cpu.to_vector<double>(), got = gpu.to_vector<double>();
  double largest = 1.0;
  for (const double v : expected) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_LE(std::abs(expected[i] - got[i]), bound * largest)
        << "element " << i << ": CPU " << expected[i] << ", CUDA " << got[i];
  }
}

/// Ops whose value is a sum of more than one product, or made of one.
bool adds_up(const std::string& test) {
  static const std::set<std::string> kSums = {"sum",
                                              "mean",
                                              "variance",
                                              "logsumexp",
                                              "softmax",
                                              "log_softmax",
                                              "cross_entropy",
                                              "matmul",
                                              "linear",
                                              "conv2d",
                                              "conv_transpose2d",
                                              "conv2d_weight_grad",
                                              "batch_norm",
                                              "layer_norm",
                                              "instance_norm",
                                              "sample_norm",
                                              "spectral_sigma",
                                              "bce_with_logits",
                                              "hinge_loss",
                                              "squared_difference",
                                              "wasserstein_mean",
                                              "fused_loss",
                                              "loss_of_sides",
                                              "loss_of_both",
                                              "sum_to",
                                              "bmm",
                                              "einsum",
                                              "var",
                                              "std",
                                              "norm",
                                              "cdist",
                                              "topk",
                                              "mse_loss",
                                              "avg_pool2d"};
  return std::any_of(kSums.begin(), kSums.end(), [&](const std::string& op) { return test.starts_with(op); });
}

/// How far f64 values that libm computes (kernels/base/math.h) may be apart, in units of the last place; 0
/// for all other ops. It is glibc's on a CPU and libdevice's on a GPU: each may be an ulp off for itself, pow
/// two, erfc (in gelu) five by CUDA's own table, and sigmoid and softplus make one more operation of it. The
/// f32 versions are Duel's, with equal bits.
double libm_ulps(const std::string& test) {
  if (test.starts_with("gelu")) return 8;
  static const std::set<std::string> kLibm = {"erf", "exp",  "expm1",   "log",      "log1p",
                                              "pow", "tanh", "sigmoid", "softplus", "elu"};
  return kLibm.contains(test.substr(0, test.find('_'))) ? 4 : 0;
}

/// Whether no element is further from its counterpart than that many units in its last place.
bool within_ulps(const Tensor& cpu, const Tensor& gpu, double ulps) {
  const auto a = cpu.to_vector<double>(), b = gpu.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i) {
    const double unit = std::nextafter(std::abs(a[i]), INFINITY) - std::abs(a[i]);
    if (a[i] != b[i] && !(std::abs(a[i] - b[i]) <= ulps * unit)) return false;
  }
  return a.size() == b.size();
}

TEST(DeviceOpBounds, AreOfTheLastPlace) {
  const double x = 0.75, next = std::nextafter(x, 1.0);
  const auto of = [](double v) { return Tensor::from(std::vector<double>{1.0, v}, {2}); };
  EXPECT_TRUE(within_ulps(of(x), of(x), 0));
  EXPECT_FALSE(within_ulps(of(x), of(next), 0));
  EXPECT_TRUE(within_ulps(of(x), of(x + 4 * (next - x)), 4));
  EXPECT_FALSE(within_ulps(of(x), of(x + 5 * (next - x)), 4));
  EXPECT_TRUE(within_ulps(of(INFINITY), of(INFINITY), 4));
  EXPECT_FALSE(within_ulps(of(1.0), of(NAN), 4));
  EXPECT_EQ(libm_ulps("pow_scalar_1_1"), 4);
  EXPECT_EQ(libm_ulps("gelu_0_3"), 8);
  for (const char* op : {"sqrt_0_3", "logsumexp_0_3", "max_0_3", "reciprocal_0_3"})
    EXPECT_EQ(libm_ulps(op), 0) << op;
}

void expect_agreement(const Case& test) {
  const Arrays arrays = testing_ops::draw(test);
  double terms = 1;
  for (const Array& input : arrays) terms = std::max(terms, static_cast<double>(input.values.size()));
  for (const DType dtype : {DType::f64, DType::f32}) {
    SCOPED_TRACE(to_text(dtype));
    const Tensors cpu = all_orders(test, testing_ops::tensors_of(test, arrays, dtype, true));
    const Tensors gpu = all_orders(test, testing_ops::tensors_of(test, arrays, dtype, true, kDevice));
    ASSERT_EQ(cpu.size(), gpu.size());
    EXPECT_EQ(gpu[0].device(), kDevice);
    const double ulps = dtype == DType::f64 ? libm_ulps(test.name) : 0;
    EXPECT_TRUE(adds_up(test.name) || same_bits(cpu[0], gpu[0]) ||
                (ulps > 0 && within_ulps(cpu[0], gpu[0], ulps)))
        << "the value has other bits";
    for (size_t k = 0; k < cpu.size(); ++k) {
      SCOPED_TRACE(k == 0 ? "value" : message("gradient {} of both orders", static_cast<int64_t>(k)));
      const double order = k == 0 ? 0 : 2;
      expect_close(
          cpu[k], gpu[k],
          (order + 1) * (dtype == DType::f64 ? 1e-12 : test.sample.ulps * 0x1p-24 * std::sqrt(terms)));
    }
  }
}

class Devices : public OnDevice, public ::testing::WithParamInterface<testing_ops::OpCases> {};

TEST_P(Devices, AgreeAtEveryOrder) { testing_ops::each_case(GetParam(), expect_agreement); }

INSTANTIATE_TEST_SUITE_P(Ops, Devices, ::testing::ValuesIn(testing_ops::ops(0)), testing_ops::name_of);

}  // namespace
}  // namespace duel
