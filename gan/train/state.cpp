#include "duel/gan/train/state.h"

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"

namespace duel::gan {
namespace {

void check_same_layout(const TensorFile& found, const TensorFile& present) {
  for (const auto& [name, tensor] : present.tensors) {
    const Tensor* other = found.find(name);
    DUEL_CHECK(other, "checkpoint",
               "'{}' is missing: this is not a checkpoint of this objective and architecture", name);
    DUEL_CHECK(other->shape() == tensor.shape() && other->dtype() == tensor.dtype(), "checkpoint",
               "'{}': expected {}, got {}: this checkpoint was made with other sizes", name, to_text(tensor),
               to_text(*other));
  }
  for (const auto& [name, tensor] : found.tensors) {
    DUEL_CHECK(present.find(name), "checkpoint",
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

StatePart state_of(const std::string& name, Generator& generator) {
  return {.read =
              [name, &generator] {
                const Generator::State s = generator.state();
                return nn::StateDict{
                    {name, Tensor::from({static_cast<int64_t>(s.seed), static_cast<int64_t>(s.stream),
                                         static_cast<int64_t>(s.offset)},
                                        {3})}};
              },
          .write =
              [name, &generator](const TensorFile& file) {
                const auto v = file.find(name)->to_vector<int64_t>();
                generator.set_state(
                    {static_cast<uint64_t>(v[0]), static_cast<uint64_t>(v[1]), static_cast<uint64_t>(v[2])});
              }};
}

StatePart state_of(const std::string& name, const Tensor& tensor) {
  return {.read =
              [name, tensor] {
                return nn::StateDict{{name, tensor}};
              },
          .write =
              [name, tensor](const TensorFile& file) {
                const NoGrad no_grad;
                tensor.copy_(*file.find(name));
              }};
}

StatePart state_of(const std::string& prefix, nn::Module& module) {
  return {.read = [prefix, &module] { return with_prefix(prefix, module.state_dict()); },
          .write = [prefix,
                    &module](const TensorFile& file) { module.load_state_dict(strip_prefix(prefix, file)); }};
}

TensorFile read_state(const std::vector<StatePart>& parts) {
  TensorFile file;
  for (const StatePart& part : parts) {
    for (const auto& [name, tensor] : part.read()) file.tensors.emplace_back(name, tensor.to(Device::cpu()));
  }
  return file;
}

void write_state(const std::vector<StatePart>& parts, const TensorFile& state) {
  for (const StatePart& part : parts) part.write(state);
}

nn::StateDict strip_prefix(const std::string& prefix, const TensorFile& file) {
  nn::StateDict out;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix)) out.emplace_back(name.substr(prefix.size()), tensor);
  }
  return out;
}

nn::StateDict with_prefix(const std::string& prefix, const nn::StateDict& entries) {
  nn::StateDict out;
  for (const auto& [name, tensor] : entries) out.emplace_back(prefix + name, tensor);
  return out;
}

TensorFile brought_up(TensorFile file, const TensorFile& present) {
  for (auto& [name, tensor] : file.tensors) {
    if (name.starts_with(kOptimizerG) && name.ends_with(kEmaSlot)) {
      name = kAveragePrefix +
             name.substr(kOptimizerG.size(), name.size() - kOptimizerG.size() - kEmaSlot.size());
    }
  }
  for (const char* name : {"random.layers_d", "random.layers_g"}) {
    if (!file.find(name)) file.tensors.emplace_back(name, *present.find(name));
  }
  return file;
}

void check_state(const TensorFile& found, const TensorFile& present) {
  check_same_layout(found, present);
  check_numbers(found);
  for (const auto& [name, tensor] : found.tensors) {
    DUEL_CHECK(!is_floating(tensor.dtype()) || !first_nonfinite(tensor), "checkpoint",
               "'{}' holds a NaN or an infinity: the run had diverged when this was written", name);
  }
}

}  // namespace duel::gan
