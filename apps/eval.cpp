// duel eval: how good a generator is, by every measure of two sets of images.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "data/image_flags.h"
#include "duel/gan/run/evaluation.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"
#include "terminal/progress.h"

namespace duel::apps {

Command eval_command() {
  struct Request {
    gan::EvalRequest eval;
    bool json = false, quiet = false;
  };
  auto r = std::make_shared<Request>();
  Command command{.name = "eval", .summary = "Measure how good a generator's samples are"};
  command.words = {{.name = "SET",
                    .help = std::string("a run directory, a checkpoint, ") + kImageFiles,
                    .set = [r](const std::string& text) { r->eval.set = text; }}};
  command.options = {
      {.name = "against",
       .help = "real images, in any of these forms [test images of the data that the run was trained on]",
       .value = "SET",
       .set = [r](const std::string& text) { r->eval.against = text; }},
      {.name = "data",
       .help =
           "images in any of these forms, synthetic: drawn digits, or stacked, stacked:DIR, stacked:synthetic [the "
           "run's, else MNIST where it is found]",
       .value = "DIR",
       .set = [r](const std::string& text) { r->eval.data = text; }},
      {.name = "count",
       .help = "images of each set at most [10000]",
       .value = "INT",
       .aliases = {"n"},
       .set = [r](const std::string& text) { r->eval.count = parsed<int64_t>("option", "count", text); }},
      {.name = "judge",
       .help = "a name of duel judge info, or a file [mnist-v1; digits-v1 of drawn digits]",
       .value = "NAME|FILE",
       .set = [r](const std::string& text) { r->eval.judge = text; }},
      {.name = "seed",
       .help = "of the latent points, and of what is drawn at random from a set [1]",
       .value = "INT",
       .set = [r](const std::string& text) { r->eval.seed = parsed<uint64_t>("option", "seed", text); }},
      {.name = "neighbours",
       .help = "write a picture: samples beside the training images nearest to them",
       .value = "FILE.png",
       .set = [r](const std::string& text) { r->eval.neighbours = text; }},
      {.name = "threads",
       .help = "[$DUEL_THREADS, else the cores]",
       .value = "INT",
       .set =
           [](const std::string& text) {
             kernels::set_threads(static_cast<int>(counted("eval", "threads", text, kernels::kMaxThreads)));
           }},
      {.name = "json",
       .help = "one line of JSON",
       .value = "",
       .set = [r](const std::string&) { r->json = true; }},
      {.name = "force",
       .help = "replace an existing picture",
       .value = "",
       .set = [r](const std::string&) { r->eval.force = true; }},
      {.name = "quiet",
       .help = "do not say what is done",
       .value = "",
       .set = [r](const std::string&) { r->quiet = true; }},
  };
  add_image_flags(command, &r->eval.image_options);
  command.footer =
      "Each measure beside its floor, what real images get in the place of the samples, and a 95 % interval.\n"
      "  duel eval runs/00000-dcgan-ns-gan\n"
      "  duel eval runs/00000-dcgan-ns-gan --json --neighbours copies.png\n"
      "  duel eval fakes.npz --data data/mnist\n"
      "  duel eval fakes-idx3-ubyte --against folder-of-pngs --resize 28";
  command.run = [r] {
    Progress progress(stderr, r->quiet);
    r->eval.say = [&](const std::string& line) { progress.line(visible(line)); };
    const gan::Evaluation evaluation = evaluate(r->eval);
    progress.end();
    print(r->json ? to_json_line(evaluation) : to_table(evaluation));
    return 0;
  };
  return command;
}

}  // namespace duel::apps
