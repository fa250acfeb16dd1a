#include "duel/gan/run/evaluation.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_set>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/image_files.h"
#include "duel/gan/data/stacked_digits.h"
#include "duel/gan/judge/judge.h"
#include "duel/gan/judge/neighbours.h"
#include "duel/gan/run/internal/neighbour_picture.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/run/internal/sample_sets.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOp = "eval";
constexpr int64_t kLeast = least_samples(kNeighbours);
constexpr int64_t kMost = 100000;        // neighbours take time by the square
constexpr int64_t kMostStacked = 30000;  // and 1,000 classes memory: 120 MB

void check_sides(const std::string& what, int64_t height, int64_t width) {
  DUEL_CHECK(height == Judge::side && width == Judge::side, kOp,
             "{}: expected images of {}x{}, which judges read, got {}x{}{}", what, Judge::side, Judge::side,
             height, width,
             height > 2 * Judge::side
                 ? "; a sheet of many samples is not a sample; pictures are brought there with --resize"
                 : "; bring them there with --resize");
}

/// A folder that a run was trained in, or a file that is none of the formats of images.
bool is_run(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path.extension() == ".safetensors";
  return fs::exists(path / "checkpoints", ignored) || fs::exists(path / "config.json", ignored);
}

/// What stands behind a path: a trainer to sample from, or images.
struct Source {
  std::optional<LoadedTrainer> run = {};
  ImageSet images = {};
};

Source open(const fs::path& path, Colours colours, const ImageOptions& options) {
  Source source;
  std::error_code ignored;
  DUEL_CHECK(fs::exists(path, ignored), kOp,
             "{}: no such file or folder; expected a run directory, a checkpoint or images", path.string());
  if (is_run(path)) {
    source.run = load_trainer(path);
    check_sides(path.string(), source.run->config.networks.height, source.run->config.networks.width);
    return source;
  }
  const CheckShape check = [&](const std::vector<int64_t>& shape) {
    check_sides(path.string(), shape[1], shape[2]);
    DUEL_CHECK(shape[0] >= kLeast, kOp, "{}: expected at least {} images, got {}", path.string(), kLeast,
               shape[0]);
  };
  source.images = read_images(path, check, colours, options);
  return source;
}

/// Stacked digits are images of 3 colours, and nothing else is.
void check_colours(const fs::path& path, const Source& source, bool stacked) {
  const int64_t channels = source.run ? source.run->config.networks.image_channels : source.images.channels;
  DUEL_CHECK(stacked || channels == 1, kOp,
             "{}: judges read gray images, got images of {} colours; of stacked digits say --data stacked",
             path.string(), channels);
  DUEL_CHECK(
      !stacked || channels == 3, kOp,
      "{}: expected stacked digits, images of 3 colours, got gray ones; say --data DIR for MNIST's folder",
      path.string());
}

/// Where the real images are: nothing, drawn digits or a folder; of stacked ones where their digits are.
struct Data {
  bool known = false, drawn = false, stacked = false;
  fs::path folder = {};
  int64_t drawn_count = 60000;
  int64_t count = 0;  // of training images, the first ones; 0: all
  ImageOptions options = {};

  /// Gray images of the judges' size.
  ImageSet read(Split split) const {
    DUEL_CHECK(split == Split::train || has_half(folder, split), kOp,
               "{}: has no test images to compare with, it is {}; say --against SET", folder.string(),
               kind_of_data(folder));
    return read_half(
        folder, split, options,
        [&](const std::vector<int64_t>& shape) { check_sides(folder.string(), shape[1], shape[2]); },
        Colours::gray);
  }
};

Data data_of(const EvalRequest& request, const Source& set) {
  const RunConfig* config = set.run ? &set.run->config : nullptr;
  Data data;
  if (config) data.drawn_count = config->synthetic_count, data.count = config->data_count;
  data.options = request.image_options;
  if (config) {
    const ImageOptions& run = config->image_options;
    if (data.options.resize == 0) data.options.resize = run.resize;
    data.options.gray = data.options.gray || run.gray;
    if (data.options.classes.empty()) data.options.classes = run.classes;
  }
  const DataName asked = data_name(request.data.value_or(config ? config->data : "auto"));
  const std::string& name = asked.digits;
  data.stacked = asked.stacked;
  DUEL_CHECK(name != detail::kOwnData, kOp,
             "{}: this run was trained on samples of its own program: say --data DIR or --data synthetic",
             request.set.string());
  data.known = data.drawn = name == "synthetic";
  if (data.drawn) return data;
  data.folder = name == "auto" ? locate_data().path : locate_data(name).path;
  data.known = !data.folder.empty();
  // "auto" of a configuration that was not resolved is drawn digits where there is no MNIST, as in training.
  if (!data.known) data.known = data.drawn = config != nullptr;
  return data;
}

ImageSet chosen(const ImageSet& set, const std::vector<int64_t>& index) {
  ImageSet part;
  part.count = static_cast<int64_t>(index.size());
  part.height = set.height;
  part.width = set.width;
  part.channels = set.channels;
  for (const int64_t i : index) {
    const std::string_view bytes = detail::bytes_of(set, i);
    part.images.insert(part.images.end(), bytes.begin(), bytes.end());
  }
  part.source = set.source;
  return part;
}

/// At most `count` of them, a random part in their order.
ImageSet at_most(ImageSet set, int64_t count, uint64_t seed) {
  if (set.count <= count) return set;
  std::vector<int64_t> index = DataOrder(set.count, seed).next(count).to_vector<int64_t>();
  std::sort(index.begin(), index.end());
  return chosen(set, index);
}

ImageSet images_of(Source& source, const EvalRequest& request) {
  if (source.run) return sample_images(*source.run, request.count, request.seed);
  return at_most(std::move(source.images), request.count, request.seed);
}

/// Training images that are in none of the two sets, at most `count` of them, in random order.
std::vector<int64_t> in_neither(const ImageSet& training, const ImageSet& real, const ImageSet& fake,
                                int64_t count, uint64_t seed) {
  std::unordered_set<std::string_view> known;
  for (const ImageSet* set : {&real, &fake})
    for (int64_t i = 0; i < set->count; ++i) known.insert(detail::bytes_of(*set, i));
  std::vector<int64_t> index;
  for (const int64_t i : DataOrder(training.count, seed).next(training.count).to_vector<int64_t>()) {
    if (static_cast<int64_t>(index.size()) == count) break;
    if (!known.contains(detail::bytes_of(training, i))) index.push_back(i);
  }
  return index;
}

void check_request(const EvalRequest& request) {
  DUEL_CHECK(!request.set.empty(), kOp,
             "SET: missing; say a run directory, a checkpoint or images: duel eval runs/mine");
  DUEL_CHECK(request.count >= kLeast && request.count <= kMost, kOp, "--count: expected {} to {}, got {}",
             kLeast, kMost, request.count);
  if (request.neighbours.empty()) return;
  std::error_code ignored;
  const std::string file = request.neighbours.string();
  DUEL_CHECK(request.neighbours.extension() == ".png", kOp,
             "--neighbours: {}: expected a name ending in .png", file);
  const fs::path folder = fs::absolute(request.neighbours, ignored).parent_path();
  DUEL_CHECK(fs::is_directory(folder, ignored), kOp, "--neighbours: {}: is not a folder; make it first",
             folder.string());
  DUEL_CHECK(request.force || !fs::exists(request.neighbours, ignored), kOp,
             "--neighbours: {}: is there already; choose another name, or --force to replace it", file);
  DUEL_CHECK(!fs::exists(request.neighbours, ignored) || fs::is_regular_file(request.neighbours, ignored),
             kOp, "--neighbours: {}: is not a regular file; choose another name", file);
}

/// Note [Stacked digits]. `real` where it was given.
Comparison compare_stacked(const EvalRequest& request, const Data& data, const Judge& judge,
                           std::optional<ImageSet>& real, const ImageSet& fake) {
  constexpr int64_t kTestDigits = 10000;
  const auto stacked = [&](Split split, uint64_t seed) {
    const int64_t drawn = std::min(3 * request.count, kTestDigits);
    const ImageSet digits = data.drawn
                                ? draw_digits(drawn, detail::kDrawnSeed + (split == Split::test ? 1 : 2))
                                : data.read(split);
    return stack_digits(digits, request.count, seed).images;
  };
  ComparisonOptions options{.seed = request.seed};
  if (!real) {
    real = stacked(Split::test, detail::kStackedSeed + 1);
    const ImageSet others = stacked(Split::train, detail::kStackedSeed + 2);
    options.others = detail::judged_stacked(judge, ResidentData(others));
  }
  return compare(detail::judged_stacked(judge, ResidentData(*real)),
                 detail::judged_stacked(judge, ResidentData(fake)), options);
}

}  // namespace

ImageSet sample_images(const LoadedTrainer& loaded, int64_t count, uint64_t seed) {
  DUEL_CHECK(count >= 1 && count <= 10000000, "sample", "count: expected 1 to 10000000, got {}", count);
  LatentGenerators random = sampling_generators(seed);
  ImageSet set = detail::sampled_images(*loaded.trainer, count, random);
  set.source = message("samples of iteration {} ({}, {}, seed {})", loaded.trainer->iteration(),
                       loaded.config.objective, loaded.config.networks.arch, seed);
  return set;
}

Evaluation evaluate(const EvalRequest& request) {
  const NoGrad no_grad;
  check_request(request);
  const auto say = [&](const std::string& line) {
    if (request.say) request.say(line);
  };

  // All that may be refused comes before all that takes time.
  const bool asked_stacked = request.data && data_name(*request.data).stacked;
  ImageOptions of_set = request.image_options;
  of_set.classes.clear();  // samples have no labels
  Source set = open(request.set, asked_stacked ? Colours::kept : Colours::gray, of_set), against;
  const Data data = data_of(request, set);
  check_colours(request.set, set, data.stacked);
  if (request.against) {
    against = open(*request.against, data.stacked ? Colours::kept : Colours::gray, request.image_options);
    check_colours(*request.against, against, data.stacked);
  }
  DUEL_CHECK(
      !data.stacked || request.neighbours.empty(), kOp,
      "--neighbours: no training image is near a stacked one, of which there are more than can be kept; "
      "leave it out");
  DUEL_CHECK(!data.stacked || request.count <= kMostStacked, kOp,
             "--count: expected at most {} of stacked digits, got {}", kMostStacked, request.count);
  DUEL_CHECK(
      data.known || (request.against && request.neighbours.empty()), kOp,
      "--data: no MNIST was found to compare with: say --data DIR, --data synthetic for drawn digits{}",
      request.against ? "" : ", or --against SET");
  const std::string name = !request.judge.empty() ? request.judge : detail::default_judge(data.drawn);
  const Judge judge = load_judge(name);
  if (data.stacked) {
    std::optional<ImageSet> real;
    if (request.against) real = images_of(against, request);
    say(message("judge     {}, trained on {}; it reads each colour by itself", judge.name(),
                judge.facts().data));
    const ImageSet fake = images_of(set, request);
    Evaluation result{.set = request.set.string(),
                      .against = {},
                      .judge = judge.name() + "-stacked",
                      .seed = request.seed,
                      .comparison = compare_stacked(request, data, judge, real, fake)};
    result.against = real->source;
    say(message("set       {} images: {}", fake.count, fake.source));
    say(message("against   {} images: {}", real->count, real->source));
    return result;
  }
  const bool with_training = !request.against || !request.neighbours.empty();
  ImageSet training, real;
  if (with_training) {
    training = data.drawn ? draw_digits(data.drawn_count, detail::kDrawnSeed) : data.read(Split::train);
    if (!data.drawn && data.count > 0 && data.count < training.count)
      training = part_of(training, 0, data.count);
    check_sides(training.source, training.height, training.width);
  }
  if (request.against) {
    real = images_of(against, request);
  } else if (data.drawn) {
    real = draw_digits(request.count, detail::kDrawnSeed + 1);
  } else {
    real = data.read(Split::test);
    DUEL_CHECK(real.count >= kLeast, kOp, "{}: expected at least {} images, got {}", real.source, kLeast,
               real.count);
    real = at_most(std::move(real), request.count, request.seed);
  }
  say(message("judge     {}, trained on {}", judge.name(), judge.facts().data));
  if (set.run) say(message("sampling  {} images of {}", request.count, request.set.string()));
  const ImageSet fake = images_of(set, request);

  say(message("set       {} images: {}", fake.count, fake.source));
  say(message("against   {} images: {}", real.count, real.source));
  if (const int64_t shared = detail::in_both(real, fake); shared > 0)
    say(message("note      {} images of the set are among those that it stands against", shared));

  const SampleSet read_fake = detail::read_by(judge, ResidentData(fake)),
                  read_real = detail::read_by(judge, ResidentData(real));
  ComparisonOptions options{.seed = request.seed};
  SampleSet read_training;
  if (with_training) read_training = detail::judged(judge, ResidentData(training));
  if (!request.against) {
    options.training = read_training.features;
    if (data.drawn) {
      options.others =
          detail::read_by(judge, ResidentData(draw_digits(request.count, detail::kDrawnSeed + 2)));
    } else {
      const std::vector<int64_t> rest = in_neither(training, real, fake, fake.count, request.seed);
      if (static_cast<int64_t>(rest.size()) >= kLeast) {
        options.others = read_training.at(rest);
        options.others.images = detail::pixels_of(ResidentData(chosen(training, rest)));
      }
    }
  }
  say(message("floors    {}",
              options.others.features.defined()
                  ? message("of {} other images of the same data", options.others.features.dim(0))
                  : "of two halves of the real set"));
  Evaluation result{.set = request.set.string(),
                    .against = real.source,
                    .judge = judge.name(),
                    .seed = request.seed,
                    .comparison = compare(read_real, read_fake, options)};
  if (!request.neighbours.empty()) {
    detail::write_neighbours(request.neighbours, fake, read_fake.features, training, read_training.features);
    say(message("picture   {}", request.neighbours.string()));
  }
  return result;
}

std::string to_json_line(const Evaluation& e) {
  return to_json_line(e.judge, e.comparison, {{"set", e.set}, {"against", e.against}, {"seed", e.seed}});
}

namespace {

constexpr size_t kIntervalWidth = 20;

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text + " ";
}

/// How the value stands to the floor, as far as its interval tells them apart.
std::string standing(Better better, const Value& v) {
  if (!std::isfinite(v.value) || !std::isfinite(v.floor)) return "";
  if (v.low <= v.floor && v.floor <= v.high) return "at the floor";
  if (better == Better::near_floor) return v.value > v.floor ? "above" : "below";
  return (better == Better::lower) == (v.value < v.floor) ? "better" : "worse";
}

std::string digits(double value, int most = 4) {
  return std::isfinite(value) ? significant(value, most) : "-";
}

/// With three digits where four are too wide for the column.
std::string interval_text(const Value& v) {
  const std::string text = message("{} to {}", digits(v.low), digits(v.high));
  return text.size() <= kIntervalWidth ? text : message("{} to {}", digits(v.low, 3), digits(v.high, 3));
}

}  // namespace

std::string to_table(const Evaluation& e) {
  size_t width = 26;
  for (const auto& [row, v] : e.comparison.values)
    width = std::max(width, row->key.size() + 1 + e.judge.size());
  const auto line = [width](const std::string& measure, const std::string& value, const std::string& interval,
                            const std::string& floor, const std::string& word) {
    std::string text = padded(measure, width) + padded(value, 9) + padded(interval, kIntervalWidth) +
                       padded(floor, 9) + word;
    text.resize(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };
  std::string text = line("measure", "value", "95 % interval", "floor", "");
  for (const auto& [row, v] : e.comparison.values)
    text += line(row->key + "-" + e.judge, digits(v.value), interval_text(v), digits(v.floor),
                 standing(row->better, v));
  return text;
}

}  // namespace duel::gan
