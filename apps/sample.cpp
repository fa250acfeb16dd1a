// duel sample: a grid of images from a checkpoint, or walks between points of the latent space.
#include <memory>

#include "commands.h"
#include "duel/gan/run/sample_run.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"

namespace duel::apps {

Command sample_command() {
  auto r = std::make_shared<gan::SampleRequest>();
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
  command.footer = "  duel sample --checkpoint runs/00000-dcgan-ns-gan --out walk.png --interpolate";
  command.run = [r] {
    DUEL_CHECK(!r->checkpoint.empty(), "sample",
               "checkpoint: missing; say --checkpoint FILE or --checkpoint RUNDIR");
    print(sample_run(*r) + "\n");
    return 0;
  };
  return command;
}

}  // namespace duel::apps
