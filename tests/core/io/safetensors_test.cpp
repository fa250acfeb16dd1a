// safetensors: the format's bytes, everything that is written comes back, and no hostile file gets in: each
// is one duel::Error that names the file and the field, quickly, with nothing allocated for what the file
// does not hold.
#include "duel/core/io/safetensors.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cmath>
#include <cstring>

#include "duel/core/device/allocator.h"
#include "tests/files.h"
#include "tests/source.h"

namespace duel {
namespace {

using namespace duel::testing;
namespace fs = std::filesystem;

Bytes with_length(uint64_t length, const std::string& header, const Bytes& data) {
  Bytes bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<uint8_t>(length >> 8 * i));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}
Bytes file_of(const std::string& header, size_t data_bytes = 0) {
  return with_length(header.size(), header, Bytes(data_bytes, 0x3f));
}

// Made by the reference writer; a tensor b = [1, -2].
const Bytes kGolden = [] {
  Bytes bytes = with_length(56, R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  )",
                            {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0});
  return bytes;
}();

TEST(Safetensors, GoldenFileBothWays) {
  Scratch scratch;
  ASSERT_EQ(kGolden.size(), 72u);
  put(scratch / "golden", kGolden);
  const TensorFile file = read_safetensors(scratch / "golden");
  ASSERT_EQ(file.tensors.size(), 1u);
  EXPECT_EQ(file.tensors[0].first, "b");
  EXPECT_EQ(file.find("b")->shape(), Shape{2});
  EXPECT_EQ(file.find("b")->to_vector<float>(), (std::vector<float>{1, -2}));
  EXPECT_EQ(file.find("a"), nullptr);
  EXPECT_TRUE(file.metadata.empty());
  write_safetensors(scratch / "copy", file);
  EXPECT_EQ(get(scratch / "copy"), kGolden);
}

TEST(Safetensors, EverythingComesBack) {
  Scratch scratch;
  const TensorFile file{
      .tensors = {{"u8", Tensor::from<uint8_t>({0, 255, 7}, {3})},
                  {"f32", Tensor::from({0.1f, -INFINITY, NAN, -0.f, 1e-42f, 6.f}, {2, 1, 3})},
                  {"f64", Tensor::from({M_PI, 1e300}, {1, 2})},
                  {"i64", Tensor::from<int64_t>({INT64_MIN, INT64_MAX}, {2})},
                  {"scalar", Tensor::full({}, 4.0)},
                  {"rank 5", Tensor::ones({1, 2, 1, 2, 1}, {DType::f64})},
                  {"empty", Tensor::empty({3, 0, 2})},
                  {"", Tensor::ones({1})},
                  {"../../x\n\"\\ \x01 \xc3\xa9 \xf0\x9f\x98\x80", Tensor::ones({1}, {DType::u8})}},
      .metadata = {{"format", "pt"}, {"note \"x\"", "line\nbreak \xe2\x82\xac"}, {"", ""}}};
  write_safetensors(scratch / "file", file);
  const TensorFile again = read_safetensors(scratch / "file");
  EXPECT_EQ(again.metadata, file.metadata);
  ASSERT_EQ(again.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    const Tensor* found = again.find(name);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(found->dtype(), tensor.dtype());
    EXPECT_EQ(found->shape(), tensor.shape());
    if (tensor.bytes() > 0) {
      EXPECT_EQ(std::memcmp(found->raw(), tensor.raw(), tensor.bytes()), 0) << name;
    }
  }
  // Larger alignment first, then by name; the data starts at a multiple of 8, and the same contents give the
  // same bytes.
  EXPECT_EQ(again.tensors[0].first, "f64");
  EXPECT_EQ(again.tensors[1].first, "i64");
  EXPECT_EQ(again.tensors.back().second.dtype(), DType::u8);
  const Bytes bytes = get(scratch / "file");
  EXPECT_EQ(bytes[0] % 8, 0);
  EXPECT_EQ(bytes[8], '{');
  write_safetensors(scratch / "second", again);
  EXPECT_EQ(get(scratch / "second"), bytes);
  EXPECT_EQ(files_in(scratch.dir()), 2u);
}

TEST(Safetensors, NoTensorsAtAll) {
  Scratch scratch;
  write_safetensors(scratch / "none", {});
  EXPECT_EQ(get(scratch / "none"), with_length(8, "{}      ", {}));
  EXPECT_TRUE(read_safetensors(scratch / "none").tensors.empty());
}

TEST(Safetensors, ReadsLeniently) {
  // White space around, escapes, fields and tensors in any order: what the reference reader takes, too.
  Scratch scratch;
  put(scratch / "a",
      file_of(" \n{ \"\\u0062\" : {\"data_offsets\":[4,8], \"shape\":[1],\"dtype\":\"F32\"} ,\t"
              "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}, \"__metadata__\":{} }\r\n",
              8));
  const TensorFile file = read_safetensors(scratch / "a");
  ASSERT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.tensors[0].first, "a");
  EXPECT_EQ(file.find("b")->shape(), Shape{1});
  // Empty tensors may share a place, also at the end and with a large other axis.
  put(scratch / "b",
      file_of(
          R"({"a":{"dtype":"F64","shape":[0,4611686018427387904],"data_offsets":[1,1]},"c":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
          R"("b":{"dtype":"F64","shape":[0],"data_offsets":[1,1]}})",
          1));
  EXPECT_EQ(read_safetensors(scratch / "b").find("a")->numel(), 0);
}

TEST(Safetensors, ConvertsHalfAndInt) {
  Scratch scratch;
  const std::string header =
      R"({"h":{"dtype":"F16","shape":[7],"data_offsets":[0,14]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[14,18]},)"
      R"("i":{"dtype":"I32","shape":[2],"data_offsets":[18,26]}})";
  const Bytes data = {0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x7b,
                      0x00, 0xfc, 0x55, 0x35, 0x00, 0x80,               // halves
                      0x80, 0x3f, 0x49, 0xc0,                           // 1, -3.140625
                      0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x80};  // -1, -2^31
  put(scratch / "a", with_length(header.size(), header, data));
  const TensorFile file = read_safetensors(scratch / "a");
  const auto halves = file.find("h")->to_vector<float>();
  EXPECT_EQ(halves, (std::vector<float>{1, -2, 0x1p-24f, 65504, -INFINITY, 0.333251953125f, -0.f}));
  EXPECT_TRUE(std::signbit(halves[6]));
  EXPECT_EQ(file.find("b")->to_vector<float>(), (std::vector<float>{1, -3.140625f}));
  EXPECT_EQ(file.find("i")->to_vector<int64_t>(), (std::vector<int64_t>{-1, -2147483648ll}));
}

TEST(Safetensors, ReadsTheOtherTypesOfTheReference) {
  // Values as safetensors 0.8.0 and PyTorch read these bytes.
  const auto read = [](const char* type, const Bytes& data, int64_t count) {
    const Scratch scratch;
    const std::string header =
        message(R"({"t":{"dtype":"{}","shape":[{}],"data_offsets":[0,{}]}})", type, count, data.size());
    put(scratch / "a", with_length(header.size(), header, data));
    return *read_safetensors(scratch / "a").find("t");
  };
  const auto integers = [&](const char* type, const Bytes& data, int64_t count) {
    return read(type, data, count).to_vector<int64_t>();
  };
  using Integers = std::vector<int64_t>;
  EXPECT_EQ(read("BOOL", {1, 0}, 2).to_vector<uint8_t>(), (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(integers("I8", {0xff, 0x7f}, 2), (Integers{-1, 127}));
  EXPECT_EQ(integers("I16", {0xff, 0xff, 0x00, 0x80}, 2), (Integers{-1, -32768}));
  EXPECT_EQ(integers("U16", {0xff, 0xff, 0x01, 0x00}, 2), (Integers{65535, 1}));
  EXPECT_EQ(integers("U32", {0xff, 0xff, 0xff, 0xff}, 1), (Integers{4294967295}));
  EXPECT_EQ(integers("U64", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 1), (Integers{INT64_MAX}));
  const auto e4m3 = read("F8_E4M3", {0x38, 0xb8, 0x01, 0x7e, 0x08, 0x00, 0x7f}, 7).to_vector<float>();
  EXPECT_EQ(std::vector(e4m3.begin(), e4m3.end() - 1),
            (std::vector<float>{1, -1, 0.001953125f, 448, 0.015625f, 0}));
  EXPECT_TRUE(std::isnan(e4m3.back()));
  const auto e5m2 = read("F8_E5M2", {0x3c, 0xbc, 0x01, 0x7b, 0x7c, 0x04, 0x7f}, 7).to_vector<float>();
  EXPECT_EQ(std::vector(e5m2.begin(), e5m2.end() - 1),
            (std::vector<float>{1, -1, 1.52587890625e-05f, 57344, INFINITY, 6.103515625e-05f}));
  EXPECT_TRUE(std::isnan(e5m2.back()));
  const auto e8m0 = read("F8_E8M0", {127, 0, 1, 254, 255}, 5).to_vector<float>();  // the format's definition
  EXPECT_EQ(std::vector(e8m0.begin(), e8m0.end() - 1),
            (std::vector<float>{1, 0x1p-127f, 0x1p-126f, 0x1p127f}));
  EXPECT_TRUE(std::isnan(e8m0.back()));
  EXPECT_TRUE(has(duel::testing::error_of([&] {
                    read("U64", {0, 0, 0, 0, 0, 0, 0, 0x80}, 1);
                  }),
                  "tensor \"t\": U64: expected numbers below 2^63, got 9223372036854775808"));
}

TEST(Safetensors, PassesOverFieldsItDoesNotKnowAndMetadataThatIsNull) {
  const Scratch scratch;
  put(scratch / "a",
      file_of(
          R"({"__metadata__":null,"t":{"a":{"dtype":[{"shape":1}],"b":{}},"dtype":"F32","x":null,"y":[[],-1,2.5,true,"z",7],)"
          R"("shape":[2],"n":3,"data_offsets":[0,8],"s":"x"}})",
          8));
  const TensorFile file = read_safetensors(scratch / "a");
  ASSERT_EQ(file.tensors.size(), 1u);
  EXPECT_EQ(file.tensors[0].second.shape(), Shape{2});
  EXPECT_TRUE(file.metadata.empty());
}

TEST(Safetensors, ReadsWhatPyTorchWrote) {
  const auto folder = duel::testing::in_source("tests/golden");
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    const TensorFile file = read_safetensors(entry.path());
    EXPECT_FALSE(file.tensors.empty()) << entry.path();
    EXPECT_FALSE(file.metadata.empty()) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 10);
}

// ---- Hostile files ----

struct Hostile {
  const char* what;
  Bytes bytes;
  const char* expected;  // the part of the message that names the field or the reason
};

std::string repeated(std::string_view text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

std::string tensor(const std::string& fields) { return R"({"t":{)" + fields + "}}"; }

std::vector<Hostile> hostile_files() {
  const std::string good = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";
  const auto shaped = [](const std::string& shape, const std::string& offsets) {
    return tensor(R"("dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets);
  };
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}";
  };
  std::string many = "{";
  for (int i = 0; i < 20'000; ++i)
    many += message(R"("{}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)", i);
  many.back() = '}';
  std::string notes = R"({"__metadata__":{)";
  for (int i = 0; i < 5'000; ++i) notes += message(R"("{}":"",)", i);
  notes.back() = '}';
  notes += "}";
  return {
      // lengths
      {"empty file", {}, "at least 8 bytes"},
      {"seven bytes", Bytes(7), "at least 8 bytes"},
      {"length 2^64 - 1", with_length(UINT64_MAX, "{}", {}), "header length"},
      {"length 2^63", with_length(1ull << 63, "{}", {}), "header length"},
      {"length 100e6 + 1", with_length(100'000'001, "{}", {}), "header length"},
      {"length 100e6 in a short file", with_length(100'000'000, "{}", {}), "header length"},
      {"length one too large", with_length(3, "{}", {}), "header length"},
      {"length 0", with_length(0, "", {}), "header"},
      {"length that cuts the JSON", with_length(10, tensor(good), {}), "JSON"},
      // JSON
      {"blank header", file_of("        "), "JSON object"},
      {"a list", file_of("[]"), "JSON object"},
      {"a number", file_of("17"), "JSON object"},
      {"byte order mark", file_of("\xef\xbb\xbf{}"), "JSON object"},
      {"zero byte after the object", file_of(std::string("{}\0\0", 4)), "zero byte"},
      {"text after the object", file_of("{}x"), "JSON"},
      {"two objects", file_of("{}{}"), "JSON"},
      {"comment", file_of("{/**/}"), "JSON"},
      {"comma before the end", file_of("{\"t\":{" + good + "},}", 8), "JSON"},
      {"single quotes", file_of("{'t':{}}"), "JSON"},
      {"not closed", file_of("{\"t\":{" + good), "JSON"},
      {"100,000 lists", file_of("{\"t\":" + std::string(100'000, '[')), "\"t\""},
      {"100,000 objects", file_of(std::string("{") + repeated("\"t\":{", 100'000)), "JSON"},
      {"bad UTF-8 in a name", file_of("{\"\xff\xfe\":{" + good + "}}", 8), "UTF-8"},
      {"overlong UTF-8", file_of("{\"\xc0\xaf\":{" + good + "}}", 8), "UTF-8"},
      {"surrogate in UTF-8", file_of("{\"\xed\xa0\x80\":{" + good + "}}", 8), "UTF-8"},
      {"bad UTF-8 in the metadata", file_of("{\"__metadata__\":{\"a\":\"\x80\"}}"), "UTF-8"},
      {"lone surrogate escape", file_of("{\"\\ud800\":{" + good + "}}", 8), "JSON"},
      {"control character in a name", file_of("{\"\n\":{" + good + "}}", 8), "JSON"},
      {"number of 400 digits", file_of(shaped(std::string("[") + std::string(400, '9') + "]", "[0,8]"), 8),
       "JSON"},
      // structure
      {"tensor that is null", file_of(R"({"t":null})"), "\"t\""},
      {"tensor that is a text", file_of(R"({"t":"x"})"), "\"t\""},
      {"tensor without fields", file_of(R"({"t":{}})"), "dtype: is missing"},
      {"no shape", file_of(tensor(R"("dtype":"F32","data_offsets":[0,8])"), 8), "shape: is missing"},
      {"no offsets", file_of(tensor(R"("dtype":"F32","shape":[2])"), 8), "data_offsets: is missing"},
      {"a hole in an unknown field", file_of(tensor(good + R"(,"stride":[1,{"a":}])"), 8), "JSON"},
      {"dtype twice around an unknown field",
       file_of(tensor(good + R"(,"x":{"dtype":"F32"},"dtype":"F32")"), 8), "dtype: is there twice"},
      {"dtype twice", file_of(tensor(good + R"(,"dtype":"F32")"), 8), "dtype: is there twice"},
      {"shape twice", file_of(tensor(good + R"(,"shape":[2])"), 8), "shape: is there twice"},
      {"tensor twice", file_of("{\"t\":{" + good + "},\"t\":{" + good + "}}", 8), "\"t\" is there twice"},
      {"tensor twice, once escaped", file_of("{\"t\":{" + good + "},\"\\u0074\":{" + good + "}}", 8),
       "\"t\" is there twice"},
      {"metadata twice", file_of(R"({"__metadata__":{},"__metadata__":{}})"), "__metadata__: is there twice"},
      {"metadata entry twice", file_of(R"({"__metadata__":{"a":"1","a":"2"}})"), "\"a\" is there twice"},
      {"metadata with a number", file_of(R"({"__metadata__":{"a":1}})"), "__metadata__: expected texts"},
      {"metadata with an object", file_of(R"({"__metadata__":{"a":{}}})"), "__metadata__: expected texts"},
      {"metadata that is a list", file_of(R"({"__metadata__":[]})"), "__metadata__"},
      {"metadata twice, once null", file_of(R"({"__metadata__":null,"__metadata__":{}})"),
       "__metadata__: is there twice"},
      {"metadata entry that is null", file_of(R"({"__metadata__":{"a":null}})"),
       "__metadata__: expected texts"},
      {"20,000 tensors", file_of(many), "at most 16384 tensors"},
      {"5,000 metadata entries", file_of(notes), "at most 4096 entries"},
      // fields
      {"unknown dtype", file_of(tensor(R"("dtype":"F31","shape":[2],"data_offsets":[0,8])"), 8),
       "tensor \"t\", dtype"},
      {"dtype in small letters", file_of(tensor(R"("dtype":"f32","shape":[2],"data_offsets":[0,8])"), 8),
       "tensor \"t\", dtype"},
      {"dtype that Duel lacks", file_of(tensor(R"("dtype":"C64","shape":[1],"data_offsets":[0,8])"), 8),
       "tensor \"t\", dtype: \"C64\" is not supported"},
      {"dtype that is a number", file_of(tensor(R"("dtype":4,"shape":[2],"data_offsets":[0,8])"), 8),
       "dtype: expected a text"},
      {"shape that is a number", file_of(shaped("2", "[0,8]"), 8), "shape: expected a list"},
      {"shape of texts", file_of(shaped(R"(["2"])", "[0,8]"), 8), "shape: expected numbers"},
      {"shape in a shape", file_of(shaped("[[2]]", "[0,8]"), 8), "shape: expected numbers"},
      {"negative size", file_of(shaped("[-2]", "[0,8]"), 8), "shape: expected numbers"},
      {"broken size", file_of(shaped("[2.0]", "[0,8]"), 8), "shape: expected numbers"},
      {"size 2e0", file_of(shaped("[2e0]", "[0,8]"), 8), "shape: expected numbers"},
      {"size 2^64", file_of(shaped("[18446744073709551616]", "[0,8]"), 8), "shape: expected numbers"},
      {"size 2^63", file_of(shaped("[9223372036854775808]", "[0,8]"), 8), "shape: expected sizes"},
      {"six axes", file_of(shaped("[1,1,1,1,1,2]", "[0,8]"), 8), "shape: expected at most 5 axes"},
      {"a million axes", file_of(shaped(std::string("[1") + repeated(",1", 1'000'000) + "]", "[0,8]"), 8),
       "at most 5 axes"},
      {"product 2^64", file_of(shaped("[4294967296,4294967296]", "[0,8]"), 8),
       "shape: the number of elements"},
      {"product 2^64 + 2", file_of(shaped("[2147483649,8589934590]", "[0,8]"), 8), "shape: the number of"},
      {"product that overflows before a 0", file_of(shaped("[4294967296,4294967296,0]", "[0,0]")),
       "shape: the number of elements"},
      {"bytes 2^64 + 8", file_of(shaped("[4611686018427387906]", "[0,8]"), 8), "shape: the number of bytes"},
      {"one offset", file_of(shaped("[2]", "[0]"), 8), "data_offsets: expected two numbers"},
      {"three offsets", file_of(shaped("[2]", "[0,8,8]"), 8), "data_offsets: expected two numbers"},
      {"no offset", file_of(shaped("[2]", "[]"), 8), "data_offsets: expected two numbers"},
      {"negative offset", file_of(shaped("[2]", "[-8,0]"), 8), "data_offsets: expected numbers"},
      {"offset that is a text", file_of(shaped("[2]", R"(["0",8])"), 8), "data_offsets: expected numbers"},
      {"offset 2^64", file_of(shaped("[2]", "[0,18446744073709551616]"), 8),
       "data_offsets: expected numbers"},
      // layout
      {"reversed offsets", file_of(shaped("[2]", "[8,0]"), 8), "data_offsets"},
      {"shape larger than the data", file_of(shaped("[3]", "[0,8]"), 8), "data_offsets: expected 12 bytes"},
      {"shape smaller than the data", file_of(shaped("[1]", "[0,8]"), 8), "data_offsets: expected 4 bytes"},
      {"dtype of another size", file_of(tensor(R"("dtype":"F64","shape":[2],"data_offsets":[0,8])"), 8),
       "data_offsets: expected 16 bytes"},
      {"end beyond the file", file_of(shaped("[3]", "[0,12]"), 8),
       "data_offsets: expected an end of at most 8"},
      {"a terabyte", file_of(shaped("[274877906944]", "[0,1099511627776]"), 8),
       "data_offsets: expected an end of at most 8"},
      {"2^62 bytes", file_of(shaped("[1152921504606846976]", "[0,4611686018427387904]"), 8),
       "data_offsets: expected an end of at most 8"},
      {"start after a hole", file_of(shaped("[2]", "[4,12]"), 12), "a hole"},
      {"hole between", file_of(two("[0,4]", "[5,9]"), 9), "a hole"},
      {"overlap", file_of(two("[0,4]", "[3,7]"), 7), "an overlap"},
      {"the same bytes twice", file_of(two("[0,4]", "[0,4]"), 4), "an overlap"},
      {"one byte follows", file_of(shaped("[2]", "[0,8]"), 9), "bytes follow that belong to none"},
      {"data without a tensor", file_of("{}", 8), "bytes follow that belong to none"},
      {"empty tensor beyond the end", file_of(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[5,5]}})"),
       "data_offsets"},
  };
}

TEST(Safetensors, RefusesEveryHostileFile) {
  Scratch scratch;
  const fs::path path = scratch / "weights.safetensors";
  const auto files = hostile_files();
  EXPECT_GE(files.size(), 80u);
  for (const Hostile& file : files) {
    SCOPED_TRACE(file.what);
    put(path, file.bytes);
    reset_allocator_peak({});
    const int64_t before = allocator_stats({}).peak_bytes;
    const auto start = std::chrono::steady_clock::now();
    const std::string text = error_of([&] { read_safetensors(path); });
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
    EXPECT_EQ(allocator_stats({}).peak_bytes, before);  // no tensor was made
    EXPECT_TRUE(has(text, path.string())) << text;
    EXPECT_TRUE(has(text, file.expected)) << text;
    EXPECT_LT(text.size(), 600u);
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

TEST(Safetensors, RefusesAFileCutAtAnyByte) {
  Scratch scratch;
  write_safetensors(scratch / "whole",
                    {.tensors = {{"a", Tensor::ones({3})}, {"b", Tensor::ones({2}, {DType::u8})}},
                     .metadata = {{"k", "v"}}});
  const Bytes whole = get(scratch / "whole");
  for (size_t length = 0; length < whole.size(); ++length) {
    put(scratch / "cut", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    EXPECT_TRUE(has(error_of([&] { read_safetensors(scratch / "cut"); }), "cut")) << length;
  }
}

TEST(Safetensors, AFlippedByteIsAnErrorOrAnotherFileOfTheSameSize) {
  // Nothing may crash, and what is accepted holds no more than the file.
  Scratch scratch;
  for (size_t i = 0; i < kGolden.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bytes = kGolden;
      bytes[i] ^= static_cast<uint8_t>(1 << bit);
      put(scratch / "flipped", bytes);
      try {
        const TensorFile file = read_safetensors(scratch / "flipped");
        ASSERT_EQ(file.tensors.size(), 1u);
        EXPECT_LE(file.tensors[0].second.numel(), 8);
      } catch (const Error&) {
      }
    }
  }
}

TEST(Safetensors, RefusesWhatIsNoFile) {
  Scratch scratch;
  EXPECT_TRUE(has(error_of([&] { read_safetensors(scratch / "missing"); }), "No such file"));
  EXPECT_TRUE(has(error_of([&] { read_safetensors(scratch.dir()); }), "expected a file"));
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(has(error_of([&] { read_safetensors(scratch / "pipe"); }), "expected a file"));
}

TEST(Safetensors, RefusesToWriteWhatCannotBeRead) {
  Scratch scratch;
  const fs::path path = scratch / "kept";
  put(path, kGolden);
  const Tensor one = Tensor::ones({1});
  for (const TensorFile& file :
       {TensorFile{.tensors = {{"a", one}, {"a", one}}, .metadata = {}},  //
        TensorFile{.tensors = {{"__metadata__", one}}, .metadata = {}},   //
        TensorFile{.tensors = {{"\xff", one}}, .metadata = {}},           //
        TensorFile{.tensors = {{"a", Tensor()}}, .metadata = {}},         //
        TensorFile{.tensors = {}, .metadata = {{"k", "1"}, {"k", "2"}}},  //
        TensorFile{.tensors = {}, .metadata = {{"k", "\xc3"}}},           //
        TensorFile{.tensors = {}, .metadata = {{"k", std::string(100'000'000, 'x')}}}}) {
    EXPECT_TRUE(has(error_of([&] { write_safetensors(path, file); }), path.string()));
  }
  EXPECT_EQ(get(path), kGolden);
  EXPECT_EQ(files_in(scratch.dir()), 1u);
}

}  // namespace
}  // namespace duel
