// A run that is on the disk: a trainer from its checkpoint, walks for its report.
#include "duel/core/device/internal/allocation_budget.h"
#include "duel/gan/record/internal/run_directory.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/gan/train/trainer.h"

namespace duel::gan {
namespace {
/// Of the parameters and buffers of G and D in a checkpoint.
int64_t bytes_of_networks(const TensorFile& state) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : state.tensors) {
    if (name.starts_with("g.") || name.starts_with("d.")) bytes += static_cast<int64_t>(tensor.bytes());
  }
  return bytes;
}
}  // namespace

ShownOutputs shown_outputs(const Objective& objective, const Metrics& m) {
  if (has_probabilities(objective)) return {"D(x)", "D(G(z))", m.p_real, m.p_fake};
  if (objective.loss.energy) return {"energy real", "fake", m.d_real, m.d_fake};
  return {"logit real", "fake", m.d_real, m.d_fake};
}

LoadedTrainer load_trainer(const std::filesystem::path& path) {
  std::filesystem::path file = path;
  std::error_code ignored;
  DUEL_CHECK(std::filesystem::exists(path, ignored), "checkpoint",
             "{}: no such file or run directory; expected one that duel train wrote", path.string());
  if (std::filesystem::is_directory(path, ignored)) {
    const auto latest = latest_checkpoint(path);
    DUEL_CHECK(latest, "checkpoint",
               "{}: no checkpoints/step_*.safetensors in this folder; expected a run directory of duel train",
               path.string());
    file = *latest;
  }
  const Checkpoint checkpoint = [&] {
    try {
      return read_checkpoint(file);
    } catch (const Error&) {
      if (file.extension() == ".safetensors" || !why_unreadable(file).empty()) throw;
      fail("checkpoint",
           "{}: is not a safetensors file, or a damaged one; expected a checkpoint that duel train wrote "
           "(checkpoints/step_*.safetensors), or a run directory",
           file.string());
    }
  }();
  const std::string source = file.string() + ": config";
  detail::check_registered(run_config_from_json(checkpoint.config, source), "checkpoint", source, false);
  detail::RunSetup setup;
  setup.config = stored_config_from_json(checkpoint.config, source);
  DUEL_CHECK(
      setup.config.networks.height > 0 && setup.config.networks.width > 0, "checkpoint",
      "{}: config: the image's height and width are missing; expected a checkpoint that duel train wrote",
      file.string());
  try {
    check_values(setup.config);
    // The configuration may ask for networks of any size; those that belong to this file's tensors are no
    // larger than they.
    const AllocationBudget budget(4 * bytes_of_networks(checkpoint.state) + (int64_t{1} << 20),
                                  "networks larger than those in the file");
    detail::make_parts(setup);
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    fail("checkpoint", "{}: config: {}", file.string(), error.what());
  }
  auto trainer =
      std::make_unique<Trainer>(setup.networks, setup.objective, nullptr,
                                TrainerOptions{.batch = setup.config.batch, .seed = setup.config.seed});
  try {
    trainer->restore(checkpoint.state);
  } catch (const Error& error) {
    fail("checkpoint", "{}: {}", file.string(), error.what());
  }
  return {std::move(trainer), std::move(setup.config)};
}

std::optional<Walks> stored_walks(const std::filesystem::path& directory) try {
  return latest_checkpoint(directory) ? std::optional(draw_walks(*load_trainer(directory).trainer))
                                      : std::nullopt;
} catch (const Error&) {
  return std::nullopt;  // the checkpoint of another version, or a damaged one
}

std::filesystem::path write_stored_report(const std::filesystem::path& directory, const RunCurves& curves) {
  return write_report(directory, curves,
                      {.walks = stored_walks(directory), .running = RunDirectory::is_held(directory)});
}

}  // namespace duel::gan
