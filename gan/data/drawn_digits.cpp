// From a skeleton to pixels: mix, bend, slant, trace, fit, centre.
#include "duel/gan/data/drawn_digits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "duel/gan/data/class_names.h"
#include "duel/gan/data/internal/digit_shapes.h"
#include "duel/gan/data/internal/pen.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"

namespace duel::gan {
namespace {

constexpr int kSide = InkField::side;
constexpr float box = 20;  // the longer side of MNIST's digits
// The soft edge of a stroke is ink down to half a gray level: to this share of the softness outside.
constexpr float edge = 0.47f;

// SplitMix64 (Steele, Lea, Flood 2014): a counter through a mixer, so any (seed, stream) can start anywhere.
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

class Dice {
 public:
  Dice(uint64_t seed, uint64_t stream) : state_(mix(mix(seed + 0x9e3779b97f4a7c15u) ^ mix(stream * 2 + 1))) {}

  uint64_t bits() { return mix(state_ += 0x9e3779b97f4a7c15u); }
  /// [0, 1), 24 bits.
  float uniform() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }
  float between(float low, float high) { return low + (high - low) * uniform(); }
  bool chance(float probability) { return uniform() < probability; }
  int below(int n) { return static_cast<int>((bits() >> 32) * static_cast<uint64_t>(n) >> 32); }
  /// Mean 0, variance 1, within +-3.47: the sum of four 16-bit uniforms, which needs no logarithm.
  float normal() {
    const uint64_t b = bits();
    const auto sum = static_cast<float>((b & 0xffff) + (b >> 16 & 0xffff) + (b >> 32 & 0xffff) + (b >> 48));
    return (sum * 0x1p-16f - 2) * 1.7320508f;
  }

 private:
  uint64_t state_;
};

struct Point {
  float x, y;
};

// Means that differ between digits: slant (width shift per height) and the pen's radius against a small or
// a large digit.
struct Habit {
  float slant, radius;
};
constexpr Habit habits[10] = {{0.22f, 1.08f}, {0.22f, 1.05f}, {0.06f, 1.02f}, {0.14f, 0.96f}, {0.20f, 0.94f},
                              {0.20f, 0.92f}, {0.12f, 0.95f}, {0.08f, 1.01f}, {0.18f, 0.90f}, {0.20f, 0.88f}};

using Line = std::vector<Point>;

// The label of image i: every block of ten images is a permutation of the digits of its own.
int label_of(uint64_t seed, int64_t i) {
  Dice dice(~seed, static_cast<uint64_t>(i / 10));
  std::array<int, 10> order{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  for (int k = 9; k > 0; --k)
    std::swap(order[static_cast<size_t>(k)], order[static_cast<size_t>(dice.below(k + 1))]);
  return order[static_cast<size_t>(i % 10)];
}

const ShapeFamily& choose_family(int digit, Dice& dice) {
  const auto& families = digit_families(digit);
  float total = 0;
  for (const auto& f : families) total += f.weight;
  float left = dice.uniform() * total;
  for (const auto& f : families) {
    left -= f.weight;
    if (left < 0) return f;
  }
  return families.back();
}

// A random mean of the family's extreme shapes, every point moved a little.
DigitShape mix_shapes(const ShapeFamily& family, Dice& dice) {
  std::array<float, 4> weights{};
  float total = 0;
  for (size_t k = 0; k < family.extremes.size(); ++k) {
    const float u = dice.uniform() + 0.02f;
    total += weights[k] = u * u * u;
  }
  const float jitter = dice.between(0.01f, 0.06f);
  DigitShape shape = family.extremes.front();
  for (size_t s = 0; s < shape.size(); ++s) {
    for (size_t p = 0; p < shape[s].size(); ++p) {
      float x = 0, y = 0;
      for (size_t k = 0; k < family.extremes.size(); ++k) {
        x += weights[k] * family.extremes[k][s][p].x;
        y += weights[k] * family.extremes[k][s][p].y;
      }
      shape[s][p].x = x / total + jitter * dice.normal();
      shape[s][p].y = y / total + jitter * dice.normal();
    }
  }
  return shape;
}

float distance_root(Point a, Point b) {
  const float dx = b.x - a.x, dy = b.y - a.y;
  return std::sqrt(std::sqrt(dx * dx + dy * dy)) + 1e-4f;
}

// Centripetal Catmull-Rom spline (Yuksel, Schaefer, Keyser 2011) through the points of a stroke: no loops or
// overshoot between unevenly spaced points. At ends and corners the neighbour beyond is mirrored.
Line smooth(const ShapeStroke& stroke) {
  constexpr int steps = 6;
  Line line;
  const int n = static_cast<int>(stroke.size());
  const auto at = [&](int i) {
    return Point{stroke[static_cast<size_t>(i)].x, stroke[static_cast<size_t>(i)].y};
  };
  const auto mirrored = [](Point end, Point inner) {
    return Point{2 * end.x - inner.x, 2 * end.y - inner.y};
  };
  for (int i = 0; i + 1 < n; ++i) {
    const Point b = at(i), c = at(i + 1);
    const bool open_left = i == 0 || stroke[static_cast<size_t>(i)].corner;
    const bool open_right = i + 2 == n || stroke[static_cast<size_t>(i) + 1].corner;
    const Point a = open_left ? mirrored(b, c) : at(i - 1), d = open_right ? mirrored(c, b) : at(i + 2);
    const float ab = distance_root(a, b), bc = distance_root(b, c), cd = distance_root(c, d);
    const auto slope = [](float p, float q, float r, float pq, float qr) {
      return (q - p) / pq - (r - p) / (pq + qr) + (r - q) / qr;
    };
    const Point m{slope(a.x, b.x, c.x, ab, bc) * bc, slope(a.y, b.y, c.y, ab, bc) * bc};
    const Point k{slope(b.x, c.x, d.x, bc, cd) * bc, slope(b.y, c.y, d.y, bc, cd) * bc};
    for (int step = i == 0 ? 0 : 1; step <= steps; ++step) {
      const float t = static_cast<float>(step) / steps, u = 1 - t;
      const float hb = (1 + 2 * t) * u * u, hm = t * u * u, hc = t * t * (3 - 2 * t), hk = -t * t * u;
      line.push_back({hb * b.x + hm * m.x + hc * c.x + hk * k.x, hb * b.y + hm * m.y + hc * c.y + hk * k.y});
    }
  }
  return line;
}

// Shortens a line by up to `most` of its points at each end: strokes start late and stop early.
void trim(Line& line, float most, Dice& dice) {
  const auto cut = [&] {
    return static_cast<size_t>(dice.uniform() * most * static_cast<float>(line.size()));
  };
  const size_t front = cut(), back = cut();
  line.erase(line.end() - static_cast<std::ptrdiff_t>(back), line.end());
  line.erase(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(front));
}

// A smooth random displacement of the plane: vectors on a 4x4 lattice over [-0.25, 1.25]^2, blended with
// smoothstep.
class Elastic {
 public:
  Elastic(float strength, Dice& dice) {
    for (auto& v : lattice_) v = {strength * dice.normal(), strength * dice.normal()};
  }
  Point moved(Point p) const {
    const auto cell = [](float v, int& index) {
      const float scaled = std::min(2.999f, std::max(0.0f, (v + 0.25f) * 2));
      index = static_cast<int>(scaled);
      const float f = scaled - static_cast<float>(index);
      return f * f * (3 - 2 * f);
    };
    int ix = 0, iy = 0;
    const float fx = cell(p.x, ix), fy = cell(p.y, iy);
    const auto node = [&](int x, int y) { return lattice_[static_cast<size_t>(y * 4 + x)]; };
    const Point a = node(ix, iy), b = node(ix + 1, iy), c = node(ix, iy + 1), d = node(ix + 1, iy + 1);
    const float wa = (1 - fx) * (1 - fy), wb = fx * (1 - fy), wc = (1 - fx) * fy, wd = fx * fy;
    return {p.x + wa * a.x + wb * b.x + wc * c.x + wd * d.x, p.y + wa * a.y + wb * b.y + wc * c.y + wd * d.y};
  }

 private:
  std::array<Point, 16> lattice_;
};

// How the whole digit stands: proportions of its parts, width, slant, turn.
class Stance {
 public:
  Stance(float aspect, float slant, Dice& dice) {
    const float wild = dice.chance(0.2f) ? 1.5f : 1.0f;
    width_ = aspect * std::max(0.35f, 1 + 0.18f * wild * dice.normal());
    slant_ = slant + 0.23f * wild * dice.normal();
    taper_ = 0.2f * wild * dice.normal();
    weight_ = 0.27f * wild * dice.normal();
    bow_ = 0.12f * wild * dice.normal();
    const float t = 0.04f * wild * dice.normal();  // tangent of half the angle
    cos_ = (1 - t * t) / (1 + t * t);
    sin_ = 2 * t / (1 + t * t);
  }
  Point placed(Point p) const {
    const float low = std::min(1.0f, std::max(0.0f, p.y));
    const float y = p.y - 0.5f + weight_ * low * (1 - low);
    const float x = (p.x - 0.5f) * width_ * (1 + taper_ * y) - slant_ * y + bow_ * y * y;
    return {cos_ * x - sin_ * y, sin_ * x + cos_ * y};
  }

 private:
  float width_, slant_;
  float taper_;   // lower part wider or narrower than the upper
  float weight_;  // middle lower or higher
  float bow_;     // both ends to the right or to the left
  float cos_, sin_;
};

std::vector<Line> skeleton(int digit, Dice& dice) {
  const ShapeFamily& family = choose_family(digit, dice);
  const DigitShape shape = mix_shapes(family, dice);
  const Elastic elastic(0.03f, dice);
  const Stance stance(family.aspect, habits[digit].slant, dice);
  std::vector<Line> lines;
  for (const auto& stroke : shape) {
    Line line = smooth(stroke);
    trim(line, 0.08f, dice);
    for (Point& p : line) p = stance.placed(elastic.moved(p));
    lines.push_back(std::move(line));
  }
  return lines;
}

// The pen: radius in pixels, and how it changes along a stroke.
struct Pen {
  Pen(float scale, Dice& dice) {
    const float g = dice.normal();
    radius = scale * std::max(0.55f, 1.31f + 0.33f * g + 0.06f * g * g);
    pressure = 0.12f * dice.normal();
    softness = dice.between(1.0f, 1.6f);
    rough = dice.between(0.0f, 0.35f);
  }
  float radius, pressure, softness, rough;
};

using Trace = std::vector<PenPoint>;

// Gives every point of the skeleton the pen's radius there.
std::vector<Trace> inked_lines(const std::vector<Line>& lines, const Pen& pen, Dice& dice) {
  std::vector<Trace> traces;
  for (const auto& line : lines) {
    const float start = 1 + pen.pressure * dice.normal(), end = 1 + pen.pressure * dice.normal();
    Trace trace;
    trace.reserve(line.size());
    for (size_t i = 0; i < line.size(); ++i) {
      const float t = static_cast<float>(i) / static_cast<float>(line.size());
      trace.push_back({line[i].x, line[i].y, pen.radius * std::max(0.4f, start + (end - start) * t)});
    }
    traces.push_back(std::move(trace));
  }
  return traces;
}

struct Extent {
  float left = 1e9f, right = -1e9f, top = 1e9f, bottom = -1e9f;
  float width() const { return right - left; }
  float height() const { return bottom - top; }
};

Extent extent_of(const std::vector<Trace>& traces, float scale) {
  Extent e;
  for (const auto& trace : traces) {
    for (const PenPoint& p : trace) {
      e.left = std::min(e.left, scale * p.x - p.radius), e.right = std::max(e.right, scale * p.x + p.radius);
      e.top = std::min(e.top, scale * p.y - p.radius), e.bottom = std::max(e.bottom, scale * p.y + p.radius);
    }
  }
  return e;
}

// Scales the skeleton, not the pen, until the longer side of the inked box covers exactly 20 rows or columns.
void fit(std::vector<Trace>& traces, const Pen& pen, Dice& dice) {
  const float wanted = box - 2 * edge * pen.softness;
  float scale = box;
  for (int pass = 0; pass < 3; ++pass) {
    const Extent e = extent_of(traces, scale);
    const float longer = std::max(e.width(), e.height());
    scale = std::max(1.0f, scale * (wanted - 2 * pen.radius) / std::max(1.0f, longer - 2 * pen.radius));
  }
  const Extent e = extent_of(traces, scale);
  const bool tall = e.height() > e.width();
  const float x = kSide / 2 - (e.left + e.right) / 2 + (tall ? dice.between(-0.5f, 0.5f) : 0);
  const float y = kSide / 2 - (e.top + e.bottom) / 2 + (tall ? 0 : dice.between(-0.5f, 0.5f));
  for (auto& trace : traces) {
    for (PenPoint& p : trace) p = {x + scale * p.x, y + scale * p.y, p.radius};
  }
}

using Pixels = std::array<uint8_t, kSide * kSide>;

Pixels inked(const InkField& field, const Pen& pen, Dice& dice) {
  Pixels pixels{};
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      float depth = field.depth(x, y);
      if (depth <= -edge * pen.softness) continue;
      if (depth < 1.5f) depth += pen.rough * dice.between(-1, 1);
      const float t = std::min(1.0f, std::max(0.0f, 0.5f + depth / pen.softness));
      pixels[static_cast<size_t>(y * kSide + x)] = static_cast<uint8_t>(t * t * (3 - 2 * t) * 255 + 0.5f);
    }
  }
  return pixels;
}

// Copies `from` so that its centre of mass comes as near to pixel (14, 14) as whole pixels allow without
// pushing ink off the picture.
void copy_centred(const Pixels& from, uint8_t* to) {
  int64_t mass = 0, mass_x = 0, mass_y = 0;
  int left = kSide, right = -1, top = kSide, bottom = -1;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const int v = from[static_cast<size_t>(y * kSide + x)];
      if (v == 0) continue;
      mass += v, mass_x += int64_t{v} * x, mass_y += int64_t{v} * y;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  std::fill_n(to, kSide * kSide, uint8_t{0});
  if (mass == 0) return;
  const auto shift = [&](int64_t moment, int low, int high) {
    const auto centre = static_cast<int>((2 * moment + mass) / (2 * mass));  // rounded
    return std::clamp(kSide / 2 - centre, -low, kSide - 1 - high);
  };
  const int dx = shift(mass_x, left, right), dy = shift(mass_y, top, bottom);
  for (int y = top; y <= bottom; ++y) {
    for (int x = left; x <= right; ++x)
      to[(y + dy) * kSide + x + dx] = from[static_cast<size_t>(y * kSide + x)];
  }
}

void draw_one(int digit, uint64_t seed, int64_t i, uint8_t* to) {
  Dice dice(seed, static_cast<uint64_t>(i));
  const std::vector<Line> lines = skeleton(digit, dice);
  const Pen pen(habits[digit].radius, dice);
  std::vector<Trace> traces = inked_lines(lines, pen, dice);
  fit(traces, pen, dice);
  InkField field;
  for (const auto& trace : traces) field.trace(trace);
  copy_centred(inked(field, pen, dice), to);
}

}  // namespace

ImageSet draw_digits(int64_t count, uint64_t seed) {
  DUEL_CHECK(count >= 1 && count <= int64_t{1} << 24, "draw_digits", "expected 1 to 16777216 digits, got {}",
             count);
  ImageSet set;
  set.count = count;
  set.height = set.width = kSide;
  set.images.resize(static_cast<size_t>(count) * kSide * kSide);
  set.labels.resize(static_cast<size_t>(count));
  set.classes = counted_names(10);
  set.source = message("{} drawn digits, seed {}", count, seed);
  kernels::parallel_for(count, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int digit = label_of(seed, i);
      set.labels[static_cast<size_t>(i)] = static_cast<uint8_t>(digit);
      draw_one(digit, seed, i, set.images.data() + i * kSide * kSide);
    }
  });
  return set;
}

}  // namespace duel::gan
