#include "duel/gan/objective/penalty.h"

#include "duel/core/device/workspace.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/core/tensor/internal/unit.h"
#include "duel/kernels/training/batch.h"

namespace duel::gan {

namespace {
/// A shape that is known from gradient to penalty as one op: PenaltyShape::apply's target.
struct Centered {
  kernels::NormTarget target;
  Tensor operator()(const Tensor& n) const {
    const Tensor excess = add_scalar(n, -target.k);
    return square(target.one_sided ? relu(excess) : excess);
  }
};
/// |g|^2 as it is.
struct Squares {
  Tensor operator()(const Tensor& squares) const { return squares; }
};
struct Power {
  double p;
  Tensor operator()(const Tensor& n) const { return pow_scalar(n, p); }
};
}  // namespace

PenaltyShape one_centered(double k) {
  return {
      .name = message("one_centered({})", k), .apply = Centered{{.k = k}}, .k = k, .with_k = one_centered};
}
PenaltyShape zero_centered() {
  return {
      .name = "zero_centered", .apply = [](const Tensor& n) { return square(n); }, .of_squares = Squares{}};
}
PenaltyShape one_sided(double k) {
  return {.name = message("one_sided({})", k),
          .apply = Centered{{.k = k, .one_sided = true}},
          .k = k,
          .with_k = one_sided};
}
PenaltyShape power(double p) {
  DUEL_CHECK(p >= 1, "penalty", "power: expected an exponent of at least 1, got {}", p);
  PenaltyShape shape{.name = message("power({})", p), .apply = Power{p}};
  if (p == 2) shape.of_squares = zero_centered().of_squares;
  return shape;
}
PenaltyShape worst_of(PenaltyShape shape) {
  shape.name = "worst(" + shape.name + ")";
  shape.reduction = Reduction::max;
  return shape;
}

Tensor per_row(const Tensor& numbers, const Tensor& of) {
  std::vector<int64_t> sizes(static_cast<size_t>(of.rank()), 1);
  sizes[0] = of.dim(0);
  return numbers.reshape(Shape(sizes));
}

Tensor line_points(const Tensor& real, const Tensor& fake, const Tensor& eps) {
  DUEL_CHECK(real.shape() == fake.shape() && eps.numel() == real.dim(0), "line_points",
             "expected real and fake of one shape and an eps per sample, got {}, {}, {}", real.shape(),
             fake.shape(), eps.shape());
  Tensor points = Tensor::empty(real.shape(), real.options());
  DUEL_DISPATCH(
      real.dtype(), "line_points",
      kernels::interpolate_line(stream_of(real.device()), real.dim(0), real.shape().numel_from(1),
                                real.data<T>(), fake.data<T>(), eps.data<T>(), points.mutable_data<T>()));
  return record("line_points", points, {real, fake, eps}, {real, fake, eps},
                [](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                  const Tensor e = ctx.saved(2);
                  const Tensor share = per_row(e, g);
                  std::vector<Tensor> grads(3);
                  if (ctx.needs(0)) grads[0] = g * share;
                  if (ctx.needs(1)) grads[1] = g - g * share;
                  if (ctx.needs(2))
                    grads[2] = sum((g * (ctx.saved(0) - ctx.saved(1))).flatten(1), {1}).reshape(e.shape());
                  return grads;
                });
}

namespace {
/// `count` times real's batch that launch(real, fake, state, out) fills, with numbers for one eps per sample.
template <class Launch>
Tensor drawn_between(const Tensor& real, const Tensor& fake, Generator& random, int64_t count,
                     Launch launch) {
  DUEL_CHECK(real.shape() == fake.shape() && real.dtype() == fake.dtype(), "line_points",
             "expected real and fake of one shape, got {} and {}", to_text(real), to_text(fake));
  duel::detail::check_same_device("line_points", real, fake);
  Tensor out = Tensor::empty(real.shape().with(0, count * real.dim(0)), real.options());
  random.draw(real.dim(0), real.device(), [&](const kernels::PhiloxState& state) {
    DUEL_DISPATCH(real.dtype(), "line_points",
                  launch(real.data<T>(), fake.data<T>(), state, out.mutable_data<T>()));
  });
  return out;
}
}  // namespace

Tensor line_points(const Tensor& real, const Tensor& fake, Generator& random) {
  if (tracked(real) || tracked(fake)) {
    return line_points(real, fake, random.uniform({real.dim(0)}, 0.0, 1.0, real.options()));
  }
  return drawn_between(real, fake, random, 1, [&](auto* r, auto* f, const auto& state, auto* out) {
    kernels::interpolate_line(stream_of(real.device()), real.dim(0), real.shape().numel_from(1), r, f, state,
                              out);
  });
}

Tensor joined_with_line(const Tensor& real, const Tensor& fake, Generator& random) {
  return drawn_between(real, fake, random, 3, [&](auto* r, auto* f, const auto& state, auto* out) {
    kernels::join_with_line(stream_of(real.device()), real.dim(0), real.shape().numel_from(1), r, f, state,
                            out);
  });
}

Tensor dragan_points(const Tensor& real, const Tensor& alpha, const Tensor& noise) {
  DUEL_CHECK(real.shape() == noise.shape() && alpha.numel() == real.dim(0), "dragan_points",
             "expected noise of real's shape {} and an alpha per sample, got {} and {}", real.shape(),
             noise.shape(), alpha.shape());
  const int64_t batch = real.dim(0), m = real.shape().numel_from(1);
  Tensor points = Tensor::empty(real.shape(), real.options());
  DUEL_DISPATCH(real.dtype(), "dragan_points", {
    duel::detail::Workspace workspace(real.device(),
                                      static_cast<size_t>(kernels::dragan_workspace(batch, m)) * sizeof(T));
    kernels::dragan_perturb(stream_of(real.device()), batch, m, real.data<T>(), alpha.data<T>(),
                            noise.data<T>(), points.mutable_data<T>(), workspace.template as<T>());
  });
  return record("dragan_points", points, {real, alpha, noise}, {}, not_differentiable("dragan_points", 1));
}

Tensor LinePoints::operator()(const Tensor& real, const Tensor& fake, Generator& random) const {
  return line_points(real, fake, random);
}

PenaltySampling on_lines() { return {"line", LinePoints{}}; }
PenaltySampling at_real() { return {"real", SamplePoints{LabelsOf::real}}; }
PenaltySampling at_fake() {
  return {.name = "fake", .points = SamplePoints{LabelsOf::fake}, .labels = LabelsOf::fake};
}
PenaltySampling around_real() {
  return {"dragan", [](const Tensor& real, const Tensor&, Generator& random) {
            const Tensor alpha = random.uniform({real.dim(0)}, 0.0, 1.0, real.options());
            return dragan_points(real, alpha, random.uniform(real.shape(), 0.0, 1.0, real.options()));
          }};
}
PenaltySampling around_real_two_sided() {
  return {"dragan_two_sided", [](const Tensor& real, const Tensor&, Generator& random) {
            NoGrad no_grad;
            const Tensor alpha = random.uniform({real.dim(0)}, -1.0, 1.0, real.options());
            const Tensor points =
                dragan_points(real, alpha, random.uniform(real.shape(), 0.0, 1.0, real.options()));
            return clamp_max(clamp_min(points, -1.0), 1.0);
          }};
}

namespace {
/// ∇ₓ D per sample; the logits of a critic without cross-sample layers depend on their own sample only. Under
/// NoGrad too: D's own graph is needed in any case, and without create_graph nothing of it is left.
Tensor input_gradient(nn::Module& critic, const Tensor& x, const Tensor& labels, bool create_graph,
                      const PenalisedValue& value = nullptr) {
  const EnableGrad recording;
  const Judgement judgement = judge(critic, x, labels);
  const Tensor values =
      value ? value(judgement) : whole_answer(judgement);  // their sum's gradient is 1 for each
  DUEL_CHECK(values.defined() && values.numel() == x.dim(0), "gradient_penalty",
             "expected a number for each of {} samples to penalise the gradient of, got {}", x.dim(0),
             values.defined() ? to_text(values.shape()) : "nothing");
  return grad({values}, {x}, {duel::detail::unit(values.shape(), values.options())},
              {.create_graph = create_graph})[0];
}
}  // namespace

PenaltyResult gradient_penalty(nn::Module& critic, const Tensor& points, const PenaltyShape& shape,
                               double weight, const Tensor& labels, const PenalisedValue& value) {
  DUEL_CHECK(shape.apply || shape.of_squares, "gradient_penalty",
             "the penalty shape '{}' has no apply: expected a function of the norms", shape.name);
  const Tensor x = points.detach().set_requires_grad(true);
  return penalty_of_gradient(input_gradient(critic, x, labels, grad_enabled(), value), shape, weight);
}

namespace {
/// The target of a penalty that one launch takes; null for others.
const Centered* fused_shape(const PenaltyShape& shape) {
  const auto* centered = shape.apply.target<Centered>();
  return centered != nullptr && !shape.of_squares && shape.reduction == Reduction::mean ? centered : nullptr;
}
}  // namespace

bool reads_norms_alone(const PenaltyShape& shape) {
  if (shape.of_squares) return shape.of_squares.target<Squares>() != nullptr;
  return shape.apply.target<Centered>() != nullptr || shape.apply.target<Power>() != nullptr;
}

PenaltyStep penalty_step(const Tensor& gradient, const PenaltyShape& shape, double weight,
                         const Tensor& loss) {
  NoGrad no_grad;
  if (const Centered* centered = fused_shape(shape)) {
    const NormPenaltyGradient all = norm_penalty_gradient(gradient, centered->target, weight, loss);
    return {{all.value, all.mean_norm}, all.gradient, all.total};
  }
  const EnableGrad recording;
  const Tensor g = gradient.detach().set_requires_grad(true);
  PenaltyResult result = penalty_of_gradient(g, shape, weight);
  const Tensor v = grad({result.value}, {g})[0];
  result.value = result.value.detach();
  return {result, v, add(loss.detach(), result.value)};
}

PenaltyResult penalty_of_gradient(const Tensor& gradient, const PenaltyShape& shape, double weight) {
  const int64_t samples = gradient.dim(0);
  if (const Centered* centered = fused_shape(shape)) {
    NormPenalty fused = norm_penalty(gradient, centered->target, weight);
    return {.value = fused.value, .mean_norm = fused.mean_norm};
  }
  Tensor norms, each;
  if (shape.of_squares) {
    const Tensor squares = sum(square(gradient.reshape({samples, gradient.shape().numel_from(1)})), {1});
    each = shape.of_squares(squares);
    norms = sqrt(squares.detach());
  } else {
    norms = sample_norm(gradient);
    each = shape.apply(norms);
  }
  DUEL_CHECK(each.defined() && each.shape() == Shape{samples}, "gradient_penalty",
             "the penalty shape '{}' gave {} for the norms of {} samples: expected [{}], "
             "the penalty of each sample (their mean comes afterwards)",
             shape.name, each.defined() ? to_text(each.shape()) : "nothing", samples, samples);
  PenaltyResult result;
  result.value = mul_scalar(shape.reduction == Reduction::max ? max(each, 0) : mean(each), weight);
  NoGrad no_grad;
  result.mean_norm = mean(norms.detach());
  return result;
}

Tensor mean_norm(const std::vector<PenaltyResult>& results) {
  Tensor total = results.at(0).mean_norm;
  for (size_t i = 1; i < results.size(); ++i) total = add(total, results[i].mean_norm);
  return results.size() == 1 ? total : div_scalar(total, static_cast<double>(results.size()));
}

double mean_gradient_norm(nn::Module& critic, const Tensor& points, const Tensor& labels,
                          const PenalisedValue& value) {
  NoParamGrad weights_are_constants;
  const nn::EvalMode looking(critic);  // a look must not move running statistics, nor drop anything out
  const Tensor x = points.detach().set_requires_grad(true);
  const Tensor g = input_gradient(critic, x, labels, false, value);
  NoGrad no_grad;
  return mean(sample_norm(g)).item();
}

}  // namespace duel::gan
