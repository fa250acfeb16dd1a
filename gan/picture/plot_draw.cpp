// Painting a Plot: ranges, axes, then the series in their order, then the legend.
#include <algorithm>
#include <cmath>
#include <limits>

#include "duel/gan/picture/internal/extent.h"
#include "duel/gan/picture/plot.h"

namespace duel::gan {
namespace {

constexpr Color kInk{40, 40, 40}, kGrid{228, 228, 228};

int64_t rounded(double v) { return static_cast<int64_t>(std::lround(v)); }

}  // namespace

using detail::Extent;

class Plot::Painter {
 public:
  explicit Painter(const Plot& plot)
      : plot_(plot),
        o_(plot.options_),
        canvas_(o_.width, o_.height),
        scale_(o_.text_scale),
        em_(Canvas::text_height(scale_)) {}

  Canvas paint() {
    find_ranges();
    place();
    axes();
    canvas_.clip(left_, top_, right_ - left_, bottom_ - top_);
    for (const Series& s : plot_.series_) series(s);
    canvas_.reset_clip();
    frame();
    legend();
    return std::move(canvas_);
  }

 private:
  /// One axis: values to pixels.
  struct Axis {
    Range range;
    bool logarithmic = false;
    double first = 0, last = 1;  // pixels of the range's ends

    bool shows(double v) const { return std::isfinite(v) && (!logarithmic || v > 0); }
    double part(double v) const {
      return logarithmic ? std::log(v / range.low) / std::log(range.high / range.low)
                         : (v - range.low) / (range.high - range.low);
    }
    double pixel(double v) const { return first + part(v) * (last - first); }
  };

  void find_ranges() {
    Extent ex, ey;
    bool bars = false;
    for (const Series& s : plot_.series_) {
      if (s.kind == Kind::heat) {
        for (const double v : {s.heat_x.low, s.heat_x.high}) ex.take(v, false);
        for (const double v : {s.heat_y.low, s.heat_y.high}) ey.take(v, false);
        continue;
      }
      for (size_t i = 0; i < s.x.size(); ++i) {
        if (s.kind != Kind::horizontal) {
          ex.take(s.x[i] - s.extent / 2, o_.log_x);
          ex.take(s.x[i] + s.extent / 2, o_.log_x);
        }
        if (s.kind != Kind::vertical) ey.take(s.y[i], o_.log_y);
        if (s.kind == Kind::band) ey.take(s.high[i], o_.log_y);
      }
      bars |= s.kind == Kind::bars || s.kind == Kind::steps;
    }
    if (bars) ey.take(0, o_.log_y);
    const bool only_heat = std::all_of(plot_.series_.begin(), plot_.series_.end(),
                                       [](const Series& s) { return s.kind == Kind::heat; });
    const double margin = only_heat ? 0.0 : 0.03;
    x_.logarithmic = o_.log_x;
    y_.logarithmic = o_.log_y;
    x_.range = o_.x_range.value_or(ex.with_margin(o_.log_x, margin));
    y_.range = o_.y_range.value_or(ey.with_margin(o_.log_y, margin));
    if (bars && !o_.y_range && !o_.log_y && ey.low >= 0) y_.range.low = 0;
  }

  void place() {
    const int64_t gap = em_ / 2 + 2;
    legend_width_ = 0;
    for (const Series& s : plot_.series_) {
      if (!s.style.label.empty())
        legend_width_ = std::max(legend_width_, Canvas::text_length(s.style.label, scale_) + 3 * em_ + gap);
    }
    top_ = gap + (o_.title.empty() ? 0 : em_ + gap);
    bottom_ = o_.height - gap - em_ - gap - (o_.x_label.empty() ? 0 : em_ + gap);
    right_ = o_.width - 2 * gap - legend_width_;
    if (!o_.x_names.empty()) {
      const double about = static_cast<double>(right_ - 8 * em_) /
                           (x_.range.high - x_.range.low);  // pixels from one to the next
      const int64_t letter = Canvas::text_length("xx", scale_) - Canvas::text_length("x", scale_);
      int64_t longest = 0;
      for (std::string name : o_.x_names) {
        // Of a name longer than a quarter of the picture the end is what tells it from others.
        const auto most = static_cast<size_t>(std::max<int64_t>(o_.height / 4 / letter, 4));
        if (name.size() > most) name = ".." + name.substr(name.size() - most + 2);
        longest = std::max(longest, Canvas::text_length(name, scale_));
        names_.push_back(std::move(name));
      }
      upright_ = static_cast<double>(longest + gap) > about;
      if (upright_) bottom_ -= longest - em_;
      every_ = upright_ ? static_cast<size_t>(
                              std::max(1.0, std::ceil(static_cast<double>(em_ + 1) / std::max(about, 1e-3))))
                        : 1;
    }
    y_ticks_ = axis_ticks(y_.range, y_.logarithmic,
                          static_cast<int>(std::max<int64_t>((bottom_ - top_) / (4 * em_), 4)));
    int64_t widest = 0;
    for (const double tick : y_ticks_)
      widest = std::max(widest, Canvas::text_length(tick_label(tick), scale_));
    left_ = gap + widest + gap + (o_.y_label.empty() ? 0 : em_ + gap);
    // Far too small a picture still has axes of a pixel.
    right_ = std::clamp<int64_t>(right_, left_ + 1, left_ + o_.width);
    bottom_ = std::max(bottom_, top_ + 1);
    if (o_.equal_axes) equalise();
    x_.first = static_cast<double>(left_);
    x_.last = static_cast<double>(right_);
    y_.first = static_cast<double>(bottom_);
    y_.last = static_cast<double>(top_);
    x_ticks_ = axis_ticks(x_.range, x_.logarithmic,
                          static_cast<int>(std::max<int64_t>((right_ - left_) / (9 * em_), 4)));
    if (!o_.x_names.empty()) x_ticks_ = named_places();
    y_ticks_ = axis_ticks(y_.range, y_.logarithmic,
                          static_cast<int>(std::max<int64_t>((bottom_ - top_) / (4 * em_), 4)));
  }

  std::vector<double> named_places() const {
    std::vector<double> places;
    for (size_t i = 0; i < o_.x_names.size(); i += every_) {
      const auto x = static_cast<double>(i);
      if (x >= x_.range.low && x <= x_.range.high) places.push_back(x);
    }
    return places;
  }

  void equalise() {
    const double per_x = (x_.range.high - x_.range.low) / static_cast<double>(right_ - left_);
    const double per_y = (y_.range.high - y_.range.low) / static_cast<double>(bottom_ - top_);
    Axis& narrow = per_x < per_y ? x_ : y_;
    const double factor = std::max(per_x, per_y) / std::min(per_x, per_y);
    const double middle = (narrow.range.low + narrow.range.high) / 2,
                 half = (narrow.range.high - narrow.range.low) / 2 * factor;
    narrow.range = {middle - half, middle + half};
  }

  void axes() {
    const int64_t gap = em_ / 2 + 2;
    for (const double tick : x_ticks_) {
      const int64_t x = rounded(x_.pixel(tick));
      if (o_.grid) canvas_.rectangle(x, top_, scale_, bottom_ - top_, kGrid);
      canvas_.rectangle(x, bottom_, scale_, 4 * scale_, kInk);
      const std::string label = names_.empty() ? tick_label(tick) : names_[static_cast<size_t>(tick)];
      const int64_t length = Canvas::text_length(label, scale_);
      if (upright_) {
        canvas_.text(x - em_ / 2, bottom_ + gap + length, label, kInk, scale_, true);
      } else {
        canvas_.text(x - length / 2, bottom_ + gap, label, kInk, scale_);
      }
    }
    for (const double tick : y_ticks_) {
      const int64_t y = rounded(y_.pixel(tick));
      if (o_.grid) canvas_.rectangle(left_, y, right_ - left_, scale_, kGrid);
      canvas_.rectangle(left_ - 4 * scale_, y, 4 * scale_, scale_, kInk);
      const std::string label = tick_label(tick);
      canvas_.text(left_ - gap - Canvas::text_length(label, scale_), y - em_ / 2 + scale_ / 2, label, kInk,
                   scale_);
    }
    const int64_t middle_x = (left_ + right_) / 2, middle_y = (top_ + bottom_) / 2;
    canvas_.text(middle_x - Canvas::text_length(o_.title, scale_) / 2, gap, o_.title, kInk, scale_);
    canvas_.text(middle_x - Canvas::text_length(o_.x_label, scale_) / 2, o_.height - gap - em_, o_.x_label,
                 kInk, scale_);
    canvas_.text(gap, middle_y + Canvas::text_length(o_.y_label, scale_) / 2, o_.y_label, kInk, scale_, true);
  }

  void frame() {
    canvas_.rectangle(left_, top_, scale_, bottom_ - top_, kInk);
    canvas_.rectangle(left_, bottom_, right_ - left_ + 1, scale_, kInk);
  }

  bool shows(double x, double y) const { return x_.shows(x) && y_.shows(y); }

  void segment(double x0, double y0, double x1, double y1, const Series& s) {
    canvas_.line(x_.pixel(x0), y_.pixel(y0), x_.pixel(x1), y_.pixel(y1), s.color, s.style.width * scale_,
                 s.style.opacity);
  }

  /// A filled column between two values; on a logarithmic axis what starts at 0 starts at the axis.
  void column(double x0, double x1, double y0, double y1, const Series& s, double opacity) {
    const auto height = [&](double v) { return y_.shows(v) ? y_.pixel(v) : y_.first; };
    if (!x_.shows(x0) || !x_.shows(x1) || !std::isfinite(y0) || !std::isfinite(y1)) return;
    const double limit = static_cast<double>(o_.width + o_.height);
    const auto pixel = [&](double v) { return rounded(std::clamp(v, -limit, limit)); };
    const int64_t a = pixel(x_.pixel(x0)), b = pixel(x_.pixel(x1)), p = pixel(height(y0)),
                  q = pixel(height(y1));
    canvas_.rectangle(std::min(a, b), std::min(p, q), std::max<int64_t>(std::abs(b - a), 1), std::abs(q - p),
                      s.color, opacity);
  }

  void series(const Series& s) {
    const size_t n = s.x.size();
    switch (s.kind) {
      case Kind::line:
        for (size_t i = 0; i < n; ++i) {
          const bool here = shows(s.x[i], s.y[i]), before = i > 0 && shows(s.x[i - 1], s.y[i - 1]);
          if (here && before) segment(s.x[i - 1], s.y[i - 1], s.x[i], s.y[i], s);
          const bool after = i + 1 < n && shows(s.x[i + 1], s.y[i + 1]);
          if (here && !before && !after) point(s, i, std::max(s.style.width, 1.5));
        }
        break;
      case Kind::scatter:
        for (size_t i = 0; i < n; ++i) {
          if (shows(s.x[i], s.y[i])) point(s, i, s.style.radius);
        }
        break;
      case Kind::band:
        band(s);
        break;
      case Kind::bars:
        for (size_t i = 0; i < n; ++i)
          column(s.x[i] - s.extent / 2, s.x[i] + s.extent / 2, 0, s.y[i], s, s.style.opacity);
        break;
      case Kind::steps:
        for (size_t i = 0; i + 1 < n; ++i) {
          column(s.x[i], s.x[i + 1], 0, s.y[i], s, 0.25 * s.style.opacity);
          const auto height = [&](double v) { return y_.shows(v) ? v : y_.range.low; };
          segment(s.x[i], height(s.y[i]), s.x[i + 1], height(s.y[i]), s);
          segment(s.x[i + 1], height(s.y[i]), s.x[i + 1], height(s.y[i + 1]), s);
        }
        break;
      case Kind::heat:
        heat(s);
        break;
      case Kind::horizontal:
        if (!y_.shows(s.y[0])) break;
        for (int64_t x = left_; x < right_; x += 6 * scale_) {
          const double y = y_.pixel(s.y[0]);
          canvas_.line(static_cast<double>(x), y, static_cast<double>(x + 3 * scale_), y, s.color,
                       s.style.width * scale_, s.style.opacity);
        }
        break;
      case Kind::vertical:
        if (!x_.shows(s.x[0])) break;
        for (int64_t y = top_; y < bottom_; y += 6 * scale_) {
          const double x = x_.pixel(s.x[0]);
          canvas_.line(x, static_cast<double>(y), x, static_cast<double>(y + 3 * scale_), s.color,
                       s.style.width * scale_, s.style.opacity);
        }
        break;
    }
  }

  void point(const Series& s, size_t i, double radius) {
    canvas_.disc(x_.pixel(s.x[i]), y_.pixel(s.y[i]), radius * scale_, s.color, s.style.opacity);
  }

  // Pixel column by pixel column, both edges interpolated along the axis as drawn.
  void band(const Series& s) {
    for (size_t i = 1; i < s.x.size(); ++i) {
      if (!shows(s.x[i - 1], s.y[i - 1]) || !shows(s.x[i], s.y[i]) || !y_.shows(s.high[i - 1]) ||
          !y_.shows(s.high[i]))
        continue;
      const double a = x_.pixel(s.x[i - 1]), b = x_.pixel(s.x[i]);
      if (!(b > a)) continue;
      const auto from = static_cast<int64_t>(std::max(std::ceil(a - 0.5), x_.first)),
                 to = static_cast<int64_t>(std::min(std::ceil(b - 0.5), x_.last));
      for (int64_t x = from; x < to; ++x) {
        const double t = (static_cast<double>(x) + 0.5 - a) / (b - a);
        const auto edge = [&](double v, double w) {
          const double y = y_.pixel(v) * (1 - t) + y_.pixel(w) * t;
          return rounded(std::clamp(y, y_.last, y_.first));
        };
        const int64_t p = edge(s.y[i - 1], s.y[i]), q = edge(s.high[i - 1], s.high[i]);
        canvas_.rectangle(x, std::min(p, q), 1, std::abs(q - p), s.color, 0.2 * s.style.opacity);
      }
    }
  }

  // Pixel by pixel, so that cells meet without seams whatever their size.
  void heat(const Series& s) {
    for (int64_t y = top_; y < bottom_; ++y) {
      for (int64_t x = left_; x < right_; ++x) {
        const double u = unmap(x_, static_cast<double>(x) + 0.5), v = unmap(y_, static_cast<double>(y) + 0.5);
        const double column =
            (u - s.heat_x.low) / (s.heat_x.high - s.heat_x.low) * static_cast<double>(s.columns);
        const double row = (v - s.heat_y.low) / (s.heat_y.high - s.heat_y.low) * static_cast<double>(s.rows);
        if (!(column >= 0 && row >= 0 && column < static_cast<double>(s.columns) &&
              row < static_cast<double>(s.rows)))
          continue;
        const double value =
            s.high[static_cast<size_t>(static_cast<int64_t>(row) * s.columns + static_cast<int64_t>(column))];
        if (!std::isfinite(value)) continue;
        canvas_.blend(x, y, heat_color((value - s.heat_scale.low) / (s.heat_scale.high - s.heat_scale.low)));
      }
    }
  }

  static double unmap(const Axis& axis, double pixel) {
    return axis.range.low +
           (pixel - axis.first) / (axis.last - axis.first) * (axis.range.high - axis.range.low);
  }

  void legend() {
    int64_t y = top_;
    const int64_t x = right_ + em_;
    for (const Series& s : plot_.series_) {
      if (s.style.label.empty()) continue;
      const double middle = static_cast<double>(y) + static_cast<double>(em_) / 2;
      if (s.kind == Kind::scatter) {
        canvas_.disc(static_cast<double>(x + em_), middle, std::max(s.style.radius, 2.0) * scale_, s.color);
      } else if (s.kind == Kind::line || s.kind == Kind::horizontal || s.kind == Kind::vertical) {
        canvas_.line(static_cast<double>(x), middle, static_cast<double>(x + 2 * em_ - 4 * scale_), middle,
                     s.color, std::max(s.style.width, 2.0) * scale_);
      } else {
        canvas_.rectangle(x, y, 2 * em_ - 4 * scale_, em_, s.color, s.kind == Kind::bars ? 1.0 : 0.5);
      }
      canvas_.text(x + 2 * em_, y + scale_ / 2, s.style.label, kInk, scale_);
      y += em_ + em_ / 2;
    }
  }

  const Plot& plot_;
  const PlotOptions& o_;
  Canvas canvas_;
  int scale_;
  int64_t em_, legend_width_ = 0, left_ = 0, top_ = 0, right_ = 0, bottom_ = 0;
  std::vector<std::string> names_;  // on the x axis
  bool upright_ = false;
  size_t every_ = 1;  // of them is shown
  Axis x_, y_;
  std::vector<double> x_ticks_, y_ticks_;
};

Canvas Plot::draw() const { return Painter(*this).paint(); }

}  // namespace duel::gan
