// TensorBoard's event files: bytes against the format's, what a run writes of itself, torn tails, resuming; and all of it
// read by TensorBoard's own reader where there is one ($DUEL_TEST_PYTHON, or python3, with the package tensorboard).
#include "duel/gan/record/event_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>

#include "duel/core/io/crc32c.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/gan/train/measures/caption.h"
#include "tests/gan/files.h"
#include "tests/run_watcher.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;
namespace fs = std::filesystem;

std::string hex(const std::string& bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += digits[static_cast<uint8_t>(c) >> 4];
    text += digits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

// RFC 3720, appendix B.4, and the check value of the Rocksoft model.
TEST(EventFile, ChecksumIsCrc32c) {
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

// Made once with TensorBoard 2.21's messages and RecordWriter; the first one, at time 0, has the time all the same, which
// they leave out.
TEST(EventFile, RecordsAreThoseOfTensorBoardsWriter) {
  EXPECT_EQ(hex(event_record::version(0)),
            "1800000000000000a37f4b2209000000000000000"
            "01a0d627261696e2e4576656e743a32eedf28a3");
  EXPECT_EQ(hex(event_record::version(3)),
            "1800000000000000a37f4b220900000000000008401a0d62"
            "7261696e2e4576656e743a32b398ebfd");
  EXPECT_EQ(hex(event_record::scalars(1, 1, {{"loss/D", 0.5}})),
            "1c00000000000000c8c1951d09000000000000f03f10012a0f0a0d0a066c6f73732f44150000003ff4e6324b");
  EXPECT_EQ(hex(event_record::restart(2, 5)),
            "0f000000000000006d532b090900000000000000401005"
            "3a0208019451ed38");
}

uint64_t little(const std::string& bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  return value;
}

/// The whole records of a file; their checksums are looked at.
std::vector<std::string> records(const std::string& bytes) {
  std::vector<std::string> found;
  size_t at = 0;
  while (at + 12 <= bytes.size()) {
    const uint64_t length = little(bytes, at, 8);
    if (at + 16 + length > bytes.size()) break;
    const std::string body = bytes.substr(at + 12, length);
    EXPECT_EQ(event_record::framed(body), bytes.substr(at, 16 + length)) << "a record's frame at " << at;
    found.push_back(body);
    at += 16 + length;
  }
  return found;
}

std::vector<fs::path> event_files(const fs::path& run) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(run)) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string bytes_of(const fs::path& file) { return testing::text_of(file); }

TEST(EventFile, IsMadeAtTheFirstRecordAndNeverShared) {
  Scratch scratch;
  {
    EventFile none(scratch.dir(), 0);
    EventFile first(scratch.dir(), 0), second(scratch.dir(), 7);
    EXPECT_TRUE(event_files(scratch.dir()).empty());
    EXPECT_EQ(first.scalars(1, {{"a", 1}, {"b", 2}}), std::nullopt);
    EXPECT_EQ(second.scalars(8, {{"a", 1}}), std::nullopt);
    EXPECT_EQ(first.scalars(2, {{"a", 3}}), std::nullopt);
    EXPECT_LT(first.file(), second.file()) << "readers go by names";
    EXPECT_EQ(records(bytes_of(first.file())).size(), 3u);
  }
  const auto files = event_files(scratch.dir());
  ASSERT_EQ(files.size(), 2u);
  const std::string name = files[0].filename().string();
  EXPECT_GE(std::count(name.begin(), name.end(), '.'), 6) << name;
  EXPECT_TRUE(has(name, "." + std::to_string(::getpid()) + ".0")) << name;
  const auto later = records(bytes_of(files[1]));
  ASSERT_EQ(later.size(), 3u);
  EXPECT_EQ(later[1].substr(9), std::string("\x10\x08\x3a\x02\x08\x01")) << "goes on with step 8";
}

TEST(EventFile, WhatCannotBeWrittenIsToldAndTornRecordsAreTakenBack) {
  Scratch scratch;
  EventFile nowhere(scratch / "nowhere", 0);
  const auto problem = nowhere.scalars(1, {{"a", 1}});
  ASSERT_TRUE(problem);
  EXPECT_TRUE(has(*problem, "cannot be made: No such file")) << *problem;
  // A disk that is full in the middle of a record.
  EventFile full(scratch / "full", 0);
  fs::create_directory(scratch / "full");
  EXPECT_EQ(full.scalars(1, {{"a", 1}}), std::nullopt);
  const auto size = fs::file_size(full.file());
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit tight { size + 10, before.rlim_max };
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const auto torn = full.scalars(2, {{"a", 2}});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_TRUE(torn);
  EXPECT_TRUE(has(*torn, "a record could not be written")) << *torn;
  EXPECT_EQ(fs::file_size(full.file()), size);
  EXPECT_EQ(full.scalars(3, {{"a", 3}}), std::nullopt);
  EXPECT_EQ(records(bytes_of(full.file())).size(), 3u) << "the version, and steps 1 and 3";
  // A reader that meets a torn tail has everything before it.
  EventFile whole(scratch.dir(), 0);
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(whole.scalars(i, {{"a", i}}), std::nullopt);
  const std::string bytes = bytes_of(whole.file());
  for (size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_LE(records(bytes.substr(0, cut)).size(), 5u);
  EXPECT_EQ(records(bytes.substr(0, bytes.size() - 1)).size(), 5u);
}

TEST(EventFile, AHistogramHasItsBinsAndSums) {
  const std::string record = event_record::histogram(0, 1, "h", Histogram{-1, 3, {2, 0, 6, 1}});
  const auto body = records(record);
  ASSERT_EQ(body.size(), 1u);
  // min -1, max 3, 9 values in the middles -0.5, 0.5, 1.5, 2.5: sum 10.5, squares 20.25
  std::string expected;
  const auto number = [&](char key, double value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if (key) expected += key;
    for (int i = 0; i < 8; ++i) expected += static_cast<char>(bits >> (8 * i) & 0xff);
  };
  for (const auto& [key, value] :
       {std::pair{'\x09', -1.0}, {'\x11', 3.0}, {'\x19', 9.0}, {'\x21', 10.5}, {'\x29', 20.25}})
    number(key, value);
  expected += "\x32\x20";
  for (const double end : {0.0, 1.0, 2.0, 3.0}) number('\0', end);
  expected += "\x3a\x20";
  for (const double count : {2.0, 0.0, 6.0, 1.0}) number('\0', count);
  EXPECT_TRUE(has(body[0], expected));
}

TEST(EventFile, ALineGivesWhatItMeasures) {
  const LineEvents events = events_of_line(
      "{\"iteration\":7,\"loss_d\":0.5,\"loss_g\":null,\"spectral_norms\":{\"0.weight\":2},"
      "\"histogram_real\":{\"low\":0,\"high\":1,\"counts\":[3,4]}}\n");
  EXPECT_EQ(events.step, 7);
  EXPECT_EQ(events.scalars,
            (std::vector<std::pair<std::string, double>>{{"loss_d", 0.5}, {"spectral_norms/0.weight", 2}}));
  ASSERT_EQ(events.histograms.size(), 1u);
  EXPECT_EQ(events.histograms[0].first, "histogram_real");
  EXPECT_EQ(events.histograms[0].second.counts, (std::vector<int64_t>{3, 4}));
}

RunConfig config_of(const fs::path& out, int64_t steps, bool tensorboard) {
  RunConfig config{.objective = "ns-gan",
                   .overrides = {},
                   .data = "synthetic",
                   .synthetic_count = 16,
                   .batch = 4,
                   .steps = steps,
                   .device = "cpu",
                   .out = out,
                   .log_every = 1,
                   .diagnose_every = 2,
                   .sample_every = 2,
                   .checkpoint_every = 4,
                   .sample_count = 4,
                   .tensorboard = tensorboard,
                   .argv = {}};
  config.networks.arch = "mlp";
  return config;
}

void train(const RunConfig& config) {
  duel::testing::RunWatcher observer;
  gan::Run(config).train(observer);
}

TEST(EventFile, ARunIsTheSameWithAndWithoutIt) {
  Scratch scratch;
  train(config_of(scratch / "with", 6, true));
  train(config_of(scratch / "without", 6, false));
  EXPECT_EQ(event_files(scratch / "with").size(), 1u);
  EXPECT_TRUE(event_files(scratch / "without").empty());
  for (const std::string& file :
       {std::string("metrics.jsonl"), "checkpoints/" + checkpoint_name(4),
        "checkpoints/" + checkpoint_name(6), std::string("samples/fakes_000006.png")})
    EXPECT_TRUE(bytes_of(scratch / "with" / file) == bytes_of(scratch / "without" / file)) << file;
  EXPECT_TRUE(has(bytes_of(scratch / "with" / "config.json"), "\"tensorboard\": true"));
  EXPECT_FALSE(has(bytes_of(scratch / "without" / "config.json"), "tensorboard"));
}

// Prints every scalar, image and histogram that the folder's files say, one a line.
constexpr const char* kReader = R"(
import struct, sys
from tensorboard.backend.event_processing import event_accumulator as ea
size = {ea.SCALARS: 0, ea.IMAGES: 0, ea.HISTOGRAMS: 0}
a = ea.EventAccumulator(sys.argv[1], size_guidance=size)
a.Reload()
tags = a.Tags()
for tag in tags['scalars']:
    print('about', tag, 0, a.SummaryMetadata(tag).summary_description)
    for e in a.Scalars(tag): print('scalar', tag, e.step, struct.pack('<f', e.value).hex())
for tag in tags['images']:
    for e in a.Images(tag): print('image', tag, e.step, e.width, e.height, e.encoded_image_string.hex())
for tag in tags['histograms']:
    for e in a.Histograms(tag):
        h = e.histogram_value
        print('histogram', tag, e.step, h.min, h.max, h.num, *h.bucket)
print('done')
)";

std::string hex_of(float value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return hex(bytes);
}

TEST(EventFile, TensorBoardReadsWhatARunMeasuredAResumedOneToo) {
  const char* chosen = std::getenv("DUEL_TEST_PYTHON");
  const std::string python = chosen ? chosen : "python3";
  if (std::system(("'" + python + "' -c 'import tensorboard' > /dev/null 2>&1").c_str()) != 0)
    GTEST_SKIP()
        << python
        << " has no package tensorboard (pip install tensorboard); DUEL_TEST_PYTHON names another one";
  Scratch scratch;
  const fs::path run = scratch / "run";
  train(config_of(run, 6, true));
  // It died after iteration 6, within a record, and goes on from 4.
  const auto first = event_files(run);
  ASSERT_EQ(first.size(), 1u);
  const std::string bytes = bytes_of(first[0]);
  fs::resize_file(first[0], bytes.size() - 3);
  fs::remove(run / "checkpoints" / checkpoint_name(6));
  RunConfig again = config_of(run, 8, true);
  again.resume = true;
  train(again);
  EXPECT_EQ(event_files(run).size(), 2u);

  write(scratch / "reader.py", kReader);
  const std::string command =
      message("'{}' '{}' '{}' > '{}' 2> '{}'", python, (scratch / "reader.py").string(), run.string(),
              (scratch / "out").string(), (scratch / "err").string());
  ASSERT_EQ(std::system(command.c_str()), 0) << bytes_of(scratch / "err");
  std::istringstream read(bytes_of(scratch / "out"));
  std::map<std::string, std::map<int64_t, std::string>> told;
  size_t scalars = 0, images = 0;
  bool done = false;
  for (std::string line; std::getline(read, line);) {
    done = line == "done";
    std::istringstream words(line);
    std::string kind, tag, rest;
    int64_t step = 0;
    words >> kind >> tag >> step;
    std::getline(words, rest);
    if (done) break;
    EXPECT_TRUE(told[kind + " " + tag].emplace(step, rest.substr(1)).second)
        << "twice: " << line.substr(0, 80);
    scalars += kind == "scalar";
    images += kind == "image";
  }
  EXPECT_TRUE(done) << bytes_of(scratch / "err");
  MetricsLog log;
  log.add_file(run / "metrics.jsonl");
  log.add_file(run / "timing.jsonl");
  size_t values = 0;
  for (const std::string& key : log.keys()) {
    const Curve& curve = *log.curve(key);
    for (size_t i = 0; i < curve.x.size(); ++i) {
      if (!std::isfinite(curve.y[i])) continue;
      ++values;
      EXPECT_EQ(told["scalar " + key][static_cast<int64_t>(curve.x[i])],
                hex_of(static_cast<float>(curve.y[i])))
          << key << " at " << curve.x[i];
    }
  }
  EXPECT_EQ(scalars, values) << "and nothing else";
  EXPECT_GT(values, 100u);
  for (const int64_t at : {0, 2, 4, 6, 8}) {
    const std::string png = bytes_of(run / "samples" / message("fakes_00000{}.png", at));
    const std::string& image = told["image samples"][at];
    EXPECT_TRUE(image.ends_with(" " + hex(png))) << at << ": " << image.substr(0, 40);
  }
  EXPECT_EQ(images, 5u);
  for (const std::string& key : {std::string("loss_d"), std::string("images_per_second"),
                                 "spectral_norms/" + log.group("spectral_norms").at(0).first})
    EXPECT_EQ(told["about " + key][0], measure_caption(*measure_of_curve(key)));
  EXPECT_TRUE(has(told["about loss_d"][0], "Healthy: neither runs away. Sick: "));
  for (const char* key : {"histogram_real", "histogram_fake", "histogram_weights"}) {
    const auto* last = log.last_histogram(key);
    ASSERT_TRUE(last) << key;
    std::string counts;
    for (const int64_t count : last->second.counts) counts += " " + std::to_string(count) + ".0";
    EXPECT_TRUE(told[std::string("histogram ") + key][8].ends_with(counts))
        << key << ": " << told[std::string("histogram ") + key][8] << " against" << counts;
  }
}

}  // namespace
}  // namespace duel::gan
