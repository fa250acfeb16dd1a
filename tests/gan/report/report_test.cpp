// report.html: whole, self-contained, safe against what names and settings hold; and the warnings, each on a
// sick and on a healthy log.
#include "duel/gan/report/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "duel/core/ops.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/record/internal/run_directory.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/gan/train/sampling.h"
#include "tests/gan/files.h"
#include "tests/gan/report/page.h"
#include "tests/gan/report/pages.h"
#include "tests/run_watcher.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

TEST(Report, Base64IsThatOfTheRfc) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) EXPECT_EQ(base64(plain), coded);
  EXPECT_EQ(base64("\xff\xfb\xf0"), "//vw");
}

std::string report_of(const std::filesystem::path& run) {
  const auto file = write_stored_report(run, {});
  const auto bytes = duel::testing::get(file);
  return {bytes.begin(), bytes.end()};
}

TEST(Report, HoldsEverythingAndRefersToNothing) {
  Scratch scratch;
  const auto run = scratch / "a <b>'s run";
  std::filesystem::create_directories(run / "samples");
  std::filesystem::create_directories(run / "checkpoints");
  const std::vector<uint8_t> black(16, 0);
  for (int i = 0; i <= 300; ++i) {
    char name[32];
    std::snprintf(name, sizeof name, "fakes_%06d.png", i * 5000);  // the last ones have seven digits
    write_png_gray(run / "samples" / name, 4, 4, black);
  }
  write_png_gray(run / "samples" / "reals.png", 4, 4, black);
  std::ofstream(run / "checkpoints" / "step_00000200.safetensors") << "x";
  std::ofstream(run / "config.json")
      << R"({"objective": "ns-gan", "arch": "<script>alert(1)</script>", "steps": 9})";
  std::ofstream(run / "run.json")
      << R"({"seed": 1, "data": {"source": "drawn & bent", "count": 50}, "argv": ["duel", "train"]})";
  const auto file = write_report(run, {.log = parse_metrics("{\"iteration\":7,\"loss_d\":1}\n")});
  EXPECT_EQ(file, run / "report.html");
  const auto bytes = duel::testing::get(file);
  const std::string html(bytes.begin(), bytes.end());
  for (const char* part : {"ns-gan", "iteration 7 of 9", "50 images of drawn &amp; bent",
                           "&lt;script&gt;alert(1)", "duel train --resume", "step_00000200.safetensors",
                           "id=\"plot-losses\"", "a &lt;b&gt;&#39;s run", "data.source", "duel train</td>"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(html.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(faults_of(html), std::vector<std::string>{});
  EXPECT_EQ(occurrences(html, "{\"at\":"), 120u) << "thinned";
  EXPECT_NE(html.find("{\"at\":\"0\""), std::string::npos);
  EXPECT_NE(html.find("{\"at\":\"1500000\""), std::string::npos) << "the last one stays";
  EXPECT_LT(html.find("{\"at\":\"995000\""), html.find("{\"at\":\"1500000\"")) << "by number, not by letters";
  EXPECT_EQ(html.find("Look at this"), std::string::npos) << "no warnings";
}

TEST(Report, StaysSmallWithLargeGrids) {
  Scratch scratch;
  const auto run = scratch / "run";
  std::filesystem::create_directories(run / "samples");
  for (int i = 0; i < 20; ++i) {
    std::ofstream(run / "samples" / ("fakes_00000" + std::to_string(i) + ".png"))
        << std::string(500'000, 'x');
  }
  const std::string html = report_of(run);
  EXPECT_EQ(occurrences(html, "{\"at\":"), 4u);
  EXPECT_LT(html.size(), 3'000'000u);
  // Of grids of which not even one fits the name.
  for (int i = 0; i < 20; ++i) {
    std::ofstream(run / "samples" / ("fakes_00000" + std::to_string(i) + ".png"))
        << std::string(3'000'000, 'x');
  }
  std::ofstream(run / "samples" / "reals.png") << std::string(3'000'000, 'x');
  const std::string named = report_of(run);
  EXPECT_LT(named.size(), 100'000u);
  EXPECT_TRUE(has(named, "too large for this page: fakes_0000019.png"));
  EXPECT_TRUE(has(named, "reals.png is too large for this page"));
}

TEST(Report, IsWellFormedAndShowsEveryDiagramInTheOrderOfTheRows) {
  Scratch scratch;
  make_up_run(scratch / "run");
  const RunCurves curves = made_up_curves(30);
  const Picture walks{.width = 8, .height = 8, .pixels = std::vector<uint8_t>(64, 7)};
  const std::string html =
      testing::text_of(write_report(scratch / "run", curves, {.walks = Walks{walks, 400}}));
  EXPECT_EQ(faults_of(html), std::vector<std::string>{});
  EXPECT_FALSE(has(html, "id=\"state\"") || has(html, "http-equiv=\"refresh\"")) << "it has ended";
  EXPECT_TRUE(has(html, "id=\"clock\""));
  EXPECT_TRUE(has(html, "nearest training images"));
  EXPECT_TRUE(has(html, ">fd-mnist-v1</th><td>5.25</td><td>0.125</td><td>5 to 5.5</td><td>400</td>"))
      << "the last whole line";
  EXPECT_TRUE(has(html, ">&lt;odd&gt;</th><td>-</td><td>-</td><td>- to -</td><td>-</td>"));
  size_t before = 0;
  for (const RunPlot& plot : run_plots(curves.log)) {
    const size_t at = html.find("<figure class=\"diagram\" id=\"plot-" + plot.name + "\"");
    EXPECT_NE(at, std::string::npos) << plot.name;
    EXPECT_GT(at, before) << plot.name;
    before = at;
  }
  EXPECT_EQ(occurrences(html, "<figure class=\"diagram\""), run_plots(curves.log).size());
  EXPECT_TRUE(has(html, "<b class=\"well\">Healthy:</b>") && has(html, "<b class=\"ill\">Sick:</b>"));
  EXPECT_FALSE(has(html, "a<b>") || has(html, "\"</script>\"")) << "names of layers";
  EXPECT_TRUE(has(html, "a&lt;b&gt;&amp;&quot;c&quot;"));

  const std::string going = testing::text_of(write_report(scratch / "run", curves, {.running = true}));
  EXPECT_EQ(faults_of(going), std::vector<std::string>{});
  EXPECT_TRUE(has(going, "data-running=\"1\"") && has(going, "<noscript><meta http-equiv=\"refresh\""));
}

TEST(Report, OfAStoredRunFollowsItWhileAProcessWorksOnIt) {
  Scratch scratch;
  RunDirectory directory = RunDirectory::create(scratch / "run");
  directory.keep();
  EXPECT_TRUE(has(report_of(scratch / "run"), "data-running=\"1\""));
  make_up_run(scratch / "other");
  EXPECT_FALSE(has(report_of(scratch / "other"), "data-running=\"1\""));
}

TEST(Report, OfALongRunKeepsWhatStandsOut) {
  Scratch scratch;
  make_up_run(scratch / "run");
  RunCurves curves;
  for (int i = 1; i <= 20'000; ++i)
    curves.log.add("{\"iteration\":" + std::to_string(i) + ",\"loss_d\":" + (i == 7777 ? "123456" : "1") +
                   "}\n");
  const std::string html = testing::text_of(write_report(scratch / "run", curves));
  EXPECT_LT(html.size(), 200'000u);
  EXPECT_TRUE(has(html, ",7777,") && has(html, ",123456,"));
}

TEST(Report, NeighboursAreTheNearestTrainingImages) {
  Scratch scratch;
  RunConfig config{.objective = "ns-gan",
                   .overrides = {},
                   .data = "synthetic",
                   .synthetic_count = 40,
                   .batch = 4,
                   .steps = 1,
                   .device = "cpu",
                   .out = scratch / "run",
                   .diagnose_every = 0,
                   .sample_count = 8,
                   .argv = {}};
  config.networks.arch = "mlp";
  duel::testing::RunWatcher observer;
  gan::Run run(config);
  run.train(observer);
  Trainer& trainer = run.trainer();
  LatentGenerators random = sampling_generators(3);
  const SampleGrid points = sample_grid(trainer.networks().latent, 8, random);
  const Generator::State before = default_generator().state();
  const auto near = draw_neighbours(trainer, points.input);
  EXPECT_TRUE(default_generator().state() == before);
  ASSERT_TRUE(near);
  const Tensor fakes = trainer.sample(points.input),
               all = trainer.data()->batch(trainer.data()->first(40), DType::f32);
  std::vector<Tensor> rows_of{fakes};
  std::vector<std::vector<int64_t>> order(3);
  for (int64_t i = 0; i < 8; ++i) {
    std::vector<std::pair<double, int64_t>> by;
    for (int64_t k = 0; k < 40; ++k)
      by.emplace_back(sum(square(rows(all, k, k + 1) - rows(fakes, i, i + 1))).item(), k);
    std::sort(by.begin(), by.end());
    for (size_t k = 0; k < 3; ++k) order[k].push_back(by[k].second);
  }
  for (const auto& index : order)
    rows_of.push_back(trainer.data()->batch(Tensor::from(index, {8}), DType::f32));
  EXPECT_TRUE(near->pixels == image_grid(concat(rows_of, 0), 8).pixels);
  EXPECT_TRUE(std::filesystem::exists(config.out / "samples" / "neighbours.png"));
  EXPECT_FALSE(has(testing::text_of(config.out / "report.html"), "id=\"state\""))
      << "the last page does not wait for news";
}

TEST(Report, WalksBetweenLatentsOfTheNewestCheckpoint) {
  Scratch scratch;
  RunConfig config{.objective = "ns-gan",
                   .overrides = {},
                   .data = "synthetic",
                   .synthetic_count = 16,
                   .batch = 4,
                   .steps = 2,
                   .device = "cpu",
                   .out = scratch / "run",
                   .diagnose_every = 0,
                   .checkpoint_every = 1,
                   .sample_count = 4,
                   .argv = {}};
  config.networks.arch = "mlp";
  duel::testing::RunWatcher observer;
  gan::Run(config).train(observer);
  const auto walks = [&] {
    const std::string html = report_of(config.out);
    const size_t begin = html.find("<img id=\"walks\""), end = html.find("</figure>", begin);
    return begin == std::string::npos ? std::string() : html.substr(begin, end - begin);
  };
  const Generator::State before = default_generator().state();
  const std::string second = walks();
  EXPECT_TRUE(default_generator().state() == before)
      << "drawn while the run goes on: its numbers are not touched";
  EXPECT_NE(second.find("at iteration 2."), std::string::npos) << second.substr(0, 100);
  // 4 rows of 8 images of 28x28, with a pixel around each, as the PNG's header says (8 bytes, then length,
  // IHDR, sides).
  const Picture like = image_grid(Tensor::zeros({32, 1, 28, 28}), 8);
  const std::string png = base64(
      {reinterpret_cast<const char*>(encode_png_gray(like.width, like.height, like.pixels).data()), 24});
  EXPECT_NE(second.find("base64," + png), std::string::npos);
  EXPECT_EQ(walks(), second);
  std::filesystem::remove(config.out / "checkpoints" / checkpoint_name(2));
  EXPECT_NE(walks().find("at iteration 1."), std::string::npos);
  EXPECT_NE(walks(), second);
  std::ofstream(config.out / "checkpoints" / checkpoint_name(3)) << "damaged";
  EXPECT_EQ(walks(), "");
}

TEST(Report, OfAnEmptyFolderIsAnEmptyReport) {
  Scratch scratch;
  EXPECT_NE(report_of(scratch.dir()).find("</html>"), std::string::npos);
  EXPECT_THROW(write_report(scratch / "nowhere", {}), Error);
}

/// Ten looks and thirty lines of a run that is well but for one change.
MetricsLog log_of(const std::function<void(Metrics&, Diagnosis&, int)>& change, int64_t interval = 20) {
  std::string text;
  for (int i = 1; i <= 30; ++i) {
    Metrics m{.iteration = i * interval, .loss_d = 1, .loss_g = 1, .grad_norm_d = 1, .grad_norm_g = 1};
    Diagnosis d;
    d.set("js_estimate", 0.3);
    d.set("accuracy", 0.8);
    d.set("share_at_clip", 0.3);
    d.set("wasserstein_estimate", 2.0);
    d.set("step_cosine_d", 0.7);
    d.set("step_cosine_g", 0.7);
    d.set("input_gradient_fake", 1.0);
    d.set("critic_training", 2.0);
    d.set("critic_held_out", 1.9);
    d.set("spectral_norms", NamedValues{{"0.weight", 2}});
    d.set("fake_spread", 0.9);
    change(m, d, i);
    text += to_json_line(m, 0, false, d);
  }
  return parse_metrics(text);
}

TEST(RunWarnings, NameWhatIsSickAndNothingElse) {
  EXPECT_TRUE(run_warnings(log_of([](Metrics&, Diagnosis&, int) {})).empty());
  EXPECT_TRUE(run_warnings({}).empty());
  EXPECT_TRUE(run_warnings(log_of([](Metrics&, Diagnosis& d, int) { d.set("fake_spread", 0.1); }, 1)).empty())
      << "it has only begun";
  const std::pair<const char*, std::function<void(Metrics&, Diagnosis&, int)>> sick[] = {
      {"loss_d is not finite", [](Metrics& m, Diagnosis&, int i) { m.loss_d = i == 30 ? NAN : 1; }},
      {"perfectly", [](Metrics&, Diagnosis& d, int) { d.set("js_estimate", 0.692); }},
      {"guesses", [](Metrics&, Diagnosis& d, int) { d.set("accuracy", 0.5); }},
      {"two-valued", [](Metrics&, Diagnosis& d, int) { d.set("share_at_clip", 0.95); }},
      {"behind G", [](Metrics&, Diagnosis& d, int) { d.set("wasserstein_estimate", -0.1); }},
      {"steps of D go against",
       [](Metrics&, Diagnosis& d, int i) { d.set("step_cosine_d", i > 27 ? -0.1 : 0.5); }},
      {"steps of G go against", [](Metrics&, Diagnosis& d, int) { d.set("step_cosine_g", -0.1); }},
      {"flat at the fakes", [](Metrics&, Diagnosis& d, int) { d.set("input_gradient_fake", 1e-5); }},
      {"by heart", [](Metrics&, Diagnosis& d, int) { d.set("critic_held_out", 0.3); }},
      {"vanishes", [](Metrics& m, Diagnosis&, int i) { m.grad_norm_g = i < 20 ? 10 : 1e-5; }},
      {"0.weight has grown",
       [](Metrics&, Diagnosis& d, int i) {
         d.set("spectral_norms", NamedValues{{"0.weight", i < 20 ? 1.0 : 9.0}});
       }},
      {"mode collapse", [](Metrics&, Diagnosis& d, int) { d.set("fake_spread", 0.1); }}};
  for (const auto& [words, change] : sick) {
    const auto warnings = run_warnings(log_of(change));
    ASSERT_EQ(warnings.size(), 1u) << words;
    EXPECT_NE(warnings[0].find(words), std::string::npos) << warnings[0];
  }
}

}  // namespace
}  // namespace duel::gan
