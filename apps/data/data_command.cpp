// duel data: what a run would be trained on.
#include <cstdio>
#include <memory>

#include "../commands.h"
#include "../terminal/output.h"
#include "../terminal/progress.h"
#include "duel/gan/run/data_report.h"
#include "duel/kernels/base/settings.h"
#include "image_flags.h"

namespace duel::apps {

Command data_command() {
  struct Request {
    gan::DataRequest data;
    bool json = false;
  };
  auto r = std::make_shared<Request>();
  Command command{.name = "data", .summary = "Show the images that a run would be trained on"};
  Word word{.name = "DIR|FILE", .help = kImageFiles};
  word.help += ", or as --data of duel train [what a run without --data would take]";
  word.set = [r](const std::string& text) { r->data.data = text; };
  command.words = {word};
  const auto option = [&](const char* name, const char* help, const char* value,
                          std::function<void(const std::string&)> set) {
    command.options.push_back({.name = name, .help = help, .value = value, .set = std::move(set)});
  };
  option("out", "write the first training images as a grid", "FILE.png",
         [r](const std::string& text) { r->data.out = text; });
  option("count", "images of the grid [64]", "INT",
         [r](const std::string& text) { r->data.count = parsed<int64_t>("option", "count", text); });
  add_image_flags(command, &r->data.options);
  option("json", "one line of JSON", "", [r](const std::string&) { r->json = true; });
  option("force", "replace an existing picture", "", [r](const std::string&) { r->data.force = true; });
  command.footer =
      "Counts, sizes, classes; mean and deviation of pixels from 0 to 1; images that are\n"
      "constant or stand there twice, and test images that are training images.\n"
      "  duel data\n"
      "  duel data FashionMNIST --out fashion.png\n"
      "  duel data pets --resize 32 --gray --data-classes cat,dog --json";
  command.run = [r] {
    const gan::DataReport report = gan::report_data(r->data);
    print(r->json ? to_json_line(report) : to_text(report));
    std::fflush(stdout);
    Progress(stderr, r->json).picture(report.grid, report.train.height, report.train.width);
    return 0;
  };
  return command;
}

}  // namespace duel::apps
