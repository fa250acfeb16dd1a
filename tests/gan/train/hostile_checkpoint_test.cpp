// Checkpoints whose checksum is right and whose contents are hostile: each is one Error that names file and
// field, at once, with no more memory than the file's own size asks for.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "duel/core/device/allocator.h"
#include "duel/core/io/internal/json.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/checkpoint.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;
using json::Json;

std::filesystem::path golden(const std::string& run) {
  return in_source("tests/golden/runs-0.1.0") / run / "checkpoints" / checkpoint_name(12);
}

class HostileCheckpoint : public ::testing::Test {
 protected:
  /// What loading says of a golden run's checkpoint after `edit`, and that it says so cheaply.
  template <class Edit>
  std::string refusal(const std::string& run, Edit&& edit) {
    Checkpoint checkpoint = read_checkpoint(golden(run));
    edit(checkpoint);
    write_checkpoint(file_, checkpoint.state, checkpoint.config);
    checkpoint = {};
    empty_allocator_cache(Device{});
    reset_allocator_peak(Device{});
    const int64_t before = allocator_stats(Device{}).active_bytes;
    const auto began = std::chrono::steady_clock::now();
    const std::string text = error_of([&] { load_trainer(file_); });
    EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(), 2.0) << text;
    EXPECT_LT(allocator_stats(Device{}).peak_bytes - before, int64_t{16} << 20) << text;
    EXPECT_TRUE(has(text, file_.filename().string())) << text;
    return text;
  }
  std::string with_setting(const std::string& run, const std::string& key, const Json& value) {
    return refusal(run, [&](Checkpoint& c) {
      Json config = Json::parse(c.config);
      config[key] = value;
      c.config = config.dump();
    });
  }
  std::string with_numbers(const std::string& entry, const Tensor& numbers) {
    return refusal("wgan-gp", [&](Checkpoint& c) {
      for (auto& [name, tensor] : c.state.tensors) {
        if (name == entry) tensor = numbers;
      }
    });
  }

  duel::testing::Scratch scratch_;
  std::filesystem::path file_ = scratch_ / "step_00000012.safetensors";
};

TEST_F(HostileCheckpoint, TheGoldenOnesLoad) {
  for (const char* run : {"acgan", "r1", "sngan", "wgan-gp"})
    EXPECT_EQ(load_trainer(golden(run)).trainer->iteration(), 12) << run;
}

TEST_F(HostileCheckpoint, NetworksLargerThanTheFile) {
  for (const char* run : {"wgan-gp", "sngan"}) {
    for (const char* key : {"channels-g", "channels-d"})
      EXPECT_TRUE(has(with_setting(run, key, 16384), "networks larger than those in the file"))
          << run << " " << key;
  }
  EXPECT_TRUE(has(with_setting("wgan-gp", "packing", 1024), "networks larger"));
  EXPECT_TRUE(has(with_setting("acgan", "classes", 65536), "networks larger"));
  EXPECT_TRUE(has(with_setting("wgan-gp", "latent", 65536), "networks larger"));
  for (const char* run : {"wgan-gp", "sngan"}) {
    const std::string text = refusal(run, [](Checkpoint& c) {
      Json config = Json::parse(c.config);
      config["height"] = config["width"] = 4096;
      c.config = config.dump();
    });
    EXPECT_TRUE(has(text, "networks larger")) << text;
  }
}

TEST_F(HostileCheckpoint, SizesBeyondEveryLimit) {
  const std::pair<const char*, const char*> sizes[] = {
      {"acgan", "classes"},  {"wgan-gp", "packing"}, {"wgan-gp", "channels-g"},  {"wgan-gp", "latent"},
      {"wgan-gp", "height"}, {"wgan-gp", "batch"},   {"wgan-gp", "critic-steps"}};
  for (const auto& [run, key] : sizes) {
    for (const int64_t size : {(int64_t{1} << 40) + 1, INT64_MAX})
      EXPECT_TRUE(has(with_setting(run, key, size), std::string(key) + ": expected an integer from"))
          << key << " " << size;
  }
}

TEST_F(HostileCheckpoint, NumbersThatNoRunHas) {
  const auto progress = [&](std::vector<int64_t> values) {
    return with_numbers("progress", Tensor::from(values, {3}));
  };
  EXPECT_TRUE(has(progress({-5, 0, 0}), "'progress': iteration: expected an integer from 0"));
  EXPECT_TRUE(has(progress({INT64_MIN, 0, 0}), "'progress': iteration"));
  EXPECT_TRUE(has(progress({1, -1, 0}), "'progress': updates of D"));
  EXPECT_TRUE(has(progress({1, 1, -7}), "'progress': position in the data"));
  EXPECT_TRUE(has(progress({1, 1, INT64_MAX}), "'progress': position in the data"));
  EXPECT_TRUE(has(with_numbers("optimizer_g.lr", Tensor::from({-0.1}, {})),
                  "'optimizer_g.lr': expected a finite number"));
  EXPECT_TRUE(has(with_numbers("optimizer_d.lr", Tensor::from({std::nan("")}, {})), "'optimizer_d.lr'"));
  EXPECT_TRUE(
      has(with_numbers("optimizer_d.step", Tensor::from({int64_t{-1}}, {})), "'optimizer_d.step': updates"));
}

TEST_F(HostileCheckpoint, ConfigurationsThatAreNone) {
  const auto config = [&](const std::string& text) {
    return refusal("wgan-gp", [&](Checkpoint& c) { c.config = text; });
  };
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_TRUE(has(config("{\"lr\": " + deep + "}"), "nested deeper than 16"));
  EXPECT_TRUE(has(config("{\"lr-d\": [1]}"), "lr-d: expected a number, got a list"));
  EXPECT_TRUE(has(config("{\"batch\": 8, \"batch\": 16}"), "key 'batch' is there twice"));
  EXPECT_TRUE(has(config("{\"\x1b[2J\": 1}"), "not JSON"));
  EXPECT_TRUE(has(config("{\"\\u001b[2J\": 1}"), "unknown key '\\x1b[2J'"));
  std::string many = "{";
  for (int i = 0; i < 90'000; ++i) many += "\"k" + std::to_string(i) + "\": 0, ";
  EXPECT_TRUE(has(config(many + "\"batch\": 1}"), "longer than 1048576 bytes"));
  EXPECT_TRUE(has(config(many.substr(0, 500'000) + "\": 1}"), "unknown key 'k0'"));
}

TEST_F(HostileCheckpoint, AFormatThatMovesTheCursor) {
  write_safetensors(file_,
                    {{{"x", Tensor::ones({2})}}, {{"duel", "\x1b[2J\x1b[H" + std::string(100'000, 'x')}}});
  const std::string text = error_of([&] { read_checkpoint(file_); });
  EXPECT_TRUE(has(text, "format '\\x1b[2J\\x1b[H")) << text;
  EXPECT_LT(text.size(), 400u);
}

// Whether a disk or a person changed it, the file cannot say: the message says what differs, and what to do
// in both cases.
TEST_F(HostileCheckpoint, OneEditedOnPurpose) {
  TensorFile file = read_safetensors(golden("wgan-gp"));
  for (auto& [name, tensor] : file.tensors) {
    if (name == "g.0.bias") tensor = Tensor::ones(tensor.shape());
  }
  write_safetensors(file_, file);
  const std::string text = error_of([&] { read_checkpoint(file_); });
  EXPECT_TRUE(has(text, "crc32 in its metadata: expected ") && has(text, "got '" + file.text("crc32") + "'"))
      << text;
  EXPECT_TRUE(has(text, "if it was edited on purpose write ")) << text;
  // Done so, it loads.
  const size_t begin = text.find("expected ") + 9;
  for (auto& [key, value] : file.metadata) {
    if (key == "crc32") value = text.substr(begin, text.find(' ', begin) - begin);
  }
  write_safetensors(file_, file);
  EXPECT_EQ(load_trainer(file_).trainer->iteration(), 12);
  std::erase_if(file.metadata, [](const auto& entry) { return entry.first == "crc32"; });
  write_safetensors(file_, file);
  EXPECT_TRUE(has(error_of([&] { read_checkpoint(file_); }), "got none"));
}

}  // namespace
}  // namespace duel::gan
