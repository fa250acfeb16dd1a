#include "duel/nn/module/sequential.h"

namespace duel::nn {

Tensor Sequential::forward(const Tensor& x) { return run_in_turn(named_children(), x); }

}  // namespace duel::nn
