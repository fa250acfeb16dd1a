// The order of the checks: values, objective, device, data, networks, and whether they fit.
#include "duel/gan/run/internal/run_setup.h"

#include <algorithm>

#include "duel/core/device/internal/allocation_budget.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace detail {
namespace {

std::string resolved_device(const std::string& wanted) {
  if (wanted == "auto") return is_available(Device::cuda()) ? "cuda" : "cpu";
  const std::string reason = why_unavailable(device_named(wanted));
  DUEL_CHECK(reason.empty(), "config", "device: {}: {}; use --device cpu", wanted, reason);
  return wanted;
}

/// Folder with MNIST's files; empty for drawn digits. Absolute, so that a run finds it again from wherever it
/// is resumed.
std::filesystem::path data_folder(const std::string& data) {
  if (data == "synthetic") return {};
  const std::filesystem::path found = data == "auto" ? find_mnist() : find_mnist(data);
  return found.empty() ? found : std::filesystem::absolute(found).lexically_normal();
}

/// A side that the configuration fixes must be that of the data.
void settle_side(const char* name, int64_t& wanted, int64_t found, const std::string& source) {
  DUEL_CHECK(wanted == 0 || wanted == found, "config",
             "{}: expected images of {} pixels, but those of {} have {}", name, wanted, source, found);
  wanted = found;
}

/// Classes and their names as the labels of the data say, or as the configuration does where it fits them;
/// the labels are numbered by them. Earlier versions counted labels up to the greatest one, also where some
/// did not occur: such a run says more classes than there are labels, has no names, and goes on so.
void settle_classes(RunConfig& config, ImageSet& images) {
  std::vector<int64_t> names = class_names(images);
  DUEL_CHECK(!names.empty(), "config",
             "objective: {} needs the class of every image, but those of {} have no labels; put the "
             "file of labels beside them, or take an objective without classes",
             config.objective, images.source);
  const int64_t wanted = config.networks.classes, found = static_cast<int64_t>(names.size());
  DUEL_CHECK(config.class_names.empty() || config.class_names == names, "config",
             "class-names: expected {}, but {} has {}", class_names_text(config.class_names), images.source,
             class_names_text(names));
  if (config.class_names.empty() && wanted > found && wanted == names.back() + 1)
    names = counted_names(wanted);
  DUEL_CHECK(wanted == 0 || wanted == static_cast<int64_t>(names.size()), "config",
             "classes: expected {}, but {} has {}", wanted, images.source, found);
  config.networks.classes = static_cast<int64_t>(names.size());
  config.class_names = names == counted_names(config.networks.classes) ? std::vector<int64_t>() : names;
  number_labels(images, names);
}

}  // namespace

Device device_named(const std::string& name) {
  if (name == "cpu") return Device::cpu();
  if (name == "cuda") return Device::cuda();
  const auto number = name.starts_with("cuda:") ? parse_number<int>(name.substr(5)) : std::nullopt;
  DUEL_CHECK(number && *number >= 0 && *number < 1000, "config",
             "device: expected auto, cpu or cuda, got '{}'", shown(name));
  return Device::cuda(*number);
}

void make_parts(RunSetup& setup) {
  RunConfig& c = setup.config;
  setup.objective = named_objective(c.objective, c.overrides);
  Generator weights(c.seed, static_cast<uint64_t>(RandomStream::weights_g));
  setup.networks = make_networks(c.networks, setup.objective, weights);
  check_compatible(setup.objective, *setup.networks.discriminator, c.batch, setup.networks.generator.get());
  c.networks = setup.networks.options;
}

void find_data(RunSetup& setup, RunConfig& config) {
  const std::filesystem::path folder = data_folder(config.data);
  setup.drawn = folder.empty();
  if (setup.drawn) {
    setup.images = {.count = config.synthetic_count,
                    .height = 28,
                    .width = 28,
                    .images = {},
                    .labels = {},
                    .source = message("drawn digits (seed {})", kDrawnSeed),
                    .classes = counted_names(10)};
    config.data = "synthetic";
  } else {
    setup.images = load_mnist(folder, Split::train);
    config.data = folder.string();
  }
}

void draw_data(RunSetup& setup) {
  if (setup.drawn) setup.images = draw_digits(setup.images.count, kDrawnSeed);
}

RunSetup set_up(RunConfig config) {
  RunSetup setup;
  check_values(config);
  config.overrides = resolved_overrides(config.objective, config.overrides);
  config.device = resolved_device(config.device);

  find_data(setup, config);
  ImageSet& images = setup.images;
  DUEL_CHECK(config.batch <= images.count, "config",
             "batch: expected at most {}, the number of images in {}, got {}", images.count, images.source,
             config.batch);
  settle_side("height", config.networks.height, images.height, images.source);
  settle_side("width", config.networks.width, images.width, images.source);
  if (is_conditional(named_objective(config.objective, config.overrides).critic)) {
    settle_classes(config, images);
  }
  config.steps = total_steps(config, images.count);
  config.epochs = 0;
  setup.config = std::move(config);
  make_parts(setup);
  return setup;
}

ImageSet held_out_images(const RunSetup& setup, int64_t count) {
  if (setup.drawn) return draw_digits(count, kDrawnSeed + 1);
  ImageSet set;
  try {
    set = load_mnist(setup.config.data, Split::test);
  } catch (const Error&) {
    return {};  // no test set in the folder: a run does not need one
  }
  if (set.height != setup.images.height || set.width != setup.images.width) return {};
  if (setup.config.networks.classes > 0) {
    const std::vector<int64_t> names = class_names_of(setup.config);
    keep_classes(set, names);
    number_labels(set, names);
  }
  return part_of(set, 0, std::min(set.count, count));
}

}  // namespace detail

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

ImageSet load_images(const RunConfig& config) {
  detail::RunSetup setup;
  setup.config = config;
  detail::find_data(setup, setup.config);
  detail::draw_data(setup);
  return std::move(setup.images);
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
  detail::RunSetup setup;
  setup.config = stored_config_from_json(checkpoint.config, file.string() + ": config");
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

}  // namespace duel::gan
