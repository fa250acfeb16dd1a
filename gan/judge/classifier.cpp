#include "duel/gan/judge/classifier.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <vector>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/nn/layers/conv2d.h"
#include "duel/nn/layers/dropout.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/optim/optim.h"

namespace duel::gan {
namespace {

enum ClassifierStreams : uint64_t { kFirstWeights = 0, kMasks = 1 };

int64_t count_hits(const Tensor& logits, const Tensor& labels) {
  const auto guess = argmax(logits).to_vector<int64_t>(), label = labels.to_vector<int64_t>();
  return std::inner_product(guess.begin(), guess.end(), label.begin(), int64_t{0}, std::plus<>(),
                            std::equal_to<>());
}

void check_data(const ResidentData& data, int64_t classes) {
  const Shape expected{1, Classifier::side, Classifier::side};
  DUEL_CHECK(data.sample_shape() == expected, "classifier",
             "expected images of {} x {}, got samples of shape {}", Classifier::side, Classifier::side,
             data.sample_shape());
  DUEL_CHECK(data.has_labels(), "classifier", "expected images with labels, got none");
  DUEL_CHECK(data.label_end() <= classes, "classifier", "expected labels from 0 to {} for {} classes, got {}",
             classes - 1, classes, data.label_end() - 1);
}

}  // namespace

Classifier::Classifier(uint64_t seed, int64_t classes)
    : classes_(classes), masks_(std::make_unique<Generator>(seed, kMasks)) {
  Generator weights(seed, kFirstWeights);
  const LendDefaultGenerator lent(weights);
  conv1_ = register_module("conv1", nn::Conv2d(1, 32, 5, {.stride = 2, .padding = 2}));
  conv2_ = register_module("conv2", nn::Conv2d(32, 64, 3, {.stride = 2, .padding = 1}));
  drop1_ = register_module("drop1", nn::Dropout(0.25, *masks_));
  fc1_ = register_module("fc1", nn::Linear(64 * (side / 4) * (side / 4), feature_count));
  drop2_ = register_module("drop2", nn::Dropout(0.5, *masks_));
  fc2_ = register_module("fc2", nn::Linear(feature_count, classes));
}

std::shared_ptr<nn::Module> Classifier::make_like() const {
  auto copy = std::make_shared<Classifier>(/*seed=*/1, classes_);
  copy->masks_->set_state(masks_->state());
  return copy;
}

Tensor Classifier::features(const Tensor& x) {
  DUEL_CHECK(x.rank() == 4 && x.dim(1) == 1 && x.dim(2) == side && x.dim(3) == side, "classifier",
             "expected images [N, 1, {}, {}], got {}", side, side, to_text(x));
  const Tensor maps = relu((*conv2_)(relu((*conv1_)(x))));
  return relu((*fc1_)((*drop1_)(maps.flatten())));
}

Tensor Classifier::forward(const Tensor& x) { return (*fc2_)((*drop2_)(features(x))); }

Classifier train_classifier(const ResidentData& data, const ClassifierOptions& options) {
  DUEL_CHECK(options.classes >= 1, "classifier", "classes: expected at least 1, got {}", options.classes);
  check_data(data, options.classes);
  DUEL_CHECK(options.epochs >= 1, "classifier", "epochs: expected at least 1, got {}", options.epochs);
  DUEL_CHECK(options.batch >= 1, "classifier", "batch: expected at least 1, got {}", options.batch);
  DUEL_CHECK(options.lr > 0 && std::isfinite(options.lr), "classifier",
             "lr: expected a positive number, got {}", options.lr);

  const EnableGrad recording;
  const auto start = std::chrono::steady_clock::now();
  Classifier net(options.seed, options.classes);
  nn::Adam optimizer(net, {.lr = options.lr});
  const std::vector<Tensor> parameters = net.parameters();
  DataOrder order(data.count(), options.seed);
  const double samples = static_cast<double>(data.count()) * static_cast<double>(options.epochs);
  for (int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    double loss_sum = 0;
    int64_t hits = 0;
    for (int64_t done = 0; done < data.count(); done += options.batch) {
      const int64_t n = std::min(options.batch, data.count() - done);
      optimizer.set_lr(options.lr * (1.0 - static_cast<double>(order.position()) / samples));
      const Tensor index = order.next(n), labels = data.labels(index);
      const Tensor logits = net(data.batch(index, DType::f32)), loss = cross_entropy(logits, labels);
      optimizer.step(grad({loss}, parameters));
      const double value = loss.item();
      DUEL_CHECK(std::isfinite(value), "classifier",
                 "the loss is {} after {} samples: expected a lower lr than {}", value, order.position(),
                 options.lr);
      loss_sum += value * static_cast<double>(n);
      hits += count_hits(logits, labels);
    }
    if (options.on_epoch) {
      const double count = static_cast<double>(data.count());
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      options.on_epoch(net, {epoch, loss_sum / count, static_cast<double>(hits) / count, elapsed.count()});
      net.train();
    }
  }
  return net;
}

double evaluate_accuracy(Classifier& classifier, const ResidentData& data) {
  check_data(data, classifier.classes());
  const NoGrad no_grad;
  const nn::EvalMode eval(classifier);
  constexpr int64_t kBatch = 256;
  int64_t hits = 0;
  for (int64_t done = 0; done < data.count(); done += kBatch) {
    std::vector<int64_t> next(static_cast<size_t>(std::min(kBatch, data.count() - done)));
    std::iota(next.begin(), next.end(), done);
    const Tensor index = Tensor::from(next, {static_cast<int64_t>(next.size())});
    hits += count_hits(classifier(data.batch(index, DType::f32)), data.labels(index));
  }
  return static_cast<double>(hits) / static_cast<double>(data.count());
}

void save_classifier(const std::filesystem::path& path, const Classifier& classifier) {
  write_safetensors(path, {.tensors = classifier.state_dict(), .metadata = {{"format", "pt"}}});
}

Classifier load_classifier(const std::filesystem::path& path) {
  const TensorFile file = read_safetensors(path);
  const Tensor* last = file.find("fc2.weight");
  Classifier net(1, last && last->rank() == 2 ? last->dim(0) : 10);
  try {
    net.load_state_dict(file.tensors);
  } catch (const Error& error) {
    fail("classifier", "{}: not a classifier's weights: {}", path.string(), error.what());
  }
  net.eval();
  return net;
}

}  // namespace duel::gan
