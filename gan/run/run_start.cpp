// What a run does before its first iteration: its trainer, its folder, and going on where it was stopped.
#include <zlib.h>

#include <algorithm>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/core/ops.h"
#include "duel/gan/run/internal/rehearsal.h"
#include "duel/gan/run/internal/run_state.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/kernels/base/parallel.h"

namespace duel::gan {
namespace {

constexpr int64_t kGridColumns = 8;
constexpr const char* kRuns = "runs";
constexpr int64_t kSlowToDraw = 5000;  // digits: half a second

uint32_t checksum(const void* bytes, size_t count, uLong sum = crc32(0, nullptr, 0)) {
  const auto* data = static_cast<const Bytef*>(bytes);
  for (size_t begin = 0; begin < count; begin += size_t{1} << 30)
    sum = crc32(sum, data + begin, static_cast<uInt>(std::min(count - begin, size_t{1} << 30)));
  return static_cast<uint32_t>(sum);
}

/// Of samples that lie on a device already, as a batch gives them.
uint32_t checksum(const ResidentData& data) {
  constexpr int64_t kPiece = 4096;
  uint32_t sum = 0;
  const Tensor all = data.first(data.count());
  for (int64_t begin = 0; begin < data.count(); begin += kPiece) {
    const int64_t end = std::min(begin + kPiece, data.count());
    const auto values = data.batch(rows(all, begin, end), DType::f32).to_vector<float>();
    sum = checksum(values.data(), values.size() * sizeof(float), sum);
  }
  return sum;
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
void check_data_given(const RunConfig& config, const RunParts& parts) {
  const std::string digits = data_name(config.data).digits;
  if (parts.data.index() != 0 || digits == "synthetic" || digits == "auto" || digits == detail::kOwnData)
    return;
  std::error_code ignored;
  DUEL_CHECK(std::filesystem::path(digits).is_absolute() || std::filesystem::exists(digits, ignored), "run",
             "data: {}: no such folder in {}, and the run does not say where it was started: "
             "give its data with --data",
             digits, std::filesystem::current_path(ignored).string());
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

}  // namespace

Run::Run(RunConfig config, RunObserver* observer) : Run(std::move(config), RunParts(), observer) {}

Run::Run(RunConfig config, RunParts parts, RunObserver* observer) : state_(std::make_unique<State>()) {
  State& s = *state_;
  DUEL_CHECK(!config.resume || !config.out.empty(), "config",
             "resume: expected the run directory to continue; say --out RUNDIR");
  DUEL_CHECK(!config.resume || config.fork.empty(), "config",
             "fork: a run is forked once; leave it out to continue {} with --resume", config.out.string());
  DUEL_CHECK(
      config.init.empty() || config.fork.empty(), "config",
      "init and fork: expected one of them: --fork {} starts from all of a run's state, --init from weights alone",
      config.fork);
  if (!config.init.empty()) {  // the run may be resumed from another folder
    std::error_code ignored;
    config.init = std::filesystem::absolute(config.init, ignored).lexically_normal().string();
  }
  check_values(config);
  if (config.threads > 0) kernels::set_threads(config.threads);
  detail::take_objective(config, parts);
  if (config.resume) {
    s.directory.emplace(RunDirectory::reopen(config.out));
    // Before the stored settings are read as those of another objective, which has no place for some of them.
    const RunConfig stored = read_run_config(s.directory->config());
    detail::check_registered(stored, "run", s.directory->config().string(), parts.networks.has_value());
    check_same_run(stored, config, "objective");
  }
  if (config.resume) check_data_given(config, parts);
  if (!config.resume && !config.out.empty()) RunDirectory::check_fresh(config.out);
  std::optional<detail::ForkSource> source;
  if (!config.fork.empty()) {
    source = detail::read_fork(config.fork);
    detail::check_registered(source->config, "run", source->file.string(), parts.networks.has_value());
  }
  s.setup = detail::set_up(std::move(config), std::move(parts));
  if (!s.config().init.empty() && !(s.config().resume && latest_checkpoint(s.directory->path()))) {
    s.init.emplace(s.config().init);
    s.init_of =
        s.init->load_into(s.setup.networks);  // what does not fit is told at once; make_ready() does it again
  }
  detail::check_quality_settings(s.setup);
  s.data = {s.setup.images.source, s.setup.images.count,    s.setup.images.height,
            s.setup.images.width,  s.setup.images.channels, 0};

  // What a checkpoint says must not depend on where and on how many threads it was made.
  RunConfig portable = s.config();
  portable.threads = 0;
  portable.device = "cpu";
  portable.tensorboard = false;
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
  if (source) {
    s.start_from(*source, observer);
  } else if (!s.trainer) {  // a resumed run has done this iteration before
    detail::rehearse(s.setup);
  }
}

void Run::State::make_ready(RunObserver* observer) {
  if (trainer) return;
  if (const int64_t drawn = (setup.stacked ? setup.digits : setup.images).count;
      setup.drawn && observer && drawn > kSlowToDraw)
    observer->working(message("drawing {} digits", drawn));
  detail::draw_data(setup);
  if (init) init_of = init->load_into(setup.networks);
  init.reset();
  const Device device = detail::device_named(config().device);
  std::shared_ptr<const ResidentData> resident = setup.resident;
  if (resident) {
    data.crc32 = checksum(*resident);
  } else {
    data.crc32 = checksum(setup.images.images.data(), setup.images.images.size());
    resident = std::make_shared<ResidentData>(setup.images, device);
    setup.images.images = {};
    setup.images.labels = {};
  }
  trainer = std::make_unique<Trainer>(setup.networks, setup.objective, std::move(resident),
                                      TrainerOptions{.batch = config().batch,
                                                     .seed = config().seed,
                                                     .device = device,
                                                     // which looks at every op's result
                                                     .graphs = !config().anomaly});
  if (config().diagnose_every > 0) held_out = detail::held_out_data(setup, kHeldOutCompared, device);
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
  std::optional<DataRecord> then;
  if (std::filesystem::is_regular_file(record_file)) {
    RunRecord record = run_record_from_json(read_record(record_file), record_file.string());
    then = std::move(record.data);
    fork = std::move(record.fork);
  }
  DUEL_CHECK(
      checkpoint || !fork, "run",
      "{}: this fork of iteration {} has no checkpoint of its own: it cannot be continued; fork {} again "
      "into another --out",
      directory->path().string(), fork->iteration, fork->checkpoint);
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
    record.fork = fork;
  }
  if (config().resume) {
    record.resumed.push_back(message("{} at iteration {}", local_time(), trainer->iteration()));
    record.resumed_argv.push_back(config().argv);
  }
  record.seed = config().seed;
  record.objective = setup.objective.name;
  record.formula = setup.objective.formula;
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
      const Picture reals =
          image_grid(trainer->data()->batch(trainer->data()->first(shown), DType::f32), kGridColumns);
      write_png(directory->reals(), reals);
      write_file_atomically(directory->config(),
                            to_json(config()));  // last: its presence says that the folder is a run
      if (fork) {                                // whatever becomes of the run that it is from
        directory->made(directory->checkpoint(trainer->iteration()));
        write_checkpoint(directory->checkpoint(trainer->iteration()), trainer->state(), checkpoint_config);
      }
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

}  // namespace duel::gan
