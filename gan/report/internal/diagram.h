// A Plot as a figure of a page: curves as SVG that is there without scripts and follows the reader's light or dark
// scheme, a legend with values, the numbers as a table. The page's script (html.h) reads values at a cursor, moved by
// pointer or keyboard, and switches between linear and logarithmic axes, smoothed and plain, iterations and time.
//
// Lines, points, steps and dotted lines are drawn; not bands, bars and heat maps (InternalError). Curves of more than
// 600 points, or of more than 6,000 in one figure, are thinned: least and greatest value of each stretch stay.
//
// Example:
//   html += diagram_switches(log.curve("seconds"));
//   html += diagram("losses", plot, html_text(caption));
#pragma once

#include <string>

#include "duel/gan/picture/plot.h"
#include "duel/gan/record/metrics_log.h"

namespace duel::gan::detail {

/// `id` names the figure in its page; `caption` is HTML and may be empty.
std::string diagram(const std::string& id, const Plot& plot, const std::string& caption);

/// What changes all diagrams of a page at once, where scripts run; with `seconds` (over iterations) the time, too.
std::string diagram_switches(const Curve* seconds);

}  // namespace duel::gan::detail
