// duel list: the runs in a folder.
#include <memory>

#include "commands.h"
#include "duel/gan/record/run_summary.h"
#include "terminal/output.h"

namespace duel::apps {

Command list_command() {
  struct Request {
    std::vector<std::string> folders;
    bool json = false;
  };
  auto r = std::make_shared<Request>();
  Command command{.name = "list", .summary = "Show the runs in a folder"};
  command.words = {{.name = "DIR",
                    .help = "folders with run directories, or run directories [runs]",
                    .set = [r](const std::string& text) { r->folders.push_back(text); },
                    .several = true}};
  command.options = {
      {.name = "json", .help = "a line of JSON for each run", .value = "", .set = [r](const std::string&) {
         r->json = true;
       }}};
  command.footer =
      "Folders that are no runs are skipped; a run whose files do not say what it is gets a row that says why.\n"
      "  duel list\n"
      "  duel list runs old/runs --json";
  command.run = [r] {
    if (r->folders.empty()) r->folders = {"runs"};
    std::vector<gan::RunSummary> runs;
    for (const std::string& folder : r->folders) {
      for (gan::RunSummary& run : gan::runs_in(folder)) runs.push_back(std::move(run));
    }
    if (!r->json) {
      print(runs.empty() ? "no runs\n" : gan::to_table(runs));
      return 0;
    }
    for (const gan::RunSummary& run : runs) print(gan::to_json_line(run));
    return 0;
  };
  return command;
}

}  // namespace duel::apps
