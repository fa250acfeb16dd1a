// A run directory with everything that a report shows, made up.
#pragma once

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "duel/gan/picture/png.h"
#include "duel/gan/report/report.h"
#include "tests/gan/files.h"

namespace duel::gan::testing {

/// `looks` lines of metrics with every kind of value, 20 iterations apart, and their times; ns-gan with dcgan.
inline RunCurves made_up_curves(int looks) {
  RunCurves curves;
  for (int i = 1; i <= looks; ++i) {
    const double t = static_cast<double>(i) / looks;
    const Metrics m{.iteration = 20 * i,
                    .loss_d = 1 + std::sin(9 * t),
                    .loss_g = i == 3 ? NAN : 2 - t,
                    .d_real = 1,
                    .p_real = 0.7,
                    .p_fake = 0.3,
                    .input_gradient_norm = 1,
                    .grad_norm_d = std::pow(10, 3 * t),
                    .grad_norm_g = 1};
    Diagnosis d;
    d.set("accuracy", 0.6);
    d.set("gradients_d", NamedValues{{"0.weight", 2}, {"a<b>&\"c\".weight", 3}, {"4.weight", 0.5}});
    d.set("spectral_norms", NamedValues{{"0.weight", 2}, {"</script>", 3}});
    d.set("histogram_real", Histogram{0, 1, {3, 5, 0, 1}});
    d.set("histogram_fake", Histogram{0, 1, {8, 0, 2, 0}});
    const JudgedValues judged{.distances = {{"fd-mnist-v1", 50 - 40 * t}},
                              .counts = {{"modes-mnist-v1", 10}}};
    curves.log.add(to_json_line(m, t, true, d, judged));
    curves.log.add(to_json_line(Timing{20 * i, 3.5 * i, 900}));
  }
  return curves;
}

inline void make_up_run(const std::filesystem::path& run) {
  std::filesystem::create_directories(run / "samples");
  std::filesystem::create_directories(run / "checkpoints");
  const std::vector<uint8_t> pixels(120 * 120, 90);
  for (const char* name :
       {"fakes_000000.png", "fakes_000200.png", "fakes_000400.png", "reals.png", "neighbours.png"})
    write_png_gray(run / "samples" / name, 120, 120, pixels);
  std::ofstream(run / "checkpoints" / "step_00000400.safetensors") << "x";
  std::ofstream(run / "config.json")
      << R"({"objective": "ns-gan", "arch": "<script>alert(1)</script>", "steps": 400, "data": ")" +
             std::string(120, 'x') + "\"}";
  std::ofstream(run / "metric-fd-mnist-v1.jsonl")
      << R"({"iteration":200,"results":{"fd-mnist-v1":9},"metric":"fd-mnist-v1","low":8,"high":10,"floor":0.1})"
         "\n"
         R"({"iteration":400,"results":{"fd-mnist-v1":5.25},"metric":"fd-mnist-v1","low":5,"high":5.5,"floor":0.125})"
         "\n"
         R"({"iteration":600,"resu)";
  std::ofstream(run / "metric-odd.jsonl") << R"({"metric":"<odd>","results":7,"floor":null})"
                                             "\n";
  std::ofstream(run / "metric-none.jsonl") << "[[[[[[[[1]]]]]]]]\n";
  std::ofstream(run / "run.json")
      << R"({"seed": 1, "data": {"source": "drawn & bent", "count": 50}, "argv": ["duel", "train", "--out='a'"]})";
}

}  // namespace duel::gan::testing
