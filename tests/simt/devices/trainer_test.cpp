// What only the harness can tell of the trainer on a device: what the host asks of it in an iteration, and
// that a captured iteration's edges order all that must be ordered: other orders of its branches give the
// same bits.
#include "duel/core/ops.h"
#include "tests/devices/trainers.h"
#include "tests/simt/host_runtime.h"
#include "tests/simt/simt.h"

namespace duel {
namespace {

using namespace testing_devices;

class SimtTrainer : public OnDevice {};

TEST_F(SimtTrainer, AnIterationIsOneLaunchAndNoWait) {
  for (const Recipe& recipe :
       {Recipe{"wgan-gp"}, Recipe{"unrolled", "mlp"}, Recipe{"r1", "mlp", {{"instance-noise", 0.1}}}}) {
    const auto trainer = trainer_on(kDevice, recipe, true);
    run(*trainer, 3);
    const simt::HostCalls before = simt::host_calls();
    run(*trainer, 2);
    const simt::HostCalls after = simt::host_calls();
    EXPECT_EQ(after.graph_launches - before.graph_launches, 2) << recipe.objective;
    EXPECT_EQ(after.works - before.works, 0)
        << recipe.objective << ": kernels, copies or fills beside the graph";
    EXPECT_EQ(after.waits - before.waits, 0) << recipe.objective;
  }
}

// Fails where the first side streams, and what libraries make for them, come up inside a capture.
TEST_F(SimtTrainer, TheWarmUpTakesTheBranchesOfTheCapture) {
  for (const Recipe& recipe : {Recipe{"wgan-gp"}, Recipe{"ns-gan", "dcgan"}, Recipe{"unrolled", "mlp"}}) {
    const auto trainer = trainer_on(kDevice, recipe, true);
    const long before = simt::host_calls().event_waits;
    run(*trainer, 1);
    const long warm = simt::host_calls().event_waits;
    run(*trainer, 1);
    const long captured = simt::host_calls().event_waits;
    ASSERT_EQ(trainer->graphs(), 1);
    EXPECT_GT(captured - warm, 0) << recipe.objective;
    EXPECT_EQ(warm - before, captured - warm) << recipe.objective;
  }
}

// Steps of D use each other's memory: what waits for side streams is of one step.
TEST_F(SimtTrainer, MoreStepsOfDTakeLittleMoreMemory) {
  const auto bytes = [](int64_t critic_steps) {
    const auto trainer = trainer_on(kDevice, {"wgan-gp", "mlp", {{"critic-steps", critic_steps}}}, true);
    run(*trainer, 2);
    return trainer->captured().begin()->second->bytes();
  };
  const int64_t one = bytes(1), six = bytes(6);
  EXPECT_GT(one, 0);
  EXPECT_LT(six, 2 * one) << one;
}

// What follows the iteration's number is set by one fill each before the launch.
TEST_F(SimtTrainer, RatesThatDecayAreSetWithoutAWait) {
  const auto trainer = trainer_on(
      kDevice,
      {"ns-gan", "mlp", {{"instance-noise", 0.2}, {"instance-noise-steps", 50}, {"lr-decay-steps", 40}}},
      true);
  run(*trainer, 3);
  const simt::HostCalls before = simt::host_calls();
  run(*trainer, 4);
  const simt::HostCalls after = simt::host_calls();
  EXPECT_EQ(after.graph_launches - before.graph_launches, 4);
  EXPECT_EQ(after.works - before.works, 4 * 3);
  EXPECT_EQ(after.waits - before.waits, 0);
}

class SimtTrainerOrders : public SimtTrainer, public ::testing::WithParamInterface<Recipe> {};

TEST_P(SimtTrainerOrders, BranchesOfACapturedIterationRunInAnyOrder) {
  TensorFile expected;
  for (const simt::Schedule& order :
       {simt::Schedule{simt::Order::forward, 0, 1}, simt::Schedule{simt::Order::reverse, 0, 1},
        simt::Schedule{simt::Order::shuffled, 3, 1}, simt::Schedule{simt::Order::shuffled, 8, 2}}) {
    const auto trainer = trainer_on(kDevice, GetParam(), true);
    run(*trainer, 2);
    simt::run_in_order(order, [&] { run(*trainer, 2); });
    ASSERT_EQ(trainer->graphs(), 1);
    if (expected.tensors.empty()) {
      expected = trainer->state();
    } else {
      EXPECT_EQ(first_difference(expected, trainer->state()), "") << simt::to_text(order);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Some, SimtTrainerOrders,
                         ::testing::Values(Recipe{"wgan-gp", "mlp", {{"critic-steps", 2}}},
                                           Recipe{"ns-gan", "dcgan"}, Recipe{"ralsgan"},
                                           Recipe{"wgan-gp", "dcgan", {{"critic-steps", 1}}},
                                           Recipe{"unrolled"}));

}  // namespace
}  // namespace duel
