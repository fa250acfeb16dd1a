// duel sweep: settings x seeds of a file, trained, judged and ranked.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>

#include "commands.h"
#include "duel/gan/lab/league/sweep.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/settings.h"
#include "lab/lab_watcher.h"
#include "terminal/output.h"

namespace duel::apps {
namespace {

constexpr size_t kManyPoints = 20;  // an iteration of each, before anything else is seen

struct SweepRequest {
  std::string file, out;
  std::optional<int64_t> steps;
  int64_t threads = 0;
  bool quiet = false, dry_run = false;
  std::vector<std::string> given;  // names of the options on the command line
};

/// "1 run", "12 runs"
std::string counted_text(size_t count, const std::string& what) {
  return message("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// What there is to do, before it is done.
std::string sweep_plan_text(const gan::lab::SweepPlan& plan, const std::filesystem::path& out) {
  size_t points = 0;
  std::set<int64_t> steps;
  for (const gan::lab::SweepPoint& point : plan.points) {
    if (!point.refusal.empty()) continue;
    ++points;
    steps.insert(point.steps);
  }
  std::string text;
  if (points > 0) text += gan::lab::points_text(plan) + "\n";
  text += gan::lab::refusals_text(plan);
  if (points > 0) {
    const std::string iterations = steps.size() == 1 ? "" : message("{} to ", *steps.begin());
    text +=
        message("plan      {} x {} = {} of {}, ranked by {}\n", counted_text(points, "point"),
                counted_text(plan.seeds.size(), "seed"), counted_text(points * plan.seeds.size(), "run"),
                iterations + counted_text(static_cast<size_t>(*steps.rbegin()), "iteration"), plan.rank_by);
  }
  return text + message("results   {}, with {}\n", out.string(),
                        counted_text(recorded_sweep(plan, out).size(), "finished run"));
}

int sweep(const SweepRequest& request) {
  using namespace gan::lab;
  if (request.threads > 0) kernels::set_threads(static_cast<int>(request.threads));
  const std::filesystem::path file = request.file, out = request.out.empty()
                                                             ? message("runs/sweep-{}", file.stem().string())
                                                             : request.out;
  SweepPlan plan = read_sweep(file, request.steps);
  (void)recorded_sweep(plan, out);  // the folder of another sweep is said first
  if (!request.quiet && plan.points.size() > kManyPoints)
    std::fputs(message("checking {} points\n", plan.points.size()).c_str(), stderr);
  check_points(plan);
  if (request.dry_run) {
    print(sweep_plan_text(plan, out));
  } else if (const std::string refusals = refusals_text(plan);
             !refusals.empty() && (!plan.skip_refused || !request.quiet)) {
    std::fputs(visible_lines(refusals).c_str(), stderr);
  }
  check_refusals(plan);
  if (request.dry_run) return 0;
  int64_t most = 0;
  for (const SweepPoint& point : plan.points) most = std::max(most, point.steps);
  LabWatcher watcher(most, request.quiet);
  const SweepOutcome outcome = run_sweep(plan, out, watcher);
  const int status = watcher.ended(outcome.complete, outcome.held, out);
  if (!outcome.runs.empty()) {
    print(to_text(make_sweep_table(plan, outcome.runs)));
    print(message("\nresults   {}/sweep.md, sweep.json, sweep.png, runs/\n", out.string()));
  }
  return status;
}

}  // namespace

Command sweep_command() {
  auto request = std::make_shared<SweepRequest>();
  Command command{.name = "sweep", .summary = "Try settings x seeds on digits, judged and ranked"};
  command.words = {{.name = "FILE",
                    .help = "JSON: what to try, see below",
                    .required = true,
                    .set = [request](const std::string& text) { request->file = text; }}};
  const auto add = option_adder(command, request);
  add("out", "folder of results; finished runs in it are not trained again [runs/sweep-FILE]", "DIR",
      [request](const std::string& text) { request->out = text; });
  add("steps", "iterations of each run [the file's, else 3000]", "INT",
      [=](const std::string& text) { request->steps = counted("sweep", "steps", text, 1000000000); });
  add("threads", "runs at once [$DUEL_THREADS, else the cores]", "INT",
      [=](const std::string& text) { request->threads = counted("sweep", "threads", text, 4096); });
  add("dry-run", "check everything, print the points, write nothing", "",
      [request](const std::string&) { request->dry_run = true; });
  add("quiet", "no progress", "", [request](const std::string&) { request->quiet = true; });
  command.footer =
      "FILE, all but axes may be left out:\n"
      "  {\"settings\": {\"objective\": \"wgan-gp\", \"arch\": \"mlp\", \"steps\": 2000},\n"
      "   \"axes\": {\"lambda\": [1, 10], \"lr\": [1e-4, 2e-4, 4e-4]},\n"
      "   \"seeds\": [1, 2, 3]}\n"
      "settings  of all runs: names and values as in config.json, that is of the flags\n"
      "          of duel train for objective, optimizers, networks and data; steps,\n"
      "          epochs, eval-count; what is left out is as duel train has it\n"
      "axes      settings with lists of values; with \"runs\" also ranges:\n"
      "          {\"min\": 1e-5, \"max\": 1e-3, \"log\": true}\n"
      "variants  settings that go together, each with each point of the axes:\n"
      "          [{}, {\"cr\": 10}, {\"lecam\": 0.3}]\n"
      "runs      that many points drawn at random instead of the whole grid;\n"
      "          \"seed\" [1] says which; more runs go on in the same folder\n"
      "seeds     of each point: a list, or N for 1 to N [3]\n"
      "rank-by   a measure of duel eval [fd]\n"
      "refused   points that cannot be trained: \"stop\" before anything is, or\n"
      "          \"skip\" them [stop]\n"
      "Ctrl-C keeps what is finished; the same again goes on; started twice, or on\n"
      "machines with a common folder, it shares the runs.\n"
      "  duel sweep lambda.json --dry-run\n"
      "  duel sweep lambda.json --out runs/lambda";
  command.run = [request] { return sweep(*request); };
  return command;
}

}  // namespace duel::apps
