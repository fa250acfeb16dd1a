// What a checkpoint holds: Trainer::state() and restore(), and sampling by the moving average.
#include <map>

#include "duel/core/autograd.h"
#include "duel/core/ops.h"
#include "duel/gan/trainer.h"

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

void append(TensorFile& file, const Entries& entries) {
  file.tensors.insert(file.tensors.end(), entries.begin(), entries.end());
}

Tensor as_tensor(const Generator::State& s) {
  return Tensor::from({static_cast<int64_t>(s.seed), static_cast<int64_t>(s.stream), static_cast<int64_t>(s.offset)}, {3});
}

Generator::State as_generator(const Tensor& t) {
  const auto v = t.to_vector<int64_t>();
  return {static_cast<uint64_t>(v[0]), static_cast<uint64_t>(v[1]), static_cast<uint64_t>(v[2])};
}

/// Everything about the entries that restoring could stumble over, before anything is changed.
void check_same_layout(const TensorFile& found, const TensorFile& expected) {
  for (const auto& [name, tensor] : expected.tensors) {
    const Tensor* other = found.find(name);
    DUEL_CHECK(other, "checkpoint", "'{}' is missing: this is not a checkpoint of this objective and architecture", name);
    DUEL_CHECK(other->shape() == tensor.shape() && other->dtype() == tensor.dtype(), "checkpoint",
               "'{}': expected {}, got {}: this checkpoint was made with other sizes", name, to_text(tensor), to_text(*other));
  }
  for (const auto& [name, tensor] : found.tensors) {
    DUEL_CHECK(expected.find(name), "checkpoint", "'{}' is unexpected: this checkpoint was made with other options", name);
  }
}

}  // namespace

TensorFile Trainer::state() const {
  TensorFile file;
  append(file, with_prefix("g.", networks_.generator->state_dict()));
  append(file, with_prefix("d.", networks_.discriminator->state_dict()));
  append(file, with_prefix("optimizer_g.", optimizer_g_->state_dict()));
  append(file, with_prefix("optimizer_d.", optimizer_d_->state_dict()));
  append(file, {{"random.latent", as_tensor(latent_random_.noise.state())},
                {"random.labels", as_tensor(latent_random_.labels.state())},
                {"random.codes", as_tensor(latent_random_.codes.state())},
                {"random.penalty", as_tensor(penalty_noise_.state())},
                {"random.instance_noise", as_tensor(instance_noise_.state())},
                {"random.label_flips", as_tensor(label_flips_.state())},
                {"progress", Tensor::from({iteration_, critic_steps_done_, order_.position()}, {3})}});
  if (balance_.defined()) append(file, {{"balance", balance_}});
  for (auto& [name, tensor] : file.tensors) tensor = tensor.device().is_cuda() ? tensor.to(Device::cpu()) : tensor.clone();
  return file;
}

void Trainer::restore(const TensorFile& file) {
  check_same_layout(file, state());
  ring_pushed_.copy_(Tensor::zeros({1}, {DType::i64, {}}));
  forget_graphs();  // seeds are part of what was captured
  networks_.generator->load_state_dict(strip_prefix("g.", file));
  networks_.discriminator->load_state_dict(strip_prefix("d.", file));
  optimizer_g_->load_state_dict(strip_prefix("optimizer_g.", file));
  optimizer_d_->load_state_dict(strip_prefix("optimizer_d.", file));
  latent_random_.noise.set_state(as_generator(*file.find("random.latent")));
  latent_random_.labels.set_state(as_generator(*file.find("random.labels")));
  latent_random_.codes.set_state(as_generator(*file.find("random.codes")));
  penalty_noise_.set_state(as_generator(*file.find("random.penalty")));
  instance_noise_.set_state(as_generator(*file.find("random.instance_noise")));
  label_flips_.set_state(as_generator(*file.find("random.label_flips")));
  if (balance_.defined()) {
    NoGrad no_grad;
    balance_.copy_(*file.find("balance"));
  }
  const auto progress = file.find("progress")->to_vector<int64_t>();
  iteration_ = progress[0];
  critic_steps_done_ = progress[1];
  order_.set_position(progress[2]);
}

Tensor Trainer::sample(const Tensor& z) {
  NoGrad no_grad;
  nn::Module& g = *networks_.generator;
  const bool averaged = optimizer_g_->has_ema();
  const Tensor weights = arena_g_.blocks()[0].flat;
  const Tensor kept = averaged ? weights.clone() : Tensor();
  if (averaged) weights.copy_(optimizer_g_->ema());
  g.eval();
  const Tensor images = g(z.device() == options_.device ? z : z.to(options_.device));
  g.train(true);
  if (averaged) weights.copy_(kept);
  return images;
}

}  // namespace duel::gan
