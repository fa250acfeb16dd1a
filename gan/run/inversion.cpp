#include "duel/gan/run/inversion.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/image_files.h"
#include "duel/gan/record/internal/text_table.h"
#include "duel/gan/run/internal/output_file.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/state.h"
#include "duel/kernels/base/error.h"
#include "duel/nn/optim/optim.h"

namespace duel::gan {
namespace {

constexpr const char* kInvertOp = "invert";
constexpr int64_t kMostImages = 1024, kRowsAtOnce = 256;
constexpr int64_t kPairColumns = 8;  // of the picture: four images, each beside its recovered one

void check_request(const InvertRequest& r) {
  DUEL_CHECK(!r.checkpoint.empty(), kInvertOp,
             "checkpoint: missing; say --checkpoint FILE or --checkpoint RUNDIR");
  DUEL_CHECK(!r.images.empty(), kInvertOp, "IMAGES: missing; say a file of images or a folder of PNGs");
  DUEL_CHECK(r.count >= 1 && r.count <= kMostImages, kInvertOp, "count: expected 1 to {}, got {}",
             kMostImages, r.count);
  DUEL_CHECK(r.steps >= 1 && r.steps <= 1000000, kInvertOp, "steps: expected 1 to 1000000, got {}", r.steps);
  DUEL_CHECK(r.starts >= 1 && r.starts <= kRowsAtOnce, kInvertOp, "starts: expected 1 to {}, got {}",
             kRowsAtOnce, r.starts);
  DUEL_CHECK(r.lr > 0 && std::isfinite(r.lr), kInvertOp, "lr: expected a positive number, got {}", r.lr);
  detail::check_output(kInvertOp, "out", r.out, ".safetensors", r.force);
  detail::check_output(kInvertOp, "picture", r.picture, ".png", r.force);
}

ImageSet read_given(const InvertRequest& request, const RunConfig& config) {
  const int64_t height = config.networks.height, width = config.networks.width,
                channels = config.networks.image_channels;
  const CheckShape check = [&](const std::vector<int64_t>& shape) {
    DUEL_CHECK(
        shape[1] == height && shape[2] == width, kInvertOp,
        "{}: expected images of {}x{}, which G of {} makes, got {}x{}; --resize brings images to a square",
        request.images.string(), height, width, request.checkpoint.string(), shape[1], shape[2]);
    const int64_t found = shape.size() > 3 ? shape[3] : 1;
    DUEL_CHECK(found == channels, kInvertOp, "{}: expected images of {} colours, which G of {} makes, got {}",
               request.images.string(), channels, request.checkpoint.string(), found);
  };
  const ImageSet all = read_images(request.images, check, channels == 1 ? Colours::gray : Colours::kept,
                                   request.image_options);
  return part_of(all, 0, std::min(all.count, request.count));
}

/// G as samples are drawn with it, its weights frozen.
nn::Module& generator_of(Trainer& trainer) {
  nn::Module& g = *trainer.networks().generator;
  const nn::StateDict average = strip_prefix(kAveragePrefix, trainer.state());
  if (!average.empty()) g.load_state_dict(average, /*strict=*/false);
  g.set_requires_grad(false);
  return g;
}

/// What Adam moves.
class Moved : public nn::Module {
 public:
  explicit Moved(const Tensor& start) : values(register_parameter("values", start)) {}
  Tensor values;  // [rows, noise + continuous codes]
};

/// Rows of latents, parted into what moves and what stays.
struct Points {
  const LatentPlan& plan;
  Tensor fixed;  // labels and categorical codes [rows, …]; undefined without
  Tensor moved;

  int64_t fixed_width() const { return plan.width() - plan.noise - plan.continuous; }
  Tensor whole(const Tensor& values) const {
    if (!fixed.defined()) return values;
    if (plan.continuous == 0) return concat({values, fixed}, 1);
    return concat({slice(values, 1, 0, plan.noise), fixed, slice(values, 1, plan.noise, values.dim(1))}, 1);
  }
};

Points parted(const LatentPlan& plan, const Tensor& input) {
  Points points{plan, {}, {}};
  const int64_t end = plan.noise + points.fixed_width();
  if (points.fixed_width() == 0) {
    points.moved = input;
    return points;
  }
  points.fixed = slice(input, 1, plan.noise, end);
  const Tensor noise = slice(input, 1, 0, plan.noise);
  points.moved = plan.continuous == 0 ? noise : concat({noise, slice(input, 1, end, plan.width())}, 1);
  return points;
}

/// The starts of one image. With classes start k is in class k, round and round.
Tensor starts_of(const LatentPlan& plan, int64_t starts, LatentGenerators& random) {
  Latents drawn = draw_latents(plan, starts, random);
  if (plan.classes == 0) return drawn.input;
  std::vector<int64_t> labels;
  for (int64_t k = 0; k < starts; ++k) labels.push_back(k % plan.classes);
  return compose_latents(plan, slice(drawn.input, 1, 0, plan.noise), Tensor::from(labels, {starts}),
                         drawn.codes)
      .input;
}

/// Where a draw is from [-1, 1) it goes back there.
void put_back(const LatentPlan& plan, Tensor& values) {
  const NoGrad no_grad;
  if (plan.kind == NoiseKind::uniform) {
    values.copy_(clamp(values, -1.0, 1.0));
  } else if (plan.continuous > 0) {
    values.copy_(concat(
        {slice(values, 1, 0, plan.noise), clamp(slice(values, 1, plan.noise, values.dim(1)), -1.0, 1.0)}, 1));
  }
}

struct Found {
  Tensor input;                      // [rows, width]
  std::vector<float> error, before;  // of each row: the least, and that of the start
};

/// input [rows, width], targets [rows, C, H, W].
Found descend(nn::Module& g, const LatentPlan& plan, const Tensor& input, const Tensor& targets,
              const InvertRequest& request, const std::function<void()>& stepped) {
  const Points points = parted(plan, input);
  Moved moved(points.moved.clone());
  nn::Adam optimizer(moved, {.lr = request.lr});
  Tensor best = moved.values.detach().clone(), least;
  Found found;
  for (int64_t step = 0;; ++step) {
    const Tensor errors = mean(square(g(points.whole(moved.values)) - targets), {1, 2, 3});
    {
      const NoGrad no_grad;
      if (step == 0) {
        least = errors.detach().clone();
        found.before = least.to_vector<float>();
      } else {
        const Tensor better = less(errors.detach(), least);
        least = where(better, errors.detach(), least);
        best = where(unsqueeze(better, 1), moved.values.detach(), best);
      }
    }
    if (step == request.steps) break;
    const double share = static_cast<double>(step) / static_cast<double>(request.steps);
    optimizer.set_lr(request.lr * 0.5 * (1 + std::cos(std::numbers::pi * share)));
    optimizer.step(grad({sum(errors)}, {moved.values}));
    put_back(plan, moved.values);
    stepped();
  }
  const NoGrad no_grad;
  found.input = points.whole(best);
  found.error = least.to_vector<float>();
  return found;
}

/// Class of a row of G's input, by its label.
int64_t label_of(const LatentPlan& plan, const std::vector<int64_t>& names, const Tensor& row) {
  const int64_t number = argmax(slice(row, 1, plan.noise, plan.noise + plan.classes)).to_vector<int64_t>()[0];
  return names.at(static_cast<size_t>(number));
}

/// Given images and recovered ones in turn.
Picture side_by_side(const ImageSet& given, const std::vector<uint8_t>& recovered) {
  const auto size = static_cast<size_t>(given.pixels());
  std::vector<uint8_t> both;
  for (size_t i = 0; i < static_cast<size_t>(given.count); ++i) {
    for (const auto* set : {&given.images, &recovered})
      both.insert(both.end(), set->begin() + static_cast<std::ptrdiff_t>(i * size),
                  set->begin() + static_cast<std::ptrdiff_t>((i + 1) * size));
  }
  return tile_grid(both, 2 * given.count, given.height, given.width, kPairColumns, 2, given.channels);
}

}  // namespace

Inversion invert(const InvertRequest& asked) {
  InvertRequest request = asked;
  if (request.picture.empty()) request.picture = std::filesystem::path(request.out).replace_extension(".png");
  check_request(request);
  const LoadedTrainer loaded = load_trainer(request.checkpoint);
  const ImageSet given = read_given(request, loaded.config);
  const LatentPlan plan = loaded.trainer->networks().latent;
  const int64_t starts = std::max(request.starts, plan.classes);
  nn::Module& g = generator_of(*loaded.trainer);
  const nn::EvalMode eval(g);

  const ResidentData data(given);
  const Tensor targets = data.batch(data.first(given.count), DType::f32);
  const int64_t at_once = std::max<int64_t>(1, kRowsAtOnce / starts);
  const int64_t total = (given.count + at_once - 1) / at_once * request.steps;
  int64_t done = 0;
  const auto stepped = [&] {
    ++done;
    if (request.progressed) request.progressed(done, total);
  };
  LatentGenerators random = sampling_generators(request.seed);
  Inversion result{
      .latents = {}, .errors = {}, .at_start = {}, .out = request.out, .picture = request.picture};
  std::vector<Tensor> latents;
  std::vector<float> errors;
  for (int64_t begin = 0; begin < given.count; begin += at_once) {
    const int64_t end = std::min(begin + at_once, given.count);
    std::vector<Tensor> inputs;
    std::vector<int64_t> image;
    for (int64_t i = begin; i < end; ++i) {
      inputs.push_back(starts_of(plan, starts, random));
      image.insert(image.end(), static_cast<size_t>(starts), i);
    }
    const Tensor index = Tensor::from(image, {static_cast<int64_t>(image.size())});
    const Found found = descend(g, plan, concat(inputs, 0), gather(targets, index), request, stepped);
    for (int64_t i = 0; i < end - begin; ++i) {
      const auto first = static_cast<std::ptrdiff_t>(i * starts);
      const auto least = std::min_element(found.error.begin() + first, found.error.begin() + first + starts) -
                         found.error.begin();
      DUEL_CHECK(std::isfinite(found.error[static_cast<size_t>(least)]), kInvertOp,
                 "{}: G of iteration {} gives values that are not finite", request.checkpoint.string(),
                 loaded.trainer->iteration());
      latents.push_back(rows(found.input, least, least + 1));
      errors.push_back(found.error[static_cast<size_t>(least)]);
      result.errors.push_back(errors.back());
      result.at_start.push_back(
          *std::min_element(found.before.begin() + first, found.before.begin() + first + starts));
      if (plan.classes > 0)
        result.labels.push_back(label_of(plan, class_names_of(loaded.config), latents.back()));
    }
  }
  const NoGrad no_grad;
  result.latents = concat(latents, 0);
  const Picture picture = side_by_side(given, gray_pixels(g(result.latents).to_vector<float>()));
  write_safetensors(
      request.out, {.tensors = {{"latents", result.latents}, {"errors", Tensor::from(errors, {given.count})}},
                    .metadata = {{"format", "pt"},
                                 {"duel", "latents-1"},
                                 {"iteration", std::to_string(loaded.trainer->iteration())}}});
  write_png(request.picture, picture);
  return result;
}

std::string to_table(const Inversion& inversion) {
  std::vector<detail::TextColumn> columns{{"image"}, {"error"}, {"best start"}};
  if (!inversion.labels.empty()) columns.push_back({"class"});
  std::vector<std::vector<std::string>> cells;
  for (size_t i = 0; i < inversion.errors.size(); ++i) {
    cells.push_back({std::to_string(i), detail::number_text(inversion.errors[i]),
                     detail::number_text(inversion.at_start[i])});
    if (!inversion.labels.empty()) cells.back().push_back(std::to_string(inversion.labels[i]));
  }
  std::string text;
  for (const std::string& line : detail::text_table(columns, cells)) text += line + "\n";
  return text + message("latents   {}\npicture   {}\n", inversion.out.string(), inversion.picture.string());
}

}  // namespace duel::gan
