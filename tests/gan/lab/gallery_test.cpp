// The gallery trains what is missing, keeps what is finished, and refuses rows of another request.
#include "duel/gan/lab/gallery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/judge/classifier.h"
#include "duel/gan/lab/internal/result_store.h"
#include "duel/kernels/base/parallel.h"
#include "tests/gan/files.h"

namespace duel::gan::lab {
namespace {

using duel::testing::text_of;
GalleryRequest small_request(const std::filesystem::path& out) {
  GalleryRequest request{
      .objectives = {"ns-gan", "hinge"}, .steps = {0, 3}, .shown = 16, .judged = 32, .out = out};
  request.config.data = "synthetic";
  request.config.synthetic_count = 200;
  request.config.batch = 8;
  request.config.networks.arch = "mlp";
  request.config.networks.channels_g = request.config.networks.channels_d = 8;
  return request;
}

/// Everything that is told, a line each.
class Told : public LabObserver {
 public:
  void said(const std::string& line) override { lines.push_back(line); }
  void finished(const std::string& run, const std::string& found, double, int64_t) override {
    const std::scoped_lock lock(mutex_);
    lines.push_back(run + ": " + found);
  }
  void taken(const std::string& run, const std::string&) override { lines.push_back(run + ": taken"); }
  std::vector<std::string> lines;

 private:
  std::mutex mutex_;
};

TEST(Gallery, KeepsFinishedRowsAndDoesNotDependOnThreads) {
  const duel::testing::Scratch scratch;
  const std::filesystem::path out = scratch / "gallery";
  const GalleryRequest request = small_request(out);
  Told tell;
  std::vector<std::string>& told = tell.lines;

  const auto rows = make_gallery(request, tell).rows;
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(told.size(), 1u + 4u + 2u) << "the judge, its epochs, and two rows";
  for (const GalleryRow& row : rows) {
    EXPECT_EQ(row.failure, "");
    ASSERT_EQ(row.cells.size(), 2u);
    EXPECT_EQ(row.cells[1].step, 3);
  }
  const Tensor strips = *read_safetensors(out / "runs" / "hinge.safetensors").find("strips");
  EXPECT_EQ(strips.shape(), (Shape{2, 2 * 30 + 2, 8 * 30 + 2}));
  const auto pixels = strips.to_vector<uint8_t>();
  EXPECT_NE(
      std::vector<uint8_t>(pixels.begin(), pixels.begin() + static_cast<std::ptrdiff_t>(pixels.size() / 2)),
      std::vector<uint8_t>(pixels.begin() + static_cast<std::ptrdiff_t>(pixels.size() / 2), pixels.end()))
      << "samples move as G trains";
  const std::string picture = text_of(out / "gallery.png");

  told.clear();
  std::filesystem::remove(out / "runs" / "hinge.json");
  kernels::set_threads(1);
  make_gallery(request, tell);
  kernels::set_threads(2);
  EXPECT_EQ(told.size(), 1u) << "only hinge is trained again: " << told.front();
  EXPECT_EQ(text_of(out / "gallery.png"), picture);
  EXPECT_NE(text_of(out / "gallery.md").find("| ns-gan |"), std::string::npos);

  // Nothing is missing: nothing is trained, and images are not even read. An earlier gallery has no judge
  // yet.
  told.clear();
  const std::string table = text_of(out / "gallery.md"), json = text_of(out / "gallery.json"),
                    judge = text_of(out / "judge.safetensors");
  EXPECT_NE(table.find("| real digits, held out | "), std::string::npos);
  make_gallery(request, tell);
  EXPECT_EQ(told.size(), 0u);
  std::filesystem::remove(out / "judge.safetensors");
  make_gallery(request, tell);
  EXPECT_EQ(told.size(), 1u + 4u);
  EXPECT_EQ(text_of(out / "judge.safetensors"), judge);
  EXPECT_EQ(text_of(out / "gallery.png"), picture);
  EXPECT_EQ(text_of(out / "gallery.md"), table);
  EXPECT_EQ(text_of(out / "gallery.json"), json);

  GalleryRequest other = request;
  other.config.seed = 7;
  const auto refusal = [&](const GalleryRequest& asked) {
    return duel::testing::error_of([&] { make_gallery(asked, tell); });
  };
  EXPECT_NE(refusal(other).find("other settings: seed: this run has 1, asked for is 7; choose another --out"),
            std::string::npos)
      << refusal(other);
  std::filesystem::remove(out / "runs" / "ns-gan.safetensors");
  EXPECT_NE(refusal(request).find("ns-gan.json: expected the row of ns-gan"), std::string::npos)
      << refusal(request);
}

// As folders were before there were records: the row and what it was made with as texts in the metadata of its
// pictures.
TEST(Gallery, TakesRowsOfOlderFolders) {
  const duel::testing::Scratch scratch;
  const std::filesystem::path out = scratch / "gallery";
  GalleryRequest request = small_request(out);
  Told tell;
  std::vector<std::string>& told = tell.lines;
  make_gallery(request, tell);
  const std::string picture = text_of(out / "gallery.png"), json = text_of(out / "gallery.json");
  std::filesystem::create_directory(out / "rows");
  const auto whole = nlohmann::json::parse(json);
  for (const auto& row : whole.at("rows")) {
    const std::string name = row.at("objective");
    const TensorFile strips = read_safetensors(out / "runs" / (name + ".safetensors"));
    write_safetensors(
        out / "rows" / (name + ".safetensors"),
        {.tensors = strips.tensors,
         .metadata = {
             {"request",
              R"({"judged":32,"settings":{"arch":"mlp","batch":"8","channels-d":"8","channels-g":"8",)"
              R"("data":"synthetic","synthetic-count":"200"},"shown":16,"steps":[0,3]})"},
             {"row", row.dump()}}});
  }
  std::filesystem::remove_all(out / "runs");
  told.clear();
  make_gallery(request, tell);
  EXPECT_TRUE(told.empty()) << told.front();
  EXPECT_EQ(text_of(out / "gallery.png"), picture);
  EXPECT_EQ(text_of(out / "gallery.json"), json);

  const auto refusal = [&] { return duel::testing::error_of([&] { make_gallery(request, tell); }); };
  request.steps = {0, 4};
  EXPECT_NE(refusal().find("steps: this run has \"0, 3\", asked for is \"0, 4\""), std::string::npos)
      << refusal();
  request = small_request(out);
  request.config.networks.channels_g = 16;
  EXPECT_NE(refusal().find("channels-g: this run has 8, asked for is 16"), std::string::npos) << refusal();
  request = small_request(out);
  request.config.batch = 64;  // the default: an older row does not name it
  EXPECT_NE(refusal().find("batch: this run has 8, asked for is 64"), std::string::npos) << refusal();
}

TEST(Gallery, RowsOfAnotherProcessAreLeftToIt) {
  const duel::testing::Scratch scratch;
  const GalleryRequest request = small_request(scratch / "gallery");
  const ResultStore store("gallery", request.out);
  std::string holder;
  std::optional<Claim> other = store.claim("ns-gan", holder);
  Told tell;
  const GalleryOutcome part = make_gallery(request, tell);
  EXPECT_FALSE(part.complete);
  ASSERT_EQ(part.rows.size(), 1U);
  EXPECT_EQ(part.rows[0].objective, "hinge");
  ASSERT_EQ(part.held.size(), 1U);
  EXPECT_TRUE(part.held[0].starts_with("ns-gan (")) << part.held[0];
  EXPECT_EQ(std::count(tell.lines.begin(), tell.lines.end(), "ns-gan: taken"), 1);
  EXPECT_EQ(text_of(request.out / "gallery.md").find("| ns-gan |"), std::string::npos);

  other.reset();
  const GalleryOutcome whole = make_gallery(request, tell);
  EXPECT_TRUE(whole.complete);
  EXPECT_EQ(whole.rows.size(), 2U);
  EXPECT_EQ(whole.rows[0].objective, "ns-gan") << "in the request's order";
  EXPECT_NE(text_of(request.out / "gallery.md").find("| ns-gan |"), std::string::npos);
}

TEST(Gallery, StopsBetweenSteps) {
  class Impatient : public LabObserver {
   public:
    void stepped() override { ++steps; }
    bool stop() override { return steps > 0; }
    std::atomic<int> steps{0};
  } observer;
  const duel::testing::Scratch scratch;
  const GalleryOutcome outcome = make_gallery(small_request(scratch / "gallery"), observer);
  EXPECT_FALSE(outcome.complete);
  EXPECT_TRUE(outcome.rows.empty() && outcome.held.empty());
  EXPECT_TRUE(std::filesystem::exists(scratch / "gallery" / "judge.safetensors"));
}

// Letters 1 to 26 with every kind of row, in a folder without a test set.
TEST(Gallery, JudgesAsManyClassesAsThereAreByImagesThatTheJudgeNeverSaw) {
  const duel::testing::Scratch scratch;
  ImageSet set = draw_digits(130, 1);
  for (size_t i = 0; i < set.labels.size(); ++i) set.labels[i] = static_cast<uint8_t>(1 + i % 26);
  std::filesystem::create_directory(scratch / "letters");
  write_mnist(scratch / "letters", Split::train, set, false);
  GalleryRequest request = small_request(scratch / "gallery");
  request.objectives = {"acgan"};
  request.config.data = (scratch / "letters").string();
  Told tell;
  make_gallery(request, tell);
  const std::vector<std::string>& told = tell.lines;
  const TensorFile judge = read_safetensors(scratch / "gallery" / "judge.safetensors");
  EXPECT_EQ(judge.find("fc2.weight")->dim(0), 26);
  EXPECT_EQ(judge.text("classes"), "1-26");
  EXPECT_NE(judge.text("set").find("104 images: "), std::string::npos)
      << "a fifth is held out: " << judge.text("set");
  EXPECT_NE(told.back().find(" classes"), std::string::npos) << told.back();
  EXPECT_NE(text_of(scratch / "gallery" / "gallery.md").find("| real classes, held out | "),
            std::string::npos);
}

TEST(Gallery, RealIsTheTestSet) {
  const duel::testing::Scratch scratch;
  const std::filesystem::path digits = scratch / "digits";
  std::filesystem::create_directory(digits);
  const ImageSet train = draw_digits(3000, 1), test = draw_digits(64, 2);
  write_mnist(digits, Split::train, train, false);
  write_mnist(digits, Split::test, test, false);
  GalleryRequest request = small_request(scratch / "gallery");
  request.objectives = {"ns-gan"};
  request.config.data = digits.string();
  request.judged = 64;
  LabObserver quiet;
  make_gallery(request, quiet);
  const std::filesystem::path file = scratch / "gallery" / "judge.safetensors";
  Classifier judge = load_classifier(file);
  const auto sure = [&](const ImageSet& images) {
    const ResidentData data(images);
    const std::vector<float> p = softmax(judge(data.batch(data.first(64), DType::f32))).to_vector<float>();
    double count = 0;
    for (size_t i = 0; i < 64; ++i) count += *std::max_element(&p[10 * i], &p[10 * i] + 10) >= 0.9f;
    return count / 64;
  };
  EXPECT_EQ(std::stod(read_safetensors(file).text("real_confident")), sure(test));
  EXPECT_NE(sure(train), sure(test)) << "or this test could not tell";
}

}  // namespace
}  // namespace duel::gan::lab
