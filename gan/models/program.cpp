#include "duel/gan/models/program.h"

#include <algorithm>
#include <array>
#include <optional>
#include <typeindex>
#include <unordered_map>

#include "duel/core/io/internal/json.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/gan/objective/critic.h"
#include "duel/kernels/base/error.h"
#include "duel/nn/layers.h"

namespace duel::gan {
namespace {

using duel::detail::Attribute;
using duel::detail::OpTrace;
using json::Json;

constexpr const char* kOp = "program";
constexpr std::array<int64_t, 3> kBatches = {3, 5, 8};

/// Layers that are torch.nn's of the same name, with the arguments that describe() shows, keys and values.
bool is_of_pytorch(const nn::Module& module) {
  static const std::type_index types[] = {typeid(nn::Linear),
                                          typeid(nn::Conv2d),
                                          typeid(nn::ConvTranspose2d),
                                          typeid(nn::Embedding),
                                          typeid(nn::BatchNorm1d),
                                          typeid(nn::BatchNorm2d),
                                          typeid(nn::LayerNorm),
                                          typeid(nn::GroupNorm),
                                          typeid(nn::InstanceNorm2d),
                                          typeid(nn::ReLU),
                                          typeid(nn::LeakyReLU),
                                          typeid(nn::PReLU),
                                          typeid(nn::ELU),
                                          typeid(nn::Tanh),
                                          typeid(nn::Sigmoid),
                                          typeid(nn::Softplus),
                                          typeid(nn::GELU),
                                          typeid(nn::SiLU),
                                          typeid(nn::MaxPool2d),
                                          typeid(nn::AvgPool2d),
                                          typeid(nn::ZeroPad2d),
                                          typeid(nn::ReflectionPad2d),
                                          typeid(nn::Flatten),
                                          typeid(nn::Unflatten),
                                          typeid(nn::Upsample),
                                          typeid(nn::PixelShuffle),
                                          typeid(nn::Identity),
                                          typeid(nn::Dropout)};
  const nn::Module* layer = &module;
  if (const auto* normed = dynamic_cast<const nn::SpectralNorm*>(layer);
      normed && typeid(*layer) == typeid(nn::SpectralNorm))
    layer = &normed->layer();
  return std::find(std::begin(types), std::end(types), std::type_index(typeid(*layer))) != std::end(types);
}

/// Ops that a program may hold. Those of the second list are told the shape of their result.
constexpr const char* kOps[] = {"add",
                                "sub",
                                "mul",
                                "div",
                                "add_scalar",
                                "mul_scalar",
                                "div_scalar",
                                "scalar_div",
                                "pow_scalar",
                                "clamp_min",
                                "clamp_max",
                                "clamp",
                                "neg",
                                "exp",
                                "log",
                                "sqrt",
                                "rsqrt",
                                "square",
                                "abs",
                                "sin",
                                "cos",
                                "reciprocal",
                                "maximum",
                                "minimum",
                                "relu",
                                "leaky_relu",
                                "elu",
                                "tanh",
                                "sigmoid",
                                "softplus",
                                "gelu",
                                "softmax",
                                "sum",
                                "mean",
                                "max",
                                "concat",
                                "slice",
                                "rows",
                                "permute",
                                "matmul",
                                "matmul_batched",
                                "linear",
                                "conv2d",
                                "conv_transpose2d",
                                "avg_pool2d",
                                "max_pool2d",
                                "upsample_nearest2d",
                                "one_hot",
                                "sample_norm"};
constexpr const char* kShaped[] = {"reshape", "broadcast_to"};

template <size_t N>
bool among(const char* const (&names)[N], const std::string& name) {
  return std::any_of(std::begin(names), std::end(names), [&](const char* known) { return name == known; });
}

/// One pass and the steps that its outputs need.
class Followed {
 public:
  Followed(nn::Module& net, const std::function<ProgramPass(int64_t)>& pass, int64_t samples) {
    for (const auto& [path, module] : net.named_modules()) {
      if (path.empty() || !is_of_pytorch(*module)) continue;
      layers_.emplace_back(path, module->describe());
      paths_.emplace(module, "layer " + path);
    }
    for (const auto& list : {net.named_parameters(), net.named_buffers()}) {
      for (const auto& [name, tensor] : list) known_.emplace_back(name, tensor);
    }
    OpTrace trace;
    trace.as_one = [this](const void* module) {
      const auto found = paths_.find(module);
      return found == paths_.end() ? std::string() : found->second;
    };
    pass_ = pass(samples);
    steps_ = trace.steps();
    for (size_t i = 0; i < steps_.size(); ++i) made_.emplace(steps_[i].output.impl().get(), i);
    number_needed();
  }

  Json json() const {
    Json steps = Json::array();
    for (const size_t i : order_) steps.push_back(step(steps_[i]));
    Json outputs = Json::object();
    for (const auto& [name, tensor] : pass_.outputs) outputs[name] = place(tensor, "output " + name);
    return Json::object({{"steps", std::move(steps)}, {"outputs", std::move(outputs)}});
  }
  const std::vector<std::pair<std::string, std::string>>& layers() const { return layers_; }

 private:
  std::optional<std::string> name_of(const Tensor& tensor) const {
    for (const auto& [name, input] : pass_.inputs) {
      if (tensor.impl() == input.impl()) return name;
    }
    for (const auto& [name, own] : known_) {  // detached, it is another handle of the same values
      if (tensor.impl() == own.impl() ||
          (tensor.same_storage(own) && tensor.shape() == own.shape() && tensor.raw() == own.raw()))
        return name;
    }
    return std::nullopt;
  }

  /// In the order of running, from the outputs back.
  void number_needed() {
    std::vector<char> needed(steps_.size());
    const auto ask = [&](const Tensor& tensor) {
      if (!tensor.defined() || name_of(tensor)) return;
      if (const auto found = made_.find(tensor.impl().get()); found != made_.end()) needed[found->second] = 1;
    };
    for (const auto& [name, tensor] : pass_.outputs) ask(tensor);
    for (size_t i = steps_.size(); i-- > 0;) {
      if (!needed[i]) continue;
      for (const Tensor& input : steps_[i].inputs) ask(input);
    }
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (!needed[i]) continue;
      numbers_.emplace(i, order_.size());
      order_.push_back(i);
    }
  }

  Json place(const Tensor& tensor, const std::string& where) const {
    if (!tensor.defined()) return nullptr;
    if (const auto name = name_of(tensor)) return *name;
    const auto found = made_.find(tensor.impl().get());
    DUEL_CHECK(found != made_.end(), kOp,
               "{}: is given {}, which no op made and which is no parameter or buffer: expected a network "
               "that computes with those and its input alone",
               where, to_text(tensor));
    return numbers_.at(found->second);
  }

  Json step(const OpTrace::Step& step) const {
    DUEL_CHECK(step.op.starts_with("layer ") || among(kOps, step.op) || among(kShaped, step.op), kOp,
               "{}: a network that calls this op cannot be written down; programs know {}, {} and {} others",
               step.op, kOps[0], kShaped[0], std::size(kOps) + std::size(kShaped) - 2);
    Json inputs = Json::array(), options = Json::object();
    for (const Tensor& input : step.inputs) inputs.push_back(place(input, step.op));
    for (const auto& attribute : step.attributes)
      std::visit([&](const auto& v) { options[attribute.first] = v; }, attribute.second);
    if (among(kShaped, step.op)) {  // each by its name in PyTorch
      options[step.op == "reshape" ? "shape" : "size"] =
          std::vector<int64_t>(step.output.shape().begin(), step.output.shape().end());
    }
    return Json::array({step.op, std::move(inputs), std::move(options)});
  }

  ProgramPass pass_;
  std::vector<OpTrace::Step> steps_;
  std::vector<std::pair<std::string, std::string>> layers_;
  std::unordered_map<const void*, std::string> paths_;
  nn::StateDict known_;
  std::unordered_map<const void*, size_t>
      made_;                                    // by handle: the step, the first where several give one back
  std::unordered_map<size_t, size_t> numbers_;  // of needed steps
  std::vector<size_t> order_;
};

/// What is the same in all three; an integer that grows evenly with the batch as what it grows by.
Json joined(const std::array<const Json*, 3>& of, const std::string& where) {
  const Json &a = *of[0], &b = *of[1], &c = *of[2];
  if (a == b && a == c) return a;
  const auto differ = [&]() {
    fail(kOp,
         "{}: what the network does depends on the number of samples, {}, {} and {} for {}, {} and {}: "
         "expected one program for all",
         where, json::described(a), json::described(b), json::described(c), kBatches[0], kBatches[1],
         kBatches[2]);
  };
  if (a.type() != b.type() || a.type() != c.type() || a.size() != b.size() || a.size() != c.size()) {
    const bool numbers = a.is_number_integer() && b.is_number_integer() && c.is_number_integer();
    if (!numbers) differ();
  }
  if (a.is_number_integer()) {
    const int64_t x = a.get<int64_t>(), y = b.get<int64_t>(), z = c.get<int64_t>();
    const int64_t slope = (y - x) / (kBatches[1] - kBatches[0]), start = x - slope * kBatches[0];
    if (start + slope * kBatches[1] != y || start + slope * kBatches[2] != z) differ();
    return Json::object({{"batch", slope}, {"plus", start}});
  }
  if (!a.is_structured()) differ();
  Json both = a;
  auto second = b.begin(), third = c.begin();
  for (auto at = both.begin(); at != both.end(); ++at, ++second, ++third) {
    if (a.is_object() && (at.key() != second.key() || at.key() != third.key())) differ();
    *at = joined({&*at, &*second, &*third}, where);
  }
  return both;
}

Json shapes(const nn::StateDict& tensors, const std::vector<std::pair<std::string, std::string>>& layers) {
  Json all = Json::object();
  for (const auto& [name, tensor] : tensors) {
    const bool of_layer = std::any_of(
        layers.begin(), layers.end(),
        [&, path = name.substr(0, name.rfind('.'))](const auto& layer) { return layer.first == path; });
    if (!of_layer) all[name] = std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end());
  }
  return all;
}

}  // namespace

std::string program_of(nn::Module& net, const std::function<ProgramPass(int64_t)>& pass) {
  const NoGrad no_grad;
  const nn::EvalMode eval(net);
  std::array<Json, 3> passes;
  Json program = Json::object();
  for (size_t i = 0; i < kBatches.size(); ++i) {
    std::vector<std::string> inputs;
    const Followed followed(
        net,
        [&](int64_t n) {
          ProgramPass made = pass(n);
          for (const auto& [name, tensor] : made.inputs) inputs.push_back(name);
          return made;
        },
        kBatches[i]);
    passes[i] = followed.json();
    if (i > 0) continue;
    program["inputs"] = inputs;
    program["layers"] = Json::object();
    for (const auto& [path, text] : followed.layers()) program["layers"][path] = text;
    program["parameters"] = shapes(net.named_parameters(), followed.layers());
    program["buffers"] = shapes(net.named_buffers(), followed.layers());
  }
  for (const char* part : {"steps", "outputs"})
    program[part] = joined({&passes[0][part], &passes[1][part], &passes[2][part]}, part);
  return json::dumped(program);
}

std::string generator_program(const Networks& networks) {
  nn::Module& g = *networks.generator;
  return program_of(g, [&](int64_t n) {
    LatentGenerators random{Generator(1, 0), Generator(1, 1), Generator(1, 2)};
    const Tensor input = draw_latents(networks.latent, n, random).input.detach();
    return ProgramPass{{{"input", input}}, {{"images", g(input)}}};
  });
}

std::string discriminator_program(const Networks& networks) {
  nn::Module& d = *networks.discriminator;
  const NetworkOptions& o = networks.options;
  return program_of(d, [&](int64_t n) {
    Generator random(1);
    ProgramPass pass;
    const Tensor images = random.uniform({n, o.packing * o.image_channels, o.height, o.width}, -1, 1);
    pass.inputs.emplace_back("images", images);
    const auto* critic = dynamic_cast<const Critic*>(&d);
    Tensor labels;
    if (critic && critic->needs_labels()) {
      labels = random.integers({n}, o.classes);
      pass.inputs.emplace_back("labels", labels);
    }
    const Judgement said = judge(d, images, labels);
    for (const auto& [name, tensor] : {std::pair("logits", said.logits), std::pair("features", said.features),
                                       std::pair("classes", said.classes), std::pair("codes", said.codes),
                                       std::pair("pixels", said.pixels)}) {
      if (tensor.defined()) pass.outputs.emplace_back(name, tensor);
    }
    return pass;
  });
}

}  // namespace duel::gan
