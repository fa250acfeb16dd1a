// The loop of a run and what it writes. The parts it is made of: run_setup.cpp; its folder:
// run_directory.cpp.
#include "duel/gan/run/run.h"

#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <set>
#include <thread>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/record/internal/run_directory.h"
#include "duel/gan/record/internal/run_record.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/gan/run/internal/rehearsal.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/parallel.h"

namespace duel::gan {
namespace {

constexpr int64_t kGridColumns = 8;
constexpr const char* kRuns = "runs";
constexpr int kSaveTries = 3;
constexpr int64_t kHeldOut = 256;      // images that diagnostics compare with as many of the training set
constexpr int64_t kSlowToDraw = 5000;  // digits: half a second

uint32_t checksum(const ImageSet& images) {
  uLong sum = crc32(0, nullptr, 0);
  for (size_t begin = 0; begin < images.images.size(); begin += size_t{1} << 30) {
    sum = crc32(sum, images.images.data() + begin,
                static_cast<uInt>(std::min(images.images.size() - begin, size_t{1} << 30)));
  }
  return static_cast<uint32_t>(sum);
}

std::string read_record(const std::filesystem::path& file) {
  return read_file("run", file, kMaxRecord, "the run.json of a run directory");
}

/// The first field (or the one named) that a resumed run may not change and that differs is an Error.
void check_same_run(const RunConfig& stored, const RunConfig& wanted, const std::string& only = "") {
  for (const ConfigField& field : config_fields()) {
    if (!field.stored || field.may_change || (!only.empty() && field.name != only)) continue;
    const auto was = field.get(stored), is = field.get(wanted);
    const bool rate = field.name == "lr-d" || field.name == "lr-g";
    DUEL_CHECK(
        was == is, "config",
        "{}{}: this run was started with {}, and a resumed run keeps it; got {}: start a new run for it",
        field.name, rate ? " (also set by --lr)" : "", was ? text_of(*was) : "none",
        is ? text_of(*is) : "none");
  }
}

/// A run that has gone further than it is told to go: its config.json would no longer say how it was made.
void check_not_past(const Checkpoint& checkpoint, int64_t steps, const std::filesystem::path& file) {
  const Tensor* progress = checkpoint.state.find("progress");
  // restore() says what is wrong
  if (!progress || progress->dtype() != DType::i64 || progress->numel() < 1) return;
  const int64_t iteration = progress->to_vector<int64_t>()[0];
  DUEL_CHECK(iteration <= steps, "run",
             "steps: this run is already at iteration {} ({}), got {}: give more --steps", iteration,
             file.string(), steps);
}

/// Duel 0.1.0 stored a relative --data as it was given, which says nothing elsewhere.
void check_data_given(const RunConfig& config) {
  if (config.data == "synthetic" || config.data == "auto") return;
  std::error_code ignored;
  DUEL_CHECK(
      std::filesystem::path(config.data).is_absolute() || std::filesystem::exists(config.data, ignored),
      "run",
      "data: {}: no such folder in {}, and the run does not say where it was started: "
      "give its data with --data",
      config.data, std::filesystem::current_path(ignored).string());
}

/// Without a checkpoint a run starts again, and all that it wrote is written anew: right for one that was
/// stopped before its first checkpoint, and the loss of everything where checkpoints were there and are not.
/// log.txt tells the two apart.
void check_never_saved(const RunDirectory& directory) {
  std::error_code ignored;
  std::string found;
  if (!std::filesystem::exists(directory.log(), ignored)) {
    if (std::filesystem::exists(directory.metrics(), ignored))
      found = "log.txt, which says whether there was one, is missing";
  } else if (const std::string why = why_unreadable(directory.log()); !why.empty()) {
    found = "log.txt, which says whether there was one, cannot be read: " + why;
  } else {
    const std::string log =
        read_file("run", directory.log(), size_t{1} << 30, "the log.txt of a run directory");
    if (const size_t saved = log.rfind("  saved "); saved != std::string::npos)
      found = "log.txt says: " + log.substr(saved + 2, log.find('\n', saved) - saved - 2);
  }
  DUEL_CHECK(found.empty(), "run",
             "{}: there is no checkpoint, but {}: this run would start again and write over what it has; "
             "put the checkpoint back, or repeat the run with --config {} and another --out",
             (directory.path() / "checkpoints").string(), found, directory.config().string());
}

/// Why a checkpoint that was found does not do, and what to do. Nothing is to be deleted: a file that the
/// system does not let us read may be whole, and so may be one of another version or another run.
std::string why_not_resumed(const std::filesystem::path& file, const RunDirectory& directory,
                            const Error& error) {
  const std::string text = error.what();
  const std::string told = (text.find(file.string()) == std::string::npos ? file.string() + ": " : "") + text;
  if (!why_unreadable(file).empty()) return told + "; it may be whole: make it readable and resume again";
  if (latest_checkpoint(directory.path(), file.filename().string()))
    return told + "; move that file elsewhere to resume from the checkpoint before it";
  return message("{}; there is no checkpoint before it: repeat the run with --config {} and another --out",
                 told, directory.config().string());
}

std::string short_number(double value) { return significant(value, 4); }

}  // namespace

struct Run::State {
  detail::RunSetup setup;
  DataRecord data;
  std::unique_ptr<Trainer> trainer;
  std::unique_ptr<const ResidentData> held_out;
  std::filesystem::path directory_path;
  std::optional<RunDirectory> directory;
  std::optional<std::filesystem::path> resumed_from;
  std::string checkpoint_config;
  SampleGrid sample_points;
  Metrics latest;
  std::optional<Diagnosis> diagnosis;  // of the same iteration, where one was made
  std::set<std::string> warned;
  std::chrono::steady_clock::time_point next_drawing = {};
  std::chrono::steady_clock::time_point timed_from = {};  // of this process's training
  double seconds_before = 0;                              // of the run until then
  Timing timed = {};                                      // the last line of timing.jsonl
  RunCurves curves = {};                                  // what both files say
  bool prepared = false;

  const RunConfig& config() const { return setup.config; }
  std::string run_name() const { return config().networks.arch + "-" + config().objective; }

  // Draws the digits if they are to be drawn, and puts the trainer together.
  void make_ready(RunObserver* observer);
  void resume(RunObserver* observer);
  void prepare(RunObserver& observer);
  void write_record() const;

  /// complete: of an iteration with diagnostics; of another one only the losses are looked at.
  void check_finite(const Metrics& m, bool complete = true) const;
  /// Weights, moments, averages and buffers. On a CPU it costs next to nothing; on a GPU it waits.
  void check_all_finite() const;
  [[noreturn]] void diverged(const std::string& what, int64_t iteration) const;
  void log(const std::string& text, RunObserver& observer);
  void warn_once(const std::string& kind, const std::string& text, RunObserver& observer);
  void write_metrics(RunObserver& observer);
  void begin_timing();
  void write_timing(RunObserver& observer);
  void sample(int64_t iteration, RunObserver& observer);
  void draw(bool last, RunObserver& observer, bool diverged = false);
  void save(RunObserver& observer);
  std::string last_good_checkpoint() const;
  bool sample_due(int64_t iteration) const;
};

// ---- Making -----------------------------------------------------------------------------------------------

Run::Run(RunConfig config, RunObserver* observer) : state_(std::make_unique<State>()) {
  State& s = *state_;
  DUEL_CHECK(!config.resume || !config.out.empty(), "config",
             "resume: expected the run directory to continue; say --out RUNDIR");
  check_values(config);
  if (config.threads > 0) kernels::set_threads(config.threads);
  const std::vector<std::string> argv = config.argv;
  if (config.resume) {
    s.directory.emplace(RunDirectory::reopen(config.out));
    // Before the stored settings are read as those of another objective, which has no place for some of them.
    check_same_run(read_stored_config(s.directory->config()), config, "objective");
  }
  if (config.resume) check_data_given(config);
  if (!config.resume && !config.out.empty()) RunDirectory::check_fresh(config.out);
  s.setup = detail::set_up(std::move(config));
  s.data = {s.setup.images.source, s.setup.images.count, s.setup.images.height, s.setup.images.width, 0};

  RunConfig portable =
      s.config();  // what a checkpoint says must not depend on where and on how many threads it was made
  portable.threads = 0;
  portable.device = "cpu";
  s.checkpoint_config = to_json(portable);

  if (s.config().resume) {
    s.directory_path = s.directory->path();
    RunConfig stored = read_stored_config(s.directory->config());
    // settings that are younger than the run
    stored.overrides = resolved_overrides(stored.objective, stored.overrides);
    check_same_run(stored, s.config());
    s.resume(observer);
  } else if (s.config().out.empty()) {
    s.directory_path = RunDirectory::next_numbered(kRuns, s.run_name());
    RunDirectory::check_creatable(s.directory_path);
  } else {
    s.directory_path = s.config().out;
  }
  if (!s.trainer) detail::rehearse(s.setup);  // a resumed run has done this iteration before
}

Run::~Run() = default;

void Run::State::make_ready(RunObserver* observer) {
  if (trainer) return;
  if (setup.drawn) {
    if (observer && setup.images.count > kSlowToDraw)
      observer->working(message("drawing {} digits", setup.images.count));
    detail::draw_data(setup);
  }
  data.crc32 = checksum(setup.images);
  const Device device = detail::device_named(config().device);
  auto resident = std::make_shared<ResidentData>(setup.images, device);
  setup.images.images = {};
  setup.images.labels = {};
  trainer = std::make_unique<Trainer>(setup.networks, setup.objective, std::move(resident),
                                      TrainerOptions{.batch = config().batch,
                                                     .seed = config().seed,
                                                     .device = device,
                                                     // which looks at every op's result
                                                     .graphs = !config().anomaly});
  if (config().diagnose_every > 0) {
    if (const ImageSet other = detail::held_out_images(setup, kHeldOut); other.count > 0) {
      held_out = std::make_unique<ResidentData>(other, device);
    }
  }
  LatentGenerators random = sampling_generators(config().seed, static_cast<uint64_t>(RandomStream::samples));
  sample_points = sample_grid(setup.networks.latent, config().sample_count, random);
}

void Run::State::resume(RunObserver* observer) {
  resumed_from = latest_checkpoint(directory->path());
  if (!resumed_from) check_never_saved(*directory);
  const auto unusable = [&](const Error& error) {
    if (dynamic_cast<const OutOfMemory*>(&error)) throw;
    fail("run", "{}", why_not_resumed(*resumed_from, *directory, error));
  };
  std::optional<Checkpoint> checkpoint;  // read before digits are drawn: a damaged one is told at once
  try {
    if (resumed_from) checkpoint = read_checkpoint(*resumed_from);
  } catch (const Error& error) {
    unusable(error);
  }
  if (checkpoint) check_not_past(*checkpoint, config().steps, *resumed_from);
  const std::filesystem::path record_file = directory->record();
  const std::optional<DataRecord> then =
      std::filesystem::is_regular_file(record_file)
          ? std::optional(run_record_from_json(read_record(record_file), record_file.string()).data)
          : std::nullopt;
  make_ready(observer);
  DUEL_CHECK(
      !then || (then->count == data.count && then->crc32 == data.crc32), "run",
      "data: this run was started on {} images of {}, and {} holds other ones; give the same set with --data",
      then->count, then->source, data.source);
  if (!checkpoint) return;  // stopped before its first checkpoint: it starts again
  try {
    trainer->restore(checkpoint->state);
  } catch (const Error& error) {
    unusable(error);
  }
}

void Run::State::write_record() const {
  RunRecord record;
  const std::filesystem::path file = directory->record();
  if (config().resume && std::filesystem::is_regular_file(file))
    record = run_record_from_json(read_record(file), file.string());
  if (record.started.empty()) {
    record.started = local_time();
    record.argv = config().argv;
    record.data = data;
  }
  if (config().resume) {
    record.resumed.push_back(message("{} at iteration {}", local_time(), trainer->iteration()));
    record.resumed_argv.push_back(config().argv);
  }
  record.seed = config().seed;
  record.machine = this_machine();
  write_file_atomically(file, to_json(record));
}

// From here on the run directory is written.
void Run::State::prepare(RunObserver& observer) {
  if (prepared) return;
  make_ready(&observer);
  if (!directory) {
    directory.emplace(config().out.empty() ? RunDirectory::create_numbered(kRuns, run_name())
                                           : RunDirectory::create(directory_path));
    directory_path = directory->path();
    try {
      for (const auto& file : {directory->record(), directory->reals(), directory->config()})
        directory->made(file);
      write_record();
      const int64_t shown = std::min(config().sample_count, data.count);
      const GrayImage reals =
          image_grid(trainer->data()->batch(trainer->data()->first(shown), DType::f32), kGridColumns);
      write_png_gray(directory->reals(), reals);
      write_file_atomically(directory->config(),
                            to_json(config()));  // last: its presence says that the folder is a run
      directory->keep();
    } catch (...) {
      directory.reset();  // with all that was made until then
      throw;
    }
  } else {
    write_record();
    write_file_atomically(directory->config(), to_json(config()));
    directory->cut_after(trainer->iteration());
    for (const auto& file : {directory->metrics(), directory->timing()})
      if (std::filesystem::is_regular_file(file)) curves.log.add_file(file);
  }
  curves.hints = plot_hints(config());
  prepared = true;
}

// ---- Training ---------------------------------------------------------------------------------------------

bool Run::train(RunObserver& observer) try {
  State& s = *state_;
  s.prepare(observer);
  const std::string text = banner();
  observer.started(text);
  s.log(text, observer);
  Trainer& trainer = *s.trainer;
  const RunConfig& c = s.config();
  const int64_t total = c.steps;
  if (s.sample_due(trainer.iteration()) &&
      !std::filesystem::exists(s.directory->fakes(trainer.iteration()))) {
    s.sample(trainer.iteration(), observer);
  }
  std::optional<AnomalyMode> anomaly;
  if (c.anomaly) anomaly.emplace();
  s.begin_timing();

  while (trainer.iteration() < total) {
    const int64_t next = trainer.iteration() + 1;
    const bool diagnoses = c.diagnose_every > 0 && next % c.diagnose_every == 0;
    const bool logs = diagnoses || next == 1 || next % c.log_every == 0;
    const bool saves = next == total || (c.checkpoint_every > 0 && next % c.checkpoint_every == 0);
    try {
      StepRecord record;
      trainer.step(logs || saves, diagnoses ? &record : nullptr);
      s.diagnosis = diagnoses ? std::optional(diagnose(trainer, record, s.held_out.get())) : std::nullopt;
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& error) {
      if (!c.anomaly) throw;
      throw Diverged(message("[run] iteration {}: {}; last good checkpoint: {}", next, error.what(),
                             s.last_good_checkpoint()));
    }
    if (logs || saves) {
      s.latest = trainer.metrics();
      s.check_finite(s.latest);
    }
    if (logs || saves || !trainer.options().device.is_cuda()) s.check_all_finite();
    if (logs) s.write_metrics(observer);
    observer.progressed(s.latest, next, total);
    if (s.sample_due(next)) {
      s.sample(next, observer);
      if (next < total) s.draw(false, observer);
    }
    const bool stop = next < total && observer.stop();
    if (logs || saves || stop) s.write_timing(observer);  // before a checkpoint: on resume its line is there
    if (saves || stop) {
      if (!saves) {
        s.check_finite(trainer.metrics(), logs);
        s.check_all_finite();
      }
      s.save(observer);
    }
    if (stop) {
      s.draw(true, observer);
      s.log(message("stopped at iteration {}", next), observer);
      return false;
    }
  }
  s.draw(true, observer);
  s.log(message("done: iteration {}", trainer.iteration()), observer);
  return true;
} catch (const Diverged&) {
  state_->draw(true, observer, true);  // the curves say how it came to that
  throw;
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

bool Run::State::sample_due(int64_t iteration) const {
  return iteration == 0 || iteration == config().steps ||
         (config().sample_every > 0 && iteration % config().sample_every == 0);
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
  const std::string line = to_json_line(latest, epoch, has_probabilities(setup.objective), diagnosis);
  curves.log.add(line);
  if (auto problem = directory->append_metrics(line)) warn_once("metrics", *problem, observer);
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
}

void Run::State::sample(int64_t iteration, RunObserver& observer) {
  const std::filesystem::path file = directory->fakes(iteration);
  const GrayImage grid = image_grid(trainer->sample(sample_points.input), sample_points.columns);
  try {
    write_png_gray(file, grid);
  } catch (const Error& error) {
    warn_once("sample", error.what(), observer);
    return;
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
    write_report(directory->path(), curves.log, write_run_plots(directory->path(), curves),
                 diverged ? stored_walks(directory->path()) : draw_walks(*trainer));
  } catch (const Error& error) {
    warn_once("plots", error.what(), observer);
  }
  next_drawing = Clock::now() + 50 * (Clock::now() - began);
}

void Run::State::save(RunObserver& observer) {
  const int64_t iteration = trainer->iteration();
  const std::filesystem::path file = directory->checkpoint(iteration);
  directory->sync_metrics();
  for (int attempt = 1;; ++attempt) {
    try {
      write_checkpoint(file, trainer->state(), checkpoint_config);
      break;
    } catch (const Error& error) {
      if (attempt == kSaveTries) {
        throw Failure(message(
            "[run] checkpoint of iteration {} failed {} times: {}; make room and continue with --resume; "
            "last good checkpoint: {}",
            iteration, attempt, error.what(), last_good_checkpoint()));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }
  directory->keep_checkpoints(config().keep, file);
  log("saved " + file.string(), observer);
  observer.saved(file);
}

// ---- Telling ----------------------------------------------------------------------------------------------

const std::filesystem::path& Run::directory() const { return state_->directory_path; }
const RunConfig& Run::config() const { return state_->config(); }
int64_t Run::total() const { return state_->config().steps; }

Trainer& Run::trainer() {
  state_->make_ready(nullptr);
  return *state_->trainer;
}

std::string Run::banner() const {
  const State& s = *state_;
  const RunConfig& c = s.config();
  const Machine machine = this_machine();
  std::string text = message("duel {}: {} with {}, {} iterations of batch {}, seed {}\n", machine.duel,
                             c.objective, c.networks.arch, c.steps, c.batch, std::to_string(c.seed));
  text += detail::device_named(c.device).is_cuda()
              ? message("device    {}: {}\n", c.device, machine.gpu)
              : message("device    CPU: {}, {}, {} thread{}; GPU {}\n", machine.cpu, machine.isa,
                        machine.threads, machine.threads == 1 ? "" : "s", machine.gpu);
  text +=
      message("data      {} images of {}x{}: {}\n", s.data.count, s.data.height, s.data.width, s.data.source);
  if (c.networks.classes > 0)
    text += message("classes   {}: {}\n", c.networks.classes, class_names_text(class_names_of(c)));
  text += message("networks  G {} and D {} parameters\n", s.setup.networks.generator->parameter_count(),
                  s.setup.networks.discriminator->parameter_count());
  text += message("run       {}\n", s.directory_path.string());
  if (c.resume) {
    text += s.resumed_from ? message("resumed   at iteration {} from {}\n", s.trainer->iteration(),
                                     s.resumed_from->string())
                           : std::string("resumed   from the start: there was no checkpoint yet\n");
  }
  return text;
}

}  // namespace duel::gan
