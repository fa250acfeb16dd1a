// SAGAN in dcgan's size: self-attention at half an image's sides in both networks, all of their layers under spectral norm.
#include "duel/gan/models/internal/layers.h"
#include "duel/gan/models/network.h"

namespace duel::gan::detail {
namespace {

std::shared_ptr<nn::Sequential> sagan_generator(const NetworkOptions& o, int64_t input, int64_t g,
                                                Norm norm) {
  return doubling_generator(o, input, g, norm, {.attention = true});
}

Trunk sagan_trunk(const NetworkOptions& o, int64_t labels) {
  return halving_trunk_with(o, labels, {.slope = 0.1, .attention = true});  // the slope of the paper's code
}

}  // namespace

NetworkBuilder sagan() {
  return built_from({.generator = sagan_generator, .trunk = sagan_trunk, .start = Start::xavier});
}

}  // namespace duel::gan::detail
