// The loop of a run. Before it: run_start.cpp; what it writes: run_output.cpp; the parts it is made of:
// internal/run_setup.cpp.
#include "duel/gan/run/run.h"

#include <optional>

#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/run/internal/run_state.h"

namespace duel::gan {

Run::~Run() = default;

// ---- Training ---------------------------------------------------------------------------------------------

bool Run::train(RunObserver& observer) try {
  State& s = *state_;
  s.prepare(observer);
  const std::string text = banner();
  observer.started(text);
  s.log(text, observer);
  Trainer& trainer = *s.trainer;
  const RunConfig& c = s.config();
  if (c.tensorboard) s.events.emplace(s.directory->path(), trainer.iteration());
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
    const bool evaluates = s.evaluation_due(next);
    const bool logs = diagnoses || evaluates || next == 1 || next % c.log_every == 0;
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
    s.quality.reset();
    if (evaluates) s.judge_samples(observer);
    if (logs) s.write_metrics(observer);
    if (evaluates) {
      s.write_quality(observer);
      s.keep_best(observer);
      s.collapse = s.watch->collapsed(s.curves.log);
    }
    observer.progressed(s.latest, next, total);
    if (s.sample_due(next)) {
      s.sample(next, observer);
      if (next < total) s.draw(false, observer);
    }
    const bool stop = next < total && (s.collapse || observer.stop());
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
      s.log(message("stopped at iteration {}{}", next, s.collapse ? ": " + *s.collapse : ""), observer);
      return s.collapse.has_value();
    }
  }
  s.draw(true, observer);
  s.log(message("done: iteration {}", trainer.iteration()), observer);
  return true;
} catch (const Diverged&) {
  state_->draw(true, observer, true);  // the curves say how it came to that
  throw;
}

// ---- Telling ----------------------------------------------------------------------------------------------

const std::filesystem::path& Run::directory() const { return state_->directory_path; }
const RunConfig& Run::config() const { return state_->config(); }
int64_t Run::total() const { return state_->config().steps; }

const std::optional<std::string>& Run::collapse() const { return state_->collapse; }

Trainer& Run::trainer() {
  state_->make_ready(nullptr);
  return *state_->trainer;
}

std::string Run::banner() const {
  const State& s = *state_;
  const RunConfig& c = s.config();
  const Machine machine = this_machine();
  std::string text =
      message("duel {}: {} with {}, {} iterations of batch {}, seed {}\n", machine.duel,
              s.setup.objective.name, c.networks.arch, c.steps, c.batch, std::to_string(c.seed));
  text += detail::device_named(c.device).is_cuda()
              ? message("device    {}: {}\n", c.device, machine.gpu)
              : message("device    CPU: {}, {}, {} thread{}; GPU {}\n", machine.cpu, machine.isa,
                        machine.threads, machine.threads == 1 ? "" : "s", machine.gpu);
  if (s.setup.objective.name != c.objective) text += message("formula   {}\n", s.setup.objective.formula);
  text += message("data      {} images of {}x{}{}: {}\n", s.data.count, s.data.height, s.data.width,
                  s.data.channels == 1 ? "" : message("x{}", s.data.channels), s.data.source);
  if (c.networks.classes > 0)
    text += message("classes   {}: {}\n", c.networks.classes, classes_text(class_names_of(c), c.class_words));
  text += message("networks  G {} and D {} parameters\n", s.setup.networks.generator->parameter_count(),
                  s.setup.networks.discriminator->parameter_count());
  text += message("run       {}\n", s.directory_path.string());
  if (!s.init_of.empty()) text += message("init      {} of {}\n", s.init_of, s.config().init);
  if (s.fork) {
    text += message("fork      of iteration {} of {} (crc32 {})\n", s.fork->iteration, s.fork->checkpoint,
                    s.fork->crc32);
    for (const std::string& setting : s.fork->changed) text += "changed   " + setting + "\n";
  }
  if (c.resume) {
    text += s.resumed_from ? message("resumed   at iteration {} from {}\n", s.trainer->iteration(),
                                     s.resumed_from->string())
                           : std::string("resumed   from the start: there was no checkpoint yet\n");
  }
  return text;
}

}  // namespace duel::gan
