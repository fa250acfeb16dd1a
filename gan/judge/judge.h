// Judge: a fixed network with a version that reads 28x28 gray images. Sets of samples are compared in its
// features, and modes are counted by its classes; the measure that does so carries the judge's name, because
// another judge measures something else.
//
// The weights of Duel's own judges are part of the library (gan/judge/weights/, gan/judge/README.md):
//   mnist-v1    trained on MNIST's 60,000 training images
//   digits-v1   trained on 60,000 drawn digits (drawn_digits.h)
//
// Limits: 28x28 gray images in [-1, 1], f32; 10 classes, 96 features. A GPU multiplies as TF32 unless that is
// switched off (kernels/linear/device_library.h), which moves the third or fourth digit.
//
// Note [A reading is a function of one image]
// The network is the folded one: batch norms are part of the weights. Images are always read in batches of
// kJudgeBatch, the last one filled up with blank images, so that no kernel is chosen by how many there are: an
// image's numbers have the same bits whatever stands beside it, on any number of threads.
//
// Example:
//   const Judge judge = load_judge("mnist-v1");
//   JudgeReading fakes = judge.read(images);                       // features [N, 96], logits [N, 10]
//   Tensor classes = argmax(fakes.logits);
//   JudgeScore score = score_judge(judge, load_mnist(dir, Split::test));   // accuracy 0.995
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "duel/gan/data/resident_data.h"
#include "duel/nn/module/module.h"

namespace duel::gan {

/// What a judge's file says of it.
struct JudgeFacts {
  std::string name = {};     // "mnist-v1"
  std::string data = {};     // what it was trained on
  int64_t images = 0;        // so many of them
  std::string command = {};  // that trained it
  uint64_t seed = 0;
  int64_t epochs = 0;
  std::string tested_on = {};  // other images
  double accuracy = 0;         // share of those read as their labels, 0 to 1
  std::string date = {};       // when it was trained, "2026-01-31"
};

/// Error unless it is 1 to 64 letters, digits, '-', '_' and '.': it stands in keys and in names of files.
void check_judge_name(const std::string& name);

struct JudgeReading {
  Tensor features;  // f32 [N, Judge::feature_count], none below 0
  Tensor logits;    // f32 [N, Judge::classes]
};

class Judge {
 public:
  static constexpr int64_t side = 28, classes = 10, feature_count = 96;

  /// conv1.weight [24, 1, 3, 3], conv1.bias [24] and so on to conv4, fc.weight [10, 96], fc.bias [10], f32, and
  /// nothing else; copies are kept. Error that names what is missing, too much, of another shape or not finite.
  Judge(const nn::StateDict& weights, JudgeFacts facts);

  /// What measures call it: "mnist-v1" of Duel's own judges. Of any other weights the facts' name and a
  /// checksum of them, "mine-5f3a9c21": two judges never share a name.
  const std::string& name() const { return name_; }
  const JudgeFacts& facts() const { return facts_; }
  const nn::StateDict& weights() const { return weights_; }
  int64_t parameter_count() const;
  Device device() const;
  /// The same judge there.
  Judge to(Device device) const;

  /// images f32 [N, 1, 28, 28], N >= 1, on the judge's device. Gradients flow to images that want them; the
  /// weights are fixed. Values beyond -1 and 1 are read as they are drawn, as -1 and 1. Note [A reading is a function of one image].
  JudgeReading read(const Tensor& images) const;
  /// All images of a set, wherever they lie, without gradients.
  JudgeReading read(const ResidentData& data) const;
  Tensor logits(const Tensor& images) const { return read(images).logits; }
  Tensor features(const Tensor& images) const { return read(images).features; }
  /// softmax of the logits, [N, classes].
  Tensor probabilities(const Tensor& images) const;

 private:
  nn::StateDict weights_;
  JudgeFacts facts_;
  std::string name_;
};

inline constexpr int64_t kJudgeBatch = 64;

/// The layers as a text, "conv1 24 3x3, relu, conv2 …": a judge's file holds it, and must hold this one.
std::string judge_network();

/// Duel's own judges, by name.
std::vector<std::string> judge_names();

/// One of judge_names(), or a file of save_judge(). Error for a name that there is none of, and for a file that is
/// damaged, or holds another network's weights.
Judge load_judge(const std::string& name_or_file);

/// Weights and facts as one safetensors file, written atomically. Error where a fact is missing.
void save_judge(const std::filesystem::path& path, const Judge& judge);

/// Error unless these are gray images of 28x28 with labels 0 to 9.
void check_judged(const ImageSet& images);

struct JudgeScore {
  std::string judge, data;  // names
  int64_t images = 0, correct = 0;
  double accuracy = 0;       // correct / images
  double low = 0, high = 0;  // Wilson's 95 % interval of it (Wilson 1927)
};

/// How many the judge reads as their labels; see check_judged().
JudgeScore score_judge(const Judge& judge, const ImageSet& images);

/// One line of JSON.
std::string to_json(const JudgeScore& score);

}  // namespace duel::gan
