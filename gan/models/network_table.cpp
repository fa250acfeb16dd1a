// The rows, and what they are built with.
#include <algorithm>

#include "duel/core/tensor/random.h"
#include "duel/gan/models/internal/layers.h"
#include "duel/gan/models/network.h"
#include "duel/kernels/base/settings.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/module/init.h"

namespace duel::gan {

namespace detail {
// networks/NAME.cpp each
NetworkBuilder mlp(), dcgan(), infogan(), resnet(), sagan(), biggan(), stylegan2(), r3gan(), unet();
}  // namespace detail

namespace {

std::deque<NetworkRow>& table() {
  static std::deque<NetworkRow> rows = {
      {.name = "mlp",
       .about = "G z-256-512-pixels, D pixels-512-256-1, LeakyReLU 0.2; images of any sides",
       .paper = "PyTorch-GAN's wgan_gp",
       .channels_g = 256,
       .channels_d = 256,
       .build = detail::mlp()},
      {.name = "dcgan",
       .about =
           "G linear 256x7x7, two 4x4 stride-2 transposed convolutions; D two 4x4 stride-2 convolutions, "
           "linear",
       .paper = "Radford et al. 2015, arXiv:1511.06434",
       .norm_g = Norm::batch,
       .norm_d = Norm::batch,
       .sides = 4,
       .build = detail::dcgan()},
      {.name = "infogan",
       .about =
           "G linear 1024, linear 128x7x7, transposed convolutions 64, 1; D convolutions 64, 128, linear "
           "1024, 1; MNIST's network of many later comparisons",
       .paper = "Chen et al. 2016, arXiv:1606.03657",
       .latent = 62,
       .norm_g = Norm::batch,
       .norm_d = Norm::batch,
       .sides = 4,
       .build = detail::infogan()},
      {.name = "resnet",
       .about =
           "G linear, residual blocks that double the sides to the image's, batch norm; D residual blocks that halve them "
           "to 7 or more and two that keep them, mean of pixels, linear; constant width",
       .paper = "Gulrajani et al. 2017, arXiv:1704.00028, appendix F; Miyato et al. 2018, arXiv:1802.05957",
       .latent = 128,
       .channels_g = 32,
       .channels_d = 32,
       .norm_g = Norm::batch,
       .build = detail::resnet()},
      {.name = "sagan",
       .about =
           "dcgan of half the width with self-attention at half the image's sides in both, spectral norm in both",
       .paper = "Zhang et al. 2019, arXiv:1805.08318",
       .latent = 128,
       .channels_g = 64,
       .channels_d = 64,
       .norm_g = Norm::batch,
       .spectral_norm = true,
       .sides = 4,
       .build = detail::sagan()},
      {.name = "biggan",
       .about =
           "residual blocks, G's batch norms conditioned on a shared embedding of the label and a part of z each; "
           "self-attention at half the image's sides, spectral norm and orthogonal first weights in both",
       .paper = "Brock et al. 2019, arXiv:1809.11096",
       .latent = 120,
       .channels_g = 16,
       .channels_d = 16,
       .norm_g = Norm::batch,
       .spectral_norm = true,
       .build = detail::biggan()},
      {.name = "stylegan2",
       .about =
           "mapping of 4 layers, modulated convolutions with noise inputs from a learned constant, skip outputs, style "
           "mixing; residual D with smooth halving; equalised weights",
       .paper = "Karras et al. 2020, arXiv:1912.04958",
       .latent = 64,
       .channels_g = 32,
       .channels_d = 16,
       .build = detail::stylegan2()},
      {.name = "r3gan",
       .about =
           "residual blocks of grouped 3x3 and of 1x1 convolutions without norms, quiet at the start; a learned basis at "
           "G's beginning, a depthwise one at D's end",
       .paper = "Huang et al. 2025, arXiv:2501.05441, section 4",
       .latent = 64,
       .channels_g = 32,
       .channels_d = 32,
       .build = detail::r3gan()},
      {.name = "unet",
       .about =
           "G resnet's; D a U-Net of residual blocks, an encoder that halves the sides to 4 or more and judges the image, and a "
           "decoder that doubles them again, joined with the encoder's outputs, and judges each pixel; constant width",
       .paper = "Schonfeld et al. 2020, arXiv:2002.12655",
       .latent = 128,
       .channels_g = 32,
       .channels_d = 32,
       .norm_g = Norm::batch,
       .build = detail::unet()},
  };
  return rows;
}

/// Q: a hidden layer and one value per column of the codes.
std::shared_ptr<nn::Module> code_finder(const NetworkOptions& o, int64_t features) {
  constexpr int64_t hidden = 128;  // Chen 2016, appendix C.1
  auto q = std::make_shared<nn::Sequential>();
  detail::add_weights(*q, o.spectral_norm, nn::Linear(features, hidden));
  detail::add_norm(*q, o.discriminator_norm, hidden);
  q->push_back(nn::LeakyReLU(0.2));
  detail::add_weights(*q, o.spectral_norm, nn::Linear(hidden, latent_plan(o).code_width()));
  return q;
}

}  // namespace

void begin_weights(nn::Module& net, Start start) {
  if (start == Start::layers) return;
  for (const auto& [name, parameter] : net.named_parameters()) {
    if (parameter.rank() >= 2) {
      if (start == Start::small) nn::init::normal_(parameter, 0.0, 0.02);
      if (start == Start::xavier) nn::init::xavier_uniform_(parameter);
      if (start == Start::orthogonal) nn::init::orthogonal_(parameter);
    } else if (name.ends_with(".bias")) {
      nn::init::constant_(parameter, 0.0);
    }
  }
}

const std::deque<NetworkRow>& network_rows() { return table(); }

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const NetworkRow& row : table()) names.push_back(row.name);
  return names;
}

std::string network_names_text() {
  std::string text;
  for (const NetworkRow& row : table()) text += (text.empty() ? "" : ", ") + row.name;
  return text;
}

bool is_network(const std::string& name) {
  return std::any_of(table().begin(), table().end(), [&](const NetworkRow& row) { return row.name == name; });
}

const NetworkRow& network_row(const std::string& name) {
  for (const NetworkRow& row : table()) {
    if (row.name == name) return row;
  }
  const std::string nearest = nearest_name(name, architecture_names());
  fail("models", "unknown architecture '{}'{} there are {}", name,
       nearest.empty() ? ";" : ": did you mean '" + nearest + "'?", network_names_text());
}

void register_network(NetworkRow row) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  DUEL_CHECK(!row.name.empty() && std::all_of(row.name.begin(), row.name.end(), fits), "register_network",
             "name: expected lower-case letters, digits, - and _, got '{}'", row.name);
  DUEL_CHECK(!is_network(row.name), "register_network",
             "name: there is a network '{}' already; give this one another name", row.name);
  DUEL_CHECK(row.build, "register_network", "'{}' has no builder: expected a function that makes Networks",
             row.name);
  DUEL_CHECK(row.latent >= 1 && row.channels_g >= 1 && row.channels_d >= 1 && row.sides >= 1,
             "register_network", "'{}': expected sizes of at least 1, got {}, {}, {} and {}", row.name,
             row.latent, row.channels_g, row.channels_d, row.sides);
  table().push_back(std::move(row));
}

std::string network_table() {
  std::string text = "| `--arch` | layers | latent, widths of G and D | from |\n|---|---|---|---|\n";
  for (const NetworkRow& row : table()) {
    text += message("| `{}` | {} | {}, {}, {} | {} |\n", row.name, row.about, row.latent, row.channels_g,
                    row.channels_d, row.paper);
  }
  return text;
}

LatentPlan latent_plan(const NetworkOptions& o) {
  return {.noise = o.latent,
          .kind = o.noise,
          .classes = o.classes,
          .categorical = o.codes.categorical,
          .continuous = o.codes.continuous};
}

NetworkBuilder built_from(NetworkParts parts) {
  return [parts = std::move(parts)](const NetworkOptions& o) {
    const auto generator = parts.generator(o, latent_plan(o).width(), o.channels_g, o.generator_norm);
    if (parts.tanh) generator->push_back(nn::Tanh());
    const int64_t labels = o.critic == CriticKind::label_input ? o.classes : 0;
    // Under an absolute error black is the best constant answer for a pixel that is mostly black, and a tanh
    // that has reached it passes no gradient any more: BEGAN's decoder is linear, as in its paper.
    const auto decoder = [&] {
      const auto net = parts.generator(o, o.channels_d, o.channels_d, o.discriminator_norm);
      if (o.critic == CriticKind::squared_error) net->push_back(nn::Tanh());
      return net;
    };
    const auto around = [&](CriticKind kind, const Trunk& trunk) {
      return make_critic(kind, trunk,
                         {.classes = o.classes,
                          .labels = parts.labels,
                          .spectral_norm = o.spectral_norm,
                          .q = [&] { return code_finder(o, trunk.features); },
                          .code = o.channels_d,
                          .decoder = decoder,
                          .embedding = o.embedding});
    };
    const auto head = [&](int64_t features) {
      return around(labels > 0 ? CriticKind::plain : o.critic,
                    {std::make_shared<nn::Sequential>(), features});
    };
    const bool own = parts.critic && !is_autoencoder(o.critic);
    const auto discriminator = own ? parts.critic(o, labels, head) : around(o.critic, parts.trunk(o, labels));
    begin_weights(*generator, parts.start);
    // Without a norm an autoencoder of small weights is nearly 0 everywhere, and learns to see only after many steps.
    if (parts.start != Start::small || !is_autoencoder(o.critic)) begin_weights(*discriminator, parts.start);
    return Networks{.generator = generator, .discriminator = discriminator};
  };
}

}  // namespace duel::gan
