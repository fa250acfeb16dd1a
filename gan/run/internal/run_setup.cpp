// The order of the checks, once the values are checked (check_values): objective, device, data, networks, and whether they fit.
#include "duel/gan/run/internal/run_setup.h"

#include <algorithm>

#include "duel/gan/data/class_names.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/image_files.h"
#include "duel/gan/data/stacked_digits.h"
#include "duel/gan/models/network.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace detail {
namespace {

constexpr int64_t kMostTestDigits = 10000;  // to stack: as many as MNIST's test set has

std::string resolved_device(const std::string& wanted) {
  if (wanted == "auto") return is_available(Device::cuda()) ? "cuda" : "cpu";
  const std::string reason = why_unavailable(device_named(wanted));
  DUEL_CHECK(reason.empty(), "config", "device: {}: {}; use --device cpu", wanted, reason);
  return wanted;
}

/// What holds the images; empty for drawn digits. Absolute, so that a run finds it again from wherever it is resumed.
std::filesystem::path data_path(const std::string& digits) {
  if (digits == "synthetic") return {};
  const std::filesystem::path found = digits == "auto" ? locate_data().path : locate_data(digits).path;
  return found.empty() ? found : std::filesystem::absolute(found).lexically_normal();
}

/// A side that the configuration fixes must be that of the data.
void settle_side(const char* name, int64_t& wanted, int64_t found, const std::string& source) {
  DUEL_CHECK(wanted == 0 || wanted == found, "config",
             "{}: expected images of {} pixels, but those of {} have {}; resize brings them to a square",
             name, wanted, source, found);
  wanted = found;
}

void settle_channels(int64_t& wanted, const ImageSet& images) {
  DUEL_CHECK(wanted == 0 || wanted == images.channels, "config",
             "image-channels: expected images of {}, but those of {} have {}", wanted, images.source,
             images.channels);
  wanted = images.channels;
}

/// Classes and their names as the labels of the data say, or as the configuration does where it fits them;
/// the labels are numbered by them. Earlier versions counted labels up to the greatest one, also where some
/// did not occur: such a run says more classes than there are labels, has no names, and goes on so.
void settle_classes(RunConfig& config, ImageSet& images) {
  std::vector<int64_t> names = class_names(images);
  DUEL_CHECK(!names.empty(), "config",
             "objective: {} needs the class of every image, but those of {} have no labels{}; put the "
             "file of labels beside them, or take an objective without classes",
             config.objective, images.source,
             images.unlabelled.empty() ? "" : " (" + images.unlabelled + ")");
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
  const std::vector<std::string> words = words_of(images, names);
  DUEL_CHECK(config.class_words.empty() || config.class_words == words, "config",
             "class-words: expected the classes {}, but {} has {}", classes_text(names, config.class_words),
             images.source, classes_text(names, words));
  config.class_words = words;
  number_labels(images, names);
}

/// The labels of samples that lie on a device are numbers of classes already.
void settle_classes(RunConfig& config, const ResidentData& data) {
  DUEL_CHECK(data.has_labels(), "config",
             "objective: {} needs the class of every sample, and the data has no labels", config.objective);
  int64_t& classes = config.networks.classes;
  DUEL_CHECK(classes == 0 || classes >= data.label_end(), "config",
             "classes: expected at least {}, one more than the greatest label, got {}", data.label_end(),
             classes);
  classes = std::max(classes, data.label_end());
}

/// The data that the program gave in place of the configuration's.
void take_data(RunSetup& setup, RunConfig& config, RunParts& parts) {
  config.data = kOwnData;
  setup.held_out = std::move(parts.held_out);
  if (auto* images = std::get_if<ImageSet>(&parts.data)) {
    setup.images = std::move(*images);
    DUEL_CHECK(setup.images.channels == 1 || setup.images.channels == 3, "run",
               "data: expected images of 1 or 3 channels, which a run can draw, got {}",
               setup.images.channels);
    if (setup.images.source.empty()) setup.images.source = "images of the program's own";
    return;
  }
  setup.resident = std::get<std::shared_ptr<const ResidentData>>(parts.data);
  DUEL_CHECK(setup.resident, "run", "data: expected samples, got a null pointer");
  const Shape sample = setup.resident->sample_shape();
  DUEL_CHECK(
      sample.rank() == 3 && (sample[0] == 1 || sample[0] == 3), "run",
      "data: expected images [count, 1, H, W] or [count, 3, H, W], which a run can draw, got samples of "
      "shape {}",
      sample);
  setup.images.count = setup.resident->count();
  setup.images.channels = sample[0];
  setup.images.height = sample[1];
  setup.images.width = sample[2];
  setup.images.source = "samples of the program's own";
  if (config.device == "auto") config.device = to_text(setup.resident->device());
}

/// The networks that the program gave in place of the configuration's: what it says of them is what they are.
void take_networks(RunSetup& setup, RunConfig& config, Networks networks) {
  DUEL_CHECK(networks.generator && networks.discriminator, "run",
             "networks: expected a {}, got a null pointer",
             networks.generator ? "discriminator" : "generator");
  DUEL_CHECK(networks.latent.classes == config.networks.classes, "run",
             "networks: expected a G that is told {} classes (LatentPlan::classes), got {}",
             config.networks.classes, networks.latent.classes);
  NetworkOptions& options = networks.options;
  options.arch = networks.name;
  options.height = config.networks.height;
  options.width = config.networks.width;
  options.image_channels = config.networks.image_channels;
  options.latent = networks.latent.noise;
  options.classes = networks.latent.classes;
  options.noise = networks.latent.kind;
  options.codes = {networks.latent.categorical, networks.latent.continuous};
  config.networks = options;
  setup.networks = std::move(networks);
  setup.networks_given = true;
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

namespace {

/// What plays the setup's objective.
void complete(RunSetup& setup) {
  RunConfig& c = setup.config;
  if (!setup.networks_given) {
    Generator weights = stream(c.seed, RandomStream::weights_g);
    setup.networks = make_networks(c.networks, setup.objective, weights);
    c.networks = setup.networks.options;
  }
  check_compatible(setup.objective, *setup.networks.discriminator, c.batch, setup.networks.generator.get());
}

}  // namespace

void make_parts(RunSetup& setup) {
  setup.objective = named_objective(setup.config.objective, setup.config.overrides);
  int64_t& channels = setup.config.networks.image_channels;
  channels = std::max<int64_t>(channels, 1);  // a configuration of gray images does not say it
  complete(setup);
}

void take_objective(RunConfig& config, const RunParts& parts) {
  if (!parts.objective) return;
  config.objective = parts.objective->name;
  register_objective(config.objective, [objective = *parts.objective] { return objective; });
}

void check_registered(const RunConfig& stored, const char* op, const std::string& source,
                      bool networks_given) {
  DUEL_CHECK(
      is_objective(stored.objective), op,
      "{}: objective '{}' is not registered in this program: call register_objective before it is "
      "loaded; the duel command knows Duel's own objectives only, and the program that made it goes on with it",
      source, shown(stored.objective));
  DUEL_CHECK(
      networks_given || is_network(stored.networks.arch), op,
      "{}: arch '{}' is not registered in this program: call register_network before it is loaded; the "
      "duel command knows Duel's own networks only, and the program that made it goes on with it",
      source, shown(stored.networks.arch));
}

void find_data(RunSetup& setup, RunConfig& config) {
  DUEL_CHECK(config.data != kOwnData, "config",
             "data: this run was trained on samples that its own program gave: only that program goes on "
             "with it");
  DataName name = data_name(config.data);
  const std::filesystem::path folder = data_path(name.digits);
  setup.drawn = folder.empty();
  setup.stacked = name.stacked;
  if (setup.drawn) {
    setup.images = {.count = config.synthetic_count,
                    .height = 28,
                    .width = 28,
                    .images = {},
                    .labels = {},
                    .source = message("drawn digits (seed {})", kDrawnSeed),
                    .classes = counted_names(10)};
    name.digits = "synthetic";
  } else {
    setup.images = read_half(folder, Split::train, config.image_options);
    name.digits = folder.string();
    DUEL_CHECK(config.data_count <= setup.images.count, "config",
               "data-count: expected at most {}, the number of training images in {}, got {}",
               setup.images.count, setup.images.source, config.data_count);
    if (config.data_count > 0) setup.images = part_of(setup.images, 0, config.data_count);
  }
  DUEL_CHECK(
      config.data_count == 0 || !setup.drawn, "config",
      "data-count: of drawn digits there are as many as synthetic-count says: leave data-count out, or give MNIST with data");
  DUEL_CHECK(
      !setup.drawn || config.image_options.classes.empty(), "config",
      "data-classes: drawn digits are of all classes: leave it out, or say where images are with data");
  DUEL_CHECK(
      !setup.drawn || config.image_options.resize == 0 || config.image_options.resize == setup.images.height,
      "config",
      "resize: drawn digits are of {} pixels a side: leave it out, or say where images are with data",
      setup.images.height);
  config.data = to_text(name);
  if (!setup.stacked) return;
  DUEL_CHECK(setup.images.channels == 1, "config",
             "data: stacked digits are made of gray ones, and those of {} are in colour; say --gray",
             setup.images.source);
  setup.digits = std::move(setup.images);
  setup.images = {.count = config.stacked_count,
                  .height = setup.digits.height,
                  .width = setup.digits.width,
                  .images = {},
                  .labels = {},
                  .source = message("three digits each of {}", setup.digits.source),
                  .channels = 3};
}

void refuse_stacked(const RunSetup& setup, const char* op) {
  DUEL_CHECK(!setup.stacked, op,
             "data: {}: expected gray digits, got stacked ones; duel lab stacked has the protocol for these",
             setup.config.data);
}

void draw_data(RunSetup& setup) {
  ImageSet& digits = setup.stacked ? setup.digits : setup.images;
  if (setup.drawn) digits = draw_digits(digits.count, kDrawnSeed);
  if (!setup.stacked) return;
  setup.images = stack_digits(digits, setup.images.count, kStackedSeed).images;
  digits = {};
}

ImageSet some_like(const RunSetup& setup, int64_t count) {
  if (!setup.stacked) return setup.drawn ? draw_digits(count, kDrawnSeed) : part_of(setup.images, 0, count);
  return stack_digits(setup.drawn ? draw_digits(count, kDrawnSeed) : setup.digits, count, kStackedSeed)
      .images;
}

RunSetup set_up(RunConfig config, RunParts parts) {
  RunSetup setup;
  ResolvedObjective resolved = resolved_objective(config.objective, config.overrides);
  setup.objective = std::move(resolved.objective);
  config.overrides = std::move(resolved.overrides);
  if (parts.data.index() == 0) {
    find_data(setup, config);
  } else {
    take_data(setup, config, parts);
  }
  config.device = resolved_device(config.device);
  ImageSet& images = setup.images;
  DUEL_CHECK(config.batch <= images.count, "config",
             "batch: expected at most {}, the number of images in {}, got {}", images.count, images.source,
             config.batch);
  settle_side("height", config.networks.height, images.height, images.source);
  settle_side("width", config.networks.width, images.width, images.source);
  settle_channels(config.networks.image_channels, images);
  if (is_conditional(setup.objective.critic)) {
    DUEL_CHECK(
        !setup.stacked, "config",
        "objective: {} needs the class of every image, and stacked digits come without: take an objective "
        "without classes",
        config.objective);
    if (setup.resident) {
      settle_classes(config, *setup.resident);
    } else {
      settle_classes(config, images);
    }
  }
  if (parts.networks) take_networks(setup, config, std::move(*parts.networks));
  config.steps = total_steps(config, images.count);
  config.epochs = 0;
  setup.config = std::move(config);
  complete(setup);
  return setup;
}

ImageSet held_out_images(const RunSetup& setup, int64_t count) {
  if (setup.drawn && !setup.stacked) return draw_digits(count, kDrawnSeed + 1);
  ImageSet set;
  try {
    set = setup.drawn
              ? draw_digits(std::min(3 * count, kMostTestDigits), kDrawnSeed + 1)
              : read_half(data_name(setup.config.data).digits, Split::test, setup.config.image_options);
  } catch (const Error&) {
    return {};  // no test set in the folder: a run does not need one
  }
  if (setup.stacked) set = stack_digits(set, count, kStackedSeed + 1).images;
  if (set.height != setup.images.height || set.width != setup.images.width ||
      set.channels != setup.images.channels || set.count == 0)
    return {};
  if (setup.config.networks.classes > 0) {
    const std::vector<int64_t> names = class_names_of(setup.config);
    keep_classes(set, names);
    number_labels(set, names);
  }
  return part_of(set, 0, std::min(set.count, count));
}

std::shared_ptr<const ResidentData> held_out_data(const RunSetup& setup, int64_t count, Device device) {
  if (setup.config.data == kOwnData) return setup.held_out;
  const ImageSet images = held_out_images(setup, count);
  return images.count > 0 ? std::make_shared<ResidentData>(images, device) : nullptr;
}

}  // namespace detail

ImageSet load_images(const RunConfig& config) {
  detail::RunSetup setup;
  setup.config = config;
  detail::find_data(setup, setup.config);
  detail::draw_data(setup);
  return std::move(setup.images);
}

}  // namespace duel::gan
