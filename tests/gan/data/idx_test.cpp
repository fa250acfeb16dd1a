// The IDX reader against good files, the real MNIST, and a table of hostile files. A reader that trusts the
// header, forgets what follows the archive, or reports without file and field fails here.
#include "duel/gan/data/idx.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include <ctime>
#include <functional>
#include <numeric>

#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;
namespace fs = std::filesystem;

Bytes idx_bytes(std::initializer_list<uint8_t> magic, std::initializer_list<uint32_t> dims, size_t elements) {
  Bytes out(magic);
  for (const uint32_t d : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(d >> shift));
  }
  for (size_t i = 0; i < elements; ++i) out.push_back(static_cast<uint8_t>(i * 37 + 11));
  return out;
}

Bytes images_file(uint32_t n = 5, uint32_t h = 3, uint32_t w = 7) {
  return idx_bytes({0, 0, 8, 3}, {n, h, w}, size_t{n} * h * w);
}
Bytes labels_file(uint32_t n = 5) { return idx_bytes({0, 0, 8, 1}, {n}, n); }

Bytes gz(const Bytes& bytes) {
  z_stream s{};
  deflateInit2(&s, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  Bytes out(deflateBound(&s, bytes.size()));
  s.next_in = const_cast<uint8_t*>(bytes.data());
  s.avail_in = static_cast<uInt>(bytes.size());
  s.next_out = out.data();
  s.avail_out = static_cast<uInt>(out.size());
  deflate(&s, Z_FINISH);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}

Bytes cut(Bytes bytes, size_t length) {
  bytes.resize(length);
  return bytes;
}
Bytes joined(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Bytes flipped(Bytes bytes, size_t at) {
  bytes[at] ^= 0x40;
  return bytes;
}

ImageSet small_set() {
  ImageSet set{5, 3, 7, Bytes(105), {7, 0, 255, 3, 3}, "test"};
  std::iota(set.images.begin(), set.images.end(), uint8_t{3});
  return set;
}

TEST(Idx, RoundTripUnderEveryAcceptedName) {
  const ImageSet set = small_set();
  for (const bool gzip : {false, true}) {
    for (const Split split : {Split::train, Split::test}) {
      Scratch scratch;
      write_mnist(scratch.dir(), split, set, gzip);
      const std::string stem = split == Split::train ? "train" : "t10k", end = gzip ? ".gz" : "";
      for (const char mark : {'-', '.'}) {
        if (mark == '.') {
          fs::rename(scratch / (stem + "-images-idx3-ubyte" + end),
                     scratch / (stem + "-images.idx3-ubyte" + end));
          fs::rename(scratch / (stem + "-labels-idx1-ubyte" + end),
                     scratch / (stem + "-labels.idx1-ubyte" + end));
        }
        const ImageSet back = load_mnist(scratch.dir(), split);
        EXPECT_EQ(back.count, 5);
        EXPECT_EQ(back.height, 3);
        EXPECT_EQ(back.width, 7);
        EXPECT_EQ(back.images, set.images);
        EXPECT_EQ(back.labels, set.labels);
        EXPECT_TRUE(has(back.source, stem + "-images"));
      }
    }
  }
}

// Without labels, and every set that can be written, including the largest side.
TEST(Idx, WhatIsWrittenCanBeRead) {
  Scratch scratch;
  ImageSet set = small_set();
  set.labels = {};
  write_mnist(scratch.dir(), Split::train, set, false);
  const ImageSet back = load_mnist(scratch.dir(), Split::train);
  EXPECT_EQ(back.images, set.images);
  EXPECT_TRUE(back.labels.empty());

  const std::array<int64_t, 3> tall{1, 4096, 1};
  write_idx(scratch / "tall", tall, Bytes(4096, 7), false);
  EXPECT_EQ(read_idx(scratch / "tall", 3).shape, (std::vector<int64_t>{1, 4096, 1}));
  for (const auto& [shape, text] :
       {std::pair{std::array<int64_t, 3>{1, 4097, 1}, "dimension 1: expected 1 to 4096, got 4097"},
        {{1, 0, 1}, "dimension 1: expected 1 to 4096, got 0"},
        {{0, 1, 1}, "dimension 0: expected 1 to 1073741824, got 0"}}) {
    const Bytes data(static_cast<size_t>(shape[0] * shape[1] * shape[2]));
    EXPECT_TRUE(has(error_of([&, shape = shape] { write_idx(scratch / "x", shape, data, false); }), text))
        << text;
  }
  EXPECT_FALSE(fs::exists(scratch / "x"));

  // What lies there would be read in place of the new images, or as their labels.
  EXPECT_TRUE(has(error_of([&] { write_mnist(scratch.dir(), Split::train, set, true); }),
                  "train-images-idx3-ubyte: is there already"));
  put(scratch / "train-labels.idx1-ubyte", labels_file());
  EXPECT_TRUE(has(error_of([&] { write_mnist(scratch.dir(), Split::train, set, false); }),
                  "train-labels.idx1-ubyte: is there already"));
}

TEST(Idx, ContentDecidesAboutGzipNotTheName) {
  Scratch scratch;
  put(scratch / "train-images-idx3-ubyte.gz", images_file());  // unpacked on the way, name kept
  put(scratch / "train-labels-idx1-ubyte", gz(labels_file()));
  EXPECT_EQ(load_mnist(scratch.dir(), Split::train).count, 5);
}

TEST(Idx, SeveralGzipMembersAreOneStream) {
  Scratch scratch;
  const Bytes all = images_file();
  put(scratch / "a", joined(gz(cut(all, 30)), gz(Bytes(all.begin() + 30, all.end()))));
  EXPECT_EQ(read_idx(scratch / "a", 3).data, Bytes(all.begin() + 16, all.end()));
}

// Tapes and archives fill their last block; GNU gzip takes such files, too.
TEST(Idx, ZeroBytesAfterAMemberArePadding) {
  Scratch scratch;
  const Bytes all = images_file();
  for (const size_t zeros : {1u, 2u, 511u, 65'536u, 200'001u}) {
    put(scratch / "a", joined(gz(all), Bytes(zeros)));
    EXPECT_EQ(read_idx(scratch / "a", 3).data, Bytes(all.begin() + 16, all.end())) << zeros;
  }
}

// A few bytes of gzip may stand for a gigabyte of pixels. Of this archive, whose end is missing, nothing but
// the header is unpacked: the count already says that it does not belong to the labels.
TEST(Idx, CountsAreComparedBeforeUnpacking) {
  Scratch scratch;
  const Bytes packed = gz(idx_bytes({0, 0, 8, 3}, {600, 32, 32}, 600 * 1024));
  put(scratch / "train-labels-idx1-ubyte", labels_file());
  put(scratch / "train-images-idx3-ubyte.gz", cut(packed, packed.size() - 100));
  EXPECT_TRUE(has(error_of([&] { load_mnist(scratch.dir(), Split::train); }), "count: expected 600 labels"));
}

TEST(Idx, WritingIsRepeatableAndExact) {
  Scratch scratch;
  const ImageSet set = small_set();
  write_idx(scratch / "plain", std::vector<int64_t>{5, 3, 7}, set.images, false);
  Bytes expected = images_file();
  std::copy(set.images.begin(), set.images.end(), expected.begin() + 16);
  EXPECT_EQ(get(scratch / "plain"), expected);
  write_idx(scratch / "one", std::vector<int64_t>{5, 3, 7}, set.images, true);
  write_idx(scratch / "two", std::vector<int64_t>{5, 3, 7}, set.images, true);
  EXPECT_EQ(get(scratch / "one"), get(scratch / "two"));
  EXPECT_TRUE(has(error_of([&] {
                    write_idx(scratch / "x", std::vector<int64_t>{4, 3, 7}, set.images, false);
                  }),
                  "expected 84 elements"));
  EXPECT_FALSE(fs::exists(scratch / "x"));
}

struct Hostile {
  std::string name;
  Bytes bytes;
  std::string field, got;  // both must stand in the message
};

std::vector<Hostile> hostile_images() {
  const Bytes good = images_file(), packed = gz(good);
  const Bytes html{'<', '!', 'D', 'O', 'C', 'T', 'Y', 'P', 'E', '>'};
  return {
      {"empty", {}, "magic", "ends after 0"},
      {"half a magic", cut(good, 3), "magic", "ends after 3"},
      {"magic only", cut(good, 4), "dimensions", "ends after 0"},
      {"half the dimensions", cut(good, 11), "dimensions", "ends after 7"},
      {"header only", cut(good, 16), "length", "got 16"},
      {"last byte missing", cut(good, good.size() - 1), "length", "got 120"},
      {"one byte too many", joined(good, {0}), "length", "got 122"},
      {"twice", joined(good, good), "length", "got 242"},
      {"web page", html, "magic", "0x3c21444f"},
      {"little-endian", idx_bytes({3, 8, 0, 0}, {5, 3, 7}, 105), "magic", "0x03080000"},
      {"labels for images", labels_file(), "rank", "got 0x00000801"},
      {"rank 2", idx_bytes({0, 0, 8, 2}, {5, 21}, 105), "rank", "got 0x00000802"},
      {"rank 255", idx_bytes({0, 0, 8, 255}, {5, 3, 7}, 105), "rank", "rank 255"},
      {"i8", idx_bytes({0, 0, 9, 3}, {5, 3, 7}, 105), "element type", "(i8)"},
      {"f32", idx_bytes({0, 0, 13, 3}, {5, 3, 7}, 420), "element type", "(f32)"},
      {"type 7", idx_bytes({0, 0, 7, 3}, {5, 3, 7}, 105), "element type", "(unknown)"},
      {"2^32-1 images", idx_bytes({0, 0, 8, 3}, {0xffffffffu, 28, 28}, 100), "dimension 0", "4294967295"},
      {"all dimensions 2^32-1", idx_bytes({0, 0, 8, 3}, {0xffffffffu, 0xffffffffu, 0xffffffffu}, 1),
       "dimension 0", "4294967295"},
      {"height 2^32-1", idx_bytes({0, 0, 8, 3}, {1, 0xffffffffu, 1}, 1), "dimension 1", "4294967295"},
      {"width 2^31", idx_bytes({0, 0, 8, 3}, {1, 1, 0x80000000u}, 1), "dimension 2", "2147483648"},
      {"product over the limit", idx_bytes({0, 0, 8, 3}, {1u << 30, 4096, 4096}, 1), "dimensions",
       "18014398509481984"},
      {"product wraps to 0 in 32 bits", idx_bytes({0, 0, 8, 3}, {1u << 20, 4096, 4096}, 0), "dimensions",
       "17592186044416"},
      {"2^30 elements declared in 20 bytes", idx_bytes({0, 0, 8, 3}, {1u << 20, 32, 32}, 4), "length",
       "got 20"},
      {"no images", idx_bytes({0, 0, 8, 3}, {0, 28, 28}, 0), "dimension 0", "got 0"},
      {"height 0", idx_bytes({0, 0, 8, 3}, {5, 0, 7}, 0), "dimension 1", "got 0"},
      {"width 0", idx_bytes({0, 0, 8, 3}, {5, 3, 0}, 0), "dimension 2", "got 0"},
      {"gz: header cut", cut(packed, 7), "gzip stream", "truncated after 7"},
      {"gz: first bytes only", cut(packed, 2), "gzip stream", "truncated after 2"},
      {"gz: cut in the middle", cut(packed, packed.size() / 2), "gzip stream", "truncated"},
      {"gz: checksum cut", cut(packed, packed.size() - 8), "gzip stream", "truncated"},
      {"gz: last byte cut", cut(packed, packed.size() - 1), "gzip stream", "truncated"},
      {"gz: wrong checksum", flipped(packed, packed.size() - 6), "gzip stream", "incorrect data check"},
      {"gz: wrong length", flipped(packed, packed.size() - 2), "gzip stream", "incorrect length check"},
      {"gz: unknown method", flipped(packed, 2), "gzip stream", "corrupt"},
      {"gz: block type 3",
       [&] {
         Bytes b = packed;
         b[10] = 0xff;
         return b;
       }(),
       "gzip stream", "invalid block type"},
      {"gz: trailing garbage", joined(packed, {1, 2, 3}), "gzip stream", "trailing bytes"},
      {"gz: zeros, then garbage", joined(packed, {0, 0, 7}), "gzip stream", "trailing bytes"},
      {"gz: zeros, then a member", joined(joined(packed, {0}), gz({1})), "gzip stream", "trailing bytes"},
      {"gz: header of a second member", joined(packed, cut(packed, 10)), "gzip stream", "truncated"},
      {"gz: content one short", gz(cut(good, good.size() - 1)), "length", "got 120"},
      {"gz: content one over", gz(joined(good, {9})), "length", "got more"},
      {"gz: content in a second member too many", joined(packed, gz({1})), "length", "got more"},
      {"gz: empty content", gz({}), "magic", "ends after 0"},
      {"gz: wrong magic", gz(labels_file()), "rank", "got 0x00000801"},
      {"gz: more declared than it can hold", gz(idx_bytes({0, 0, 8, 3}, {1u << 20, 32, 32}, 4)), "length",
       "an archive of only"},
      {"gz: bomb behind a small header", gz(joined(good, Bytes(30 << 20))), "length", "got more"},
  };
}

TEST(Idx, HostileImageFilesAreRefusedWithFileAndField) {
  Scratch scratch;
  const auto cases = hostile_images();
  EXPECT_GE(cases.size(), 40u);
  put(scratch / "train-labels-idx1-ubyte", labels_file());
  const fs::path file = scratch / "train-images-idx3-ubyte";
  for (const auto& c : cases) {
    put(file, c.bytes);
    const std::clock_t start = std::clock();  // processor time: a busy machine is not the reader's fault
    const std::string text = error_of([&] { load_mnist(scratch.dir(), Split::train); });
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_TRUE(has(text, file.string() + ": " + c.field)) << c.name << ": " << text;
    EXPECT_TRUE(has(text, c.got)) << c.name << ": " << text;
    EXPECT_TRUE(has(text, "; ")) << "no remedy: " << c.name << ": " << text;
    EXPECT_FALSE(has(text, "\n")) << c.name;
    EXPECT_LT(seconds, 1.0) << c.name;
  }
}

TEST(Idx, TruncatedAtEveryByte) {
  Scratch scratch;
  const fs::path file = scratch / "images";
  for (const Bytes& whole : {images_file(), gz(images_file())}) {
    put(file, whole);
    EXPECT_EQ(read_idx(file, 3).data.size(), 105u);
    for (size_t length = 0; length < whole.size(); ++length) {
      put(file, cut(whole, length));
      EXPECT_TRUE(has(error_of([&] { read_idx(file, 3); }), file.string())) << length;
    }
  }
}

TEST(Idx, EveryFlippedBitOfAnArchiveIsSeenOrHarmless) {
  // The gzip header has bits without meaning (time, system); everything else is under the checksum.
  Scratch scratch;
  const fs::path file = scratch / "images";
  const Bytes whole = gz(images_file()), content = images_file();
  int seen = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes bytes = whole;
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    put(file, bytes);
    try {
      EXPECT_EQ(read_idx(file, 3).data, Bytes(content.begin() + 16, content.end())) << bit;
    } catch (const duel::Error&) {
      ++seen;
    }
  }
  EXPECT_GE(seen, static_cast<int>(whole.size() * 8) - 8 * 10);
}

TEST(Idx, ASmallFileCannotAskForMuchMemory) {
  // 1 GiB declared: in a plain file of 20 bytes, and in an archive just long enough to be believed at first.
  Scratch scratch;
  const fs::path file = scratch / "images";
  Bytes noise(300'000);
  uint32_t state = 1;
  for (auto& b : noise) b = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // KiB, never falls
  };
  const long before = peak();
  put(file, idx_bytes({0, 0, 8, 3}, {1u << 20, 32, 32}, 4));
  error_of([&] { read_idx(file, 3); });
  Bytes large = joined(idx_bytes({0, 0, 8, 3}, {1u << 18, 32, 32}, 0), noise);
  put(file, gz(large));
  EXPECT_TRUE(has(error_of([&] { read_idx(file, 3); }), "length"));
  EXPECT_LT(peak() - before, 8 * 1024);
}

TEST(Idx, LabelsThatDoNotFitTheImages) {
  Scratch scratch;
  put(scratch / "train-images-idx3-ubyte", images_file(5));
  put(scratch / "train-labels-idx1-ubyte", labels_file(4));
  const std::string text = error_of([&] { load_mnist(scratch.dir(), Split::train); });
  EXPECT_TRUE(has(text, "train-labels-idx1-ubyte: count: expected 5 labels")) << text;
  EXPECT_TRUE(has(text, "got 4")) << text;
  put(scratch / "train-labels-idx1-ubyte", images_file());
  EXPECT_TRUE(
      has(error_of([&] { load_mnist(scratch.dir(), Split::train); }), "train-labels-idx1-ubyte: rank"));
  put(scratch / "train-labels-idx1-ubyte", idx_bytes({0, 0, 8, 1}, {0xffffffffu}, 5));
  EXPECT_TRUE(has(error_of([&] { load_mnist(scratch.dir(), Split::train); }), "dimension 0"));
}

TEST(Idx, MissingFilesAreNamedWithTheNamesLookedFor) {
  Scratch scratch;
  std::string text = error_of([&] { load_mnist(scratch.dir(), Split::train); });
  for (const char* part : {"training images missing", "train-images-idx3-ubyte", "train-images.idx3-ubyte",
                           ".gz", "put MNIST's files there"}) {
    EXPECT_TRUE(has(text, part)) << text;
  }
  put(scratch / "t10k-images-idx3-ubyte", images_file());
  EXPECT_EQ(load_mnist(scratch.dir(), Split::test).count, 5)
      << "labels are not missed: not every objective needs them";
  EXPECT_TRUE(has(error_of([&] { load_mnist(scratch / "nowhere", Split::train); }), "no such folder"));
  EXPECT_TRUE(
      has(error_of([&] { load_mnist(scratch / "t10k-images-idx3-ubyte", Split::train); }), "is a file"));
}

TEST(Idx, FoldersPipesAndUnreadableFiles) {
  Scratch scratch;
  const fs::path file = scratch / "train-images-idx3-ubyte";
  put(scratch / "train-labels-idx1-ubyte", labels_file());
  fs::create_directory(file);
  EXPECT_TRUE(has(error_of([&] { load_mnist(scratch.dir(), Split::train); }), "is a folder"));
  put(scratch / "train-images.idx3-ubyte", images_file());  // Kaggle's archive: a folder and a file
  EXPECT_EQ(load_mnist(scratch.dir(), Split::train).count, 5);
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(has(error_of([&] { read_idx(scratch / "pipe", 3); }), "not a regular file"));
  EXPECT_TRUE(has(error_of([&] { read_idx(scratch / "none", 3); }), "No such file"));
  if (::geteuid() != 0) {  // root may read everything
    ::chmod((scratch / "train-labels-idx1-ubyte").c_str(), 0);
    EXPECT_TRUE(
        has(error_of([&] { read_idx(scratch / "train-labels-idx1-ubyte", 1); }), "Permission denied"));
  }
}

TEST(Idx, FindMnistPrefersTheChosenThenTheEnvironment) {
  Scratch scratch;
  const fs::path here = fs::current_path();
  const char* set = std::getenv("DUEL_DATA");
  const std::string saved = set != nullptr ? set : "";
  ::unsetenv("DUEL_DATA");
  fs::current_path(scratch.dir());
  EXPECT_TRUE(find_mnist().empty());
  EXPECT_EQ(find_mnist("chosen"), fs::path("chosen"));
  for (const char* dir : {"data/mnist", "env", "tv/MNIST/raw"}) {
    fs::create_directories(dir);
    put(fs::path(dir) / "train-images-idx3-ubyte.gz", gz(images_file()));
  }
  EXPECT_EQ(find_mnist(), fs::path("data/mnist"));
  ::setenv("DUEL_DATA", "env", 1);
  EXPECT_EQ(find_mnist(), fs::path("env"));
  EXPECT_EQ(find_mnist("tv"), fs::path("tv/MNIST/raw"));
  EXPECT_EQ(find_mnist("data"), fs::path("data/mnist"));
  fs::current_path(here);
  set != nullptr ? ::setenv("DUEL_DATA", saved.c_str(), 1) : ::unsetenv("DUEL_DATA");
}

TEST(Idx, RealMnist) {
  const fs::path dir = real_mnist();
  if (dir.empty()) GTEST_SKIP() << "no MNIST in $DUEL_TEST_MNIST or ../shared/data/mnist";
  const ImageSet train = load_mnist(dir, Split::train), test = load_mnist(dir, Split::test);
  EXPECT_EQ(train.count, 60000);
  EXPECT_EQ(test.count, 10000);
  EXPECT_EQ(train.height, 28);
  EXPECT_EQ(train.width, 28);
  double sum = 0;
  for (const uint8_t p : train.images) sum += p;
  EXPECT_NEAR(sum / 255 / static_cast<double>(train.images.size()), 0.13066, 1e-4);
  EXPECT_EQ(Bytes(train.labels.begin(), train.labels.begin() + 8), (Bytes{5, 0, 4, 1, 9, 2, 1, 3}));
  EXPECT_EQ(Bytes(test.labels.begin(), test.labels.begin() + 8), (Bytes{7, 2, 1, 0, 4, 1, 4, 9}));
}

}  // namespace
}  // namespace duel::gan
