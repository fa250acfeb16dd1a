// duel singan: images of any size like one image.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "commands.h"
#include "duel/core/ops.h"
#include "duel/gan/data/image_files.h"
#include "duel/gan/data/resident_data.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/record/run_config.h"
#include "duel/gan/single/singan.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"
#include "terminal/progress.h"
#include "terminal/signals.h"

namespace duel::apps {
namespace {

namespace fs = std::filesystem;

struct Request {
  std::string image, out = "singan";
  gan::SinganOptions options;
  int64_t size = 96, count = 8, height = 0, width = 0;
  uint64_t sample_seed = 7;
  bool gray = false, quiet = false;
};

constexpr int64_t kColumns = 4;
constexpr const char* kModel = "singan.safetensors";

gan::Picture picture_of(const Tensor& images) {
  const Tensor bytes = clamp((images + 1.0) * 127.5, 0, 255);
  std::vector<uint8_t> pixels;
  for (const float v : bytes.to_vector<float>()) pixels.push_back(static_cast<uint8_t>(std::lround(v)));
  return gan::tile_grid(pixels, images.dim(0), images.dim(2), images.dim(3), kColumns, 2, images.dim(1));
}

/// The picture, its longer side at most `size`.
Tensor image_of(const Request& r) {
  const gan::ImageSet set = gan::read_picture(r.image, r.gray ? gan::Colours::gray : gan::Colours::kept);
  const gan::ResidentData data(set);
  const Tensor image = data.batch(Tensor::zeros({1}, {DType::i64, {}}), DType::f32);
  const double shrink = static_cast<double>(r.size) / static_cast<double>(std::max(set.height, set.width));
  if (shrink >= 1) return image;
  const auto to = [&](int64_t side) {
    return std::max<int64_t>(std::llround(static_cast<double>(side) * shrink), 1);
  };
  return gan::resized(image, to(set.height), to(set.width));
}

/// A new folder, so that nothing the user had is written over.
void make_folder(const fs::path& folder) {
  std::error_code error;
  DUEL_CHECK(!fs::exists(folder, error), "singan", "--out {}: is there already; name a new folder",
             folder.string());
  fs::create_directories(folder, error);
  DUEL_CHECK(!error, "singan", "--out {}: cannot be made: {}", folder.string(), error.message());
}

bool train(gan::Singan& model, const Request& r) {
  Progress progress(stderr, r.quiet);
  gan::Singan::Progress last;
  progress.begin(0, model.scales() * r.options.steps, [&](const Progress::Pace& pace) {
    return Progress::Shown{
        message("scale {}/{} {}/{} ", last.scale + 1, model.scales(), last.step, r.options.steps),
        {pace.clock +
             message(", D {} G {} rec {}", brief(last.loss_d), brief(last.loss_g), brief(last.rec_error)),
         pace.clock},
        {}};
  });
  while (!model.trained()) {
    const bool done = model.train_scale([&](const gan::Singan::Progress& now) {
      last = now;
      progress.add();
      return caught_signal() == 0;
    });
    if (!done) return false;
    progress.line(message("scale {} of {}: reconstruction error {}", model.scales_done(), model.scales(),
                          brief(model.rec_error())));
  }
  return true;
}

int run(const Request& r) {
  DUEL_CHECK(!r.image.empty(), "singan", "expected a PNG or JPEG, or a {} of an earlier run", kModel);
  DUEL_CHECK(r.count >= 1 && r.count <= 1024, "singan", "--count: expected 1 to 1024 samples, got {}",
             r.count);
  DUEL_CHECK(r.size >= 12 && r.size <= 512, "singan", "--size: expected 12 to 512 pixels, got {}", r.size);
  const bool stored = r.image.ends_with(".safetensors");
  gan::Singan model = stored ? gan::Singan(fs::path(r.image)) : gan::Singan(image_of(r), r.options);
  const fs::path out = r.out;
  make_folder(out);
  if (!stored) {
    catch_signals();
    if (!train(model, r)) {
      std::error_code ignored;
      fs::remove(out, ignored);  // empty
      std::fputs("duel: stopped; a model is kept when all of its scales are trained\n", stderr);
      return 128 + caught_signal();
    }
    model.save(out / kModel);
    gan::write_png(out / "reconstruction.png", picture_of(model.reconstruction()));
  }
  const auto draw = [&](const char* name, int64_t height, int64_t width) {
    gan::write_png(out / name, picture_of(model.sample(r.count, height, width, r.sample_seed)));
    print(message("{}: {} samples of {} x {}\n", (out / name).string(), r.count, height, width));
  };
  print(message("{} scales, reconstruction error {} (root mean square of pixels in [-1, 1])\n",
                model.scales(), brief(model.rec_error())));
  const int64_t height = r.height > 0 ? r.height : model.height(),
                width = r.width > 0 ? r.width : model.width();
  draw("samples.png", height, width);
  if (r.height == 0 && r.width == 0) draw("wide.png", height, 2 * width);
  return 0;
}

}  // namespace

Command singan_command() {
  auto r = std::make_shared<Request>();
  Command command{.name = "singan", .summary = "Learn one image, draw others like it, of any size"};
  command.words = {{.name = "IMAGE",
                    .help = "a PNG or JPEG, or the singan.safetensors of an earlier run",
                    .set = [r](const std::string& text) { r->image = text; }}};
  const auto option = [&](const char* name, const char* help, const char* value,
                          std::function<void(const std::string&)> set) {
    command.options.push_back({.name = name, .help = help, .value = value, .set = std::move(set)});
  };
  const auto integer = [&](const char* name, const char* help, int64_t* into) {
    option(name, help, "INT",
           [r, name, into](const std::string& text) { *into = parsed<int64_t>("option", name, text); });
  };
  option("out", "folder to make [singan]", "DIR", [r](const std::string& text) { r->out = text; });
  integer("steps", "iterations of each scale, three steps of D and of G each [500]", &r->options.steps);
  integer("size", "pixels that a longer side is brought to [96]", &r->size);
  integer("smallest", "pixels of the coarsest scale's shorter side [18]", &r->options.smallest);
  const auto number = [&](const char* name, const char* help, double* into) {
    option(name, help, "NUM",
           [r, name, into](const std::string& text) { *into = parsed<double>("option", name, text); });
  };
  number("lambda", "weight of the gradient penalty [0.1]", &r->options.lambda);
  number("reconstruction", "weight of the squared difference to the image [10]", &r->options.reconstruction);
  integer("channels", "of every layer [32]", &r->options.channels);
  integer("count", "samples [8]", &r->count);
  integer("height", "of the samples; 0: the image's [0]", &r->height);
  integer("width", "of the samples; 0: the image's, and once more twice that [0]", &r->width);
  option("seed", "of weights and training [1]", "INT",
         [r](const std::string& text) { r->options.seed = parsed<uint64_t>("option", "seed", text); });
  option("sample-seed", "of the samples [7]", "INT",
         [r](const std::string& text) { r->sample_seed = parsed<uint64_t>("option", "sample-seed", text); });
  option("gray", gan::config_field("gray").help.c_str(), "", [r](const std::string&) { r->gray = true; });
  option("quiet", "do not show progress", "", [r](const std::string&) { r->quiet = true; });
  command.footer =
      "  duel singan picture.png --out stones\n"
      "  duel singan stones/singan.safetensors --height 64 --width 256 --out more";
  command.run = [r] { return run(*r); };
  return command;
}

}  // namespace duel::apps
