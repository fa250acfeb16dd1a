// The rows of measures.h: whole, each key once, what a run writes; and the tables of gan/README.md, which are
// made from them. Where the environment variable DUEL_MEASURES names that file, they are written anew:
//   DUEL_MEASURES=gan/README.md build/tests/duel_test_gan --gtest_filter='Measures.*'
#include "duel/gan/train/measures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "duel/gan/record/metrics_log.h"
#include "duel/gan/train/diagnostics.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using Where = Measure::Where;

std::string keys_cell(const Measure& row) {
  std::string cell;
  for (const MeasureKey& key : row.keys)
    cell += (cell.empty() ? "`" : ", `") + key.name + (key.member.empty() ? "" : "/" + key.member) + "`";
  return cell;
}

std::string table_of(Where where, const std::string& heading) {
  std::string table = "| " + heading + " | meaning | healthy | sick | source |\n|---|---|---|---|---|\n";
  for (const Measure& row : measures()) {
    if (row.where != where) continue;
    table += "| " + keys_cell(row);
    for (const std::string* cell : {&row.meaning, &row.healthy, &row.sick, &row.source})
      table += " |" + (cell->empty() ? "" : " " + *cell);
    table += " |\n";
  }
  return table;
}

TEST(Measures, AreTheTablesOfTheReadme) {
  const char* wanted = std::getenv("DUEL_MEASURES");
  const std::filesystem::path file = wanted ? wanted : duel::testing::in_source("gan/README.md");
  std::string text = duel::testing::text_of(file);
  for (const auto& [where, heading] : {std::pair{Where::line, "every line"},
                                       {Where::look, "diagnosed lines"},
                                       {Where::timing, "lines of `timing.jsonl`"}}) {
    const size_t begin = text.find(std::string("| ") + heading + " |");
    ASSERT_NE(begin, std::string::npos) << "gan/README.md has no table of " << heading;
    const size_t end = text.find("\n\n", begin) + 1;
    const std::string table = table_of(where, heading);
    if (wanted) {
      text.replace(begin, end - begin, table);
    } else {
      EXPECT_EQ(text.substr(begin, end - begin), table)
          << "gan/README.md is stale: the head of tests/gan/train/measures_test.cpp says how it is written";
    }
  }
  if (wanted) duel::testing::put(file, {text.begin(), text.end()});
}

TEST(Measures, HaveOneRowPerKeyAndAskNothingElse) {
  std::set<std::pair<bool, std::string>> keys;
  std::map<std::string, int> titles;
  std::set<int> orders;
  for (const Measure& row : measures()) {
    const std::string name = row.keys.at(0).name;
    for (const MeasureKey& key : row.keys)
      EXPECT_TRUE(keys.insert({row.where == Where::timing, key.name}).second) << key.name << " stands twice";
    EXPECT_FALSE(row.meaning.empty()) << name;
    EXPECT_EQ(row.of_look != nullptr, row.where == Where::look) << name;
    for (const std::string* cell : {&row.meaning, &row.healthy, &row.sick, &row.source})
      EXPECT_EQ(cell->find_first_of("|\n"), std::string::npos) << name << ": it would break the table";
    for (const WarnIf& warn : row.warn) {
      for (const std::string& key : warn.of) EXPECT_EQ(&measure_of(key), &row) << key << " is another row's";
      EXPECT_TRUE(warn.sick && warn.window >= 1 && !warn.sentence.empty()) << name;
    }
    if (row.plot.diagram.empty()) continue;
    EXPECT_TRUE(orders.insert(row.plot.order).second) << name << ": another row has this place";
    titles[row.plot.diagram] += !row.plot.title.empty();
    EXPECT_FALSE(row.healthy.empty()) << name << ": the caption needs it";
  }
  for (const auto& [diagram, count] : titles) EXPECT_EQ(count, 1) << diagram << ": one row has its titles";
}

TEST(Measures, AreWhatLinesHold) {
  Metrics m{.iteration = 1, .loss_d = 1, .loss_g = 1};
  m.terms_d = m.terms_g = {{"drift", 2.5}};
  m.more = {{"k", 0.5}, {"convergence", 1.0}, {"adapting_p", 0.25}};
  Diagnosis d;
  for (const Measure& row : measures()) {
    if (row.where != Where::look) continue;
    for (const MeasureKey& key : row.keys) {
      if (!key.member.empty()) {
        d.set(key.name, NamedValues{{"0.weight", 1.0}});
      } else {
        key.name.starts_with("histogram") ? d.set(key.name, Histogram{0, 1, {1}}) : d.set(key.name, 1.0);
      }
    }
  }
  const NamedValues some{{"some-judge-v1", 1.0}};
  const MetricsLog log = parse_metrics(to_json_line(m, 0.5, true, d, {some, some, some})),
                   timing = parse_metrics(to_json_line(Timing{.iteration = 1}));
  for (const Measure& row : measures()) {
    for (const MeasureKey& key : row.keys) {
      const MetricsLog& in = row.where == Where::timing ? timing : log;
      EXPECT_TRUE(key.name == "iteration" || in.curve(key.name) || in.last_histogram(key.name) ||
                  (!key.member.empty() && !in.group(key.name).empty()))
          << key.name;
    }
  }
}

TEST(Measures, RefuseAKeyThatNobodyHas) {
  Diagnosis d;
  EXPECT_THROW(measure_of("fake_spred"), Error);
  EXPECT_THROW(d.number("fake_spred"), Error) << "not a NaN that looks like a measure which does not apply";
  EXPECT_THROW(d.set("loss_d", 1.0), Error) << "no look finds it";
  d.set("spectral_norms", NamedValues{{"0.weight", 1}});
  EXPECT_THROW(d.number("spectral_norms"), Error) << "of another kind";
  d.set("fake_spread", 0.5);
  EXPECT_EQ(d.number("fake_spread"), 0.5);
  d.set("fake_spread", Diagnosis::none);
  EXPECT_EQ(d.find("fake_spread"), nullptr);
}

}  // namespace
}  // namespace duel::gan
