// What a Plot holds; plot_draw.cpp paints it.
#include "duel/gan/picture/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "duel/kernels/base/error.h"

namespace duel::gan {

Plot::Plot(PlotOptions options) : options_(std::move(options)) {
  DUEL_CHECK(options_.text_scale >= 1 && options_.text_scale <= 8, "plot",
             "text_scale: expected 1 to 8, got {}", options_.text_scale);
  for (const auto& [range, name, logarithmic] : {std::tuple{options_.x_range, "x_range", options_.log_x},
                                                 std::tuple{options_.y_range, "y_range", options_.log_y}}) {
    if (!range) continue;
    DUEL_CHECK(std::isfinite(range->low) && std::isfinite(range->high) && range->low < range->high, "plot",
               "{}: expected finite ends, the lower first, got {} to {}", name, range->low, range->high);
    DUEL_CHECK(!logarithmic || range->low > 0, "plot",
               "{}: expected a range above 0 on a logarithmic axis, got {} to {}", name, range->low,
               range->high);
  }
  DUEL_CHECK(options_.x_names.empty() || !options_.log_x, "plot", "x_names: expected a linear axis");
  DUEL_CHECK(!options_.equal_axes || (!options_.log_x && !options_.log_y), "plot",
             "equal_axes: expected linear axes");
}

Plot::Series& Plot::add(Kind kind, std::vector<double> x, std::vector<double> y, SeriesStyle style) {
  DUEL_CHECK(x.size() == y.size(), "plot", "expected as many y as x, got {} and {}", y.size(), x.size());
  const Color color = style.color ? *style.color : series_color(colors_++);
  series_.push_back({kind, std::move(x), std::move(y), {}, std::move(style), color, 0, 0, 0, {}, {}, {}});
  return series_.back();
}

void Plot::line(std::vector<double> x, std::vector<double> y, SeriesStyle style) {
  add(Kind::line, std::move(x), std::move(y), std::move(style));
}

void Plot::band(std::vector<double> x, std::vector<double> low, std::vector<double> high, SeriesStyle style) {
  DUEL_CHECK(low.size() == high.size(), "plot", "expected as many upper as lower values, got {} and {}",
             high.size(), low.size());
  add(Kind::band, std::move(x), std::move(low), std::move(style)).high = std::move(high);
}

void Plot::scatter(std::vector<double> x, std::vector<double> y, SeriesStyle style) {
  add(Kind::scatter, std::move(x), std::move(y), std::move(style));
}

void Plot::bars(std::vector<double> x, std::vector<double> y, double bar_width, SeriesStyle style) {
  DUEL_CHECK(bar_width > 0, "plot", "expected bars of a width above 0, got {}", bar_width);
  add(Kind::bars, std::move(x), std::move(y), std::move(style)).extent = bar_width;
}

void Plot::histogram(const std::vector<double>& values, int64_t bins, SeriesStyle style,
                     std::optional<Range> range) {
  DUEL_CHECK(bins >= 1 && bins <= 100000, "plot", "expected 1 to 100000 bins, got {}", bins);
  DUEL_CHECK(!range || range->low < range->high, "plot",
             "expected a range with the lower end first, got {} to {}", range ? range->low : 0,
             range ? range->high : 0);
  Range ends{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  int64_t counted = 0;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    ends = {std::min(ends.low, v), std::max(ends.high, v)};
    ++counted;
  }
  if (range) ends = *range;
  if (counted == 0 && !range) ends = {0, 1};
  if (!(ends.low < ends.high)) {  // all values equal: one bin around them
    const double margin = std::max(std::abs(ends.low), 1.0) * 0.5;
    ends = {ends.low - margin, ends.high + margin};
  }
  const double step = (ends.high - ends.low) / static_cast<double>(bins);
  std::vector<double> edges, shares(static_cast<size_t>(bins) + 1, 0.0);
  for (int64_t i = 0; i <= bins; ++i) edges.push_back(ends.low + step * static_cast<double>(i));
  for (const double v : values) {
    if (!std::isfinite(v) || v < ends.low || v > ends.high) continue;
    const auto bin = std::min(static_cast<int64_t>((v - ends.low) / step), bins - 1);
    shares[static_cast<size_t>(bin)] += 1.0 / static_cast<double>(counted);
  }
  add(Kind::steps, std::move(edges), std::move(shares), std::move(style));
}

void Plot::steps(std::vector<double> edges, std::vector<double> values, SeriesStyle style) {
  DUEL_CHECK(edges.size() == values.size() + 1, "plot", "expected one edge more than values, got {} and {}",
             edges.size(), values.size());
  values.push_back(0.0);
  add(Kind::steps, std::move(edges), std::move(values), std::move(style));
}

void Plot::heat_map(std::vector<double> values, int64_t rows, int64_t columns, Range x, Range y,
                    std::optional<Range> scale) {
  DUEL_CHECK(rows >= 1 && columns >= 1 && static_cast<int64_t>(values.size()) == rows * columns, "plot",
             "expected {} values for {} rows of {}, got {}", rows * columns, rows, columns, values.size());
  DUEL_CHECK(x.low < x.high && y.low < y.high, "plot",
             "expected ranges with the lower end first, got {} to {} and {} to {}", x.low, x.high, y.low,
             y.high);
  DUEL_CHECK(!options_.log_x && !options_.log_y, "plot", "heat_map: expected linear axes");
  double greatest = 0;
  for (const double v : values) {
    if (std::isfinite(v)) greatest = std::max(greatest, v);
  }
  Series& s = add(Kind::heat, {}, {}, {.color = Color{}});
  s.high = std::move(values);
  s.rows = rows;
  s.columns = columns;
  s.heat_x = x;
  s.heat_y = y;
  s.heat_scale = scale.value_or(Range{0, greatest > 0 ? greatest : 1});
}

void Plot::horizontal(double y, SeriesStyle style) { add(Kind::horizontal, {y}, {y}, std::move(style)); }
void Plot::vertical(double x, SeriesStyle style) { add(Kind::vertical, {x}, {x}, std::move(style)); }

namespace {

/// Digits times powers of ten inside the range, of every stride-th decade.
std::vector<double> decade_ticks(Range range, int stride, std::initializer_list<double> digits) {
  std::vector<double> ticks;
  const int first = static_cast<int>(std::floor(std::log10(range.low))),
            last = static_cast<int>(std::ceil(std::log10(range.high)));
  for (int decade = first; decade <= last; decade += stride) {
    for (const double digit : digits) {
      const double tick = digit * std::pow(10.0, decade);
      if (tick >= range.low * (1 - 1e-9) && tick <= range.high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

std::vector<double> logarithmic_ticks(Range range, int wanted) {
  constexpr size_t enough = 4;
  const double decades = std::log10(range.high / range.low);
  if (decades >= 2) {
    const double ends = std::ceil(std::log10(range.high)) - std::floor(std::log10(range.low));
    return decade_ticks(range, std::max(1, (static_cast<int>(ends) + wanted - 1) / wanted), {1.0});
  }
  std::vector<double> ticks = decade_ticks(range, 1, {1.0, 2.0, 5.0});
  if (ticks.size() < enough) ticks = decade_ticks(range, 1, {1.0, 1.5, 2.0, 3.0, 5.0, 7.0});
  if (ticks.size() >= enough) return ticks;
  // So short an axis is nearly linear.
  for (int more = wanted; more < wanted + 8; ++more) {
    ticks = axis_ticks(range, false, more);
    if (ticks.size() >= 3) break;
  }
  return ticks;
}

}  // namespace

std::vector<double> axis_ticks(Range range, bool logarithmic, int wanted) {
  wanted = std::max(wanted, 1);
  if (logarithmic) return logarithmic_ticks(range, wanted);
  std::vector<double> ticks;
  const double rough = (range.high - range.low) / wanted,
               power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double digit : {5.0, 2.0, 1.0}) {
    if (digit * power >= rough * (1 - 1e-9)) step = digit * power;
  }
  const double first = std::ceil(range.low / step - 1e-9);
  for (int i = 0; i < 1000; ++i) {
    const double tick = (first + i) * step;
    if (tick > range.high + 1e-9 * step) break;
    ticks.push_back(std::abs(tick) < 1e-9 * step ? 0.0 : tick);
  }
  return ticks;
}

std::string tick_label(double value) {
  return std::abs(value) >= 1e4 && std::abs(value) < 1e6 ? fixed(value, 0) : significant(value, 6);
}

}  // namespace duel::gan
