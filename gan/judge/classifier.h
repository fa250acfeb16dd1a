// A small digit classifier: it judges how real drawn and generated digits are, and is the example of plain
// supervised learning with the library.
//
// Two convolutions of stride 2, a hidden layer of 128, ten classes unless told otherwise: 422,154 parameters,
// 1.5 million multiplications an image, a sixteenth of the usual Keras network's. Sets of samples are
// compared in its hidden layer (features()).
//
// Limits: 28x28 gray images in [-1, 1], f32, CPU.
//
// Note [What a trained classifier is a function of]
// Of data, options and seed: first weights, order and dropout masks come from streams of that seed, and the
// weights have the same bits on any number of threads.
//
// Example:
//   Classifier judge = train_classifier(ResidentData(load_mnist(dir, Split::train)), {.epochs = 8});
//   double share = evaluate_accuracy(judge, ResidentData(load_mnist(dir, Split::test)));   // 0.991
//   judge.eval();
//   NoGrad no_grad;
//   Tensor classes = argmax(judge(fakes)), points = judge.features(fakes);                 // i64 [N], f32 [N, 128]
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "duel/core/tensor/random.h"
#include "duel/gan/data/resident_data.h"
#include "duel/nn/module/module.h"

namespace duel::gan {

/// Keys of the state dict: {conv1, conv2, fc1, fc2}.{weight, bias}, as a PyTorch module with these layers has
/// them.
class Classifier : public nn::Module {
 public:
  static constexpr int64_t side = 28, feature_count = 128;

  /// Fresh weights, PyTorch's defaults; `seed` also decides the dropout masks.
  explicit Classifier(uint64_t seed = 1, int64_t classes = 10);
  int64_t classes() const { return classes_; }
  /// x [N, 1, 28, 28] to logits [N, classes]; with dropout while training (see eval()).
  Tensor forward(const Tensor& x) override;
  /// The hidden layer after its ReLU, [N, 128]; before the dropout that follows it.
  Tensor features(const Tensor& x);
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }

 protected:
  /// Its dropout goes on from where this one's stands.
  std::shared_ptr<nn::Module> make_like() const override;

 private:
  int64_t classes_;
  std::unique_ptr<Generator> masks_;  // the dropout layers hold its address
  std::shared_ptr<nn::Module> conv1_, conv2_, drop1_, fc1_, drop2_, fc2_;
};

struct ClassifierEpoch {
  int64_t epoch;          // from 1
  double loss, accuracy;  // means over the epoch's samples, with dropout, while the weights move
  double seconds;         // since training began
};

struct ClassifierOptions {
  int64_t epochs = 8;
  int64_t batch = 128;  // the last one of an epoch may be smaller
  double lr = 2e-3;     // Adam's at the start; falls linearly to 0
  uint64_t seed = 1;
  int64_t classes = 10;  // labels are numbers below it (class_names.h)
  /// Called after every epoch; may evaluate the classifier.
  std::function<void(Classifier&, const ClassifierEpoch&)> on_epoch = {};
};

/// Minimises cross_entropy over labelled images. Error for images of another size, labels that are no class,
/// options out of range and a loss that is not finite.
Classifier train_classifier(const ResidentData& data, const ClassifierOptions& options = {});

/// Share of images whose largest logit is the label's, 0 to 1, without dropout. The classifier's mode is
/// kept.
double evaluate_accuracy(Classifier& classifier, const ResidentData& data);

/// Weights as one safetensors file, written atomically; read back whole or not at all: Error names file and
/// cause.
void save_classifier(const std::filesystem::path& path, const Classifier& classifier);
Classifier load_classifier(const std::filesystem::path& path);

}  // namespace duel::gan
