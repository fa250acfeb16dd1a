#include "duel/gan/report/internal/diagram.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "duel/core/io/internal/json.h"
#include "duel/gan/picture/internal/extent.h"
#include "duel/gan/report/internal/html.h"
#include "duel/gan/report/report.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/text.h"

namespace duel::gan {
namespace {

using json::Json;
using Kind = Plot::Kind;
using Points = std::vector<double>;

// Of the drawing, in units of about a pixel where two diagrams stand beside each other.
constexpr double kWidth = 440, kHeight = 250, kLeft = 52, kRight = 10, kTop = 8, kBottom = 36;
constexpr double kAcross = kWidth - kLeft - kRight, kUp = kHeight - kTop - kBottom;
constexpr size_t kMostPoints = 600, kMostOfAll = 6000, kFewPoints = 40;
constexpr size_t kTableRows = 20, kColours = 10, kShades = 3;
constexpr double kMargin = 0.03;

double distance(Color a, Color b) {
  const auto square = [](int d) { return static_cast<double>(d * d); };
  return square(a.r - b.r) + square(a.g - b.g) + square(a.b - b.b);
}

/// The class whose colour, in the page's scheme, stands for a colour of pictures; "-" and "." in later rounds.
std::string class_of(const Plot::Series& s) {
  if (s.kind == Kind::horizontal || s.kind == Kind::vertical) return "guide";
  size_t nearest = 0;
  for (size_t i = 1; i < kColours * kShades; ++i) {
    if (distance(s.color, series_color(i)) < distance(s.color, series_color(nearest))) nearest = i;
  }
  return message("c{} d{}", nearest % kColours, nearest / kColours);
}

/// What is drawn of a series.
struct Trace {
  std::string label, style, kind;  // "line", "dots", "steps", "across", "upright"
  Points x, y;
};

/// Least and greatest of each stretch, in their order; the first and the last point stay.
void thin(Trace& trace, size_t most) {
  if (trace.x.size() <= most) return;
  Trace kept = trace;
  kept.x.clear();
  kept.y.clear();
  const auto keep = [&](size_t i) {
    kept.x.push_back(trace.x[i]);
    kept.y.push_back(trace.y[i]);
  };
  const size_t stretches = std::max<size_t>(1, most / 2 - 1), inner = trace.x.size() - 2;
  keep(0);
  for (size_t k = 0; k < stretches; ++k) {
    const size_t begin = 1 + k * inner / stretches, end = 1 + (k + 1) * inner / stretches;
    size_t least = begin, greatest = begin;
    for (size_t i = begin; i < end; ++i) {
      if (!std::isfinite(trace.y[i])) continue;
      if (!(trace.y[least] <= trace.y[i])) least = i;
      if (!(trace.y[greatest] >= trace.y[i])) greatest = i;
    }
    if (begin < end) keep(std::min(least, greatest));
    if (begin < end && least != greatest) keep(std::max(least, greatest));
  }
  keep(trace.x.size() - 1);
  trace = std::move(kept);
}

std::vector<Trace> traces_of(const Plot& plot) {
  std::vector<Trace> traces;
  for (const Plot::Series& s : plot.series()) {
    Trace trace{.label = s.style.label, .style = class_of(s), .kind = "", .x = s.x, .y = s.y};
    switch (s.kind) {
      case Kind::line:
        trace.kind = "line";
        break;
      case Kind::scatter:
        trace.kind = "dots";
        break;
      case Kind::steps:
        trace.kind = "steps";
        break;
      case Kind::horizontal:
        trace.kind = "across";
        break;
      case Kind::vertical:
        trace.kind = "upright";
        break;
      default:
        throw InternalError("[diagram] this kind of series has no drawing as SVG");
    }
    traces.push_back(std::move(trace));
  }
  const size_t lines = static_cast<size_t>(
      std::count_if(traces.begin(), traces.end(), [](const Trace& t) { return t.kind == "line"; }));
  for (Trace& trace : traces) {
    if (trace.kind == "line") thin(trace, std::clamp(kMostOfAll / lines, kFewPoints, kMostPoints));
  }
  return traces;
}

/// A range with its marks.
struct AxisScale {
  Range range;
  std::vector<std::pair<double, std::string>> marks;
  bool logarithmic = false;

  /// From 0 to 1; NaN where a value has no place.
  double place(double v) const {
    if (logarithmic) return v > 0 ? std::log(v / range.low) / std::log(range.high / range.low) : std::nan("");
    return (v - range.low) / (range.high - range.low);
  }
};

AxisScale y_scale(const Plot& plot, const std::vector<Trace>& traces, bool logarithmic) {
  detail::Extent extent;
  bool steps = false;
  for (const Trace& t : traces) {
    steps |= t.kind == "steps";
    if (t.kind == "upright") continue;
    for (const double v : t.y) extent.take(v, logarithmic);
  }
  if (steps) extent.take(0, logarithmic);
  AxisScale scale{.range = extent.with_margin(logarithmic, kMargin), .marks = {}, .logarithmic = logarithmic};
  const PlotOptions& o = plot.options();
  if (o.y_range && logarithmic == o.log_y) scale.range = *o.y_range;
  for (const double v : axis_ticks(scale.range, logarithmic, 7)) scale.marks.emplace_back(v, tick_label(v));
  return scale;
}

AxisScale x_scale(const Plot& plot, const std::vector<Trace>& traces) {
  const PlotOptions& o = plot.options();
  detail::Extent extent;
  for (const Trace& t : traces) {
    if (t.kind == "across") continue;
    for (const double v : t.x) extent.take(v, false);
  }
  AxisScale scale{.range = o.x_range.value_or(extent.with_margin(false, kMargin)), .marks = {}};
  if (o.x_names.empty()) {
    for (const double v : axis_ticks(scale.range, false, 5)) scale.marks.emplace_back(v, tick_label(v));
    return scale;
  }
  // As many names as do not touch; the table below has them all.
  const size_t every = (o.x_names.size() + 7) / 8;
  for (size_t i = 0; i < o.x_names.size(); i += every)
    scale.marks.emplace_back(static_cast<double>(i), o.x_names[i]);
  return scale;
}

std::string coordinate(double v) { return shortest(std::round(v * 10) / 10 + 0.0); }

/// What follows d= in a path, inside the frame. The page's script draws the same after a switch.
std::string path_of(const Trace& t, const AxisScale& x, const AxisScale& y) {
  const auto across = [&](double v) { return coordinate(x.place(v) * kAcross); };
  const auto up = [&](double v) { return coordinate((1 - std::clamp(y.place(v), -1.0, 2.0)) * kUp); };
  if (t.kind == "across")
    return std::isfinite(y.place(t.y[0])) ? "M0 " + up(t.y[0]) + "H" + coordinate(kAcross) : "";
  if (t.kind == "upright") return "M" + across(t.x[0]) + " 0V" + coordinate(kUp);
  std::string d;
  if (t.kind == "steps") {
    const double floor = y.logarithmic ? y.range.low : 0;
    d = "M" + across(t.x[0]) + " " + up(floor);
    for (size_t i = 0; i + 1 < t.x.size(); ++i)
      d += "V" + up(y.logarithmic && !(t.y[i] > 0) ? floor : t.y[i]) + "H" + across(t.x[i + 1]);
    return d + "V" + up(floor);
  }
  const bool dots = t.kind == "dots";
  bool gap = true;
  for (size_t i = 0; i < t.x.size(); ++i) {
    if (!std::isfinite(y.place(t.y[i])) || !std::isfinite(t.x[i])) {
      gap = true;
      continue;
    }
    d += (gap || dots ? "M" : "L") + across(t.x[i]) + " " + up(t.y[i]) + (dots ? "h0" : "");
    // a value between two gaps would not be seen
    if (!dots && gap && (i + 1 == t.x.size() || !std::isfinite(y.place(t.y[i + 1])))) d += "h0";
    gap = false;
  }
  return d;
}

std::string svg_of(const std::string& id, const std::vector<Trace>& traces, const AxisScale& x,
                   const AxisScale& y, const PlotOptions& o) {
  std::string svg =
      message("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{}-title\">\n<g class=\"axes\">",
              kWidth, kHeight, id);
  for (const auto& [value, label] : y.marks) {
    const double at = kTop + (1 - y.place(value)) * kUp;
    if (!(at >= kTop - 0.5 && at <= kTop + kUp + 0.5)) continue;
    svg += message("<path d=\"M{} {}h{}\"/><text x=\"{}\" y=\"{}\" class=\"y\">{}</text>", kLeft,
                   coordinate(at), kAcross, kLeft - 6, coordinate(at + 4), html_text(label));
  }
  for (const auto& [value, label] : x.marks) {
    const double at = kLeft + x.place(value) * kAcross;
    if (!(at >= kLeft - 0.5 && at <= kLeft + kAcross + 0.5)) continue;
    svg += message("<path d=\"M{} {}v{}\"/><text x=\"{}\" y=\"{}\">{}</text>", coordinate(at), kTop, kUp,
                   coordinate(at), kTop + kUp + 15,
                   html_text(label.size() > 8 ? "…" + label.substr(label.size() - 7) : label));
  }
  svg += message(
      "</g><text class=\"what\" x=\"{}\" y=\"{}\">{}</text>\n<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"lines\">",
      kLeft + kAcross / 2, kHeight - 5, html_text(o.x_label), kLeft, kTop, kAcross, kUp);
  for (const Trace& t : traces)
    svg += "<path class=\"" + t.kind + " " + t.style + "\" d=\"" + path_of(t, x, y) + "\"/>\n";
  return svg + "</svg></svg>\n";
}

Json json_numbers(const Points& values) {
  Json list = Json::array();
  for (const double v : values) {
    const auto brief = parse_number<double>(significant(v, 6));
    if (!brief)
      list.push_back(nullptr);
    else if (*brief == std::floor(*brief) && std::abs(*brief) < 1e15)
      list.push_back(static_cast<int64_t>(*brief));  // 20, not 20.0
    else
      list.push_back(*brief);
  }
  return list;
}

Json json_of(const AxisScale& scale) {
  Json marks = Json::array();
  for (const auto& [value, label] : scale.marks) marks.push_back({value, label});
  return {{"range", {scale.range.low, scale.range.high}}, {"marks", marks}};
}

/// For the script; "</script>" in a name ends nothing.
std::string data_of(const std::vector<Trace>& traces, const AxisScale& x, const AxisScale& linear,
                    const std::optional<AxisScale>& log, const PlotOptions& o) {
  Json shared = Json::array(), series = Json::array();
  std::vector<const Points*> known;
  for (const Trace& t : traces) {
    const auto same = std::find_if(known.begin(), known.end(), [&](const Points* p) { return *p == t.x; });
    const auto place = same - known.begin();
    if (same == known.end()) {
      known.push_back(&t.x);
      shared.push_back(json_numbers(t.x));
    }
    series.push_back(
        {{"kind", t.kind}, {"style", t.style}, {"label", t.label}, {"x", place}, {"y", json_numbers(t.y)}});
  }
  Json data{{"x", json_of(x)}, {"linear", json_of(linear)}, {"log", nullptr}, {"isLog", o.log_y},
            {"xs", shared},    {"series", series}};
  if (log) data["log"] = json_of(*log);
  if (!o.x_names.empty()) data["names"] = o.x_names;
  std::string text = json::dumped(data);
  for (size_t at = 0; (at = text.find('<', at)) != std::string::npos;) text.replace(at, 1, "\\u003c");
  return text;
}

std::string key_html(const Trace& t) {
  std::string last;
  if (t.kind == "line") {
    for (const double v : t.y) last = std::isfinite(v) ? significant(v, 4) : last;
  }
  return "<li><button type=\"button\" class=\"key\" aria-pressed=\"true\" disabled><svg class=\"swatch\" viewBox=\"0 0 24 8\" "
         "aria-hidden=\"true\"><path class=\"line " +
         t.style + "\" d=\"M0 4H24\"/></svg>" + html_text(t.label.empty() ? "value" : t.label) +
         (t.kind == "across" || t.kind == "upright" ? "" : " <b>" + last + "</b>") + "</button></li>";
}

/// What stands at a place, or before it.
std::string cell(const Trace& t, double x) {
  const auto after = std::upper_bound(t.x.begin(), t.x.end(), x) - t.x.begin();
  if (after == 0) return "-";
  const double v = t.y[static_cast<size_t>(after - 1)];
  return std::isfinite(v) ? significant(v, 4) : "-";
}

std::string table_of(const std::string& title, const std::vector<Trace>& traces, const PlotOptions& o) {
  std::vector<const Trace*> shown;
  std::set<double> places;
  for (const Trace& t : traces) {
    if (t.kind != "line" && t.kind != "steps") continue;
    shown.push_back(&t);
    places.insert(t.x.begin(), t.kind == "steps" ? t.x.end() - 1 : t.x.end());
  }
  if (shown.empty()) return {};
  std::vector<std::string> heads{o.x_label.empty() ? "place" : o.x_label};
  for (const Trace* t : shown)
    heads.push_back(t->label.empty() ? (o.y_label.empty() ? "value" : o.y_label) : t->label);
  const std::vector<double> all(places.begin(), places.end());
  const size_t count = o.x_names.empty() ? std::min(all.size(), kTableRows) : all.size();
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < count; ++i) {
    const double x = all[count < 2 ? 0 : i * (all.size() - 1) / (count - 1)];
    const auto name = static_cast<size_t>(std::max(0.0, x));
    rows.push_back({name < o.x_names.size() ? o.x_names[name] : significant(x, 6)});
    for (const Trace* t : shown) rows.back().push_back(cell(*t, x));
  }
  return "<details><summary>Values as a table</summary>" +
         detail::scrolling(title + ", values", detail::table(heads, rows)) + "</details>\n";
}

/// 75 is 1:15, 3700 is 1:01:40.
std::string clock_label(double seconds) {
  const auto s = static_cast<int64_t>(seconds);
  const auto two = [](int64_t v) { return (v < 10 ? "0" : "") + std::to_string(v); };
  if (seconds != std::floor(seconds)) return significant(seconds, 3) + " s";
  return s < 3600 ? message("{}:{}", s / 60, two(s % 60))
                  : message("{}:{}:{}", s / 3600, two(s / 60 % 60), two(s % 60));
}

/// Marks of a clock: multiples of what people count in.
Points clock_marks(double seconds) {
  constexpr double steps[] = {0.1, 0.2, 0.5, 1,   2,    5,    10,   15,    30,    60,
                              120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400};
  double step = steps[std::size(steps) - 1];
  for (const double each : steps) {
    if (seconds / each <= 6) {
      step = each;
      break;
    }
  }
  while (seconds / step > 6) step *= 2;
  Points marks;
  for (int i = 0; i <= 6 && step * i <= seconds; ++i) marks.push_back(step * i);
  return marks;
}

}  // namespace

std::string detail::diagram(const std::string& id, const Plot& plot, const std::string& caption) {
  const PlotOptions& o = plot.options();
  const std::vector<Trace> traces = traces_of(plot);
  const AxisScale x = x_scale(plot, traces), linear = y_scale(plot, traces, false);
  const bool positive = std::all_of(traces.begin(), traces.end(), [](const Trace& t) {
    return t.kind == "upright" || t.kind == "across" ||
           std::any_of(t.y.begin(), t.y.end(), [](double v) { return v > 0; });
  });
  std::optional<AxisScale> log;
  if (o.log_y || (positive && !o.y_range)) log = y_scale(plot, traces, true);
  const std::string safe = html_text(id), title = html_text(o.title);
  std::string html = "<figure class=\"diagram\" id=\"" + safe + "\"" +
                     (o.x_label == "iteration" ? " data-time" : "") + ">\n";
  html += "<h3 id=\"" + safe + "-title\">" + title +
          (o.y_label.empty() ? "" : " <small>" + html_text(o.y_label) + "</small>") + "</h3>\n";
  html += svg_of(safe, traces, x, o.log_y ? *log : linear, o);
  html +=
      "<div class=\"controls scripted\"><input type=\"range\" class=\"at\" min=\"0\" aria-label=\"read values of " +
      title + "\">";
  html += "<output class=\"at\"></output>";
  if (log)
    html += std::string("<label><input type=\"checkbox\" class=\"log\"") + (o.log_y ? " checked" : "") +
            " aria-label=\"logarithmic axis of " + title + "\">log</label>";
  html += "</div>\n<ul class=\"keys\">";
  for (const Trace& t : traces) {
    const bool guide = t.kind == "across" || t.kind == "upright";
    if (t.kind != "dots" && !(guide && t.label.empty())) html += key_html(t);
  }
  html += "</ul>\n";
  if (!caption.empty()) html += "<figcaption>" + caption + "</figcaption>\n";
  html += table_of(o.title, traces, o);
  return html + "<script type=\"application/json\">" + data_of(traces, x, linear, log, o) +
         "</script>\n</figure>\n";
}

std::string detail::diagram_switches(const Curve* seconds) {
  std::string html =
      "<div class=\"switches scripted\"><label>Smoothing <input type=\"range\" id=\"smoothing\" min=\"0\" max=\"0.98\" "
      "step=\"0.02\" value=\"0\"><output id=\"smoothed\">0</output></label>";
  if (!seconds || seconds->x.size() < 2 || !(seconds->y.back() > 0)) return html + "</div>\n";
  Trace clock{.label = "", .style = "", .kind = "line", .x = seconds->x, .y = seconds->y};
  thin(clock, kMostPoints);
  Json marks = Json::array();
  for (const double mark : clock_marks(seconds->y.back())) marks.push_back({mark, clock_label(mark)});
  html +=
      "<label>Over <select id=\"over\"><option value=\"iteration\">iterations</option><option value=\"time\">time</option>"
      "</select></label></div>\n";
  return html + "<script type=\"application/json\" id=\"clock\">" +
         json::dumped(
             {{"iteration", json_numbers(clock.x)}, {"seconds", json_numbers(clock.y)}, {"marks", marks}}) +
         "</script>\n";
}

}  // namespace duel::gan
