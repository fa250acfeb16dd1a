// What a run writes while it trains: lines of metrics, times and log, sample grids, diagrams, checkpoints; and the
// numbers at which it stops.
#include <cmath>
#include <thread>

#include "duel/gan/run/internal/run_state.h"
#include "duel/gan/train/checkpoint.h"

namespace duel::gan {
namespace {

constexpr int kSaveTries = 3;

std::string short_number(double value) { return significant(value, 4); }

}  // namespace

bool Run::State::sample_due(int64_t iteration) const {
  return iteration == 0 || iteration == config().steps ||
         (config().sample_every > 0 && iteration % config().sample_every == 0);
}

bool Run::State::evaluation_due(int64_t iteration) const {
  return config().eval_every > 0 && (iteration == config().steps || iteration % config().eval_every == 0);
}

void Run::State::log(const std::string& text, RunObserver& observer) {
  if (auto problem = directory->append_log(local_time() + "  " + text + (text.ends_with('\n') ? "" : "\n"))) {
    warn_once("log", *problem, observer);
  }
}

void Run::State::warn_once(const std::string& kind, const std::string& text, RunObserver& observer) {
  if (warned.insert(kind).second) observer.warned(text + "; training goes on");
}

void Run::State::write_metrics(RunObserver& observer) {
  const double epoch =
      static_cast<double>(latest.iteration * config().batch) / static_cast<double>(data.count);
  const std::string line = to_json_line(latest, epoch, has_probabilities(setup.objective), diagnosis,
                                        quality ? watch->judged(*quality) : JudgedValues());
  curves.log.add(line);
  if (auto problem = directory->append_metrics(line)) warn_once("metrics", *problem, observer);
  write_events(line, observer);
  const ShownOutputs outputs = shown_outputs(setup.objective, latest);
  log(message("iteration {}  loss D {} G {}  {} {} {} {}", latest.iteration, short_number(latest.loss_d),
              short_number(latest.loss_g), outputs.name_real, short_number(outputs.real), outputs.name_fake,
              short_number(outputs.fake)),
      observer);
}

void Run::State::begin_timing() {
  timed = {.iteration = trainer->iteration()};
  const Curve* seconds = curves.log.curve("seconds");
  if (seconds && std::isfinite(seconds->y.back())) timed.seconds = seconds->y.back();
  seconds_before = timed.seconds;
  timed_from = std::chrono::steady_clock::now();
}

void Run::State::write_timing(RunObserver& observer) {
  const double seconds =
      seconds_before + std::chrono::duration<double>(std::chrono::steady_clock::now() - timed_from).count();
  const auto images = static_cast<double>((trainer->iteration() - timed.iteration) * config().batch);
  timed = {.iteration = trainer->iteration(),
           .seconds = seconds,
           .images_per_second = images / (seconds - timed.seconds)};
  const std::string line = to_json_line(timed);
  curves.log.add(line);
  if (auto problem = directory->append_timing(line)) warn_once("timing", *problem, observer);
  write_events(line, observer);
}

void Run::State::write_events(const std::string& line, RunObserver& observer) {
  if (!events) return;
  const LineEvents found = events_of_line(line);
  const auto told = [&](const std::optional<std::string>& problem) {
    if (problem) warn_once("tensorboard", *problem, observer);
  };
  told(events->scalars(found.step, found.scalars));
  for (const auto& [tag, histogram] : found.histograms) told(events->histogram(found.step, tag, histogram));
}

void Run::State::sample(int64_t iteration, RunObserver& observer) {
  const std::filesystem::path file = directory->fakes(iteration);
  const Picture grid = image_grid(trainer->sample(sample_points.input), sample_points.columns);
  try {
    write_png(file, grid);
  } catch (const Error& error) {
    warn_once("sample", error.what(), observer);
    return;
  }
  if (events) {
    if (auto problem = events->image(iteration, "samples", grid))
      warn_once("tensorboard", *problem, observer);
  }
  observer.sampled(file, grid);
}

// Drawing shows all curves anew, so in a long or fast run it waits until it costs no more than a fiftieth of
// the time.
void Run::State::draw(bool last, RunObserver& observer, bool diverged) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point began = Clock::now();
  if ((!last && began < next_drawing) || curves.log.empty()) return;
  try {
    write_run_plots(directory->path(), curves);
    if (!diverged) {
      if (const auto near = draw_neighbours(*trainer, sample_points.input))
        write_png(directory->neighbours(), *near);
    }
    write_report(
        directory->path(), curves,
        {.walks = diverged ? stored_walks(directory->path()) : draw_walks(*trainer), .running = !last});
  } catch (const Error& error) {
    warn_once("plots", error.what(), observer);
  }
  next_drawing = Clock::now() + 50 * (Clock::now() - began);
}

void Run::State::judge_samples(RunObserver& observer) {
  if (!watch) {
    observer.working(message("reading images for the judge, {} of each kind", config().eval_count));
    watch.emplace(setup, *trainer->data(), trainer->options().device);
  }
  quality = watch->look(*trainer);
}

// One line of people's, then a file for each measure.
void Run::State::write_quality(RunObserver& observer) {
  const int64_t iteration = trainer->iteration();
  const double kimg = static_cast<double>(iteration * config().batch) / 1000;
  const std::filesystem::path file = directory->checkpoint(iteration);
  const bool saved = iteration == config().steps ||
                     (config().checkpoint_every > 0 && iteration % config().checkpoint_every == 0);
  std::string shown;
  for (const auto& [row, value] : quality->values) {
    const std::string name = watch->name_of(*row),
                      line = detail::metric_line(name, value, iteration, kimg,
                                                 saved ? file.filename().string() : std::string());
    if (auto problem = directory->append_metric(name, line)) warn_once("metric", *problem, observer);
    if (row->key == "fd" || row->key == "precision" || row->key == "recall" || row->key == "modes") {
      shown += message("  {} {} (real {})", shown.empty() ? name : row->key, short_number(value.value),
                       short_number(value.floor));
    }
  }
  const std::string text = message("judged at iteration {}{}", iteration, shown);
  log(text, observer);
  observer.evaluated(text);
}

void Run::State::keep_best(RunObserver& observer) {
  const QualityMeasure* row = watch->best_by();
  const Value* now = row ? quality->find(row->key) : nullptr;
  if (!now || watch->best_iteration(curves.log, now->floor) != trainer->iteration()) return;
  const std::filesystem::path file = directory->best(trainer->iteration());
  write_state(file);
  directory->keep_best(file);
  log(message("best {} until now, {}: kept {}", watch->name_of(*row), short_number(now->value),
              file.string()),
      observer);
}

void Run::State::write_state(const std::filesystem::path& file) const {
  for (int attempt = 1;; ++attempt) {
    try {
      write_checkpoint(file, trainer->state(), checkpoint_config);
      return;
    } catch (const Error& error) {
      if (attempt == kSaveTries) {
        throw Failure(message(
            "[run] checkpoint of iteration {} failed {} times: {}; make room and continue with --resume; "
            "last good checkpoint: {}",
            trainer->iteration(), attempt, error.what(), last_good_checkpoint()));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }
}

void Run::State::save(RunObserver& observer) {
  const std::filesystem::path file = directory->checkpoint(trainer->iteration());
  directory->sync_metrics();
  write_state(file);
  directory->keep_checkpoints(config().keep, file);
  log("saved " + file.string(), observer);
  observer.saved(file);
}

void Run::State::check_finite(const Metrics& m, bool complete) const {
  std::vector<std::pair<std::string, double>> values = {
      {"loss_d", m.loss_d}, {"loss_g", m.loss_g}, {"penalty", m.penalty}};
  if (complete) {
    values.insert(values.end(), {{"d_real", m.d_real},
                                 {"d_fake", m.d_fake},
                                 {"grad_norm_d", m.grad_norm_d},
                                 {"grad_norm_g", m.grad_norm_g},
                                 {"input_gradient_norm", m.input_gradient_norm}});
  }
  for (const auto* more : {&m.terms_d, &m.terms_g, &m.more})
    values.insert(values.end(), more->begin(), more->end());
  for (const auto& [name, value] : values) {
    if (std::isfinite(value)) continue;
    diverged(name + (std::isnan(value) ? " is NaN" : " is infinite"), m.iteration);
  }
}

void Run::State::check_all_finite() const {
  if (const auto found = trainer->first_nonfinite()) diverged(*found, trainer->iteration());
}

void Run::State::diverged(const std::string& what, int64_t iteration) const {
  throw Diverged(message(
      "[run] {} at iteration {}: training diverged; last good checkpoint: {}; lower --lr, or run again "
      "with --anomaly to see which op made the first one",
      what, iteration, last_good_checkpoint()));
}

std::string Run::State::last_good_checkpoint() const try {
  const auto file = latest_checkpoint(directory->path());
  return file ? file->string() : "none yet";
} catch (const Error& error) {
  return error.what();  // a part of another message, which matters more
}

}  // namespace duel::gan
