// duel judge: the fixed networks that measures of samples are taken with. train: makes one. info: what its file
// says. test: how many images it reads as their labels.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "commands.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/image_files.h"
#include "duel/gan/judge/judge_training.h"
#include "duel/gan/record/machine.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"
#include "terminal/progress.h"
#include "terminal/signals.h"

namespace duel::apps {
namespace {

constexpr int64_t kDrawnToTrain = 60000, kDrawnToTest = 10000;

struct JudgeRequest {
  std::string action, judge, out;
  std::optional<std::string> data;
  std::optional<uint64_t> seed;
  int64_t count = 0;  // 0: all, or kDrawnToTrain
  gan::JudgeOptions options;
  bool json = false, force = false, quiet = false;
  std::vector<std::string> given;  // names of the options on the command line
};

/// One half of MNIST or, drawn, digits of that seed.
gan::ImageSet images_of(const JudgeRequest& request, gan::Split split, int64_t drawn, uint64_t seed) {
  if (request.data == "synthetic") return gan::draw_digits(drawn, seed);
  const std::filesystem::path folder = gan::locate_data(request.data).path;
  DUEL_CHECK(!folder.empty(), "judge",
             "--data: expected MNIST's folder, or synthetic for drawn digits; no MNIST was found");
  return gan::read_half(folder, split, {}, {}, gan::Colours::gray);
}

std::string percent(double share) { return fixed(100 * share, 2) + " %"; }

/// A bar, and a line for every epoch.
class JudgeWatcher {
 public:
  explicit JudgeWatcher(bool quiet) : progress_(stderr, quiet) {}

  void say(const std::string& text, bool important = false) { progress_.line(visible(text), important); }

  void step(const gan::JudgeStep& now) {
    if (now.step == 1) {
      progress_.begin(0, now.steps, [this](const Progress::Pace& pace) {
        return Progress::Shown{message("epoch {} ", now_.epoch),
                               {message("{}, {}", pace.clock, read_so_far()), pace.clock}};
      });
    }
    if (now.epoch > now_.epoch) say_epoch();
    now_ = now;
    progress_.add();
    if (now.step == now.steps) say_epoch();
  }
  void end() { progress_.end(); }

 private:
  std::string read_so_far() const {
    return message("loss {}, reads {}", brief(now_.loss), percent(now_.accuracy));
  }
  void say_epoch() {
    say(message("epoch {}: {}, {}", now_.epoch, read_so_far(), clock_text(progress_.seconds())));
  }

  Progress progress_;
  gan::JudgeStep now_;
};

/// Minutes of training must not end at a file that cannot be written.
void check_out(const JudgeRequest& request) {
  DUEL_CHECK(!request.out.empty(), "judge", "--out: missing; say --out FILE, whose name is the judge's");
  const std::filesystem::path file = std::filesystem::absolute(request.out);
  DUEL_CHECK(std::filesystem::is_directory(file.parent_path()), "judge",
             "--out: {} is not a folder; make it first", file.parent_path().string());
  DUEL_CHECK(!std::filesystem::is_directory(file), "judge", "--out: {} is a folder; expected a file",
             request.out);
  DUEL_CHECK(request.force || !std::filesystem::exists(file), "judge",
             "--out: {} is there already; choose another name, or --force to replace it", request.out);
  gan::check_judge_name(file.stem().string());
}

std::string command_text(const JudgeRequest& r) {
  std::string text = "duel judge train";
  if (r.data) text += " --data " + shell_word(*r.data);
  if (r.count > 0) text += message(" --count {}", r.count);
  return text +
         message(" --out {} --epochs {} --seed {}", shell_word(r.out), r.options.epochs, r.options.seed);
}

int train(JudgeRequest& request) {
  check_out(request);
  catch_signals();
  gan::JudgeOptions& options = request.options;
  options.seed = request.seed.value_or(options.seed);
  const bool drawn = request.data == "synthetic";
  gan::ImageSet images = images_of(request, gan::Split::train,
                                   drawn && request.count > 0 ? request.count : kDrawnToTrain, options.seed);
  if (request.count > 0) {
    DUEL_CHECK(request.count <= images.count, "judge",
               "--count: expected at most the {} images of {}, got {}", images.count, images.source,
               request.count);
    images = part_of(images, 0, request.count);
  }
  const gan::ImageSet others = images_of(request, gan::Split::test, kDrawnToTest, options.seed + 1);
  gan::check_judged(others);

  JudgeWatcher progress(request.quiet);
  progress.say(message("trains on {} images: {}", images.count, images.source));
  options.on_step = [&](const gan::JudgeStep& now) {
    if (caught_signal() == 0) progress.step(now);
    return caught_signal() == 0;
  };
  const auto weights = gan::train_judge(images, options);
  progress.end();
  if (!weights) {
    progress.say("stopped; a judge that is not ready is not written", true);
    return 128 + caught_signal();
  }
  gan::JudgeFacts facts{.name = std::filesystem::path(request.out).stem().string(),
                        .data = images.source,
                        .images = images.count,
                        .command = command_text(request),
                        .seed = options.seed,
                        .epochs = options.epochs,
                        .tested_on = others.source,
                        .date = gan::local_time().substr(0, 10)};
  const gan::JudgeScore score = score_judge(gan::Judge(*weights, facts), others);
  facts.accuracy = score.accuracy;
  gan::save_judge(request.out, gan::Judge(*weights, facts));
  print(message("{} reads {} of {}\n", request.out, percent(score.accuracy), others.source));
  return 0;
}

std::string about(const gan::Judge& judge) {
  const gan::JudgeFacts& f = judge.facts();
  return message(
      "{}\n"
      "  network   {}\n"
      "  numbers   {}, {} of them an image's features\n"
      "  data      {} images: {}\n"
      "  command   {}\n"
      "  seed      {}, {} epochs, on {}\n"
      "  reads     {} of {}\n",
      judge.name(), gan::judge_network(), judge.parameter_count(), gan::Judge::feature_count, f.images,
      f.data, f.command, f.seed, f.epochs, f.date, percent(f.accuracy), f.tested_on);
}

int info(const JudgeRequest& request) {
  std::vector<std::string> names = gan::judge_names();
  if (!request.judge.empty()) names = {request.judge};
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : "\n") + about(gan::load_judge(name));
  print(text);
  return 0;
}

int test(const JudgeRequest& request) {
  DUEL_CHECK(!request.judge.empty(), "judge",
             "test: expected a judge after it: a name of duel judge info, or a file");
  Progress progress(stderr, request.json, "reading images");
  const gan::Judge judge = gan::load_judge(request.judge);
  const gan::JudgeScore score =
      score_judge(judge, images_of(request, gan::Split::test, kDrawnToTest, request.seed.value_or(2)));
  progress.end();
  if (request.json) {
    print(to_json(score) + "\n");
  } else {
    print(message("{} reads {} of {} ({} of {}; 95 % interval {} to {})\n", score.judge,
                  percent(score.accuracy), score.data, score.correct, score.images, percent(score.low),
                  percent(score.high)));
  }
  return 0;
}

/// An option that the action has no use for is a mistake: what it asks for would not happen.
void check_judge_options(const JudgeRequest& request) {
  std::vector<std::string> used;
  if (request.action == "train")
    used = {"data", "out", "epochs", "seed", "count", "threads", "force", "quiet"};
  else if (request.action == "test")
    used = {"data", "seed", "threads", "json"};
  std::string known;
  for (const std::string& name : used) known += (known.empty() ? "--" : ", --") + name;
  for (const std::string& name : request.given) {
    DUEL_CHECK(std::find(used.begin(), used.end(), name) != used.end(), "judge",
               "--{} says nothing to {}: expected {}", name, request.action,
               known.empty() ? "no option" : "some of " + known);
  }
  DUEL_CHECK(request.action != "train" || request.judge.empty(), "judge",
             "train: expected no name, got {}: the judge is called after --out", in_quotes(request.judge));
}

}  // namespace

Command judge_command() {
  auto request = std::make_shared<JudgeRequest>();
  Command command{.name = "judge", .summary = "The fixed networks that measures of samples are taken with"};
  command.footer =
      "train  makes a judge: weights and what they were made of, in one file that is called after the judge\n"
      "info   what the judges of Duel, or one of them, or a file, say of themselves\n"
      "test   how many images one reads as their labels: MNIST's test half, or 10000 drawn digits\n"
      "  duel judge info\n"
      "  duel judge test mnist-v1 --data data/mnist --json\n"
      "  duel judge train --data data/mnist --out mine.safetensors --seed 7";
  command.words = {{.name = "ACTION",
                    .help = "train, info or test",
                    .required = true,
                    .set =
                        [request](const std::string& text) {
                          DUEL_CHECK(text == "train" || text == "info" || text == "test", "judge",
                                     "action: expected train, info or test, got {}", in_quotes(text));
                          request->action = text;
                        },
                    .choices = {"train", "info", "test"}},
                   {.name = "JUDGE", .help = "a name or a file", .set = [request](const std::string& text) {
                      request->judge = text;
                    }}};
  const auto add = option_adder(command, request);
  add("data", "MNIST's folder, or synthetic: drawn digits [MNIST where it is found]", "DIR",
      [request](const std::string& text) { request->data = text; });
  add("out", "the file to write", "FILE", [request](const std::string& text) { request->out = text; });
  add("epochs", message("passes over the images [{}]", request->options.epochs).c_str(), "INT",
      [=](const std::string& text) { request->options.epochs = counted("judge", "epochs", text, 100000); });
  add("seed",
      "of weights, order, distortions and drawn digits [train 1, whose test draws with the next; test 2]",
      "INT",
      [request](const std::string& text) { request->seed = parsed<uint64_t>("option", "seed", text); });
  add("count", "the first so many images [all; 60000 of synthetic]", "INT",
      [=](const std::string& text) { request->count = counted("judge", "count", text, 10000000); });
  add("threads", "[$DUEL_THREADS, else the cores]", "INT", [=](const std::string& text) {
    kernels::set_threads(static_cast<int>(counted("judge", "threads", text, kernels::kMaxThreads)));
  });
  add("json", "one line of JSON", "", [request](const std::string&) { request->json = true; });
  add("force", "replace an existing file", "", [request](const std::string&) { request->force = true; });
  add("quiet", "no progress", "", [request](const std::string&) { request->quiet = true; });
  command.run = [request] {
    check_judge_options(*request);
    if (request->action == "train") return train(*request);
    return request->action == "info" ? info(*request) : test(*request);
  };
  return command;
}

}  // namespace duel::apps
