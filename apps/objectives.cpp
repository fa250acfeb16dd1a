// duel objectives: the table of named objectives, or one of them in full.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "duel/gan/run_config.h"

namespace duel::apps {
namespace {

/// The defaults of one objective, as the flags that would set them.
std::vector<std::pair<std::string, std::string>> defaults(const std::string& name) {
  gan::RunConfig config;
  config.objective = name;
  config.overrides = gan::resolved_overrides(name);
  std::vector<std::pair<std::string, std::string>> found;
  for (const gan::ConfigField& field : gan::config_fields()) {
    if (field.group != "Objective" && field.group != "Optimizers") continue;
    const auto value = field.get(config);
    if (value && field.name != "objective") found.emplace_back(field.name, *value);
  }
  return found;
}

/// Those that are not "off".
std::string short_defaults(const std::string& name) {
  std::string text;
  for (const auto& [flag, value] : defaults(name)) {
    const bool off = (value == "0" && flag != "label-a" && flag != "label-c" && flag != "beta1") ||
                     (value == "1" && (flag == "packing" || flag == "lazy-interval" || flag == "generator-steps" || flag == "generator-batch"));
    if (!off && value != "alternating" && value != "false") text += (text.empty() ? "" : ", ") + flag + " " + value;
  }
  return text;
}

int show(const std::string& name) {
  if (name.empty()) {
    std::puts(
        "r = D(x), f = D(G(z)): raw logits; E: mean over the batch. `duel objectives NAME` shows one in "
        "full.\n");
    for (const std::string& each : gan::objective_names()) {
      const gan::Objective objective = gan::named_objective(each);
      std::printf("%-16s %s\n%-16s %s\n%-16s %s\n\n", each.c_str(), objective.formula.c_str(), "",
                  short_defaults(each).c_str(), "", objective.paper.c_str());
    }
    return 0;
  }
  const gan::Objective objective = gan::named_objective(name);
  std::printf(
      "%s\n\n  %s\n  r = D(x), f = D(G(z)): raw logits; E: mean over the batch\n\n  %s\n\nDefaults, as flags "
      "of duel train:\n",
      name.c_str(), objective.formula.c_str(), objective.paper.c_str());
  for (const auto& [flag, value] : defaults(name)) std::printf("  --%-22s %s\n", flag.c_str(), value.c_str());
  if (!objective.note.empty()) std::printf("\n%s\n", objective.note.c_str());
  if (!objective.penalties.empty()) {
    std::puts(
        "\nThe penalty takes each sample's gradient by itself, so D has no batch norm (--norm-d layer or "
        "instance can stand in).");
  }
  return 0;
}

}  // namespace

Command objectives_command() {
  auto name = std::make_shared<std::string>();
  Command command{.name = "objectives", .summary = "List the objectives: formula, defaults, paper"};
  command.words = {{.name = "NAME", .help = "one of them, in full", .set = [name](const std::string& text) {
                      *name = text;
                    }}};
  command.run = [name] { return show(*name); };
  return command;
}

}  // namespace duel::apps
