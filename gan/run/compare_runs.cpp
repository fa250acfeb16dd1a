#include "duel/gan/run/compare_runs.h"

#include <optional>

#include "duel/gan/report/run_comparison.h"
#include "duel/gan/run/internal/output_file.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

constexpr const char* kCompareOp = "compare";

bool same_latents(const LatentPlan& a, const LatentPlan& b) {
  return a.noise == b.noise && a.kind == b.kind && a.classes == b.classes && a.categorical == b.categorical &&
         a.continuous == b.continuous;
}

/// Of one run; `first` is the plan of the first run that drew, and set by it.
ComparedGrid grid_of(const std::filesystem::path& run, const CompareRequest& request,
                     std::optional<LatentPlan>& first) try {
  const LoadedTrainer loaded = load_trainer(run);
  const LatentPlan& plan = loaded.trainer->networks().latent;
  LatentGenerators random = sampling_generators(request.seed);
  const SampleGrid points = sample_grid(plan, request.count, random);
  ComparedGrid result{.grid = image_grid(loaded.trainer->sample(points.input), points.columns),
                      .caption = message("iteration {}", loaded.trainer->iteration())};
  if (!first) {
    first = plan;
  } else {
    result.caption += same_latents(*first, plan)
                          ? "; the same latent points"
                          : "; other latent points: its latents are not those of the first run";
  }
  return result;
} catch (const OutOfMemory&) {
  throw;
} catch (const Error& error) {
  return {.grid = {}, .caption = message("no samples: {}", std::string(error.what()))};
}

}  // namespace

std::string compare_runs(const CompareRequest& request) {
  if (!request.out.empty()) detail::check_output(kCompareOp, "out", request.out, ".html", request.force);
  DUEL_CHECK(request.count >= 1 && request.count <= 4096, kCompareOp,
             "count: expected an integer from 1 to 4096, got {}", request.count);
  const RunComparison comparison = read_comparison(request.runs);
  if (!request.out.empty()) {
    std::vector<ComparedGrid> grids;
    std::optional<LatentPlan> first;
    for (const auto& run : request.runs) grids.push_back(grid_of(run, request, first));
    write_comparison(request.out, comparison, grids);
  }
  return to_table(comparison);
}

}  // namespace duel::gan
