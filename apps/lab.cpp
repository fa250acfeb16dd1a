// duel lab: the literature's toy problems, with known answers. ring, grid: which modes does an objective
// find? dirac: do the players of the smallest game come to rest at the data? gallery: what do the objectives'
// digits look like? league: whose are best?
// And the claims of the founding texts (founding.h).
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <tuple>

#include "axes.h"
#include "commands.h"
#include "duel/core/io/atomic_file.h"
#include "duel/gan/lab/dirac.h"
#include "duel/gan/lab/lab.h"
#include "duel/gan/lab/league/league.h"
#include "duel/gan/lab/stacked/stacked.h"
#include "duel/gan/lab/table.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/settings.h"
#include "lab/founding.h"
#include "lab/lab_watcher.h"
#include "terminal/output.h"

namespace duel::apps {
namespace {

struct LabRequest {
  std::string what;
  std::vector<std::string> objectives = {"ns-gan"};
  bool chosen = false;  // --objective was given
  int64_t steps = 20000, threads = 0;
  std::optional<int64_t> seeds;
  bool own_schedule = false, quick = false, quiet = false;
  std::optional<double> lambda;
  std::string out;
  std::shared_ptr<Given> axes = std::make_shared<Given>();
  std::vector<std::string> given;  // names of the options on the command line
  std::optional<int64_t> own_steps, count;
  std::string protocol = gan::lab::StackedRequest().protocol;
  gan::RunConfig digits = {};
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

/// Objectives with axes put in are known by their names from here on, as all others.
void take_axes(LabRequest& request) {
  if (request.axes->empty()) return;
  Given given = *request.axes;
  if (request.chosen) given.emplace_back("objective", request.objectives.front());
  given = settled_axes(given, request.quiet);
  const gan::ObjectiveOverrides parts = axis_overrides(given);
  if (!request.chosen) request.objectives = {gan::kComposed};
  for (const auto& [setting, text] : given) {
    if (setting == "objective" && !request.chosen) request.objectives = {text};
  }
  request.chosen = true;
  if (parts == gan::ObjectiveOverrides()) return;
  DUEL_CHECK(
      request.objectives != std::vector<std::string>{"all"}, "lab",
      "--objective all with an axis: expected names of objectives whose parts it replaces, or the axes alone");
  const std::vector<std::string> known = gan::objective_names();
  for (std::string& name : request.objectives) {
    const gan::Objective objective = gan::named_objective(name, parts);
    name = objective.name;
    // "hinge" may be a loss alone, which is what the objective of that name is
    if (std::find(known.begin(), known.end(), name) == known.end())
      gan::register_objective(name, [objective] { return objective; });
  }
}

int mixture(const LabRequest& request) {
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
  for (int64_t seed = 1; seed <= request.seeds.value_or(3); ++seed)
    plan.seeds.push_back(static_cast<uint64_t>(seed));
  if (request.threads > 0) kernels::set_threads(static_cast<int>(request.threads));
  LabWatcher watcher(request.steps, request.quiet);
  const LabOutcome outcome = run_lab(plan, watcher);
  const int status = watcher.ended(outcome.complete, outcome.held, plan.directory);
  if (!outcome.runs.empty()) {
    print(to_text(make_table(plan.mixture, plan.settings, outcome.runs)));
    print(message("\nresults   {}/results.md, results.json, samples.png, final.png, scores.png, runs/\n",
                  plan.directory.string()));
  }
  return status;
}

std::vector<std::string> problems() {
  std::vector<std::string> all = gan::lab::mixture_names();
  all.insert(all.end(), {"dirac", "gallery", "league", "stacked"});
  const auto claims = founding_names();
  all.insert(all.end(), claims.begin(), claims.end());
  return all;
}

/// "ring, grid, dirac, gallery or theory"
std::string problems_text() {
  std::string text;
  const std::vector<std::string> all = problems();
  for (size_t i = 0; i < all.size(); ++i)
    text += (i == 0 ? "" : i + 1 == all.size() ? " or " : ", ") + all[i];
  return text;
}

/// An option that the problem has no use for is a mistake: what it asks for would not happen.
void check_lab_options(const LabRequest& request) {
  std::vector<std::string> used = founding_options(request.what);
  const bool claim = !used.empty();
  if (!claim) used = {"objective", "loss", "relativism", "penalty", "constraint"};
  if (request.what == "gallery" || request.what == "league")
    used.insert(used.end(),
                {"seeds", "steps", "count", "threads", "out", "data", "arch", "channels", "batch"});
  else if (request.what == "stacked")
    used.insert(used.end(),
                {"seeds", "steps", "count", "protocol", "images", "own-schedule", "threads", "out", "data"});
  else if (request.what == "dirac")
    used.insert(used.end(), {"steps", "out"});
  else if (!claim)
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
int dirac(const LabRequest& request) {
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
  const int64_t steps = request.own_steps.value_or(kDiracSteps);
  DUEL_CHECK(steps >= 100, "lab", "--steps: expected at least 100 for a game, got {}", steps);
  std::vector<DiracRow> rows;
  for (const std::string& name : names) {
    for (const DiracOrder& order : dirac_orders(gan::named_objective(name)))
      rows.push_back(dirac_row(name, order, 0.1, steps));
  }
  print(to_markdown(rows));
  if (!request.out.empty()) {
    const std::filesystem::path out = request.out;
    std::filesystem::create_directories(out);
    write_file_atomically(out / "dirac.md", to_markdown(rows));
    gan::write_png(out / "orbits.png", dirac_orbits(rows));
    if (!request.quiet)
      std::fputs(visible_lines(message("results   {}/dirac.md, orbits.png\n", out.string())).c_str(), stderr);
  }
  return 0;
}

/// Every objective x seed on digits, ranked by the judge. A gallery is a short one: of all objectives, unless some are named,
/// from one seed.
int league(const LabRequest& request) {
  using namespace gan::lab;
  const bool gallery = request.what == "gallery";
  LeagueRequest plan{.steps = request.own_steps.value_or(gallery ? 1600 : LeagueRequest().steps),
                     .count = request.count.value_or(gallery ? 2000 : LeagueRequest().count),
                     .config = request.digits};
  const bool all = (gallery && !request.chosen) || request.objectives == std::vector<std::string>{"all"};
  plan.objectives = all ? gan::objective_names() : request.objectives;
  plan.seeds.clear();
  for (int64_t seed = 1; seed <= request.seeds.value_or(gallery ? 1 : 3); ++seed)
    plan.seeds.push_back(static_cast<uint64_t>(seed));
  plan.out = request.out.empty() ? message("runs/lab-{}-{}", request.what, plan.steps) : request.out;
  if (request.threads > 0) kernels::set_threads(static_cast<int>(request.threads));
  LabWatcher watcher(plan.steps, request.quiet);
  const LeagueOutcome outcome = run_league(plan, watcher);
  const int status = watcher.ended(outcome.complete, outcome.held, plan.out);
  if (!outcome.runs.empty()) {
    print(to_text(make_league_table(outcome.runs)));
    print(message("\nresults   {}/league.md, league.json, league.png, runs/\n", plan.out.string()));
  }
  return status;
}

/// Every objective x seed on stacked digits: which of 1,000 kinds are there, beside what papers report.
int stacked(const LabRequest& request) {
  using namespace gan::lab;
  StackedRequest plan{.objectives = request.objectives, .config = request.digits};
  DUEL_CHECK(
      plan.objectives != std::vector<std::string>{"all"}, "lab",
      "--objective: expected names for stacked digits, got all: some need classes, or an autoencoder as D");
  plan.protocol = stacked_protocol(request.protocol).name;
  plan.steps = request.own_steps.value_or(plan.steps);
  plan.count = request.count.value_or(0);
  plan.own_schedule = request.own_schedule;
  plan.seeds.clear();
  for (int64_t seed = 1; seed <= request.seeds.value_or(3); ++seed)
    plan.seeds.push_back(static_cast<uint64_t>(seed));
  plan.out = request.out.empty() ? message("runs/lab-stacked-{}-{}", plan.protocol, plan.steps) : request.out;
  if (request.threads > 0) kernels::set_threads(static_cast<int>(request.threads));
  LabWatcher watcher(plan.steps, request.quiet);
  const StackedOutcome outcome = run_stacked(plan, watcher);
  const int status = watcher.ended(outcome.complete, outcome.held, plan.out);
  if (!outcome.runs.empty()) {
    print(to_text(make_stacked_table(outcome)));
    print(message("\nresults   {}/results.md, results.json, samples.png, runs/\n", plan.out.string()));
  }
  return status;
}

int founding_claim(const LabRequest& request) {
  FoundingRequest asked{.name = request.what, .quick = request.quick, .quiet = request.quiet};
  asked.seeds = request.seeds.value_or(asked.seeds);
  asked.data = request.digits.data;
  if (request.chosen && request.objectives != std::vector<std::string>{"all"})
    asked.objectives = request.objectives;
  if (!request.out.empty()) asked.out = request.out;
  return show_founding(asked);
}

}  // namespace

Command lab_command() {
  auto request = std::make_shared<LabRequest>();
  request->digits.networks.channels_g = request->digits.networks.channels_d = 32;
  Command command{.name = "lab",
                  .summary = "Experiments: ring and grid of Gaussians, Dirac-GAN, gallery of digits"};
  command.footer =
      "ring, grid  8 or 25 Gaussians in the plane: modes found, high-quality share and\n"
      "            reverse KL of each objective, mean and standard error over seeds,\n"
      "            beside what PacGAN and VEEGAN report\n"
      "dirac       data at 0, G = theta, D(x) = psi x: what theory says near 0 and\n"
      "            where the game ends, for every order of updates; takes --objective\n"
      "            [all], --steps [4000], --out (dirac.md and a picture of the orbits)\n"
      "            and --quiet\n"
      "league      every objective on digits from several seeds, judged against images\n"
      "            that none of them saw and ranked by FD; objectives that cannot be\n"
      "            told apart share ranks; a picture of their digits as they came;\n"
      "            takes no --lambda and no --own-schedule\n"
      "gallery     a short league from one seed, of all objectives if none are named\n"
      "stacked     every objective on images of three digits each: how many of the\n"
      "            1,000 kinds it makes, and how evenly, by the protocols of Unrolled\n"
      "            GAN, VEEGAN and PacGAN (--protocol), beside what these report\n";
  command.footer += founding_help();
  command.footer +=
      "            these are claims of the founding texts: numbers beside theory's,\n"
      "            pictures and a page; take --quick, --seeds [1],\n"
      "            --out [runs/lab-founding], --quiet, and --data where they train on\n"
      "            digits\n"
      "Ctrl-C keeps what is finished; the same again goes on; started twice, it shares\n"
      "the runs.\n"
      "  duel lab league --objective ns-gan,hinge,r1 --seeds 3 --out runs/league\n"
      "  duel lab ring --objective ns-gan,wgan-gp --seeds 4 --steps 20000\n"
      "  duel lab grid --objective all --out runs/grid\n"
      "  duel lab dirac --loss hinge --penalty zero_centered@real:1\n\n" +
      axes_table();
  command.words = {{.name = "PROBLEM",
                    .help = problems_text(),
                    .required = true,
                    .set =
                        [request](const std::string& text) {
                          const auto known = problems();
                          DUEL_CHECK(std::find(known.begin(), known.end(), text) != known.end(), "lab",
                                     "problem: expected {}, got '{}'", problems_text(), text);
                          request->what = text;
                        },
                    .choices = problems()}};
  const auto add = option_adder(command, request);
  add("objective", "names with commas between, or all [ns-gan]", "NAMES", [request](const std::string& text) {
    request->objectives = names_of(text);
    for (auto at = request->objectives.begin(); at != request->objectives.end(); ++at)
      DUEL_CHECK(std::find(request->objectives.begin(), at, *at) == at, "lab",
                 "objective: {} is there twice; leave one of them out", *at);
    request->chosen = true;
  });
  for (const gan::Axis& axis : gan::axes()) {
    Option option = axis_option(axis, {});
    option.set = [request, name = axis.name, flag = option.name](const std::string& text) {
      request->given.push_back(flag);
      request->axes->emplace_back(name, text);
    };
    option.group = "Options";
    command.options.push_back(std::move(option));
  }
  add("seeds", "runs of each objective, from seeds 1, 2, ... [3; gallery and claims 1]", "INT",
      [=](const std::string& text) { request->seeds = counted("lab", "seeds", text, 10000); });
  add("steps",
      "updates of G in a run; the published protocol has 400000 [20000; dirac 4000, gallery 1600, league 6000, stacked 20000]",
      "INT", [=](const std::string& text) {
        request->steps = counted("lab", "steps", text, 1000000000);
        request->own_steps = request->steps;
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
      [=](const std::string& text) { request->threads = counted("lab", "threads", text, 4096); });
  add("quick", "claims: small sizes, few steps", "",
      [request](const std::string&) { request->quick = true; });
  add("out", "folder of results; finished runs in it are not trained again [runs/lab-PROBLEM-STEPS]", "DIR",
      [request](const std::string& text) { request->out = text; });
  for (const auto& [flag, field, help] :
       {std::tuple{"data", "data", "MNIST's folder, or synthetic [MNIST where it is found]"},
        {"arch", "arch", "gallery, league: the network [dcgan]"},
        {"channels", "channels-g", "gallery, league: its width [32]"},
        {"batch", "batch", "gallery, league: images per step [64]"}}) {
    add(flag, help, std::string(flag) == "channels" || std::string(flag) == "batch" ? "INT" : "NAME",
        [request, f = std::string(field)](const std::string& text) {
          gan::set_field(request->digits, f, text);
          if (f == "channels-g") gan::set_field(request->digits, "channels-d", text);
        });
  }
  add("protocol",
      "stacked: quarter or half, D's widths as a share of G's, or full, a DCGAN of 64 channels [quarter]",
      "NAME", [request](const std::string& text) { request->protocol = text; });
  add("images", "stacked: training images to make of the digits [128000]", "INT",
      [request](const std::string& text) { gan::set_field(request->digits, "stacked-count", text); });
  add("count",
      "samples that the judge sees; league: as many real images too [10000; gallery 2000, stacked 25600, full 26000]",
      "INT", [=](const std::string& text) { request->count = counted("lab", "count", text, 100000); });
  add("quiet", "no progress", "", [request](const std::string&) { request->quiet = true; });
  command.run = [request] {
    check_lab_options(*request);
    take_axes(*request);
    if (!founding_options(request->what).empty()) return founding_claim(*request);
    if (request->what == "dirac") return dirac(*request);
    if (request->what == "league" || request->what == "gallery") return league(*request);
    if (request->what == "stacked") return stacked(*request);
    return mixture(*request);
  };
  return command;
}

}  // namespace duel::apps
