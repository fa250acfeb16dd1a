// Every case of the kernels (apps/bench/cases/cases.h) under the harness, with lanes and blocks in every order: the
// same bits. Fails where two threads write one element, a sum follows the schedule, or a kernel reads what a
// neighbour has not written yet.
#include "apps/bench/cases/cases.h"
#include "duel/core/tensor/autograd.h"
#include "tests/devices/device.h"
#include "tests/simt/simt.h"

namespace duel {
namespace {

using namespace apps::bench;
using testing_devices::kDevice;
using testing_devices::same_bits;

class SimtCases : public testing_devices::OnDevice {};

void expect_same_bits(const std::vector<NamedCase>& cases) {
  const NoGrad no_grad;
  const Setting setting{.size = 3000, .dtype = DType::f32, .device = kDevice};
  for (const NamedCase& named : cases) {
    std::vector<Tensor> expected;
    for (const simt::Schedule& order :
         {simt::Schedule{simt::Order::forward, 0, 1}, simt::Schedule{simt::Order::reverse, 0, 1},
          simt::Schedule{simt::Order::shuffled, 7, 2}}) {
      std::vector<Tensor> results;
      simt::run_in_order(order, [&] {
        const Case made = named.make(setting);
        made.run();
        results = made.results;
      });
      if (expected.empty()) expected = results;
      ASSERT_FALSE(expected.empty()) << named.name;
      for (size_t k = 0; k < expected.size(); ++k)
        EXPECT_TRUE(same_bits(results[k], expected[k]))
            << named.name << " result " << k << ", " << simt::to_text(order);
    }
  }
}

TEST_F(SimtCases, SameBitsInEveryOrder) { expect_same_bits(all_cases()); }

TEST_F(SimtCases, TensorCoresTheSameBitsInEveryOrder) {
  kernels::set_tf32(true);
  expect_same_bits(linear_cases());
}

}  // namespace
}  // namespace duel
