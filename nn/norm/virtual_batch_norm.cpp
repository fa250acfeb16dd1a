#include "duel/nn/norm/virtual_batch_norm.h"

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/reduction.h"

namespace duel::nn {

VirtualBatchNorm::VirtualBatchNorm(int64_t features, VirtualBatchNormOptions o)
    : num_features(features), options(o) {
  DUEL_CHECK(features >= 1, "VirtualBatchNorm", "expected at least 1 channel, got {}", features);
  DUEL_CHECK(o.eps >= 0, "VirtualBatchNorm", "expected eps >= 0, got {}", o.eps);
  if (!o.affine) return;
  weight = register_parameter("weight", Tensor::ones({features}));
  bias = register_parameter("bias", Tensor::zeros({features}));
}

Tensor VirtualBatchNorm::forward(const Tensor& x) {
  DUEL_CHECK(
      references > 0, "VirtualBatchNorm",
      "no reference batch: expected this layer within a WithReference, which passes one before each batch");
  DUEL_CHECK(x.rank() >= 2 && x.dim(1) == num_features && x.dim(0) >= references, "VirtualBatchNorm",
             "expected an input [{} + N, {}, ...], got {}", references, num_features, x.shape());
  const Tensor flat = x.reshape({x.dim(0), num_features, x.shape().numel_from(2)});
  const Tensor first = rows(flat, 0, references), rest = rows(flat, references, x.dim(0));
  const Tensor m_r = mean(first, {0, 2}, true), v_r = variance(first, {0, 2}, true);
  Tensor y = (first - m_r) / sqrt(v_r + options.eps);
  if (rest.dim(0) > 0) {
    const double a = 1.0 / (static_cast<double>(references) + 1.0);
    const Tensor m_x = mean(rest, {2}, true), v_x = variance(rest, {2}, true);
    const Tensor m = m_x * a + m_r * (1 - a);
    const Tensor v = v_x * a + v_r * (1 - a) + square(m_x - m_r) * (a * (1 - a));
    y = concat({y, (rest - m) / sqrt(v + options.eps)});
  }
  if (options.affine) {
    const Shape columns{num_features, 1};
    y = y * weight.reshape(columns) + bias.reshape(columns);
  }
  return y.reshape(x.shape());
}

std::string VirtualBatchNorm::describe() const {
  return message("VirtualBatchNorm({}, eps={}, affine={})", num_features, detail::number(options.eps),
                 detail::truth(options.affine));
}

WithReference::WithReference(std::shared_ptr<Module> net, Tensor samples)
    : network(register_module("network", std::move(net))),
      reference(register_buffer("reference", std::move(samples))) {
  DUEL_CHECK(network, "WithReference", "expected a network, got a null pointer");
  DUEL_CHECK(reference.defined() && reference.rank() >= 2 && reference.dim(0) >= 1, "WithReference",
             "expected a reference batch [R, ...] of at least one sample, got {}",
             reference.defined() ? to_text(reference) : "nothing");
  DUEL_CHECK(!network->mixes_samples(), "WithReference",
             "expected a network without layers that mix samples, which would mix the reference in: {}",
             network->describe());
  bool found = false;
  for (Module* module : network->modules()) {
    if (auto* layer = dynamic_cast<VirtualBatchNorm*>(module)) {
      layer->references = reference.dim(0);
      found = true;
    }
  }
  DUEL_CHECK(found, "WithReference", "expected a network with a VirtualBatchNorm, got {}",
             network->describe());
}

Tensor WithReference::forward(const Tensor& x) {
  DUEL_CHECK(x.rank() == reference.rank() && x.shape().with(0, 1) == reference.shape().with(0, 1),
             "WithReference", "expected samples like those of the reference, {}, got {}", reference.shape(),
             x.shape());
  const int64_t n = reference.dim(0);
  const Tensor y = (*network)(concat({reference, x}));
  return slice(y, 0, n, y.dim(0));
}

}  // namespace duel::nn
