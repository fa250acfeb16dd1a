// SVG and JSON by hand: see report_forms.h.
#include "report_forms.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <thread>

#include "duel/core/io/internal/json.h"
#include "duel/gan/report/internal/html.h"
#include "duel/gan/report/report.h"
#include "duel/kernels/base/error.h"

namespace duel::apps::bench {
namespace {

using gan::html_text;

constexpr double kWidth = 640, kHeight = 300, kLeft = 48, kRight = 12, kTop = 10, kBottom = 34;
constexpr double kMostPercent = 200;  // a copy that was disturbed would flatten everything else

/// Where a diagram's numbers lie: bytes by their logarithm, per cent from 0.
struct Axes {
  double low, high, top;  // log2 of bytes, per cent
  double x(int64_t bytes) const {
    const double share = high > low ? (std::log2(static_cast<double>(bytes)) - low) / (high - low) : 0.5;
    return kLeft + share * (kWidth - kLeft - kRight);
  }
  double y(double percent) const {
    return kTop + (1 - std::min(percent, top) / top) * (kHeight - kTop - kBottom);
  }
};

std::string place(double at) { return fixed(at, 1); }

/// A colour for the k-th of n lines, in words of CSS: hues around the circle, apart in lightness too.
std::string color(size_t k, size_t n) {
  return message("--c: hsl({} 70% {}%); --d: hsl({} 75% {}%)", 360 * k / n, k % 2 == 0 ? 38 : 48, 360 * k / n,
                 k % 2 == 0 ? 72 : 60);
}

std::string in_words(const Row& row) {
  return message("{} {}: {} moved, {} us, {} GB/s, {} % of a copy, noise {} %", row.name, row.shape,
                 size_text(row.bytes), significant(row.microseconds.median, 3), fixed(row.gb_per_s(), 1),
                 fixed(row.copy_percent(), 0), fixed(row.noise, 0)) +
         (row.gain() ? message(", {} times as fast as plain ops", fixed(*row.gain(), 2)) : std::string());
}

std::string grid_lines(const Axes& axes) {
  std::string svg;
  for (double percent = 0; percent <= axes.top; percent += axes.top > 120 ? 50 : 25) {
    const std::string y = place(axes.y(percent));
    svg += message(
        "<line class=\"{}\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
        percent == 100 ? "copy" : "grid", kLeft, kWidth - kRight, y, y, kLeft - 6, place(axes.y(percent) + 4),
        fixed(percent, 0));
  }
  for (int bits = static_cast<int>(std::ceil(axes.low)); bits <= axes.high; bits += 4) {
    const int64_t bytes = int64_t{1} << bits;
    svg += message("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", place(axes.x(bytes)),
                   kHeight - 14, size_text(bytes));
  }
  return svg;
}

/// The lines of one family, by kernel.
std::string diagram(const std::string& family, const std::map<std::string, std::vector<const Row*>>& kernels,
                    const Axes& axes) {
  std::string svg = message(
      "<svg role=\"img\" aria-label=\"{}: per cent of a copy's bandwidth against bytes\" viewBox=\"0 0 {} {}\">\n",
      html_text(family), kWidth, kHeight);
  svg += grid_lines(axes);
  std::string legend;
  size_t k = 0;
  for (const auto& [name, rows] : kernels) {
    std::string points, dots;
    for (const Row* row : rows) {
      const std::string x = place(axes.x(row->bytes)), y = place(axes.y(row->copy_percent()));
      points += x + "," + y + " ";
      dots += message("<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"4\"><title>{}</title></circle>",
                      row->noisy() ? "noisy" : "calm", x, y, html_text(in_words(*row)));
    }
    const std::string style = color(k++, kernels.size());
    svg += message(
        "<g class=\"kernel\" style=\"{}\" tabindex=\"0\"><title>{}</title><polyline points=\"{}\"/>{}</g>\n",
        style, html_text(name), points, dots);
    legend += message("<span style=\"{}\">{}</span> ", style, html_text(name));
  }
  return "<figure><h2>" + html_text(family) + "</h2>\n" + svg + "</svg><figcaption class=\"legend\">" +
         legend + "</figcaption></figure>\n";
}

const char* const kStyle =
    ".charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1.6rem; }\n"
    "svg { width: 100%; height: auto; } svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }\n"
    ".grid { stroke: var(--line); } .copy { stroke: var(--ink); stroke-dasharray: 5 4; }\n"
    ".kernel { color: var(--c); } .legend span { color: var(--c); margin-right: .8rem; white-space: nowrap; }\n"
    ".legend span::before { content: '\\25CF\\00A0'; }\n"
    "@media (prefers-color-scheme: dark) { .kernel, .legend span { color: var(--d); } }\n"
    ".kernel polyline { fill: none; stroke: currentColor; stroke-width: 1.6; }\n"
    ".kernel circle { fill: currentColor; stroke: currentColor; } .kernel circle.noisy { fill: var(--ground); }\n"
    ".kernel:hover polyline, .kernel:focus polyline { stroke-width: 4; } .kernel:focus { outline: none; }\n"
    ".rows { overflow-x: auto; } td { white-space: nowrap; }\n";

}  // namespace

std::string to_html(const Report& report) {
  std::map<std::string, std::map<std::string, std::vector<const Row*>>> families;
  Axes axes{.low = 64, .high = 0, .top = 110};
  for (const Row& row : report.rows) {
    families[row.family][row.name].push_back(&row);
    const double bits = std::log2(static_cast<double>(std::max<int64_t>(row.bytes, 1)));
    axes.low = std::min(axes.low, std::floor(bits));
    axes.high = std::max(axes.high, std::ceil(bits));
    axes.top = std::max(axes.top, std::min(kMostPercent, 1.05 * row.copy_percent()));
  }
  std::string page = gan::detail::page_begin("Kernels beside a copy", kStyle);
  page += message(
      "<h1>Kernels beside a copy</h1>\n<p>Duel {}, {}. {}, {}, {} thread{}, {}, caches {}; load before: {}.</p>\n",
      html_text(report.duel + (report.commit.empty() ? "" : ", commit " + report.commit)),
      html_text(report.time), html_text(report.device), html_text(report.cpu), report.threads,
      report.threads == 1 ? "" : "s", html_text(report.dtype), html_text(report.l2), fixed(report.load, 1));
  page += message(
      "<p>Bandwidth in per cent of that of a copy of as many bytes, taken in turns with the kernel (dashed: as fast as "
      "that copy), against the bytes that must move. A hollow point is noisy: four fifths of its times lie further "
      "apart than {} % of the median. Beyond {} % nothing is drawn higher. Point at a line for its kernel.</p>\n",
      Row::kNoisyPercent, kMostPercent);
  page += "<div class=\"charts\">\n";
  for (const auto& [family, kernels] : families) page += diagram(family, kernels, axes);
  page += "</div>\n<h2>All rows</h2>\n<div class=\"rows\">";
  std::vector<std::vector<std::string>> rows;
  for (const Row& row : report.rows) {
    rows.push_back({row.name, row.shape, size_text(row.bytes), significant(row.microseconds.median, 3),
                    significant(row.microseconds.p10, 3) + " - " + significant(row.microseconds.p90, 3),
                    fixed(row.noise, 0) + " %" + (row.noisy() ? " noisy" : ""), fixed(row.gb_per_s(), 1),
                    fixed(row.copy_percent(), 0), row.gflop_per_s() ? fixed(*row.gflop_per_s(), 1) : "-",
                    row.gain() ? fixed(*row.gain(), 2) + "x" : "-"});
  }
  page += gan::detail::table(
      {"kernel", "shape", "moved", "median us", "p10 - p90", "noise", "GB/s", "% copy", "GFLOP/s", "gain"},
      rows);
  page += "</div>\n";
  for (const Skipped& skipped : report.skipped)
    page +=
        "<p>" +
        html_text(message("{} {}: not measured: {}", skipped.name, size_text(skipped.size), skipped.reason)) +
        "</p>\n";
  return page + gan::detail::kPageEnd;
}

std::string to_google_json(const Report& report) {
  using json::Json;
  Json json{{"context",
             {{"date", report.time},
              {"executable", "duel bench kernels"},
              {"num_cpus", static_cast<int64_t>(std::thread::hardware_concurrency())},
              {"cpu_scaling_enabled", false},
              {"load_avg", Json::array({report.load})},
              {"library_build_type", "release"},
              {"duel", report.duel},
              {"commit", report.commit},
              {"device", report.device},
              {"cpu", report.cpu},
              {"dtype", report.dtype},
              {"l2", report.l2}}},
            {"benchmarks", Json::array()}};
  int64_t index = 0;
  for (const Row& row : report.rows) {
    const std::string name = row.name + "/" + std::to_string(row.size);
    Json one{{"name", name},
             {"family_index", index++},
             {"per_family_instance_index", 0},
             {"run_name", name},
             {"run_type", "iteration"},
             {"repetitions", 1},
             {"repetition_index", 0},
             {"threads", report.threads},
             {"iterations", row.microseconds.count * row.calls},
             {"real_time", row.microseconds.median},
             {"cpu_time", row.microseconds.median},
             {"time_unit", "us"},
             {"bytes_per_second", row.gb_per_s() * 1e9},
             {"copy_percent", row.copy_percent()},
             {"noise_percent", row.noise}};
    if (row.gflop_per_s()) one["items_per_second"] = *row.gflop_per_s() * 1e9;
    json["benchmarks"].push_back(std::move(one));
  }
  return json.dump(1) + "\n";
}

}  // namespace duel::apps::bench
