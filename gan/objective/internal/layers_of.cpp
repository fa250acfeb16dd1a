#include "duel/gan/objective/internal/layers_of.h"

#include "duel/nn/module/sequential.h"
#include "duel/nn/norm/batch_norm.h"
#include "duel/nn/norm/spectral_norm.h"

namespace duel::gan::detail {
namespace {

template <class Layer>
bool is_a(const nn::Module& module) {
  return dynamic_cast<const Layer*>(&module) != nullptr;
}

}  // namespace

const nn::Module* first_module(const nn::Module& module, bool (*is)(const nn::Module&)) {
  for (const auto& child : module.children()) {
    if (const nn::Module* found = first_module(*child, is)) return found;
  }
  return is(module) ? &module : nullptr;
}

const nn::Module* unnormalised(const nn::Module& critic) {
  return first_module(critic, is_a<nn::WeightLayer>);
}
bool has_spectral_norm(const nn::Module& critic) {
  return first_module(critic, is_a<nn::SpectralNorm>) != nullptr;
}
bool has_batch_norm(const nn::Module& critic) { return first_module(critic, is_a<nn::BatchNorm>) != nullptr; }

bool has_flat_batch_norm(const nn::Module& network) {
  return first_module(network, [](const nn::Module& m) {
           return is_a<nn::BatchNorm1d>(m) && m.mixes_samples();
         }) != nullptr;
}

const nn::Module* running_statistics(const nn::Module& critic) {
  return first_module(critic, [](const nn::Module& m) {
    size_t inner = 0;
    for (const auto& child : m.children()) inner += child->named_buffers().size();
    return m.named_buffers().size() > inner && m.mixes_samples();
  });
}

}  // namespace duel::gan::detail
