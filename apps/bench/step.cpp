// duel bench step: times whole training iterations (critic steps and the generator's) of the networks in
// tests/peers/torch_gan.py, with its Adam (2e-4, 0.5, 0.999) and its critic steps (5 under wgan*, else 1), on
// uniform random images that lie ready. All workloads in one process, each after half a second of warm-up: a
// GPU that idled runs at a fraction of its clock at first.
#include <cstdio>
#include <ctime>
#include <memory>

#include "../terminal/terminal.h"
#include "bench.h"
#include "duel/core/device/allocator.h"
#include "duel/gan/record/machine.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/runtime.h"
#include "duel/kernels/linear/device_library.h"
#include "statistics.h"
#include "timer.h"
#include "workload.h"

namespace duel::apps::bench {
namespace {

/// Seconds of CPU time of all threads of this process: what a busy neighbour disturbs least.
double cpu_time() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// Plain, logged and diagnosed iterations in turn, so that a busy machine slows all three alike; what the
/// second and third cost more, as a share of the time between two of them at the default intervals.
void time_looks(gan::Trainer& trainer, const Workload& workload, bool json) {
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
  const double step = summarize(plain).median, log = summarize(logged).median,
               look = summarize(diagnosed).median;
  const double every_log = (log - step) / (step * static_cast<double>(defaults.log_every));
  const double every_look = (look - step) / (step * static_cast<double>(defaults.diagnose_every));
  std::printf(
      json ? "{\"bench\": \"diagnostics\", \"arch\": \"%s\", \"objective\": \"%s\", \"ms_plain\": %.4f, "
             "\"ms_logged\": %.4f, \"ms_diagnosed\": %.4f, \"share_logged\": %.5f, \"share_diagnosed\": "
             "%.5f}\n"
           : "%s, %s: plain %.3f ms, logged %.3f ms, diagnosed %.3f ms; share of the time at the default "
             "intervals: %.4f for logging, %.4f for diagnosing\n",
      workload.arch.c_str(), workload.objective.c_str(), step, log, look, every_log, every_look);
}

void time_workload(const Workload& workload, const StepRequest& request, Device device) {
  const auto made = make_trainer(workload, device);
  gan::Trainer& trainer = *made;
  const gan::Objective& objective = trainer.objective();
  const gan::Networks& networks = trainer.networks();

  const bool live = terminal_of(stderr).live;
  if (live) std::fputs("timing ...", stderr);
  const double warm = now();
  for (int done = 0; done < 3 || now() - warm < 0.5; ++done) {
    trainer.step();
    synchronize(device);
  }
  if (request.diagnostics) {
    time_looks(trainer, workload, request.json);
    if (live) std::fputs("\r\033[K", stderr);
    return;
  }
  synchronize(device);
  reset_allocator_peak(device);
  // A GPU is waited for once in ten iterations, as a training run does not wait for each.
  const int together = device.is_cuda() ? 10 : 1;
  std::vector<double> times;
  const double began = now(), cpu_began = cpu_time();
  const auto enough = [&] {
    const auto done = static_cast<int64_t>(times.size()) * together;
    const double passed = now() - began;
    return request.iterations > 0
               ? done >= request.iterations
               : (done >= 30 && passed >= request.seconds) || (done >= 5 && passed >= 10 * request.seconds);
  };
  do {
    const double start = now();
    for (int i = 0; i < together; ++i) trainer.step();
    synchronize(device);
    times.push_back((now() - start) * 1e3 / together);
  } while (!enough());
  if (live) std::fputs("\r\033[K", stderr);
  const Summary all = summarize(times);
  const double cpu_ms =
      (cpu_time() - cpu_began) * 1e3 / static_cast<double>(times.size() * static_cast<size_t>(together));
  const double resident = static_cast<double>(gan::peak_resident_bytes()) / 1048576.0;
  const double tensors = static_cast<double>(allocator_stats(device).peak_bytes) / 1048576.0;
  if (request.json) {
    std::printf(
        "{\"bench\": \"step\", \"device\": \"%s\", \"arch\": \"%s\", \"objective\": \"%s\", \"batch\": %lld, "
        "\"threads\": %d, \"critic_steps\": %lld, \"iterations\": %zu, \"ms_median\": %.4f, \"ms_p10\": "
        "%.4f, \"ms_p90\": %.4f, \"ms_min\": %.4f, \"ms_cpu\": %.4f, \"peak_resident_mib\": %.1f, "
        "\"peak_tensors_mib\": %.1f, \"parameters_g\": %lld, \"parameters_d\": %lld, \"tf32\": %s, "
        "\"library\": \"%s\", \"early_launch\": %s, \"duel\": \"%s\", \"commit\": \"%s\"}\n",
        to_text(device).c_str(), workload.arch.c_str(), workload.objective.c_str(),
        static_cast<long long>(workload.batch), kernels::threads(),
        static_cast<long long>(objective.schedule.critic_steps), times.size() * static_cast<size_t>(together),
        all.median, all.p10, all.p90, all.smallest, cpu_ms, resident, tensors,
        static_cast<long long>(networks.generator->parameter_count()),
        static_cast<long long>(networks.discriminator->parameter_count()),
        device.is_cuda() && kernels::tf32() ? "true" : "false",
        kernels::device_library() == kernels::DeviceLibrary::own ? "own" : "auto",
        kernels::runtime::early_launch() ? "true" : "false", gan::this_machine().duel.c_str(),
        known_commit().c_str());
  } else {
    std::printf(
        "%s, %s, %s, batch %lld, %d thread%s: %.3f ms per iteration (p10 %.3f, p90 %.3f; %zu iterations of "
        "%lld "
        "+ 1 steps); "
        "peak memory %.0f MiB, of it tensors %.0f MiB\n",
        to_text(device).c_str(), workload.arch.c_str(), workload.objective.c_str(),
        static_cast<long long>(workload.batch), kernels::threads(), kernels::threads() == 1 ? "" : "s",
        all.median, all.p10, all.p90, times.size() * static_cast<size_t>(together),
        static_cast<long long>(objective.schedule.critic_steps), resident, tensors);
  }
  std::fflush(stdout);
}

}  // namespace

int bench_step(const StepRequest& request, Device device) {
  DUEL_CHECK(request.iterations >= 0, "bench", "iterations: expected an integer of at least 0, got {}",
             request.iterations);
  DUEL_CHECK(request.seconds > 0 && request.seconds <= 3600, "bench",
             "seconds: expected a number above 0 and at most 3600, got {}", request.seconds);
  const std::vector<Workload> all = workloads(request);
  for (const Workload& each : all) time_workload(each, request, device);
  return 0;
}

}  // namespace duel::apps::bench
