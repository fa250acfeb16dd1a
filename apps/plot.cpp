// duel plot: the diagrams and the report of a run, from what it logged.
#include <memory>

#include "commands.h"
#include "duel/gan/run/run.h"
#include "terminal/output.h"
#include "terminal/progress.h"

namespace duel::apps {

Command plot_command() {
  auto directory = std::make_shared<std::string>();
  Command command{.name = "plot", .summary = "Draw the diagrams of a run, and its report.html"};
  command.words = {{.name = "RUNDIR",
                    .help = "a run directory; it gets diagnostics/*.png and report.html",
                    .required = true,
                    .set = [directory](const std::string& text) { *directory = text; }}};
  command.footer =
      "A run draws them itself at the end; this is for runs that go on, or were stopped.\n"
      "  duel plot runs/00000-dcgan-ns-gan";
  command.run = [directory] {
    Progress progress(stderr, false, "drawing diagrams");
    const gan::RunCurves curves = gan::read_run_curves(*directory);
    const auto plots = gan::write_run_plots(*directory, curves);
    const std::filesystem::path report = gan::write_stored_report(*directory, curves);
    progress.end();
    for (const auto& [file, caption] : plots) print(file.string() + "\n");
    print(report.string() + "\n");
    return 0;
  };
  return command;
}

}  // namespace duel::apps
