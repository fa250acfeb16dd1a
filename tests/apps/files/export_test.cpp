// duel export and the ways back: sample --weights, train --init, and PyTorch between them where it is there.
#include <nlohmann/json.hpp>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/gan/run/run.h"
#include "tests/apps/tiny_run.h"
#include "tests/source.h"
#include "tests/tensors.h"
#include "tests/torch.h"

namespace duel::apps::testing {
namespace {

using duel::testing::first_difference;
using duel::testing::output_of;
using duel::testing::python_with_torch;
using duel::testing::same_bits;
using duel::testing::Scratch;

class Export : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Scratch;
    ASSERT_EQ(duel(tiny_run(run(), {"--ema", "0.9", "--norm-g", "batch"})).status, 0);
    ASSERT_EQ(duel(tiny_run(other(), {"--objective", "cgan", "--latent", "7"})).status, 0);
    for (const char* net : {"g_ema", "g", "d"}) ASSERT_EQ(duel(exported(net)).status, 0);
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static std::filesystem::path run() { return *folder_ / "run"; }
  static std::filesystem::path other() { return *folder_ / "other"; }
  static std::filesystem::path weights(const std::string& net) { return *folder_ / (net + ".safetensors"); }
  static Args exported(const std::string& net) {
    return {"export", run().string(), "--net", net, "--out", weights(net).string()};
  }
  std::string out(const std::string& name) const { return (scratch_ / name).string(); }

  inline static Scratch* folder_ = nullptr;
  const Scratch scratch_;
};

TEST_F(Export, HoldsWhatSamplesAreDrawnByAndWhatBuildsTheNetworkAgain) {
  const Result r = duel({"export", run().string(), "--out", out("g.safetensors")});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "g.safetensors: g_ema of iteration 20 (ns-gan, mlp), ")) << r.out;
  EXPECT_EQ(read(out("g.safetensors")), read(weights("g_ema")));
  const TensorFile file = read_safetensors(out("g.safetensors"));
  const gan::LoadedTrainer loaded = gan::load_trainer(run());
  const TensorFile state = loaded.trainer->state();
  for (const auto& [name, tensor] : file.tensors) {
    const Tensor* there = state.find("g_ema." + name);
    ASSERT_TRUE(there) << name;
    EXPECT_TRUE(same_bits(tensor, *there)) << name;
  }
  EXPECT_TRUE(file.find("0.weight") && file.find("1.running_mean") && file.find("1.num_batches_tracked"));
  EXPECT_EQ(file.text("format"), "pt");
  EXPECT_EQ(file.text("net"), "g_ema");
  EXPECT_EQ(file.text("iteration"), "20");
  EXPECT_EQ(file.text("version") + "\n",
            duel({"--version"}).out.substr(5, file.text("version").size()) + "\n");
  // The settings are those of the run, and what follows from them is there too.
  const auto config = nlohmann::json::parse(file.text("config")),
             of_run = nlohmann::json::parse(read(run() / "config.json"));
  for (const char* key : {"arch", "latent", "channels-g", "channels-d", "norm-g", "norm-d", "height", "width",
                          "objective", "ema"})
    EXPECT_EQ(config[key], of_run[key]) << key;
  const auto network = nlohmann::json::parse(file.text("network"));
  EXPECT_EQ(network["input"]["width"], 100);
  EXPECT_EQ(network["image"], nlohmann::json({1, 28, 28}));
  EXPECT_EQ(nlohmann::json::parse(file.text("program"))["layers"]["0"],
            "Linear(in_features=100, out_features=8, bias=True)");
  // The other two are other networks.
  EXPECT_NE(first_difference(file, read_safetensors(weights("g"))), "");
  EXPECT_TRUE(same_bits(*read_safetensors(weights("d")).find("1.weight"), *state.find("d.1.weight")));
}

TEST_F(Export, SamplesOfTheFileAreThoseOfTheRun) {
  ASSERT_EQ(duel({"sample", "--checkpoint", run().string(), "--out", out("a.png")}).status, 0);
  const Result r = duel({"sample", "--weights", weights("g_ema").string(), "--out", out("b.png")});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "64 images of " + weights("g_ema").string() + " (ns-gan, mlp)")) << r.out;
  EXPECT_EQ(read(out("a.png")), read(out("b.png")));
  ASSERT_EQ(duel({"sample", "--weights", weights("g").string(), "--out", out("c.png")}).status, 0);
  EXPECT_NE(read(out("a.png")), read(out("c.png")));
  // D is the run's where a run is named: the ranking is the same.
  ASSERT_EQ(duel({"sample", "--checkpoint", run().string(), "--best-of", "3", "--out", out("d.png")}).status,
            0);
  ASSERT_EQ(duel({"sample", "--checkpoint", run().string(), "--weights", weights("g_ema").string(),
                  "--best-of", "3", "--out", out("e.png")})
                .status,
            0);
  EXPECT_EQ(read(out("d.png")), read(out("e.png")));
}

TEST_F(Export, TrainingStartsFromTheWeights) {
  const Args one_step = {"--steps", "1", "--lr", "1e-30", "--checkpoint-every", "1", "--norm-g", "batch"};
  const Result r = duel(with(tiny_run(scratch_ / "g", one_step), {"--init", weights("g").string()}));
  ASSERT_EQ(r.status, 0) << r.err;
  const TensorFile began = gan::load_trainer(scratch_ / "g").trainer->state(),
                   from = read_safetensors(weights("g"));
  for (const auto& [name, tensor] : from.tensors) {
    if (name.find("running") == std::string::npos && is_floating(tensor.dtype())) {
      EXPECT_TRUE(allclose(tensor, *began.find("g." + name), 1e-6, 1e-7)) << name;
    }
  }
  EXPECT_FALSE(
      allclose(*read_safetensors(weights("d")).find("1.weight"), *began.find("d.1.weight")));  // D is new
  EXPECT_TRUE(has(read(scratch_ / "g" / "config.json"), "\"init\": \"" + weights("g").string() + "\""));
  EXPECT_TRUE(has(read(scratch_ / "g" / "log.txt"), "init      G of " + weights("g").string()));
  // All of a checkpoint's networks, and the average before the weights.
  ASSERT_EQ(duel(with(tiny_run(scratch_ / "both", one_step), {"--init", run().string()})).status, 0);
  const TensorFile both = gan::load_trainer(scratch_ / "both").trainer->state(),
                   then = gan::load_trainer(run()).trainer->state();
  EXPECT_TRUE(allclose(*both.find("d.1.weight"), *then.find("d.1.weight"), 1e-6, 1e-7));
  EXPECT_TRUE(allclose(*both.find("g.0.weight"), *then.find("g_ema.0.weight"), 1e-6, 1e-7));
  EXPECT_TRUE(has(read(scratch_ / "both" / "log.txt"), "init      G and D of "));
  // A resumed run has its own weights, with the file or without it, and keeps its origin.
  std::filesystem::copy(weights("d"), scratch_ / "d.safetensors");
  ASSERT_EQ(
      duel(with(tiny_run(scratch_ / "d"), {"--init", out("d.safetensors"), "--norm-g", "batch"})).status, 0);
  std::filesystem::remove(scratch_ / "d.safetensors");
  EXPECT_EQ(duel({"train", "--resume", "--out", out("d"), "--steps", "22", "--quiet"}).status, 0);
  expect_refused(
      duel({"train", "--resume", "--out", out("d"), "--steps", "24", "--init", weights("d").string()}),
      {"init: this run was started with", "a resumed run keeps it"});
}

TEST_F(Export, RefusesWhatDoesNotFit) {
  const auto args = [&](const Args& more) { return with(tiny_run(scratch_ / "new"), more); };
  expect_refused(duel(args({"--init", weights("g").string()})),  // without batch norm
                 {weights("g").string(), "not the network's: \"1.num_batches_tracked\"", "; and "});
  expect_refused(duel(args({"--init", weights("d").string(), "--channels-d", "9"})),
                 {"of another shape: \"1.weight\" is f32 [18, 784] here and f32 [16, 784] in the file"});
  expect_refused(duel(args({"--init", out("none.safetensors")})), {"none.safetensors: no such file"});
  expect_refused(duel(args({"--init", weights("g").string(), "--fork", run().string()})),
                 {"init and fork: expected one of them"});
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "new"));
  expect_refused(duel({"sample", "--weights", weights("d").string(), "--out", out("x.png")}),
                 {"these are D's weights"});
  expect_refused(
      duel({"sample", "--weights", weights("g").string(), "--best-of", "2", "--out", out("x.png")}),
      {"best-of: asks D"});
  expect_refused(duel({"sample", "--weights", weights("g").string(), "--checkpoint", other().string(),
                       "--out", out("x.png")}),
                 {"of another shape: \"0.weight\""});
  TensorFile bare = read_safetensors(weights("g"));
  bare.metadata.clear();
  write_safetensors(scratch_ / "bare.safetensors", bare);
  expect_refused(duel({"sample", "--weights", out("bare.safetensors"), "--out", out("x.png")}),
                 {"nothing in its metadata says which networks", "--checkpoint RUN"});
  bare.tensors[0].second =
      Tensor::full(bare.tensors[0].second.shape(), NAN, bare.tensors[0].second.options());
  if (is_floating(bare.tensors[0].second.dtype())) {
    write_safetensors(scratch_ / "nan.safetensors", bare);
    expect_refused(duel({"sample", "--weights", out("nan.safetensors"), "--checkpoint", run().string(),
                         "--out", out("x.png")}),
                   {"is not finite at flat index 0"});
  }
  // A file that asks for networks far larger than itself.
  TensorFile large = read_safetensors(weights("g"));
  for (auto& [key, value] : large.metadata) {
    if (key == "config") value.replace(value.find("\"channels-d\": 8"), 15, "\"channels-d\": 16384");
  }
  write_safetensors(scratch_ / "large.safetensors", large);
  expect_refused(duel({"sample", "--weights", out("large.safetensors"), "--out", out("x.png")}),
                 {"networks far larger than those in the file"});
  expect_refused(duel({"export", other().string(), "--net", "g_ema", "--out", out("e.safetensors")}),
                 {"keeps no average"});
  expect_refused(duel({"export", run().string(), "--net", "e", "--out", out("e.safetensors")}),
                 {"net: expected g_ema, g or d, got 'e'"});
  expect_refused(duel({"export", run().string()}), {"out: missing"});
  expect_refused(duel({"export", run().string(), "--out", out("e.png")}),
                 {"expected a name ending in .safetensors"});
  expect_refused(duel({"export", run().string(), "--out", weights("g").string()}), {"is there already"});
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "x.png") ||
               std::filesystem::exists(scratch_ / "e.safetensors"));
}

/// What PyTorch writes goes back, whatever its names are prefixed with, and in half precision.
TEST_F(Export, GoesToPyTorchAndBack) {
  if (python_with_torch().empty()) GTEST_SKIP() << "no PyTorch with safetensors (DUEL_TEST_PYTHON)";
  const std::string script = R"(
import sys, torch
sys.path.insert(0, sys.argv[1])
from torch_network import load
from safetensors.torch import load_file, save_file
source, out = sys.argv[2:]
net = load(source)
with torch.no_grad(): images = net(torch.zeros(2, 100))["images"]
plain = torch.nn.Sequential(torch.nn.Linear(100, 8), torch.nn.BatchNorm1d(8), torch.nn.LeakyReLU(0.2), torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16),
    torch.nn.LeakyReLU(0.2), torch.nn.Linear(16, 784), torch.nn.Unflatten(1, (1, 28, 28)), torch.nn.Tanh())
plain.load_state_dict(load_file(source), strict=True)
assert torch.equal(plain.eval()(torch.zeros(2, 100)), images)
save_file(net.state_dict(), out + "/back.safetensors")
save_file({k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}, out + "/half.safetensors", metadata={"format": "pt"})
save_file({"g." + k: v for k, v in net.state_dict().items()}, out + "/prefixed.safetensors")
print("written")
)";
  EXPECT_EQ(output_of({python_with_torch(), "-c", script, duel::testing::in_source("apps/examples").string(),
                       weights("g_ema").string(), scratch_.dir().string()}),
            "written\n");
  ASSERT_EQ(duel({"sample", "--weights", weights("g_ema").string(), "--out", out("a.png")}).status, 0);
  for (const char* name : {"back", "half", "prefixed"}) {
    const Result r =
        duel({"sample", "--checkpoint", run().string(), "--weights", out(std::string(name) + ".safetensors"),
              "--out", out(std::string(name) + ".png")});
    ASSERT_EQ(r.status, 0) << r.err;
    if (std::string(name) != "half") {
      EXPECT_EQ(read(out(std::string(name) + ".png")), read(out("a.png")));
    }
  }
}

}  // namespace
}  // namespace duel::apps::testing
