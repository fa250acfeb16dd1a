// duel objectives: the table of named objectives, or one of them in full.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>

#include "axes.h"
#include "commands.h"
#include "duel/gan/models/models.h"
#include "duel/gan/objective/composition.h"
#include "terminal/output.h"
#include "terminal/terminal.h"

namespace duel::apps {
namespace {

constexpr size_t kName = 19;  // columns that the list gives to names

/// The text in lines of at most page_columns() columns, each `indent` to the right, without the first line's indent.
/// A text of
/// several parts ("L_D = ...;  L_G = ...") that needs more than one line gives each part its own.
std::string wrapped(const std::string& text, size_t indent) {
  const size_t most = page_columns();
  const size_t hang = indent > 0 ? indent + 2 : 0;
  const bool fits = indent + text.size() <= most;
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t mark = fits ? std::string::npos : text.find(";  ", begin);
    const size_t end = mark == std::string::npos ? text.size() : mark + 1;
    if (begin > 0) out += "\n" + std::string(indent, ' ');
    size_t column = indent;
    for (size_t word = begin; word < end;) {
      size_t stop = text.find(' ', text.find_first_not_of(' ', word));
      stop = std::min(stop, end);
      const size_t first = text.find_first_not_of(' ', word);
      if (word > begin && column + (stop - word) > most) {
        out += "\n" + std::string(hang, ' ') + text.substr(first, stop - first);
        column = hang + stop - first;
      } else {
        out += text.substr(word, stop - word);
        column += stop - word;
      }
      word = stop;
    }
    begin = mark == std::string::npos ? text.size() : mark + 3;
  }
  return out;
}

/// Numbers without exponents: 0.00005 beside 0.001.
std::string plain(const gan::SettingValue& value) {
  const auto* number = std::get_if<double>(&value);
  if (!number) return gan::text_of(value);
  char text[400];
  return {text, std::to_chars(text, text + sizeof text, *number, std::chars_format::fixed).ptr};
}

/// What the letters of a formula mean.
const char* legend(const gan::Objective& objective) {
  if (objective.critic == gan::CriticKind::embedding)
    return "r = D(x), f = D(G(z)): embeddings, several numbers per sample; r', f': of another sample of the batch; E: mean "
           "over the batch";
  return objective.loss.energy
             ? "E(x), E(G(z)): energies, low on data; losses take their means over the batch"
             : "r = D(x), f = D(G(z)): raw logits; E: mean over the batch";
}

/// The settings that one objective has, with its defaults.
std::vector<std::pair<const gan::ObjectiveSetting*, gan::SettingValue>> defaults(
    const std::string& name, const gan::ObjectiveOverrides& parts = {}) {
  const gan::ObjectiveOverrides resolved = gan::resolved_overrides(name, parts);
  std::vector<std::pair<const gan::ObjectiveSetting*, gan::SettingValue>> found;
  for (const gan::ObjectiveSetting& setting : gan::objective_settings()) {
    if (const auto value = resolved.find(setting.name)) found.emplace_back(&setting, *value);
  }
  return found;
}

/// Those that are not "off".
std::string short_defaults(const std::string& name) {
  std::string text;
  for (const auto& [setting, value] : defaults(name)) {
    if (value != setting->place.off) text += (text.empty() ? "" : ", ") + setting->name + " " + plain(value);
  }
  return text;
}

/// Refuses what cannot be mixed, as a run of it would, with the smallest networks that can play it.
void check_mix(const gan::Objective& objective) {
  Generator weights(1);
  const gan::NetworkOptions options =
      gan::networks_for(objective, {.arch = "mlp", .channels_g = 8, .channels_d = 8});
  const gan::Networks networks = gan::make_networks(options, objective, weights);
  gan::check_compatible(objective, *networks.discriminator, 64, networks.generator.get());
}

/// `parts`: axes in place of the objective's own.
int show(const std::string& named, const gan::ObjectiveOverrides& parts) {
  const bool composed = parts != gan::ObjectiveOverrides();
  const std::string name = named.empty() && composed ? gan::kComposed : named;
  if (name.empty()) {
    print(
        "r = D(x), f = D(G(z)): raw logits; E: mean over the batch (ebgan, began: D's energy).\n"
        "`duel objectives NAME` shows one in full.\n\n");
    for (const std::string& each : gan::objective_names()) {
      const gan::Objective objective = gan::named_objective(each);
      std::string head = each;
      head.resize(std::max(kName, each.size() + 1), ' ');
      for (const std::string& line : {objective.formula, short_defaults(each), objective.paper}) {
        print(head + wrapped(line, kName) + "\n");
        head.assign(kName, ' ');
      }
      print("\n");
    }
    return 0;
  }
  const gan::Objective objective = gan::named_objective(name, parts);
  if (composed) check_mix(objective);
  print(message("{}\n\n  {}\n  {}\n\n  {}\n\nDefaults, as flags of duel train:\n", objective.name,
                wrapped(objective.formula, 2), wrapped(legend(objective), 2), wrapped(objective.paper, 2)));
  for (const auto& [setting, value] : defaults(name, parts)) {
    const std::string& flag = setting->name;
    const bool truth = setting->kind == gan::Setting::Kind::truth;  // as help says: --NAME=false
    print("  --" + flag + (truth ? "=" : std::string(flag.size() < 22 ? 23 - flag.size() : 1, ' ')) +
          plain(value) + "\n");
  }
  if (!objective.rates.empty()) print("\n" + wrapped(objective.rates, 0) + "\n");
  if (!objective.note.empty()) print("\n" + wrapped(objective.note, 0) + "\n");
  if (!objective.penalties.empty()) {
    print("\n" +
          wrapped("The penalty takes each sample's gradient by itself, so D has no batch norm (--norm-d "
                  "layer or instance can stand in).",
                  0) +
          "\n");
  }
  return 0;
}

}  // namespace

Command objectives_command() {
  auto name = std::make_shared<std::string>();
  auto given = std::make_shared<Given>();
  Command command{.name = "objectives", .summary = "List the objectives: formula, defaults, paper"};
  command.words = {{.name = "NAME", .help = "one of them, in full", .set = [name](const std::string& text) {
                      *name = text;
                    }}};
  add_axis_options(command, given);
  command.footer =
      "  duel objectives --loss hinge --relativism paired --constraint spectral_norm\n"
      "  duel objectives wgan-gp --penalty one_sided(1)@line:10\n\n" +
      axes_table();
  command.run = [name, given] {
    Given named = *given;
    if (!name->empty()) named.emplace_back("objective", *name);
    named = settled_axes(named, false);
    for (const auto& [setting, text] : named) {
      if (setting == "objective") *name = text;
    }
    return show(*name, axis_overrides(named));
  };
  return command;
}

}  // namespace duel::apps
