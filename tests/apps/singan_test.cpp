// duel singan: a picture in, pictures of other sizes out, and nothing of the user's written over.
#include <gtest/gtest.h>

#include <filesystem>

#include "command.h"
#include "duel/gan/picture/png.h"
#include "tests/files.h"

namespace duel::apps::testing {
namespace {

namespace fs = std::filesystem;
using duel::testing::has;

class SinganCommand : public ::testing::Test {
 protected:
  SinganCommand() : folder_(fs::path(::testing::TempDir()) / ("singan_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    std::vector<uint8_t> pixels(24 * 16, 20);
    for (size_t i = 0; i < pixels.size(); i += 7) pixels[i] = 230;
    gan::write_png_gray(folder_ / "in.png", 24, 16, pixels);
  }
  ~SinganCommand() override { fs::remove_all(folder_); }
  std::string at(const char* name) const { return (folder_ / name).string(); }
  fs::path folder_;
};

TEST_F(SinganCommand, TrainsSamplesAndSamplesAgain) {
  const Result r = duel({"singan", at("in.png"), "--out", at("a"), "--steps", "3", "--smallest", "12",
                         "--channels", "4", "--count", "3", "--quiet"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "3 samples of 16 x 24")) << r.out;
  EXPECT_TRUE(has(r.out, "3 samples of 16 x 48")) << r.out;
  for (const char* file : {"a/singan.safetensors", "a/reconstruction.png", "a/samples.png", "a/wide.png"})
    EXPECT_TRUE(fs::exists(folder_ / file)) << file;
  const Result more = duel(
      {"singan", at("a/singan.safetensors"), "--height", "20", "--width", "40", "--out", at("b"), "--quiet"});
  ASSERT_EQ(more.status, 0) << more.err;
  EXPECT_TRUE(has(more.out, "8 samples of 20 x 40")) << more.out;
  EXPECT_FALSE(fs::exists(folder_ / "b/wide.png"));
}

TEST_F(SinganCommand, SaysWhatIsWrongInOneLine) {
  const auto refused = [&](const std::vector<std::string>& arguments, const char* part) {
    const Result r = duel(arguments);
    EXPECT_EQ(r.status, 2) << r.out << r.err;
    EXPECT_TRUE(has(r.err, part)) << r.err;
    EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
  };
  refused({"singan"}, "expected a PNG");
  refused({"singan", at("none.png"), "--out", at("c")}, "none.png");
  refused({"singan", at("in.png"), "--out", folder_.string()}, "is there already");
  refused({"singan", at("in.png"), "--out", at("c"), "--size", "4"}, "--size");
  refused({"singan", at("in.png"), "--out", at("c"), "--steps", "0"}, "step");
  EXPECT_FALSE(fs::exists(folder_ / "c"));
}

}  // namespace
}  // namespace duel::apps::testing
