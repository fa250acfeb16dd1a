// Images as NumPy's arrays: the bytes of both files, that they are read back, by NumPy too where it is there, and what is refused.
#include "duel/gan/data/image_arrays.h"

#include <gtest/gtest.h>

#include <numeric>

#include "duel/gan/data/image_files.h"
#include "tests/gan/files.h"
#include "tests/torch.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

Bytes counted(size_t n) {
  Bytes bytes(n);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  return bytes;
}

TEST(ImageArrays, AnNpyIsThis) {
  const Scratch scratch;
  ImageArrayWriter file(scratch / "a.npy", 3, 2, 2, 1);
  file.add(Bytes{0, 1, 2, 3, 4, 5, 6, 7});
  file.add(Bytes{8, 9, 10, 11});
  EXPECT_FALSE(std::filesystem::exists(scratch / "a.npy"));
  file.finish();
  std::string expected = std::string("\x93NUMPY\x01\0\x76\0", 10) +
                         "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 2, 1), }";
  expected.resize(127, ' ');
  expected += '\n';
  for (char c = 0; c < 12; ++c) expected += c;
  EXPECT_EQ(text_of(get(scratch / "a.npy")), expected);
  const ImageSet again = read_images(scratch / "a.npy");
  EXPECT_EQ(again.count, 3);
  EXPECT_EQ(again.images, counted(12));
}

TEST(ImageArrays, AnNpzHoldsImagesAndLabelsAndIsReadBack) {
  const Scratch scratch;
  for (const bool labelled : {false, true}) {
    const auto path = scratch / (labelled ? "labels.npz" : "images.NPZ");
    ImageArrayWriter file(path, 2, 2, 1, 3);
    file.add(channels_last(Bytes{1, 2, 10, 20, 100, 200}, 3, 2, 1));
    file.add(channels_last(Bytes{3, 4, 30, 40, 50, 60}, 3, 2, 1));
    file.finish(labelled ? std::vector<int64_t>{7, -1} : std::vector<int64_t>());
    const std::string bytes = text_of(get(path));
    // Local header: stored, the sum and the sizes of 128 bytes of header and 12 of pixels.
    EXPECT_EQ(bytes.substr(0, 14), std::string("PK\x03\x04\x14\0\0\0\0\0\0\0\x21\0", 14));
    EXPECT_EQ(bytes.substr(18, 12), std::string("\x8c\0\0\0\x8c\0\0\0\x09\0\0\0", 12));
    EXPECT_EQ(bytes.substr(30, 9), "arr_0.npy");
    EXPECT_EQ(bytes.substr(39 + 128, 12),
              std::string("\x01\x0a\x64\x02\x14\xc8\x03\x1e\x32\x04\x28\x3c", 12));
    EXPECT_EQ(has(bytes, "arr_1.npy"), labelled);
    EXPECT_EQ(has(bytes, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"), labelled);
    const ImageSet again = read_images(path, {}, Colours::kept);
    EXPECT_EQ(again.count, 2);
    EXPECT_EQ(again.channels, 3);
    EXPECT_EQ(again.images, (Bytes{1, 2, 10, 20, 100, 200, 3, 4, 30, 40, 50, 60}));
  }
  EXPECT_EQ(files_in(scratch.dir()), 2u);
  if (python_with_torch().empty()) GTEST_SKIP() << "no NumPy (DUEL_TEST_PYTHON) to read it too";
  const std::string script =
      "import sys, zipfile, numpy\nassert zipfile.ZipFile(sys.argv[1]).testzip() is None\na = numpy.load(sys.argv[1])\n"
      "print(a.files, a['arr_0'].dtype, a['arr_0'].tolist(), a['arr_1'].dtype, a['arr_1'].tolist())\n";
  EXPECT_EQ(
      output_of({python_with_torch(), "-c", script, (scratch / "labels.npz").string()}),
      "['arr_0', 'arr_1'] uint8 [[[[1, 10, 100]], [[2, 20, 200]]], [[[3, 30, 50]], [[4, 40, 60]]]] int64 [7, -1]\n");
}

TEST(ImageArrays, AreWholeOrNotThere) {
  const Scratch scratch;
  put(scratch / "a.npy", Bytes{1});
  {
    ImageArrayWriter file(scratch / "a.npy", 2, 2, 2, 1);
    file.add(Bytes(4));
    EXPECT_TRUE(has(error_of([&] { file.finish(); }), "expected 8 bytes of images, got 4"));
    EXPECT_TRUE(has(error_of([&] { file.add(Bytes(5)); }), "expected 8 bytes of images, got 9"));
  }
  EXPECT_EQ(get(scratch / "a.npy"), Bytes{1});  // the older one
  {
    ImageArrayWriter file(scratch / "b.npz", 1, 1, 1, 1);
    file.add(Bytes(1));
    EXPECT_TRUE(has(error_of([&] {
                      file.finish(std::vector<int64_t>{1, 2});
                    }),
                    "one for each of 1 images, got 2"));
  }
  const auto refused = [&](const char* name, int64_t n, int64_t h, int64_t w, int64_t c) {
    return error_of([&] { ImageArrayWriter(scratch / name, n, h, w, c); });
  };
  EXPECT_TRUE(has(refused("x.png", 1, 1, 1, 1), "x.png: expected a name ending in .npy or .npz"));
  EXPECT_TRUE(has(refused("x.npy", 0, 1, 1, 1), "expected at least one image"));
  EXPECT_TRUE(has(refused("x.npy", 1, 1, 1, 2), "of 1 or 3 channels"));
  EXPECT_TRUE(has(refused("x.npy", 1 << 30, 1 << 30, 1 << 30, 1), "does not fit in 64 bits"));
  EXPECT_TRUE(has(refused("x.npz", 10'000'000, 28, 28, 1),
                  "are more than a zip archive of this kind holds; take a name ending in .npy"));
  EXPECT_EQ(files_in(scratch.dir()), 1u);
}

}  // namespace
}  // namespace duel::gan
