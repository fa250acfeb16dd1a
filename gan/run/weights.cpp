#include "duel/gan/run/weights.h"

#include <algorithm>

#include "duel/core/device/internal/allocation_budget.h"
#include "duel/core/io/internal/json.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/gan/models/program.h"
#include "duel/gan/run/internal/output_file.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/gan/train/state.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;
using json::Json;

constexpr const char* kFormat = "duel-network-1";

bool is_net(const std::string& name) { return name == "g_ema" || name == "g" || name == "d"; }

// ---- Writing ----------------------------------------------------------------------------------------------

/// Note [What an exported file holds]: what is no setting but follows from them.
std::string facts(const Networks& networks) {
  const NetworkOptions& o = networks.options;
  const LatentPlan& latent = networks.latent;
  const Json input = {{"width", latent.width()},
                      {"noise", latent.noise},
                      {"noise-kind", latent.kind == NoiseKind::normal ? "normal" : "uniform"},
                      {"classes", latent.classes},
                      {"categorical", latent.categorical},
                      {"continuous", latent.continuous}};
  return json::dumped(Json::object({{"input", input},
                                    {"image", {o.image_channels, o.height, o.width}},
                                    {"range", {-1, 1}},
                                    {"packing", o.packing},
                                    {"spectral-norm-g", o.spectral_norm_g},
                                    {"spectral-norm-d", o.spectral_norm},
                                    {"embedding", o.embedding}}));
}

bool has(const TensorFile& file, const std::string& prefix) {
  return std::any_of(file.tensors.begin(), file.tensors.end(),
                     [&](const auto& entry) { return entry.first.starts_with(prefix); });
}

// ---- Reading ----------------------------------------------------------------------------------------------

/// Why the entries are not this network's; empty where they are.
std::string why_not(nn::Module& net, const nn::StateDict& entries) {
  nn::StateDict mine = net.state_dict();
  const auto named = [](const nn::StateDict& all, const std::string& name) {
    return std::find_if(all.begin(), all.end(), [&](const auto& entry) { return entry.first == name; });
  };
  std::string missing, unexpected, wrong;
  constexpr int kShown = 8;
  int count = 0;
  const auto tell = [&](std::string& list, const std::string& what) {
    if (++count <= kShown) list += (list.empty() ? "" : ", ") + what;
  };
  for (const auto& [name, tensor] : mine) {
    const auto found = named(entries, name);
    if (found == entries.end()) {
      tell(missing, in_quotes(name));
    } else if (found->second.shape() != tensor.shape() ||
               is_floating(found->second.dtype()) != is_floating(tensor.dtype())) {
      tell(wrong, message("{} is {} here and {} in the file", in_quotes(name), to_text(tensor),
                          to_text(found->second)));
    }
  }
  for (const auto& [name, tensor] : entries) {
    if (named(mine, name) == mine.end()) tell(unexpected, in_quotes(name));
  }
  std::string why;
  const auto add = [&](const char* what, const std::string& list) {
    if (!list.empty()) why += message("{}{}: {}", why.empty() ? "" : "; ", what, list);
  };
  add("missing", missing);
  add("not the network's", unexpected);
  add("of another shape", wrong);
  if (count > kShown) why += message("; and {} more", count - kShown);
  return why;
}

std::optional<std::string> first_bad(const nn::StateDict& entries) {
  for (const auto& [name, tensor] : entries) {
    if (!is_floating(tensor.dtype())) continue;
    if (const auto index = first_nonfinite(tensor))
      return message("{} is not finite at flat index {}", in_quotes(name), *index);
  }
  return std::nullopt;
}

/// Error where a configuration in a file asks for what cannot be built.
detail::RunSetup parts_of(RunConfig config, const std::string& source, int64_t bytes) {
  detail::RunSetup setup;
  setup.config = std::move(config);
  DUEL_CHECK(setup.config.networks.height > 0 && setup.config.networks.width > 0, "weights",
             "{}: the image's height and width are missing; expected the configuration of a run", source);
  try {
    check_values(setup.config);
    const AllocationBudget budget(bytes, "networks far larger than those in the file");
    detail::make_parts(setup);
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    fail("weights", "{}: {}", source, error.what());
  }
  return setup;
}

int64_t bytes_of(const TensorFile& file) {
  int64_t bytes = 0;
  for (const auto& entry : file.tensors) bytes += static_cast<int64_t>(entry.second.bytes());
  return bytes;
}

}  // namespace

std::string export_run(const ExportRequest& request) {
  DUEL_CHECK(request.net.empty() || is_net(request.net), "export", "net: expected g_ema, g or d, got '{}'",
             shown(request.net));
  DUEL_CHECK(!request.out.empty(), "export", "out: missing; say --out FILE.safetensors");
  detail::check_output("export", "out", request.out, ".safetensors", request.force);
  const LoadedTrainer loaded = load_trainer(request.checkpoint);
  const Networks& networks = loaded.trainer->networks();
  const TensorFile state = loaded.trainer->state();
  const bool averaged = has(state, kAveragePrefix);
  const std::string net = !request.net.empty() ? request.net : averaged ? "g_ema" : "g";
  DUEL_CHECK(net != "g_ema" || averaged, "export",
             "net: {} keeps no average of G's weights (its ema is 0): take g, or train with --ema 0.999",
             request.checkpoint.string());
  nn::Module& module = net == "d" ? *networks.discriminator : *networks.generator;
  if (net == "g_ema") module.load_state_dict(strip_prefix(kAveragePrefix, state));

  TensorFile file;
  for (const auto& entry : module.state_dict()) file.tensors.push_back(entry);
  file.metadata = {{"format", "pt"},
                   {"duel", kFormat},
                   {"version", DUEL_VERSION},
                   {"net", net},
                   {"iteration", std::to_string(loaded.trainer->iteration())},
                   {"config", to_json(loaded.config)},
                   {"network", facts(networks)}};
  std::string said;
  try {
    file.metadata.emplace_back("program",
                               net == "d" ? discriminator_program(networks) : generator_program(networks));
  } catch (const Error& error) {
    file.metadata.emplace_back("no_program", error.what());
    said = message("; without a program for PyTorch: {}", error.what());
  }
  write_safetensors(request.out, file);
  return message("{}: {} of iteration {} ({}, {}), {} tensors, {} numbers{}", request.out.string(), net,
                 loaded.trainer->iteration(), loaded.config.objective, loaded.config.networks.arch,
                 file.tensors.size(), module.parameter_count(), said);
}

NetworkWeights::NetworkWeights(const fs::path& path) : file_(path) {
  std::error_code ignored;
  DUEL_CHECK(fs::exists(path, ignored), "weights",
             "{}: no such file; expected weights that duel export or PyTorch wrote", path.string());
  // A checkpoint is checked by its sum, and an older one brought into today's form.
  if (!fs::is_directory(path, ignored)) {
    entries_ = read_safetensors(path);
    if (!entries_.text("duel").starts_with("duel-checkpoint-")) return;
  }
  entries_ = load_trainer(path).trainer->state();
}

std::string NetworkWeights::load_into(const Networks& networks, bool g_alone) const {
  nn::Module &g = *networks.generator, &d = *networks.discriminator;
  const nn::StateDict all = entries_.tensors;
  const std::string said = entries_.text("net"), net = is_net(said) ? said : "";
  const auto refuse = [&](const std::string& why) {
    fail("weights", "{}: {}; expected weights of this architecture and these widths", file_.string(), why);
  };
  const auto put = [&](nn::Module& into, const nn::StateDict& entries) {
    if (const std::string why = why_not(into, entries); !why.empty()) refuse(why);
    if (const auto bad = first_bad(entries))
      fail("weights", "{}: {}; expected finite weights", file_.string(), *bad);
    into.load_state_dict(entries);
  };
  const bool of_g = net == "g" || net == "g_ema" || (net.empty() && why_not(g, all).empty());
  const bool of_d = net == "d" || (net.empty() && !of_g && why_not(d, all).empty());
  DUEL_CHECK(!(of_d && g_alone), "weights",
             "{}: these are D's weights, and samples are G's; expected g_ema or g of duel export",
             file_.string());
  if (of_g || of_d) {
    put(of_g ? g : d, all);
    return of_g ? "G" : "D";
  }
  const bool average = has(entries_, kAveragePrefix), g_there = average || has(entries_, "g."),
             d_there = has(entries_, "d.");
  if (!net.empty() || (!g_there && (!d_there || g_alone)))
    refuse(why_not(g, all) +
           (g_alone ? "" : " (if they are G's); " + why_not(d, all) + " (if they are D's)"));
  nn::StateDict mine;
  if (g_there) {
    mine = strip_prefix(average ? kAveragePrefix : "g.", entries_);
    for (auto& entry : strip_prefix("g.", entries_)) {  // buffers that an average has none of
      if (std::none_of(mine.begin(), mine.end(), [&](const auto& e) { return e.first == entry.first; }))
        mine.push_back(std::move(entry));
    }
  }
  const nn::StateDict other = strip_prefix("d.", entries_);
  if (d_there && !g_alone) {
    if (const std::string why = g_there ? why_not(g, mine) : ""; !why.empty()) refuse("G: " + why);
    put(d, other);
  }
  if (g_there) put(g, mine);
  return g_there && d_there && !g_alone ? "G and D" : g_there ? "G" : "D";
}

LoadedTrainer load_weights(const fs::path& weights, const fs::path& checkpoint) {
  const NetworkWeights file(weights);
  RunConfig config;
  std::optional<LoadedTrainer> run;
  std::string source;
  if (!checkpoint.empty()) {
    run.emplace(load_trainer(checkpoint));
    config = run->config;
    source = checkpoint.string();
  } else {
    const std::string text = file.entries().text("config");
    source = weights.string() + ": config";
    DUEL_CHECK(
        !text.empty(), "weights",
        "{}: nothing in its metadata says which networks these weights are of; give a run of them too, --checkpoint RUN",
        weights.string());
    detail::check_registered(run_config_from_json(text, source), "weights", source, false);
    config = stored_config_from_json(text, source);
  }
  // One network's bytes vouch for both: the other may be some times as large.
  constexpr int64_t kOther = 32;
  const int64_t bytes =
      checkpoint.empty() ? kOther * bytes_of(file.entries()) + (int64_t{64} << 20) : INT64_MAX / 2;
  detail::RunSetup setup = parts_of(std::move(config), source, bytes);
  setup.objective.schedule.ema = 0;  // samples are by these weights
  if (run)
    setup.networks.discriminator->load_state_dict(run->trainer->networks().discriminator->state_dict());
  file.load_into(setup.networks, true);
  return {std::make_unique<Trainer>(setup.networks, setup.objective, nullptr,
                                    TrainerOptions{.batch = setup.config.batch, .seed = setup.config.seed}),
          std::move(setup.config)};
}

}  // namespace duel::gan
