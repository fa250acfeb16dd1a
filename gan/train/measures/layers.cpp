// What a look inside finds layer by layer, and as histograms: rows and mathematics as in diagnostics.cpp, where the
// papers are.
#include <string>
#include <unordered_map>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/gan/train/measures/rows.h"
#include "duel/nn/module/activation_trace.h"
#include "duel/nn/optim/grad_norm.h"

namespace duel::gan {
namespace {

constexpr int64_t kLogitBins = 32, kWeightBins = 64;

using Values = std::vector<Measured>;

NamedValues named(const nn::Module& net, const std::vector<Tensor>& gradients) {
  NamedValues out;
  const auto norms = nn::gradient_norms(gradients).each.to_vector<double>();
  const auto names = net.named_parameters();
  for (size_t i = 0; i < norms.size(); ++i) out.emplace_back(names[i].first, norms[i]);
  return out;
}

void name_layers(const nn::Module& module, const std::string& name,
                 std::unordered_map<const nn::Module*, std::string>& into) {
  into.emplace(&module, name);
  for (const auto& [child, layer] : module.named_children())
    name_layers(*layer, name.empty() ? child : name + "." + child, into);
}

/// Under an Equilibrium with its k; penalties and extra terms left out. Layers are those that
/// nn::ActivationTrace sees.
Values activation_gradients(const Look& look) {
  const Trainer::Batch& batch = look.batch();
  const NoParamGrad weights_are_constants;
  const nn::EvalMode looking(look.critic());
  // Recording starts at the images, so that every layer has a place in the graph.
  const Tensor images =
      look.trainer.packed(concat({batch.real, batch.fake})).detach().set_requires_grad(true);
  const Tensor labels = batch.real_labels.defined() && batch.latents.labels.defined()
                            ? concat({batch.real_labels, batch.latents.labels})
                            : Tensor();
  const nn::ActivationTrace trace;
  const Judgement both = judge(look.critic(), images, labels);
  const int64_t all = both.logits.dim(0), split = all / 2;
  const Tensor loss = look.trainer.adversarial_loss_of_d({.real = {batch.real, {}, rows(both, 0, split)},
                                                          .fake = {batch.fake, {}, rows(both, split, all)},
                                                          .codes = {}});
  std::vector<Tensor> at{images};
  for (const Tensor& t : trace.tensors()) at.push_back(t);
  const auto gradients = grad({loss}, at, {}, {.allow_unused = true});
  const auto norms = nn::gradient_norms(gradients).each.to_vector<double>();
  std::unordered_map<const nn::Module*, std::string> names;
  name_layers(look.critic(), "", names);
  NamedValues out{{"input", norms[0]}};
  for (size_t i = 0; i < trace.outputs().size(); ++i) {
    if (!gradients[i + 1].defined()) continue;  // a head that this loss does not read
    const auto found = names.find(trace.outputs()[i].first);
    out.emplace_back(found == names.end() ? std::to_string(i) : found->second, norms[i + 1]);
  }
  return {out};
}

Values logit_histograms(const Look& look) {
  auto [real, fake] = common_histograms(look.real_logits, look.fake_logits, kLogitBins);
  return {std::move(real), std::move(fake)};
}

Values weight_histogram(const Look& look) {
  std::vector<double> weights;
  for (const Tensor& p : look.critic().parameters()) {
    if (p.rank() < 2) continue;
    const auto values = p.to_vector<float>();
    weights.insert(weights.end(), values.begin(), values.end());
  }
  return {common_histograms(weights, {}, kWeightBins).first};
}

constexpr const char* kLayers = "layer, from the input on";

}  // namespace

std::vector<Measure> detail::layer_rows() {
  using Form = MeasurePlot::Form;
  using enum Measure::Where;
  return {
      {.where = look,
       .keys = {{.name = "spectral_norms", .member = "NAME"}},
       .meaning =
           "largest singular value of each weight of D as a matrix [out, rest], never more than the truth, "
           "usually within 1 % below",
       .healthy = "a few units, settling or growing slowly; 1 under spectral normalisation",
       .sick = "a jump, which is where training collapses",
       .source = "Miyato 2018; Brock 2019, section 4.2",
       .of_look = [](const Look& at) { return Values{spectral_norms(at.critic())}; },
       .warn =
           {{.of = {"spectral_norms"},
             .window = 8,
             .sick =
                 [](const Seen& s) {
                   const auto all = s.curves[0];
                   const double middle = all[all.size() / 2];
                   return middle > 0 && all.back() > 4 * middle;
                 },
             .sentence =
                 "The largest singular value of D's {} has grown more than fourfold in the second half of "
                 "the run."}},
       .plot = {.diagram = "spectral_norms",
                .order = 120,
                .title = "largest singular values of D's weights",
                .y_label = "singular value"}},
      {.where = look,
       .keys = {{.name = "gradients_d", .member = "NAME"}},
       .meaning = "norm of the loss's gradient in each parameter of D",
       .healthy = "within two or three powers of ten",
       .sick = "zeros; one far above all others",
       .of_look = [](const Look& at) { return Values{named(at.critic(), at.record.gradients_d)}; },
       .plot = {.diagram = "gradients_d",
                .order = 90,
                .form = Form::profile,
                .title = "gradient of each weight of D",
                .x_label = kLayers,
                .y_label = "gradient norm",
                .log_y = true,
                .caption = "D's by weight, at the first, middle and last look."}},
      {.where = look,
       .keys = {{.name = "gradients_g", .member = "NAME"}},
       .meaning = "norm of the loss's gradient in each parameter of G",
       .healthy = "within two or three powers of ten",
       .sick = "zeros; one far above all others",
       .of_look =
           [](const Look& at) {
             return Values{named(*at.trainer.networks().generator, at.record.gradients_g)};
           },
       .plot = {.diagram = "gradients_g",
                .order = 100,
                .form = Form::profile,
                .title = "gradient of each weight of G",
                .x_label = kLayers,
                .y_label = "gradient norm",
                .log_y = true,
                .caption = "G's by weight, at the same looks."}},
      {.where = look,
       .keys = {{.name = "activation_gradients", .member = "LAYER"}},
       .meaning =
           "norm of the gradient of D's adversarial loss (BEGAN: with its k) in the output of each layer, "
           "input first",
       .healthy = "flat over the layers",
       .sick = "exponential growth or decay, as under weight clipping with a large or a small c",
       .source = "Gulrajani 2017, figure 1b left",
       .of_look = activation_gradients,
       .plot = {.diagram = "activations",
                .order = 110,
                .form = Form::profile,
                .title = "gradient of D's loss in the layers' outputs",
                .x_label = kLayers,
                .y_label = "gradient norm",
                .log_y = true}},
      {.where = look,
       .keys = {{.name = "histogram_real", .label = "real"}, {.name = "histogram_fake", .label = "fake"}},
       .meaning = "raw logits of the batch in 32 equal bins of their common range `low` to `high`",
       .healthy = "two hills that overlap, a few units apart at most",
       .sick =
           "two far apart, where G under a cross-entropy gets no gradient; all in one bin: D tells nothing",
       .source = "Arjovsky & Bottou 2017, theorem 2.4",
       .of_look = logit_histograms,
       .plot = {.diagram = "outputs_last",
                .order = 40,
                .form = Form::counts,
                .title = "D's outputs",
                .x_label = "logit",
                .y_label = "share of the batch",
                .caption = "The same, every image of one batch."}},
      {.where = look,
       .keys = {{.name = "histogram_weights"}},
       .meaning = "D's weights (no biases, no scales of norms) in 64 bins",
       .healthy = "a bell",
       .sick = "two spikes at the ends, the clip value",
       .source = "Gulrajani 2017, figure 1b right",
       .of_look = weight_histogram,
       .plot = {.diagram = "weights",
                .order = 130,
                .form = Form::counts,
                .title = "D's weights",
                .x_label = "weight",
                .y_label = "share",
                .guides = {{.at =
                                [](const PlotHints& hints) {
                                  return hints.clip ? std::optional(-*hints.clip) : std::nullopt;
                                },
                            .label = "-c, c",
                            .vertical = true},
                           {.at = [](const PlotHints& hints) { return hints.clip; }, .vertical = true}}}},
  };
}

}  // namespace duel::gan
