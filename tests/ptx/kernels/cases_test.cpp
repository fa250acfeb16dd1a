// Every case of the kernels (apps/bench/cases/cases.h) as nvcc's PTX, compared with the host and the SIMT harness.
#include <bit>
#include <cmath>
#include <functional>
#include <iomanip>
#include <limits>
#include <sstream>

#include "apps/bench/cases/cases.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/kernels/linear/device/conv_device.h"
#include "duel/kernels/linear/device/gemm_device.h"
#include "on_ptx.h"
#include "tests/kernels/linear/conv_reference.h"

namespace duel {
namespace {

using namespace apps::bench;
using testing_devices::kDevice;

class PtxKernels : public testing_devices::OnPtx {};

// Fails where nvcc emits what the interpreter does not know, or where a kernel could not be started early: Note [Kernels that
// start early] in platform.h.
TEST_F(PtxKernels, EveryEntryIsUnderstood) {
  size_t entries = 0;
  for (const auto& module : executor().all_modules()) {
    for (const std::string& entry : module->entries()) {
      ++entries;
      try {
        EXPECT_TRUE(module->program(entry).waits_for_grids)
            << entry << " does not call begin_kernel(), or is PTX of an architecture before 90";
      } catch (const ptx::ParseError& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }
  EXPECT_GT(entries, 400u);
}

/// How many representable numbers lie between; 0 for two NaN.
template <class T>
uint64_t ulps(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  if (std::isnan(a) && std::isnan(b)) return 0;
  if (std::isnan(a) || std::isnan(b)) return UINT64_MAX;
  const auto place = [](T x) {
    const auto bits = std::bit_cast<Bits>(x);
    return bits < 0 ? std::numeric_limits<Bits>::min() - static_cast<int64_t>(bits)
                    : static_cast<int64_t>(bits);
  };
  const int64_t x = place(a), y = place(b);
  return x < y ? static_cast<uint64_t>(y) - static_cast<uint64_t>(x)
               : static_cast<uint64_t>(x) - static_cast<uint64_t>(y);
}

/// Where two results are too far apart: "" if nowhere. The same bits in f32, but for those of NaN. In f64, where functions
/// of libdevice are not those of the host: 4 ulp, or where terms cancel 4 of the largest element.
template <class T>
std::string first_apart(const Tensor& a, const Tensor& b, double sums) {
  const auto x = a.to_vector<T>(), y = b.to_vector<T>();
  T largest = 0;
  for (const T each : y) {
    if (std::isfinite(each)) largest = std::max(largest, std::abs(each));
  }
  const uint64_t most = sizeof(T) == 8 ? 4 : 0;
  const T cancelled = sizeof(T) == 8 ? 4 * largest * std::numeric_limits<T>::epsilon() : T{0};
  const T near = std::max(cancelled, static_cast<T>(sums) * std::max(largest, T{1}));
  for (size_t k = 0; k < y.size(); ++k) {
    if (ulps(x[k], y[k]) <= most || std::abs(x[k] - y[k]) <= near) continue;
    std::ostringstream text;
    text << "element " << k << ": " << std::setprecision(17) << x[k] << ", not " << y[k];
    return text.str();
  }
  return "";
}

/// `on_host`: sums of the host are in another order.
std::string difference(const Tensor& a, const Tensor& b, bool on_host = false) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return "another dtype or shape";
  if (a.dtype() == DType::f32) return first_apart<float>(a, b, on_host ? 1e-5 : 0);
  if (a.dtype() == DType::f64) return first_apart<double>(a, b, on_host ? 1e-14 : 0);
  return testing::same_bits(a, b) ? "" : "other bits";
}

std::vector<Tensor> results_of(const NamedCase& named, const Setting& setting) {
  const Case made = named.make(setting);
  made.run();
  std::vector<Tensor> results;
  for (const Tensor& each : made.results) results.push_back(each.to(Device::cpu()));
  return results;
}

class PtxCases : public PtxKernels, public ::testing::WithParamInterface<DType> {};

// In other orders than the harness, which runs forward.
TEST_P(PtxCases, AreThoseOfTheHarnessAndOfTheHost) {
  const NoGrad no_grad;
  executor().reset_counts();
  const std::pair<int64_t, simt::Schedule> runs[] = {{3000, {simt::Order::reverse, 0, 1}},
                                                     {40009, {simt::Order::shuffled, 7, 2}}};
  for (const auto& [size, order] : runs) {
    const Setting here{.size = size, .dtype = GetParam(), .device = kDevice},
        on_host{.size = size, .dtype = GetParam()};
    for (const NamedCase& named : all_cases()) {
      const std::string name = named.name + " of " + std::to_string(size) + " bytes, result ";
      std::vector<Tensor> got;
      try {
        const ptx::Interpreted interpreted(executor());
        simt::run_in_order(order, [&, setting = here] { got = results_of(named, setting); });
      } catch (const std::exception& error) {
        ADD_FAILURE() << name << error.what();
        continue;
      }
      const std::vector<Tensor> expected = results_of(named, here), host = results_of(named, on_host);
      ASSERT_EQ(got.size(), expected.size()) << name;
      for (size_t k = 0; k < expected.size(); ++k) {
        EXPECT_EQ(difference(got[k], expected[k]), "") << name << k;
        EXPECT_EQ(difference(got[k], host[k], true), "") << name << k << ", on the host";
      }
    }
  }
  const auto counts = executor().counts();
  uint64_t instructions = 0;
  for (const auto& [kernel, each] : counts) instructions += each.instructions();
  RecordProperty("kernels", static_cast<int>(counts.size()));
  RecordProperty("instructions", std::to_string(instructions));
  EXPECT_GT(counts.size(), 100u);
}

// Products and convolutions of floats by tensor cores; then every tile, whichever way the operands lie, with tails.
TEST_F(PtxKernels, TensorCoresHaveTheHarnesssBits) {
  const NoGrad no_grad;
  kernels::set_tf32(true);
  executor().reset_counts();
  const auto as_ptx = [&](const std::function<std::vector<Tensor>()>& work) {
    std::vector<Tensor> results;
    const ptx::Interpreted interpreted(executor());
    simt::run_in_order({simt::Order::reverse, 0, 1}, [&] { results = work(); });
    return results;
  };
  const auto expect = [&](const std::string& name, const std::function<std::vector<Tensor>()>& work) {
    const std::vector<Tensor> expected = work(), got = as_ptx(work);
    ASSERT_EQ(got.size(), expected.size()) << name;
    for (size_t k = 0; k < expected.size(); ++k)
      EXPECT_EQ(difference(got[k], expected[k]), "") << name << ", result " << k;
  };
  for (const int64_t size : {3000, 40009}) {
    for (const NamedCase& named : linear_cases()) {
      expect(named.name + " of " + std::to_string(size) + " bytes",
             [&] { return results_of(named, {.size = size, .dtype = DType::f32, .device = kDevice}); });
    }
  }
  for (const int tile : {32, 64, 128}) {
    for (int flags = 0; flags < 4; ++flags) {
      const int64_t m = tile + 5, n = tile - 3, k = 45 + flags;
      const Tensor a = Generator(1).normal({m * k}).to(kDevice), b = Generator(2).normal({k * n}).to(kDevice);
      expect("tile " + std::to_string(tile) + ", " + std::to_string(flags), [&] {
        Tensor c = Tensor::zeros({m * n}, {.device = kDevice});
        const kernels::device::Cut cut{.tile = tile, .splits = 1, .depth = 48, .tensor = true};
        EXPECT_TRUE(kernels::device::gemm_by<float>(cut, simt::stream(), flags & 1, flags & 2, m, n, k, 1.0f,
                                                    a.data<float>(), b.data<float>(), 0.0f, nullptr,
                                                    c.mutable_data<float>(), nullptr, {}));
        return std::vector<Tensor>{c.to(Device::cpu())};
      });
    }
  }
  uint64_t products = 0;
  for (const auto& [kernel, each] : executor().counts())
    products += each.warps[static_cast<size_t>(ptx::Sort::tensor)];
  EXPECT_GT(products, 1000u) << "nothing was multiplied by tensor cores";
}

// Where operands are aligned, shared memory is gone through as rarely as its bytes allow: products whichever way they lie, and
// convolutions whose taps come back every 16 steps.
TEST_F(PtxKernels, TensorTilesMeetNoBankTwice) {
  const NoGrad no_grad;
  kernels::set_tf32(true);
  const auto expect_none = [&](const std::string& what, const std::function<void()>& work) {
    executor().reset_counts();
    {
      const ptx::Interpreted interpreted(executor());
      work();
    }
    uint64_t least = 0;
    for (const auto& [kernel, each] : executor().counts()) {
      EXPECT_EQ(each.shared_passes.taken, each.shared_passes.least) << what << ": " << kernel;
      least += each.shared_passes.least;
    }
    EXPECT_GT(least, 100u) << what;
  };
  for (const int tile : {32, 64, 128}) {
    for (int flags = 0; flags < 4; ++flags) {
      const Tensor a = Tensor::ones({tile * 48}, {.device = kDevice}), b = a;
      Tensor c = Tensor::zeros({tile * tile}, {.device = kDevice});
      expect_none("tile " + std::to_string(tile) + ", " + std::to_string(flags), [&] {
        const kernels::device::Cut cut{.tile = tile, .splits = 1, .depth = 48, .tensor = true};
        EXPECT_TRUE(kernels::device::gemm_by<float>(cut, simt::stream(), flags & 1, flags & 2, tile, tile, 48,
                                                    1.0f, a.data<float>(), b.data<float>(), 0.0f, nullptr,
                                                    c.mutable_data<float>(), nullptr, {}));
      });
    }
  }
  for (const int64_t channels : {16, 128}) {
    const kernels::ConvShape s = kernels::make_shape(channels, channels, 16, 16, channels, 4, 4, 2, 2, 1, 1);
    const Tensor x = Tensor::ones({s.n * s.c_in * s.h_in * s.w_in}, {.device = kDevice});
    const Tensor w = Tensor::ones({s.c_out * s.c_in * 16}, {.device = kDevice});
    const Tensor dy = Tensor::ones({s.n * s.c_out * s.h_out * s.w_out}, {.device = kDevice});
    Tensor out = Tensor::zeros({x.numel()}, {.device = kDevice});
    for (const bool forward : {true, false}) {
      expect_none(message("{} of {} channels", forward ? "forward" : "input gradient", channels), [&] {
        EXPECT_TRUE(kernels::device::general_conv<float>(
            simt::stream(), s, forward ? kernels::ConvPass::kForward : kernels::ConvPass::kInputGrad,
            (forward ? x : dy).data<float>(), w.data<float>(), nullptr, out.mutable_data<float>(), nullptr,
            {}, nullptr));
      });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, PtxCases, ::testing::Values(DType::f32, DType::f64),
                         [](const auto& made) { return to_text(made.param); });

}  // namespace
}  // namespace duel
