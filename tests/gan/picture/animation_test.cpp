// Animated PNGs: their chunks, and every picture decoded again by an independent decoder.
#include "duel/gan/picture/animation.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/gan/files.h"
#include "tests/stb_image.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

struct Chunk {
  std::string type;
  Bytes data;
};

uint32_t number(const Bytes& bytes, size_t at) {
  return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 |
         bytes[at + 3];
}

/// Every byte of the file, with sums that are right.
std::vector<Chunk> chunks_of(const Bytes& file) {
  std::vector<Chunk> chunks;
  size_t at = 8;
  while (at + 12 <= file.size()) {
    const size_t length = number(file, at);
    const auto begin = file.begin() + static_cast<std::ptrdiff_t>(at + 4);
    const Bytes body(begin, begin + static_cast<std::ptrdiff_t>(4 + length));
    EXPECT_EQ(::crc32(0, body.data(), static_cast<uInt>(body.size())), number(file, at + 8 + length));
    chunks.push_back({std::string(body.begin(), body.begin() + 4), Bytes(body.begin() + 4, body.end())});
    at += 12 + length;
  }
  EXPECT_EQ(at, file.size());
  return chunks;
}

void append(Bytes& file, const std::string& type, const Bytes& data) {
  const auto put = [&](uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) file.push_back(static_cast<uint8_t>(value >> shift));
  };
  put(static_cast<uint32_t>(data.size()));
  const size_t begin = file.size();
  file.insert(file.end(), type.begin(), type.end());
  file.insert(file.end(), data.begin(), data.end());
  put(static_cast<uint32_t>(::crc32(0, file.data() + begin, static_cast<uInt>(file.size() - begin))));
}

TEST(Animation, HoldsEveryPicture) {
  for (const int64_t channels : {1, 3}) {
    std::vector<Picture> frames;
    for (int k = 0; k < 3; ++k) {
      Picture picture{.width = 5, .height = 4, .pixels = {}, .channels = channels};
      for (int64_t i = 0; i < 20 * channels; ++i)
        picture.pixels.push_back(static_cast<uint8_t>(37 * i + 50 * k));
      frames.push_back(picture);
    }
    const Bytes file = encode_apng(frames, 15);
    const std::vector<Chunk> chunks = chunks_of(file);
    std::string types;
    for (const Chunk& chunk : chunks) types += chunk.type + " ";
    EXPECT_EQ(types, "IHDR acTL fcTL IDAT fcTL fdAT fcTL fdAT IEND ");
    EXPECT_EQ(chunks[1].data, (Bytes{0, 0, 0, 3, 0, 0, 0, 0}));
    EXPECT_EQ(chunks[2].data,
              (Bytes{0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 15, 0, 0}));
    uint32_t next = 0;
    size_t frame = 0;
    for (const Chunk& chunk : chunks) {
      const bool numbered = chunk.type == "fcTL" || chunk.type == "fdAT";
      if (numbered) {
        EXPECT_EQ(number(chunk.data, 0), next++);
      }
      if (chunk.type != "IDAT" && chunk.type != "fdAT") continue;
      Bytes alone(file.begin(), file.begin() + 8);
      append(alone, "IHDR", chunks[0].data);
      append(alone, "IDAT", Bytes(chunk.data.begin() + (numbered ? 4 : 0), chunk.data.end()));
      append(alone, "IEND", {});
      int w = 0, h = 0, c = 0;
      stbi_uc* pixels = stbi_load_from_memory(alone.data(), static_cast<int>(alone.size()), &w, &h, &c, 0);
      ASSERT_TRUE(pixels);
      EXPECT_EQ(Bytes(pixels, pixels + w * h * c), frames[frame++].pixels);
      stbi_image_free(pixels);
    }
    EXPECT_EQ(frame, 3u);
  }
}

TEST(Animation, RefusesWhatDoesNotGoTogether) {
  const Picture a{.width = 2, .height = 1, .pixels = {0, 1}, .channels = 1},
      b{.width = 1, .height = 2, .pixels = {0, 1}, .channels = 1};
  EXPECT_TRUE(has(error_of([&] {
                    encode_apng({a, b}, 15);
                  }),
                  "expected pictures of one size and kind, got 2 x 1 x 1 and 1 x 2 x 1"));
  EXPECT_TRUE(has(error_of([&] { encode_apng({}, 15); }), "expected at least one picture"));
  EXPECT_TRUE(has(error_of([&] { encode_apng({a}, 0); }), "expected a rate of 1 to 1000"));
}

}  // namespace
}  // namespace duel::gan
