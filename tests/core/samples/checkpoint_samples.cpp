// Samples of core/engine/checkpoint.h.
#include "duel/core/engine/checkpoint.h"

#include <cmath>

#include "duel/core/ops.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

const RegisterOp checkpoint_registered("checkpoint", [] {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{0, 4}}) {
    samples.push_back(
        {.label = to_text(shape),
         .inputs = {{.shape = shape}, {.shape = shape}},
         .apply =
             [](const Tensors& x) {
               return checkpoint([](const Tensors& in) { return sin(in[0]) * in[1] * in[1]; }, x);
             },
         .reference =
             [](const Arrays& x) {
               return reference::zip(x[0], x[1], [](double a, double b) { return std::sin(a) * b * b; });
             }});
  }
  return samples;
});

}  // namespace
}  // namespace duel
