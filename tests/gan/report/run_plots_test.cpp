// The diagrams of a run: which are drawn from which keys, and that they show the values.
#include "duel/gan/report/run_plots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using duel::gan::testing::Scratch;

std::vector<std::string> names(const std::vector<RunPlot>& plots) {
  std::vector<std::string> all;
  for (const RunPlot& plot : plots) all.push_back(plot.name);
  return all;
}

int64_t pixels_of(const Canvas& canvas, Color color) {
  int64_t count = 0;
  for (int64_t y = 0; y < canvas.height(); ++y) {
    for (int64_t x = 0; x < canvas.width(); ++x) count += canvas.at(x, y) == color;
  }
  return count;
}

std::string logged(bool diagnosed) {
  std::string text;
  for (int64_t i = 1; i <= 3; ++i) {
    const Metrics m{.iteration = 100 * i,
                    .loss_d = 1.0 / static_cast<double>(i),
                    .loss_g = 2,
                    .d_real = 1,
                    .input_gradient_norm = 1,
                    .grad_norm_d = 1,
                    .grad_norm_g = 1};
    Diagnosis d;
    d.set("wasserstein_estimate", 1.0);
    d.set("share_at_clip", 0.5);
    d.set("spectral_norms", NamedValues{{"0.weight", 2}, {"2.weight", 3}});
    d.set("activation_gradients", NamedValues{{"input", 1}, {"0", 0.1}});
    d.set("histogram_real", Histogram{0, 1, {3, 5}});
    d.set("histogram_fake", Histogram{0, 1, {8, 0}});
    d.set("histogram_weights", Histogram{2, 2, {6, 0}});  // all equal
    text += to_json_line(m, 0, false, diagnosed ? std::optional(d) : std::nullopt);
  }
  return text;
}

TEST(RunPlots, DrawWhatTheLogHoldsAndNoMore) {
  EXPECT_TRUE(run_plots({}).empty());
  EXPECT_EQ(names(run_plots(parse_metrics(logged(false)))),
            (std::vector<std::string>{"losses", "outputs", "input_gradients", "gradients"}));
  const auto plots = run_plots(parse_metrics(logged(true)), {.k = 1.0, .clip = 2.0});
  EXPECT_EQ(names(plots), (std::vector<std::string>{"losses", "estimates", "outputs", "outputs_last",
                                                    "input_gradients", "gradients", "activations",
                                                    "spectral_norms", "weights", "share_at_clip"}));
  for (const RunPlot& plot : plots) EXPECT_FALSE(plot.caption.empty());
}

TEST(RunPlots, ShowTheirCurves) {
  const auto plots = run_plots(parse_metrics(logged(true)));
  const Canvas losses = plots[0].picture();
  const Canvas only_g =
      run_plots(parse_metrics("{\"iteration\":1,\"loss_g\":2}\n{\"iteration\":3,\"loss_g\":3}\n"))[0]
          .picture();
  const Color d{31, 119, 180}, g{214, 39, 40};
  EXPECT_GT(pixels_of(losses, d), 100);
  EXPECT_GT(pixels_of(losses, g), 100);
  EXPECT_EQ(pixels_of(only_g, d), 0);
  EXPECT_GT(pixels_of(only_g, g), 100);
}

TEST(RunPlots, ProfilesNameTheLayers) {
  const auto profile = [](const std::string& first, const std::string& second) {
    Diagnosis d;
    d.set("activation_gradients", NamedValues{{first, 1}, {second, 0.1}});
    for (RunPlot& plot : run_plots(parse_metrics(to_json_line({.iteration = 1}, 0, false, d)))) {
      if (plot.name == "activations") return plot.picture().pixels();
    }
    return std::vector<uint8_t>{};
  };
  EXPECT_FALSE(profile("input", "0").empty());
  EXPECT_NE(profile("input", "0"), profile("input", "1"));
  EXPECT_EQ(profile("input", "main.0"), profile("input", "main.0.weight")) << "a weight by its layer";
}

TEST(RunPlots, TermsSayWhoseTheyAre) {
  const auto terms = [](bool d, bool g) {
    Metrics m{.iteration = 1};
    if (d) m.terms_d = {{"class", 1.0}};
    if (g) m.terms_g = {{"class", 1.0}};
    for (RunPlot& plot : run_plots(parse_metrics(to_json_line(m, 0, false)))) {
      if (plot.name == "terms") return plot.picture().pixels();
    }
    return std::vector<uint8_t>{};
  };
  EXPECT_FALSE(terms(true, false).empty());
  EXPECT_NE(terms(true, false), terms(false, true)) << "equal values, equal names: only the owner differs";
}

TEST(RunPlots, AreWrittenIntoTheRun) {
  Scratch scratch;
  const auto run = scratch / "run";
  const auto written = [&] { return write_run_plots(run, read_run_curves(run)); };
  EXPECT_THROW(written(), Error) << "no such folder";
  std::filesystem::create_directory(run);
  EXPECT_THROW(written(), Error) << "no metrics.jsonl";
  std::ofstream(run / "metrics.jsonl") << "{\"iteration\":1";
  EXPECT_THROW(written(), Error) << "nothing whole in it";
  std::ofstream(run / "metrics.jsonl") << logged(true);
  const auto files = written();
  ASSERT_EQ(files.size(), 10u);
  std::ofstream(run / "timing.jsonl")
      << to_json_line(Timing{100, 1.5, 4000}) << to_json_line(Timing{200, 3.25, 2000});
  const auto timed = written();
  ASSERT_EQ(timed.size(), 11u);
  EXPECT_EQ(timed.back().file.filename(), "speed.png");
  for (const auto& [file, caption] : files) {
    EXPECT_EQ(file.parent_path(), run / "diagnostics");
    EXPECT_GT(std::filesystem::file_size(file), 1000u);
  }
}

}  // namespace
}  // namespace duel::gan
