// Pictures in colour: what is drawn is where it should be, and only there.
#include "duel/gan/picture/plot.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>
#include <string>

#include "duel/core/device/device.h"

namespace duel::gan {
namespace {

constexpr Color kWhite{255, 255, 255}, kRed{255, 0, 0}, kBlue{0, 0, 255};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

int64_t count(const Canvas& canvas, Color color) {
  int64_t found = 0;
  for (int64_t y = 0; y < canvas.height(); ++y) {
    for (int64_t x = 0; x < canvas.width(); ++x) found += canvas.at(x, y) == color;
  }
  return found;
}

TEST(Canvas, AHorizontalLineCoversItsRowsAndNoOthers) {
  Canvas canvas(9, 7);
  canvas.line(2.5, 3.5, 5.5, 3.5, kRed, 1.0);
  for (int64_t y = 0; y < 7; ++y) {
    for (int64_t x = 0; x < 9; ++x) {
      const bool inside = y == 3 && x >= 2 && x <= 5;
      EXPECT_EQ(canvas.at(x, y) == kRed, inside) << x << "," << y;
      // The distance of a neighbouring centre is 1, and the line reaches 0.5 + 0.5 of a pixel.
      EXPECT_EQ(canvas.at(x, y) == kWhite, !inside) << x << "," << y;
    }
  }
}

TEST(Canvas, DiscsHaveTheAreaOfDiscs) {
  Canvas canvas(60, 60);
  canvas.disc(30.2, 29.7, 20.0, {0, 0, 0});
  double ink = 0;
  for (const uint8_t v : canvas.pixels()) ink += (255 - v) / 255.0;
  EXPECT_NEAR(ink / 3, std::numbers::pi * 400, 3.0);
}

TEST(Canvas, NothingIsDrawnOutsideOfTheClip) {
  Canvas canvas(20, 20);
  canvas.clip(5, 5, 10, 10);
  canvas.rectangle(-100, -100, 1000, 1000, kRed);
  EXPECT_EQ(count(canvas, kRed), 100);
  canvas.disc(5, 5, 8, kBlue);
  canvas.line(kNan, 1, 5, 6, kBlue, 3);
  canvas.line(-1e300, -1e300, 1e300, 1e300, kRed, 1);
  canvas.text(0, 0, "outside", kBlue, 3);
  for (int64_t y = 0; y < 20; ++y) {
    for (int64_t x = 0; x < 20; ++x) {
      if (x < 5 || y < 5 || x >= 15 || y >= 15) {
        ASSERT_EQ(canvas.at(x, y), kWhite) << x << "," << y;
      }
    }
  }
}

TEST(Canvas, OpacityMixesAndPasteCopies) {
  Canvas canvas(4, 4, {0, 0, 0});
  canvas.blend(1, 1, {200, 100, 50}, 0.5);
  EXPECT_EQ(canvas.at(1, 1), (Color{100, 50, 25}));
  Canvas small(2, 2, kRed);
  canvas.paste(small, 3, 3);  // hangs over the edge
  EXPECT_EQ(canvas.at(3, 3), kRed);
  EXPECT_EQ(count(canvas, kRed), 1);
}

TEST(Canvas, EveryPrintableCharacterHasAGlyphOfItsOwn) {
  std::set<std::string> shapes;
  for (char c = '!'; c <= '~'; ++c) {
    std::string shape;
    for (int row = 0; row < 8; ++row) {
      for (int column = 0; column < 5; ++column) shape += glyph_pixel(c, row, column) ? '#' : '.';
    }
    EXPECT_NE(shape.find('#'), std::string::npos) << c;
    EXPECT_TRUE(shapes.insert(shape).second) << c;
  }
  for (int row = 0; row < 8; ++row) {
    for (int column = 0; column < 5; ++column) {
      EXPECT_FALSE(glyph_pixel(' ', row, column));
      EXPECT_EQ(glyph_pixel('\x80', row, column), glyph_pixel('\n', row, column));
    }
  }
}

TEST(Canvas, VerticalTextIsTheTextTurnedLeft) {
  Canvas flat(40, 40), upright(40, 40);
  flat.text(3, 5, "Fg", kRed, 2);
  upright.text(5, 36, "Fg", kRed, 2, true);
  EXPECT_GT(count(flat, kRed), 40);
  for (int64_t y = 0; y < 40; ++y) {
    for (int64_t x = 0; x < 40; ++x) {
      EXPECT_EQ(flat.at(x, y) == kRed, upright.at(y, 39 - x) == kRed) << x << "," << y;
    }
  }
  EXPECT_EQ(count(upright, kRed), count(flat, kRed));
}

TEST(Canvas, TilesStandInRows) {
  const Canvas whole = tile({Canvas(5, 3, kRed), Canvas(5, 3, kBlue), Canvas(5, 3, kRed)}, 2, 1);
  EXPECT_EQ(whole.width(), 13);
  EXPECT_EQ(whole.height(), 9);
  EXPECT_EQ(whole.at(1, 1), kRed);
  EXPECT_EQ(whole.at(7, 3), kBlue);
  EXPECT_EQ(whole.at(1, 5), kRed);
  EXPECT_EQ(whole.at(7, 5), kWhite);
  EXPECT_THROW(tile({Canvas(5, 3), Canvas(3, 5)}, 2), Error);
  EXPECT_THROW(Canvas(0, 5), Error);
}

TEST(Colors, HeatGoesFromWhiteToDark) {
  EXPECT_EQ(heat_color(-1), kWhite);
  EXPECT_EQ(heat_color(kNan), kWhite);
  int before = 3 * 255 + 1;
  for (const double v : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 7.0}) {
    const Color c = heat_color(v);
    const int light = c.r + c.g + c.b;
    EXPECT_TRUE(light < before || v > 1) << v;
    before = light;
  }
}

TEST(Colors, ThirtySeriesAreToldApart) {
  std::set<std::array<uint8_t, 3>> seen;
  for (size_t i = 0; i < 30; ++i) {
    const Color c = series_color(i);
    EXPECT_TRUE(seen.insert({c.r, c.g, c.b}).second) << i;
    EXPECT_LT(c.r + c.g + c.b, 690) << i;  // to be seen on white
  }
  EXPECT_EQ(series_color(30), series_color(0));
}

TEST(Ticks, AreRoundNumbersInsideTheRange) {
  EXPECT_EQ(axis_ticks({0, 1}, false, 5), (std::vector<double>{0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0}));
  EXPECT_EQ(axis_ticks({-3, 7}, false, 5), (std::vector<double>{-2, 0, 2, 4, 6}));
  EXPECT_EQ(axis_ticks({0.01, 1000}, true, 6), (std::vector<double>{0.01, 0.1, 1, 10, 100, 1000}));
  EXPECT_EQ(axis_ticks({3, 60}, true, 6), (std::vector<double>{5, 10, 20, 50}));
  // Within a decade 1, 2 and 5 leave few ticks or none.
  for (const Range range : {Range{1.17, 1.93}, Range{0.9, 1.95}, Range{2.1, 4.9}, Range{0.031, 0.032},
                            Range{5.5, 49}, Range{2000, 2001}}) {
    for (const int wanted : {4, 8, 12}) {
      const auto ticks = axis_ticks(range, true, wanted);
      EXPECT_GE(ticks.size(), 3u) << range.low << " to " << range.high << ", " << wanted;
      for (const double tick : ticks) EXPECT_TRUE(tick >= range.low && tick <= range.high) << tick;
    }
  }
  const auto labels = [](Range range, int wanted) {
    std::string text;
    for (const double tick : axis_ticks(range, true, wanted)) text += tick_label(tick) + " ";
    return text;
  };
  EXPECT_EQ(labels({1.17, 1.93}, 4), "1.2 1.4 1.6 1.8 ") << "as a linear axis";
  EXPECT_EQ(labels({0.9, 5.5}, 8), "1 1.5 2 3 5 ");
  EXPECT_EQ(labels({0.11, 1.95}, 8), "0.15 0.2 0.3 0.5 0.7 1 1.5 ");
  EXPECT_EQ(labels({2000, 2001}, 4), "2000 2000.5 2001 ");
  EXPECT_EQ(axis_ticks({0.02, 3000}, true, 1), (std::vector<double>{}))
      << "several decades keep powers of ten";
  EXPECT_EQ(tick_label(0.6000000000000001), "0.6");
  EXPECT_EQ(tick_label(20000), "20000");
  EXPECT_EQ(tick_label(2e6), "2e+06");
  EXPECT_EQ(tick_label(0), "0");
}

// A plot without text margins that matter: the data area of a 200x200 picture is found by its colours.
TEST(Plot, PointsLieWhereTheirValuesSay) {
  Plot plot({.width = 200, .height = 200, .x_range = Range{0, 10}, .y_range = Range{0, 10}, .grid = false});
  plot.bars({2.5}, {10}, 5, {.color = kRed});  // the left half, whole height
  plot.bars({7.5}, {5}, 5, {.color = kBlue});  // the right half, half height
  const Canvas canvas = plot.draw();
  const int64_t red = count(canvas, kRed), blue = count(canvas, kBlue);
  EXPECT_GT(red, 5000);
  EXPECT_NEAR(static_cast<double>(blue) / static_cast<double>(red), 0.5, 0.02);
}

TEST(Plot, ALogarithmicAxisIsLogarithmic) {
  Plot plot({.width = 300,
             .height = 300,
             .log_y = true,
             .x_range = Range{0, 1},
             .y_range = Range{1, 100},
             .grid = false});
  plot.bars({0.25}, {100}, 0.5, {.color = kRed});
  plot.bars({0.75}, {10}, 0.5, {.color = kBlue});
  const Canvas canvas = plot.draw();
  EXPECT_NEAR(static_cast<double>(count(canvas, kBlue)) / static_cast<double>(count(canvas, kRed)), 0.5,
              0.02);
}

TEST(Plot, HistogramsShowSharesAndIgnoreWhatIsNotFinite) {
  Plot plot({.width = 300, .height = 300, .x_range = Range{0, 4}, .y_range = Range{0, 1}, .grid = false});
  plot.histogram({0.5, kNan, 0.5, 0.5, 2.5, INFINITY}, 4, {.color = kRed, .width = 0.01}, Range{0, 4});
  const Canvas canvas = plot.draw();
  const Color pale{255, 191, 191};  // a quarter of red
  std::vector<int64_t> columns;     // heights of the filled columns
  for (int64_t x = 0; x < 300; ++x) {
    int64_t height = 0;
    for (int64_t y = 0; y < 300; ++y) height += canvas.at(x, y) == pale;
    if (height > 0) columns.push_back(height);
  }
  ASSERT_GT(columns.size(), 100U);
  EXPECT_NEAR(static_cast<double>(columns.back()) / static_cast<double>(columns.front()), 1.0 / 3.0, 0.03);
}

TEST(Plot, HeatMapsHaveTheirFirstRowBelow) {
  Plot plot({.width = 200, .height = 200, .grid = false});
  plot.heat_map({1, 0, 0, 0}, 2, 2, {0, 1}, {0, 1});
  const Canvas canvas = plot.draw();
  const Color dark = heat_color(1);
  EXPECT_GT(count(canvas, dark), 4000);
  int64_t left = 200, bottom = 0;
  for (int64_t y = 0; y < 200; ++y) {
    for (int64_t x = 0; x < 200; ++x) {
      if (canvas.at(x, y) == dark) left = std::min(left, x), bottom = std::max(bottom, y);
    }
  }
  EXPECT_LT(left, 50);
  EXPECT_GT(bottom, 150);
}

TEST(Plot, GapsEmptySeriesAndConstantsAreDrawnWithoutHarm) {
  Plot empty;
  EXPECT_EQ(empty.draw().width(), 640);
  Plot odd({.log_x = true, .log_y = true});
  odd.line({}, {});
  odd.line({1, 2, 3}, {kNan, -1, 0}, {.label = "nothing to see"});
  odd.scatter({5}, {5});
  odd.histogram({}, 3);
  EXPECT_EQ(odd.draw().height(), 420);
  Plot tiny(
      {.title = "far too long a title", .width = 10, .height = 10, .equal_axes = true, .text_scale = 3});
  tiny.line({0, 1}, {2, 2}, {.label = "label"});
  EXPECT_EQ(tiny.draw().width(), 10);

  Plot gap({.width = 300, .height = 300, .x_range = Range{0, 4}, .y_range = Range{0, 4}, .grid = false});
  gap.line({0, 1, 2, 3, 4}, {2, 2, kNan, 2, 2}, {.color = kRed, .width = 2});
  const Canvas canvas = gap.draw();
  int64_t columns = 0, first = 300, last = 0;
  for (int64_t x = 0; x < 300; ++x) {
    bool any = false;
    for (int64_t y = 0; y < 300; ++y) any |= canvas.at(x, y) == kRed;
    if (any) first = std::min(first, x), last = std::max(last, x), ++columns;
  }
  EXPECT_NEAR(static_cast<double>(columns) / static_cast<double>(last - first + 1), 0.5, 0.03);
}

TEST(Plot, NamesStandAtTheIntegersInPlaceOfNumbers) {
  // Columns in which a grid line is seen, and how long it is.
  const auto grid_lines = [](std::vector<std::string> names, int64_t width = 300) {
    Plot plot({.width = width, .height = 300, .y_range = Range{0, 1}, .x_names = std::move(names)});
    plot.line({0, 1, 2}, {-1, -1, -1});
    const Canvas canvas = plot.draw();
    std::vector<int64_t> lengths;
    for (int64_t x = 0; x < width; ++x) {
      int64_t length = 0;
      for (int64_t y = 0; y < 300; ++y) length += canvas.at(x, y) == Color{228, 228, 228};
      if (length > 100) lengths.push_back(length);
    }
    return lengths;
  };
  const auto numbers = grid_lines({}), names = grid_lines({"a", "b", "c"}),
             upright = grid_lines({"a", "b", "some_layer"}, 150);
  EXPECT_EQ(grid_lines({}, 640).size(), 5u) << "0, 0.5, 1, 1.5, 2";
  EXPECT_EQ(grid_lines({"a", "b", "c"}, 640).size(), 3u);
  ASSERT_EQ(names.size(), 3u);
  ASSERT_EQ(upright.size(), 3u);
  EXPECT_EQ(names[0], numbers[0]);
  EXPECT_EQ(upright[0], names[0] - (Canvas::text_length("some_layer") - Canvas::text_height()))
      << "the name has room below";
  EXPECT_EQ(grid_lines({"a", "b"}).size(), 2u);
  const auto endless = grid_lines({std::string(500, 'x'), "b", "c"}, 150);
  ASSERT_EQ(endless.size(), 3u);
  EXPECT_GT(endless[0], names[0] - 300 / 4) << "never more than a quarter of the picture";
  // So many names that letters would touch: every other one or fewer.
  Plot many({.width = 200, .height = 200, .x_names = std::vector<std::string>(200, "layer")});
  std::vector<double> x, y;
  for (int i = 0; i < 200; ++i) x.push_back(i), y.push_back(1);
  many.line(x, y);
  EXPECT_EQ(many.draw().width(), 200);
}

TEST(Plot, MistakesAreRefused) {
  Plot plot;
  EXPECT_THROW(plot.line({1, 2}, {1}), Error);
  EXPECT_THROW(plot.heat_map({1, 2, 3}, 2, 2, {0, 1}, {0, 1}), Error);
  EXPECT_THROW(plot.bars({1}, {1}, 0), Error);
  EXPECT_THROW(plot.histogram({1}, 0), Error);
  EXPECT_THROW(Plot({.x_range = Range{1, 1}}), Error);
  EXPECT_THROW(Plot({.log_x = true, .x_names = {"a"}}), Error);
  EXPECT_THROW(Plot({.log_y = true, .y_range = Range{0, 1}}), Error);
}

// Twice as many pixels at twice the scale are the same picture: letters, lines, points and dots alike.
TEST(Plot, TextScaleScalesLinesAndPointsToo) {
  const auto drawn = [](int scale) {
    Plot plot({.title = "t", .width = 320 * scale, .height = 210 * scale, .text_scale = scale});
    plot.line({0, 1, 2}, {0, 2, 1}, {.color = Color{200, 0, 0}, .width = 2});
    plot.scatter({0.5}, {0.5}, {.color = Color{0, 200, 0}, .radius = 4});
    plot.horizontal(1.5, {.color = Color{0, 0, 200}, .width = 2});
    const Canvas canvas = plot.draw();
    std::vector<double> inked(3);
    for (int64_t y = 0; y < canvas.height(); ++y) {
      for (int64_t x = 0; x < canvas.width(); ++x) {
        const Color c = canvas.at(x, y);
        inked[0] += c.r > c.g + 50 && c.r > c.b + 50;
        inked[1] += c.g > c.r + 50 && c.g > c.b + 50;
        inked[2] += c.b > c.r + 50 && c.b > c.g + 50;
      }
    }
    return inked;
  };
  const auto once = drawn(1), twice = drawn(2);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_GT(once[i], 30) << i;
    EXPECT_NEAR(twice[i] / once[i], 4.0, 0.8) << i;
  }
}

}  // namespace
}  // namespace duel::gan
