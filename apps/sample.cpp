// duel sample: a grid of images from a checkpoint, or walks between points of the latent space.
#include <cmath>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "duel/core/random.h"
#include "duel/gan/run.h"

namespace duel::apps {
namespace {

constexpr int64_t kColumns = 8;

struct Request {
  std::string checkpoint;
  std::filesystem::path out = "grid.png";
  int64_t count = 64;
  uint64_t seed = 7;
  bool interpolate = false, force = false;
};

/// Rows of `steps` points on the great circle from one normal draw to another (Shoemake 1985): in between,
/// their length stays that of a draw, which a straight line's would not.
Tensor walks(Generator& noise, int64_t rows, int64_t steps, int64_t latent) {
  const auto ends = noise.normal({2 * rows, latent}).to_vector<float>();
  std::vector<float> points(static_cast<size_t>(rows * steps * latent));
  for (int64_t row = 0; row < rows; ++row) {
    const float *a = &ends[static_cast<size_t>(2 * row * latent)], *b = a + latent;
    double aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < latent; ++i) {
      aa += double{a[i]} * a[i];
      bb += double{b[i]} * b[i];
      ab += double{a[i]} * b[i];
    }
    const double angle = std::acos(std::min(1.0, std::max(-1.0, ab / std::sqrt(aa * bb))));
    for (int64_t k = 0; k < steps; ++k) {
      const double t = steps > 1 ? static_cast<double>(k) / static_cast<double>(steps - 1) : 0.0;
      const bool parallel = std::sin(angle) < 1e-6;
      const double from = parallel ? 1 - t : std::sin((1 - t) * angle) / std::sin(angle);
      const double to = parallel ? t : std::sin(t * angle) / std::sin(angle);
      float* z = &points[static_cast<size_t>((row * steps + k) * latent)];
      for (int64_t i = 0; i < latent; ++i) z[i] = static_cast<float>(from * a[i] + to * b[i]);
    }
  }
  return Tensor::from(points, {rows * steps, latent});
}

int sample(const Request& request) {
  std::error_code ignored;
  DUEL_CHECK(request.force || !std::filesystem::exists(request.out, ignored), "sample",
             "out: {}: is there already; choose another --out, or --force to replace it",
             request.out.string());
  // A device or a folder cannot be replaced by a picture, whatever --force says.
  DUEL_CHECK(!std::filesystem::exists(request.out, ignored) ||
                 std::filesystem::is_regular_file(request.out, ignored),
             "sample", "out: {}: is not a regular file; choose another --out", request.out.string());
  DUEL_CHECK(request.count >= 1 && request.count <= 4096, "sample",
             "count: expected an integer from 1 to 4096, got {}", request.count);
  const gan::LoadedTrainer loaded = gan::load_trainer(request.checkpoint);
  const int64_t latent = loaded.trainer->networks().latent.width();
  Generator noise(request.seed);
  const int64_t rows = (request.count + kColumns - 1) / kColumns;
  const Tensor z =
      request.interpolate ? walks(noise, rows, kColumns, latent) : noise.normal({request.count, latent});
  const gan::GrayImage grid = gan::image_grid(loaded.trainer->sample(z), kColumns);
  gan::write_png_gray(request.out, grid.width, grid.height, grid.pixels);
  std::printf("%s: %lld images of iteration %lld (%s, %s), %lldx%lld pixels\n", request.out.c_str(),
              static_cast<long long>(z.dim(0)), static_cast<long long>(loaded.trainer->iteration()),
              loaded.config.objective.c_str(), loaded.config.networks.arch.c_str(),
              static_cast<long long>(grid.width), static_cast<long long>(grid.height));
  return 0;
}

}  // namespace

Command sample_command() {
  auto r = std::make_shared<Request>();
  Command command{.name = "sample", .summary = "Draw a grid of images from a checkpoint"};
  command.options = {
      {.name = "checkpoint",
       .help = "a checkpoint, or a run directory for its latest one",
       .value = "FILE|DIR",
       .set = [r](const std::string& text) { r->checkpoint = text; }},
      {.name = "out",
       .help = "the PNG to write [grid.png]",
       .value = "FILE",
       .set = [r](const std::string& text) { r->out = text; }},
      {.name = "count",
       .help = "images, 8 to a row [64]",
       .value = "INT",
       .aliases = {"n"},
       .set = [r](const std::string& text) { r->count = integer("count", text); }},
      {.name = "seed",
       .help = "of the latent points [7]",
       .value = "INT",
       .set = [r](const std::string& text) { r->seed = static_cast<uint64_t>(integer("seed", text)); }},
      {.name = "interpolate",
       .help = "each row walks from one point to another, on the sphere",
       .value = "",
       .set = [r](const std::string&) { r->interpolate = true; }},
      {.name = "force",
       .help = "replace an existing file",
       .value = "",
       .set = [r](const std::string&) { r->force = true; }},
  };
  command.footer = "  duel sample --checkpoint runs/00000-dcgan-ns-gan --out walk.png --interpolate";
  command.run = [r] {
    DUEL_CHECK(!r->checkpoint.empty(), "sample",
               "checkpoint: missing; say --checkpoint FILE or --checkpoint RUNDIR");
    return sample(*r);
  };
  return command;
}

}  // namespace duel::apps
