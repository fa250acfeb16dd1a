// duel invert: the latents of given images.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "data/image_flags.h"
#include "duel/gan/run/inversion.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"
#include "terminal/progress.h"

namespace duel::apps {

Command invert_command() {
  struct Request {
    gan::InvertRequest invert;
    bool quiet = false;
  };
  auto r = std::make_shared<Request>();
  Command command{.name = "invert", .summary = "Find the latents of given images"};
  command.words = {{.name = "IMAGES", .help = kImageFiles, .set = [r](const std::string& text) {
                      r->invert.images = text;
                    }}};
  const auto option = [&](const char* name, const char* help, const char* value,
                          std::function<void(const std::string&)> set) {
    command.options.push_back({.name = name, .help = help, .value = value, .set = std::move(set)});
  };
  const auto integer = [&](const char* name, const char* help, int64_t gan::InvertRequest::*member) {
    option(name, help, "INT", [r, name, member](const std::string& text) {
      r->invert.*member = parsed<int64_t>("option", name, text);
    });
  };
  option("checkpoint", "a checkpoint, or a run directory for its latest one", "FILE|DIR",
         [r](const std::string& text) { r->invert.checkpoint = text; });
  option("out", "the latents to write [latents.safetensors]", "FILE",
         [r](const std::string& text) { r->invert.out = text; });
  option("picture", "each image beside what G makes of its latents [the name of --out, as .png]", "FILE.png",
         [r](const std::string& text) { r->invert.picture = text; });
  integer("count", "images, the first ones of the set [16]", &gan::InvertRequest::count);
  integer("steps", "of Adam [300]", &gan::InvertRequest::steps);
  integer("starts", "points to start from for each image; at least one in each class [4]",
          &gan::InvertRequest::starts);
  option("lr", "rate of Adam, which falls to zero along a cosine [0.1]", "NUM",
         [r](const std::string& text) { r->invert.lr = parsed<double>("option", "lr", text); });
  option("seed", "of the starts [7]", "INT",
         [r](const std::string& text) { r->invert.seed = parsed<uint64_t>("option", "seed", text); });
  add_image_flags(command, &r->invert.image_options);
  option("force", "replace existing files", "", [r](const std::string&) { r->invert.force = true; });
  option("quiet", "do not show progress", "", [r](const std::string&) { r->quiet = true; });
  command.footer =
      "Prints for each image the mean squared difference of pixels in [-1, 1], and that of its best start.\n"
      "  duel invert digits.npy --checkpoint runs/00000-dcgan-ns-gan --out z.safetensors";
  command.run = [r] {
    Progress progress(stderr, r->quiet);
    bool begun = false;
    r->invert.progressed = [&](int64_t, int64_t total) {
      if (!begun)
        progress.begin(0, total, [](const Progress::Pace& pace) {
          return Progress::Shown{message("{}/{} ", pace.done, pace.total), {pace.clock}, {}};
        });
      begun = true;
      progress.add();
    };
    const gan::Inversion found = invert(r->invert);
    progress.end();
    print(to_table(found));
    return 0;
  };
  return command;
}

}  // namespace duel::apps
