// duel data, and runs on images of every kind: what is read is recorded, and resume, sample, eval and invert go on with it.
#include <gtest/gtest.h>

#include "../command.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/picture/png.h"
#include "tests/source.h"

namespace duel::apps::testing {
namespace {

namespace fs = std::filesystem;
using duel::testing::Bytes;
using duel::testing::in_source;
using duel::testing::put;
using duel::testing::Scratch;

/// A tiny run on DATA.
Args run_on(const fs::path& data, const fs::path& out, const Args& more = {}) {
  return with({"train",
               "--data",
               data.string(),
               "--batch",
               "4",
               "--arch",
               "mlp",
               "--channels-g",
               "8",
               "--channels-d",
               "8",
               "--threads",
               "1",
               "--steps",
               "4",
               "--quiet",
               "--checkpoint-every",
               "2",
               "--diagnose-every",
               "0",
               "--out",
               out.string()},
              more);
}

/// Two classes of colour pictures of many sizes, `each` of them in both halves.
void make_pets(const fs::path& root, int each) {
  for (const std::string half : {"train", "test"})
    for (const std::string name : {"cat", "dog"})
      for (int i = 0; i < each; ++i) {
        const int64_t height = 20 + i % 5, width = 30 - i % 7;
        Bytes pixels(static_cast<size_t>(3 * height * width));
        for (size_t p = 0; p < pixels.size(); ++p)
          pixels[p] = static_cast<uint8_t>(p * (name == "cat" ? 3 : 5) +
                                           static_cast<size_t>(i) * (half == "train" ? 17 : 23));
        fs::create_directories(root / half / name);
        gan::write_png_rgb(root / half / name / (std::to_string(i) + ".png"), width, height, pixels);
      }
}

TEST(DataCommand, WithoutAnArgumentSaysWhatWouldBeUsed) {
  const Scratch scratch;
  const Args small = {"data", "--json"};
  Result r = duel({"data"}, {.cwd = scratch.dir()});
  EXPECT_EQ(r.status, 0) << r.err;
  for (const char* part : {"drawn digits", "$DUEL_DATA is not set, data/mnist is not there", "28x28"})
    EXPECT_TRUE(has(r.out, part)) << r.out;
  fs::create_directories(scratch / "data/mnist");
  gan::write_mnist(scratch / "data/mnist", gan::Split::train, gan::draw_digits(20, 3), false);
  r = duel(small, {.cwd = scratch.dir()});
  EXPECT_TRUE(has(r.out, "\"data\":\"data/mnist\"") && has(r.out, "\"count\":20") &&
              has(r.out, "data/mnist is there"))
      << r.out;
  EXPECT_EQ(occurrences(r.out, "\n"), 1U);
  fs::create_directories(scratch / "other");
  gan::write_mnist(scratch / "other", gan::Split::train, gan::draw_digits(10, 3), false);
  r = duel(small, {.cwd = scratch.dir(), .variables = {{"DUEL_DATA", "other"}}});
  EXPECT_TRUE(has(r.out, "$DUEL_DATA says so") && has(r.out, "\"count\":10")) << r.out;
}

TEST(DataCommand, PicturesGridAndRefusals) {
  const Scratch scratch;
  make_pets(scratch / "pets", 3);
  const std::string pets = (scratch / "pets").string(), grid = (scratch / "grid.png").string();
  expect_refused(duel({"data", pets}), {"one size", "--resize"});
  Result r = duel({"data", pets, "--resize", "16", "--out", grid, "--count", "4"});
  EXPECT_EQ(r.status, 0) << r.err;
  for (const char* part : {"folders of pictures, one for each class", "16x16x3", "0 cat", "1 dog"})
    EXPECT_TRUE(has(r.out, part)) << r.out;
  EXPECT_TRUE(read(grid).starts_with("\x89PNG"));
  expect_refused(duel({"data", pets, "--resize", "16", "--out", grid}), {"--out", "--force"});
  expect_refused(duel({"data", pets, "--resize", "16", "--data-classes", "cow"}),
                 {"data-classes", "cat, dog", "\"cow\""});
  expect_refused(duel({"data", pets, "--resize", "5000"}), {"resize", "4096"});
  expect_refused(duel({"data", (scratch / "none").string()}), {"none", "no such folder or file"});
  r = duel({"data", pets, "--resize", "16"},
           {.variables = {{"TERM", "xterm-256color"}, {"LANG", "C.UTF-8"}}, .terminal = true});
  EXPECT_TRUE(has(r.err, "▀")) << "a picture on a terminal";
  EXPECT_FALSE(has(r.out, "▀"));
}

TEST(RunsOnImages, OfEveryKind) {
  const Scratch scratch;
  make_pets(scratch / "pets", 3);
  Bytes cifar;
  for (int i = 0; i < 4; ++i) {
    cifar.push_back(static_cast<uint8_t>(i));
    for (int p = 0; p < 3072; ++p) cifar.push_back(static_cast<uint8_t>(p * (i + 3)));
  }
  fs::create_directories(scratch / "cifar");
  put(scratch / "cifar/data_batch_1.bin", cifar);
  const fs::path images = in_source("tests/golden/images");
  struct Kind {
    fs::path data;
    Args more;
    const char* says;
  };
  const std::vector<Kind> kinds = {
      {images / "stored.npz", {}, "4 images of 6x5x3"},
      {images / "stored.npz", {"--objective", "acgan"}, "classes   3: 0,3,7"},
      {images / "guided.npz", {"--gray"}, "4 images of 6x5:"},
      {images / "signed.npy", {"--resize", "8", "--arch", "dcgan"}, "4 images of 8x8x3"},
      {scratch / "cifar", {"--objective", "cgan", "--arch", "dcgan"}, "airplane, automobile, bird, cat"},
      {scratch / "cifar/data_batch_1.bin", {"--data-classes", "0-2", "--batch", "2"}, "3 images of 32x32x3"},
      {scratch / "pets", {"--resize", "12", "--objective", "projection"}, "classes   2: cat, dog"},
      {scratch / "pets",
       {"--resize", "12", "--gray", "--data-classes", "dog", "--batch", "3"},
       "3 images of 12x12:"},
  };
  for (const Kind& kind : kinds) {
    Args args = run_on(kind.data, scratch / "plan", with({"--dry-run"}, kind.more));
    std::erase(args, "--quiet");
    const Result r = duel(args);
    EXPECT_EQ(r.status, 0) << kind.data << r.err;
    EXPECT_TRUE(has(r.out, kind.says)) << r.out << kind.says;
  }
  expect_refused(duel(run_on(images / "guided.npz", scratch / "x", {"--objective", "cgan"})),
                 {"cgan", "no labels", "labels from 0 to 255"});
  expect_refused(duel(run_on(images / "stored.npz", scratch / "x", {"--classes", "3,8"})),
                 {"--data-classes 3,8"});
  EXPECT_FALSE(fs::exists(scratch / "x"));
}

TEST(RunsOnImages, AreRecordedAndGoOn) {
  const Scratch scratch;
  make_pets(scratch / "pets", 4);
  const fs::path run = scratch / "run", whole = scratch / "whole";
  const Args options = {"--resize", "12", "--gray", "--data-classes", "cat,dog", "--objective", "cgan"};
  ASSERT_EQ(duel(run_on(scratch / "pets", whole, with(options, {"--steps", "8"}))).status, 0);
  Result r = duel(run_on(scratch / "pets", run, options));
  ASSERT_EQ(r.status, 0) << r.err;
  const std::string config = read(run / "config.json");
  for (const char* part :
       {"\"resize\": 12", "\"gray\": true", "\"data-classes\": \"cat,dog\"", "\"class-words\": \"cat/dog\""})
    EXPECT_TRUE(has(config, part)) << config;
  r = duel({"train", "--resume", "--out", run.string(), "--steps", "8", "--quiet"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(read(run / "samples/fakes_000008.png"), read(whole / "samples/fakes_000008.png"));
  ASSERT_EQ(duel({"train", "--fork", run.string() + "@4", "--steps", "6", "--quiet", "--out",
                  (scratch / "fork").string()})
                .status,
            0);
  const auto sample = [&](const std::string& word, const std::string& file) {
    return duel({"sample", "--checkpoint", run.string(), "--class", word, "--count", "8", "--out",
                 (scratch / file).string()});
  };
  ASSERT_EQ(sample("dog", "word.png").status, 0);
  ASSERT_EQ(sample("1", "label.png").status, 0);
  EXPECT_EQ(read(scratch / "word.png"), read(scratch / "label.png"));
  expect_refused(sample("cow", "x.png"), {"class", "cat, dog", "cow"});
  expect_refused(duel({"train", "--resume", "--out", run.string(), "--steps", "9", "--resize", "14"}),
                 {"height: expected images of 12", "have 14"});
  fs::rename(scratch / "pets/train/dog", scratch / "pets/train/horse");
  fs::rename(scratch / "pets/test/dog", scratch / "pets/test/horse");
  expect_refused(duel({"train", "--resume", "--out", run.string(), "--steps", "9"}), {"dog", "cat, horse"});
  // G's images are gray and of 12 pixels: others are brought to that.
  const std::string cats = (scratch / "pets/train/cat").string(), z = (scratch / "z.safetensors").string();
  expect_refused(duel({"invert", cats, "--checkpoint", run.string(), "--out", z}), {"--resize"});
  r = duel({"invert", cats, "--checkpoint", run.string(), "--out", z, "--resize", "12", "--steps", "2",
            "--starts", "2"});
  EXPECT_EQ(r.status, 0) << r.err;
}

TEST(RunsOnImages, AreJudgedAtTheJudgesSize) {
  const Scratch scratch;
  make_pets(scratch / "pets", 15);
  ASSERT_EQ(duel(run_on(scratch / "pets", scratch / "run", {"--resize", "28", "--gray"})).status, 0);
  const Args eval = {"eval",   (scratch / "run").string(), "--count", "30", "--threads", "1", "--json",
                     "--quiet"};
  const Result r = duel(eval);
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "fd-mnist-v1")) << r.out;
  const std::string pets = (scratch / "pets").string();
  EXPECT_TRUE(has(duel(with(eval, {"--against", pets, "--resize", "28", "--gray"})).out, "fd-mnist-v1"));
  expect_refused(duel(with(eval, {"--against", pets})), {"28x28", "--resize"});
  expect_refused(duel(with(eval, {"--data", (scratch / "pets/train").string()})),
                 {"no test images", "--against SET"});
}

}  // namespace
}  // namespace duel::apps::testing
