// duel bench step: times whole training iterations (critic steps and the generator's) of the networks in
// shared/peers/torch_gan.py, with its Adam (2e-4, 0.5, 0.999) and its critic steps (5 under wgan*, else 1),
// on uniform random images that lie ready.
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>

#include "../terminal.h"
#include "bench.h"
#include "duel/core/allocator.h"
#include "duel/gan/diagnostics.h"
#include "duel/gan/machine.h"
#include "duel/gan/run.h"
#include "duel/kernels/parallel.h"
#include "statistics.h"

namespace duel::apps::bench {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

gan::ImageSet uniform_images(int64_t count) {
  gan::ImageSet set{.count = count,
                    .height = 28,
                    .width = 28,
                    .images = {},
                    .labels = {},
                    .source = "uniform random images"};
  set.images.resize(static_cast<size_t>(count * 28 * 28));
  std::mt19937 random(1);
  for (uint8_t& pixel : set.images) pixel = static_cast<uint8_t>(random() >> 24);
  return set;
}

/// Plain, logged and diagnosed iterations in turn, so that a busy machine slows all three alike; what the second and third
/// cost more, as a share of the time between two of them at the default intervals.
void time_looks(gan::Trainer& trainer, const StepRequest& request) {
  const gan::ResidentData held_out(uniform_images(256), trainer.options().device);
  const gan::RunConfig defaults;
  std::vector<double> plain, logged, diagnosed;
  const auto timed = [](std::vector<double>& times, const auto& work) {
    const double start = now();
    work();
    times.push_back((now() - start) * 1e3);
  };
  const double began = now();
  while (plain.size() < 5 || (now() - began < 10 && plain.size() < 100)) {
    timed(plain, [&] {
      trainer.step();
      synchronize(trainer.options().device);
    });
    timed(logged, [&] {
      trainer.step(true);
      trainer.metrics();
    });
    timed(diagnosed, [&] {
      gan::StepRecord record;
      trainer.step(true, &record);
      trainer.metrics();
      gan::diagnose(trainer, record, &held_out);
    });
  }
  const double step = summarize(plain).median, log = summarize(logged).median, look = summarize(diagnosed).median;
  const double every_log = (log - step) / (step * static_cast<double>(defaults.log_every));
  const double every_look = (look - step) / (step * static_cast<double>(defaults.diagnose_every));
  std::printf(request.json ? "{\"bench\": \"diagnostics\", \"arch\": \"%s\", \"objective\": \"%s\", \"ms_plain\": %.4f, "
                             "\"ms_logged\": %.4f, \"ms_diagnosed\": %.4f, \"share_logged\": %.5f, \"share_diagnosed\": %.5f}\n"
                           : "%s, %s: plain %.3f ms, logged %.3f ms, diagnosed %.3f ms; share of the time at the default "
                             "intervals: %.4f for logging, %.4f for diagnosing\n",
              request.arch.c_str(), request.objective.c_str(), step, log, look, every_log, every_look);
}

}  // namespace

int bench_step(const StepRequest& request, Device device) {
  DUEL_CHECK(request.batch >= 1 && request.batch <= 1 << 16, "bench",
             "batch: expected an integer from 1 to 65536, got {}", request.batch);
  DUEL_CHECK(request.iterations >= 0, "bench", "iterations: expected an integer of at least 0, got {}",
             request.iterations);
  gan::ObjectiveOverrides as_peer;
  as_peer.optimizer = gan::OptimizerKind::adam;
  as_peer.lr_d = as_peer.lr_g = 2e-4;
  as_peer.beta1 = 0.5;
  as_peer.beta2 = 0.999;
  as_peer.critic_steps = request.objective.starts_with("wgan") ? 5 : 1;
  const gan::Objective objective = gan::named_objective(request.objective, as_peer);
  Generator weights(1, static_cast<uint64_t>(gan::RandomStream::weights_g));
  gan::Networks networks = gan::make_networks({.arch = request.arch, .classes = 10}, objective, weights);
  gan::Trainer trainer(networks, objective,
                       std::make_shared<gan::ResidentData>(uniform_images(request.batch * 8), device),
                       {.batch = request.batch, .device = device});

  const bool live = terminal_of(stderr).live;
  if (live) std::fputs("timing ...", stderr);
  for (int i = 0; i < 5; ++i) trainer.step();
  if (request.diagnostics) {
    time_looks(trainer, request);
    if (live) std::fputs("\r\033[K", stderr);
    return 0;
  }
  synchronize(device);
  reset_allocator_peak(device);
  // A GPU is waited for once in ten iterations, as a training run does not wait for each.
  const int together = device.is_cuda() ? 10 : 1;
  std::vector<double> times;
  const double began = now();
  // By default 30 iterations and 3 seconds, but no more than 30 seconds.
  const auto enough = [&] {
    const auto done = static_cast<int64_t>(times.size()) * together;
    const double passed = now() - began;
    return request.iterations > 0 ? done >= request.iterations
                                  : (done >= 30 && passed >= 3) || (done >= 5 && passed >= 30);
  };
  do {
    const double start = now();
    for (int i = 0; i < together; ++i) trainer.step();
    synchronize(device);
    times.push_back((now() - start) * 1e3 / together);
  } while (!enough());
  if (live) std::fputs("\r\033[K", stderr);
  const Summary all = summarize(times);
  const double resident = static_cast<double>(gan::peak_resident_bytes()) / 1048576.0;
  const double tensors = static_cast<double>(allocator_stats(device).peak_bytes) / 1048576.0;
  if (request.json) {
    std::printf(
        "{\"bench\": \"step\", \"device\": \"%s\", \"arch\": \"%s\", \"objective\": \"%s\", \"batch\": %lld, "
        "\"threads\": %d, "
        "\"critic_steps\": %lld, "
        "\"iterations\": %zu, \"ms_median\": %.4f, \"ms_p10\": %.4f, \"ms_p90\": %.4f, \"ms_min\": %.4f, "
        "\"peak_resident_mib\": %.1f, "
        "\"peak_tensors_mib\": %.1f, \"duel\": \"%s\"}\n",
        to_text(device).c_str(), request.arch.c_str(), request.objective.c_str(),
        static_cast<long long>(request.batch), kernels::threads(),
        static_cast<long long>(objective.schedule.critic_steps), times.size() * static_cast<size_t>(together),
        all.median, all.p10, all.p90, all.smallest, resident, tensors, gan::this_machine().duel.c_str());
  } else {
    std::printf(
        "%s, %s, %s, batch %lld, %d thread%s: %.3f ms per iteration (p10 %.3f, p90 %.3f; %zu iterations of "
        "%lld "
        "+ 1 steps); "
        "peak memory %.0f MiB, of it tensors %.0f MiB\n",
        to_text(device).c_str(), request.arch.c_str(), request.objective.c_str(),
        static_cast<long long>(request.batch), kernels::threads(), kernels::threads() == 1 ? "" : "s",
        all.median, all.p10, all.p90, times.size() * static_cast<size_t>(together),
        static_cast<long long>(objective.schedule.critic_steps), resident, tensors);
  }
  return 0;
}

}  // namespace duel::apps::bench
