#include "duel/gan/models/models.h"

#include "duel/gan/models/network.h"
#include "duel/gan/objective/compatibility.h"
#include "duel/nn/norm/virtual_batch_norm.h"

namespace duel::gan {
namespace {

void check_heads(const NetworkOptions& o) {
  DUEL_CHECK(is_conditional(o.critic) == (o.classes > 0), "models", "expected {}, got {} classes",
             is_conditional(o.critic) ? "at least 1 class for a conditional objective"
                                      : "no classes for an objective without labels",
             o.classes);
  DUEL_CHECK(o.critic != CriticKind::code_head || o.codes.count() > 0, "models",
             "this objective's D finds G's codes, and there are none: expected code-classes of at least 2 or "
             "code-values of at least 1");
  DUEL_CHECK(o.critic == CriticKind::code_head || o.codes.count() == 0, "models",
             "expected no codes for an objective whose D does not find them, got {}", o.codes.count());
  DUEL_CHECK(
      (o.critic == CriticKind::embedding) == (o.embedding > 0), "models",
      "expected an embedding of at least 1 number for an objective whose D gives one, and 0 for others, got {}",
      o.embedding);
  DUEL_CHECK(o.packing == 1 || o.critic == CriticKind::plain, "models",
             "packing {}: this objective's D says something about each image, and cannot judge {} as one",
             o.packing, o.packing);
}

/// G of virtual batch norms with reference latents that default_generator() decides on.
std::shared_ptr<nn::Module> with_reference(const std::shared_ptr<nn::Module>& generator,
                                           const LatentPlan& plan) {
  constexpr int64_t kReferences = 64;
  const auto seed =
      static_cast<uint64_t>(default_generator().integers({1}, int64_t{1} << 32).to_vector<int64_t>()[0]);
  LatentGenerators random{Generator(seed, 0), Generator(seed, 1), Generator(seed, 2)};
  return std::make_shared<nn::WithReference>(generator, draw_latents(plan, kReferences, random).input);
}

}  // namespace

NetworkOptions networks_for(const Objective& objective, NetworkOptions options, int64_t classes) {
  options.packing = objective.schedule.packing;
  options.critic = objective.critic;
  options.classes = is_conditional(objective.critic) ? classes : 0;
  options.codes = objective.codes;
  options.noise = objective.noise;
  options.embedding = objective.embedding;
  options.spectral_norm = objective.constraint.spectral_norm;
  return options;
}

Networks make_networks(const NetworkOptions& options, const Objective& objective, Generator& random) {
  return make_networks(networks_for(objective, options, options.classes), allows_batch_norm_in_d(objective),
                       random);
}

Networks make_networks(NetworkOptions o, bool allow_batch_norm_in_d, Generator& random) {
  const NetworkRow& row = network_row(o.arch);
  DUEL_CHECK(o.height >= 1 && o.width >= 1, "models", "expected images of at least 1 x 1 pixel, got {} x {}",
             o.height, o.width);
  DUEL_CHECK(o.height % row.sides == 0 && o.width % row.sides == 0, "models",
             "{}: expected images with sides that divide by {}, got {} x {}; --arch mlp takes any", row.name,
             row.sides, o.height, o.width);
  DUEL_CHECK(o.image_channels >= 1 && o.image_channels <= 4, "models",
             "expected images of 1 to 4 channels, got {}", o.image_channels);
  DUEL_CHECK(o.latent >= 0 && o.channels_g >= 0 && o.channels_d >= 0 && o.packing >= 1, "models",
             "expected sizes of at least 1 (0: the default), got latent {}, channels-g {}, channels-d {}, "
             "packing {}",
             o.latent, o.channels_g, o.channels_d, o.packing);
  if (o.latent == 0) o.latent = row.latent;
  if (o.channels_g == 0) o.channels_g = row.channels_g;
  if (o.channels_d == 0) o.channels_d = row.channels_d;
  if (o.generator_norm == Norm::automatic) o.generator_norm = row.norm_g;
  if (o.discriminator_norm == Norm::automatic) {
    o.discriminator_norm = row.norm_d == Norm::batch && !allow_batch_norm_in_d ? Norm::none : row.norm_d;
  }
  DUEL_CHECK(
      o.discriminator_norm != Norm::virtual_batch, "models",
      "norm-d: virtual-batch is G's alone, whose reference is latents: expected auto, none, batch, layer or "
      "instance");
  if (row.spectral_norm && !is_autoencoder(o.critic)) o.spectral_norm = o.spectral_norm_g = true;
  check_heads(o);
  const LendDefaultGenerator lent(random);  // layers initialise themselves from the thread's
  Networks networks = row.build(o);
  DUEL_CHECK(networks.generator && networks.discriminator, "models",
             "the builder of '{}' made no {}: expected both networks", row.name,
             networks.generator ? "discriminator" : "generator");
  if (networks.latent.width() == 0) networks.latent = latent_plan(o);
  if (o.generator_norm == Norm::virtual_batch)
    networks.generator = with_reference(networks.generator, networks.latent);
  o.latent = networks.latent.noise;
  networks.options = o;
  networks.name = row.name;
  return networks;
}

namespace {
constexpr std::pair<Norm, const char*> kNorms[] = {
    {Norm::automatic, "auto"}, {Norm::none, "none"},         {Norm::batch, "batch"},
    {Norm::layer, "layer"},    {Norm::instance, "instance"}, {Norm::virtual_batch, "virtual-batch"}};
}

std::string to_text(Norm norm) {
  for (const auto& [value, text] : kNorms) {
    if (value == norm) return text;
  }
  return "?";
}

Norm parse_norm(const std::string& text) {
  for (const auto& [value, name] : kNorms) {
    if (text == name) return value;
  }
  fail("models", "unknown normalisation '{}': expected {}", text, Setting{.words = norm_texts()}.expected());
}

std::vector<std::string> norm_texts() {
  std::vector<std::string> texts;
  for (const auto& [value, text] : kNorms) texts.emplace_back(text);
  return texts;
}

}  // namespace duel::gan
