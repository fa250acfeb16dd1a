#include "duel/gan/models/internal/layers.h"
#include "duel/gan/models/network.h"

namespace duel::gan::detail {
namespace {

std::shared_ptr<nn::Sequential> dcgan_generator(const NetworkOptions& o, int64_t input, int64_t g,
                                                Norm norm) {
  return doubling_generator(o, input, 2 * g, norm);
}

}  // namespace

NetworkBuilder dcgan() {
  return built_from({.generator = dcgan_generator, .trunk = halving_trunk, .start = Start::small});
}

}  // namespace duel::gan::detail
