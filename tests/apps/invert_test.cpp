// duel invert: images that G drew itself are found again, bit for bit on any number of threads; what is refused.
#include <cmath>
#include <sstream>

#include "duel/core/io/safetensors.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/run/evaluation.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/sampling.h"
#include "tiny_run.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

class Invert : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Scratch;
    // Few latents and an average: G's images lie on a small manifold.
    ASSERT_EQ(duel(tiny_run(run(), {"--latent", "6", "--channels-g", "32", "--ema", "0.9"})).status, 0);
    ASSERT_EQ(duel(tiny_run(*folder_ / "classes", {"--latent", "6", "--objective", "cgan"})).status, 0);
    const gan::LoadedTrainer loaded = gan::load_trainer(run());
    write_images(images(), gan::sample_images(loaded, 5, 3));
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static void write_images(const std::filesystem::path& file, const gan::ImageSet& set) {
    gan::write_idx(file, std::vector<int64_t>{set.count, set.height, set.width}, set.images, true);
  }
  static std::filesystem::path run() { return *folder_ / "run"; }
  static std::filesystem::path images() { return *folder_ / "images-idx3-ubyte"; }
  Args invert(const Args& more = {}) const {
    return with(
        {"invert", images().string(), "--checkpoint", run().string(), "--out", out().string(), "--quiet"},
        more);
  }
  std::filesystem::path out() const { return scratch_ / "latents.safetensors"; }

  inline static Scratch* folder_ = nullptr;
  const Scratch scratch_;
};

TEST_F(Invert, FindsImagesThatGDrewItself) {
  const Result r = duel(invert({"--starts", "8"}));
  ASSERT_EQ(r.status, 0) << r.err;
  const TensorFile file = read_safetensors(out());
  const Tensor *latents = file.find("latents"), *errors = file.find("errors");
  ASSERT_TRUE(latents && errors);
  ASSERT_EQ(latents->shape(), (Shape{5, 6}));
  EXPECT_EQ(file.text("duel"), "latents-1");
  EXPECT_EQ(file.text("iteration"), "20");
  // What is told is what G makes of the latents that are written.
  const gan::LoadedTrainer loaded = gan::load_trainer(run());
  const auto again = loaded.trainer->sample(*latents).to_vector<float>();
  const gan::ImageSet given = gan::sample_images(loaded, 5, 3);
  std::istringstream lines(r.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_TRUE(has(line, "image") && has(line, "error") && has(line, "best start")) << line;
  for (size_t i = 0; i < 5; ++i) {
    double sum = 0;
    for (size_t p = 0; p < 784; ++p) {
      const double x = given.images[784 * i + p] / 127.5 - 1, difference = again[784 * i + p] - x;
      sum += difference * difference;
    }
    const double error = errors->to_vector<float>()[i];
    EXPECT_NEAR(error, sum / 784, 1e-6);
    size_t number = 9;
    double told = 0, start = 0;
    lines >> number >> told >> start;
    EXPECT_EQ(number, i);
    EXPECT_NEAR(told, error, 1e-3 * error);
    EXPECT_LT(error, 0.05 * start) << "the descent found what the starts did not";
    EXPECT_LT(error, 1e-4) << "bytes of pixels round by 1.6e-5 in the mean";
  }
  EXPECT_TRUE(read(scratch_ / "latents.png").starts_with("\x89PNG"));
  EXPECT_TRUE(has(r.out, (scratch_ / "latents.png").string()));
}

TEST_F(Invert, TheSameBitsOnAnyNumberOfThreads) {
  ASSERT_EQ(duel(invert({"--steps", "20"}), {.variables = {{"DUEL_THREADS", "1"}}}).status, 0);
  const std::string latents = read(out()), picture = read(scratch_ / "latents.png");
  ASSERT_EQ(duel(with(invert({"--steps", "20"}), {"--force"}), {.variables = {{"DUEL_THREADS", "3"}}}).status,
            0);
  EXPECT_TRUE(read(out()) == latents);
  EXPECT_TRUE(read(scratch_ / "latents.png") == picture);
  Args other = invert({"--steps", "20", "--seed", "8"});
  other.push_back("--force");
  ASSERT_EQ(duel(other).status, 0);
  EXPECT_FALSE(read(out()) == latents);
}

TEST_F(Invert, AClassIsFoundWithItsImage) {
  const std::filesystem::path classes = *folder_ / "classes";
  const gan::LoadedTrainer loaded = gan::load_trainer(classes);
  gan::LatentGenerators random = gan::sampling_generators(5);
  const gan::SampleGrid grid = gan::class_grid(loaded.trainer->networks().latent, 2, 7, random);
  gan::ImageSet set;
  set.count = 2;
  set.height = set.width = 28;
  set.images = gan::gray_pixels(loaded.trainer->sample(grid.input).to_vector<float>());
  write_images(scratch_ / "sevens", set);
  const Result r = duel({"invert", (scratch_ / "sevens").string(), "--checkpoint", classes.string(), "--out",
                         out().string(), "--quiet"});
  ASSERT_EQ(r.status, 0) << r.err;
  const TensorFile file = read_safetensors(out());
  ASSERT_EQ(file.find("latents")->shape(), (Shape{2, 16}));
  for (int64_t i = 0; i < 2; ++i) {
    const auto row = file.find("latents")->to_vector<float>();
    EXPECT_EQ(row[static_cast<size_t>(16 * i + 6 + 7)], 1.f) << r.out;
  }
  EXPECT_TRUE(has(r.out, "class")) << r.out;
}

TEST_F(Invert, WhatIsRefusedLeavesEverythingAsItWas) {
  const auto refuse = [&](const Args& args, const std::vector<std::string>& parts) {
    const auto before = contents(scratch_.dir());
    expect_refused(duel(args), parts);
    EXPECT_TRUE(contents(scratch_.dir()) == before);
  };
  refuse({"invert", images().string(), "--quiet"}, {"checkpoint: missing"});
  refuse({"invert", "--checkpoint", run().string(), "--quiet"}, {"IMAGES: missing"});
  refuse(with(invert(), {"--checkpoint", (scratch_ / "nowhere").string()}), {"nowhere", "no such file"});
  refuse(with(invert(), {"--count", "0"}), {"count", "got 0"});
  refuse(with(invert(), {"--steps", "0"}), {"steps", "got 0"});
  refuse(with(invert(), {"--starts", "1000"}), {"starts", "got 1000"});
  refuse(with(invert(), {"--lr", "-1"}), {"lr", "-1"});
  refuse(with(invert(), {"--out", (scratch_ / "x.png").string()}), {"x.png", ".safetensors"});
  refuse(with(invert(), {"--picture", (scratch_ / "no" / "x.png").string()}), {"x.png", "No such file"});
  gan::ImageSet small;
  small.count = 1;
  small.height = small.width = 14;
  small.images.assign(196, 0);
  write_images(scratch_ / "small", small);
  refuse({"invert", (scratch_ / "small").string(), "--checkpoint", run().string(), "--out", out().string()},
         {"small", "28x28", "14x14"});
  write(scratch_ / "latents.png", "mine");
  refuse(invert(), {"latents.png", "is there already", "--force"});
}

}  // namespace
}  // namespace duel::apps::testing
