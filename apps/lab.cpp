// duel lab: the literature's toy problems, with known answers. ring, grid: which modes does an objective
// find? dirac: do the players of the smallest game come to rest at the data? gallery: what do the objectives'
// digits look like?
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>

#include "commands.h"
#include "duel/gan/lab/dirac.h"
#include "duel/gan/lab/gallery.h"
#include "duel/gan/lab/lab.h"
#include "duel/gan/lab/table.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"
#include "terminal/signals.h"
#include "terminal/terminal.h"

namespace duel::apps {
namespace {

struct Request {
  std::string what;
  std::vector<std::string> objectives = {"ns-gan"};
  bool chosen = false;  // --objective was given
  int64_t seeds = 3, steps = 20000, threads = 0;
  bool own_schedule = false, quiet = false;
  std::optional<double> lambda;
  std::string out;
  std::vector<std::string> given;  // names of the options on the command line
  std::optional<int64_t> gallery_steps;
  gan::RunConfig gallery = {};
};

/// One line for all runs: how many are done, how fast, how long still. Without a terminal a line for every
/// finished run.
class LabProgress : public gan::lab::LabObserver {
 public:
  LabProgress(int64_t steps, bool quiet)
      : steps_per_run_(steps), quiet_(quiet), terminal_(terminal_of(stderr)) {}
  ~LabProgress() override { wipe(); }

  void started(int64_t to_train, int64_t found) override {
    runs_ = to_train;
    began_ = drew_ = Clock::now();
    if (found > 0) say(message("{} finished runs found, {} to train", found, to_train));
  }

  void stepped() override {
    const int64_t steps = ++steps_;
    if (quiet_ || !terminal_.live) return;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || Clock::now() - drew_ < std::chrono::milliseconds(100)) return;
    draw(steps);
  }

  void finished(const gan::lab::PointRun& run) override {
    const std::scoped_lock lock(mutex_);
    ++finished_;
    // A run that diverged took fewer steps than planned: the rest is no work any more.
    if (run.diverged) steps_ += steps_per_run_ - *run.diverged;
    const std::string found = run.diverged
                                  ? message("diverged before step {}", *run.diverged)
                                  : message("{} modes, {} % high quality, reverse KL {}", run.score.modes,
                                            brief(100 * run.score.high_quality), brief(run.score.reverse_kl));
    say(message("[{}/{}] {} seed {}: {} ({})", finished_, runs_, run.objective, run.seed, found,
                clock_text(run.seconds)));
  }

  bool stop() override { return caught_signal() != 0; }

 private:
  using Clock = std::chrono::steady_clock;

  void say(const std::string& text) {
    if (quiet_) return;
    wipe();
    std::fprintf(stderr, "%s\n", text.c_str());
    std::fflush(stderr);
  }

  void draw(int64_t steps) {
    drew_ = Clock::now();
    const double seconds = std::chrono::duration<double>(drew_ - began_).count();
    const double rate = seconds > 0 ? static_cast<double>(steps) / seconds : 0,
                 total = static_cast<double>(runs_ * steps_per_run_);
    const std::string clock =
        message("{}<{}", clock_text(seconds),
                rate > 0 ? clock_text((total - static_cast<double>(steps)) / rate) : "?");
    const std::string line = progress_line(
        terminal_, static_cast<size_t>(columns_of(stderr)), message("{}/{} runs ", finished_, runs_),
        {message("{} it/s, {}", brief(rate), clock), clock}, static_cast<double>(steps) / total);
    std::fprintf(stderr, "\r%s\033[K", line.c_str());
    std::fflush(stderr);
    drawn_ = true;
  }

  void wipe() {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }

  int64_t steps_per_run_;
  bool quiet_, drawn_ = false;
  Terminal terminal_;
  std::mutex mutex_;
  std::atomic<int64_t> steps_{0};
  int64_t finished_ = 0, runs_ = 0;
  Clock::time_point began_, drew_;
};

std::vector<std::string> names_of(const std::string& text) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  DUEL_CHECK(!names.empty(), "lab", "--objective: expected a name, or several with commas, or all; got '{}'",
             text);
  return names;
}

int mixture(const Request& request) {
  using namespace gan::lab;
  LabPlan plan{.mixture = make_mixture(request.what),
               .objectives = request.objectives,
               .seeds = {},
               .settings = {},
               .directory = {}};
  plan.settings.steps = request.steps;
  plan.settings.own_schedule = request.own_schedule;
  plan.settings.lambda = request.lambda;
  plan.directory = request.out.empty() ? message("runs/lab-{}-{}{}{}", request.what, request.steps,
                                                 request.own_schedule ? "-own" : "",
                                                 request.lambda ? message("-lambda-{}", *request.lambda) : "")
                                       : request.out;
  if (request.objectives == std::vector<std::string>{"all"}) {
    plan.objectives = gan::objective_names();
    if (request.lambda) {
      std::erase_if(plan.objectives,
                    [](const std::string& name) { return gan::named_objective(name).penalties.empty(); });
      if (!request.quiet)
        std::fputs("left out: objectives without a gradient penalty, which --lambda says nothing to\n",
                   stderr);
    }
  }
  for (int64_t seed = 1; seed <= request.seeds; ++seed) plan.seeds.push_back(static_cast<uint64_t>(seed));
  if (request.threads > 0) kernels::set_threads(static_cast<int>(request.threads));
  catch_signals();
  LabOutcome outcome;
  {
    LabProgress progress(request.steps, request.quiet);
    outcome = run_lab(plan, progress);
  }
  if (!outcome.runs.empty()) {
    print(to_text(make_table(plan.mixture, plan.settings, outcome.runs)));
    print(message("\nresults   {}/results.md, results.json, samples.png, final.png, scores.png, runs/\n",
                  plan.directory.string()));
  }
  if (outcome.complete) return 0;
  std::fputs(message("stopped; finished runs are kept: the same command with --out {} goes on\n",
                     shell_word(plan.directory.string()))
                 .c_str(),
             stderr);
  return 128 + caught_signal();
}

/// An option that the problem has no use for is a mistake: what it asks for would not happen.
void check_options(const Request& request) {
  std::vector<std::string> used = {"objective"};
  if (request.what == "gallery")
    used.insert(used.end(), {"steps", "threads", "out", "data", "arch", "channels"});
  else if (request.what != "dirac")
    used.insert(used.end(), {"seeds", "steps", "lambda", "own-schedule", "threads", "out"});
  used.push_back("quiet");
  std::string known;
  for (const std::string& name : used) known += (known.empty() ? "--" : ", --") + name;
  for (const std::string& name : request.given) {
    DUEL_CHECK(std::find(used.begin(), used.end(), name) != used.end(), "lab",
               "--{} says nothing to {}: expected some of {}", name, request.what, known);
  }
}

/// Objectives × orders of updates: what theory says near the data, and where the game ends.
int dirac(const Request& request) {
  using namespace gan::lab;
  const bool all = !request.chosen || request.objectives == std::vector<std::string>{"all"};
  std::vector<std::string> names;
  for (const std::string& name : all ? gan::objective_names() : request.objectives) {
    const std::string refusal = dirac_refusal(gan::named_objective(name));
    DUEL_CHECK(all || refusal.empty(), "lab", "{} cannot be played: {}", name, refusal);
    if (refusal.empty())
      names.push_back(name);
    else if (!request.quiet)
      std::fputs(visible_lines(message("left out: {}: {}\n", name, refusal)).c_str(), stderr);
  }
  std::vector<DiracRow> rows;
  for (const std::string& name : names) {
    for (const DiracOrder& order : dirac_orders(gan::named_objective(name)))
      rows.push_back(dirac_row(name, order));
  }
  print(to_markdown(rows));
  return 0;
}

/// Samples of every objective after an eighth, a quarter, half and all of the steps.
int gallery(const Request& request) {
  const int64_t steps = request.gallery_steps.value_or(1600);
  DUEL_CHECK(steps >= 8, "lab", "--steps: expected at least 8 for a gallery, got {}", steps);
  const bool all = !request.chosen || request.objectives == std::vector<std::string>{"all"};
  if (request.threads > 0) kernels::set_threads(static_cast<int>(request.threads));
  const gan::lab::GalleryRequest plan{
      .objectives = all ? std::vector<std::string>{} : request.objectives,
      .steps = {steps / 8, steps / 4, steps / 2, steps},
      .config = request.gallery,
      .out = request.out.empty() ? message("runs/lab-gallery-{}", steps) : request.out};
  gan::lab::make_gallery(plan, [&](const std::string& line) {
    if (!request.quiet) std::fputs((visible(line) + "\n").c_str(), stderr);
  });
  print(message("results   {}/gallery.png, gallery.md, gallery.json\n", plan.out.string()));
  return 0;
}

}  // namespace

Command lab_command() {
  auto request = std::make_shared<Request>();
  request->gallery.networks.channels_g = request->gallery.networks.channels_d = 32;
  Command command{.name = "lab",
                  .summary = "Experiments: ring and grid of Gaussians, Dirac-GAN, gallery of digits"};
  command.footer =
      "ring, grid  8 or 25 Gaussians in the plane: modes found, high-quality share and reverse KL of each "
      "objective,\n"
      "            mean and standard error over seeds, beside what PacGAN and VEEGAN report\n"
      "dirac       data at 0, G = theta, D(x) = psi x: what theory says near 0 and where the game ends, "
      "for every order\n"
      "            of updates; takes --objective [all] and --quiet\n"
      "gallery     every objective's digits after several numbers of steps, read by a classifier; "
      "takes no --seeds, no\n"
      "            --lambda and no --own-schedule\n"
      "  duel lab ring --objective ns-gan,wgan-gp --seeds 4 --steps 20000\n"
      "  duel lab grid --objective all --out runs/grid      Ctrl-C keeps what is finished; "
      "the same again goes on";
  command.words = {{.name = "PROBLEM",
                    .help = "ring, grid, dirac or gallery",
                    .required = true,
                    .set = [request](const std::string& text) {
                      auto known = gan::lab::mixture_names();
                      known.insert(known.end(), {"dirac", "gallery"});
                      DUEL_CHECK(std::find(known.begin(), known.end(), text) != known.end(), "lab",
                                 "problem: expected ring, grid, dirac or gallery, got '{}'", text);
                      request->what = text;
                    }}};
  const auto add = [&](const char* name, const char* help, const char* value,
                       std::function<void(const std::string&)> set) {
    command.options.push_back(
        {.name = name,
         .help = help,
         .value = value,
         .set = [request, name = std::string(name), set = std::move(set)](const std::string& text) {
           request->given.push_back(name);
           set(text);
         }});
  };
  const auto positive = [](const char* name, const std::string& text, int64_t most) {
    const int64_t value = parsed<int64_t>("option", name, text);
    DUEL_CHECK(value >= 1 && value <= most, "lab", "--{}: expected 1 to {}, got {}", name, most, value);
    return value;
  };
  add("objective", "names with commas between, or all [ns-gan]", "NAMES", [request](const std::string& text) {
    request->objectives = names_of(text);
    request->chosen = true;
  });
  add("seeds", "runs of each objective, from seeds 1, 2, ... [3]", "INT",
      [=](const std::string& text) { request->seeds = positive("seeds", text, 10000); });
  add("steps", "updates of G in a run; the published protocol has 400000 [20000; gallery 1600]", "INT",
      [=](const std::string& text) {
        request->steps = positive("steps", text, 1000000000);
        request->gallery_steps = request->steps;
      });
  add("lambda",
      "weight of gradient penalties [0.1 where they aim at a norm, as the WGAN-GP authors' toy code; "
      "else the objective's]",
      "NUM", [request](const std::string& text) {
        request->lambda = std::get<double>(gan::objective_setting("lambda").parsed("lab", text));
      });
  add("own-schedule", "each objective's own optimizers and order of updates, not the protocol's", "",
      [request](const std::string&) { request->own_schedule = true; });
  add("threads", "runs at once [$DUEL_THREADS, else the cores]", "INT",
      [=](const std::string& text) { request->threads = positive("threads", text, 4096); });
  add("out", "folder of results; finished runs in it are not trained again [runs/lab-PROBLEM-STEPS]", "DIR",
      [request](const std::string& text) { request->out = text; });
  for (const auto& [flag, field, help] :
       {std::tuple{"data", "data", "gallery: MNIST's folder, or synthetic [MNIST where it is found]"},
        {"arch", "arch", "gallery: the network [dcgan]"},
        {"channels", "channels-g", "gallery: its width [32]"}}) {
    add(flag, help, std::string(flag) == "channels" ? "INT" : "NAME",
        [request, f = std::string(field)](const std::string& text) {
          gan::set_field(request->gallery, f, text);
          if (f == "channels-g") gan::set_field(request->gallery, "channels-d", text);
        });
  }
  add("quiet", "no progress", "", [request](const std::string&) { request->quiet = true; });
  command.run = [request] {
    check_options(*request);
    if (request->what == "dirac") return dirac(*request);
    return request->what == "gallery" ? gallery(*request) : mixture(*request);
  };
  return command;
}

}  // namespace duel::apps
