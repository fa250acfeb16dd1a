#include "axes.h"

#include <algorithm>
#include <cstdio>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/text.h"
#include "terminal/terminal.h"

namespace duel::apps {
namespace {

std::string flag_of(const gan::Axis& axis) { return axis.name == "penalties" ? "penalty" : axis.name; }

Given::iterator found(Given& given, const std::string& name) {
  return std::find_if(given.begin(), given.end(), [&](const auto& one) { return one.first == name; });
}

bool is_loss(const std::string& text) {
  try {
    (void)gan::canonical(*gan::find_axis("loss"), "loss", text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool names_objective(const std::string& text) {
  const std::vector<std::string> names = gan::objective_names();
  return std::find(names.begin(), names.end(), text) != names.end();
}

}  // namespace

Option axis_option(const gan::Axis& axis, std::function<void(const std::string&)> set) {
  Option option{.name = flag_of(axis),
                .help = axis.help + ": table below [the objective's]",
                .value = axis.name == "penalties" ? "TEXT" : "NAME",
                .group = "Objective",
                .set = std::move(set),
                .several = axis.name == "penalties"};
  if (option.name != axis.name) option.aliases = {axis.name};
  for (const std::string& value : axis.values) {
    if (!option.several) option.choices.push_back(value.substr(0, value.find('(')));
  }
  return option;
}

void add_axis_options(Command& command, const std::shared_ptr<Given>& given) {
  for (const gan::Axis& axis : gan::axes()) {
    command.options.push_back(axis_option(
        axis, [given, name = axis.name](const std::string& text) { given->emplace_back(name, text); }));
  }
}

Given settled_axes(const Given& given, bool quiet) {
  Given settled;
  for (const auto& [name, text] : given) {
    const auto same = name == "penalties" ? found(settled, name) : settled.end();
    if (same == settled.end()) {
      settled.emplace_back(name, text);
    } else {
      same->second += ", " + text;
    }
  }
  const auto loss = found(settled, "loss");
  if (loss == settled.end() || is_loss(loss->second) || !names_objective(loss->second)) return settled;
  DUEL_CHECK(
      found(settled, "objective") == settled.end(), "loss",
      "--loss {} names an objective, and --objective another: expected a loss; duel train --help lists them",
      loss->second);
  if (!quiet)
    std::fputs(message("duel: hint: --loss {} names an objective and not a loss: taken as --objective {}\n",
                       loss->second, loss->second)
                   .c_str(),
               stderr);
  loss->first = "objective";
  return settled;
}

gan::ObjectiveOverrides axis_overrides(const Given& given) {
  gan::ObjectiveOverrides overrides;
  for (const auto& [name, text] : given) {
    if (gan::find_axis(name)) overrides.set(name, text);
  }
  return overrides;
}

std::string axes_table() {
  const auto columns = static_cast<size_t>(std::max(columns_of(stdout), 40));
  const bool narrow = columns < 60;  // values below their flag, as the options of help have it
  const size_t indent = narrow ? 6 : 16;
  std::string table = "objective = loss x relativism x penalties x constraint x schedule\n";
  const auto row = [&](std::string flag, const std::string& values) {
    if (narrow) flag += "\n";
    flag.resize(flag.size() + (narrow ? indent : indent - flag.size()), ' ');
    table += flag + wrapped(values, indent, columns) + "\n";
  };
  for (const gan::Axis& axis : gan::axes()) {
    row("  --" + flag_of(axis), joined(axis.values));
  }
  row("  schedule", "the flags of steps, updates, noise, packing and optimizers above");
  return table;
}

}  // namespace duel::apps
