// One function per diagram; each returns nothing where the log holds none of its values.
#include "duel/gan/report/run_plots.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "duel/gan/record/run_config.h"
#include "duel/gan/train/run_files.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

constexpr Color kReal{31, 119, 180}, kFake{214, 39, 40}, kThird{44, 160, 44}, kGray{120, 120, 120};

struct Wanted {
  const char* key;
  const char* label;
  Color color;
};

/// Adds those of the curves that the log holds; false if none.
bool add_curves(Plot& plot, const MetricsLog& log, const std::vector<Wanted>& wanted) {
  bool any = false;
  for (const Wanted& w : wanted) {
    if (const Curve* curve = log.curve(w.key)) {
      plot.line(curve->x, curve->y, {.label = w.label, .color = w.color});
      any = true;
    }
  }
  return any;
}

/// All members of a group; `who` stands before their names.
bool add_group(Plot& plot, const MetricsLog& log, const std::string& prefix, const std::string& who = "") {
  const auto members = log.group(prefix);
  for (const auto& [name, curve] : members) plot.line(curve->x, curve->y, {.label = who + name});
  return !members.empty();
}

bool add_histogram(Plot& plot, const Histogram& h, SeriesStyle style) {
  double total = 0;
  for (const int64_t count : h.counts) total += static_cast<double>(count);
  if (h.counts.empty() || total == 0) return false;
  const double margin = h.high > h.low ? 0.0 : 0.5 * std::max(1.0, std::abs(h.low));  // all values equal
  const double low = h.low - margin, width = (h.high + margin - low) / static_cast<double>(h.counts.size());
  std::vector<double> edges, shares;
  for (size_t i = 0; i <= h.counts.size(); ++i) edges.push_back(low + width * static_cast<double>(i));
  for (const int64_t count : h.counts) shares.push_back(static_cast<double>(count) / total);
  plot.steps(std::move(edges), std::move(shares), std::move(style));
  return true;
}

/// Of a size whose letters can be read where a report shows them at half their width.
PlotOptions options_of(std::string title, std::string x_label, std::string y_label, bool log_y = false) {
  return {.title = std::move(title),
          .x_label = std::move(x_label),
          .y_label = std::move(y_label),
          .width = 880,
          .height = 580,
          .log_y = log_y,
          .text_scale = 2};
}

PlotOptions over_iterations(std::string title, std::string y_label, bool log_y = false) {
  return options_of(std::move(title), "iteration", std::move(y_label), log_y);
}

std::string at_iteration(double iteration) { return " at iteration " + tick_label(iteration); }

/// "2" of "2.weight": a weight is named by its layer.
std::string layer_of(const std::string& name) {
  const size_t end = name.rfind(".weight");
  return end == std::string::npos || end == 0 ? name : name.substr(0, end);
}

/// A group's values over its members (layers), at the first, the middle and the last look. Biases are left
/// out: before a normalisation their gradient is zero, and the curve would fall into a hole.
std::optional<Canvas> profile(const MetricsLog& log, const std::string& prefix, const std::string& title,
                              const std::string& x_label) {
  auto members = log.group(prefix);
  std::erase_if(members, [](const auto& member) { return member.first.ends_with("bias"); });
  if (members.empty()) return std::nullopt;
  PlotOptions options = options_of(title, x_label, "gradient norm", true);
  for (const auto& [name, curve] : members) options.x_names.push_back(layer_of(name));
  Plot plot(options);
  const size_t looks = members[0].second->x.size();
  std::vector<size_t> shown{0, looks / 2, looks - 1};
  shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
  for (const size_t look : shown) {
    std::vector<double> place, value;
    for (size_t i = 0; i < members.size(); ++i) {
      if (look >= members[i].second->y.size()) continue;
      place.push_back(static_cast<double>(i));
      value.push_back(members[i].second->y[look]);
    }
    const SeriesStyle style{.label = tick_label(members[0].second->x[look]),
                            .color = series_color(look == shown[0]       ? 0
                                                  : look == shown.back() ? 3
                                                                         : 2)};
    plot.line(place, value, style);
    plot.scatter(place, value, {.color = style.color, .radius = 3});
  }
  return plot.draw();
}

using Drawn = std::optional<Canvas>;

Drawn losses(const MetricsLog& log, const PlotHints&) {
  Plot plot(over_iterations("losses", "loss"));
  bool any = add_curves(plot, log, {{"loss_d", "D", kReal}, {"loss_g", "G", kFake}});
  const Curve* penalty = log.curve("penalty");
  if (penalty && std::any_of(penalty->y.begin(), penalty->y.end(), [](double v) { return v != 0; })) {
    plot.line(penalty->x, penalty->y, {.label = "penalty", .color = kThird});
  }
  return any ? Drawn(plot.draw()) : std::nullopt;
}

Drawn estimates(const MetricsLog& log, const PlotHints&) {
  Plot plot(over_iterations("distance of data and fakes, as D sees it", "estimate"));
  if (!add_curves(
          plot, log,
          {{"wasserstein_estimate", "E D(x) - E D(G(z))", kReal}, {"js_estimate", "JS, nats", kFake}}))
    return std::nullopt;
  if (log.curve("js_estimate")) plot.horizontal(std::numbers::ln2, {.label = "log 2", .color = kGray});
  return plot.draw();
}

Drawn outputs(const MetricsLog& log, const PlotHints&) {
  Plot means(over_iterations("D's outputs: means", "logit"));
  return add_curves(means, log, {{"d_real", "real", kReal}, {"d_fake", "fake", kFake}}) ? Drawn(means.draw())
                                                                                        : std::nullopt;
}

Drawn outputs_last(const MetricsLog& log, const PlotHints&) {
  const auto *real = log.last_histogram("histogram_real"), *fake = log.last_histogram("histogram_fake");
  if (!real || !fake) return std::nullopt;
  Plot plot(options_of("D's outputs" + at_iteration(real->first), "logit", "share of the batch"));
  const bool a = add_histogram(plot, real->second, {.label = "real", .color = kReal});
  const bool b = add_histogram(plot, fake->second, {.label = "fake", .color = kFake});
  return a || b ? Drawn(plot.draw()) : std::nullopt;
}

Drawn input_gradients(const MetricsLog& log, const PlotHints& hints) {
  Plot plot(over_iterations("slope of D in the pixels", "mean gradient norm", true));
  if (!add_curves(plot, log,
                  {{"input_gradient_real", "at real", kReal},
                   {"input_gradient_fake", "at fake", kFake},
                   {"input_gradient_line", "half way", kThird}}) &&
      !add_curves(plot, log, {{"input_gradient_norm", "half way, or where penalised", kReal}}))
    return std::nullopt;
  if (hints.k && *hints.k > 0) plot.horizontal(*hints.k, {.label = "K", .color = kGray});
  return plot.draw();
}

Drawn gradients(const MetricsLog& log, const PlotHints&) {
  Plot both(over_iterations("gradients of the losses", "norm", true));
  return add_curves(both, log, {{"grad_norm_d", "D", kReal}, {"grad_norm_g", "G", kFake}})
             ? Drawn(both.draw())
             : std::nullopt;
}

constexpr const char* kLayers = "layer, from the input on";

Drawn gradients_d(const MetricsLog& log, const PlotHints&) {
  return profile(log, "gradients_d", "gradient of each weight of D", kLayers);
}

Drawn gradients_g(const MetricsLog& log, const PlotHints&) {
  return profile(log, "gradients_g", "gradient of each weight of G", kLayers);
}

Drawn activations(const MetricsLog& log, const PlotHints&) {
  return profile(log, "activation_gradients", "gradient of D's loss in the layers' outputs", kLayers);
}

Drawn spectra(const MetricsLog& log, const PlotHints&) {
  Plot plot(over_iterations("largest singular values of D's weights", "singular value"));
  return add_group(plot, log, "spectral_norms") ? Drawn(plot.draw()) : std::nullopt;
}

Drawn weights(const MetricsLog& log, const PlotHints& hints) {
  const auto* last = log.last_histogram("histogram_weights");
  if (!last) return std::nullopt;
  Plot plot(options_of("D's weights" + at_iteration(last->first), "weight", "share"));
  if (!add_histogram(plot, last->second, {.color = kReal})) return std::nullopt;
  if (hints.clip) {
    plot.vertical(-*hints.clip, {.label = "-c, c", .color = kGray});
    plot.vertical(*hints.clip, {.color = kGray});
  }
  return plot.draw();
}

Drawn share_at_clip(const MetricsLog& log, const PlotHints&) {
  PlotOptions options = over_iterations("share of D's weights at the clip value", "share");
  options.y_range = Range{-0.02, 1.02};
  Plot share(options);
  return add_curves(share, log, {{"share_at_clip", "at c", kReal}}) ? Drawn(share.draw()) : std::nullopt;
}

Drawn spread(const MetricsLog& log, const PlotHints&) {
  Plot plot(over_iterations("how much fakes differ, in units of real images", "ratio"));
  if (!add_curves(plot, log, {{"fake_spread", "spread", kReal}})) return std::nullopt;
  plot.horizontal(1, {.color = kGray});
  return plot.draw();
}

Drawn held_out(const MetricsLog& log, const PlotHints&) {
  Plot plot(over_iterations("critic on images it trains on, and on others", "E D(x) - E D(G(z))"));
  return add_curves(plot, log,
                    {{"critic_training", "training", kReal}, {"critic_held_out", "held out", kFake}})
             ? Drawn(plot.draw())
             : std::nullopt;
}

Drawn accuracy(const MetricsLog& log, const PlotHints&) {
  PlotOptions options = over_iterations("images on D's right side", "share");
  options.y_range = Range{-0.02, 1.02};
  Plot plot(options);
  return add_curves(plot, log, {{"accuracy", "accuracy", kReal}}) ? Drawn(plot.draw()) : std::nullopt;
}

Drawn cosines(const MetricsLog& log, const PlotHints&) {
  PlotOptions options = over_iterations("cosine of step and negative gradient", "cosine");
  options.y_range = Range{-1.05, 1.05};
  Plot plot(options);
  plot.horizontal(0, {.color = kGray});
  return add_curves(plot, log, {{"step_cosine_d", "D", kReal}, {"step_cosine_g", "G", kFake}})
             ? Drawn(plot.draw())
             : std::nullopt;
}

Drawn speed(const MetricsLog& log, const PlotHints&) {
  Plot plot(over_iterations("speed, looks, samples and checkpoints with it", "images per second"));
  return add_curves(plot, log, {{"images_per_second", "images/s", kReal}}) ? Drawn(plot.draw())
                                                                           : std::nullopt;
}

Drawn terms(const MetricsLog& log, const PlotHints&) {
  Plot plot(over_iterations("what the objective says of itself", "value"));
  const bool d = add_group(plot, log, "terms_d", "D: "), g = add_group(plot, log, "terms_g", "G: ");
  const bool k =
      add_curves(plot, log, {{"k", "k", kReal}, {"convergence", "convergence M", kFake}});  // BEGAN's
  return d || g || k ? Drawn(plot.draw()) : std::nullopt;
}

struct Kind {
  const char* name;
  const char* caption;
  Drawn (*draw)(const MetricsLog&, const PlotHints&);
};

const Kind kKinds[] = {
    {"losses",
     "The losses as minimised. Healthy: neither runs away. Sick: D's cross-entropy at 0 while G's grows.",
     losses},
    {"estimates",
     "What D says about the distance of data and fakes. Healthy: falls as samples improve. Sick: "
     "JS at log 2 from early on, or a constant critic (Arjovsky 2017, figures 3 and 4).",
     estimates},
    {"outputs",
     "D's raw outputs, means over the batch. Healthy: a few units apart. Sick: under a cross-entropy, "
     "tens of units apart.",
     outputs},
    {"outputs_last",
     "The same, every image of one batch. Healthy: two hills that overlap. Sick: two far apart, "
     "where a cross-entropy G gets no gradient (Arjovsky & Bottou 2017).",
     outputs_last},
    {"accuracy", "Healthy: 0.6 to 0.9. Sick: 1 for long, or 0.5 (Arjovsky & Bottou 2017, figure 1).",
     accuracy},
    {"fake_spread",
     "Healthy: about 1. Sick: towards 0, G shows one picture (mode collapse; Salimans 2016, section 3.2).",
     spread},
    {"input_gradients",
     "The mean norm of D's gradient in the pixels. Healthy: near K under a penalty around K. Sick: "
     "growing without end, or 0 at fakes (Gulrajani 2017).",
     input_gradients},
    {"gradients",
     "Norms of the losses' gradients in all weights. Healthy: within two or three powers of ten. Sick: "
     "G's falls towards 0 or swings wildly (Arjovsky & Bottou 2017, figures 2 and 3).",
     gradients},
    {"gradients_d",
     "D's by weight, at the first, middle and last look. Healthy: within two or three powers of ten.",
     gradients_d},
    {"gradients_g", "G's by weight, at the same looks. Sick: zeros, or one far above all others.",
     gradients_g},
    {"activations",
     "Healthy: flat over the layers. Sick: exponential growth or decay (Gulrajani 2017, figure 1b left).",
     activations},
    {"spectral_norms",
     "Healthy: a few units, settling or growing slowly; 1 under spectral normalisation. Sick: "
     "a jump (Brock 2019, section 4.2).",
     spectra},
    {"weights", "Healthy: a bell. Sick: two spikes at the clip value (Gulrajani 2017, figure 1b right).",
     weights},
    {"share_at_clip", "Healthy: below one half. Sick: nearly all, D is a two-valued network then.",
     share_at_clip},
    {"held_out",
     "Healthy: the two stay together. Sick: they part, D knows its images by heart (Gulrajani 2017, "
     "figure 5b).",
     held_out},
    {"step_cosines", "Healthy: positive. Sick: negative for long (Arjovsky 2017, section 4.3).", cosines},
    {"terms",
     "The objective's extra terms by name, before their weights. BEGAN's convergence measure falls while "
     "training goes well (Berthelot 2017, section 3.4.1).",
     terms},
    {"speed", "Healthy: level. Sick: a fall that stays: something else uses the machine, or it throttles.",
     speed},
};

}  // namespace

std::vector<RunPlot> run_plots(const MetricsLog& log, const PlotHints& hints) {
  std::vector<RunPlot> plots;
  for (const Kind& kind : kKinds) {
    if (auto picture = kind.draw(log, hints)) plots.push_back({kind.name, kind.caption, std::move(*picture)});
  }
  return plots;
}

RunCurves read_run_curves(const std::filesystem::path& directory) {
  std::error_code why;
  DUEL_CHECK(std::filesystem::is_directory(directory, why), "plot",
             "{}: no such folder; expected the run directory of duel train", directory.string());
  RunCurves curves;
  const RunFiles files(directory);
  if (std::filesystem::exists(files.config(), why))
    curves.hints = plot_hints(read_run_config(files.config()));
  curves.log.add_file(files.metrics());
  if (std::filesystem::exists(files.timing(), why)) curves.log.add_file(files.timing());
  return curves;
}

PlotHints plot_hints(const RunConfig& config) {
  const ObjectiveOverrides& o = config.overrides;
  PlotHints hints;
  if (o.has("k")) hints.k = o.number("k");
  if (o.has("clip")) hints.clip = o.number("clip");
  return hints;
}

std::vector<RunPlotFile> write_run_plots(const std::filesystem::path& directory, const RunCurves& curves) {
  const std::vector<RunPlot> plots = run_plots(curves.log, curves.hints);
  DUEL_CHECK(!plots.empty(), "plot", "{}: its metrics.jsonl holds no line to draw", directory.string());
  std::error_code why;
  const std::filesystem::path folder = RunFiles(directory).diagnostics();
  std::filesystem::create_directories(folder, why);
  if (why) fail_system(why.value(), "plot", "{}: cannot be created: {}", folder.string(), why.message());
  std::vector<RunPlotFile> files;
  for (const RunPlot& plot : plots) {
    files.push_back({folder / (plot.name + ".png"), plot.caption});
    write_png(files.back().file, plot.picture);
  }
  return files;
}

}  // namespace duel::gan
