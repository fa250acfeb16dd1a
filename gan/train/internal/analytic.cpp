#include "duel/gan/train/internal/analytic.h"

#include <typeinfo>

#include "duel/core/ops.h"
#include "duel/core/ops/linear/internal/layer_maps.h"
#include "duel/core/tensor/internal/node.h"
#include "duel/core/tensor/internal/unit.h"
#include "duel/gan/objective/critic.h"
#include "duel/kernels/linear/conv.h"
#include "duel/nn/layers/conv2d.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/module/activation_trace.h"

namespace duel::gan {
namespace {

thread_local bool analytic = true;

using duel::detail::Slope;

/// A layer with weights and the activation behind it.
struct Layer {
  Tensor weight, bias;
  std::optional<ConvOptions> conv;  // else linear
  Activation then;

  Tensor forward(const Tensor& x) const {
    return conv ? conv2d(x, weight, bias, *conv, then) : linear(x, weight, bias, then);
  }
  Tensor pullback(const Tensor& dy, const Shape& in, const Slope* slope) const {
    return conv ? duel::detail::conv2d_pullback(dy, weight, in[2], in[3], *conv, slope)
                : duel::detail::linear_pullback(dy, weight, slope);
  }
  Tensor pushforward(const Tensor& t, const Slope* slope) const {
    return conv ? duel::detail::conv2d_pushforward(t, weight, *conv, slope)
                : duel::detail::linear_pushforward(t, weight, slope);
  }
  Size2d kernel() const { return {weight.dim(2), weight.dim(3)}; }
  duel::detail::WeightAndBias gradients(const Tensor& x, const Tensor& dy, bool w, bool b) const {
    return conv ? duel::detail::conv2d_gradients(x, dy, kernel(), *conv, w, b)
                : duel::detail::linear_gradients(x, dy, w, b);
  }
  void add_weight_gradient(const Tensor& x, const Tensor& dy, Tensor& dw) const {
    if (conv) return add_in_place(dw, conv2d_weight_grad(x, dy, kernel(), *conv));
    duel::detail::add_linear_weight_gradient(x, dy, dw);
  }
};

/// f of which f' may be read off f's values.
bool told_by_values(const Activation& f) {
  return f.kind == Activation::Kind::relu || (f.kind == Activation::Kind::leaky_relu && f.slope > 0);
}

/// The shape of what comes out; empty where the layer does not take `in`.
std::optional<Shape> shape_behind(const Layer& layer, const Shape& in) {
  if (!layer.conv)
    return in.rank() == 2 && in[1] == layer.weight.dim(1) ? std::optional(Shape{in[0], layer.weight.dim(0)})
                                                          : std::nullopt;
  const ConvOptions& o = *layer.conv;
  if (in.rank() != 4 || in[1] != layer.weight.dim(1) * o.groups) return {};
  const int64_t h = kernels::conv_out_size(in[2], layer.weight.dim(2), o.stride.h, o.padding.h, o.dilation.h),
                w = kernels::conv_out_size(in[3], layer.weight.dim(3), o.stride.w, o.padding.w, o.dilation.w);
  return h > 0 && w > 0 ? std::optional(Shape{in[0], layer.weight.dim(0), h, w}) : std::nullopt;
}

/// The layers of a SequentialCritic of Linear and Conv2d with such activations and reshapes that gives [N, 1] for samples
/// like these; empty where there is anything else, or somebody looks on.
std::vector<Layer> layers_of(nn::Module& discriminator, const Tensor& samples) {
  if (typeid(discriminator) != typeid(SequentialCritic) || discriminator.hooked() || nn::detail::tracing())
    return {};
  std::vector<Layer> layers;
  Tensor y = Tensor::empty(samples.shape().with(0, 0), samples.options());  // for its shape
  for (const auto& [name, child] : discriminator.named_children()) {
    nn::Module& module = *child;
    if (module.hooked()) return {};
    if (module.only_reshapes()) {
      y = module(y);
      continue;
    }
    if (const Activation f = module.activation()) {
      if (layers.empty() || layers.back().then || !told_by_values(f)) return {};
      layers.back().then = f;
      continue;
    }
    if (typeid(module) == typeid(nn::Linear)) {
      const auto& layer = static_cast<const nn::Linear&>(module);
      layers.push_back({.weight = layer.weight, .bias = layer.bias, .conv = {}, .then = {}});
    } else if (typeid(module) == typeid(nn::Conv2d)) {
      const auto& layer = static_cast<const nn::Conv2d&>(module);
      layers.push_back({.weight = layer.weight, .bias = layer.bias, .conv = layer.op_options(), .then = {}});
    } else {
      return {};
    }
    const std::optional<Shape> out = shape_behind(layers.back(), y.shape());
    if (!out) return {};
    y = Tensor::empty(*out, samples.options());
  }
  const bool scores =
      !layers.empty() && !layers.back().conv && !layers.back().then && y.shape() == Shape{0, 1};
  return scores ? layers : std::vector<Layer>();
}

/// Per layer what came in and how its result looks; the logits.
struct Forward {
  std::vector<Tensor> in;
  std::vector<Shape> out;
  Tensor logits;
};
Forward forward(nn::Module& discriminator, const std::vector<Layer>& layers, const Tensor& x) {
  Forward pass;
  Tensor y = x;
  size_t next = 0;
  for (const auto& [name, child] : discriminator.named_children()) {
    if (child->only_reshapes()) {
      y = (*child)(y);
    } else if (!child->activation()) {
      pass.in.push_back(y);
      y = layers[next++].forward(y);
      pass.out.push_back(y.shape());
    }
  }
  pass.logits = y;
  return pass;
}

/// What the rule needs beside in and delta of all rows and the points' tangents.
struct Kept {
  std::vector<Layer> layers;
  int64_t judged = 0;  // rows that the loss sees
  int64_t begin = 0;   // of the points' rows, which follow those or are among them
  // Whether delta is of each row's logit; then what the logits get from the loss is saved last.
  bool seeds_are_units = false;
};

/// dW = sum over rows of delta (s a + t)^T, db = sum of s delta, where the points are among the judged rows. A convolution's
/// products cost more than passes over its operands, and it takes one; a dense layer takes two, of s delta and a, which
/// gives db as well, and of delta and t.
duel::detail::WeightAndBias shared_gradients(const Layer& layer, const Tensor& in, const Tensor& delta,
                                             const Tensor& tangent, const Tensor& seeds, int64_t begin,
                                             bool weight, bool bias) {
  if (!layer.conv) {
    auto [dw, db] = layer.gradients(in, mul(delta, seeds), weight, bias);
    if (weight) layer.add_weight_gradient(tangent, rows(delta, begin, begin + tangent.dim(0)), dw);
    return {dw, db};
  }
  duel::detail::WeightAndBias all;
  if (weight) {
    const Tensor operand = mul(in, per_row(seeds, in));
    Tensor of_points = rows(operand, begin, begin + tangent.dim(0));
    add_in_place(of_points, tangent);
    all.weight = layer.gradients(operand, delta, true, false).weight;
  }
  if (bias) all.bias = sum(mul(delta, per_row(seeds, delta)), {0, 2, 3});
  return all;
}

/// The gradients of the layers' weights and biases, for a gradient 1 of the loss.
std::vector<Tensor> weight_gradients(const Kept& kept, const RuleContext& ctx) {
  std::vector<Tensor> grads(2 * kept.layers.size() + 1);  // the last one is of the samples, which have none
  for (size_t l = 0; l < kept.layers.size(); ++l) {
    const Layer& layer = kept.layers[l];
    const int w = static_cast<int>(2 * l), b = w + 1, at = static_cast<int>(3 * l);
    if (!ctx.needs(w) && !ctx.needs(b)) continue;
    const Tensor in = ctx.saved(at), delta = ctx.saved(at + 1), tangent = ctx.saved(at + 2);
    const int64_t n = kept.judged;
    if (kept.seeds_are_units) {
      const Tensor seeds = ctx.saved(static_cast<int>(3 * kept.layers.size()));
      const auto both =
          shared_gradients(layer, in, delta, tangent, seeds, kept.begin, ctx.needs(w), ctx.needs(b));
      grads[static_cast<size_t>(w)] = both.weight, grads[static_cast<size_t>(b)] = both.bias;
      continue;
    }
    auto [dw, db] = layer.gradients(rows(in, 0, n), rows(delta, 0, n), ctx.needs(w), ctx.needs(b));
    if (ctx.needs(w)) layer.add_weight_gradient(tangent, rows(delta, n, delta.dim(0)), dw);
    grads[static_cast<size_t>(w)] = dw, grads[static_cast<size_t>(b)] = db;
  }
  return grads;
}

}  // namespace

void set_analytic_critic(bool on) { analytic = on; }

std::optional<LossOfD> analytic_loss_of_d(const Objective& objective, Judging& judging, Round& round) {
  if (!analytic || !grad_enabled() || objective.penalties.size() != 1 || !objective.d_terms.empty() ||
      objective.equilibrium || judging.label_flip() > 0 ||
      !joined_in_one_launch(objective.loss, objective.relativism) ||
      !reads_norms_alone(objective.penalties.front().shape))
    return {};
  nn::Module& discriminator = judging.discriminator();
  const std::vector<Layer> layers = layers_of(discriminator, judging.packed(round.real.samples));
  if (layers.empty()) return {};
  const Penalty& due = objective.penalties.front();
  const auto* of_side = due.sampling.points.target<SamplePoints>();
  const Tensor joined = of_side ? judging.joined_sides(round) : judging.joined_with_points(round, true);
  if (!joined.defined()) return {};

  const int64_t packing = objective.schedule.packing, split = round.real.samples.dim(0) / packing,
                judged = split + round.fake.samples.dim(0) / packing;
  const size_t count = layers.size();
  LossOfD result;
  Tensor loss;
  std::vector<Tensor> saved(3 * count);
  Kept kept;
  {
    NoGrad no_grad;
    const Forward pass = forward(discriminator, layers, judging.packed(joined));
    const int64_t all = pass.logits.dim(0);
    int64_t begin = judged, end = all;  // the points' rows
    if (of_side) {
      const bool real = of_side->side == LabelsOf::real;
      begin = real ? 0 : split, end = real ? split : judged;
    }
    kept = {layers, judged, begin, of_side != nullptr};
    // The loss, and what each logit gets from it.
    const Tensor logits = rows(pass.logits, 0, judged).detach().set_requires_grad(true);
    Tensor from_loss;
    {
      const EnableGrad recording;
      loss = joined_discriminator_loss(objective.loss, objective.relativism, logits, split);
      from_loss = grad({loss}, {logits})[0];
    }
    std::vector<Tensor> delta(count), tangent(count);
    const Tensor units = duel::detail::unit(Shape{of_side ? all : all - judged, 1}, pass.logits.options());
    delta[count - 1] = of_side ? units : concat({from_loss, units});
    for (size_t l = count - 1; l > 0; --l) {
      const Slope slope{layers[l - 1].then, pass.in[l]};
      delta[l - 1] = layers[l]
                         .pullback(delta[l], pass.in[l].shape(), slope.f ? &slope : nullptr)
                         .reshape(pass.out[l - 1]);
    }
    const Tensor points = rows(delta[0], begin, end);
    const Tensor g = layers[0].pullback(points, pass.in[0].shape(), nullptr);
    const PenaltyStep penalty = penalty_step(g, due.shape, judging.weight_of(due), loss.detach());
    tangent[0] = penalty.gradient;
    for (size_t l = 0; l + 1 < count; ++l) {
      const Tensor value = rows(pass.in[l + 1], begin, end);
      const Slope slope{layers[l].then, value};
      tangent[l + 1] = layers[l].pushforward(tangent[l], slope.f ? &slope : nullptr).reshape(value.shape());
    }
    for (size_t l = 0; l < count; ++l) {
      saved[3 * l] = pass.in[l], saved[3 * l + 1] = delta[l], saved[3 * l + 2] = tangent[l];
    }
    if (of_side) saved.push_back(from_loss);
    result.real_logits = rows(pass.logits, 0, split);
    result.fake_logits = rows(pass.logits, split, judged);
    result.penalty = penalty.result.value;
    result.input_gradient_norm = penalty.result.mean_norm;
    loss = penalty.total;
  }
  std::vector<Tensor> parameters;
  for (const Layer& layer : layers) {
    parameters.push_back(layer.weight);
    parameters.push_back(layer.bias);
  }
  parameters.push_back(joined);  // for AnomalyMode: what came in
  result.value =
      record("critic_pass", loss, parameters, saved, [kept](const RuleContext& ctx, const Tensor& seed) {
        DUEL_CHECK(!grad_enabled(), "critic_pass",
                   "expected a gradient of first order: set_analytic_critic(false) for others");
        std::vector<Tensor> grads = weight_gradients(kept, ctx);
        if (duel::detail::is_unit(seed)) return grads;
        for (Tensor& each : grads) {
          if (each.defined()) each = mul(each, seed);
        }
        return grads;
      });
  if (result.value.impl()->node) result.value.impl()->node->pairs_from = 0;
  return result;
}

}  // namespace duel::gan
