// A run of one's own parts, with metrics, samples, checkpoints, a report and exact resume as `duel train` has them,
// and `duel sample` for it. Objective and network are registered by name: both commands find them.
//
//   build/examples/own_run train DIR STEPS        # again with more STEPS: goes on from its latest checkpoint
//   build/examples/own_run sample DIR OUT.png
#include <cstdio>
#include <filesystem>

#include "duel/core/ops.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/models/network.h"
#include "duel/gan/run/run.h"
#include "duel/gan/run/sample_run.h"
#include "duel/kernels/base/settings.h"
#include "duel/nn/layers.h"

using namespace duel;       // NOLINT: an example
using namespace duel::gan;  // NOLINT

Objective bounded() {  // four terms on raw logits, which no sample pulls at hard, and R1
  const auto pull = [](double sign) { return [sign](const Tensor& x) { return mean(tanh(x * sign)); }; };
  return {.loss = {"tanh", pull(-1), pull(1), pull(-1), pull(1)},
          .penalties = {{zero_centered(), at_real(), 1.0}}};
}

Networks small(const NetworkOptions& o) {
  const int64_t pixels = o.height * o.width;
  return {.generator = std::make_shared<nn::Sequential>(nn::Linear(o.latent, o.channels_g), nn::SiLU(),
                                                        nn::Linear(o.channels_g, pixels), nn::Tanh(),
                                                        nn::Unflatten({1, o.height, o.width})),
          .discriminator = std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(pixels, o.channels_d),
                                                            nn::SiLU(), nn::Linear(o.channels_d, 1))};
}

struct Watcher : RunObserver {
  void started(const std::string& banner) override { std::fputs(banner.c_str(), stdout); }
  void warned(const std::string& line) override { std::fprintf(stderr, "own_run: %s\n", line.c_str()); }
};

int main(int argc, char** argv) try {
  DUEL_CHECK(argc == 4, "own_run", "expected train DIR STEPS or sample DIR OUT.png");
  const std::string command = argv[1], dir = argv[2];
  register_objective("bounded", bounded);
  register_network({.name = "small", .about = "one hidden layer each", .latent = 16, .build = small});
  if (command == "sample") return std::puts(sample_run({.checkpoint = dir, .out = argv[3]}).c_str()) < 0;
  RunConfig config;
  config.objective = "bounded";
  config.batch = 16;
  config.steps = parsed<int>("own_run", "STEPS", argv[3]);
  config.out = dir;
  config.networks.arch = "small";
  config.resume = std::filesystem::exists(config.out / "config.json");
  Watcher watcher;
  Run(config, {.data = draw_digits(256, /*seed=*/5)}, &watcher).train(watcher);
  return std::fflush(stdout) == 0 ? 0 : 1;
} catch (const Error& error) {
  std::fprintf(stderr, "own_run: %s\n", error.what());
  return 2;
}
