// duel sample: images from a checkpoint, a grid, a folder, an array, or walks between points of the latent space.
#include <memory>

#include "commands.h"
#include "duel/gan/run/sample_run.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"
#include "terminal/progress.h"
#include "terminal/signals.h"

namespace duel::apps {

Command sample_command() {
  auto r = std::make_shared<gan::SampleRequest>();
  Command command{.name = "sample",
                  .summary = "Draw images from a checkpoint: a grid, a folder, an array, an animation"};
  command.options = {
      {.name = "checkpoint",
       .help = "a checkpoint, or a run directory for its latest one",
       .value = "FILE|DIR",
       .set = [r](const std::string& text) { r->checkpoint = text; }},
      {.name = "weights",
       .help =
           "G's weights from this file, of duel export or of PyTorch; of a PyTorch file --checkpoint says which networks",
       .value = "FILE",
       .set = [r](const std::string& text) { r->weights = text; }},
      {.name = "out",
       .help =
           "the file to write: .png, a grid; .npz, NumPy's arr_0, u8 [N, H, W, C], and arr_1, the labels; .npy; .apng, a grid whose "
           "images walk to another point and back [grid.png]",
       .value = "FILE",
       .set = [r](const std::string& text) { r->out = text; }},
      {.name = "dir",
       .help =
           "the folder to make: an image a file, 000000.png ..., and of a conditional objective dataset.json",
       .value = "DIR",
       .set = [r](const std::string& text) { r->dir = text; }},
      {.name = "count",
       .help = "images, 8 to a row; rows of classes, codes or walks are whole, so they may be more [64]",
       .value = "INT",
       .aliases = {"n"},
       .set = [r](const std::string& text) { r->count = parsed<int64_t>("option", "count", text); }},
      {.name = "seed",
       .help = "of the latent points [7]",
       .value = "INT",
       .set = [r](const std::string& text) { r->seed = parsed<uint64_t>("option", "seed", text); }},
      {.name = "class",
       .help = "only this class, by its label or its name (cgan, acgan, projection) [one class per column]",
       .value = "CLASS",
       .set = [r](const std::string& text) { r->word = text; }},
      {.name = "sweep-code",
       .help = "each row goes through all values of this code (infogan: 0 the categorical one, "
               "then the continuous)",
       .value = "INT",
       .set = [r](const std::string& text) { r->code = parsed<int64_t>("option", "sweep-code", text); }},
      {.name = "interpolate",
       .help = "each row walks from one point to another, on the sphere",
       .value = "",
       .set = [r](const std::string&) { r->interpolate = true; }},
      {.name = "truncation",
       .help = "noise beyond this is drawn again: samples more typical and more alike; 0.5, say [none]",
       .value = "PSI",
       .set = [r](const std::string& text) { r->truncation = parsed<double>("option", "truncation", text); }},
      {.name = "best-of",
       .help = "draw so many times as many and show those that D finds most real, the best first [1]",
       .value = "INT",
       .set = [r](const std::string& text) { r->best_of = parsed<int64_t>("option", "best-of", text); }},
      {.name = "reject",
       .help =
           "keep samples by the ratio of densities that D sees (discriminator rejection sampling), gamma that percentile of "
           "the paper's F; 'exact': gamma 0, right for a perfect D, and slow [none]",
       .value = "PERCENT|exact",
       .set =
           [r](const std::string& text) {
             r->reject.emplace();
             if (text == "exact") return;
             const auto percentile = parse_number<double>(text);
             DUEL_CHECK(percentile, "option",
                        "reject: expected a percentile from 0 to 100 or exact, got '{}'", shown(text));
             r->reject->percentile = *percentile;
           }},
      {.name = "force",
       .help = "replace an existing file",
       .value = "",
       .set = [r](const std::string&) { r->force = true; }},
  };
  command.footer =
      "  duel sample --checkpoint runs/00000-dcgan-ns-gan --out walk.png --interpolate\n"
      "  duel sample --checkpoint runs/00000-dcgan-ns-gan --dir samples --count 50000\n"
      "  duel sample --weights g.safetensors --out samples.npz --count 50000";
  command.run = [r] {
    DUEL_CHECK(!r->checkpoint.empty() || !r->weights.empty(), "sample",
               "checkpoint: missing; say --checkpoint FILE or --checkpoint RUNDIR, or --weights FILE");
    if (draws_files(*r)) {  // a grid is there at once: Ctrl-C ends it as it ends any program
      catch_signals();
      r->stop = [] { return caught_signal() != 0; };
    }
    Progress progress(stderr, false, "drawing samples");
    try {
      const std::string said = sample_run(*r);
      progress.end();
      print(said + "\n");
    } catch (const Failure&) {
      if (caught_signal() == 0) throw;
      return 128 + caught_signal();
    }
    return 0;
  };
  return command;
}

}  // namespace duel::apps
