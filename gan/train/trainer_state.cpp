// What a checkpoint holds: Trainer::state() and restore(); what is put back where a call is refused; sampling
// by the moving average; the losses that are remembered.
#include <algorithm>
#include <iterator>
#include <map>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/training/ring.h"
#include "duel/nn/optim/averaged_weights.h"

namespace duel::gan {
namespace {

// what the average's statistics are gathered on
constexpr int64_t kStatisticsBatches = 8, kStatisticsBatch = 128;

const std::string kAverage = kAveragePrefix, kOptimizerD = "optimizer_d.";

void append(std::vector<StatePart>& parts, std::vector<StatePart> more) {
  std::move(more.begin(), more.end(), std::back_inserter(parts));
}

}  // namespace

StatePart Trainer::optimizers() const {
  return {.read =
              [this] {
                nn::StateDict entries;
                if (optimizer_g_->has_ema()) {
                  const auto average = optimizer_g_->ema_state_dict(*networks_.generator);
                  const std::map<std::string, Tensor> by_name(average.begin(), average.end());
                  for (const auto& [name, parameter] : networks_.generator->named_parameters())
                    entries.emplace_back(kAverage + name, by_name.at(name));
                }
                for (const auto& [name, tensor] : optimizer_g_->state_dict()) {
                  if (!name.ends_with(kEmaSlot)) entries.emplace_back(kOptimizerG + name, tensor);
                }
                for (const auto& entry : with_prefix(kOptimizerD, optimizer_d_->state_dict()))
                  entries.push_back(entry);
                return entries;
              },
          .write =
              [this](const TensorFile& file) {
                nn::StateDict of_g = strip_prefix(kOptimizerG, file);
                for (const auto& [name, parameter] : networks_.generator->named_parameters()) {
                  if (const Tensor* average = file.find(kAverage + name))
                    of_g.emplace_back(name + kEmaSlot, *average);
                }
                optimizer_g_->load_state_dict(of_g);
                optimizer_d_->load_state_dict(strip_prefix(kOptimizerD, file));
                average_buffers_at_ = -1;
              }};
}

std::vector<StatePart> Trainer::moving_parts() const {
  std::vector<StatePart> parts = {state_of("random.latent", latent_random_.noise),
                                  state_of("random.labels", latent_random_.labels),
                                  state_of("random.codes", latent_random_.codes)};
  if (objective_.adaptation.pseudo) {
    append(parts, {state_of("random.pseudo_noise", pseudo_random_.noise),
                   state_of("random.pseudo_labels", pseudo_random_.labels),
                   state_of("random.pseudo_codes", pseudo_random_.codes)});
  }
  append(parts, judging_.state());
  parts.push_back(state_of("random.layers_g", layers_g_));
  parts.push_back(
      {.read =
           [this] {
             return nn::StateDict{
                 {"progress", Tensor::from({iteration_, critic_steps_done_, order_.position()}, {3})}};
           },
       .write =
           [this](const TensorFile& file) {
             const auto progress = file.find("progress")->to_vector<int64_t>();
             iteration_ = progress[0];
             critic_steps_done_ = progress[1];
             order_.set_position(progress[2]);
           }});
  if (balance_.defined()) parts.push_back(state_of("balance", balance_));
  for (const auto& [prefix, terms] :
       {std::pair("terms_d.", &objective_.d_terms), std::pair("terms_g.", &objective_.g_terms)}) {
    for (const Term& term : *terms) {
      for (size_t i = 0; i < term.memory.size(); ++i)
        parts.push_back(state_of(message("{}{}.{}", prefix, term.name, i), term.memory[i]));
    }
  }
  return parts;
}

std::vector<StatePart> Trainer::parts() const {
  std::vector<StatePart> parts = {state_of("g.", *networks_.generator),
                                  state_of("d.", *networks_.discriminator), optimizers()};
  for (const auto& [prefix, lookahead] :
       {std::pair("lookahead_g.", lookahead_g_.get()), std::pair("lookahead_d.", lookahead_d_.get())}) {
    if (!lookahead) continue;
    parts.push_back(
        {.read = [prefix = prefix,
                  lookahead = lookahead] { return with_prefix(prefix, lookahead->state_dict()); },
         .write = [prefix = prefix, lookahead = lookahead](
                      const TensorFile& file) { lookahead->load_state_dict(strip_prefix(prefix, file)); }});
  }
  append(parts, moving_parts());
  return parts;
}

TensorFile Trainer::state() const {
  TensorFile file = read_state(parts());
  // Buffers that are no statistics (StyleGAN2's noise) are the network's: the average is a whole one for who loads it elsewhere.
  const nn::StateDict buffers = has_average_buffers()     ? average_buffers()
                                : optimizer_g_->has_ema() ? networks_.generator->named_buffers()
                                                          : nn::StateDict();
  for (const auto& [name, tensor] : buffers)
    file.tensors.emplace_back(kAverage + name, tensor.to(Device::cpu()));
  return file;
}

void Trainer::restore(const TensorFile& given) {
  TensorFile present = read_state(parts());
  const TensorFile file = brought_up(given, present);
  const nn::StateDict buffers =
      optimizer_g_->has_ema() ? networks_.generator->named_buffers() : nn::StateDict();
  // Files of before version 0.2 have none of the average's: they are gathered when they are needed.
  const bool stored = std::any_of(buffers.begin(), buffers.end(),
                                  [&](const auto& b) { return file.find(kAverage + b.first); });
  if (stored) {
    for (const auto& entry : with_prefix(kAverage, buffers)) present.tensors.push_back(entry);
  }
  check_state(file, present);
  ring_pushed_.copy_(Tensor::zeros({1}, {DType::i64, {}}));
  forget_graphs();  // seeds are part of what was captured
  write_state(parts(), file);
  average_buffers_.clear();
  if (!stored || !has_average_buffers()) return;
  for (const auto& [name, buffer] : buffers)
    average_buffers_.emplace_back(name, file.find(kAverage + name)->to(options_.device));
  average_buffers_at_ = optimizer_g_->steps();
}

// Note [A refused call changes nothing] in trainer.h.
void Trainer::attempt(const std::string& kind, const std::function<void()>& work) {
  const bool first = !tried_.contains(kind);
  std::vector<StatePart> kept;
  if (first) kept = parts();
  // on a GPU their reading would wait
  else if (!options_.device.is_cuda())
    kept = moving_parts();
  const TensorFile before = read_state(kept);
  try {
    work();
  } catch (...) {
    write_state(kept, before);
    throw;
  }
  if (first) tried_.insert(kind);
}

Trainer::QuietDraws::QuietDraws(const Trainer& trainer)
    : trainer_(trainer),
      d_(trainer.judging_.layers().state()),
      g_(trainer.layers_g_.state()),
      own_(stream(trainer.options_.seed, RandomStream::quiet)),
      lent_(own_) {}

Trainer::QuietDraws::~QuietDraws() {
  trainer_.judging_.layers().set_state(d_);
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
  for (const auto& [name, tensor] : read_state(parts()).tensors) {
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
  if (const Tensor p = judging_.probability(); p.defined()) more.emplace_back(kAdaptingProbability, p.item());
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

}  // namespace duel::gan
