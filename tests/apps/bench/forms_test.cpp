// Reports of the bench in other forms, and two of them beside each other.
#include <nlohmann/json.hpp>

#include "../../../apps/bench/report.h"
#include "../../../apps/bench/report_forms.h"
#include "../command.h"

namespace duel::apps::testing {
namespace {

using bench::Report;
using bench::Row;
using duel::testing::Scratch;

Report small_report(double factor = 1) {
  const auto row = [&](const char* name, int64_t bytes, double median, double noise) {
    return Row{.name = name,
               .family = "losses",
               .shape = "<2x3>",
               .size = bytes,
               .bytes = bytes,
               .microseconds = {.median = factor * median, .p10 = 3, .p90 = 5, .smallest = 2, .count = 10},
               .calls = 7,
               .copy_us = 2,
               .noise = noise};
  };
  return {.duel = "0.1.0",
          .device = "CPU",
          .cpu = "a <CPU>",
          .time = "now",
          .dtype = "f32",
          .l2 = "warm",
          .commit = "0123456789ab",
          .threads = 2,
          .samples_wanted = 10,
          .rows = {row("hinge", 1 << 10, 4, 3), row("hinge", 1 << 20, 8, 12), row("minimax", 1 << 10, 2, 1)},
          .skipped = {{"gone", 1024, "be<cause"}}};
}

TEST(BenchForms, ThePageHoldsEveryPointAndNoForeignText) {
  const std::string page = to_html(small_report());
  EXPECT_EQ(occurrences(page, "<circle"), 3u);
  EXPECT_EQ(occurrences(page, "<polyline"), 2u) << "a line for a kernel";
  EXPECT_EQ(occurrences(page, "class=\"noisy\""), 1u);
  EXPECT_TRUE(has(page, "hinge &lt;2x3&gt;: 1 KB moved, 4 us, 0.3 GB/s, 50 % of a copy, noise 3 %")) << page;
  EXPECT_TRUE(has(page, "commit 0123456789ab") && has(page, "be&lt;cause") && has(page, "a &lt;CPU&gt;"));
  EXPECT_FALSE(has(page, "http://") || has(page, "https://")) << "it opens without a network";
  EXPECT_TRUE(has(page, "prefers-color-scheme: dark"));
}

TEST(BenchForms, GoogleBenchmarksFields) {
  const auto json = nlohmann::json::parse(to_google_json(small_report()));
  EXPECT_EQ(json.at("context").at("commit"), "0123456789ab");
  ASSERT_EQ(json.at("benchmarks").size(), 3u);
  const auto& one = json.at("benchmarks")[1];
  EXPECT_EQ(one.at("name"), "hinge/1048576");
  EXPECT_EQ(one.at("run_type"), "iteration");
  EXPECT_EQ(one.at("time_unit"), "us");
  EXPECT_DOUBLE_EQ(one.at("real_time").get<double>(), 8);
  EXPECT_EQ(one.at("iterations"), 70);
  EXPECT_NEAR(one.at("bytes_per_second").get<double>(), (1 << 20) / 8e-6, 1);
}

TEST(BenchCompare, TwoFilesOfKernels) {
  Scratch scratch;
  write(scratch / "old.json", to_json(small_report()));
  write(scratch / "new.json", to_json(small_report(1.5)));
  const Result r = duel({"bench", "compare", scratch / "old.json", scratch / "new.json"});
  EXPECT_EQ(r.status, 1) << r.err;
  EXPECT_TRUE(has(r.out, "commit 0123456789ab")) << r.out;
  EXPECT_TRUE(has(r.out, "+50.0 %     3 %  slower\n") && has(r.out, "+50.0 %    12 %  slower  noisy\n"))
      << r.out;
  EXPECT_TRUE(has(r.out, "3 compared, 3 slower by more than 10 %, 1 of all noisy")) << r.out;
  EXPECT_EQ(
      duel({"bench", "compare", scratch / "old.json", scratch / "new.json", "--threshold", "60"}).status, 0);
  EXPECT_EQ(duel({"bench", "compare", scratch / "new.json", scratch / "old.json"}).status, 0) << "faster";
}

TEST(BenchCompare, TwoFilesOfSteps) {
  Scratch scratch;
  const auto line = [](const char* arch, double median) {
    return std::string("{\"bench\": \"step\", \"device\": \"cpu\", \"arch\": \"") + arch +
           "\", \"objective\": \"wgan\", \"batch\": 64, " +
           message("\"threads\": 1, \"iterations\": 30, \"ms_median\": {}, \"ms_p10\": {}, \"ms_p90\": {}, ",
                   median, median * 0.99, median * 1.01) +
           "\"ms_min\": 1, \"duel\": \"0.1.0\", \"commit\": \"abc\"}\n";
  };
  write(scratch / "old", line("mlp", 10) + line("dcgan", 100));
  write(scratch / "new", line("mlp", 20) + line("dcgan", 100));
  const Result r = duel({"bench", "compare", scratch / "old", scratch / "new"});
  EXPECT_EQ(r.status, 1) << r.err;
  EXPECT_TRUE(has(r.out, "mlp wgan, 1 thread") && has(r.out, "batch 64") && has(r.out, "+100.0 %")) << r.out;
  EXPECT_TRUE(has(r.out, "2 compared, 1 slower by more than 10 %, 0 of all noisy")) << r.out;
  write(scratch / "torn", line("mlp", 10) + "{\"bench\": \"step\"}\n");
  expect_refused(duel({"bench", "compare", scratch / "old", scratch / "torn"}),
                 {"torn: line 2: expected a line of"});
  write(scratch / "never", line("mlp", 0));
  expect_refused(duel({"bench", "compare", scratch / "old", scratch / "never"}), {"ms_median", "positive"});
}

TEST(BenchCompare, RefusesWhatItCannotCompare) {
  Scratch scratch;
  write(scratch / "a.json", to_json(small_report()));
  expect_refused(duel({"bench", "compare", scratch / "a.json"}), {"compare: expected two files", "got 1"});
  expect_refused(duel({"bench", "compare", scratch / "a.json", scratch / "none"}), {"none"});
  write(scratch / "other", "{}");
  expect_refused(duel({"bench", "compare", scratch / "a.json", scratch / "other"}),
                 {"other: expected a report"});
  expect_refused(duel({"bench", "step", scratch / "a.json"}), {"step: expected no file"});
  expect_refused(duel({"bench", "compare", "--quick"}), {"quick: does not go with bench compare"});
  expect_refused(duel({"bench", "step", "--html", "x"}), {"html: does not go with bench step"});
  expect_refused(duel({"bench", "kernels", "--format", "xml"}),
                 {"format: expected duel or google, got 'xml'"});
}

TEST(BenchKernels, ListsWithoutTimingAndWritesItsForms) {
  Scratch scratch;
  const Result list = duel({"bench", "kernels", "--list", "--filter", "^loss_hinge|^fill$"});
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_TRUE(has(list.out, "loss_hinge") && has(list.out, "a copy, plain ops\n")) << list.out;
  EXPECT_TRUE(has(list.out, "fill ") && has(list.out, "a copy\n")) << list.out;
  EXPECT_FALSE(has(list.out, "median"));
  const Result r = duel({"bench", "kernels", "--filter", "^weight_clip$", "--quick", "--max-size", "1K",
                         "--device", "cpu", "--threads", "1", "--html", scratch / "k.html", "--json",
                         scratch / "g.json", "--format", "google"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(occurrences(read(scratch / "k.html"), "<circle"), 1u);
  EXPECT_EQ(nlohmann::json::parse(read(scratch / "g.json")).at("benchmarks").at(0).at("name"),
            "weight_clip/1024");
}

}  // namespace
}  // namespace duel::apps::testing
