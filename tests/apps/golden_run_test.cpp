// Runs that Duel 0.1.0 left behind (tests/golden/runs-0.1.0) go on: they resume, sample and plot as they did.
#include <algorithm>
#include <cmath>

#include "command.h"
#include "duel/core/io/safetensors.h"
#include "tests/source.h"
#include "tests/stb_image.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

class GoldenRun : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path golden() const {
    return duel::testing::in_source("tests/golden/runs-0.1.0") / GetParam();
  }
  /// A copy that may be written to.
  std::filesystem::path copy() const {
    std::filesystem::copy(golden(), scratch_ / "run", std::filesystem::copy_options::recursive);
    return scratch_ / "run";
  }
  Scratch scratch_;
};

std::vector<double> weights(const std::filesystem::path& checkpoint) {
  std::vector<double> all;
  for (const auto& [name, tensor] : read_safetensors(checkpoint).tensors) {
    if (!name.starts_with("g.") && !name.starts_with("d.")) continue;
    const auto values = tensor.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

double mean_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double sum = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(std::max<size_t>(a.size(), 1));
}

std::vector<uint8_t> pixels(const std::filesystem::path& file) {
  int width = 0, height = 0, channels = 0;
  uint8_t* data = stbi_load(file.c_str(), &width, &height, &channels, 1);
  if (data == nullptr) return {};
  std::vector<uint8_t> all(data, data + width * height);
  stbi_image_free(data);
  return all;
}

// Another vector width rounds sums otherwise, so weights agree nearly; moments, generators or an order that
// were lost would show as a difference of the size of the six steps themselves.
TEST_P(GoldenRun, ResumedFromTheMiddleItEndsWhereItEnded) {
  const auto run = copy();
  std::filesystem::remove(run / "checkpoints/step_00000012.safetensors");
  const Result resumed = duel({"train", "--resume", "--out", run.string(), "--quiet"});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  const auto before = weights(golden() / "checkpoints/step_00000006.safetensors");
  const auto end = weights(golden() / "checkpoints/step_00000012.safetensors");
  const auto now = weights(run / "checkpoints/step_00000012.safetensors");
  EXPECT_LT(mean_difference(now, end), 0.01 * mean_difference(before, end));
}

TEST_P(GoldenRun, GoesOnFromItsEnd) {
  const auto run = copy();
  const Result resumed = duel({"train", "--resume", "--out", run.string(), "--steps", "14", "--quiet"});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_FALSE(read(run / "checkpoints/step_00000014.safetensors").empty());
  const std::string before = read(golden() / "metrics.jsonl");
  EXPECT_EQ(read(run / "metrics.jsonl").substr(0, before.size()), before) << "lines of the old run are kept";
  EXPECT_EQ(duel({"plot", run.string()}).status, 0);
}

TEST_P(GoldenRun, DrawsTheSamplesThatItDrew) {
  const auto picture = scratch_ / "sample.png";
  const Result drawn = duel({"sample", "--checkpoint", golden().string(), "--seed", "7", "--count", "16",
                             "--out", picture.string()});
  ASSERT_EQ(drawn.status, 0) << drawn.err;
  const auto then = pixels(golden() / "sample.png"), now = pixels(picture);
  ASSERT_FALSE(then.empty());
  ASSERT_EQ(then.size(), now.size());
  int worst = 0;
  for (size_t i = 0; i < then.size(); ++i) worst = std::max(worst, std::abs(int{then[i]} - int{now[i]}));
  EXPECT_LE(worst, 2);
}

INSTANTIATE_TEST_SUITE_P(From010, GoldenRun, ::testing::Values("acgan", "r1", "sngan", "wgan-gp"),
                         [](const auto& run) {
                           std::string name = run.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace duel::apps::testing
