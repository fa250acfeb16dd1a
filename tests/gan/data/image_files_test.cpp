// Files of images: every form that is read, and damaged, lying and hostile ones, which are refused in a sentence.
#include "duel/gan/data/image_files.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <cmath>
#include <cstring>

#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/data/stacked_digits.h"
#include "duel/gan/picture/png.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
Bytes text(const std::string& t) { return {t.begin(), t.end()}; }
Bytes little(uint64_t value, int bytes) {
  Bytes out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
  return out;
}
Bytes big(uint64_t value) {
  const Bytes b = little(value, 4);
  return {b.rbegin(), b.rend()};
}

/// As numpy.save writes it.
Bytes npy(const std::string& descr, const std::string& shape, const Bytes& elements,
          const std::string& order = "False", int version = 1) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.resize((header.size() + 64) / 64 * 64 + 53, ' ');
  header += '\n';
  return text("\x93NUMPY") + Bytes{static_cast<uint8_t>(version), 0} +
         little(header.size(), version == 1 ? 2 : 4) + text(header) + elements;
}

template <class T>
Bytes elements(const std::vector<T>& values) {
  Bytes out(values.size() * sizeof(T));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

Bytes deflated(const Bytes& bytes, int window = -MAX_WBITS) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  Bytes out(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Member {
  std::string name;
  Bytes bytes;
  bool deflate = false;
  int64_t claimed = -1;    // unpacked length in place of the true one
  uint32_t wrong_crc = 0;  // added to the true one
  uint16_t flags = 0, method = 0xffff;
};

/// As numpy.savez writes it: sizes of local headers are in a zip64 field.
Bytes zip(const std::vector<Member>& members) {
  Bytes out, directory;
  for (const Member& m : members) {
    const Bytes packed = m.deflate ? deflated(m.bytes) : m.bytes;
    const auto crc =
        static_cast<uint32_t>(crc32(0, m.bytes.data(), static_cast<uInt>(m.bytes.size()))) + m.wrong_crc;
    const uint64_t size = m.claimed >= 0 ? static_cast<uint64_t>(m.claimed) : m.bytes.size();
    const uint16_t method = m.method != 0xffff ? m.method : m.deflate ? 8 : 0;
    const Bytes common = little(m.flags, 2) + little(method, 2) + little(0, 4) + little(crc, 4);
    directory = directory + little(0x02014b50, 4) + little(45, 2) + little(45, 2) + common +
                little(packed.size(), 4) + little(size, 4) + little(m.name.size(), 2) + little(0, 2) +
                little(0, 2) + little(0, 8) + little(out.size(), 4) + text(m.name);
    out = out + little(0x04034b50, 4) + little(45, 2) + common + little(0xffffffffffffffff, 8) +
          little(m.name.size(), 2) + little(20, 2) + text(m.name) + little(1, 2) + little(16, 2) +
          little(size, 8) + little(packed.size(), 8) + packed;
  }
  return out + directory + little(0x06054b50, 4) + little(0, 4) + little(members.size(), 2) +
         little(members.size(), 2) + little(directory.size(), 4) + little(out.size(), 4) + little(0, 2);
}

Bytes chunk(const std::string& type, const Bytes& data, uint32_t wrong_crc = 0) {
  const Bytes body = text(type) + data;
  return big(data.size()) + body + big(crc32(0, body.data(), static_cast<uInt>(body.size())) + wrong_crc);
}
const Bytes kPng{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
Bytes png_head(uint64_t width, uint64_t height) {
  return kPng + chunk("IHDR", big(width) + big(height) + Bytes{8, 0, 0, 0, 0});
}

class ImageFiles : public ::testing::Test {
 protected:
  ImageSet read(const std::string& name, const Bytes& bytes) const {
    put(scratch_ / name, bytes);
    return read_images(scratch_ / name);
  }
  /// One line that names the file and what is wrong.
  void refuse(const Bytes& bytes, const std::vector<std::string>& parts) const {
    const std::string error = error_of([&] { read("bad", bytes); });
    EXPECT_TRUE(has(error, (scratch_ / "bad").string())) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    for (const std::string& part : parts) EXPECT_TRUE(has(error, part)) << error << "\nwithout: " << part;
  }

  const Scratch scratch_;
  const ImageSet digits_ = draw_digits(5, 1);
};

void expect_same(const ImageSet& found, const ImageSet& wanted) {
  EXPECT_EQ(found.count, wanted.count);
  EXPECT_EQ(found.height, wanted.height);
  EXPECT_EQ(found.width, wanted.width);
  EXPECT_EQ(found.images, wanted.images);
}

TEST_F(ImageFiles, OfIdxAndFoldersOfMnist) {
  write_idx(scratch_ / "plain", std::array<int64_t, 3>{5, 28, 28}, digits_.images, false);
  write_idx(scratch_ / "packed", std::array<int64_t, 3>{5, 28, 28}, digits_.images, true);
  expect_same(read_images(scratch_ / "plain"), digits_);
  expect_same(read_images(scratch_ / "packed"), digits_);
  EXPECT_EQ(read_images(scratch_ / "packed").source, (scratch_ / "packed").string());
  std::filesystem::create_directory(scratch_ / "mnist");
  write_mnist(scratch_ / "mnist", Split::train, digits_, true);
  expect_same(read_images(scratch_ / "mnist"), digits_);
  write_mnist(scratch_ / "mnist", Split::test, part_of(digits_, 1, 3), true);
  expect_same(read_images(scratch_.dir()), part_of(digits_, 1, 3));
  EXPECT_EQ(read_images(scratch_ / "mnist").labels, part_of(digits_, 1, 3).labels);
}

TEST_F(ImageFiles, OfNumpyInEveryFormAndType) {
  for (const char* shape : {"(5, 28, 28)", "(5,1,28,28)", "(5, 28, 28, 1)"}) {
    expect_same(read("a", npy("|u1", shape, digits_.images)), digits_);
    expect_same(read("a", npy("|u1", shape, digits_.images, "False", 2)), digits_);
  }
  std::vector<float> signed_floats, floats;
  std::vector<double> doubles;
  for (const uint8_t p : digits_.images) {
    signed_floats.push_back(static_cast<float>(p) / 127.5F - 1);
    floats.push_back(static_cast<float>(p) / 255);
    doubles.push_back(static_cast<double>(p) / 127.5 - 1);
  }
  expect_same(read("a", npy("<f4", "(5, 28, 28)", elements(signed_floats))), digits_);
  expect_same(read("a", npy("<f4", "(5, 28, 28)", elements(floats))), digits_);
  expect_same(read("a", npy("<f8", "(5, 28, 28)", elements(doubles))), digits_);
}

TEST_F(ImageFiles, OfNumpysArchives) {
  const Bytes array = npy("|u1", "(5, 28, 28)", digits_.images), other = npy("<f4", "(2, 2)", Bytes(16));
  for (const bool deflate : {false, true}) {
    expect_same(read("a", zip({{.name = "x.npy", .bytes = array, .deflate = deflate}})), digits_);
    expect_same(read("a", zip({{.name = "labels.npy", .bytes = other, .deflate = deflate},
                               {.name = "images.npy", .bytes = array, .deflate = deflate}})),
                digits_);
    expect_same(
        read("a", zip({{.name = "arr_1.npy", .bytes = other}, {.name = "arr_0.npy", .bytes = array}})),
        digits_);
  }
}

TEST_F(ImageFiles, OfFoldersOfPngs) {
  const std::filesystem::path folder = scratch_ / "pngs";
  std::filesystem::create_directory(folder);
  for (int64_t i = 0; i < 4; ++i)
    write_png_gray(folder / message("{}.png", i), 28, 28, part_of(digits_, i, i + 1).images);
  Bytes rgb;
  for (const uint8_t p : part_of(digits_, 4, 5).images) rgb = rgb + Bytes{p, p, p};
  write_png_rgb(folder / "4.PNG", 28, 28, rgb);
  put(folder / "readme.txt", text("no picture"));
  expect_same(read_images(folder), digits_);
  write_png_gray(folder / "5.png", 2, 2, Bytes(4));
  EXPECT_TRUE(
      has(error_of([&] { read_images(folder); }), "5.png: expected images of one size, 28x28, got 2x2"));
  EXPECT_TRUE(has(error_of([&] { read_images(folder / "1.png"); }), "is one picture; expected the folder"));
}

// Where colours are asked for they are kept, and gray images stay gray.
TEST_F(ImageFiles, OfColours) {
  const ImageSet wanted = stack_digits(digits_, 4, 1).images;
  Bytes pixels;  // [N, H, W, C]
  for (size_t n = 0; n < 4; ++n)
    for (size_t i = 0; i < 784; ++i)
      for (size_t c = 0; c < 3; ++c) pixels.push_back(wanted.images[(n * 3 + c) * 784 + i]);
  const auto kept = [](const std::filesystem::path& path) { return read_images(path, {}, Colours::kept); };
  const std::filesystem::path folder = scratch_ / "colours", gray = scratch_ / "gray";
  std::filesystem::create_directory(folder);
  std::filesystem::create_directory(gray);
  for (size_t n = 0; n < 4; ++n) {
    const auto begin = pixels.begin() + static_cast<std::ptrdiff_t>(n * 2352);
    write_png_rgb(folder / message("{}.png", n), 28, 28, Bytes(begin, begin + 2352));
  }
  put(scratch_ / "first.npy", npy("|u1", "(4, 3, 28, 28)", wanted.images));
  put(scratch_ / "last.npy", npy("|u1", "(4, 28, 28, 3)", pixels));
  put(scratch_ / "packed.npz",
      zip({{.name = "images.npy", .bytes = npy("|u1", "(4, 3, 28, 28)", wanted.images), .deflate = true}}));
  for (const auto& path : {folder, scratch_ / "first.npy", scratch_ / "last.npy", scratch_ / "packed.npz"}) {
    SCOPED_TRACE(path.string());
    expect_same(kept(path), wanted);
    EXPECT_EQ(kept(path).channels, 3);
    std::vector<int64_t> shape;
    read_images(
        path, [&](const std::vector<int64_t>& s) { shape = s; }, Colours::kept);
    EXPECT_EQ(shape, (std::vector<int64_t>{4, 28, 28, 3}));
  }
  EXPECT_EQ(read_images(folder).channels, 1) << "their brightness";
  EXPECT_TRUE(has(error_of([&] { read_images(scratch_ / "last.npy"); }), "expected gray images (N, H, W)"));
  put(scratch_ / "five.npy", npy("|u1", "(1, 5, 28, 28)", Bytes(3920)));
  EXPECT_TRUE(has(error_of([&] { kept(scratch_ / "five.npy"); }), "(N, 1 or 3, H, W)"));

  write_png_gray(gray / "0.png", 28, 28, part_of(digits_, 0, 1).images);
  expect_same(kept(gray), part_of(digits_, 0, 1));
  EXPECT_EQ(kept(gray).channels, 1);
  EXPECT_EQ(read_images(gray).source, gray.string());
  EXPECT_EQ(read_images(folder).source, folder.string() + " (colours as their brightness)");
  std::filesystem::copy_file(folder / "1.png", gray / "1.png");
  EXPECT_TRUE(has(error_of([&] { kept(gray); }), "1.png: expected images of one kind"));
}

TEST_F(ImageFiles, TheShapeIsShownBeforeMemoryIsTaken) {
  const CheckShape never = [](const std::vector<int64_t>& shape) {
    throw Error(message("seen {} {} {}", shape[0], shape[1], shape[2]));
  };
  const auto seen = [&](const std::filesystem::path& path) {
    return error_of([&] { read_images(path, never); });
  };
  put(scratch_ / "a", npy("|u1", "(5, 28, 28)", digits_.images));
  EXPECT_EQ(seen(scratch_ / "a"), "seen 5 28 28");
  put(scratch_ / "a", zip({{.name = "x.npy", .bytes = get(scratch_ / "a"), .deflate = true}}));
  EXPECT_EQ(seen(scratch_ / "a"), "seen 5 28 28");
  // A gigabyte of pixels in a picture of 100 bytes.
  std::filesystem::create_directory(scratch_ / "pngs");
  put(scratch_ / "pngs" / "a.png", png_head(4000, 4000) + chunk("IDAT", {}) + chunk("IEND", {}));
  EXPECT_EQ(seen(scratch_ / "pngs"), "seen 1 4000 4000");
}

TEST_F(ImageFiles, HostileNumpyIsRefused) {
  const Bytes u8 = digits_.images;
  const std::string shape = "(5, 28, 28)";
  refuse(npy("|O", shape, u8), {"Python objects", "never unpickled"});
  refuse(npy("|u1", shape, u8, "True"), {"Fortran order", "ascontiguousarray"});
  refuse(npy("<i8", shape, u8), {"uint8, float32 or float64", "\"<i8\"", "astype"});
  refuse(npy(">f4", shape, u8), {"\">f4\""});
  refuse(npy("|u1", "(5, 3, 28, 28)", u8), {"(N, H, W)", "(5, 3, 28, 28)"});
  refuse(npy("|u1", "(3920,)", u8), {"(3920)"});
  refuse(npy("|u1", "()", u8), {"got ()"});
  refuse(npy("|u1", "(0, 28, 28)", {}), {"expected 1 to"});
  refuse(npy("|u1", "(5, 5000, 1)", u8), {"1 to 4096 pixels a side"});
  refuse(npy("|u1", "(1000000, 4096, 4096)", u8), {"at most 1073741824 pixels"});
  refuse(npy("<f8", "(1048576, 32, 32)", u8), {"length: expected 8589934592 bytes", "got 3920"});
  refuse(npy("|u1", "(99999999999999999999, 28, 28)", u8), {"header: expected"});
  refuse(npy("|u1", "(-5, 28, 28)", u8), {"header: expected"});
  refuse(npy("|u1", "(5, 28, 28", u8), {"header: expected"});
  refuse(npy("|u1", "[5, 28, 28]", u8), {"header: expected"});
  refuse(npy("|u1", "(1,1,1,1,1,1,1,1,1)", u8), {"header: expected"});
  refuse(npy("|u1', 'x': '", shape, u8), {"header: expected"});
  refuse(npy("|u1', 'descr': '|u1", shape, u8), {"header: expected"});
  refuse(npy("|u1", shape, u8, "1"), {"header: expected"});
  refuse(text("\x93NUMPY\x01") + Bytes{0} + little(34, 2) + text("{'descr': [('a', '|u1')], 'x': 1} "),
         {"records"});
  refuse(npy("|u1", shape, u8, "False", 4), {"version: expected 1 to 3, got 4"});
  refuse(text("\x93NUMPY\x02") + Bytes{0} + little(0xffffffff, 4), {"header: expected at most 0 bytes"});
  refuse(text("\x93NUMPY"), {"ends too early"});
  const Bytes whole = npy("|u1", shape, u8);
  for (const size_t length : {8U, 11U, 40U, 200U, 2000U}) refuse({whole.begin(), whole.begin() + length}, {});
  refuse(whole + Bytes{0}, {"length: expected 3920 bytes", "got 3921"});

  std::vector<float> floats(784, 0.5F);
  floats[7] = NAN;
  refuse(npy("<f4", "(1, 28, 28)", elements(floats)), {"finite numbers, got nan"});
  floats[7] = 255;
  refuse(npy("<f4", "(1, 28, 28)", elements(floats)), {"-1 to 1", "0 to 255 as uint8"});
}

TEST_F(ImageFiles, HostileArchivesAreRefused) {
  const Bytes array = npy("|u1", "(5, 28, 28)", digits_.images);
  const Member good{.name = "x.npy", .bytes = array, .deflate = true};
  const auto changed = [&](auto change) {
    Member m = good;
    change(m);
    return zip({m});
  };
  refuse(zip({}), {"without arrays"});
  refuse(zip({{.name = "x.txt", .bytes = text("x")}}), {"without arrays"});
  refuse(zip({{.name = "a.npy", .bytes = array}, {.name = "b.npy", .bytes = array}}),
         {"called images, got a, b"});
  refuse(changed([](Member& m) { m.flags = 1; }), {"encrypted"});
  refuse(changed([](Member& m) { m.method = 14; }), {"packed by method 14"});
  refuse(changed([](Member& m) { m.wrong_crc = 1; }), {"checksum is wrong"});
  refuse(changed([](Member& m) { m.claimed = 0xfffffff0; }), {"cannot unpack to 4294967280"});
  refuse(changed([](Member& m) { m.claimed = 0xffffffff; }), {"larger than 4 GiB"});
  refuse(changed([](Member& m) { m.claimed = static_cast<int64_t>(m.bytes.size()) - 1; }),
         {"length: expected 3920"});
  refuse(changed([](Member& m) { m.claimed = static_cast<int64_t>(m.bytes.size()) + 1; }),
         {"length: expected 3920"});
  refuse(changed([](Member& m) { m.deflate = false, m.claimed = 1; }), {"cannot unpack to 1"});
  refuse(changed([](Member& m) { m.deflate = false, m.method = 8, m.bytes = Bytes(100, 7); }),
         {"\"x.npy\" in it: corrupt"});
  refuse(changed([](Member& m) { m.bytes = text("no array at all"); }), {"no array of NumPy's"});
  // A shape of a gigabyte whose length goes with it, in an archive whose bytes end.
  Member lying{.name = "x.npy", .bytes = npy("|u1", "(1048576, 32, 32)", Bytes(2000000)), .deflate = true};
  lying.claimed = static_cast<int64_t>(lying.bytes.size()) - 2000000 + (int64_t{1} << 30);
  refuse(zip({lying}), {"cannot unpack to"});
  lying.bytes = npy("|u1", "(8192, 32, 32)", Bytes(100000));
  lying.claimed = static_cast<int64_t>(lying.bytes.size()) - 100000 + 8192 * 1024;
  refuse(zip({lying}), {"cannot unpack to"});
  lying.bytes = npy("|u1", "(128, 32, 32)", Bytes(100000));
  lying.claimed = static_cast<int64_t>(lying.bytes.size()) - 100000 + 128 * 1024;
  refuse(zip({lying}), {"unpacks to fewer than"});

  const Bytes whole = zip({good});
  for (size_t length = 2; length < whole.size(); length += 41)
    refuse({whole.begin(), whole.begin() + length}, {});
  // Any byte wrong: the same images (what it says of dates, say), or a sentence.
  for (size_t i = 2; i < whole.size(); i += i < 200 || i + 150 > whole.size() ? 1 : 13) {
    Bytes one = whole;
    one[i] ^= 0xff;
    put(scratch_ / "flipped", one);
    try {
      expect_same(read_images(scratch_ / "flipped"), digits_);
    } catch (const Error& error) {
      ASSERT_TRUE(has(error.what(), "flipped: ")) << error.what();
    }
  }
}

TEST_F(ImageFiles, HostilePngsAreRefused) {
  const std::filesystem::path folder = scratch_ / "pngs";
  std::filesystem::create_directory(folder);
  const auto refuse_png = [&](const Bytes& bytes, const std::string& part) {
    put(folder / "a.png", bytes);
    const std::string error = error_of([&] { read_images(folder); });
    EXPECT_TRUE(has(error, "a.png: ") && has(error, part)) << error;
  };
  const Bytes end = chunk("IEND", {}), lines(28 * 29), head = png_head(28, 28);
  const Bytes data = deflated(lines, MAX_WBITS);
  put(folder / "a.png", head + chunk("IDAT", data) + end);
  EXPECT_EQ(read_images(folder).images, Bytes(784));

  refuse_png({}, "is no PNG");
  refuse_png(text("GIF89a"), "is no PNG");
  refuse_png(kPng, "truncated after 8 bytes");
  refuse_png(head + chunk("IDAT", data), "truncated");
  refuse_png(head + end, "pixels end too early");
  refuse_png(head + chunk("IDAT", {data.begin(), data.end() - 6}) + end, "pixels end too early");
  refuse_png(head + chunk("IDAT", data, 1) + end, "checksum of chunk \"IDAT\" is wrong");
  refuse_png(head + chunk("IDAT", Bytes(20, 7)) + end, "corrupt");
  refuse_png(kPng + chunk("IDAT", data) + end, "expected one IHDR");
  refuse_png(head + chunk("IHDR", Bytes(13)) + end, "expected one IHDR");
  refuse_png(png_head(0, 28) + end, "sides of 1 to 4096");
  refuse_png(png_head(1U << 31, 28) + end, "sides of 1 to 4096");
  refuse_png(head + big(0xffffffff) + text("IDAT") + Bytes(8), "truncated");
  // 100 MB of zeros in 100 KB, for 784 pixels.
  refuse_png(head + chunk("IDAT", deflated(Bytes(100000000), MAX_WBITS)) + end, "unpack to more than");
  // Too few lines, and a filter that there is none of.
  refuse_png(head + chunk("IDAT", deflated(Bytes(29), MAX_WBITS)) + end, "could not be decoded");
  refuse_png(head + chunk("IDAT", deflated(Bytes(28 * 29, 9), MAX_WBITS)) + end, "could not be decoded");
  std::filesystem::remove(folder / "a.png");
  EXPECT_TRUE(has(error_of([&] { read_images(folder); }),
                  "sub-folder of pictures for each class in this folder, found none"));
}

TEST_F(ImageFiles, WhatIsNoFileOfImagesIsRefused) {
  refuse(text("hello"), {"none of them"});
  refuse({}, {"none of them"});
  EXPECT_TRUE(has(error_of([&] { read_images(scratch_ / "none"); }), "none: no such folder or file"));
  EXPECT_TRUE(has(error_of([&] { read_images("/dev/zero"); }), "not a regular file"));
}

}  // namespace
}  // namespace duel::gan
