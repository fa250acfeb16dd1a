// What stands below a diagram: what is seen, then what healthy and what sick look like and who showed it.
#pragma once

#include <string>
#include <vector>

#include "duel/gan/train/measures.h"

namespace duel::gan::detail {

/// `what`, then healthy, sick and source of the rows that are seen; what two of them say alike stands once. Plain text.
std::string caption_of(const std::string& what, const std::vector<const Measure*>& rows);

/// The same as HTML, the words "Healthy:" and "Sick:" marked.
std::string caption_html(const std::string& caption);

}  // namespace duel::gan::detail
