// Modules of several inputs, hooks, walks over modules, lists and dictionaries of layers.
#include "duel/nn/module/activation_trace.h"
#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

/// Normalises, then scales by a factor of the label.
struct ConditionalNorm : Module {
  explicit ConditionalNorm(int64_t classes)
      : norm(register_module("norm", BatchNorm1d(3, {.affine = false}))),
        gain(register_module("gain", Embedding(classes, 3))) {}
  Tensor forward(const Tensor& x, const Tensor& label) override { return (*norm)(x) * (*gain)(label); }
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<ConditionalNorm>(gain->num_embeddings);
  }
  std::string describe() const override { return describe_children("ConditionalNorm"); }
  std::shared_ptr<BatchNorm1d> norm;
  std::shared_ptr<Embedding> gain;
};

struct Styled : Module {
  Tensor forward(const Tensor& x, const Tensor& style, const Tensor& noise) override {
    return x * style + noise;
  }
};

TEST(SeveralInputs, ReachTheForwardOfAsMany) {
  ConditionalNorm block(4);
  const Tensor x = wave({5, 3}, 0, DType::f32), label = Tensor::from({0, 1, 2, 3, 0}, {5});
  expect_same_bits(block(x, label), (*block.norm)(x)*gather(block.gain->weight, label));
  const Tensor a = Tensor::full({2}, 3), b = Tensor::full({2}, 5), c = Tensor::full({2}, 7);
  EXPECT_EQ(Styled()(a, b, c).to_vector<float>(), (std::vector<float>{22, 22}));
}

TEST(SeveralInputs, AnotherNumberIsRefusedWithTheModulesName) {
  ConditionalNorm block(4);
  const Tensor x = Tensor::ones({5, 3});
  expect_mentions(error_of([&] { block(x); }), {"[forward]", "got one tensor", "ConditionalNorm("});
  expect_mentions(error_of([&] { block(x, x, x); }), {"got three tensors"});
  expect_mentions(error_of([&] { Linear(3, 1)(x, x); }), {"got two tensors", "Linear(in_features=3"});
  expect_mentions(error_of([&] { Sequential(Linear(3, 1))(x, x); }), {"got two tensors", "Sequential("});
  // Errors inside name the path, whatever the number of inputs.
  const Tensor outside = Tensor::from({9, 9, 9, 9, 9}, {5});
  expect_mentions(error_of([&] { block(x, outside); }), {"; in gain: Embedding(4, 3)"});
}

TEST(Hooks, SeeInputsAndOutputInOrderUntilRemoved) {
  Linear layer(3, 2);
  const Tensor x = wave({4, 3}, 0, DType::f32);
  const Tensor plain = layer(x);
  std::string order;
  HookHandle first =
      layer.register_forward_hook([&](Module& module, std::span<const Tensor> inputs, const Tensor& output) {
        order += "a";
        EXPECT_EQ(&module, &layer);
        ASSERT_EQ(inputs.size(), 1u);
        EXPECT_EQ(inputs[0].impl(), x.impl());
        expect_same_bits(output, plain);
      });
  HookHandle second =
      layer.register_forward_hook([&](Module&, std::span<const Tensor>, const Tensor& output) {
        order += "b";
        return output * 2.0;
      });
  ActivationTrace trace;
  expect_same_bits(layer(x), plain * 2.0);
  expect_same_bits(trace.tensors().at(0), plain * 2.0);
  EXPECT_EQ(order, "ab");
  second.remove();
  expect_same_bits(layer(x), plain);
  first.remove();
  first.remove();
  expect_same_bits(layer(x), plain);
  EXPECT_EQ(order, "aba");
}

TEST(Hooks, MoveWithTheirModuleAndTheirHandlesMayOutliveIt) {
  HookHandle handle;
  int calls = 0;
  {
    Styled block;
    handle = block.register_forward_hook([&](Module&, std::span<const Tensor> inputs, const Tensor&) {
      calls += static_cast<int>(inputs.size());
    });
    Styled moved(std::move(block));
    const Tensor one = Tensor::ones({1});
    moved(one, one, one);
    EXPECT_EQ(calls, 3);
  }
  handle.remove();
  HookHandle().remove();
}

TEST(Hooks, MayRemoveThemselves) {
  ReLU layer;
  int calls = 0;
  HookHandle handle;
  handle = layer.register_forward_hook([&](Module&, std::span<const Tensor>, const Tensor&) {
    ++calls;
    handle.remove();
  });
  layer(Tensor::ones({1}));
  layer(Tensor::ones({1}));
  EXPECT_EQ(calls, 1);
}

TEST(Modules, AreNamedInOrderAndOnce) {
  auto shared = std::make_shared<Linear>(3, 3);
  Sequential net(shared, Sequential(ReLU(), shared), ConditionalNorm(2));
  std::vector<std::string> names;
  for (const auto& [name, module] : net.named_modules()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"", "0", "1", "1.0", "2", "2.norm", "2.gain"}));
  ASSERT_EQ(net.modules().size(), 7u);
  EXPECT_EQ(net.modules()[0], &net);
  EXPECT_EQ(net.modules()[1], shared.get());
}

TEST(ModuleList, HoldsLayersForItsOwner) {
  ModuleList blocks(ConditionalNorm(2), ConditionalNorm(3));
  blocks.push_back(std::make_shared<Linear>(3, 1));
  EXPECT_EQ(blocks.size(), 3u);
  EXPECT_EQ(blocks.at<ConditionalNorm>(1).gain->num_embeddings, 3);
  std::vector<Module*> seen;
  for (const auto& block : blocks) seen.push_back(block.get());
  EXPECT_EQ(seen, (std::vector<Module*>{&blocks[0], &blocks[1], &blocks[2]}));
  EXPECT_EQ(blocks.named_parameters()[0].first, "0.gain.weight");
  EXPECT_TRUE(blocks.mixes_samples());
  expect_mentions(error_of([&] { blocks[3]; }), {"[ModuleList]", "below 3"});
  expect_mentions(error_of([&] { blocks.at<ReLU>(2); }), {"Linear("});
  expect_mentions(error_of([&] { blocks(Tensor::ones({1, 3})); }), {"ModuleList((0): ConditionalNorm("});
  ModuleList moved(std::move(blocks));
  EXPECT_EQ(moved.size(), 3u);
  EXPECT_EQ(ModuleList().begin(), ModuleList().end());
}

TEST(ModuleDict, HoldsLayersByName) {
  ModuleDict heads;
  const std::shared_ptr<Linear> small = heads.insert("small", Linear(3, 1));
  heads.insert("large", std::make_shared<Linear>(3, 5));
  EXPECT_EQ(heads.size(), 2u);
  EXPECT_EQ(&heads["small"], small.get());
  EXPECT_TRUE(heads.contains("large"));
  EXPECT_FALSE(heads.contains("none"));
  EXPECT_EQ(heads.named_parameters()[2].first, "large.weight");
  expect_mentions(error_of([&] { heads["none"]; }), {"no \"none\"", "(large): Linear("});
  EXPECT_NE(error_of([&] { heads.insert("small", ReLU()); }), "");
}

}  // namespace
}  // namespace duel::nn
