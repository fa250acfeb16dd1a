// duel train: a configuration from file and flags, a run, and what a person sees meanwhile.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>

#include "axes.h"
#include "commands.h"
#include "duel/gan/run/fork.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/run_files.h"
#include "terminal/output.h"
#include "terminal/progress.h"
#include "terminal/signals.h"

namespace duel::apps {
namespace {

using gan::RunConfig;

/// Spellings of other trainers' users: PyTorch's dcgan example, PyTorch-GAN, StyleGAN.
const std::map<std::string, std::vector<std::string>> kAliases = {
    {"batch", {"batchSize", "batch-size", "batch_size"}},
    {"epochs", {"niter", "n_epochs"}},
    {"steps", {"max-steps", "iterations"}},
    {"out", {"outf", "outdir"}},
    {"seed", {"manualSeed"}},
    {"latent", {"nz", "latent-dim", "latent_dim"}},
    {"channels-g", {"ngf"}},
    {"channels-d", {"ndf"}},
    {"data", {"dataroot"}},
    {"critic-steps", {"n-critic", "n_critic"}},
    {"beta1", {"b1"}},
    {"beta2", {"b2"}},
    {"sample-every", {"sample_interval", "sample-interval"}},
    {"lambda", {"lambda-gp", "lambda_gp"}},
};

struct TrainRequest {
  std::vector<std::string> argv;
  Given given;  // fields and their texts, in order of the table
  std::string file;
  bool quiet = false, dry_run = false;
};

/// What the command line wins over: the run that is resumed, then --config, then the flags.
RunConfig configuration(const TrainRequest& request) {
  std::vector<std::pair<const gan::ConfigField*, gan::SettingValue>> flags;
  std::vector<std::string> names;
  for (const auto& [name, text] : settled_axes(request.given, request.quiet)) {
    const gan::ConfigField& field = gan::config_field(name);
    flags.emplace_back(&field, field.parsed("config", text));
    names.push_back(name);
  }
  const auto given = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  RunConfig where;  // which run is resumed, or forked
  for (const auto& [field, value] : flags) {
    for (const char* name : {"resume", "out", "fork", "objective"})
      if (field->name == name) field->set(where, value);
  }
  RunConfig config;
  if (!where.fork.empty() && !where.resume) {
    config = gan::forked_config(
        where.fork, given("objective") ? std::optional(where.objective) : std::optional<std::string>());
  }
  if (const gan::RunFiles files(where.out);
      where.resume && !where.out.empty() && std::filesystem::exists(files.config())) {
    config = gan::read_run_config(files.config());
    // Whether a setting has a place in a program's own objective is not known here, and Run refuses to resume it.
    if (!gan::is_objective(config.objective)) {
      for (const auto& [field, value] : flags) field->set(config, value);
      return config;
    }
    config = gan::read_stored_config(files.config());
  }
  if (!request.file.empty()) gan::update_from_file(config, request.file);
  DUEL_CHECK(!(where.resume && !where.fork.empty()), "config",
             "resume and fork: expected one of them: --resume goes on with a run, --fork {} starts a new one",
             where.fork);
  DUEL_CHECK(config.fork == where.fork, "config",
             "{}: fork: says which run's settings the others replace; give it on the command line, --fork {}",
             request.file, config.fork);
  // Another objective by name is not to be that of the file in its axes.
  if (given("objective") && config.objective == gan::kComposed) {
    for (const gan::Axis& axis : gan::axes()) config.overrides.unset(axis.name);
  }
  // One of the two says how long: the one on the command line.
  if (given("epochs")) config.steps = 0;
  if (given("steps")) config.epochs = 0;
  for (const auto& [field, value] : flags) field->set(config, value);
  DUEL_CHECK(config.steps > 0 || !given("steps"), "config", "steps: expected at least 1, got 0");
  DUEL_CHECK(config.eval_every > 0 || !given("eval-count"), "config",
             "eval-count: samples are judged at the iterations that --eval-every says: say it too");
  // A flag that takes away the place of a value from a file takes that value with it.
  config.overrides = gan::without_displaced(config.objective, config.overrides, names);
  config.argv = request.argv;
  return config;
}

class Watcher : public gan::RunObserver {
 public:
  Watcher(Progress& progress, bool quiet) : progress_(progress), quiet_(quiet) {}
  void attach(gan::Run& run) { run_ = &run; }

  void working(const std::string& what) override {
    progress_.line(visible_lines(what) + " ...");
    progress_.wait(visible(what));
  }
  void started(const std::string& banner) override {
    progress_.end();
    progress_.wait("working");
    if (!quiet_) {
      const std::string text = banner + "Ctrl-C saves and says how to go on\n";
      print(::isatty(STDOUT_FILENO)
                ? fitted_lines(text, static_cast<size_t>(std::max(columns_of(stdout), 40)))
                : text);
      std::fflush(stdout);
    }
    first_ = iteration_ = run_->trainer().iteration();
    progress_.begin(first_, run_->total(), [this](const Progress::Pace& pace) { return shown(pace); });
  }
  void progressed(const gan::Metrics& latest, int64_t iteration, int64_t) override {
    const bool news = latest.iteration != latest_.iteration;
    latest_ = latest;
    if (news) {
      losses_.push_back(latest.loss_g);
      if (losses_.size() > kHistory) losses_.pop_front();
    }
    progress_.add(iteration - iteration_);
    iteration_ = iteration;
    if (!news || progress_.live()) return;
    const Progress::Pace pace = progress_.pace();
    progress_.line(message("[{}/{}] {} it/s, eta {}, {} {}", pace.done, pace.total, brief(pace.rate),
                           pace.left, losses_text(), outputs_text()));
  }
  void sampled(const std::filesystem::path& file, const gan::Picture& grid) override {
    last_grid_ = file;
    const gan::NetworkOptions& sides = run_->config().networks;
    progress_.picture(grid, sides.height, sides.width);
  }
  void evaluated(const std::string& line) override {
    if (!quiet_) progress_.line(visible(line));
  }
  void saved(const std::filesystem::path&) override {}
  void warned(const std::string& text) override {
    progress_.line("duel: warning: " + visible_lines(text), true);
  }
  bool stop() override { return caught_signal() != 0; }

  const std::filesystem::path& last_grid() const { return last_grid_; }
  /// Images per second over the whole run: those that G's steps were made of.
  double images_per_second() const {
    const double passed = progress_.seconds();
    return passed > 0 ? static_cast<double>((iteration_ - first_) * run_->config().batch) / passed : 0;
  }

 private:
  static constexpr size_t kHistory = 24;  // losses to show

  std::string losses_text() const {
    return message("D {} G {}", brief(latest_.loss_d), brief(latest_.loss_g));
  }
  /// What it says of D's outputs, and under which names, is gan::shown_outputs().
  std::string outputs_text() const {
    const gan::ShownOutputs outputs = gan::shown_outputs(run_->trainer().objective(), latest_);
    return message("{} {} {} {}", outputs.name_real, brief(outputs.real), outputs.name_fake,
                   brief(outputs.fake));
  }
  /// A narrow window leaves out images first, then what D says, then rates and losses.
  Progress::Shown shown(const Progress::Pace& pace) const {
    const std::string rates = message("{} it/s, ", brief(pace.rate)), &clock = pace.clock,
                      images =
                          message("{} img/s, ", brief(pace.rate * static_cast<double>(run_->config().batch)));
    return {message("{}/{} ", pace.done, pace.total),
            {rates + images + clock + ", " + losses_text() + " " + outputs_text(),
             rates + clock + ", " + losses_text() + " " + outputs_text(),
             rates + clock + ", " + losses_text(), clock + ", " + losses_text(), clock},
            losses_};
  }

  Progress& progress_;
  bool quiet_;
  gan::Run* run_ = nullptr;
  std::filesystem::path last_grid_;
  int64_t first_ = 0, iteration_ = 0;
  gan::Metrics latest_;
  std::deque<double> losses_;
};

int train(const TrainRequest& request) {
  RunConfig config = configuration(request);
  catch_signals();
  Progress progress(stderr, request.quiet, "getting ready");
  Watcher watcher(progress, request.quiet);
  gan::Run run(std::move(config), &watcher);
  watcher.attach(run);
  if (request.dry_run) {
    progress.end();
    print(run.banner() + "dry run: everything was checked, nothing was written; the configuration:\n" +
          to_json(run.config()));
    return 0;
  }
  if (const int signal = caught_signal()) return 128 + signal;  // nothing has begun yet
  const bool finished = run.train(watcher);
  const double seconds = progress.seconds(), images = watcher.images_per_second();
  progress.end();

  const std::string directory = shell_word(run.directory().string());
  const std::string resume = "duel train --resume --out " + directory;
  if (!finished) {
    progress.line(visible_lines(message("stopped and saved at iteration {} of {}; continue with: {}",
                                        run.trainer().iteration(), run.total(), resume)),
                  true);
    return 128 + caught_signal();
  }
  if (request.quiet) return 0;
  if (run.collapse()) {
    print(message("ended     at iteration {} of {}: {}\n", run.trainer().iteration(), run.total(),
                  *run.collapse()));
  }
  std::string text = images > 0
                         ? message("done      iteration {} in {}, {} images/s\n", run.trainer().iteration(),
                                   clock_text(seconds), brief(images))
                         : message("done      it was at iteration {} already\n", run.trainer().iteration());
  if (!watcher.last_grid().empty()) text += "digits    " + watcher.last_grid().string() + "\n";
  text += message("more      duel sample --checkpoint {} --out grid.png\n", directory);
  text += message("longer    {} --steps {}\n", resume, run.total() * 2);
  if (run.config().tensorboard) {
    const std::filesystem::path above = (run.directory() / "").lexically_normal().parent_path().parent_path();
    text += message("curves    tensorboard --logdir {} --samples_per_plugin images=200\n",
                    shell_word(above.empty() ? "." : above.string()));
  }
  print(text);
  return 0;
}

std::string value_name(const gan::ConfigField& field) {
  switch (field.kind) {
    case gan::Setting::Kind::number:
      return "NUM";
    case gan::Setting::Kind::integer:
    case gan::Setting::Kind::unsigned_integer:
      return "INT";
    case gan::Setting::Kind::text:
      return field.name == "out" || field.name == "data" ? "DIR"
             : field.name == "data-classes"              ? "CLASSES"
             : field.name == "fork"                      ? "RUN@STEP"
             : field.name == "init"                      ? "FILE"
                                                         : "NAME";
    case gan::Setting::Kind::truth:
      break;
  }
  return "";
}

}  // namespace

Command train_command(int argc, char** argv) {
  auto request = std::make_shared<TrainRequest>();
  request->argv.assign(argv, argv + argc);
  Command command{.name = "train", .summary = "Train a GAN into a run directory"};
  command.footer =
      "Without flags: digits from MNIST where it is found, else drawn ones (duel data shows them).\n"
      "A flag that takes no value takes =false: --spectral-norm=false.\n"
      "Every flag can stand as a key in --config FILE (--penalty as \"penalties\"); the config.json of a run directory repeats that run.\n"
      "  duel train --objective wgan-gp --arch mlp --epochs 5 --out runs/critic\n"
      "  duel train --loss hinge --penalty zero_centered@real:5 --out runs/own\n"
      "  duel train --resume --out runs/critic --epochs 10\n"
      "  duel train --fork runs/critic@2000 --lr 1e-5 --out runs/slower\n\n";
  command.footer += axes_table();
  command.footer +=
      "Without --objective rates and steps are those of the named objective that is\n"
      "the loss alone, and an axis that is not given is none; with it they replace\n"
      "parts of NAME. --penalty may be given again.";
  for (const gan::ConfigField& field : gan::config_fields()) {
    Option option{.name = field.name,
                  .help = field.full_help(field.standard),
                  .value = value_name(field),
                  .group = field.group,
                  .either = field.kind == gan::Setting::Kind::truth,
                  .choices = field.words};
    if (const auto aliases = kAliases.find(field.name); aliases != kAliases.end())
      option.aliases = aliases->second;
    option.set = [request, name = field.name](const std::string& text) {
      DUEL_CHECK(
          name != "classes" || parse_number<int64_t>(text), "config",
          "classes: expected how many classes the networks know, got {}; for images of some classes alone say "
          "--data-classes {}",
          in_quotes(text), shell_word(text));
      request->given.emplace_back(name, text);
    };
    if (const gan::Axis* axis = gan::find_axis(field.name)) option = axis_option(*axis, option.set);
    command.options.push_back(std::move(option));
  }
  const auto own = [&](const char* name, const char* help, const char* value,
                       std::function<void(const std::string&)> set) {
    command.options.push_back(
        {.name = name, .help = help, .value = value, .group = "Command", .set = std::move(set)});
  };
  own("config", "JSON file with any of these settings; flags win over it", "FILE",
      [request](const std::string& text) { request->file = text; });
  own("quiet", "no banner, no progress, no summary", "",
      [request](const std::string&) { request->quiet = true; });
  own("dry-run", "check everything, print the plan, write nothing", "",
      [request](const std::string&) { request->dry_run = true; });
  command.run = [request] { return train(*request); };
  return command;
}

}  // namespace duel::apps
