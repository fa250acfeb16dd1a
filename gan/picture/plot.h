// Diagrams of two axes as PNG: curves, bands, points, histograms, heat maps, with tick labels and a legend.
//
// A Plot collects what is to be seen and draws it when asked; ranges that are not given follow the data.
// Values that are not finite (and, on a logarithmic axis, not positive) leave a gap. Labels are ASCII
// (gan/picture/canvas.h). Series take the next of ten colours unless they bring one; only those with a label
// appear in the legend, which stands right of the axes. What is added first is drawn first.
//
// Example, two curves and a histogram side by side:
//   Plot losses({.title = "losses", .x_label = "iteration", .y_label = "loss", .log_y = true});
//   losses.line(iterations, loss_d, {.label = "D"});
//   losses.line(iterations, loss_g, {.label = "G"});
//   Plot logits({.title = "D(x) at step 1000", .x_label = "logit", .y_label = "share"});
//   logits.histogram(on_real, 40, {.label = "real"});
//   logits.histogram(on_fake, 40, {.label = "fake"});
//   write_png("training.png", tile({losses.draw(), logits.draw()}, 2));
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/picture/canvas.h"

namespace duel::gan {

struct Range {
  double low = 0, high = 1;
};

struct PlotOptions {
  std::string title = "", x_label = "", y_label = "";
  int64_t width = 640, height = 420;  // of the whole picture, in pixels
  bool log_x = false, log_y = false;
  std::optional<Range> x_range = {}, y_range = {};
  // labels of x = 0, 1, 2, … in place of numbers: upright where long, of the longest the end
  std::vector<std::string> x_names = {};
  bool equal_axes = false;  // one unit is as long on both axes: the narrower range is widened
  bool grid = true;
  int text_scale = 1;  // letters of 5x8 pixels, lines, points and ticks times this
};

struct SeriesStyle {
  std::string label = "";
  std::optional<Color> color = {};
  double width = 1.5;   // of lines, in pixels
  double radius = 1.5;  // of points
  double opacity = 1.0;
};

class Plot {
 public:
  explicit Plot(PlotOptions options = {});

  /// x and y of the same length, joined in their order.
  void line(std::vector<double> x, std::vector<double> y, SeriesStyle style = {});
  /// The area between two curves, at a fifth of the style's opacity.
  void band(std::vector<double> x, std::vector<double> low, std::vector<double> high, SeriesStyle style = {});
  void scatter(std::vector<double> x, std::vector<double> y, SeriesStyle style = {});
  /// Upright bars around x, each `bar_width` (in x) wide, from 0 to y.
  void bars(std::vector<double> x, std::vector<double> y, double bar_width, SeriesStyle style = {});
  /// The values' shares in `bins` equal bins between the least and the greatest (or over `range`; what lies
  /// outside counts as a value, but has no bin), as a filled outline. Values that are not finite do not
  /// count.
  void histogram(const std::vector<double>& values, int64_t bins, SeriesStyle style = {},
                 std::optional<Range> range = {});
  /// The same from counts: values[i] lies between edges[i] and edges[i + 1].
  void steps(std::vector<double> edges, std::vector<double> values, SeriesStyle style = {});
  /// values [rows, columns]; row 0 lies at y.low, column 0 at x.low; each cell is one block of colour from
  /// `low` (white) to `high` (dark), by default 0 to the greatest value. On linear axes only.
  void heat_map(std::vector<double> values, int64_t rows, int64_t columns, Range x, Range y,
                std::optional<Range> scale = {});
  /// Straight lines across the axes, dotted: what a curve is compared with.
  void horizontal(double y, SeriesStyle style = {});
  void vertical(double x, SeriesStyle style = {});

  Canvas draw() const;

  /// What was added, for who draws it otherwise: in the order in which it was.
  enum class Kind { line, band, scatter, bars, steps, heat, horizontal, vertical };
  struct Series {
    Kind kind;
    std::vector<double> x, y, high;  // steps: x the edges, y a value for each bin and a last one, 0
    SeriesStyle style;
    Color color;
    double extent = 0;              // bar width
    int64_t rows = 0, columns = 0;  // heat map
    Range heat_x, heat_y, heat_scale;
  };
  const PlotOptions& options() const { return options_; }
  const std::vector<Series>& series() const { return series_; }

 private:
  class Painter;
  Series& add(Kind kind, std::vector<double> x, std::vector<double> y, SeriesStyle style);

  PlotOptions options_;
  std::vector<Series> series_;
  size_t colors_ = 0;
};

/// Points of an axis that get a label: multiples of 1, 2 or 5 times a power of ten inside the range, about
/// `wanted` of them; on a logarithmic axis powers of ten, below two decades with 2 and 5 between (or 1.5, 2,
/// 3, 5 and 7 where that gives less than four), and where even these are less than four the ticks of a linear
/// axis, at least three.
std::vector<double> axis_ticks(Range range, bool logarithmic, int wanted);
/// As short as it can be read back: 0.25, 1500, 2e+06.
std::string tick_label(double value);

}  // namespace duel::gan
