// The axes of an objective (gan/objective/composition.h) on the command line: --loss, --relativism, --penalty,
// --constraint.
//
// Example:
//   auto given = std::make_shared<Given>();
//   add_axis_options(command, given);
//   …
//   const gan::ObjectiveOverrides parts = axis_overrides(*given);
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/objective/composition.h"
#include "terminal/command_line.h"

namespace duel::apps {

/// Names of settings with their texts.
using Given = std::vector<std::pair<std::string, std::string>>;

/// An option for an axis: `given` gets its values.
Option axis_option(const gan::Axis& axis, std::function<void(const std::string&)> set);
/// One for every axis.
void add_axis_options(Command& command, const std::shared_ptr<Given>& given);

/// Every axis once: all penalties in one text. A --loss that names an objective, as it did in earlier versions, is
/// that objective, and a line on stderr says so unless `quiet`; an Error where --objective names one too.
Given settled_axes(const Given& given, bool quiet);

/// What of `given` are axes.
gan::ObjectiveOverrides axis_overrides(const Given& given);

/// The five axes and what may be written for each, in lines that fit the window.
std::string axes_table();

}  // namespace duel::apps
