// What a checkpoint holds: Trainer::state() and restore(); what is put back where a call is refused; sampling
// by the moving average; the losses that are remembered.
#include <algorithm>
#include <cmath>
#include <map>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/training/ring.h"
#include "duel/nn/optim/averaged_weights.h"

namespace duel::gan {
namespace {

using Entries = std::vector<std::pair<std::string, Tensor>>;

Entries with_prefix(const std::string& prefix, const Entries& entries) {
  Entries out;
  for (const auto& [name, tensor] : entries) out.emplace_back(prefix + name, tensor);
  return out;
}

Entries strip_prefix(const std::string& prefix, const TensorFile& file) {
  Entries out;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix)) out.emplace_back(name.substr(prefix.size()), tensor);
  }
  return out;
}

// what the average's statistics are gathered on
constexpr int64_t kStatisticsBatches = 8, kStatisticsBatch = 128;

const std::string kAverage = "g_ema.", kOptimizerG = "optimizer_g.", kEmaSlot = ".ema";

/// A file of before version 0.2 in today's form: there the average was optimizer_g.NAME.ema, with no buffers
/// of its own, and layers drew from a generator that was not stored.
TensorFile brought_up(TensorFile file, const TensorFile& expected) {
  for (auto& [name, tensor] : file.tensors) {
    if (name.starts_with(kOptimizerG) && name.ends_with(kEmaSlot)) {
      name = kAverage + name.substr(kOptimizerG.size(), name.size() - kOptimizerG.size() - kEmaSlot.size());
    }
  }
  for (const char* name : {"random.layers_d", "random.layers_g"}) {
    if (!file.find(name)) file.tensors.emplace_back(name, *expected.find(name));
  }
  return file;
}

bool finite(const Tensor& tensor) { return !is_floating(tensor.dtype()) || !first_nonfinite(tensor); }

void append(TensorFile& file, const Entries& entries) {
  file.tensors.insert(file.tensors.end(), entries.begin(), entries.end());
}

Tensor as_tensor(const Generator::State& s) {
  return Tensor::from(
      {static_cast<int64_t>(s.seed), static_cast<int64_t>(s.stream), static_cast<int64_t>(s.offset)}, {3});
}

Generator::State as_generator(const Tensor& t) {
  const auto v = t.to_vector<int64_t>();
  return {static_cast<uint64_t>(v[0]), static_cast<uint64_t>(v[1]), static_cast<uint64_t>(v[2])};
}

/// Everything about the entries that restoring could stumble over, before anything is changed.
void check_same_layout(const TensorFile& found, const TensorFile& expected) {
  for (const auto& [name, tensor] : expected.tensors) {
    const Tensor* other = found.find(name);
    DUEL_CHECK(other, "checkpoint",
               "'{}' is missing: this is not a checkpoint of this objective and architecture", name);
    DUEL_CHECK(other->shape() == tensor.shape() && other->dtype() == tensor.dtype(), "checkpoint",
               "'{}': expected {}, got {}: this checkpoint was made with other sizes", name, to_text(tensor),
               to_text(*other));
  }
  for (const auto& [name, tensor] : found.tensors) {
    DUEL_CHECK(expected.find(name), "checkpoint",
               "'{}' is unexpected: this checkpoint was made with other options", name);
  }
}

/// That the numbers of a state of the right layout can be those of a run: what is counted is not negative,
/// rates are rates.
void check_numbers(const TensorFile& file) {
  constexpr int64_t most = int64_t{1} << 53;
  const auto counted = [&](const char* entry, const char* what, size_t place) {
    const int64_t value = file.find(entry)->to_vector<int64_t>()[place];
    DUEL_CHECK(value >= 0 && value <= most, "checkpoint",
               "'{}': {}: expected an integer from 0 to 2^53, got {}", entry, what, value);
  };
  counted("progress", "iteration", 0);
  counted("progress", "updates of D", 1);
  counted("progress", "position in the data", 2);
  for (const std::string player : {"optimizer_g.", "optimizer_d."}) {
    counted((player + "step").c_str(), "updates", 0);
    const double rate = file.find(player + "lr")->item();
    DUEL_CHECK(rate >= 0 && std::isfinite(rate), "checkpoint",
               "'{}lr': expected a finite number of at least 0, got {}", player, rate);
  }
  if (const Tensor* balance = file.find("balance")) {
    const double k = balance->item();
    DUEL_CHECK(k >= 0 && k <= 1, "checkpoint", "'balance': expected a number from 0 to 1, got {}", k);
  }
}

}  // namespace

std::vector<std::pair<std::string, Generator*>> Trainer::generators() const {
  return {{"random.latent", &latent_random_.noise},
          {"random.labels", &latent_random_.labels},
          {"random.codes", &latent_random_.codes},
          {"random.penalty", &penalty_noise_},
          {"random.instance_noise", &instance_noise_},
          {"random.label_flips", &label_flips_},
          {"random.layers_d", &layers_d_},
          {"random.layers_g", &layers_g_}};
}

TensorFile Trainer::own_state() const {
  TensorFile file;
  append(file, with_prefix("g.", networks_.generator->state_dict()));
  append(file, with_prefix("d.", networks_.discriminator->state_dict()));
  if (optimizer_g_->has_ema()) {
    const auto average = optimizer_g_->ema_state_dict(*networks_.generator);
    const std::map<std::string, Tensor> by_name(average.begin(), average.end());
    for (const auto& [name, parameter] : networks_.generator->named_parameters())
      append(file, {{kAverage + name, by_name.at(name)}});
  }
  for (const auto& [name, tensor] : optimizer_g_->state_dict()) {
    if (!name.ends_with(kEmaSlot)) append(file, {{kOptimizerG + name, tensor}});
  }
  append(file, with_prefix("optimizer_d.", optimizer_d_->state_dict()));
  for (const auto& [name, generator] : generators()) append(file, {{name, as_tensor(generator->state())}});
  append(file, {{"progress", Tensor::from({iteration_, critic_steps_done_, order_.position()}, {3})}});
  if (balance_.defined()) append(file, {{"balance", balance_}});
  for (auto& [name, tensor] : file.tensors) tensor = tensor.to(Device::cpu());
  return file;
}

TensorFile Trainer::state() const {
  TensorFile file = own_state();
  for (const auto& [name, tensor] : average_buffers()) {
    append(file, {{kAverage + name, tensor.to(Device::cpu())}});
  }
  return file;
}

void Trainer::restore(const TensorFile& given) {
  TensorFile expected = own_state();
  const TensorFile file = brought_up(given, expected);
  const nn::StateDict buffers =
      has_average_buffers() ? networks_.generator->named_buffers() : nn::StateDict();
  // Files of before version 0.2 have none of the average's: they are gathered when they are needed.
  const bool stored = std::any_of(buffers.begin(), buffers.end(),
                                  [&](const auto& b) { return file.find(kAverage + b.first); });
  if (stored) append(expected, with_prefix(kAverage, buffers));
  check_same_layout(file, expected);
  check_numbers(file);
  for (const auto& [name, tensor] : file.tensors) {
    DUEL_CHECK(finite(tensor), "checkpoint",
               "'{}' holds a NaN or an infinity: the run had diverged when this was written", name);
  }
  ring_pushed_.copy_(Tensor::zeros({1}, {DType::i64, {}}));
  forget_graphs();  // seeds are part of what was captured
  take_over(file);
  average_buffers_.clear();
  if (!stored) return;
  for (const auto& [name, buffer] : buffers)
    average_buffers_.emplace_back(name, file.find(kAverage + name)->to(options_.device));
  average_buffers_at_ = optimizer_g_->steps();
}

void Trainer::take_over(const TensorFile& file) {
  networks_.generator->load_state_dict(strip_prefix("g.", file));
  networks_.discriminator->load_state_dict(strip_prefix("d.", file));
  nn::StateDict optimizer_g = strip_prefix(kOptimizerG, file);
  for (const auto& [name, parameter] : networks_.generator->named_parameters()) {
    if (const Tensor* average = file.find(kAverage + name))
      optimizer_g.emplace_back(name + kEmaSlot, *average);
  }
  optimizer_g_->load_state_dict(optimizer_g);
  optimizer_d_->load_state_dict(strip_prefix("optimizer_d.", file));
  for (const auto& [name, generator] : generators()) generator->set_state(as_generator(*file.find(name)));
  if (balance_.defined()) {
    NoGrad no_grad;
    balance_.copy_(*file.find("balance"));
  }
  const auto progress = file.find("progress")->to_vector<int64_t>();
  iteration_ = progress[0];
  critic_steps_done_ = progress[1];
  order_.set_position(progress[2]);
  average_buffers_at_ = -1;
}

// Note [A refused call changes nothing] in trainer.h.
void Trainer::attempt(const std::string& kind, const std::function<void()>& work) {
  const bool first = !tried_.contains(kind), on_host = !options_.device.is_cuda();
  std::optional<TensorFile> before;
  if (first) before = own_state();
  std::vector<Generator::State> draws;  // on a GPU their reading would wait
  if (on_host) {
    for (const auto& [name, generator] : generators()) draws.push_back(generator->state());
  }
  const int64_t position = on_host ? order_.position() : 0, iteration = iteration_,
                critic_steps_done = critic_steps_done_;
  const Shown shown = last_;
  const std::vector<Tensor> gradients = last_gradients_;
  try {
    work();
  } catch (...) {
    if (before) {
      take_over(*before);
    } else if (on_host) {
      size_t i = 0;
      for (const auto& [name, generator] : generators()) generator->set_state(draws[i++]);
      order_.set_position(position);
    }
    iteration_ = iteration;
    critic_steps_done_ = critic_steps_done;
    last_ = shown;
    last_gradients_ = gradients;
    throw;
  }
  if (first) tried_.insert(kind);
}

Trainer::QuietDraws::QuietDraws(const Trainer& trainer)
    : trainer_(trainer),
      d_(trainer.layers_d_.state()),
      g_(trainer.layers_g_.state()),
      own_(trainer.options_.seed, static_cast<uint64_t>(RandomStream::quiet)),
      lent_(own_) {}

Trainer::QuietDraws::~QuietDraws() {
  trainer_.layers_d_.set_state(d_);
  trainer_.layers_g_.set_state(g_);
}

bool Trainer::has_average_buffers() const {
  return optimizer_g_->has_ema() && nn::has_statistics(*networks_.generator);
}

const nn::StateDict& Trainer::average_buffers() const {
  if (!has_average_buffers()) return average_buffers_;  // empty
  if (const int64_t now = optimizer_g_->steps(); average_buffers_at_ != now) {
    const QuietDraws quiet(*this);
    LatentGenerators random =
        sampling_generators(options_.seed, static_cast<uint64_t>(RandomStream::average));
    std::vector<Tensor> inputs;
    for (int64_t k = 0; k < kStatisticsBatches; ++k) {
      inputs.push_back(
          draw_latents(networks_.latent, kStatisticsBatch, random, {options_.dtype, options_.device}).input);
    }
    average_buffers_ = nn::averaged_buffers(*networks_.generator, *optimizer_g_, inputs);
    average_buffers_at_ = now;
  }
  return average_buffers_;
}

Tensor Trainer::sample(const Tensor& z) {
  const NoGrad no_grad;
  nn::Module& g = *networks_.generator;
  std::optional<nn::AveragedWeights> average;
  if (optimizer_g_->has_ema()) {
    const nn::StateDict& buffers = average_buffers();
    average.emplace(g, *optimizer_g_, buffers);
  }
  const QuietDraws quiet(*this);
  const nn::EvalMode eval(g);
  return g(z.device() == options_.device ? z : z.to(options_.device));
}

std::optional<std::string> Trainer::first_nonfinite() const {
  const auto bad = [](const std::string& name, const Tensor& tensor) {
    const auto index = duel::first_nonfinite(tensor);
    return index ? message("{} is not finite at flat index {}", name, *index) : std::string();
  };
  for (const auto& [name, buffer] : buffers_) {
    if (const std::string found = bad(name, buffer); !found.empty()) return found;
  }
  const int64_t step_d = optimizer_d_->first_nonfinite_step(), step_g = optimizer_g_->first_nonfinite_step();
  if (step_d == 0 && step_g == 0) return std::nullopt;
  const std::string updates = (step_d ? message(", since update {} of D", step_d) : std::string()) +
                              (step_g ? message(", since update {} of G", step_g) : std::string());
  for (const auto& [name, tensor] : own_state().tensors) {
    if (!is_floating(tensor.dtype())) continue;
    if (const std::string found = bad(name, tensor); !found.empty()) return found + updates;
  }
  return "a gradient is not finite" + updates;
}

std::vector<Losses> Trainer::recent_losses() const {
  const auto values = ring_.to_vector<double>();
  const int64_t pushed = ring_pushed_.to_vector<int64_t>()[0], count = std::min(pushed, kRemembered);
  std::vector<Losses> result;
  for (int64_t i = pushed - count; i < pushed; ++i) {
    const double* row = values.data() + i % kRemembered * kernels::kRingColumns;
    result.push_back({iteration_ - pushed + i + 1, row[0], row[1], row[2]});
  }
  return result;
}

Metrics Trainer::metrics() const {
  const auto value = [](const Tensor& t) { return t.defined() ? t.item() : kNotMeasured; };
  const auto values = [](const NamedTensors& terms) {
    std::vector<std::pair<std::string, double>> out;
    for (const auto& [name, tensor] : terms) out.emplace_back(name, tensor.item());
    return out;
  };
  std::vector<std::pair<std::string, double>> more;
  if (objective_.equilibrium && last_.energy_real.defined()) {
    more.emplace_back("k", value(balance_));
    more.emplace_back("convergence", value(convergence_measure(*objective_.equilibrium, last_.energy_real,
                                                               last_.energy_fake)));
  }
  return {.iteration = iteration_,
          .loss_d = value(last_.loss_d),
          .loss_g = value(last_.loss_g),
          .penalty = last_.penalty.defined() ? last_.penalty.item() : 0.0,
          .d_real = value(last_.d_real),
          .d_fake = value(last_.d_fake),
          .p_real = value(last_.p_real),
          .p_fake = value(last_.p_fake),
          .input_gradient_norm = value(last_.input_gradient_norm),
          .grad_norm_d = value(last_.grad_norm_d),
          .grad_norm_g = value(last_.grad_norm_g),
          .terms_d = values(last_.terms_d),
          .terms_g = values(last_.terms_g),
          .more = std::move(more)};
}

int64_t Trainer::graphs() const {
  return std::count_if(kinds_.begin(), kinds_.end(),
                       [](const auto& kind) { return kind.second.graph != nullptr; });
}

}  // namespace duel::gan
