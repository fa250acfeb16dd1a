// duel sample into folders, arrays and animations: the images are those that duel eval measures, memory does not grow with their number, and
// what is there is whole.
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "duel/gan/data/image_files.h"
#include "duel/gan/run/evaluation.h"
#include "duel/gan/run/run.h"
#include "tests/apps/tiny_run.h"
#include "tests/torch.h"

namespace duel::apps::testing {
namespace {

using duel::testing::files_in;
using duel::testing::output_of;
using duel::testing::python_with_torch;
using duel::testing::Scratch;

class SampleFiles : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Scratch;
    ASSERT_EQ(duel(tiny_run(run())).status, 0);
    ASSERT_EQ(duel(tiny_run(classes(), {"--objective", "cgan"})).status, 0);
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static std::filesystem::path run() { return *folder_ / "run"; }
  static std::filesystem::path classes() { return *folder_ / "classes"; }
  std::string in(const std::string& name) const { return (scratch_ / name).string(); }
  Result sample(const std::filesystem::path& of, const Args& more, const Surroundings& around = {}) const {
    return duel(with({"sample", "--checkpoint", of.string()}, more), around);
  }

  inline static Scratch* folder_ = nullptr;
  const Scratch scratch_;
};

TEST_F(SampleFiles, AreTheImagesThatEvalMeasures) {
  const gan::ImageSet expected = gan::sample_images(gan::load_trainer(run()), 450, 3);
  const Args ask = {"--count", "450", "--seed", "3"};
  Result r = sample(run(), with(ask, {"--out", in("a.npz")}));
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(r.out, in("a.npz") + ": 450 images, of iteration 20 (ns-gan, mlp)\n");
  ASSERT_EQ(sample(run(), with(ask, {"--out", in("a.npy")})).status, 0);
  ASSERT_EQ(sample(run(), with(ask, {"--dir", in("folder/")})).status, 0);
  for (const char* name : {"a.npz", "a.npy", "folder"}) {
    const gan::ImageSet read = gan::read_images(in(name));
    EXPECT_EQ(read.count, 450) << name;
    EXPECT_EQ(read.images, expected.images) << name;
  }
  EXPECT_EQ(files_in(in("folder")), 450u);
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "folder" / "000449.png"));
  EXPECT_EQ(files_in(scratch_.dir()), 3u);
  // The same numbers by the command, of the files as of the run.
  ASSERT_EQ(sample(run(), {"--count", "450", "--seed", "4", "--out", in("others.npy")}).status, 0);
  std::string first;
  for (const std::string& set : {run().string(), in("folder"), in("a.npz"), in("a.npy")}) {
    r = duel({"eval", set, "--against", in("others.npy"), "--judge", "digits-v1", "--count", "450", "--seed",
              "3", "--quiet", "--json"});
    ASSERT_EQ(r.status, 0) << r.err;
    const std::string measures = r.out.substr(r.out.find("\"fd-digits-v1\""));
    if (first.empty()) first = measures;
    EXPECT_EQ(measures, first) << set;
  }
}

TEST_F(SampleFiles, OfConditionalRunsHaveTheirLabels) {
  Result r = sample(classes(), {"--out", in("a.npz"), "--count", "250"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(r.out, in("a.npz") + ": 250 images, their labels in arr_1, of iteration 20 (cgan, mlp)\n");
  ASSERT_EQ(sample(classes(), {"--dir", in("folder"), "--count", "250"}).status, 0);
  const auto labels = nlohmann::json::parse(read(scratch_ / "folder" / "dataset.json"))["labels"];
  ASSERT_EQ(labels.size(), 250u);
  EXPECT_EQ(labels[249][0], "000249.png");
  std::set<int> seen;
  for (const auto& label : labels) seen.insert(label[1].get<int>());
  EXPECT_EQ(seen.size(), 10u);
  ASSERT_EQ(sample(classes(), {"--dir", in("threes"), "--count", "5", "--class", "3"}).status, 0);
  EXPECT_EQ(
      read(scratch_ / "threes" / "dataset.json"),
      "{\"labels\": [[\"000000.png\", 3],\n[\"000001.png\", 3],\n[\"000002.png\", 3],\n[\"000003.png\", 3],\n[\"000004.png\", 3]]}\n");
  if (python_with_torch().empty()) GTEST_SKIP() << "no NumPy (DUEL_TEST_PYTHON) to read it too";
  std::string expected;
  for (const auto& label : labels) expected += std::to_string(label[1].get<int>()) + " ";
  EXPECT_EQ(
      output_of(
          {python_with_torch(), "-c",
           "import sys, numpy\na = numpy.load(sys.argv[1])\nprint(a['arr_0'].shape, a['arr_0'].dtype, *a['arr_1'], '')",
           in("a.npz")}),
      "(250, 28, 28, 1) uint8 " + expected + "\n");
}

TEST_F(SampleFiles, MemoryDoesNotGrowWithTheirNumber) {
  // The smallest address space, to 8 MiB, that 400 images go through; 50,000 have 150 MiB as floats and 37 as bytes.
  int64_t low = 16, high = 4096;
  while (high - low > 8) {
    const int64_t middle = (low + high) / 2;
    const Result r =
        sample(run(), {"--out", in("few.npy"), "--count", "400", "--force"}, {.memory_limit = middle << 20});
    (r.status == 0 ? high : low) = middle;
  }
  const Result r =
      sample(run(), {"--out", in("many.npz"), "--count", "50000"}, {.memory_limit = (high + 16) << 20});
  EXPECT_EQ(r.status, 0) << r.err << " with " << high + 16 << " MiB";
  EXPECT_GT(std::filesystem::file_size(in("many.npz")), 50000u * 784u);
}

TEST_F(SampleFiles, AnAnimationWalksThereAndBack) {
  const Result r = sample(run(), {"--out", in("walk.apng"), "--count", "9"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(
      r.out,
      in("walk.apng") +
          ": 9 images walk, 46 pictures at 15 a second, 242x62 pixels, of iteration 20 (ns-gan, mlp)\n");
  const std::string bytes = read(in("walk.apng"));
  EXPECT_EQ(bytes.substr(37, 4), "acTL");
  EXPECT_EQ(duel::testing::occurrences(bytes, "fdAT"), 45u);
}

TEST_F(SampleFiles, RefuseWhatIsNotTheirs) {
  std::filesystem::create_directory(scratch_ / "full");
  write(scratch_ / "full" / "mine.txt", "mine");
  write(scratch_ / "file", "mine");
  const auto before = contents(scratch_.dir());
  expect_refused(sample(run(), {"--dir", in("full"), "--count", "5", "--force"}),
                 {"dir: ", "full: is not empty", "choose another --dir"});
  expect_refused(sample(run(), {"--dir", in("file")}), {"is not a folder"});
  expect_refused(sample(run(), {"--dir", in("none/below")}), {"cannot be made", "No such file"});
  expect_refused(sample(run(), {"--dir", in("new"), "--out", in("x.npz")}), {"dir and out: each is a place"});
  expect_refused(sample(run(), {"--out", in("x.jpg")}),
                 {"expected a name ending in .png, .apng, .npz or .npy"});
  expect_refused(sample(run(), {"--out", in("x.npz"), "--interpolate"}),
                 {"interpolate: is for a grid of images"});
  expect_refused(sample(run(), {"--dir", in("new"), "--best-of", "2"}), {"best-of: is for a grid of images"});
  expect_refused(sample(run(), {"--out", in("x.apng"), "--count", "257"}),
                 {"count: expected an integer from 1 to 256, got 257"});
  expect_refused(sample(run(), {"--out", in("x.npy"), "--count", "0"}),
                 {"count: expected an integer from 1 to 10000000"});
  // A full disk leaves nothing behind.
  expect_refused(sample(run(), {"--out", in("x.npy"), "--count", "500"}, {.file_limit = 100'000}),
                 {"x.npy: could not write"}, 1);
  expect_refused(sample(run(), {"--dir", in("new"), "--count", "5"}, {.file_limit = 10}), {"could not write"},
                 1);
  EXPECT_EQ(contents(scratch_.dir()), before);
  // An empty folder is as none.
  std::filesystem::create_directory(scratch_ / "empty");
  EXPECT_EQ(sample(run(), {"--dir", in("empty"), "--count", "3"}).status, 0);
  EXPECT_EQ(files_in(in("empty")), 3u);
}

TEST_F(SampleFiles, CtrlCLeavesNothingBehind) {
  Process process({"sample", "--checkpoint", run().string(), "--dir", in("new"), "--count", "10000000"});
  const auto begun = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.dir())) {
      if (std::filesystem::exists(entry.path() / "000000.png")) return true;
    }
    return false;
  };
  for (int i = 0; i < 1000 && !begun(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(begun());
  process.send(SIGINT);
  const Result r = process.finish();
  EXPECT_EQ(r.status, 130);
  EXPECT_EQ(r.out + r.err, "");
  EXPECT_EQ(files_in(scratch_.dir()), 0u);
}

}  // namespace
}  // namespace duel::apps::testing
