// duel plot: the diagrams of a run, from what it logged.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "duel/gan/run_plots.h"

namespace duel::apps {

Command plot_command() {
  auto directory = std::make_shared<std::string>();
  Command command{.name = "plot", .summary = "Draw the diagrams of a run"};
  command.words = {{.name = "RUNDIR",
                    .help = "a run directory; the diagrams go to its diagnostics/",
                    .required = true,
                    .set = [directory](const std::string& text) { *directory = text; }}};
  command.footer = "A run draws them itself at the end; this is for runs that go on, or were stopped.\n"
                   "  duel plot runs/00000-dcgan-ns-gan";
  command.run = [directory] {
    for (const auto& file : gan::write_run_plots(*directory)) std::printf("%s\n", file.c_str());
    return 0;
  };
  return command;
}

}  // namespace duel::apps
