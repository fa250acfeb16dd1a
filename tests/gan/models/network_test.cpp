// The table of networks: every row is whole, what is written from the rows says what they say, and a program's
// own row is a network like Duel's.
#include "duel/gan/models/network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/objective/compatibility.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using testing::error_of;
using testing::has;

NetworkRow own_row(const std::string& name) {
  return {.name = name, .about = "one layer each", .latent = 100, .build = [](const NetworkOptions& o) {
            const int64_t pixels = o.height * o.width;
            return Networks{
                .generator = std::make_shared<nn::Sequential>(nn::Linear(o.latent, pixels), nn::Tanh(),
                                                              nn::Unflatten({1, o.height, o.width})),
                .discriminator = std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(pixels, 1))};
          }};
}

TEST(NetworkTable, EveryRowBuildsWhatItSays) {
  std::set<std::string> names;
  for (const NetworkRow& row : network_rows()) {
    SCOPED_TRACE(row.name);
    EXPECT_TRUE(names.insert(row.name).second);
    EXPECT_FALSE(row.about.empty());
    Generator random(1);
    const Networks n = make_networks({.arch = row.name}, true, random);
    EXPECT_EQ(n.name, row.name);
    EXPECT_EQ(n.latent.noise, row.latent);
    EXPECT_EQ(n.options.channels_d, row.channels_d);
    const Tensor images = (*n.generator)(random.normal({3, n.latent.width()}));
    EXPECT_EQ(images.shape(), (Shape{3, 1, 28, 28}));
    EXPECT_EQ(judge(*n.discriminator, images).logits.shape(), (Shape{3, 1}));
    if (row.sides > 1) {
      EXPECT_TRUE(has(error_of([&] { make_networks({.arch = row.name, .height = 27}, true, random); }),
                      message("divide by {}, got 27 x 28", row.sides)));
    }
  }
  for (const char* name :
       {"mlp", "dcgan", "infogan", "resnet", "sagan", "biggan", "stylegan2", "r3gan", "unet"})
    EXPECT_TRUE(names.contains(name));
}

// Of every row, two images of three colours as one sample of D.
TEST(NetworkTable, EveryRowMakesColours) {
  for (const NetworkRow& row : network_rows()) {
    if (row.name.starts_with("test-")) continue;  // rows of other tests of this process
    SCOPED_TRACE(row.name);
    Generator random(1);
    const NetworkOptions colours{
        .arch = row.name, .height = 8, .width = 4, .image_channels = 3, .packing = 2};
    const Networks n = make_networks(colours, true, random);
    EXPECT_EQ((*n.generator)(random.normal({4, n.latent.width()})).shape(), (Shape{4, 3, 8, 4}));
    EXPECT_EQ(judge(*n.discriminator, random.normal({2, 6, 8, 4})).logits.shape(), (Shape{2, 1}));
    EXPECT_TRUE(has(error_of([&] { make_networks({.arch = row.name, .image_channels = 5}, true, random); }),
                    "images of 1 to 4 channels, got 5"));
  }
}

// A row that is changed and not its text, or a README that is changed by hand, fails here.
TEST(NetworkTable, IsWhatTheReadmeSays) {
  std::string own;  // rows of other tests of this process are not the README's
  for (const std::string& name : architecture_names()) own += has(name, "test-") ? name : "";
  if (!own.empty()) GTEST_SKIP() << own;
  const auto bytes = testing::get(testing::in_source("gan/README.md"));
  EXPECT_TRUE(has({bytes.begin(), bytes.end()}, network_table()))
      << "gan/README.md, section Networks: expected this table:\n"
      << network_table();
}

TEST(NetworkTable, AProgramsOwnRowTrainsByItsName) {
  register_network(own_row("test-own"));
  Generator random(7), again(7);
  const NetworkOptions small{.arch = "test-own", .latent = 5};
  const Networks n = make_networks(small, named_objective("wgan-gp"), random);
  EXPECT_EQ(n.latent.noise, 5);
  EXPECT_EQ(n.name, "test-own");
  // the run's seed decides its weights
  EXPECT_EQ(
      n.generator->parameters()[0].to_vector<float>(),
      make_networks(small, named_objective("wgan-gp"), again).generator->parameters()[0].to_vector<float>());
  Trainer trainer(n, named_objective("wgan-gp"), std::make_shared<ResidentData>(draw_digits(8, 1)),
                  {.batch = 4});
  trainer.step(true);
  EXPECT_TRUE(std::isfinite(trainer.metrics().loss_d));
}

TEST(NetworkTable, RefusesRowsThatCannotBe) {
  EXPECT_TRUE(
      has(error_of([] { register_network(own_row("dcgan")); }), "there is a network 'dcgan' already"));
  EXPECT_TRUE(has(error_of([] { register_network(own_row("My Net")); }), "lower-case"));
  EXPECT_TRUE(has(error_of([] { register_network({.name = "test-nothing"}); }), "no builder"));
  NetworkRow half = own_row("test-half");
  half.build = [](const NetworkOptions&) {
    return Networks{.generator = std::make_shared<nn::Linear>(1, 1)};
  };
  register_network(half);
  Generator random(1);
  EXPECT_TRUE(
      has(error_of([&] { make_networks({.arch = "test-half"}, true, random); }), "made no discriminator"));
  EXPECT_TRUE(has(error_of([&] { make_networks({.arch = "dcgna"}, true, random); }), "did you mean 'dcgan'"));
}

// By each reason on its own; without one, batch norm stays.
TEST(BatchNormInD, IsLeftOutWhereTheObjectiveWouldRefuseIt) {
  const auto allows = [](void (*change)(Objective&)) {
    Objective objective{.name = "mine"};
    change(objective);
    return allows_batch_norm_in_d(objective);
  };
  EXPECT_TRUE(allows([](Objective&) {}));
  EXPECT_TRUE(allows([](Objective& o) { o.constraint.weight_clip = 0.01; }));
  EXPECT_TRUE(allows([](Objective& o) { o.schedule.packing = 3; }));
  EXPECT_TRUE(allows([](Objective& o) { o.critic = CriticKind::class_head; }));
  EXPECT_FALSE(allows([](Objective& o) { o.penalties = {{zero_centered(), at_real(), 1.0}}; }));
  EXPECT_FALSE(allows([](Objective& o) { o.constraint.spectral_norm = true; }));
  EXPECT_FALSE(allows([](Objective& o) { o.schedule.unroll = 2; }));
  EXPECT_FALSE(allows([](Objective& o) { o.batch_norm_in_d = false; }));
}

}  // namespace
}  // namespace duel::gan
