// The classifier: it learns, repeats to the bit, comes back from a file, and reads real digits after seeing
// drawn ones only. Labels that belong to other images, dropout in evaluation, a lost last batch or a weight
// that stays behind fail.
#include "duel/gan/judge/classifier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "duel/core/io/safetensors.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/kernels/base/parallel.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

Tensor all(const ResidentData& data) {
  std::vector<int64_t> index(static_cast<size_t>(data.count()));
  for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<int64_t>(i);
  return Tensor::from(index, {data.count()});
}

std::vector<float> logits_of(Classifier& net, const ResidentData& data) {
  const NoGrad no_grad;
  return net(data.batch(all(data), DType::f32)).to_vector<float>();
}

std::vector<float> weights_of(const Classifier& net) {
  std::vector<float> values;
  for (const auto& [name, tensor] : net.state_dict()) {
    const std::vector<float> part = tensor.to_vector<float>();
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

TEST(Classifier, HasThePromisedLayers) {
  const Classifier net;
  std::string text;
  for (const auto& [name, tensor] : net.state_dict()) text += name + " " + to_text(tensor) + "\n";
  EXPECT_EQ(text,
            "conv1.weight f32 [32, 1, 5, 5]\n"
            "conv1.bias f32 [32]\n"
            "conv2.weight f32 [64, 32, 3, 3]\n"
            "conv2.bias f32 [64]\n"
            "fc1.weight f32 [128, 3136]\n"
            "fc1.bias f32 [128]\n"
            "fc2.weight f32 [10, 128]\n"
            "fc2.bias f32 [10]\n");
  EXPECT_EQ(net.parameter_count(), 422154);
  EXPECT_TRUE(net.second_derivative_zero());
  EXPECT_FALSE(net.mixes_samples());
}

TEST(Classifier, LogitsAreALinearMapOfTheFeatures) {
  const ResidentData data(draw_digits(37, 5));
  Classifier net(3);
  net.eval();
  const NoGrad no_grad;
  const Tensor x = data.batch(all(data), DType::f32);
  const Tensor features = net.features(x);
  ASSERT_EQ(features.shape(), (Shape{37, 128}));
  const std::vector<float> f = features.to_vector<float>(), logits = net(x).to_vector<float>();
  const nn::StateDict state = net.state_dict();
  const std::vector<float> w = state[6].second.to_vector<float>(), b = state[7].second.to_vector<float>();
  size_t positive = 0;
  for (const float value : f) {
    EXPECT_GE(value, 0.0f);
    positive += value > 0;
  }
  EXPECT_GT(positive, f.size() / 10);
  for (size_t i = 0; i < 37; ++i) {
    for (size_t c = 0; c < 10; ++c) {
      double expected = b[c];
      for (size_t k = 0; k < 128; ++k) expected += double{w[c * 128 + k]} * f[i * 128 + k];
      EXPECT_NEAR(logits[i * 10 + c], expected, 1e-5);
    }
  }
}

TEST(Classifier, DropsOutInTrainingOnlyAndFromItsOwnSeed) {
  const ResidentData data(draw_digits(5, 5));
  const Generator::State before = default_generator().state();
  Classifier a(3), b(3), c(4);
  EXPECT_EQ(weights_of(a), weights_of(b));
  EXPECT_NE(weights_of(a), weights_of(c));
  const std::vector<float> first = logits_of(a, data), second = logits_of(a, data);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, logits_of(b, data));
  Classifier moved = std::move(b);  // the masks' generator moves along
  EXPECT_EQ(second, logits_of(moved, data));
  a.eval();
  EXPECT_EQ(logits_of(a, data), logits_of(a, data));
  EXPECT_EQ(default_generator().state(), before);
}

TEST(Classifier, AccuracyIsTheShareOfHits) {
  // 301: the last batch is not full. Labels are the classifier's own answers but for every seventh.
  ImageSet set = draw_digits(301, 5);
  Classifier net(3);
  net.eval();
  const std::vector<float> logits = logits_of(net, ResidentData(set));
  int wrong = 0;
  for (size_t i = 0; i < 301; ++i) {
    const float* row = &logits[i * 10];
    const auto answer = static_cast<uint8_t>(std::max_element(row, row + 10) - row);
    set.labels[i] = i % 7 == 0 ? static_cast<uint8_t>((answer + 1) % 10) : answer;
    wrong += i % 7 == 0;
  }
  net.train();
  EXPECT_DOUBLE_EQ(evaluate_accuracy(net, ResidentData(set)), (301.0 - wrong) / 301.0);
  EXPECT_TRUE(net.is_training());
  net.eval();
  evaluate_accuracy(net, ResidentData(set));
  EXPECT_FALSE(net.is_training());
}

TEST(Classifier, LearnsDrawnDigits) {
  const ResidentData train(draw_digits(2000, 1)), held_out(draw_digits(1000, 2));
  Classifier fresh;
  EXPECT_LT(evaluate_accuracy(fresh, held_out), 0.35);
  std::vector<ClassifierEpoch> epochs;
  Classifier net = train_classifier(
      train, {.epochs = 8, .batch = 32, .on_epoch = [&](Classifier& now, const ClassifierEpoch& e) {
                EXPECT_TRUE(now.is_training());
                now.eval();  // the next epoch trains all the same
                epochs.push_back(e);
              }});
  ASSERT_EQ(epochs.size(), 8u);
  EXPECT_EQ(epochs[0].epoch, 1);
  EXPECT_EQ(epochs[7].epoch, 8);
  EXPECT_LT(epochs[7].loss, 0.5 * epochs[0].loss);
  EXPECT_GT(epochs[7].accuracy, epochs[0].accuracy);
  EXPECT_LE(epochs[7].accuracy, 1.0);
  const double accuracy = evaluate_accuracy(net, held_out);
  std::printf("held-out drawn digits: %.2f %%\n", 100 * accuracy);
  EXPECT_GE(accuracy, 0.90);
}

TEST(Classifier, SameSeedSameBitsOnAnyNumberOfThreads) {
  const ResidentData train(draw_digits(200, 1));
  const auto weights = [&](uint64_t seed) {
    return weights_of(train_classifier(train, {.epochs = 2, .batch = 33, .seed = seed}));
  };
  const int before = kernels::threads();
  kernels::set_threads(1);
  const std::vector<float> one = weights(7);
  EXPECT_EQ(one, weights(7));
  EXPECT_NE(one, weights(8));
  for (const int threads : {2, 4}) {
    kernels::set_threads(threads);
    EXPECT_EQ(one, weights(7)) << threads;
  }
  kernels::set_threads(before);
}

TEST(Classifier, HasAsManyClassesAsItIsToldAndComesBackWithThem) {
  ImageSet letters = draw_digits(60, 1);
  for (size_t i = 0; i < letters.labels.size(); ++i) letters.labels[i] = static_cast<uint8_t>(i % 26);
  const ResidentData data(letters);
  EXPECT_NE(error_of([&] {
              train_classifier(data, {.epochs = 1});
            }).find("labels from 0 to 9 for 10 classes, got 25"),
            std::string::npos);
  Classifier net = train_classifier(data, {.epochs = 1, .classes = 26});
  const Scratch scratch;
  save_classifier(scratch / "letters", net);
  Classifier back = load_classifier(scratch / "letters");
  EXPECT_EQ(back.classes(), 26);
  net.eval();
  EXPECT_EQ(logits_of(back, data), logits_of(net, data));
  EXPECT_EQ(logits_of(back, data).size(), 60U * 26U);
}

TEST(Classifier, ComesBackFromAFile) {
  const Scratch scratch;
  const ResidentData data(draw_digits(9, 5));
  Classifier net(3);
  save_classifier(scratch / "a.safetensors", net);
  Classifier loaded = load_classifier(scratch / "a.safetensors");
  EXPECT_FALSE(loaded.is_training());
  net.eval();
  EXPECT_EQ(logits_of(net, data), logits_of(loaded, data));

  EXPECT_TRUE(has(error_of([&] { load_classifier(scratch / "none.safetensors"); }), "none.safetensors"));
  write_safetensors(scratch / "b.safetensors",
                    {.tensors = {{"conv1.weight", Tensor::zeros({3})}}, .metadata = {}});
  const std::string text = error_of([&] { load_classifier(scratch / "b.safetensors"); });
  EXPECT_TRUE(has(text, "b.safetensors")) << text;
  EXPECT_TRUE(has(text, "conv1.weight")) << text;
}

TEST(Classifier, RefusesWhatItCannotLearn) {
  const ImageSet digits = draw_digits(20, 1);
  ImageSet unlabelled = digits, wrong_label = digits;
  const ImageSet small{.count = 1,
                       .height = 4,
                       .width = 4,
                       .images = std::vector<uint8_t>(16),
                       .labels = {0},
                       .source = "small"};
  unlabelled.labels.clear();
  wrong_label.labels[7] = 10;
  const auto error = [](const ImageSet& set, ClassifierOptions options) {
    return error_of([&] { train_classifier(ResidentData(set), options); });
  };
  EXPECT_TRUE(has(error(small, {}), "28 x 28"));
  EXPECT_TRUE(has(error(unlabelled, {}), "labels"));
  EXPECT_TRUE(has(error(wrong_label, {}), "labels"));
  EXPECT_TRUE(has(error(digits, {.epochs = 0}), "epochs"));
  EXPECT_TRUE(has(error(digits, {.batch = 0}), "batch"));
  EXPECT_TRUE(has(error(digits, {.lr = -1}), "lr"));
  EXPECT_TRUE(has(error(digits, {.lr = std::numeric_limits<double>::quiet_NaN()}), "lr"));
  EXPECT_TRUE(has(error(digits, {.epochs = 20, .batch = 5, .lr = 1e30}), "lower lr"));
  Classifier net;
  EXPECT_TRUE(has(error_of([&] { net(Tensor::zeros({2, 1, 28, 27})); }), "[2, 1, 28, 27]"));
}

// How real the drawn digits are. 60,000 of them read more: see gan/README.md.
TEST(Classifier, ReadsMnistAfterDrawnDigitsOnly) {
  const std::filesystem::path mnist = real_mnist();
  if (mnist.empty()) GTEST_SKIP() << "no MNIST here";
  const ResidentData train(draw_digits(10000, 1)), test(load_mnist(mnist, Split::test));
  Classifier net = train_classifier(train, {.epochs = 3, .batch = 64});
  const double accuracy = evaluate_accuracy(net, test);
  std::printf("MNIST after 10,000 drawn digits: %.2f %%\n", 100 * accuracy);
  EXPECT_GE(accuracy, 0.85);
}

}  // namespace
}  // namespace duel::gan
