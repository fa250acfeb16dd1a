// Every case of the kernels (apps/bench/cases/cases.h) as nvcc's PTX, compared with the host and the SIMT harness.
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "apps/bench/cases/cases.h"
#include "duel/core/tensor/autograd.h"
#include "tests/devices/device.h"
#include "tests/ptx/executor.h"
#include "tests/simt/simt.h"

namespace duel {
namespace {

using namespace apps::bench;
using testing_devices::kDevice;

class PtxKernels : public testing_devices::OnDevice {
 protected:
  void SetUp() override {
    if (ptx::kernels_executor() == nullptr)
      GTEST_SKIP() << "no PTX: see DUEL_TEST_PTX in tests/ptx/README.md";
  }
};

// Fails where nvcc emits what the interpreter does not know.
TEST_F(PtxKernels, EveryEntryIsUnderstood) {
  size_t entries = 0;
  for (const auto& module : ptx::kernels_executor()->all_modules()) {
    for (const std::string& entry : module->entries()) {
      ++entries;
      try {
        module->program(entry);
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

template <class T>
uint64_t most_ulps(const Tensor& a, const Tensor& b) {
  uint64_t most = 0;
  const auto x = a.to_vector<T>(), y = b.to_vector<T>();
  for (size_t k = 0; k < x.size(); ++k) most = std::max(most, ulps(x[k], y[k]));
  return x.size() == y.size() ? most : UINT64_MAX;
}

uint64_t difference(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return UINT64_MAX;
  if (a.dtype() == DType::f32) return most_ulps<float>(a, b);
  if (a.dtype() == DType::f64) return most_ulps<double>(a, b);
  return testing::same_bits(a, b) ? 0 : UINT64_MAX;
}

std::vector<Tensor> results_of(const NamedCase& named, const Setting& setting) {
  const Case made = named.make(setting);
  made.run();
  std::vector<Tensor> results;
  for (const Tensor& each : made.results) results.push_back(each.to(Device::cpu()));
  return results;
}

TEST_F(PtxKernels, Cases) {
  const NoGrad no_grad;
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Setting setting{.size = 3000, .dtype = dtype, .device = kDevice};
    for (const NamedCase& named : all_cases()) {
      std::vector<Tensor> got;
      try {
        const ptx::Interpreted interpreted(*ptx::kernels_executor());
        got = results_of(named, setting);
      } catch (const std::exception& error) {
        ADD_FAILURE() << named.name << ": " << error.what();
        continue;
      }
      const std::vector<Tensor> expected = results_of(named, setting);
      for (size_t k = 0; k < expected.size(); ++k) {
        const uint64_t away = difference(got[k], expected[k]);
        if (away > 4) {
          const auto x = got[k].to_vector<double>(), y = expected[k].to_vector<double>();
          for (size_t i = 0; i < x.size(); ++i)
            if (ulps(x[i], y[i]) > 4)
              std::printf("   %g %g at %g\n", x[i] - y[i], (x[i] - y[i]) / 0x1p-53, y[i]);
        }
        if (away > 0)
          std::printf("%s %s result %zu: %llu\n", dtype == DType::f32 ? "f32" : "f64", named.name.c_str(), k,
                      (unsigned long long)away);
        EXPECT_LE(away, dtype == DType::f64 ? 4u : 0u) << named.name << " result " << k;
      }
    }
  }
}

}  // namespace
}  // namespace duel
