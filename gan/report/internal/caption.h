// What stands below a diagram, as HTML.
#pragma once

#include <string>

namespace duel::gan::detail {

/// Of a measure_caption(): the words "Healthy:" and "Sick:" are marked.
std::string caption_html(const std::string& caption);

}  // namespace duel::gan::detail
