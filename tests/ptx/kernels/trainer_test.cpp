// Whole iterations of small trainers as nvcc's PTX: the state afterwards is, bit for bit, that of the SIMT harness.
#include "duel/core/ops.h"
#include "on_ptx.h"
#include "tests/devices/trainers.h"
#include "tests/simt/host_runtime.h"

namespace duel {
namespace {

using namespace testing_devices;

class PtxTrainer : public OnPtx, public ::testing::WithParamInterface<Recipe> {};

TEST_P(PtxTrainer, IterationsHaveTheHarnesssBits) {
  // By tensor cores too; r1 as where there are none.
  kernels::set_tf32(GetParam().objective != "r1");
  const auto train = [&] {
    const auto trainer = trainer_on(kDevice, GetParam(), true);
    run(*trainer, 3);
    EXPECT_EQ(trainer->graphs(), 1);
    return trainer->state();
  };
  const TensorFile expected = train();
  executor().reset_counts();
  const ptx::Interpreted interpreted(executor());
  EXPECT_EQ(first_difference(expected, train()), "");
  uint64_t launches = 0;
  for (const auto& [kernel, counts] : executor().counts()) launches += counts.launches;
  EXPECT_GT(launches, 100u) << "the kernels ran as PTX";
}

INSTANTIATE_TEST_SUITE_P(Some, PtxTrainer,
                         ::testing::Values(Recipe{"wgan-gp", "mlp", {{"critic-steps", 2}}},
                                           Recipe{"ns-gan", "dcgan"}, Recipe{"ralsgan"},
                                           Recipe{"wgan-gp", "dcgan", {{"critic-steps", 1}}},
                                           Recipe{"sngan", "dcgan"},
                                           Recipe{"r1", "mlp", {{"instance-noise", 0.1}}}));

}  // namespace
}  // namespace duel
