// The lines of metrics.jsonl: written and read back as curves; what is not finite, torn or foreign does no
// harm.
#include "duel/gan/record/metrics_log.h"

#include <gtest/gtest.h>

#include <cmath>

namespace duel::gan {
namespace {

Metrics metrics_of(int64_t iteration) {
  Metrics m{.iteration = iteration, .loss_d = 0.25, .loss_g = 1.0 / 3, .p_real = 0.5};
  m.terms_d = {{"drift", 2.5}};
  return m;
}

TEST(MetricsLog, ReadsBackWhatWasWritten) {
  Diagnosis d;
  d.set("js_estimate", 0.6931471805599453);
  d.set("step_cosine_d", std::numeric_limits<double>::infinity());
  d.set("spectral_norms", NamedValues{{"10.weight", 3.5}, {"2.weight", std::nan("")}});
  d.set("histogram_real", Histogram{-1.5, 2.5, {1, 0, 63}});
  const std::string text = to_json_line(metrics_of(1), 0.5, false) +
                           to_json_line(metrics_of(100), 1.5, true, d) + "{\"iteration\":101,\"epo";
  const MetricsLog log = parse_metrics(text);
  const Curve* g = log.curve("loss_g");
  ASSERT_TRUE(g);
  EXPECT_EQ(g->x, (std::vector<double>{1, 100}));
  EXPECT_EQ(g->y, (std::vector<double>{1.0 / 3, 1.0 / 3})) << "every digit";
  ASSERT_TRUE(log.curve("p_real"));
  EXPECT_EQ(log.curve("p_real")->x, (std::vector<double>{100}));
  EXPECT_EQ(log.curve("terms_d/drift")->y[1], 2.5);
  EXPECT_NEAR(log.curve("js_estimate")->y[0], 0.693147, 1e-6);
  EXPECT_FALSE(log.curve("accuracy")) << "it does not apply";
  EXPECT_TRUE(std::isnan(log.curve("step_cosine_d")->y[0])) << "null";
  const auto norms = log.group("spectral_norms");
  ASSERT_EQ(norms.size(), 2u);
  EXPECT_EQ(norms[0].first, "10.weight") << "the network's order";
  EXPECT_EQ(norms[0].second->y[0], 3.5);
  EXPECT_TRUE(std::isnan(norms[1].second->y[0]));
  const auto* real = log.last_histogram("histogram_real");
  ASSERT_TRUE(real);
  EXPECT_EQ(real->first, 100);
  EXPECT_EQ(real->second.counts, (std::vector<int64_t>{1, 0, 63}));
  EXPECT_EQ(real->second.low, -1.5);
  EXPECT_EQ(real->second.high, 2.5);
}

TEST(MetricsLog, IgnoresWhatIsNoLine) {
  for (const char* text : {"", "\n\n", "nonsense\n", "[1,2]\n", "{\"loss_d\":1}\n", "{\"iteration\":\"1\"}\n",
                           "{\"iteration\":1"}) {
    EXPECT_TRUE(parse_metrics(text).empty()) << text;
  }
  const MetricsLog log = parse_metrics(
      "{\"iteration\":2,\"name\":\"x\",\"list\":[1],\"h\":{\"counts\":[\"a\"]},\"loss_d\":null}\n");
  ASSERT_TRUE(log.curve("loss_d"));
  EXPECT_TRUE(std::isnan(log.curve("loss_d")->y[0]));
  for (const char* key : {"name", "list", "h", "iteration"}) EXPECT_FALSE(log.curve(key)) << key;
  EXPECT_FALSE(log.last_histogram("h")) << "of what is no count";
}

// What a run has in memory is what it would read.
TEST(MetricsLog, GrowsByLines) {
  const std::string first = to_json_line(metrics_of(1), 0.5, false),
                    second = to_json_line(metrics_of(20), 1.0, false),
                    timing = to_json_line(Timing{.iteration = 20, .seconds = 2, .images_per_second = 640});
  MetricsLog log = parse_metrics(first);
  EXPECT_EQ(log.curve("loss_d")->x, (std::vector<double>{1}));
  log.add(second);
  log.add(timing);
  EXPECT_EQ(log.curve("loss_d")->x, (std::vector<double>{1, 20}));
  EXPECT_EQ(log.curve("images_per_second")->y, (std::vector<double>{640}));
  EXPECT_EQ(log.group("terms_d").size(), 1u);
}

TEST(MetricsLog, KnowsTheIterationOfAWholeLine) {
  EXPECT_EQ(iteration_of_line("{\"iteration\":7}"), 7);
  EXPECT_FALSE(iteration_of_line("{\"iteration\":7"));
  EXPECT_FALSE(iteration_of_line("{\"iteration\":7.5}"));
}

}  // namespace
}  // namespace duel::gan
