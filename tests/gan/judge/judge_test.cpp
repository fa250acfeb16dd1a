// The judges: weights that are those of the repository, numbers that are PyTorch's, readings that depend on one
// image alone, names that no other weights share, and a training that is a function of its seed.
#include "duel/gan/judge/judge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/judge/internal/embedded_judges.h"
#include "duel/kernels/base/parallel.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

const JudgeFacts kFacts{.name = "mine",
                        .data = "drawn",
                        .images = 60,
                        .command = "none",
                        .seed = 3,
                        .epochs = 2,
                        .tested_on = "others",
                        .accuracy = 0.5,
                        .date = "2026-01-31"};

std::filesystem::path file_of(const std::string& name) {
  return in_source("gan/judge/weights") / (name + ".safetensors");
}

Tensor drawn(int64_t count, uint64_t seed) {
  const ResidentData data(draw_digits(count, seed));
  return data.batch(data.first(count), DType::f32);
}

std::vector<float> row(const Tensor& x, int64_t i) { return rows(x, i, i + 1).to_vector<float>(); }

class OnThreads {
 public:
  explicit OnThreads(int count) : before_(kernels::threads()) { kernels::set_threads(count); }
  ~OnThreads() { kernels::set_threads(before_); }

 private:
  int before_;
};

TEST(Judge, OwnWeightsAreTheFilesOfTheRepositoryByteForByte) {
  const std::vector<std::string> names = judge_names();
  EXPECT_NE(std::find(names.begin(), names.end(), "mnist-v1"), names.end());
  EXPECT_NE(std::find(names.begin(), names.end(), "digits-v1"), names.end());
  EXPECT_EQ(names.size(), files_in(in_source("gan/judge/weights")));
  for (const EmbeddedJudge& own : embedded_judges()) {
    const Bytes bytes = get(file_of(std::string(own.name)));
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), own.bytes.begin(), own.bytes.end(),
                           [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); }))
        << own.name;
    EXPECT_LE(own.bytes.size(), size_t{1} << 20);
    const Judge judge = load_judge(std::string(own.name));
    EXPECT_EQ(judge.name(), own.name);
    EXPECT_EQ(judge.facts().name, own.name);
    EXPECT_EQ(judge.parameter_count(), 144762);
  }
}

TEST(Judge, ReadsAsPyTorchDoes) {
  const TensorFile golden = read_safetensors(in_source("tests/golden/judges.safetensors"));
  const Tensor images = golden.find("images")->to(DType::f32);
  for (const std::string& name : judge_names()) {
    const Judge judge = load_judge(name);
    const JudgeReading reading = judge.read(images);
    const Tensor *features = golden.find(name + ".features"), *logits = golden.find(name + ".logits");
    ASSERT_TRUE(features && logits) << name << ": make_golden_judges.py has not seen it";
    EXPECT_TRUE(allclose(reading.features.to(DType::f64), *features, 0, 1e-4)) << name;
    EXPECT_TRUE(allclose(reading.logits.to(DType::f64), *logits, 0, 1e-4)) << name;
    EXPECT_TRUE(allclose(judge.probabilities(images).to(DType::f64), softmax(*logits), 0, 1e-4)) << name;
  }
}

TEST(Judge, ReadsMnist) {
  const std::filesystem::path mnist = real_mnist();
  if (mnist.empty()) GTEST_SKIP() << "no MNIST here";
  const JudgeScore score = score_judge(load_judge("mnist-v1"), load_mnist(mnist, Split::test));
  std::printf("mnist-v1 on MNIST's test set: %s %%\n", fixed(100 * score.accuracy, 2).c_str());
  EXPECT_EQ(score.images, 10000);
  EXPECT_GE(score.accuracy, 0.994);
  // Another CPU's rounding may turn an image or two.
  EXPECT_NEAR(score.accuracy, load_judge("mnist-v1").facts().accuracy, 3e-4) << "the file says otherwise";
}

TEST(Judge, ReadsDrawnDigitsOfAnotherSeed) {
  const JudgeScore score = score_judge(load_judge("digits-v1"), draw_digits(3000, 77));
  std::printf("digits-v1 on drawn digits: %s %%\n", fixed(100 * score.accuracy, 2).c_str());
  EXPECT_GE(score.accuracy, 0.99);
}

// 70: more than a batch, and a last one that is not full.
TEST(Judge, AnImagesNumbersDoNotDependOnTheOthers) {
  const Judge judge = load_judge("digits-v1");
  const Tensor images = drawn(70, 5);
  JudgeReading all;
  {
    const OnThreads one(1);
    all = judge.read(images);
  }
  ASSERT_EQ(all.features.shape(), (Shape{70, 96}));
  ASSERT_EQ(all.logits.shape(), (Shape{70, 10}));
  const OnThreads two(2);
  for (const int64_t i : {0, 1, 16, 63, 64, 69}) {
    const JudgeReading alone = judge.read(rows(images, i, i + 1));
    EXPECT_EQ(row(all.features, i), alone.features.to_vector<float>()) << i;
    EXPECT_EQ(row(all.logits, i), alone.logits.to_vector<float>()) << i;
  }
  EXPECT_EQ(judge.read(ResidentData(draw_digits(70, 5))).features.to_vector<float>(),
            all.features.to_vector<float>());
  EXPECT_NE(row(all.features, 0), row(all.features, 1));
}

// A G without a last tanh says 1.3 where its picture has white: the judge sees the picture.
TEST(Judge, SeesValuesBeyondTheRangeAsTheyAreDrawn) {
  const NoGrad no_grad;
  const Judge judge = load_judge("mnist-v1");
  const Tensor wide = Generator(4).normal({3, 1, 28, 28}) * 2.0;
  const JudgeReading raw = judge.read(wide), drawn = judge.read(clamp(wide, -1.0, 1.0));
  EXPECT_TRUE(allclose(raw.features, drawn.features, 0, 0));
  EXPECT_TRUE(allclose(raw.logits, drawn.logits, 0, 0));
}

TEST(Judge, GradientsFlowToTheImagesAndToNothingElse) {
  const Judge judge = load_judge("digits-v1");
  EXPECT_FALSE(judge.features(drawn(3, 5)).requires_grad());
  Tensor images = drawn(3, 5).set_requires_grad(true);
  const Tensor slope = grad({sum(slice(judge.features(images), 0, 1, 2))}, {images})[0];
  EXPECT_EQ(max(abs(rows(slope, 0, 1))).item(), 0);
  EXPECT_GT(max(abs(rows(slope, 1, 2))).item(), 0);
  for (const auto& [name, tensor] : judge.weights()) EXPECT_FALSE(tensor.requires_grad()) << name;
}

TEST(Judge, ComesBackFromAFileAndIsCalledAfterItsWeights) {
  const Scratch scratch;
  const Judge own = load_judge("digits-v1"), mine(own.weights(), kFacts);
  EXPECT_EQ(mine.name().substr(0, 5), "mine-");
  EXPECT_EQ(mine.name().size(), 13U);
  save_judge(scratch / "a.safetensors", mine);
  const Judge back = load_judge(scratch / "a.safetensors");
  EXPECT_EQ(back.name(), mine.name());
  EXPECT_EQ(back.logits(drawn(2, 5)).to_vector<float>(), own.logits(drawn(2, 5)).to_vector<float>());
  EXPECT_TRUE(has(error_of([&] {
                    save_judge(scratch / "b", Judge(own.weights(), {.name = "b", .images = 1, .epochs = 1}));
                  }),
                  "facts with data"));
  const JudgeFacts& f = back.facts();
  EXPECT_EQ(message("{} {} {} {} {} {} {} {} {}", f.name, f.data, f.images, f.command, f.seed, f.epochs,
                    f.tested_on, f.accuracy, f.date),
            "mine drawn 60 none 3 2 others 0.5 2026-01-31");

  // Other weights under an own judge's name are not that judge.
  nn::StateDict changed;
  for (const auto& [name, tensor] : own.weights()) changed.emplace_back(name, tensor.clone());
  changed[1].second.mutable_data<float>()[7] += 1e-3f;
  JudgeFacts facts = kFacts;
  facts.name = "digits-v1";
  EXPECT_EQ(Judge(own.weights(), facts).name(), "digits-v1");
  const std::string other = Judge(changed, facts).name();
  EXPECT_EQ(other.substr(0, 10), "digits-v1-");
  EXPECT_NE(other.substr(10), mine.name().substr(5));
  EXPECT_EQ(load_judge(file_of("digits-v1").string()).name(), "digits-v1");
}

TEST(Judge, CopiesItsWeights) {
  nn::StateDict weights = load_judge("digits-v1").weights();
  for (auto& [name, tensor] : weights) tensor = tensor.clone();
  const Judge judge(weights, kFacts);
  const Tensor images = drawn(2, 5);
  const std::vector<float> before = judge.logits(images).to_vector<float>();
  for (auto& [name, tensor] : weights) tensor.fill_(0);
  EXPECT_EQ(judge.logits(images).to_vector<float>(), before);
}

TEST(Judge, RefusesDamagedFilesAndOtherNetworks) {
  const Scratch scratch;
  const std::filesystem::path path = scratch / "a.safetensors";
  save_judge(path, Judge(load_judge("digits-v1").weights(), kFacts));
  const TensorFile whole = read_safetensors(path);
  const auto error = [&](const TensorFile& file) {
    write_safetensors(path, file);
    const std::string text = error_of([&] { load_judge(path); });
    EXPECT_TRUE(has(text, "a.safetensors")) << text;
    return text;
  };
  const auto without = [&](const std::string& key) {
    TensorFile file = whole;
    std::erase_if(file.metadata, [&](const auto& entry) { return entry.first == key; });
    return file;
  };
  const auto saying = [&](const std::string& key, const std::string& text) {
    TensorFile file = whole;
    for (auto& entry : file.metadata) {
      if (entry.first == key) entry.second = text;
    }
    return file;
  };
  const auto holding = [&](const std::string& name, const Tensor& tensor) {
    TensorFile file = whole;
    std::erase_if(file.tensors, [&](const auto& entry) { return entry.first == name; });
    if (tensor.defined()) file.tensors.emplace_back(name, tensor);
    return file;
  };
  for (const char* key :
       {"name", "data", "images", "command", "seed", "epochs", "tested_on", "accuracy", "date"})
    EXPECT_TRUE(has(error(without(key)), message("does not say '{}'", key))) << key;
  EXPECT_TRUE(has(error(without("network")), "names no network"));
  EXPECT_TRUE(has(error(saying("network", "resnet")), "\"resnet\""));
  EXPECT_TRUE(has(error(saying("name", "a/b")), "\"a/b\""));
  EXPECT_TRUE(has(error(saying("seed", "-1")), "seed"));
  EXPECT_TRUE(has(error(saying("accuracy", "1.5")), "accuracy"));
  EXPECT_TRUE(has(error(saying("epochs", "0")), "1 epoch"));
  EXPECT_TRUE(has(error(holding("conv2.bias", {})), "conv2.bias: expected [32], got no tensor"));
  EXPECT_TRUE(has(error(holding("conv2.bias", Tensor::zeros({33}))), "expected f32 [32], got f32 [33]"));
  EXPECT_TRUE(has(error(holding("fc.bias", Tensor::zeros({10}, {DType::f64, {}}))), "got f64 [10]"));
  EXPECT_TRUE(has(error(holding("extra", Tensor::zeros({1}))), "\"extra\""));
  Tensor nan = Tensor::zeros({10});
  nan.mutable_data<float>()[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(
      has(error(holding("fc.bias", nan)), "fc.bias: expected finite numbers, got another at element 4"));

  write_safetensors(path, whole);
  Bytes bytes = get(path);
  bytes.resize(bytes.size() - 100);
  put(path, bytes);
  EXPECT_TRUE(has(error_of([&] { load_judge(path); }), "a.safetensors"));
  put(path, Bytes(100, 7));
  EXPECT_TRUE(has(error_of([&] { load_judge(path); }), "a.safetensors"));
  const std::string unknown = error_of([] { load_judge("mnist-v9"); });
  EXPECT_TRUE(has(unknown, "digits-v1, mnist-v1, or a file")) << unknown;
  EXPECT_TRUE(has(unknown, "did you mean mnist-v1?")) << unknown;
}

TEST(Judge, RefusesWhatItCannotRead) {
  const Judge judge = load_judge("digits-v1");
  EXPECT_TRUE(has(error_of([&] { judge.read(Tensor::zeros({2, 1, 28, 27})); }), "[2, 1, 28, 27]"));
  EXPECT_TRUE(has(error_of([&] { judge.read(Tensor::zeros({2, 3, 28, 28})); }), "[2, 3, 28, 28]"));
  EXPECT_TRUE(has(error_of([&] { judge.read(Tensor::zeros({0, 1, 28, 28})); }), "[0, 1, 28, 28]"));
  EXPECT_TRUE(has(error_of([&] { judge.read(Tensor::zeros({1, 1, 28, 28}, {DType::f64, {}})); }), "f64"));
  ImageSet digits = draw_digits(20, 1);
  digits.labels[3] = 10;
  EXPECT_TRUE(has(error_of([&] { score_judge(judge, digits); }), "labels from 0 to 9, got 10"));
  digits.labels.clear();
  EXPECT_TRUE(has(error_of([&] { score_judge(judge, digits); }), "20 images and 0 labels"));
}

TEST(Judge, TheScoreCountsHitsAndSaysHowSureItIs) {
  const Judge judge = load_judge("digits-v1");
  ImageSet digits = draw_digits(200, 5);
  const auto answers = argmax(judge.read(ResidentData(digits)).logits).to_vector<int64_t>();
  for (size_t i = 0; i < 200; ++i)
    digits.labels[i] = static_cast<uint8_t>(i % 10 == 0 ? (answers[i] + 1) % 10 : answers[i]);
  const JudgeScore score = score_judge(judge, digits);
  EXPECT_EQ(score.correct, 180);
  EXPECT_DOUBLE_EQ(score.accuracy, 0.9);
  // Wilson 1927: (0.9 + z²/400 ± z sqrt(0.09/200 + z²/160000)) / (1 + z²/200), computed by hand
  EXPECT_NEAR(score.low, 0.850594, 1e-6);
  EXPECT_NEAR(score.high, 0.934330, 1e-6);
  EXPECT_EQ(to_json(score).substr(0, 22), "{\"judge\":\"digits-v1\",\"");
  EXPECT_TRUE(has(to_json(score), "\"images\":200,\"correct\":180,\"accuracy\":0.9,")) << to_json(score);
}

}  // namespace
}  // namespace duel::gan
