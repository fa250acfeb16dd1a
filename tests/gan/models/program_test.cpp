// What networks compute as data: the text of a small one, that none of them is left out, what is refused, and where PyTorch is there
// that it computes the same.
#include "duel/gan/models/program.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/objective.h"
#include "duel/nn/layers.h"
#include "tests/files.h"
#include "tests/source.h"
#include "tests/torch.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using duel::testing::Scratch;

/// Networks whose weights, averages and power iterations are none of those that they start with.
Networks moved(const std::string& objective, NetworkOptions options) {
  Generator random(3);
  const Objective of = named_objective(objective);
  Networks n = make_networks(networks_for(of, std::move(options), 3), of.batch_norm_in_d, random);
  const NoGrad no_grad;
  for (const auto& net : {n.generator, n.discriminator}) {
    for (Tensor parameter : net->parameters())
      parameter.copy_(parameter + random.normal(parameter.shape()) * 0.1);
  }
  const LendDefaultGenerator lent(random);
  for (int i = 0; i < 2; ++i) {
    LatentGenerators streams{Generator(5, 0), Generator(5, 1), Generator(5, 2)};
    (*n.generator)(draw_latents(n.latent, 8, streams).input);
    const NetworkOptions& o = n.options;
    const Tensor labels = o.classes > 0 ? random.integers({8}, o.classes) : Tensor();
    judge(*n.discriminator, random.uniform({8, o.packing * o.image_channels, o.height, o.width}, -1, 1),
          labels);
  }
  return n;
}

/// A line for the record of programs that PyTorch was found to run: name, steps, sum of the text.
std::string line_of(const std::string& name, const std::string& program) {
  const auto* bytes = reinterpret_cast<const Bytef*>(program.data());
  const auto sum = static_cast<int64_t>(::crc32(0, bytes, static_cast<uInt>(program.size())));
  return message("{} {} steps, crc32 {}\n", name, nlohmann::json::parse(program)["steps"].size(), sum);
}

/// NAME-g and NAME-d with their weights and programs, and a pass of each, of other sizes than were followed.
std::string write(const std::filesystem::path& folder, const std::string& name, const Networks& n) {
  const NoGrad no_grad;
  const NetworkOptions& o = n.options;
  std::string lines;
  const auto put = [&](const std::string& which, nn::Module& net, const std::string& program,
                       std::vector<std::pair<std::string, Tensor>> pass) {
    lines += line_of(name + which, program);
    const nn::StateDict weights = net.state_dict();
    write_safetensors(folder / (name + which + ".safetensors"),
                      {.tensors = weights, .metadata = {{"program", program}}});
    write_safetensors(folder / (name + which + ".pass.safetensors"),
                      {.tensors = std::move(pass), .metadata = {}});
  };
  LatentGenerators streams{Generator(9, 0), Generator(9, 1), Generator(9, 2)};
  const Tensor input = draw_latents(n.latent, 6, streams).input;
  const nn::EvalMode eval_g(*n.generator), eval_d(*n.discriminator);
  put("-g", *n.generator, generator_program(n), {{"in.input", input}, {"out.images", (*n.generator)(input)}});
  Generator random(11);
  const Tensor images = random.uniform({6, o.packing * o.image_channels, o.height, o.width}, -1, 1);
  const auto* critic = dynamic_cast<const Critic*>(n.discriminator.get());
  const Tensor labels = critic && critic->needs_labels() ? random.integers({6}, o.classes) : Tensor();
  const Judgement said = judge(*n.discriminator, images, labels);
  std::vector<std::pair<std::string, Tensor>> pass = {{"in.images", images}};
  if (labels.defined()) pass.emplace_back("in.labels", labels);
  for (const auto& [what, tensor] :
       {std::pair("out.logits", said.logits), std::pair("out.features", said.features),
        std::pair("out.classes", said.classes), std::pair("out.codes", said.codes),
        std::pair("out.pixels", said.pixels)}) {
    if (tensor.defined()) pass.emplace_back(what, tensor);
  }
  put("-d", *n.discriminator, discriminator_program(n), std::move(pass));
  return lines;
}

TEST(Program, OfASmallNetworkIsThis) {
  Generator random(1);
  const LendDefaultGenerator lent(random);
  struct Gate : nn::Module {  // what PyTorch has is a layer, the rest are ops
    std::shared_ptr<nn::Sequential> in =
        register_module("in", nn::Sequential(nn::Linear(4, 3), nn::LeakyReLU(0.2)));
    std::shared_ptr<nn::Module> normed =
        register_module("normed", nn::with_spectral_norm(true, nn::Linear(3, 3, {.bias = false})));
    Tensor gain = register_parameter("gain", Tensor::ones({3}));
    Tensor kept = register_buffer("kept", Tensor::zeros({1, 3}));
    Tensor forward(const Tensor& x) override {
      const Tensor y = (*in)(x), gained = y * gain, spread = broadcast_to(kept, {x.dim(0), 3});
      const Tensor first = gained + spread, second = sigmoid((*normed)(y)) * 0.5;
      return concat({first, second}, 1).reshape({x.dim(0), 2, 3});
    }
  };
  Gate gate;
  const auto pass = [&](int64_t n) {
    const Tensor x = random.normal({n, 4});
    return ProgramPass{{{"x", x}}, {{"y", gate(x)}}};
  };
  EXPECT_EQ(
      program_of(gate, pass),
      R"json({"inputs":["x"],"layers":{"in.0":"Linear(in_features=4, out_features=3, bias=True)","in.1":"LeakyReLU(negative_slope=0.2)",)json"
      R"json("normed":"SpectralNorm(Linear(in_features=3, out_features=3, bias=False))"},"parameters":{"gain":[3]},"buffers":{"kept":[1,3]},)json"
      R"json("steps":[["layer in.0",["x"],{}],["layer in.1",[0],{}],["mul",[1,"gain"],{}],["broadcast_to",["kept"],{"size":[{"batch":1,"plus":0},3]}],)json"
      R"json(["add",[2,3],{}],["layer normed",[1],{}],["sigmoid",[5],{}],["mul_scalar",[6],{"other":0.5}],["concat",[4,7],{"dim":1}],)json"
      R"json(["reshape",[8],{"shape":[{"batch":1,"plus":0},2,3]}]],"outputs":{"y":9}})json");
  EXPECT_TRUE(gate.is_training());  // as it was
}

TEST(Program, RefusesWhatItCannotFollow) {
  const auto refused = [](std::function<Tensor(const Tensor&)> f) {
    nn::Sequential net(nn::Linear(4, 4));
    return error_of([&] {
      program_of(net, [&](int64_t n) {
        const Tensor x = Generator(n).normal({n, 4});
        return ProgramPass{{{"x", x}}, {{"y", f(net(x))}}};
      });
    });
  };
  EXPECT_TRUE(has(refused([](const Tensor& y) { return cumsum(y, 1); }),
                  "cumsum: a network that calls this op cannot be written down"));
  EXPECT_TRUE(has(refused([](const Tensor& y) { return y * Tensor::ones({4}); }),
                  "mul: is given f32 [4], which no op made"));
  EXPECT_TRUE(has(refused([](const Tensor& y) { return y * static_cast<double>(y.dim(0)); }),
                  "depends on the number of samples"));
  EXPECT_TRUE(has(refused([](const Tensor& y) { return y.dim(0) > 3 ? y + 1.0 : y; }),
                  "depends on the number of samples"));
  nn::Sequential net(nn::Linear(4, 4));
  const std::string program = program_of(net, [&](int64_t n) {
    const Tensor x = Generator(n).normal({n, 4}), y = net(x);
    (void)cumsum(y, 1);  // nothing needs it
    return ProgramPass{{{"x", x}}, {{"y", y}}};
  });
  EXPECT_TRUE(has(program, R"json("steps":[["layer 0",["x"],{}]])json")) << program;
}

TEST(Program, OfEveryNetworkComputesTheSameInPyTorch) {
  const Scratch scratch;
  size_t written = 0;
  std::string lines;
  const auto one = [&](const std::string& objective, const NetworkOptions& options,
                       const std::string& more = "") {
    SCOPED_TRACE(objective + " " + options.arch + more);
    lines += write(scratch.dir(), options.arch + "-" + objective + more, moved(objective, options));
    written += 2;
  };
  for (const NetworkRow& row : network_rows()) {
    if (row.name.starts_with("test-")) continue;  // another test's
    for (const char* objective :
         {"ns-gan", "sngan", "cgan", "projection", "acgan", "infogan", "ebgan", "began", "mmd-gan", "pacgan"})
      one(objective, {.arch = row.name, .height = 16, .width = 8, .channels_g = 8, .channels_d = 8});
    one("ns-gan",
        {.arch = row.name,
         .height = 16,
         .width = 16,
         .image_channels = 3,
         .channels_g = 8,
         .channels_d = 8,
         .spectral_norm_g = true},
        "-colours");
    one("ns-gan",
        {.arch = row.name,
         .height = 16,
         .width = 16,
         .channels_g = 8,
         .channels_d = 8,
         .discriminator_norm = Norm::instance,
         .minibatch_stddev = true},
        "-instance");
    if (row.name == "stylegan2" || row.name == "r3gan") continue;  // which have no norm in G
    for (const Norm norm : {Norm::none, Norm::layer, Norm::virtual_batch}) {
      if (norm == Norm::virtual_batch && row.name == "biggan")
        continue;  // its G is another one without batch norm
      one("wgan-gp",
          {.arch = row.name,
           .height = 16,
           .width = 16,
           .channels_g = 8,
           .channels_d = 8,
           .generator_norm = norm,
           .discriminator_norm = Norm::layer},
          "-" + to_text(norm));
    }
  }
  // Whoever has no PyTorch sees here that the programs are those that it ran.
  const auto record = duel::testing::in_source("tests/golden/programs.txt");
  if (std::getenv("DUEL_WRITE_PROGRAMS")) std::ofstream(record) << lines;
  const duel::testing::Bytes golden = duel::testing::get(record);
  EXPECT_EQ(lines, std::string(golden.begin(), golden.end()))
      << "programs are others than PyTorch ran: run this test where it is, with DUEL_WRITE_PROGRAMS=1";
  const std::string python = duel::testing::python_with_torch();
  if (python.empty())
    GTEST_SKIP() << written
                 << " programs were written; no PyTorch with safetensors (DUEL_TEST_PYTHON) to run them";
  const std::string said = duel::testing::output_of(
      {python, duel::testing::in_source("tests/gan/models/torch_programs.py").string(),
       duel::testing::in_source("apps/examples").string(), scratch.dir().string()});
  EXPECT_EQ(said, std::to_string(written) + " alike\n");
}

}  // namespace
}  // namespace duel::gan
