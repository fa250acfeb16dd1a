// A run on a device: `auto` takes it, samples, diagnoses and saves; the CPU goes on from its checkpoint, and
// the other way round.
#include "duel/gan/run/run.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "device.h"
#include "duel/gan/train/checkpoint.h"
#include "tests/run_watcher.h"

namespace duel::gan {
namespace {

using testing_devices::kDevice;
using testing_devices::same_bits;

struct Quiet : duel::testing::RunWatcher {
  void started(const std::string& banner) override { text += banner; }
  std::string text;
};

class DeviceRun : public testing_devices::OnDevice {};

RunConfig small(const std::filesystem::path& out) {
  RunConfig config;
  config.objective = "wgan-gp";
  config.networks.arch = "mlp";
  config.networks.channels_g = config.networks.channels_d = 2;
  config.networks.latent = 4;
  config.overrides.set("critic-steps", 1);
  config.data = "synthetic";
  config.synthetic_count = 16;
  config.batch = 2;
  config.sample_count = 2;
  config.steps = 4;
  config.diagnose_every = 4;
  config.log_every = 2;
  config.out = out.string();
  return config;
}

TEST_F(DeviceRun, TrainsThereAndGoesOnHere) {
  const auto folder =
      std::filesystem::path(::testing::TempDir()) / ("device_run_" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  {
    gan::Run run(small(folder));
    EXPECT_EQ(run.config().device, "cuda");
    Quiet observer;
    EXPECT_TRUE(run.train(observer));
    EXPECT_EQ(run.trainer().options().device, kDevice);
    EXPECT_NE(observer.text.find("device    cuda"), std::string::npos) << observer.text;
    EXPECT_TRUE(std::isfinite(run.trainer().metrics().loss_d));
    const Checkpoint saved = read_checkpoint(*latest_checkpoint(folder));
    const TensorFile state = run.trainer().state();
    for (const auto& [name, tensor] : state.tensors)
      EXPECT_TRUE(same_bits(tensor, *saved.state.find(name))) << name;
  }
  for (const char* device : {"cpu", "cuda"}) {
    RunConfig more = small(folder);
    more.resume = true;
    more.device = device;
    more.steps = std::string(device) == "cpu" ? 5 : 6;
    gan::Run run(more);
    EXPECT_EQ(run.trainer().iteration(), more.steps - 1);
    Quiet observer;
    EXPECT_TRUE(run.train(observer));
    EXPECT_EQ(run.trainer().options().device.is_cuda(), std::string(device) == "cuda");
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "samples" / "fakes_000006.png"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace duel::gan
