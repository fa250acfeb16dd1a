#include "duel/gan/lab/league/league.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "duel/core/io/atomic_file.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/lab/internal/shared_runs.h"
#include "duel/gan/lab/league/internal/league_runs.h"
#include "duel/gan/picture/canvas.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/run/internal/quality_watch.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/train/random_streams.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

constexpr int64_t kShownSamples = 16, kShownColumns = 8;

/// What all runs share: the data, and the judge with what it read in real images.
struct LeagueField {
  RunConfig config;  // sides and classes of the data
  std::shared_ptr<const ResidentData> data;
  std::unique_ptr<detail::QualityWatch> watch;
};

LeagueField league_field(const LeagueRequest& request) {
  detail::RunSetup setup;
  setup.config = request.config;
  detail::find_data(setup, setup.config);
  detail::draw_data(setup);
  DUEL_CHECK(setup.images.height == Judge::side && setup.images.width == Judge::side, "league",
             "{}: expected images of {}x{}, which judges read, got {}x{}", setup.images.source, Judge::side,
             Judge::side, setup.images.height, setup.images.width);
  const std::vector<int64_t> names = class_names(setup.images);
  if (!names.empty()) {
    number_labels(setup.images, names);
    setup.config.networks.classes = std::ssize(names);
    setup.config.class_names = names;
  }
  setup.config.networks.height = setup.images.height;
  setup.config.networks.width = setup.images.width;
  setup.config.eval_count = request.count;
  setup.config.seed = 1;  // of latents and of what floors are made of: the same for every run
  const int64_t real = detail::held_out_images(setup, request.count).count;
  DUEL_CHECK(real >= least_samples(kNeighbours), "league",
             "{}: expected at least {} test images beside the training images, got {}", setup.images.source,
             least_samples(kNeighbours), real);
  LeagueField field;
  field.config = setup.config;
  field.data = std::make_shared<const ResidentData>(setup.images);
  field.watch = std::make_unique<detail::QualityWatch>(setup, *field.data, Device::cpu());
  return field;
}

/// Nothing where `keep_going`, asked after every iteration, said no.
std::optional<LeagueRun> train_league_run(const LeagueRequest& request, const LeagueField& field,
                                          const std::string& objective, uint64_t seed,
                                          const std::function<bool()>& keep_going) {
  const auto start = std::chrono::steady_clock::now();
  detail::RunSetup setup;
  setup.config = field.config;
  setup.config.objective = objective;
  setup.config.seed = seed;
  setup.config.overrides = resolved_overrides(objective, request.config.overrides);
  if (!is_conditional(named_objective(objective, setup.config.overrides).critic))
    setup.config.networks.classes = 0;
  detail::make_parts(setup);
  Trainer trainer(setup.networks, setup.objective, field.data, {.batch = setup.config.batch, .seed = seed});
  LeagueRun run{.objective = objective, .seed = seed};
  std::set<int64_t> looks;
  for (const int64_t part : {8, 4, 2, 1}) looks.insert(std::max<int64_t>(request.steps / part, 1));
  std::optional<Comparison> last;
  while (run.failure.empty() && trainer.iteration() < request.steps) {
    trainer.step();
    const Metrics m = trainer.metrics();
    if (!std::isfinite(m.loss_d) || !std::isfinite(m.loss_g) ||
        (looks.contains(trainer.iteration()) && trainer.first_nonfinite()))
      run.failure = message("not finite at iteration {}", trainer.iteration());
    if (!keep_going()) return std::nullopt;
    if (run.failure.empty() && looks.contains(trainer.iteration())) {
      last = field.watch->look(trainer);
      const Value* fd = last->find("fd");
      run.curve.emplace_back(trainer.iteration(), fd ? fd->value : NAN);
    }
  }
  const bool whole = run.failure.empty();
  if (whole)
    for (const auto& [row, value] : last->values) run.measures.emplace_back(row->key, value);
  run.judge = field.watch->judge_name();
  run.steps = trainer.iteration();
  run.images_d = run.steps * setup.objective.schedule.critic_steps * setup.config.batch;
  LatentGenerators random = sampling_generators(seed, static_cast<uint64_t>(RandomStream::samples));
  const Tensor z = draw_latents(setup.networks.latent, kShownSamples, random).input;
  const GrayImage grid = image_grid(trainer.sample(z), kShownColumns);
  run.samples = Tensor::from(grid.pixels, {grid.height, grid.width});
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return run;
}

std::string found_in(const LeagueRun& run) {
  if (!run.failure.empty()) return run.failure;
  const Value *fd = run.find("fd"), *modes = run.find("modes");
  return message("FD {} (real {}), {} modes", significant(fd->value, 4), significant(fd->floor, 3),
                 modes ? significant(modes->value, 2) : "?");
}

std::vector<LeagueRun> recorded_league(const LeagueRequest& request, const ResultStore& store) {
  std::vector<LeagueRun> runs;
  for (const auto& [objective, seed] : recorded_seeds(store))
    runs.push_back(*load_league_run(request, objective, seed));
  return runs;
}

/// Samples of each objective's first seed, best first, beside its name and FD.
void draw_league(const std::filesystem::path& file, const LeagueTable& table,
                 const std::vector<LeagueRun>& runs) {
  constexpr int64_t kLabel = 190, kGap = 6;
  const int64_t h = runs.front().samples.dim(0), w = runs.front().samples.dim(1);
  Canvas canvas(kLabel + w + kGap, kGap + std::ssize(table.rows) * (h + kGap));
  int64_t top = kGap;
  for (const LeagueRow& row : table.rows) {
    const auto run = std::find_if(runs.begin(), runs.end(),
                                  [&](const LeagueRun& r) { return r.objective == row.objective; });
    canvas.text(kGap, top + 8, row.objective, {0, 0, 0});
    canvas.text(kGap, top + 24, row.fd ? "FD " + significant(*row.fd, 3) : "not finite", {80, 80, 80});
    const uint8_t* pixels = run->samples.data<uint8_t>();
    for (int64_t y = 0; y < std::min(h, run->samples.dim(0)); ++y) {
      for (int64_t x = 0; x < std::min(w, run->samples.dim(1)); ++x) {
        const uint8_t v = pixels[y * run->samples.dim(1) + x];
        canvas.blend(kLabel + x, top + y, {v, v, v});
      }
    }
    top += h + kGap;
  }
  write_png(file, canvas);
}

void write_league(const LeagueRequest& request, const std::vector<LeagueRun>& runs) {
  const LeagueTable table = make_league_table(runs);
  write_file_atomically(request.out / "league.md", to_markdown(table));
  std::string lines;  // one for each run: the file is kept beside tables made of it, and read in diffs
  for (const LeagueRun& run : runs) lines += (lines.empty() ? "  " : ",\n  ") + league_json(run).dump();
  write_file_atomically(request.out / "league.json",
                        message("{\n \"judge\": \"{}\",\n \"steps\": {},\n \"runs\": [\n{}\n ]\n}\n",
                                table.judge, request.steps, lines));
  draw_league(request.out / "league.png", table, runs);
}

double mean_of_measure(const std::vector<const LeagueRun*>& runs, const std::string& key) {
  double sum = 0, count = 0;
  for (const LeagueRun* run : runs) {
    if (const Value* v = run->find(key); v && std::isfinite(v->value)) {
      sum += v->value;
      ++count;
    }
  }
  return count > 0 ? sum / count : NAN;
}

using RunsOf = std::map<std::string, std::vector<const LeagueRun*>>;

std::vector<double> logs_of(const std::vector<const LeagueRun*>& runs) {
  std::vector<double> logs;
  for (const LeagueRun* run : runs)
    if (const Value* fd = run->find("fd")) logs.push_back(std::log(fd->value));
  return logs;
}

/// -1: `a` is better beyond the interval of their common seeds' differences, 1: worse; 0: not told apart.
int told_apart(const std::vector<const LeagueRun*>& a, const std::vector<const LeagueRun*>& b) {
  std::vector<double> differences;
  for (const LeagueRun* x : a) {
    for (const LeagueRun* y : b) {
      const Value *of_x = x->find("fd"), *of_y = y->find("fd");
      if (x->seed == y->seed && of_x && of_y) differences.push_back(std::log(of_x->value / of_y->value));
    }
  }
  if (differences.size() < 2) return 0;
  const Interval range = mean_interval(differences);
  return range.high < 0 ? -1 : range.low > 0 ? 1 : 0;
}

std::string dashed(double value, int digits) { return std::isfinite(value) ? fixed(value, digits) : "-"; }

std::vector<std::string> cells_of(const LeagueTable& t, const LeagueRow& row) {
  const auto [first, last] = row.rank.value_or(std::pair<int64_t, int64_t>{0, 0});
  const std::string runs =
      row.failed ? message("{} of {}", row.runs - row.failed, row.runs) : std::to_string(row.runs);
  return {!row.rank       ? "-"
          : first == last ? std::to_string(first)
                          : message("{}-{}", first, last),
          row.objective,
          runs,
          row.fd ? significant(*row.fd, 3) : "-",
          row.range ? message("{}-{}", significant(row.range->low, 3), significant(row.range->high, 3)) : "-",
          row.fd ? significant(*row.fd / t.floor, 3) : "-",
          dashed(row.precision, 2),
          dashed(row.recall, 2),
          dashed(row.coverage, 2),
          dashed(row.modes, 1),
          dashed(row.seconds, 0)};
}

const std::vector<std::string> kLeagueHeading = {"rank", "objective", "runs", "FD",    "95 %", "real",
                                                 "prec", "rec",       "cov",  "modes", "s/run"};

std::string league_protocol(const LeagueTable& t) {
  std::string seeds;
  for (const uint64_t seed : t.seeds) seeds += (seeds.empty() ? "" : ", ") + std::to_string(seed);
  return message(
      "{} iterations, seeds {}, judge {}. FD: geometric mean; real: the same over FD of real images, {}.",
      t.steps, seeds, t.judge, significant(t.floor, 3));
}

}  // namespace

const Value* LeagueRun::find(const std::string& key) const {
  for (const auto& [name, value] : measures)
    if (name == key) return &value;
  return nullptr;
}

Interval mean_interval(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / n;
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double reach = student_quantile(n - 1) * std::sqrt(squares / (n - 1) / n);
  return {mean - reach, mean + reach};
}

LeagueTable make_league_table(const std::vector<LeagueRun>& runs) {
  LeagueTable table;
  RunsOf by_objective;
  std::set<uint64_t> seeds;
  double floors = 0, judged = 0;
  for (const LeagueRun& run : runs) {
    by_objective[run.objective].push_back(&run);
    seeds.insert(run.seed);
    table.judge = run.judge;
    table.steps = std::max(table.steps, run.steps);
    if (const Value* fd = run.find("fd")) {
      floors += fd->floor;
      ++judged;
    }
  }
  table.floor = judged > 0 ? floors / judged : NAN;
  table.seeds.assign(seeds.begin(), seeds.end());
  for (const auto& [objective, own] : by_objective) {
    LeagueRow row;
    row.objective = objective;
    row.runs = std::ssize(own);
    for (const LeagueRun* run : own) {
      row.failed += run->failure.empty() ? 0 : 1;
      row.seconds += run->seconds / static_cast<double>(own.size());
    }
    const std::vector<double> logs = logs_of(own);
    if (row.failed == 0 && !logs.empty()) {
      double mean = 0;
      for (const double v : logs) mean += v / static_cast<double>(logs.size());
      row.fd = std::exp(mean);
      if (logs.size() > 1) {
        const Interval range = mean_interval(logs);
        row.range = Interval{std::exp(range.low), std::exp(range.high)};
      }
    }
    row.precision = mean_of_measure(own, "precision");
    row.recall = mean_of_measure(own, "recall");
    row.coverage = mean_of_measure(own, "coverage");
    row.modes = mean_of_measure(own, "modes");
    table.rows.push_back(row);
  }
  std::stable_sort(table.rows.begin(), table.rows.end(), [](const LeagueRow& a, const LeagueRow& b) {
    return a.fd && b.fd ? *a.fd < *b.fd : a.fd.has_value() && !b.fd;
  });
  const auto ranked = std::count_if(table.rows.begin(), table.rows.end(),
                                    [](const LeagueRow& row) { return row.range.has_value(); });
  for (LeagueRow& row : table.rows) {
    if (!row.range) continue;  // of one run nothing is known about seeds
    int64_t better = 0, worse = 0;
    for (const LeagueRow& other : table.rows) {
      if (!other.range || other.objective == row.objective) continue;
      const int order = told_apart(by_objective[other.objective], by_objective[row.objective]);
      better += order < 0;
      worse += order > 0;
    }
    row.rank = {1 + better, ranked - worse};
  }
  return table;
}

std::string to_text(const LeagueTable& t) {
  std::vector<std::vector<std::string>> lines{kLeagueHeading};
  for (const LeagueRow& row : t.rows) lines.push_back(cells_of(t, row));
  std::vector<size_t> widths(kLeagueHeading.size(), 0);
  for (const auto& line : lines)
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string text = league_protocol(t) + "\n\n";
  for (const auto& line : lines) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i)
      row += line[i] + std::string(widths[i] - line[i].size() + 1, ' ');
    row.resize(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

std::string to_markdown(const LeagueTable& t) {
  std::string text = league_protocol(t) + "\n\n|", dashes = "|";
  for (const std::string& cell : kLeagueHeading) {
    text += " " + cell + " |";
    dashes += "---|";
  }
  text += "\n" + dashes + "\n";
  for (const LeagueRow& row : t.rows) {
    text += "|";
    for (const std::string& cell : cells_of(t, row)) text += " " + cell + " |";
    text += "\n";
  }
  return text;
}

LeagueOutcome run_league(const LeagueRequest& request, LabObserver& observer) {
  DUEL_CHECK(request.steps >= 1, "league", "steps: expected at least 1, got {}", request.steps);
  DUEL_CHECK(request.count >= least_samples(kNeighbours), "league", "count: expected at least {}, got {}",
             least_samples(kNeighbours), request.count);
  DUEL_CHECK(!request.objectives.empty() && !request.seeds.empty(), "league",
             "expected at least one objective and one seed");
  for (const std::string& objective : request.objectives) (void)named_objective(objective);
  const ResultStore store("league", request.out);
  LeagueField field;
  // Seeds first: a league that is stopped early has something of every objective.
  std::vector<SharedRun> all, missing;
  for (const uint64_t seed : request.seeds) {
    for (const std::string& objective : request.objectives) {
      const std::string label = message("{} seed {}", objective, seed);
      all.push_back({league_name(objective, seed), label,
                     [&request, &field, &observer, objective, seed, label](const auto& keep_going) {
                       const auto run = train_league_run(request, field, objective, seed, keep_going);
                       if (!run) return false;
                       save_league_run(request, *run);
                       observer.finished(label, found_in(*run), run->seconds, run->steps);
                       return true;
                     }});
    }
  }
  for (const SharedRun& run : all)
    if (!store.has(run.name)) missing.push_back(run);
  (void)recorded_league(request, store);  // other settings are said now
  if (!missing.empty()) {
    observer.said("reading images for the judge");
    field = league_field(request);
  }
  observer.started(std::ssize(missing), std::ssize(all) - std::ssize(missing));
  LeagueOutcome outcome;
  outcome.held = train_shared(store, missing, observer);
  // What another process finishes while the table is written comes into the next one.
  for (std::vector<std::string> there, before{""}; (there = store.names()) != before; before = there) {
    outcome.runs = recorded_league(request, store);
    if (!outcome.runs.empty()) write_league(request, outcome.runs);
  }
  outcome.complete =
      std::all_of(all.begin(), all.end(), [&](const SharedRun& run) { return store.has(run.name); });
  return outcome;
}

}  // namespace duel::gan::lab
