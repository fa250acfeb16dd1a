// The founding claims: facts, records and the page; exact transport; and each claim in small, which must hold.
#include "duel/gan/lab/founding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "duel/core/io/internal/json.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/lab/internal/transport.h"
#include "duel/gan/record/machine.h"
#include "duel/gan/report/report.h"
#include "tests/files.h"
#include "tests/gan/report/page.h"

namespace duel::gan::lab {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using duel::testing::Scratch;
using duel::testing::text_of;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Founding, AFactHoldsWithinItsBoundOfFiniteNumbers) {
  EXPECT_TRUE((Fact{"", 1, 1.5, 0.5, ""}.holds()));
  EXPECT_TRUE((Fact{"", 1, 0.5, 0.5, ""}.holds()));
  EXPECT_FALSE((Fact{"", 1, 1.5000001, 0.5, ""}.holds()));
  EXPECT_FALSE((Fact{"", 1, 0.4999999, 0.5, ""}.holds()));
  const double nan = std::nan("");
  EXPECT_FALSE((Fact{"", 0, nan, 1, ""}.holds()));
  EXPECT_FALSE((Fact{"", kInfinity, kInfinity, 1, ""}.holds()));
  EXPECT_FALSE((Fact{"", 0, 5, kInfinity, ""}.holds())) << "a bound that holds for everything says nothing";
  EXPECT_FALSE(FoundingRecord().holds()) << "nothing was shown";
}

/// A row of the table that shows two facts and a picture without computing them.
FoundingRow made_up(const std::string& name, Shown (*show)(const FoundingOptions&, LabObserver&)) {
  FoundingRow row = find_founding_row(name);
  row.show = show;
  return row;
}
Shown one_holds(const FoundingOptions&, LabObserver&) {
  Canvas red(3, 2, {255, 0, 0});
  return {.facts = {{"a < b", 1, 1.25, 0.5, "by & by"}, {"not a number", 0, std::nan(""), 1, "lemma 2"}},
          .pictures = {{"red", red}},
          .conclusions = {"One of them holds."},
          .tables = {{"sort of",
                      {"x", "y"},
                      {{"a & b", {0.5, kInfinity}, "noted"}, {"short", {2}}, {"none", {std::nan("")}}}},
                     {"hidden", {"100"}, {{"raw", {std::nan("")}}}, false}}};
}
Shown holds(const FoundingOptions&, LabObserver&) {
  return {.facts = {{"sure", 2, 2, 0, ""}}, .pictures = {}, .conclusions = {}};
}

TEST(Founding, RecordsAreReadBackAndThePageHasThemAll) {
  Scratch scratch;
  LabObserver quiet;
  const auto out = scratch / "deep" / "lab";
  const FoundingOptions options{
      .quick = true, .seeds = {3, 5}, .data = "synthetic", .objectives = {"wgan", "hinge"}};
  EXPECT_FALSE(write_founding(made_up("clipping", one_holds), options, out, quiet));
  EXPECT_TRUE(write_founding(made_up("theory", holds), {}, out, quiet));

  const FoundingRecord record = read_founding(out, "clipping");
  const Shown shown = one_holds({}, quiet);
  EXPECT_EQ(record.claim, find_founding_row("clipping").claim);
  EXPECT_TRUE(record.options.quick);
  EXPECT_EQ(record.options.seeds, (std::vector<uint64_t>{3, 5}));
  EXPECT_EQ(record.options.data, "synthetic");
  EXPECT_EQ(record.options.objectives, (std::vector<std::string>{"wgan", "hinge"}));
  EXPECT_FALSE(record.duel.empty());
  EXPECT_EQ(record.commit, source_commit());
  ASSERT_EQ(record.facts.size(), 2U);
  EXPECT_EQ(record.facts[0].what, "a < b");
  EXPECT_EQ(record.facts[0].found, 1.25);
  EXPECT_EQ(record.facts[0].source, "by & by");
  EXPECT_TRUE(std::isnan(record.facts[1].found));
  EXPECT_EQ(record.pictures, std::vector<std::string>{"clipping-red.png"});
  EXPECT_EQ(record.conclusions, shown.conclusions);
  ASSERT_EQ(record.tables.size(), 2U);
  EXPECT_EQ(record.tables[0].columns, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(record.tables[0].rows.at(0).numbers, (std::vector<double>{0.5, kInfinity}));
  EXPECT_EQ(record.tables[0].rows.at(0).note, "noted");
  EXPECT_EQ(record.tables[0].rows.at(1).numbers, std::vector<double>{2});
  EXPECT_TRUE(std::isnan(record.tables[1].rows.at(0).numbers.at(0)));
  EXPECT_TRUE(record.tables[0].listed && !record.tables[1].listed);
  EXPECT_FALSE(record.holds());
  EXPECT_TRUE(read_founding(out, "theory").holds());

  const std::string page = text_of(out / "lab.html"), png = text_of(out / "clipping-red.png");
  EXPECT_TRUE(png.starts_with("\x89PNG"));
  EXPECT_TRUE(has(page, "data:image/png;base64," + base64(png)));
  EXPECT_TRUE(has(page,
                  "<th scope=\"row\">a &lt; b<br><small>by &amp; by</small></th><td>1</td><td>1.25</td>"
                  "<td>0.5</td><td>yes</td>"))
      << page;
  EXPECT_TRUE(has(page, "<td>nan</td><td>1</td><td class=\"mark\">no</td>")) << page;
  EXPECT_TRUE(has(page, "One of them holds."));
  EXPECT_TRUE(has(page, "a &amp; b<br><small>noted</small></th><td>0.5</td><td>inf</td>")) << page;
  EXPECT_TRUE(has(page, "none</th><td>-</td>")) << "there is none";
  EXPECT_FALSE(has(page, ">hidden<") || has(page, ">raw<"));
  EXPECT_TRUE(has(page, std::string("(commit ") + source_commit() + ")"));
  EXPECT_TRUE(has(page, "duel lab clipping --quick --objective wgan,hinge, seeds 3, 5"));
  EXPECT_LT(page.find("id=\"theory\""), page.find("id=\"clipping\"")) << "the order of the rows";
  EXPECT_TRUE(has(page, "prefers-color-scheme: dark"));
  EXPECT_EQ(gan::testing::faults_of(page), std::vector<std::string>{});

  // Written again, it has what is new alone.
  EXPECT_TRUE(write_founding(made_up("clipping", holds), {}, out, quiet));
  EXPECT_FALSE(has(text_of(out / "lab.html"), "a &lt; b"));
}

int shown_count = 0;
Shown counted_show(const FoundingOptions& options, LabObserver& observer) {
  ++shown_count;
  return holds(options, observer);
}

TEST(Founding, WhatCannotBeReadIsSaidBeforeTheWork) {
  Scratch scratch;
  LabObserver quiet;
  const FoundingRow theory = made_up("theory", counted_show);
  for (const char* broken : {"{", "[]", "{\"name\": \"clipping\"}"}) {
    duel::testing::write(scratch / "clipping.json", broken);
    const std::string why = error_of([&] { write_founding(theory, {}, scratch.dir(), quiet); });
    EXPECT_TRUE(has(why, "clipping.json") && has(why, "run its command again")) << why;
  }
  EXPECT_EQ(shown_count, 0);
  EXPECT_EQ(duel::testing::files_in(scratch.dir()), 1U);
  std::filesystem::remove(scratch / "clipping.json");

  EXPECT_TRUE(write_founding(made_up("clipping", one_holds), {}, scratch.dir(), quiet) == false);
  std::string record = text_of(scratch / "clipping.json");
  const size_t at = record.find("clipping-red.png");
  duel::testing::write(scratch / "clipping.json", record.replace(at, 16, "../../elsewhere"));
  EXPECT_TRUE(has(error_of([&] { read_founding(scratch.dir(), "clipping"); }), "expected names of files"));
  EXPECT_TRUE(has(error_of([&] { read_founding(scratch.dir(), "theory"); }), "theory.json"));
  EXPECT_TRUE(has(error_of([&] { find_founding_row("theroy"); }), "expected one of theory, "));
  EXPECT_TRUE(has(error_of([&] { write_founding(theory, {.seeds = {}}, scratch.dir(), quiet); }), "seed"));
}

TEST(Founding, ReadsRecordsOfBeforeCommitsAndTables) {
  Scratch scratch;
  LabObserver quiet;
  EXPECT_FALSE(write_founding(made_up("clipping", one_holds), {}, scratch.dir(), quiet));
  json::Json record = json::Json::parse(text_of(scratch / "clipping.json"));
  record.erase("commit");
  record.erase("tables");
  duel::testing::write(scratch / "clipping.json", record.dump());
  EXPECT_EQ(read_founding(scratch.dir(), "clipping").commit, "unknown");
  EXPECT_TRUE(read_founding(scratch.dir(), "clipping").tables.empty());
  record["tables"] = 3;
  duel::testing::write(scratch / "clipping.json", record.dump());
  EXPECT_TRUE(has(error_of([&] { read_founding(scratch.dir(), "clipping"); }), "clipping.json"));
}

TEST(Founding, WhatIsStoppedIsNotWritten) {
  struct Stop : LabObserver {
    bool stop() override { return true; }
  } stopped;
  Scratch scratch;
  for (const FoundingRow& row : founding_rows())
    EXPECT_FALSE(write_founding(row, {.quick = true}, scratch.dir(), stopped)) << row.name;
  EXPECT_EQ(duel::testing::files_in(scratch.dir()), 0U);
}

TEST(Transport, TheAssignmentIsTheBestOfAllPermutations) {
  Generator random(7);
  for (const int64_t n : {1, 2, 3, 6, 7}) {
    for (int repeat = 0; repeat < 5; ++repeat) {
      const auto values = random.uniform({n * n}, -1.0, 3.0).to_vector<double>();
      std::vector<std::vector<double>> cost;
      for (int64_t i = 0; i < n; ++i) cost.emplace_back(values.begin() + i * n, values.begin() + (i + 1) * n);
      std::vector<size_t> order(static_cast<size_t>(n));
      std::iota(order.begin(), order.end(), size_t{0});
      double least = kInfinity;
      do {
        double sum = 0;
        for (size_t i = 0; i < order.size(); ++i) sum += cost[i][order[i]];
        least = std::min(least, sum);
      } while (std::next_permutation(order.begin(), order.end()));
      const Assignment found = best_assignment(cost);
      EXPECT_NEAR(found.cost, least, 1e-12);
      std::vector<size_t> columns = found.columns;
      double sum = 0;
      for (size_t i = 0; i < columns.size(); ++i) sum += cost[i][columns[i]];
      EXPECT_NEAR(sum, least, 1e-12);
      std::sort(columns.begin(), columns.end());
      std::iota(order.begin(), order.end(), size_t{0});
      EXPECT_EQ(columns, order);
    }
  }
  EXPECT_THROW(best_assignment({{1, 2}}), Error);
}

TEST(Transport, OnTheLineSortingIsTheAssignment) {
  Generator random(8);
  const auto a = random.normal({20}).to_vector<double>(),
             b = random.normal({20}, 1.0, 3.0).to_vector<double>();
  std::vector<std::vector<double>> cost;
  for (const double x : a) {
    cost.emplace_back();
    for (const double y : b) cost.back().push_back(std::abs(x - y));
  }
  EXPECT_NEAR(sorted_distance(a, b), best_assignment(cost).cost / 20, 1e-12);
  EXPECT_DOUBLE_EQ(sorted_distance({0, 1}, {3, 2}), 2);
  EXPECT_THROW(sorted_distance({0}, {1, 2}), Error);
}

TEST(Transport, DivergencesByHand) {
  const DiscreteDivergences d = discrete_divergences({0.5, 0.5, 0}, {0.25, 0.75, 0});
  EXPECT_NEAR(d.kl, 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3), 1e-15);
  EXPECT_EQ(d.missed, 0);
  const DiscreteDivergences apart = discrete_divergences({0.5, 0.5, 0}, {0, 0.5, 0.5});
  EXPECT_EQ(apart.kl, kInfinity);
  EXPECT_EQ(apart.missed, 0.5);
  EXPECT_NEAR(apart.js, 0.5 * std::log(2.0), 1e-15);
}

/// Shows it in small with the seed that the commands begin with.
void expect_shown(const std::string& name) {
  Scratch scratch;
  LabObserver quiet;
  const bool held = write_founding(find_founding_row(name), {.quick = true}, scratch.dir(), quiet);
  const FoundingRecord record = read_founding(scratch.dir(), name);
  for (const Fact& fact : record.facts)
    EXPECT_TRUE(fact.holds()) << fact.what << ": expected " << fact.expected << ", found " << fact.found
                              << ", bound " << fact.bound;
  EXPECT_TRUE(held);
  EXPECT_FALSE(record.conclusions.empty());
  for (const std::string& picture : record.pictures)
    EXPECT_GT(std::filesystem::file_size(scratch / picture), 1000U) << picture;
}

TEST(Founding, TheoryHolds) { expect_shown("theory"); }
TEST(Founding, ClippingIsWhatTheyFound) { expect_shown("clipping"); }

}  // namespace
}  // namespace duel::gan::lab
