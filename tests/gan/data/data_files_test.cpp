// Data sets as they lie on people's disks: every layout that --data takes, their halves and classes, and what is refused.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <numeric>

#include "duel/gan/data/class_names.h"
#include "duel/gan/data/image_files.h"
#include "duel/gan/picture/png.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;
namespace fs = std::filesystem;

fs::path golden_file(const std::string& name) { return in_source("tests/golden/images") / name; }

/// An IDX file of any type: `type` is its code.
Bytes idx_file(uint8_t type, const std::vector<uint32_t>& shape, const Bytes& elements) {
  Bytes out{0, 0, type, static_cast<uint8_t>(shape.size())};
  for (const uint32_t side : shape)
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(side >> shift));
  out.insert(out.end(), elements.begin(), elements.end());
  return out;
}

Bytes ramp(size_t count, int first = 0) {
  Bytes out(count);
  std::iota(out.begin(), out.end(), static_cast<uint8_t>(first));
  return out;
}

void put_in(const fs::path& file, const Bytes& bytes) {
  fs::create_directories(file.parent_path());
  put(file, bytes);
}

/// The formula of make_golden_images.py, [n, 3, 6, 5].
Bytes formula_images(int begin, int end) {
  Bytes out;
  for (int n = begin; n < end; ++n)
    for (int c = 0; c < 3; ++c)
      for (int h = 0; h < 6; ++h)
        for (int w = 0; w < 5; ++w)
          out.push_back(static_cast<uint8_t>((n * 60 + h * 7 + w * 11 + c * 50) % 256));
  return out;
}

std::string half_refusal(const fs::path& path, Split split = Split::train, const ImageOptions& options = {}) {
  return error_of([&] { read_half(path, split, options); });
}

TEST(DataFiles, ArraysAsNumpyWritesThem) {
  const ImageSet stored = read_half(golden_file("stored.npz"), Split::train);
  EXPECT_EQ(stored.images, formula_images(0, 4));
  EXPECT_EQ(stored.labels, (Bytes{3, 0, 7, 3}));
  EXPECT_EQ((std::array{stored.count, stored.channels, stored.height, stored.width}),
            (std::array<int64_t, 4>{4, 3, 6, 5}));
  EXPECT_FALSE(has_half(golden_file("stored.npz"), Split::test));
  EXPECT_TRUE(has(half_refusal(golden_file("stored.npz"), Split::test), "has no test images"));

  const ImageSet train = read_half(golden_file("deflated.npz"), Split::train),
                 test = read_half(golden_file("deflated.npz"), Split::test);
  EXPECT_EQ(train.images, formula_images(0, 3));
  EXPECT_EQ(train.labels, (Bytes{3, 0, 7}));
  EXPECT_EQ(test.images, formula_images(3, 4));
  EXPECT_EQ(test.labels, Bytes{3});
  EXPECT_EQ(read_images(golden_file("deflated.npz"), {}, Colours::kept).count, 1)
      << "the test half, where there is one";

  const ImageSet guided = read_half(golden_file("guided.npz"), Split::train);
  EXPECT_EQ(guided.images, formula_images(0, 4));
  EXPECT_TRUE(guided.labels.empty());
  EXPECT_TRUE(has(guided.unlabelled, "labels from 0 to 255")) << "700 is no byte: " << guided.unlabelled;
  EXPECT_EQ(read_half(golden_file("signed.npy"), Split::train).images, formula_images(0, 4))
      << "f64 from -1 to 1";
}

// Any byte wrong: images of the same shape (what it says of dates, or a pixel that no checksum covers), or a sentence.
TEST(DataFiles, DamagedArraysAndLabels) {
  const Scratch scratch;
  for (const char* name : {"deflated.npz", "guided.npz"}) {
    const Bytes whole = get(golden_file(name));
    for (size_t i = 2; i < whole.size(); i += i < 300 || i + 450 > whole.size() ? 1 : 7) {
      Bytes one = whole;
      one[i] ^= 0xff;
      put(scratch / "flipped.npz", one);
      for (const Split split : {Split::train, Split::test}) try {
          const ImageSet set = read_half(scratch / "flipped.npz", split);
          EXPECT_EQ(static_cast<int64_t>(set.images.size()), set.count * set.pixels());
          EXPECT_TRUE(set.labels.empty() || std::ssize(set.labels) == set.count);
        } catch (const Error& error) {
          ASSERT_TRUE(has(error.what(), "flipped.npz: ")) << error.what();
        }
    }
  }
}

TEST(DataFiles, PicturesAsPillowReadsThem) {
  for (const char* name : {"colour.jpg", "progressive.jpg", "gray.jpg", "palette.png"}) {
    const ImageSet found = read_picture(golden_file(name)),
                   wanted = read_half(golden_file(std::string(name) + ".npy"), Split::train);
    EXPECT_EQ(found.channels, std::string(name) == "gray.jpg" ? 1 : 3) << name;
    ASSERT_EQ(found.images.size(), wanted.images.size()) << name;
    ASSERT_EQ(found.channels, wanted.channels) << name;
    const int most = std::string(name).ends_with("png") ? 0 : 3;
    for (size_t i = 0; i < found.images.size(); ++i)
      ASSERT_LE(std::abs(found.images[i] - wanted.images[i]), most) << name << " at " << i;
  }
}

TEST(DataFiles, DamagedJpegs) {
  const Scratch scratch;
  const Bytes whole = get(golden_file("progressive.jpg"));
  const auto refuse = [&](const Bytes& bytes, const std::string& part) {
    put(scratch / "a.jpg", bytes);
    const std::string error = error_of([&] { read_picture(scratch / "a.jpg"); });
    EXPECT_TRUE(has(error, "a.jpg: ") && has(error, part)) << error;
  };
  refuse({whole.begin(), whole.end() - 40}, "ends too early");
  refuse({whole.begin(), whole.begin() + 10}, "ends too early");
  refuse({whole.begin(), whole.begin() + 2}, "is no PNG and no JPEG");
  const auto segment = [](uint8_t marker, const Bytes& data) {
    Bytes out{0xff, marker, 0, static_cast<uint8_t>(data.size() + 2)};
    out.insert(out.end(), data.begin(), data.end());
    return out;
  };
  const auto with_segment = [&](const Bytes& more) {  // as the first one
    Bytes bytes = whole;
    bytes.insert(bytes.begin() + 2, more.begin(), more.end());
    return bytes;
  };
  Bytes codes(17 + 20);
  codes[5] = 20;  // of 5 bits: room for 32
  put(scratch / "b.jpg", with_segment(segment(0xc4, codes)));
  EXPECT_EQ(read_picture(scratch / "b.jpg").images, read_picture(golden_file("progressive.jpg")).images);
  codes[3] = 9;
  refuse(with_segment(segment(0xc4, codes)), "a table of codes");
  Bytes many_codes(17 + 200);
  for (size_t bits = 9; bits <= 16; ++bits) many_codes[bits] = 60;
  refuse(with_segment(segment(0xc4, many_codes)), "a table of codes");
  refuse(with_segment({0xff, 0xc4, 0, 1}), "length is below 2");
  refuse(with_segment(segment(0xc9, Bytes(9))), "coded in a way that is not read");
  refuse(with_segment(segment(0xda, {1, 1, 0, 0, 63, 0})), "a scan's components");
  refuse(with_segment({0xff, 0x00}), "out of place");
  Bytes many = whole;
  const Bytes refined = segment(0xda, {1, 1, 0, 0, 0, 0x10});
  for (int i = 0; i < 200; ++i) many.insert(many.end() - 2, refined.begin(), refined.end());
  refuse(many, "at most 100 scans");
  for (size_t i = 2; i + 8 < whole.size(); ++i) {
    if (whole[i] != 0xff || whole[i + 1] != 0xc2)
      continue;  // the frame: precision, height, width, components
    Bytes bytes = whole;
    bytes[i + 5] = bytes[i + 7] = 0x7f;
    refuse(bytes, "sides of 1 to 4096");
    bytes = whole;
    bytes[i + 4] = 12;
    refuse(bytes, "components of 8 bits, got 3 of 12");
    bytes = whole;
    bytes[i + 11] = 0x50;
    refuse(bytes, "a component");
    bytes = whole;
    bytes[i + 12] = 3;
    refuse(bytes, "a table of factors is missing");
  }
  // Any byte wrong: pixels, or a sentence.
  for (size_t i = 2; i < whole.size(); i += 3) {
    Bytes one = whole;
    one[i] ^= 0xff;
    put(scratch / "flipped.jpg", one);
    try {
      EXPECT_GT(read_picture(scratch / "flipped.jpg").images.size(), 0U);
    } catch (const Error& error) {
      ASSERT_TRUE(has(error.what(), "flipped.jpg: ")) << error.what();
    }
  }
}

TEST(DataFiles, EmnistLiesOnItsSide) {
  const Scratch scratch;
  const auto put_split = [&](const std::string& name, const Bytes& labels) {
    for (const char* half : {"train", "test"}) {
      put(scratch / ("emnist-" + name + "-" + half + "-images-idx3-ubyte"), idx_file(8, {2, 2, 3}, ramp(12)));
      put(scratch / ("emnist-" + name + "-" + half + "-labels-idx1-ubyte"), idx_file(8, {2}, labels));
    }
  };
  put_split("letters", {1, 26});
  const ImageSet set = read_half(scratch.dir(), Split::train);
  EXPECT_EQ(set.height, 3);
  EXPECT_EQ(set.width, 2);
  EXPECT_EQ(set.images, (Bytes{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
  EXPECT_EQ(class_names(set), (std::vector<int64_t>{1, 26}));
  EXPECT_EQ(words_of(set, class_names(set)), (std::vector<std::string>{"A", "Z"}));
  EXPECT_EQ(read_half(scratch.dir(), Split::train, {.classes = "Z"}).labels, Bytes{26});
  EXPECT_EQ(read_images(scratch / "emnist-letters-train-images-idx3-ubyte").images, set.images);

  put_split("balanced", {10, 46});
  EXPECT_TRUE(has(half_refusal(scratch.dir()), "several data sets, emnist-balanced, emnist-letters"));
  const ImageSet balanced = read_half(scratch / "emnist-balanced", Split::test);
  EXPECT_EQ(words_of(balanced, class_names(balanced)), (std::vector<std::string>{"A", "t"}));
  EXPECT_EQ(read_half(scratch / "emnist-balanced-train-images-idx3-ubyte", Split::test).labels,
            balanced.labels);
}

TEST(DataFiles, LayoutsOfTorchvision) {
  const Scratch scratch;
  const Bytes images = idx_file(8, {2, 4, 4}, ramp(32)), labels = idx_file(8, {2}, {7, 2});
  put_in(scratch / "root/FashionMNIST/raw/train-images-idx3-ubyte", images);
  put_in(scratch / "root/FashionMNIST/raw/train-labels-idx1-ubyte", labels);
  EXPECT_EQ(read_half(scratch / "root", Split::train).labels, (Bytes{7, 2}));
  EXPECT_EQ(read_half(scratch / "root/FashionMNIST", Split::train).labels, (Bytes{7, 2}));
  // QMNIST: labels i32, eight numbers each; the first is the digit.
  Bytes rows;
  for (const uint8_t digit : {5, 0})
    for (int column = 0; column < 8; ++column)
      rows.insert(rows.end(), {0, 0, 0, column == 0 ? digit : uint8_t{99}});
  const fs::path q = scratch / "root/QMNIST/raw";
  put_in(q / "qmnist-train-images-idx3-ubyte", images);
  put_in(q / "qmnist-train-labels-idx2-int", idx_file(0x0c, {2, 8}, rows));
  EXPECT_EQ(read_half(q, Split::train).labels, (Bytes{5, 0}));
  EXPECT_TRUE(has(half_refusal(scratch / "root"), "several data sets"));
  rows[2] = 1;
  put(q / "qmnist-train-labels-idx2-int", idx_file(0x0c, {2, 8}, rows));
  EXPECT_TRUE(has(half_refusal(q), "label of image 0: expected 0 to 255, got 261"));
  rows.pop_back();
  put(q / "qmnist-train-labels-idx2-int", idx_file(0x0c, {2, 8}, rows));
  EXPECT_TRUE(has(half_refusal(q), "length: expected 76 bytes, got 75"));
  put(q / "qmnist-train-labels-idx2-int", idx_file(0x0c, {2, 4000}, rows));
  EXPECT_TRUE(has(half_refusal(q), "at most 64 numbers"));
}

TEST(DataFiles, IdxWithChannels) {
  const Scratch scratch;
  put(scratch / "first", idx_file(8, {2, 3, 2, 2}, ramp(24)));
  EXPECT_EQ(read_half(scratch / "first", Split::train).images, ramp(24));
  put(scratch / "last", idx_file(8, {1, 2, 2, 3}, ramp(12)));
  EXPECT_EQ(read_half(scratch / "last", Split::train).images, (Bytes{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11}));
  put(scratch / "five", idx_file(8, {1, 5, 2, 5}, ramp(50)));
  EXPECT_TRUE(has(half_refusal(scratch / "five"), "C 1 or 3 channels, got (1, 5, 2, 5)"));
  put(scratch / "huge", idx_file(8, {1u << 30, 4096, 4096, 3}, {}));
  EXPECT_TRUE(has(half_refusal(scratch / "huge"), "at most 1073741824 elements"));
  EXPECT_TRUE(has(error_of([&] { read_images(scratch / "first"); }), "expected gray images"));
  EXPECT_EQ(read_images(scratch / "first", {}, Colours::gray, {.gray = true}).channels, 1);
}

TEST(DataFiles, CifarTen) {
  const Scratch scratch;
  const auto record = [](int label, int first) {
    Bytes bytes{static_cast<uint8_t>(label)};
    const Bytes pixels = ramp(3072, first);
    bytes.insert(bytes.end(), pixels.begin(), pixels.end());
    return bytes;
  };
  const fs::path dir = scratch / "cifar-10-batches-bin";
  put_in(dir / "data_batch_1.bin", record(3, 0));
  put_in(dir / "data_batch_2.bin", record(9, 5));
  put_in(dir / "test_batch.bin", record(0, 9));
  for (const fs::path& path : {dir, scratch.dir()}) {
    const ImageSet set = read_half(path, Split::train);
    EXPECT_EQ(set.count, 2);
    EXPECT_EQ(set.channels, 3);
    EXPECT_EQ(set.labels, (Bytes{3, 9}));
    EXPECT_EQ(words_of(set, {3, 9}), (std::vector<std::string>{"cat", "truck"}));
    EXPECT_EQ(Bytes(set.images.begin() + 3072, set.images.end()), ramp(3072, 5));
    EXPECT_EQ(read_half(path, Split::test).labels, Bytes{0});
  }
  EXPECT_EQ(read_half(dir, Split::train, {.gray = true, .classes = "truck"}).count, 1);
  put(dir / "data_batch_2.bin", record(10, 0));
  EXPECT_TRUE(has(half_refusal(dir), "data_batch_2.bin: label of image 0: expected 0 to 9, got 10"));
  put(dir / "data_batch_2.bin", ramp(3072));
  EXPECT_TRUE(has(half_refusal(dir), "data_batch_2.bin: length: expected a multiple of 3073"));
  put_in(scratch / "py/data_batch_1", {0x80, 2});
  EXPECT_TRUE(has(half_refusal(scratch / "py"), "pickle"));
}

/// A picture all of one gray.
void put_even_gray(const fs::path& file, uint8_t value, int64_t side = 4) {
  fs::create_directories(file.parent_path());
  write_png_gray(file, side, side, Bytes(static_cast<size_t>(side * side), value));
}

TEST(DataFiles, FoldersOfPicturesByClass) {
  const Scratch scratch;
  for (const char* name : {"dog", "cat"})
    for (int i = 0; i < 2; ++i)
      put_even_gray(scratch / ("pets/train/" + std::string(name) + "/" + std::to_string(i) + ".png"),
                    static_cast<uint8_t>(name[0] + i));
  put_even_gray(scratch / "pets/val/newt/0.png", 9);
  put_even_gray(scratch / "pets/val/dog/0.png", 8);
  fs::create_directories(scratch / "pets/train/.cache");
  const ImageSet train = read_half(scratch / "pets", Split::train),
                 test = read_half(scratch / "pets", Split::test);
  EXPECT_EQ(train.labels, (Bytes{0, 1, 0, 1}))
      << "one of each class in turn: the first images are of all classes";
  EXPECT_EQ(train.images[0], 'c');
  EXPECT_EQ(train.images[16], 'd');
  EXPECT_EQ(test.labels, (Bytes{1, 2})) << "classes have the same labels in both halves";
  EXPECT_EQ(words_of(test, {0, 1, 2}), (std::vector<std::string>{"cat", "dog", "newt"}));
  EXPECT_TRUE(has(half_refusal(scratch / "pets", Split::train, {.classes = "cat,cow"}),
                  "expected classes of " + (scratch / "pets").string() + ", cat, dog"));
  const ImageSet cats = read_half(scratch / "pets", Split::train, {.classes = "cat"});
  EXPECT_EQ(cats.count, 2);
  EXPECT_EQ(class_names(cats), std::vector<int64_t>{0});

  for (const char* digit : {"10", "2", "7"}) put_even_gray(scratch / "digits" / digit / "a.png", 1);
  EXPECT_EQ(class_names(read_half(scratch / "digits", Split::train)), (std::vector<int64_t>{2, 7, 10}))
      << "folders called by numbers are labels";
  EXPECT_TRUE(read_half(scratch / "digits", Split::train).words.empty());
  put_even_gray(scratch / "digits/2/b.png", 1, 6);
  EXPECT_TRUE(
      has(half_refusal(scratch / "digits"), "b.png: expected images of one size, 4x4, got 6x6; bring them"));
  EXPECT_EQ(read_half(scratch / "digits", Split::train, {.resize = 3}).width, 3);
  write_png_rgb(scratch / "digits/7/b.png", 4, 4, Bytes(48, 200));
  EXPECT_TRUE(has(half_refusal(scratch / "digits", Split::train, {.resize = 4}), "--gray"));
  EXPECT_EQ(read_half(scratch / "digits", Split::train, {.resize = 4, .gray = true}).count, 5);
  fs::create_directories(scratch / "empty/a");
  EXPECT_TRUE(
      has(half_refusal(scratch / "empty"), "PNGs or JPEGs, or a sub-folder of pictures for each class"));
  EXPECT_TRUE(has(half_refusal(scratch / "none"), "none: no such folder or file"));
  fs::copy_file(golden_file("gray.jpg"), scratch / "empty/a/x.JPG");
  EXPECT_EQ(read_half(scratch / "empty", Split::train).height, 16);
}

TEST(DataFiles, MoreFoldersThanLabels) {
  const Scratch scratch;
  for (int i = 0; i < 257; ++i) put_even_gray(scratch / ("c" + std::to_string(i) + "/a.png"), 1, 1);
  const ImageSet set = read_half(scratch.dir(), Split::train);
  EXPECT_EQ(set.count, 257);
  EXPECT_TRUE(set.labels.empty());
  EXPECT_TRUE(has(set.unlabelled, "more than 256"));
  EXPECT_TRUE(
      has(half_refusal(scratch.dir(), Split::train, {.classes = "c1"}), "has no labels (more than 256"));
}

ImageSet one_image(int64_t h, int64_t w, const Bytes& pixels) {
  ImageSet set{.count = 1, .height = h, .width = w, .images = pixels, .labels = {}, .source = "test"};
  return set;
}

// By hand. Smaller: every pixel counts by the share of it that is covered, as with OpenCV's INTER_AREA; larger: as PyTorch's bilinear
// with align_corners=False. Rounded half up.
TEST(DataFiles, ResizeIsAreaDownAndBilinearUp) {
  const Scratch scratch;
  const auto resized = [&](const ImageSet& set, int64_t side) {
    write_png_gray(scratch / "a.png", set.width, set.height, set.images);
    fs::create_directories(scratch / "f");
    fs::rename(scratch / "a.png", scratch / "f/a.png");
    return read_half(scratch / "f", Split::train, {.resize = side}).images;
  };
  EXPECT_EQ(resized(one_image(4, 4, ramp(16)), 2), (Bytes{3, 5, 11, 13})) << "2.5 4.5 10.5 12.5";
  // 3 to 2: pixels of a half wider; rows (a + b/2) / 1.5.
  EXPECT_EQ(resized(one_image(3, 3, {0, 90, 180, 0, 90, 180, 0, 90, 180}), 2), (Bytes{30, 150, 30, 150}));
  EXPECT_EQ(resized(one_image(2, 2, {0, 100, 0, 100}), 4),
            (Bytes{0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100}));
  EXPECT_EQ(resized(one_image(2, 4, {9, 1, 2, 9, 9, 3, 4, 9}), 2), (Bytes{1, 2, 3, 4}))
      << "the middle square";
  EXPECT_EQ(resized(one_image(1, 1, {77}), 3), Bytes(9, 77));
}

}  // namespace
}  // namespace duel::gan
