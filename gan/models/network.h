// The table of networks: one row each, with what builds it. `--arch`, its help, the README's table and everything
// that goes through all networks read the rows; a program may add rows of its own.
//
// A row's builder is given options without a zero or `automatic` among the sizes and norms, and layers initialise
// themselves from the run's generator, which it finds as default_generator().
//
// Example, a network of one's own, known by its name to RunConfig, checkpoints and load_trainer from then on:
//   register_network({.name = "mine", .about = "one hidden layer", .channels_g = 128, .build = [](const NetworkOptions& o) {
//     return Networks{.generator = std::make_shared<MyG>(o.latent, o.channels_g), .discriminator = std::make_shared<MyD>()};
//   }});
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "duel/gan/models/critics.h"
#include "duel/gan/models/models.h"
#include "duel/nn/module/sequential.h"

namespace duel::gan {

/// Both networks, and where G is not given what latent_plan(options) says, its own plan.
using NetworkBuilder = std::function<Networks(const NetworkOptions& options)>;

struct NetworkRow {
  std::string name;        // of --arch: lower-case letters, digits, - and _
  std::string about = "";  // one line: the layers of G and of D
  std::string paper = "";
  // where the options leave them open
  int64_t latent = 100, channels_g = 64, channels_d = 64;
  Norm norm_g = Norm::none, norm_d = Norm::none;  // batch in D: where the objective allows it
  bool spectral_norm =
      false;          // of both networks, whatever the objective says; not of autoencoders and their G
  int64_t sides = 1;  // of images are multiples of this
  NetworkBuilder build = {};
};

/// Duel's own, then those that were registered, in that order. References stay valid.
const std::deque<NetworkRow>& network_rows();
/// By name; an unknown one is an Error with the nearest name.
const NetworkRow& network_row(const std::string& name);
bool is_network(const std::string& name);

/// Adds a row of the program's own. Error for a row without name or builder, and for a name that is taken. Not
/// while another thread makes networks.
void register_network(NetworkRow row);

/// "mlp, dcgan, infogan"
std::string network_names_text();

/// Rows of a Markdown table: name, layers, sizes, paper. gan/README.md holds it.
std::string network_table();

/// What G starts from by the options.
LatentPlan latent_plan(const NetworkOptions& options);

/// The weights that networks start from; norms and what has one axis but a bias stay as they are.
enum class Start {
  layers,      // as each layer starts itself
  small,       // weights N(0, 0.02), biases 0 (Radford et al. 2015, section 4)
  xavier,      // uniform by both fans, biases 0 (Miyato et al. 2018; Zhang et al. 2019)
  orthogonal,  // orthonormal rows, biases 0 (Brock et al. 2019, section 3)
};

/// Such weights for every parameter of a network, drawn from default_generator().
void begin_weights(nn::Module& net, Start start);

/// G and D in two parts, around which every kind of critic can stand.
struct NetworkParts {
  /// From [N, input] to images before their last activation, `width` wide. Of an autoencoder D the decoder too.
  std::function<std::shared_ptr<nn::Sequential>(const NetworkOptions&, int64_t input, int64_t width, Norm)>
      generator;
  /// D up to the features that its last layer sees; `labels` more inputs, laid out as below.
  std::function<Trunk(const NetworkOptions&, int64_t labels)> trunk;
  LabelCritic::Input labels = LabelCritic::Input::planes;
  Start start = Start::layers;
  /// After G's last layer; without it images are whatever that layer says, and those who draw them cut at -1 and 1.
  bool tanh = true;
  /// Of a D that says more than its features do; nothing: make_critic() around the trunk. From `labels` as of the trunk and what
  /// makes a critic of features [N, F] of the kind that the options ask for (of label_input a plain one), to D. Autoencoders have
  /// the trunk.
  using Head = std::function<std::shared_ptr<Critic>(int64_t features)>;
  std::function<std::shared_ptr<Critic>(const NetworkOptions&, int64_t labels, const Head& head)> critic = {};
};
/// D is the critic that the options ask for.
NetworkBuilder built_from(NetworkParts parts);

}  // namespace duel::gan
