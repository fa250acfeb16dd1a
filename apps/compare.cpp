// duel compare: runs beside each other.
#include <memory>

#include "commands.h"
#include "duel/gan/run/compare_runs.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"
#include "terminal/progress.h"

namespace duel::apps {

Command compare_command() {
  auto r = std::make_shared<gan::CompareRequest>();
  Command command{.name = "compare", .summary = "Compare runs: settings, measures, curves, samples"};
  command.words = {{.name = "RUN",
                    .help = "run directories, two or more",
                    .required = true,
                    .set = [r](const std::string& text) { r->runs.emplace_back(text); },
                    .several = true}};
  command.options = {
      {.name = "out",
       .help = "also write a page in one file: curves over each other, samples from the same latent points",
       .value = "FILE.html",
       .set = [r](const std::string& text) { r->out = text; }},
      {.name = "count",
       .help = "samples of each run in the page [64]",
       .value = "INT",
       .aliases = {"n"},
       .set = [r](const std::string& text) { r->count = parsed<int64_t>("option", "count", text); }},
      {.name = "seed",
       .help = "of their latent points [7]",
       .value = "INT",
       .set = [r](const std::string& text) { r->seed = parsed<uint64_t>("option", "seed", text); }},
      {.name = "force",
       .help = "replace an existing page",
       .value = "",
       .set = [r](const std::string&) { r->force = true; }},
  };
  command.footer =
      "  duel compare runs/00000-dcgan-ns-gan runs/00001-dcgan-wgan-gp\n"
      "  duel compare runs/a runs/b --out compare.html";
  command.run = [r] {
    Progress progress(stderr, false, "comparing");
    const std::string said = compare_runs(*r);
    progress.end();
    print(said);
    if (!r->out.empty()) print("\npage      " + r->out.string() + "\n");
    return 0;
  };
  return command;
}

}  // namespace duel::apps
