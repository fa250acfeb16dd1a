// Grids and PNG files, decoded again by an independent decoder.
#include "duel/gan/picture/png.h"

#include <gtest/gtest.h>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/train/sampling.h"
#include "tests/gan/files.h"
#include "tests/stb_image.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

TEST(Grid, SixtyFourDigitsAre242By242) {
  Bytes images(64 * 28 * 28);
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<uint8_t>(1 + i % 251);
  const Picture grid = tile_grid(images, 64, 28, 28, 8);
  ASSERT_EQ(grid.width, 242);
  ASSERT_EQ(grid.height, 242);
  for (int64_t y = 0; y < 242; ++y) {
    for (int64_t x = 0; x < 242; ++x) {
      const int64_t row = y / 30, column = x / 30, iy = y % 30 - 2, ix = x % 30 - 2;
      const bool inside = iy >= 0 && ix >= 0;
      const int expected = inside ? images[static_cast<size_t>(((row * 8 + column) * 28 + iy) * 28 + ix)] : 0;
      ASSERT_EQ(int{grid.pixels[static_cast<size_t>(y * 242 + x)]}, expected) << x << "," << y;
    }
  }
}

TEST(Grid, OfImagesWithTwoChannelsIsRefused) {
  EXPECT_EQ(image_grid(Tensor::zeros({3, 1, 2, 5}), 3).width, 3 * 7 + 2);
  for (const Shape& shape : {Shape{4, 2, 8, 8}, Shape{4, 8, 8}, Shape{1, 0, 8, 8}, Shape{1, 4, 8, 8}}) {
    EXPECT_NE(
        duel::testing::error_of([&] { image_grid(Tensor::zeros(shape), 2); }).find("[N, 3, H, W], got f32 ["),
        std::string::npos);
  }
}

// Planes become pixels: two images of 1 x 2 in red, green and blue.
TEST(Grid, OfColours) {
  const Bytes planes{1, 2, 10, 20, 100, 200, 3, 4, 30, 40, 50, 60};
  const Picture grid = tile_grid(planes, 2, 1, 2, 1, 1, 3);
  EXPECT_EQ(grid.channels, 3);
  EXPECT_EQ(grid.width, 4);
  EXPECT_EQ(grid.height, 5);
  const Bytes black(12), first{0, 0, 0, 1, 10, 100, 2, 20, 200, 0, 0, 0},
      second{0, 0, 0, 3, 30, 50, 4, 40, 60, 0, 0, 0};
  Bytes expected;
  for (const Bytes& row : {black, first, black, second, black})
    expected.insert(expected.end(), row.begin(), row.end());
  EXPECT_EQ(grid.pixels, expected);
  EXPECT_EQ(encode_png(grid), encode_png_rgb(4, 5, expected));
  std::vector<float> values;
  for (const uint8_t p : planes) values.push_back(static_cast<float>(p) / 127.5F - 1);
  EXPECT_EQ(image_grid(Tensor::from(values, {2, 3, 1, 2}), 1).pixels,
            tile_grid(planes, 2, 1, 2, 1, 2, 3).pixels);
  EXPECT_TRUE(has(error_of([&] { tile_grid(planes, 2, 1, 2, 1, 1, 2); }), "1 or 3 channels, got 2"));
  EXPECT_TRUE(has(error_of([&] { encode_png(Picture{2, 1, Bytes(8), 4}); }), "1 or 3 channels, got 4"));
}

TEST(Grid, OddCountsAndPaddings) {
  const Bytes five{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};  // five images of 1x2
  const Picture grid = tile_grid(five, 5, 1, 2, 3, 1);
  EXPECT_EQ(grid.width, 10);
  EXPECT_EQ(grid.height, 5);
  EXPECT_EQ(grid.pixels, (Bytes{0, 0, 0, 0, 0, 0,  0, 0, 0, 0,  //
                                0, 1, 2, 0, 3, 4,  0, 5, 6, 0,  //
                                0, 0, 0, 0, 0, 0,  0, 0, 0, 0,  //
                                0, 7, 8, 0, 9, 10, 0, 0, 0, 0,  //
                                0, 0, 0, 0, 0, 0,  0, 0, 0, 0}));
  EXPECT_EQ(tile_grid(five, 5, 1, 2, 3, 0).pixels, (Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0}));
  EXPECT_EQ(tile_grid(five, 2, 1, 2, 8, 0).width, 4) << "fewer images than columns";
  for (const auto& text :
       {error_of([&] { tile_grid(five, 6, 1, 2, 3); }), error_of([&] { tile_grid(five, 0, 1, 2, 3); }),
        error_of([&] { tile_grid(five, 5, 1, 2, 0); }), error_of([&] { tile_grid(five, 5, 1, 2, 3, -1); })}) {
    EXPECT_TRUE(has(text, "[tile_grid] expected")) << text;
  }
}

TEST(Png, DecodesToTheSamePixels) {
  Scratch scratch;
  const struct { int64_t w, h; } sizes[] = {{1, 1}, {1, 9}, {9, 1}, {17, 33}, {242, 242}};
  for (const auto [w, h] : sizes) {
    Bytes pixels(static_cast<size_t>(w * h));
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * i * 31 + 7);
    write_png(scratch / "b.png", Picture{w, h, std::vector<uint8_t>(pixels.begin(), pixels.end())});
    write_png_gray(scratch / "a.png", w, h, pixels);
    EXPECT_EQ(get(scratch / "a.png"), get(scratch / "b.png"));
    const Bytes file = get(scratch / "a.png");
    EXPECT_EQ(file, encode_png_gray(w, h, pixels));
    int width = 0, height = 0, channels = 0;
    uint8_t* decoded =
        stbi_load_from_memory(file.data(), static_cast<int>(file.size()), &width, &height, &channels, 0);
    ASSERT_NE(decoded, nullptr);
    EXPECT_EQ(width, w);
    EXPECT_EQ(height, h);
    EXPECT_EQ(channels, 1);
    EXPECT_EQ(Bytes(decoded, decoded + w * h), pixels);
    stbi_image_free(decoded);
  }
}

TEST(Png, WrongSizesAndUnwritablePlaces) {
  const Bytes pixels(6);
  EXPECT_TRUE(
      has(error_of([&] { encode_png_gray(2, 2, pixels); }), "[png] expected 4 pixels for 2x2, got 6"));
  EXPECT_TRUE(has(error_of([&] { encode_png_gray(0, 6, pixels); }), "[png] expected"));
  EXPECT_TRUE(has(error_of([&] { encode_png_gray(int64_t{1} << 40, 1, pixels); }), "[png] expected"));
  const std::string text = error_of([&] { write_png_gray("/nonexistent folder/a.png", 3, 2, pixels); });
  EXPECT_TRUE(has(text, "/nonexistent folder/a.png") && has(text, "No such file")) << text;
}

TEST(Png, ColourPixelsComeBack) {
  const int64_t w = 13, h = 7;
  Bytes pixels(static_cast<size_t>(w * h * 3));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 + i / 5);
  const Bytes file = encode_png_rgb(w, h, pixels);
  int x = 0, y = 0, channels = 0;
  stbi_uc* decoded = stbi_load_from_memory(file.data(), static_cast<int>(file.size()), &x, &y, &channels, 0);
  ASSERT_NE(decoded, nullptr);
  EXPECT_EQ(x, w);
  EXPECT_EQ(y, h);
  ASSERT_EQ(channels, 3);
  EXPECT_TRUE(std::equal(pixels.begin(), pixels.end(), decoded));
  stbi_image_free(decoded);
  EXPECT_THROW(encode_png_rgb(w, h, Bytes(static_cast<size_t>(w * h))), Error);
}

}  // namespace
}  // namespace duel::gan
