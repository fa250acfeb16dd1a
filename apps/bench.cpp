// duel bench: times that can be compared with another program's.
//
// `step` times whole training iterations (critic steps and the generator's) of the networks in
// shared/peers/torch_gan.py, with its Adam (2e-4, 0.5, 0.999) and its critic steps (5 under wgan*, else 1),
// on uniform random images that lie ready.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>

#include "commands.h"
#include "duel/core/allocator.h"
#include "duel/gan/machine.h"
#include "duel/gan/run.h"
#include "duel/kernels/parallel.h"
#include "terminal.h"

namespace duel::apps {
namespace {

struct Request {
  std::string what, arch = "dcgan", objective = "ns-gan";
  int64_t batch = 64, iterations = 0;
  int threads = 0;
  bool json = false;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The value below which a share `q` of the sorted times lies, interpolated.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
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

int step(const Request& request) {
  DUEL_CHECK(request.batch >= 1 && request.batch <= 1 << 16, "bench",
             "batch: expected an integer from 1 to 65536, got {}", request.batch);
  DUEL_CHECK(request.iterations >= 0, "bench", "iterations: expected an integer of at least 0, got {}",
             request.iterations);
  DUEL_CHECK(request.threads >= 0 && request.threads <= 1024, "bench",
             "threads: expected an integer from 0 to 1024, got {}", request.threads);
  if (request.threads > 0) kernels::set_threads(request.threads);
  gan::ObjectiveOverrides as_peer;
  as_peer.optimizer = gan::OptimizerKind::adam;
  as_peer.lr_d = as_peer.lr_g = 2e-4;
  as_peer.beta1 = 0.5;
  as_peer.beta2 = 0.999;
  as_peer.critic_steps = request.objective.starts_with("wgan") ? 5 : 1;
  const gan::Objective objective = gan::named_objective(request.objective, as_peer);
  Generator weights(1, static_cast<uint64_t>(gan::RandomStream::weights_g));
  gan::Networks networks = gan::make_networks({.arch = request.arch}, objective.penalties.empty(), weights);
  gan::Trainer trainer(networks, objective,
                       std::make_shared<gan::ResidentData>(uniform_images(request.batch * 8)),
                       {.batch = request.batch});

  const bool live = terminal_of(stderr).live;
  if (live) std::fputs("timing ...", stderr);
  for (int i = 0; i < 5; ++i) trainer.step();
  reset_allocator_peak({});
  std::vector<double> times;
  const double began = now();
  // By default 30 iterations and 3 seconds, but no more than 30 seconds.
  const auto enough = [&] {
    const auto done = static_cast<int64_t>(times.size());
    const double passed = now() - began;
    return request.iterations > 0 ? done >= request.iterations
                                  : (done >= 30 && passed >= 3) || (done >= 5 && passed >= 30);
  };
  do {
    const double start = now();
    trainer.step();
    times.push_back((now() - start) * 1e3);
  } while (!enough());
  if (live) std::fputs("\r\033[K", stderr);
  std::sort(times.begin(), times.end());

  const double median = quantile(times, 0.5), p10 = quantile(times, 0.1), p90 = quantile(times, 0.9);
  const double resident = static_cast<double>(gan::peak_resident_bytes()) / 1048576.0;
  const double tensors = static_cast<double>(allocator_stats({}).peak_bytes) / 1048576.0;
  if (request.json) {
    std::printf(
        "{\"bench\": \"step\", \"arch\": \"%s\", \"objective\": \"%s\", \"batch\": %lld, \"threads\": %d, "
        "\"critic_steps\": %lld, "
        "\"iterations\": %zu, \"ms_median\": %.4f, \"ms_p10\": %.4f, \"ms_p90\": %.4f, \"ms_min\": %.4f, "
        "\"peak_resident_mib\": %.1f, "
        "\"peak_tensors_mib\": %.1f, \"duel\": \"%s\"}\n",
        request.arch.c_str(), request.objective.c_str(), static_cast<long long>(request.batch),
        kernels::threads(), static_cast<long long>(objective.schedule.critic_steps), times.size(), median,
        p10, p90, times.front(), resident, tensors, gan::this_machine().duel.c_str());
  } else {
    std::printf(
        "%s, %s, batch %lld, %d thread%s: %.3f ms per iteration (p10 %.3f, p90 %.3f; %zu iterations of %lld "
        "+ 1 steps); "
        "peak memory %.0f MiB, of it tensors %.0f MiB\n",
        request.arch.c_str(), request.objective.c_str(), static_cast<long long>(request.batch),
        kernels::threads(), kernels::threads() == 1 ? "" : "s", median, p10, p90, times.size(),
        static_cast<long long>(objective.schedule.critic_steps), resident, tensors);
  }
  return 0;
}

}  // namespace

Command bench_command() {
  auto r = std::make_shared<Request>();
  Command command{.name = "bench", .summary = "Time training iterations"};
  command.words = {{.name = "WHAT",
                    .help = "step: whole training iterations",
                    .required = true,
                    .set = [r](const std::string& text) { r->what = text; }}};
  command.options = {
      {.name = "arch",
       .help = "mlp, dcgan, infogan [dcgan]",
       .value = "NAME",
       .set = [r](const std::string& text) { r->arch = text; }},
      {.name = "objective",
       .help = "as in duel objectives [ns-gan]",
       .value = "NAME",
       .set = [r](const std::string& text) { r->objective = text; }},
      {.name = "batch",
       .help = "images per step [64]",
       .value = "INT",
       .set = [r](const std::string& text) { r->batch = integer("batch", text); }},
      {.name = "threads",
       .help = "CPU threads; 0: every core [0]",
       .value = "INT",
       .set = [r](const std::string& text) { r->threads = static_cast<int>(integer("threads", text)); }},
      {.name = "iterations",
       .help = "to time; 0: 30 and at least 3 s, at most 30 s [0]",
       .value = "INT",
       .set = [r](const std::string& text) { r->iterations = integer("iterations", text); }},
      {.name = "json",
       .help = "one line of JSON",
       .value = "",
       .set = [r](const std::string&) { r->json = true; }},
  };
  command.footer = "  duel bench step --arch mlp --objective wgan-gp --batch 64 --threads 1 --json";
  command.run = [r] {
    DUEL_CHECK(r->what == "step", "bench", "unknown bench '{}': expected step", r->what);
    return step(*r);
  };
  return command;
}

}  // namespace duel::apps
