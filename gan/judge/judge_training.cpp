#include "duel/gan/judge/judge_training.h"

#include <algorithm>
#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/judge/internal/distortion.h"
#include "duel/gan/judge/internal/judge_network.h"
#include "duel/kernels/base/parallel.h"
#include "duel/nn/layers/conv2d.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/norm/batch_norm.h"
#include "duel/nn/optim/optim.h"

namespace duel::gan {
namespace {

constexpr const char* kTraining = "judge";
enum TrainingStreams : uint64_t { kPupilWeights = 0, kDistortions = 1 };

/// The judge's network with a batch norm in place of every convolution's bias.
class Pupil : public nn::Module {
 public:
  Pupil() {
    for (const JudgeLayer& layer : kJudgeLayers) {
      const nn::Conv2dOptions options{.stride = layer.stride, .padding = layer.padding, .bias = false};
      convs_.push_back(register_module(layer.name, nn::Conv2d(layer.in, layer.out, layer.kernel, options)));
      norms_.push_back(register_module(message("{}_norm", layer.name), nn::BatchNorm2d(layer.out)));
    }
    fc_ = register_module("fc", nn::Linear(Judge::feature_count, Judge::classes));
  }

  Tensor forward(const Tensor& x) override {
    Tensor maps = (x + 1.0) * 0.5;
    for (size_t i = 0; i < convs_.size(); ++i) maps = relu((*norms_[i])((*convs_[i])(maps)));
    return (*fc_)(mean(maps, {2, 3}));
  }

  /// In evaluation y = (w x - mean) gain / sqrt(var + eps) + bias: a convolution with other weights and a bias.
  nn::StateDict folded() const {
    nn::StateDict state;
    for (size_t i = 0; i < convs_.size(); ++i) {
      const nn::BatchNorm2d& norm = *norms_[i];
      const std::vector<double> gain = norm.weight.to_vector<double>(), bias = norm.bias.to_vector<double>(),
                                middle = norm.running_mean.to_vector<double>(),
                                variance = norm.running_var.to_vector<double>();
      std::vector<float> weight = convs_[i]->weight.to_vector<float>(), shift(gain.size());
      const size_t taps = weight.size() / gain.size();
      for (size_t channel = 0; channel < gain.size(); ++channel) {
        const double factor = gain[channel] / std::sqrt(variance[channel] + norm.options.eps);
        for (size_t k = channel * taps; k < (channel + 1) * taps; ++k)
          weight[k] = static_cast<float>(factor * weight[k]);
        shift[channel] = static_cast<float>(bias[channel] - middle[channel] * factor);
      }
      const std::string name = kJudgeLayers[i].name;
      state.emplace_back(name + ".weight", Tensor::from(weight, convs_[i]->weight.shape()));
      state.emplace_back(name + ".bias", Tensor::from(shift, norm.bias.shape()));
    }
    state.emplace_back("fc.weight", fc_->weight.detach().clone());
    state.emplace_back("fc.bias", fc_->bias.detach().clone());
    return state;
  }

 private:
  std::vector<std::shared_ptr<nn::Conv2d>> convs_;
  std::vector<std::shared_ptr<nn::BatchNorm2d>> norms_;
  std::shared_ptr<nn::Linear> fc_;
};

void check(const ImageSet& images, const JudgeOptions& options) {
  check_judged(images);
  DUEL_CHECK(options.epochs >= 1, kTraining, "epochs: expected at least 1, got {}", options.epochs);
  DUEL_CHECK(options.batch >= 2, kTraining, "batch: expected at least 2, got {}", options.batch);
  DUEL_CHECK(options.lr > 0 && std::isfinite(options.lr), kTraining, "lr: expected a positive number, got {}",
             options.lr);
  DUEL_CHECK(options.bend >= 0 && options.bend < 0.5, kTraining,
             "bend: expected a number from 0 to below 0.5, got {}", options.bend);
  DUEL_CHECK(options.shift >= 0 && options.shift <= 14, kTraining, "shift: expected 0 to 14 pixels, got {}",
             options.shift);
}

/// Images of the set by index, each with six numbers in [-1, 1) that say how it is distorted.
Tensor distorted(const ImageSet& images, const std::vector<int64_t>& index, const std::vector<float>& dice,
                 const JudgeOptions& options) {
  const Tensor batch = Tensor::empty({std::ssize(index), 1, images.height, images.width});
  float* const out = batch.mutable_data<float>();
  const int64_t pixels = images.height * images.width;
  const auto bend = static_cast<float>(options.bend), shift = static_cast<float>(options.shift);
  kernels::parallel_for(std::ssize(index), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* d = &dice[static_cast<size_t>(6 * i)];
      distort(&images.images[static_cast<size_t>(index[static_cast<size_t>(i)] * pixels)], images.height,
              images.width, {bend * d[0], bend * d[1], bend * d[2], bend * d[3], shift * d[4], shift * d[5]},
              out + i * pixels);
    }
  });
  return batch;
}

}  // namespace

std::optional<nn::StateDict> train_judge(const ImageSet& images, const JudgeOptions& options) {
  check(images, options);
  const EnableGrad recording;
  Generator first(options.seed, kPupilWeights), dice(options.seed, kDistortions);
  std::optional<Pupil> pupil;
  {
    const LendDefaultGenerator lent(first);
    pupil.emplace();
  }
  nn::Adam optimizer(*pupil, {.lr = options.lr});
  const std::vector<Tensor> parameters = pupil->parameters();
  DataOrder order(images.count, options.seed);
  const int64_t samples = images.count * options.epochs;
  JudgeStep at{.step = 0, .steps = (samples + options.batch - 1) / options.batch, .epoch = 1};
  double loss_sum = 0, hits = 0, seen = 0;
  while (at.step < at.steps) {
    const int64_t done = at.step * options.batch;
    if (done / images.count + 1 != at.epoch) {
      at.epoch = done / images.count + 1;
      loss_sum = hits = seen = 0;
    }
    optimizer.set_lr(options.lr * (1.0 - static_cast<double>(done) / static_cast<double>(samples)));
    const std::vector<int64_t> index = order.next(options.batch).to_vector<int64_t>();
    std::vector<int64_t> label;
    for (const int64_t i : index) label.push_back(images.labels[static_cast<size_t>(i)]);
    const std::vector<float> draws = dice.uniform({options.batch, 6}, -1.0, 1.0).to_vector<float>();
    const Tensor logits = (*pupil)(distorted(images, index, draws, options)),
                 loss = cross_entropy(logits, Tensor::from(label, {options.batch}));
    optimizer.step(grad({loss}, parameters));

    const double value = loss.item();
    DUEL_CHECK(std::isfinite(value), kTraining, "the loss is {} after {} steps: expected a lower lr than {}",
               value, at.step + 1, options.lr);
    const std::vector<int64_t> guess = argmax(logits).to_vector<int64_t>();
    for (size_t i = 0; i < guess.size(); ++i) hits += guess[i] == label[i];
    loss_sum += value * static_cast<double>(options.batch);
    seen += static_cast<double>(options.batch);
    ++at.step;
    at.loss = loss_sum / seen;
    at.accuracy = hits / seen;
    if (options.on_step && !options.on_step(at)) return std::nullopt;
  }
  return pupil->folded();
}

}  // namespace duel::gan
