// duel compare: what differs, values where both have been and at the end, and a page in one file.
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/gan/report/page.h"
#include "tiny_run.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

class Compare : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Scratch;
    ASSERT_EQ(duel(tiny_run(at("a"))).status, 0);
    ASSERT_EQ(duel(tiny_run(at("b"), {"--lr-g", "0.001", "--steps", "30"})).status, 0);
    ASSERT_EQ(
        duel(tiny_run(at("c"), {"--latent", "12", "--objective", "wgan-gp", "--diagnose-every", "0"})).status,
        0);
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static std::filesystem::path at(const std::string& name) { return *folder_ / name; }
  /// The words of the n-th line that begins with `first`.
  static Args row(const std::string& text, const std::string& first, int n = 0) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream in(line);
      const Args words{std::istream_iterator<std::string>(in), {}};
      if (!words.empty() && words[0] == first && n-- == 0) return words;
    }
    return {};
  }
  static double logged(const std::string& run, int iteration, const std::string& key) {
    std::istringstream lines(read(at(run) / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const auto values = nlohmann::json::parse(line);
      if (values.at("iteration") == iteration) return values.at(key);
    }
    ADD_FAILURE() << run << " has no line of " << iteration;
    return 0;
  }

  inline static Scratch* folder_ = nullptr;
  const Scratch scratch_;
};

TEST_F(Compare, SaysWhatDiffersAndTheValuesWhereBothHaveBeenAndAtTheEnd) {
  const auto before = contents(folder_->dir());
  const Result r = duel({"compare", at("a").string(), at("b").string()});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(row(r.out, "lr-g"), (Args{"lr-g", "0.0002", "0.001"}));
  EXPECT_EQ(row(r.out, "steps"), (Args{"steps", "20", "30"}));
  EXPECT_TRUE(row(r.out, "batch").empty()) << "what is alike is left out\n" << r.out;
  EXPECT_TRUE(has(r.out, "ns-gan with mlp, iteration 30 of 30, finished")) << r.out;
  // 20 is the last line of a, and a line of b: it is one of the looks.
  const Args common = row(r.out, "loss_g"), last = row(r.out, "loss_g", 1);
  ASSERT_EQ(common.size(), 4u) << r.out;
  EXPECT_EQ(common[1], "20");
  EXPECT_NEAR(std::stod(common[2]), logged("a", 20, "loss_g"), 1e-3);
  EXPECT_NEAR(std::stod(common[3]), logged("b", 20, "loss_g"), 1e-3);
  ASSERT_EQ(last.size(), 3u) << r.out;
  EXPECT_NEAR(std::stod(last[1]), logged("a", 20, "loss_g"), 1e-3);
  EXPECT_NEAR(std::stod(last[2]), logged("b", 30, "loss_g"), 1e-3);
  EXPECT_EQ(row(r.out, "iteration"), (Args{"iteration", "20", "30"}));
  EXPECT_FALSE(row(r.out, "held_out_gap").empty()) << "looks too\n" << r.out;
  std::istringstream lines(r.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_TRUE(contents(folder_->dir()) == before);
}

TEST_F(Compare, ThePageHoldsCurvesAndSamplesFromTheSamePoints) {
  const auto page = scratch_ / "compare.html";
  const Args args{"compare", at("a").string(), at("b").string(), at("c").string(), "--out", page.string()};
  const Result r = duel(args);
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, page.string()));
  const std::string html = read(page);
  EXPECT_TRUE(has(html, "<!DOCTYPE html>") && has(html, "prefers-color-scheme: dark"));
  for (const char* key : {"loss_d", "loss_g", "js_estimate", "held_out_gap"})
    EXPECT_TRUE(has(html, "id=\"plot-" + std::string(key) + "\"")) << key;
  EXPECT_FALSE(has(html, "id=\"plot-epoch\""));
  EXPECT_EQ(occurrences(html, "<img alt=\"samples of "), 3u);
  EXPECT_EQ(occurrences(html, "; the same latent points"), 1u);
  EXPECT_EQ(occurrences(html, "; other latent points"), 1u);
  EXPECT_TRUE(has(html, "lr-g") && has(html, "0.001") && has(html, "latent"));
  EXPECT_EQ(gan::testing::faults_of(html), std::vector<std::string>{});
  // The grid is what duel sample draws from these points.
  ASSERT_EQ(duel({"sample", "--checkpoint", at("b").string(), "--out", (scratch_ / "b.png").string()}).status,
            0);
  const size_t image = html.find("<img alt=\"samples of B\""), begin = html.find("base64,", image) + 7;
  const std::string coded = html.substr(begin, html.find('"', begin) - begin);
  EXPECT_EQ(coded.size(), (read(scratch_ / "b.png").size() + 2) / 3 * 4);

  const auto before = contents(scratch_.dir());
  expect_refused(duel(args), {page.string(), "is there already", "--force"});
  EXPECT_TRUE(contents(scratch_.dir()) == before);
  Args again = args;
  again.insert(again.end(), {"--force", "--seed", "8"});
  ASSERT_EQ(duel(again).status, 0);
  EXPECT_NE(read(page), html);
}

TEST_F(Compare, WhatAJudgeSaidStandsByItsName) {
  const auto page = scratch_ / "c.html";
  for (const char* seed : {"1", "2"}) {
    const Args judged{"--seed",       seed, "--steps",           "4",  "--eval-every", "2",
                      "--eval-count", "50", "--synthetic-count", "200"};
    ASSERT_EQ(duel(tiny_run(scratch_ / seed, judged)).status, 0);
  }
  const Result r =
      duel({"compare", (scratch_ / "1").string(), (scratch_ / "2").string(), "--out", page.string()});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(row(r.out, "seed"), (Args{"seed", "1", "2"}));
  const Args common = row(r.out, "fd-digits-v1"), last = row(r.out, "fd-digits-v1", 1);
  ASSERT_EQ(common.size(), 4u) << r.out;
  EXPECT_EQ(common[1], "4");
  EXPECT_EQ(last, (Args{"fd-digits-v1", common[2], common[3]}));
  EXPECT_TRUE(has(read(page), "id=\"plot-distances/fd-digits-v1\""));
  EXPECT_TRUE(has(read(page), "id=\"plot-counts/modes-digits-v1\""));
  EXPECT_LT(read(page).find("id=\"plot-distances/fd-digits-v1\""), read(page).find("Layer by layer"))
      << "not among the layers";
}

TEST_F(Compare, ManyRunsStandInBlocks) {
  Args args{"compare"};
  for (int i = 0; i < 5; ++i) {
    const auto copy = scratch_ / ("copy" + std::to_string(i));
    std::filesystem::copy(at(i % 2 ? "a" : "b"), copy, std::filesystem::copy_options::recursive);
    args.push_back(copy.string());
  }
  const Result r = duel(args);
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(row(r.out, "lr-g"), (Args{"lr-g", "0.001", "0.0002", "0.001", "0.0002"}));
  EXPECT_EQ(row(r.out, "lr-g", 1), (Args{"lr-g", "0.001"}));
}

TEST_F(Compare, WhatCannotBeCompared) {
  const auto page = scratch_ / "c.html";
  const std::string a = at("a").string(), b = at("b").string();
  const auto refuse = [&](const Args& args, const std::vector<std::string>& parts) {
    const auto before = contents(scratch_.dir());
    expect_refused(duel(args), parts);
    EXPECT_TRUE(contents(scratch_.dir()) == before);
  };
  refuse({"compare"}, {"RUN"});
  refuse({"compare", a}, {"RUN", "2 to 10", "got 1"});
  refuse({"compare", a, a + "/", "--out", page.string()}, {"the same run"});
  refuse({"compare", a, (scratch_ / "nowhere").string(), "--out", page.string()},
         {"nowhere", "no such folder"});
  refuse({"compare", a, scratch_.dir().string(), "--out", page.string()}, {"is no run directory"});
  refuse({"compare", a, b, "--out", (scratch_ / "c.txt").string()}, {"c.txt", ".html"});
  refuse({"compare", a, b, "--out", (scratch_ / "no folder" / "c.html").string()},
         {"no folder", "No such file"});
  refuse({"compare", a, b, "--out", page.string(), "--count", "0"}, {"count", "got 0"});
  std::filesystem::copy(at("a"), scratch_ / "torn", std::filesystem::copy_options::recursive);
  std::filesystem::resize_file(scratch_ / "torn" / "config.json", 30);
  refuse({"compare", a, (scratch_ / "torn").string(), "--out", page.string()}, {"config.json", "not JSON"});
  std::filesystem::remove(scratch_ / "torn" / "metrics.jsonl");
  std::filesystem::copy(at("a") / "config.json", scratch_ / "torn" / "config.json",
                        std::filesystem::copy_options::overwrite_existing);
  refuse({"compare", a, (scratch_ / "torn").string(), "--out", page.string()},
         {"metrics.jsonl", "is not there yet"});
}

TEST_F(Compare, ARunWithoutACheckpointIsComparedWithoutSamples) {
  std::filesystem::copy(at("a"), scratch_ / "early", std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(scratch_ / "early" / "checkpoints");
  const auto page = scratch_ / "c.html";
  const Result r = duel({"compare", at("b").string(), (scratch_ / "early").string(), "--out", page.string()});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(occurrences(read(page), "<img alt=\"samples of "), 1u);
  EXPECT_TRUE(has(read(page), "no samples: "));
}

}  // namespace
}  // namespace duel::apps::testing
