// Every mistake gets status 2, what fails on the way status 1, and one line that names file, field and
// remedy; nothing that was there is lost.
#include <sys/stat.h>
#include <zlib.h>

#include <fstream>
#include <thread>

#include "command.h"
#include "duel/gan/data/idx.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

/// A folder with a small set in MNIST's format, and a small finished run beside it.
class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    gan::ImageSet set{.count = 20, .height = 28, .width = 28, .images = {}, .labels = {}, .source = ""};
    for (int64_t i = 0; i < 20 * 28 * 28; ++i) set.images.push_back(static_cast<uint8_t>(i % 251));
    for (int64_t i = 0; i < 20; ++i) set.labels.push_back(static_cast<uint8_t>(i % 10));
    std::filesystem::create_directory(data_);
    gan::write_mnist(data_, gan::Split::train, set, false);
  }
  std::filesystem::path images() const { return data_ / "train-images-idx3-ubyte"; }
  std::filesystem::path labels() const { return data_ / "train-labels-idx1-ubyte"; }
  Args train(const Args& more = {}) const {
    return with({"train", "--data", data_.string(), "--batch", "4", "--arch", "mlp", "--channels-g", "8",
                 "--channels-d", "8", "--steps", "2", "--quiet", "--out", fresh_.string()},
                more);
  }
  void make_run() { ASSERT_EQ(duel(with(train(), {"--out", run_.string()})).status, 0); }
  Args resume(const Args& more = {}) const {
    return with({"train", "--resume", "--out", run_.string(), "--steps", "4", "--quiet"}, more);
  }

  /// Refused with these words, and every file is as it was.
  void refuse(const Args& args, const std::vector<std::string>& parts, const Surroundings& around = {},
              int status = 2) {
    const auto before = contents(scratch_.dir());
    expect_refused(duel(args, around), parts, status);
    EXPECT_TRUE(contents(scratch_.dir()) == before) << "a file was changed, made or removed";
    EXPECT_FALSE(std::filesystem::exists(fresh_));
  }

  Scratch scratch_;
  std::filesystem::path data_ = scratch_ / "set", run_ = scratch_ / "run", fresh_ = scratch_ / "fresh";
};

// ---- Data ----

TEST_F(BadInput, MissingFiles) {
  std::filesystem::remove(labels());
  refuse(train({"--objective", "acgan"}),
         {"acgan needs the class", images().string(), "no labels", "file of labels beside them"});
  refuse(train({"--data", (scratch_ / "nowhere").string()}), {"nowhere", "no such folder"});
  write(scratch_ / "notes.txt", "no images");
  refuse(train({"--data", (scratch_ / "notes.txt").string()}),
         {"notes.txt", "none of them", "folder of pictures"});
}

TEST_F(BadInput, TruncatedImages) {
  std::filesystem::resize_file(images(), 5000);
  refuse(train(), {images().string(), "length", "expected 15696 bytes", "got 5000", "get the file again"});
}

TEST_F(BadInput, OversizedImages) {
  std::ofstream(images(), std::ios::app | std::ios::binary) << "more";
  refuse(train(), {images().string(), "length", "got 15700", "get the file again"});
}

TEST_F(BadInput, WrongMagic) {
  std::string bytes = read(images());
  bytes[2] = 0x0d;
  write(images(), bytes);
  refuse(train(), {images().string(), "magic", "f32", "unsigned bytes"});
  write(images(), "PK\x03\x04 and so on");
  refuse(train(), {images().string(), "magic", "is this an IDX file?"});
  std::filesystem::copy_file(labels(), images(), std::filesystem::copy_options::overwrite_existing);
  refuse(train(), {images().string(), "rank", "images"});
}

TEST_F(BadInput, HugeDimensions) {
  write(images(), std::string("\0\0\x08\x03\xff\xff\xff\xff\0\0\0\x1c\0\0\0\x1c", 16));
  refuse(train(), {images().string(), "dimension 0", "4294967295"});
}

TEST_F(BadInput, CorruptGzip) {
  const std::string bytes = read(images());
  std::filesystem::remove(images());
  const auto packed = data_ / "train-images-idx3-ubyte.gz";
  const gzFile gz = gzopen(packed.c_str(), "wb");
  gzwrite(gz, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(gz);
  const std::string good = read(packed);
  std::string flipped = good;
  flipped[flipped.size() / 2] ^= 0x40;
  write(packed, flipped);
  refuse(train(), {packed.string()});
  write(packed, good.substr(0, good.size() - 6));
  refuse(train(), {packed.string()});
  write(packed, good);
  EXPECT_EQ(duel(train({"--dry-run"})).status, 0);  // the same file, whole
}

TEST_F(BadInput, LabelsOfAnotherSet) {
  write(labels(), std::string("\0\0\x08\x01\0\0\0\x03\1\2\3", 11));
  refuse(train(), {labels().string(), "count", "expected 20", "got 3", "same set"});
}

TEST_F(BadInput, BatchLargerThanTheSet) {
  refuse(train({"--batch", "21"}), {"batch", "20", "got 21", images().string()});
}

// ---- Flags and configuration ----

TEST_F(BadInput, UnknownNames) {
  refuse(train({"--objective", "wgan-pg"}),
         {"unknown objective 'wgan-pg'", "did you mean 'wgan-gp'?", "duel objectives"});
  refuse(train({"--arch", "dcgna"}), {"unknown architecture 'dcgna'", "'dcgan'"});
  refuse(train({"--norm-d", "bach"}), {"'bach'", "layer"});
  refuse(train({"--optimizer", "lion"}), {"optimizer", "adam, rmsprop, sgd, adamw or oadam"});
  refuse(train({"--lr-dd", "1"}), {"unknown option '--lr-dd'", "'--lr-d'", "duel train --help"});
  refuse(train({"stray"}), {"stray"});
  refuse({"trian"}, {"unknown command 'trian'", "'train'"});
  refuse({"objectives", "hing"}, {"'hing'", "'hinge'"});
  refuse({"bench", "stop"}, {"'stop'", "step, kernels, graph, nodes or compare"});
}

TEST_F(BadInput, WrongValues) {
  refuse(train({"--lr-d", "-0.1"}), {"lr-d", "positive", "-0.1"});
  refuse(train({"--lr", "0"}), {"lr", "positive"});
  refuse(train({"--lr-g", "fast"}), {"lr-g", "number", "'fast'"});
  refuse(train({"--lr-g", "nan"}), {"lr-g", "'nan'"});
  refuse(train({"--batch", "0"}), {"batch", "got 0"});
  refuse(train({"--batch", "2.5"}), {"batch", "integer", "'2.5'"});
  refuse(train({"--steps", "99999999999999999999"}), {"steps", "integer"});
  refuse(train({"--epochs", "1"}), {"steps and epochs"});
  refuse(train({"--keep", "0"}), {"keep", "got 0"});
  refuse(train({"--seed", "-1"}), {"seed", "'-1'"});
  refuse(train({"--latent", "-3"}), {"latent", "-3"});
  refuse(train({"--packing", "3"}), {"packing 3", "batch of 4"});
  refuse(train({"--threads", "-2"}), {"threads", "-2"});
  refuse(train({"--batch"}), {"--batch", "duel train --help"});
  refuse(train({"--device", "cuda"}), {"device", "cuda", "--device cpu"});
  refuse(train({"--device", "tpu"}), {"device", "'tpu'", "auto, cpu or cuda"});
}

TEST_F(BadInput, TheSameOptionTwice) {
  Args twice = train({"--objective", "hinge"});
  twice.insert(twice.end(), {"--objective", "ns-gan"});
  refuse(twice, {"--objective hinge and --objective ns-gan", "expected once", "duel train --help"});
  Args alias = train();
  alias.insert(alias.end(), {"--batchSize", "4"});
  refuse(alias, {"--batch 4 and --batchSize 4"});
  Args flag = train({"--minibatch-stddev"});
  flag.push_back("--minibatch-stddev=false");
  refuse(flag, {"--minibatch-stddev", "expected once"});
  Args same = train({"--dry-run"});
  same.insert(same.end(), {"--quiet", "--dry-run"});
  EXPECT_EQ(duel(same).status, 0);
}

TEST_F(BadInput, PartsThatDoNotFit) {
  refuse(train({"--objective", "wgan-gp", "--norm-d", "batch"}),
         {"wgan-gp", "batch norm", "layer, instance or no"});
  refuse(train({"--objective", "wgan-gp", "--clip", "0.1"}), {"wgan-gp", "clip does not apply"});
  refuse(train({"--objective", "hinge", "--label-smoothing", "0.1"}), {"hinge", "label-smoothing"});
  refuse(train({"--objective", "wgan", "--beta1", "0.9"}), {"wgan", "beta1", "optimizer adam"});
  refuse(train({"--objective", "wgan-gp", "--optimizer", "sgd", "--beta1", "0.5"}),
         {"wgan-gp", "beta1", "leave them out"});
  refuse(train({"--instance-noise-steps", "9"}), {"instance-noise-steps", "add instance-noise"});
}

TEST_F(BadInput, ConfigurationFiles) {
  const auto file = scratch_ / "c.json";
  const auto refuse_config = [&](const std::string& text, std::vector<std::string> parts) {
    write(file, text);
    parts.push_back(file.string());
    refuse(train({"--config", file.string()}), parts);
  };
  refuse_config("{\"lr-d\": 1e-4", {"not JSON", "line 1"});
  refuse_config("[1]", {"expected a JSON object"});
  refuse_config("{\"lr_d\": 1e-4}", {"unknown key 'lr_d'", "'lr-d'"});
  refuse_config("{\"lr-d\": \"fast\"}", {"lr-d", "expected a number"});
  refuse_config("{\"batch\": 2.5}", {"batch", "expected an integer"});
  refuse_config("{\"objective\": 3}", {"objective", "text"});
  refuse_config(std::string(100000, '['), {"nested deeper than 16"});
  refuse_config("{\"lr\": " + std::string(100000, '[') + std::string(100000, ']') + "}",
                {"nested deeper than 16"});
  refuse_config("{\"lr-d\": [1, 2]}", {"lr-d", "expected a number", "a list"});
  refuse_config("{\"batch\": 8, \"batch\": 16}", {"'batch' is there twice"});
  refuse_config("{\"seed\": -1}", {"seed", "0 to 2^64 - 1", "'-1'"});
  refuse_config("{\"seed\": 18446744073709551616}", {"seed", "expected an integer"});
  refuse_config("{\"\\u001b]0;owned\\u0007\": 1}", {"unknown key '\\x1b]0;owned\\x07'"});
  refuse_config(std::string("{}\0{\"batch\": ", 14), {"byte 2 is zero"});
  refuse_config(std::string(1 << 20, ' ') + "{}", {"longer than 1 MiB"});
  write(file, "{\"objective\": \"wgan\", \"beta1\": 0.9}");
  refuse(train({"--config", file.string()}), {"wgan", "beta1"});
  refuse(train({"--config", (scratch_ / "none.json").string()}), {"none.json", "cannot be read"});
  refuse(train({"--config", scratch_.dir().string()}), {"is a folder"});
}

TEST_F(BadInput, AConfigurationThatIsAPipe) {
  const auto pipe = scratch_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_refused(duel(train({"--config", pipe.string()})), {pipe.string(), "nothing came for 5 seconds"});
  std::thread writer([&] { write(pipe, "{\"batch\": 2.5}"); });
  expect_refused(duel(train({"--config", pipe.string()})), {pipe.string(), "batch: expected an integer"});
  writer.join();
}

TEST_F(BadInput, SeedsFollowOneRule) {
  make_run();
  const auto sample = [&](const char* seed) {
    return Args{"sample", "--checkpoint", run_.string(), "--out", (scratch_ / "g.png").string(), "--seed",
                seed};
  };
  for (const char* wrong : {"-1", "18446744073709551616", "1e3", "", "7x"}) {
    const std::vector<std::string> parts = {"seed: expected an integer from 0 to 2^64 - 1", wrong};
    refuse(sample(wrong), parts);
    refuse(train({"--seed", wrong}), parts);
  }
  EXPECT_EQ(duel(train({"--seed", "18446744073709551615", "--dry-run"})).status, 0);
  EXPECT_EQ(duel(sample("18446744073709551615")).status, 0);
}

TEST_F(BadInput, NumbersOfStepsAndNamesThatAreThereTwice) {
  refuse(train({"--steps", "0"}), {"steps: expected at least 1, got 0"});
  refuse(train({"--eval-count", "100"}), {"eval-count: ", "--eval-every", "say it too"});
  for (const char* problem : {"league", "gallery", "stacked"})
    refuse(Args{"lab", problem, "--objective", "hinge", "--data", "nowhere"}, {"nowhere: no such folder"});
  refuse(train({"--resume", "--fork", "runs/a@latest"}), {"resume and fork: expected one of them"});
  for (const char* problem : {"ring", "league"})
    refuse(Args{"lab", problem, "--objective", "ns-gan,hinge,ns-gan"}, {"objective: ns-gan is there twice"});
}

TEST_F(BadInput, TheEnvironmentIsCheckedLikeFlags) {
  for (const char* wrong : {"99999999999", "abc", "-1", "1025"})
    refuse(train(), {"DUEL_THREADS: expected an integer", wrong}, {.variables = {{"DUEL_THREADS", wrong}}});
  refuse(train(), {"DUEL_HOST_LIBRARY: expected own or onednn, got 'mkl'"},
         {.variables = {{"DUEL_HOST_LIBRARY", "mkl"}}});
  refuse(train(), {"DUEL_DEVICE_LIBRARY: expected auto or own"},
         {.variables = {{"DUEL_DEVICE_LIBRARY", "cudnn"}}});
  refuse(train(), {"DUEL_TF32: expected 1 or 0"}, {.variables = {{"DUEL_TF32", "yes"}}});
  refuse(train(), {"DUEL_EARLY_LAUNCH: expected 0 or 1"}, {.variables = {{"DUEL_EARLY_LAUNCH", "on"}}});
  EXPECT_EQ(duel(train({"--dry-run"}), {.variables = {{"DUEL_THREADS", "2"}}}).status, 0);
}

TEST_F(BadInput, WordsThatMoveTheCursor) {
  for (const Args& args :
       {Args{"\x1b[2J"}, Args{"train", "--\x1b[2J"}, train({"--objective", "\x1b[2J"}),
        train({"--data", (scratch_ / "\x1b[2J").string()}), Args{"plot", "\x1b[2J"},
        Args{"sample", "--checkpoint", "\x1b[2J"}, Args{"bench", "\x1b[2J"}, Args{"lab", "\x1b[2J"}}) {
    const Result r = duel(args);
    expect_refused(r, {"\\x1b[2J"});
    EXPECT_EQ(r.err.find('\x1b'), std::string::npos);
  }
}

// ---- Run directories and checkpoints ----

TEST_F(BadInput, ExistingRunDirectory) {
  make_run();
  refuse(train({"--out", run_.string()}), {run_.string(), "already holds a run", "--resume"});
  refuse(train({"--out", data_.string()}), {data_.string(), "not empty"});
  refuse(train({"--out", images().string()}), {images().string(), "is a file"});
}

TEST_F(BadInput, UnwritableOutput) {
  refuse(train({"--out", "/proc/duel/run"}), {"/proc/duel/run", "--out"});
  refuse(train({"--out", "/dev/full/run"}), {"/dev/full/run", "--out"});
  refuse(train({"--out", (images() / "run").string()}), {images().string(), "--out"});
  make_run();
  refuse({"sample", "--checkpoint", run_.string(), "--out", (scratch_ / "no such folder" / "g.png").string()},
         {"no such folder/g.png", "No such file or directory"});
  refuse({"sample", "--checkpoint", run_.string(), "--out", "/dev/full", "--force"}, {"/dev/full", "out"});
}

TEST_F(BadInput, NothingToResume) {
  refuse({"train", "--resume"}, {"--out"});
  refuse({"train", "--resume", "--out", (scratch_ / "none").string()}, {"none", "no such run directory"});
  refuse({"train", "--resume", "--out", data_.string()}, {data_.string(), "config.json"});
}

TEST_F(BadInput, ChangesThatAResumedRunCannotMake) {
  make_run();
  refuse(resume({"--objective", "hinge"}), {"objective", "ns-gan", "hinge", "new run"});
  refuse(resume({"--batch", "5"}), {"batch", "4", "5"});
  refuse(resume({"--lr-d", "0.1"}), {"lr-d", "0.1"});
  refuse(resume({"--lr", "0.1"}), {"also set by --lr", "0.1"});
  refuse(resume({"--optimizer", "sgd"}), {"optimizer", "adam", "sgd", "new run"});
  std::string bytes = read(images());
  bytes[200] = static_cast<char>(bytes[200] + 1);
  write(images(), bytes);
  refuse(resume(), {"data", "other ones", "--data"});
}

// Earlier versions stored values that said nothing; their runs go on. And where a flag takes the place of a
// stored value away, the value goes too.
TEST_F(BadInput, StoredValuesWithoutAPlaceAreNotTheUsersMistake) {
  ASSERT_EQ(duel(with(train(), {"--objective", "wgan", "--out", run_.string()})).status, 0);
  const std::string config = read(run_ / "config.json");
  EXPECT_EQ(config.find("beta1"), std::string::npos);
  EXPECT_EQ(config.find("instance-noise-steps"), std::string::npos);
  write(run_ / "config.json", "{\"beta1\": 0.9, \"instance-noise-steps\": 0," + config.substr(1));
  EXPECT_EQ(duel(resume()).status, 0);
  const auto adam = scratch_ / "adam.json";
  write(adam, "{\"beta1\": 0.5, \"beta2\": 0.9, \"instance-noise\": 0.1, \"instance-noise-steps\": 4}");
  EXPECT_EQ(
      duel(train({"--config", adam.string(), "--optimizer", "sgd", "--instance-noise", "0", "--dry-run"}))
          .status,
      0);
}

TEST_F(BadInput, CorruptAndForeignCheckpoints) {
  make_run();
  const auto file = run_ / "checkpoints" / "step_00000002.safetensors";
  const std::string good = read(file);
  const auto refuse_both = [&](const std::string& bytes, const std::vector<std::string>& parts) {
    write(file, bytes);
    refuse(resume(), with({file.string(), "there is no checkpoint before it"}, parts));
    refuse({"sample", "--checkpoint", run_.string(), "--out", (scratch_ / "g.png").string()},
           with({file.string()}, parts));
  };
  std::string flipped = good;
  flipped[good.size() - 1000] ^= 1;
  refuse_both(flipped, {"crc32", "damaged"});
  refuse_both(good.substr(0, good.size() / 2), {});
  refuse_both(good + "x", {});
  refuse_both("", {});
  refuse_both("not a checkpoint at all", {});
  // Safetensors, but not Duel's.
  const std::string header = "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
  refuse_both(std::string("\x38\0\0\0\0\0\0\0", 8) + header + std::string(0x38 - header.size(), ' ') +
                  std::string(4, '\0'),
              {"not one that duel train wrote"});
  refuse({"sample", "--checkpoint", (scratch_ / "no.safetensors").string(), "--out",
          (scratch_ / "g.png").string()},
         {"no.safetensors", "no such file"});
  refuse({"sample", "--checkpoint", data_.string(), "--out", (scratch_ / "g.png").string()},
         {data_.string(), "run directory"});
  refuse({"sample", "--out", (scratch_ / "g.png").string()}, {"--checkpoint"});
  refuse({"sample", "--checkpoint", (run_ / "config.json").string(), "--out", (scratch_ / "g.png").string()},
         {"config.json", "is not a safetensors file", "expected a checkpoint", "run directory"});
  write(file, good);
  for (const char* name : {"g.jpg", "g", "png"}) {
    refuse({"sample", "--checkpoint", run_.string(), "--out", (scratch_ / name).string()},
           {name, "ending in .png"});
  }
  for (const char* psi : {"0", "-1", "nan", "much"}) {
    refuse({"sample", "--checkpoint", run_.string(), "--out", (scratch_ / "g.png").string(), "--truncation",
            psi},
           {"truncation", "number", psi});
  }
  write(file, good);
  EXPECT_EQ(duel(resume()).status, 0);
}

TEST_F(BadInput, ACheckpointOfAnotherRun) {
  make_run();
  const auto other = scratch_ / "other";
  ASSERT_EQ(duel(train({"--out", other.string(), "--channels-g", "16"})).status, 0);
  const auto file = run_ / "checkpoints" / "step_00000002.safetensors";
  std::filesystem::copy_file(other / "checkpoints" / "step_00000002.safetensors", file,
                             std::filesystem::copy_options::overwrite_existing);
  refuse(resume(), {file.string(), "expected", "other sizes"});
}

TEST_F(BadInput, FullDisk) {
  make_run();
  const auto file = run_ / "checkpoints" / "step_00000002.safetensors";
  const std::string before = read(file);
  ASSERT_GT(before.size(), 150'000u);
  const Result r = duel(resume(), {.file_limit = 100'000});
  expect_refused(r,
                 {"step_00000004.safetensors", "bytes wanted", "File too large", "3 times", "--resume",
                  "last good checkpoint: " + file.string()},
                 1);
  EXPECT_TRUE(read(file) == before);
  EXPECT_EQ(duel::testing::files_in(run_ / "checkpoints"), 1u);
  EXPECT_EQ(duel(resume()).status, 0);  // with room again it goes on
  EXPECT_TRUE(std::filesystem::exists(run_ / "checkpoints" / "step_00000004.safetensors"));
}

TEST_F(BadInput, FullDiskBeforeAnythingBegan) {
  refuse(train(), {"fresh", "bytes wanted", "File too large"}, {.file_limit = 300}, 1);
}

TEST_F(BadInput, OutOfMemory) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer needs the whole address space";
#else
  const Result r =
      duel(train({"--arch", "dcgan", "--channels-g", "8192"}), {.memory_limit = int64_t{900} << 20});
  EXPECT_EQ(r.status, 3) << r.err;
  EXPECT_TRUE(r.err.starts_with("duel: ") && r.err.find("out of memory") != std::string::npos) << r.err;
  EXPECT_FALSE(std::filesystem::exists(fresh_));
#endif
}

}  // namespace
}  // namespace duel::apps::testing
