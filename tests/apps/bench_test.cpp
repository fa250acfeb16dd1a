// duel bench: its statistics against values by hand, its reports and their comparison, kernels against their
// compositions, and the command as a user runs it.
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "apps/bench/cases/cases.h"
#include "apps/bench/report.h"
#include "apps/bench/statistics.h"
#include "apps/bench/timer.h"
#include "command.h"
#include "duel/core/tensor/autograd.h"
#include "tests/source.h"

namespace duel::apps::testing {
namespace {

using namespace bench;
using duel::testing::Scratch;

// ---- Statistics ----

TEST(BenchStatistics, QuantilesByHand) {
  const std::vector<double> four{1, 2, 4, 10};
  EXPECT_DOUBLE_EQ(quantile(four, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(four, 0.5), 3);            // half way between the second and the third
  EXPECT_DOUBLE_EQ(quantile(four, 0.9), 4 + 0.7 * 6);  // at 2.7 of 0 to 3
  EXPECT_DOUBLE_EQ(quantile(four, 1), 10);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.1), 7);
}

TEST(BenchStatistics, SummaryDoesNotNeedOrder) {
  const Summary s = summarize({5, 1, 4, 2, 3, 11, 10, 9, 8, 7, 6});
  EXPECT_DOUBLE_EQ(s.median, 6);
  EXPECT_DOUBLE_EQ(s.p10, 2);
  EXPECT_DOUBLE_EQ(s.p90, 10);
  EXPECT_DOUBLE_EQ(s.smallest, 1);
  EXPECT_EQ(s.count, 11);
}

TEST(BenchStatistics, SamplingStopsByCountOrByTimeButNotBelowTheLeast) {
  EXPECT_GE(SamplingPlan{}.least, 10);  // three samples have no tenth percentile
  const SamplingPlan plan{.wanted = 100, .least = 5, .seconds = 3};
  EXPECT_FALSE(plan.enough(99, 2.9));
  EXPECT_TRUE(plan.enough(100, 0.1));
  EXPECT_TRUE(plan.enough(5, 3.0));
  EXPECT_FALSE(plan.enough(4, 60.0));
}

TEST(BenchStatistics, CallsPerSample) {
  EXPECT_EQ(calls_per_sample(0.25, 2, 1000), 8);
  EXPECT_EQ(calls_per_sample(3e-6, 10e-6, 1000), 4);  // rounded up
  EXPECT_EQ(calls_per_sample(1, 100e-6, 1000), 1);
  EXPECT_EQ(calls_per_sample(1e-9, 100e-6, 1000), 1000);
  EXPECT_EQ(calls_per_sample(0, 100e-6, 1000), 1000);  // below the clock's resolution
}

TEST(BenchStatistics, SweepEndsAtTheLargest) {
  EXPECT_EQ(sweep(1024, 256 << 20),
            (std::vector<int64_t>{1024, 16384, 262144, 4 << 20, 64 << 20, 256 << 20}));
  EXPECT_EQ(sweep(4096, 4096), (std::vector<int64_t>{4096}));
}

// ---- Reports ----

Row row_of(const std::string& name, double median) {
  return {.name = name,
          .family = "family",
          .shape = "2x3",
          .size = 2048,
          .bytes = 2000,
          .microseconds =
              {.median = median, .p10 = median * 0.9, .p90 = median * 1.1, .smallest = 1, .count = 100},
          .calls = 3,
          .copy_us = 2};
}

Report report_of(std::vector<Row> rows) {
  return {.duel = "0.1.0",
          .device = "CPU",
          .cpu = "a CPU, \"quoted\"",
          .time = "now",
          .dtype = "f32",
          .l2 = "warm",
          .threads = 2,
          .samples_wanted = 100,
          .rows = std::move(rows),
          .skipped = {{"gone", 1024, "because"}}};
}

TEST(BenchReport, DerivedNumbers) {
  Row row = row_of("a", 4);
  EXPECT_DOUBLE_EQ(row.gb_per_s(), 0.5);  // 2000 bytes in 4 us
  EXPECT_DOUBLE_EQ(row.copy_percent(), 50);
  EXPECT_FALSE(row.gflop_per_s());
  EXPECT_FALSE(row.gain());
  row.flops = 8000;
  row.composed_us = 10;
  EXPECT_DOUBLE_EQ(*row.gflop_per_s(), 2);
  EXPECT_DOUBLE_EQ(*row.gain(), 2.5);
}

TEST(BenchReport, JsonIsReadAgain) {
  Scratch scratch;
  Report report = report_of({row_of("a", 4), row_of("b", 1)});
  report.rows[1].flops = 100;
  report.rows[1].launches = 2;
  report.rows[1].composed_us = 5;
  write(scratch / "r.json", to_json(report));
  const Report again = read_report(scratch / "r.json");
  EXPECT_EQ(to_json(again), to_json(report));
  ASSERT_EQ(again.rows.size(), 2u);
  EXPECT_FALSE(again.rows[0].flops);
  EXPECT_EQ(again.rows[1].launches, 2);
  EXPECT_EQ(again.skipped.at(0).reason, "because");
}

TEST(BenchReport, CsvHasOneCellPerColumn) {
  std::istringstream csv(to_csv(report_of({row_of("a", 4), row_of("b", 1)})));
  std::string line;
  std::vector<int64_t> commas;
  while (std::getline(csv, line)) commas.push_back(std::count(line.begin(), line.end(), ','));
  EXPECT_EQ(commas.size(), 3u);
  EXPECT_EQ(commas, std::vector<int64_t>(3, commas[0]));
}

TEST(BenchReport, NoiseIsSaidWhereItIs) {
  Row row = row_of("a", 4);
  EXPECT_DOUBLE_EQ(row.microseconds.spread_percent(), 20);
  EXPECT_FALSE(has(table_row(row, 100), "noisy"));
  row.noise = 10.5;
  EXPECT_TRUE(has(table_row(row, 100), "noisy"));
  EXPECT_TRUE(has(to_json(report_of({row})), "\"noisy\": true"));
  EXPECT_FALSE(has(table_row(row, 100), "faster than a copy"));
  row.copy_us = 243;  // 6082 % of a copy is a disturbed copy
  EXPECT_TRUE(has(table_row(row, 100), "faster than a copy"));
  EXPECT_FALSE(has(table_row(row, 100), "samples"));
  EXPECT_TRUE(has(table_row(row, 101), "100 samples"));
}

TEST(BenchReport, OtherProgramsAreWarnedOf) {
  EXPECT_EQ(load_warning(0.2, 4, 4), "");
  EXPECT_EQ(load_warning(3.2, 1, 4), "");
  EXPECT_TRUE(has(load_warning(3.9, 4, 4), "3.9 of 4 CPUs are busy and the bench wants 4"));
  EXPECT_TRUE(has(load_warning(12, 1, 2), "warning"));
}

TEST(BenchReport, ALossIsMeasuredAgainBeforeItCounts) {
  std::vector<double> medians{14, 12, 9, 8};  // beside plain ops of 10
  size_t made = 0;
  const auto measure = [&] {
    Row row = row_of("a", medians.at(made++));
    row.composed_us = 10;
    return row;
  };
  const Row kept = best_attempt(measure, 5);
  EXPECT_EQ(made, 3u);  // the third was a gain
  EXPECT_EQ(kept.attempts, 3);
  EXPECT_DOUBLE_EQ(kept.microseconds.median, 9);
  made = 0;
  const Row lost = best_attempt(measure, 2);
  EXPECT_EQ(lost.attempts, 2);
  EXPECT_TRUE(lost.loses());
  EXPECT_DOUBLE_EQ(lost.microseconds.median, 12);
  Row tie = row_of("tie", 10.5);
  tie.composed_us = 10;
  EXPECT_FALSE(tie.loses());
  const Verdict verdict = check_gains(report_of({kept, lost, row_of("plain", 3)}));
  EXPECT_EQ(verdict.compared, 2);
  EXPECT_EQ(verdict.lost, 1);
  EXPECT_TRUE(
      has(verdict.text,
          "a 2x3: 12.0 us, the plain ops beside it 10.0 us, a gain of 0.83 in the best of 2 attempts"))
      << verdict.text;
  EXPECT_TRUE(has(verdict.text, "check: 1 of 2 rows")) << verdict.text;
}

TEST(BenchReport, SizesAreReadable) {
  EXPECT_EQ(size_text(1024), "1 KB");
  EXPECT_EQ(size_text(1000), "1000 B");
  EXPECT_EQ(size_text(256 << 20), "256 MB");
  EXPECT_EQ(size_text(1536), "1.5 KB");
}

TEST(BenchReport, ComparisonFindsWhatBecameSlower) {
  const Report before =
      report_of({row_of("same", 10), row_of("slower", 10), row_of("faster", 10), row_of("gone", 1)});
  const Report now =
      report_of({row_of("same", 10.9), row_of("slower", 11.1), row_of("faster", 5), row_of("new", 1)});
  const Comparison c = compare(before, now, 10);
  EXPECT_EQ(c.compared, 3);
  EXPECT_EQ(c.regressions, 1);
  EXPECT_LT(c.table.find("slower"), c.table.find("same"));
  EXPECT_TRUE(has(c.table, "+11.0 %"));
  EXPECT_TRUE(has(c.table, "-50.0 %"));
  EXPECT_EQ(compare(before, now, 5).regressions, 2);
  EXPECT_EQ(compare(before, now, 12).regressions, 0);
}

TEST(BenchReport, OnlyLikeIsComparedWithLike) {
  const Report report = report_of({row_of("a", 1)});
  Report other = report;
  other.dtype = "f64";
  EXPECT_THROW(compare(report, other, 10), Error);
  other = report;
  other.l2 = "cold";
  EXPECT_THROW(compare(report, other, 10), Error);
  other = report;
  other.rows[0].name = "b";
  EXPECT_THROW(compare(report, other, 10), Error);
  other = report;
  other.threads = 5;
  EXPECT_TRUE(has(compare(report, other, 10).table, "threads was 2, is 5"));
}

// ---- Cases ----

// A composition that computes something else would make the gain a number without a meaning.
TEST(BenchCases, CompositionsGiveTheKernelsNumbers) {
  const NoGrad no_grad;
  int compared = 0;
  for (const NamedCase& named : all_cases()) {
    for (const int64_t size : {1024, 100000}) {
      const Setting setting{.size = size, .dtype = DType::f64, .device = {}};
      const Case made = named.make(setting);
      made.run();
      ASSERT_FALSE(made.results.empty()) << named.name;
      if (!made.composed) continue;
      const std::vector<Tensor> composed = made.composed();
      ASSERT_EQ(composed.size(), made.results.size()) << named.name;
      for (size_t k = 0; k < composed.size(); ++k) {
        const auto a = made.results[k].to_vector<double>(), b = composed[k].to_vector<double>();
        ASSERT_EQ(a.size(), b.size()) << named.name << " result " << k;
        for (size_t i = 0; i < a.size(); ++i)
          ASSERT_NEAR(a[i], b[i], 1e-9 * (1 + std::abs(a[i])))
              << named.name << " result " << k << " at " << i;
      }
      ++compared;
    }
  }
  EXPECT_GE(compared, 2 * 25);
}

// All elements of the inputs and outputs are counted: twice the size, twice the traffic.
TEST(BenchCases, TrafficIsWhatWasAskedFor) {
  for (const NamedCase& named : all_cases()) {
    if (!named.timed) continue;
    const Case made = named.make({.size = 8 << 20, .dtype = DType::f32, .device = {}});
    EXPECT_NEAR(static_cast<double>(made.bytes), 8 << 20, 0.06 * (8 << 20)) << named.name;
  }
}

// A kernel is its family and its case: everything that takes a stream and is declared in a public header is called
// by a case, and a family's cases bear its header's name.
TEST(BenchCases, EveryLauncherHasACase) {
  namespace fs = std::filesystem;
  std::string cases;
  for (const auto& entry : fs::directory_iterator(duel::testing::in_source("apps/bench/cases")))
    if (entry.path().extension() == ".cpp") cases += read(entry.path());
  std::set<std::string> families, names;
  for (const NamedCase& named : all_cases()) {
    families.insert(named.family);
    EXPECT_TRUE(names.insert(named.name).second) << named.name << " is there twice";
  }
  int launchers = 0;
  for (const char* room : {"map", "reduce", "training", "linear"}) {
    for (const auto& entry : fs::directory_iterator(duel::testing::in_source("kernels") / room)) {
      if (entry.path().extension() != ".h") continue;
      const std::string text = std::regex_replace(read(entry.path()), std::regex("//[^\n]*"), "");
      const std::regex launcher("void (\\w+)\\(Stream stream");
      const std::string family = entry.path().stem().string();
      for (std::sregex_iterator at(text.begin(), text.end(), launcher), end; at != end; ++at) {
        const std::string name = (*at)[1];
        EXPECT_TRUE(std::regex_search(cases, std::regex("\\b" + name + "[<(]")))
            << family << ".h declares " << name << "(), which no case in apps/bench/cases/*.cpp calls";
        EXPECT_TRUE(families.contains(family)) << "no case has the family " << family;
        ++launchers;
      }
    }
  }
  EXPECT_GE(launchers, 45) << "the headers are not read";
}

TEST(BenchTimer, TimesWhatIsCalled) {
  for (const Cache cache : {Cache::warm, Cache::cold}) {
    const auto timer = make_timer({}, cache);
    int64_t calls = 0;
    double sum = 0;
    const Timed timed = timer->prepare(
        [&] {
          ++calls;
          for (int i = 0; i < 20000; ++i) sum += std::sqrt(i + sum);
        },
        8);
    EXPECT_TRUE(cache == Cache::warm || timed.calls == 1);
    const int64_t before = calls;
    const double seconds = timer->sample(timed);
    EXPECT_EQ(calls - before, timed.calls + (cache == Cache::warm ? 1 : 0));
    EXPECT_GT(seconds, 10e-6);  // twenty thousand square roots one after another
    EXPECT_LT(seconds, 0.5);
  }
}

// ---- The command ----

TEST(Bench, StepGivesOneLineOfJson) {
  const Result r = duel({"bench", "step", "--arch", "mlp", "--objective", "wgan-gp", "--batch", "4",
                         "--threads", "1", "--iterations", "5", "--json"});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 1);
  for (const char* part : {"\"ms_median\": ", "\"ms_p10\": ", "\"ms_p90\": ", "\"critic_steps\": 5",
                           "\"threads\": 1", "\"iterations\": 5", "\"peak_resident_mib\": "}) {
    EXPECT_TRUE(has(r.out, part)) << r.out;
  }
  const double median = std::stod(r.out.substr(r.out.find("\"ms_median\": ") + 13));
  EXPECT_GT(median, 0.0);
}

// What a step holds beside its tensors is the program and what is lost between blocks: kept by size, free blocks alone were 107 MiB.
TEST(Bench, AStepOfConvolutionsFitsInto130MiB) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer keeps what is freed";
#endif
  const Result r = duel({"bench", "step", "--device", "cpu", "--arch", "dcgan", "--objective", "wgan-gp",
                         "--batch", "64", "--threads", "1", "--iterations", "1", "--json"});
  ASSERT_EQ(r.status, 0) << r.err;
  const auto line = nlohmann::json::parse(r.out);
  EXPECT_LT(line.at("peak_resident_mib").get<double>(), 130) << r.out;
  EXPECT_GT(line.at("peak_tensors_mib").get<double>(), 40) << r.out;
}

TEST(Bench, StepTimesEveryCombinationInOneProcess) {
  const Result r = duel({"bench", "step", "--device", "cpu", "--arch", "mlp", "--objective", "ns-gan,hinge",
                         "--batch", "2,3", "--threads", "1", "--seconds", "0.01", "--json"});
  EXPECT_EQ(r.status, 0) << r.err;
  std::istringstream lines(r.out);
  for (const std::string workload : {"ns-gan\", \"batch\": 2,", "hinge\", \"batch\": 2,",
                                     "ns-gan\", \"batch\": 3,", "hinge\", \"batch\": 3,"}) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line)) << r.out;
    // The counts are those of tests/peers/torch_gan.py, which bench_step.py compares.
    for (const std::string& part :
         {"\"objective\": \"" + workload, std::string("\"parameters_g\": 559632, \"parameters_d\": 533505"),
          std::string("\"ms_cpu\": ")})
      EXPECT_TRUE(has(line, part)) << part << " in " << line;
  }
}

TEST(Bench, RefusesWhatItCannotTime) {
  expect_refused(duel({"bench", "step", "--batch", "64,,128"}), {"batch", "''"});
  expect_refused(duel({"bench", "step", "--batch", "64,0"}), {"batch", "got 0"});
  expect_refused(duel({"bench", "step", "--seconds", "0"}), {"seconds", "got 0"});
  expect_refused(duel({"bench", "step", "--arch", "mlp,cnn"}), {"arch", "'cnn'"});
  expect_refused(duel({"bench", "nodes", "--device", "cpu"}), {"nodes", "GPU"});
  expect_refused(duel({"bench", "nodes", "--arch", "mlp"}), {"arch", "nodes"});
}

TEST(BenchKernels, WritesItsReportsAndComparesThem) {
  Scratch scratch;
  const std::string json = scratch / "r.json", csv = scratch / "r.csv";
  const std::vector<std::string> run{"bench",      "kernels", "--filter",   "^loss_hinge|^weight_clip$",
                                     "--device",   "cpu",     "--min-size", "1K",
                                     "--max-size", "16KB",    "--quick",    "--threads",
                                     "1",          "--json",  json,         "--csv",
                                     csv};
  const Result r = duel(run);
  ASSERT_EQ(r.status, 0) << r.err;
  for (const char* part : {"loss_hinge", "weight_clip", "% copy", "gain", "noise", " 1 thread,"})
    EXPECT_TRUE(has(r.out, part)) << r.out;
  EXPECT_FALSE(has(r.out, "adam"));
  const auto report = nlohmann::json::parse(read(json));
  ASSERT_EQ(report.at("results").size(), 4u);
  EXPECT_EQ(report.at("threads"), 1);
  for (const auto& row : report.at("results")) {
    EXPECT_GT(row.at("median_us").get<double>(), 0);
    EXPECT_LE(row.at("p10_us").get<double>(), row.at("p90_us").get<double>());
    EXPECT_GT(row.at("composed_us").get<double>(), 0);
    EXPECT_TRUE(row.at("launches").is_null());  // there are none on the host
    const double bandwidth = row.at("bytes").get<double>() / row.at("median_us").get<double>() / 1e3;
    EXPECT_NEAR(row.at("gb_per_s").get<double>(), bandwidth, 1e-3 * bandwidth);
  }
  EXPECT_TRUE(has(read(csv), "median_us"));

  // Compared with itself at times that no machine reaches, and at times that any machine does.
  auto wrong = report;
  for (auto& row : wrong["results"]) row["median_us"] = 1e-6;
  write(scratch / "fast.json", wrong.dump());
  for (auto& row : wrong["results"]) row["median_us"] = 1e9;
  write(scratch / "slow.json", wrong.dump());
  std::vector<std::string> compared{
      "bench",   "kernels",   "--filter", "^weight_clip$", "--device",           "cpu", "--max-size", "16K",
      "--quick", "--threads", "1",        "--compare",     scratch / "fast.json"};
  const Result slower = duel(compared);
  EXPECT_EQ(slower.status, 1) << slower.err;
  EXPECT_TRUE(has(slower.out, "2 slower by more than 10 %")) << slower.out;
  compared.back() = scratch / "slow.json";
  EXPECT_EQ(duel(compared).status, 0);
}

// Fails where the report is written at the end only: a time limit would lose everything.
TEST(BenchKernels, WhatIsMeasuredIsKeptWhenItIsEnded) {
  Scratch scratch;
  Process running({"bench", "kernels", "--filter", "^sgd$", "--device", "cpu", "--threads", "1", "--json",
                   scratch / "r.json", "--csv", scratch / "r.csv"});
  ASSERT_TRUE(running.wait_for(scratch / "r.json", "\"sgd\""));
  ASSERT_TRUE(running.wait_for(scratch / "r.csv", "sgd"));
  running.send(SIGKILL);
  EXPECT_EQ(running.finish().status, 128 + SIGKILL);
  const auto report = nlohmann::json::parse(read(scratch / "r.json"));
  EXPECT_GE(report.at("results").size(), 1u);
}

TEST(BenchKernels, RefusesWhatItCannotDo) {
  Scratch scratch;
  const auto refuse = [](std::vector<std::string> more, const std::vector<std::string>& parts) {
    more.insert(more.begin(), {"bench", "kernels"});
    expect_refused(duel(more), parts);
  };
  refuse({"--filter", "("}, {"filter", "regular expression", "'('"});
  refuse({"--filter", "adamw"}, {"filter", "'adamw'"});
  refuse({"--min-size", "large"}, {"min-size", "'large'"});
  refuse({"--max-size", "0"}, {"max-size", "'0'"});
  refuse({"--min-size", "2M", "--max-size", "1M"}, {"min-size", "1M", "2M"});
  refuse({"--l2", "hot"}, {"l2", "'hot'"});
  refuse({"--dtype", "f16"}, {"dtype", "'f16'"});
  refuse({"--device", "tpu"}, {"device", "'tpu'"});
  refuse({"--threshold", "much"}, {"threshold", "'much'"});
  refuse({"--threshold", "-1"}, {"threshold", "-1"});
  refuse({"--threads", "-1"}, {"threads", "-1"});
  refuse({"--arch", "mlp"}, {"arch", "kernels"});
  refuse({"--check", "--quick", "--filter", "^fill$", "--max-size", "1K", "--device", "cpu"},
         {"check", "plain ops"});
  refuse({"--json", scratch / "none/r.json"}, {"json", "none"});
  refuse({"--compare", scratch / "none.json"}, {"none.json"});
  write(scratch / "bad.json", "{\"bench\": \"step\"}");
  refuse({"--compare", scratch / "bad.json"}, {"bad.json", "bench kernels"});
  write(scratch / "cut.json", "{\"bench\": \"kernels\", \"results\": [");
  refuse({"--compare", scratch / "cut.json"}, {"cut.json"});
  expect_refused(duel({"bench", "step", "--filter", "x"}), {"filter", "step"});
}

}  // namespace
}  // namespace duel::apps::testing
