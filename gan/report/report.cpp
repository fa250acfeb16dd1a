#include "duel/gan/report/report.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/record/internal/run_record.h"
#include "duel/gan/record/run_config.h"
#include "duel/gan/train/run_files.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostGrids = 120;
constexpr uintmax_t kMostBytes = 2'500'000;
constexpr double kLearns = 300;  // iterations: before that every fight looks sick

/// Empty where there is no such file.
std::string read_if_there(const fs::path& file) {
  std::error_code why;
  return fs::is_regular_file(file, why)
             ? read_file("report", file, size_t{1} << 30, "a file of a run directory")
             : "";
}

void keep_regular(std::vector<NumberedFile>& files) {
  std::error_code ignored;
  std::erase_if(files, [&](const NumberedFile& f) { return !fs::is_regular_file(f.file, ignored); });
}

/// Evenly, the first and the last among them.
std::vector<NumberedFile> thinned(const std::vector<NumberedFile>& files) {
  std::error_code ignored;
  uintmax_t bytes = 0;
  for (const NumberedFile& f : files) bytes += fs::file_size(f.file, ignored);
  const double share =
      bytes > kMostBytes ? static_cast<double>(kMostBytes) / static_cast<double>(bytes) : 1.0;
  const auto fit = static_cast<size_t>(share * static_cast<double>(files.size()));
  const size_t count = std::min({files.size(), kMostGrids, std::max<size_t>(fit, 2)});
  std::vector<NumberedFile> kept;
  for (size_t i = 0; i < count; ++i)
    kept.push_back(files[count == 1 ? 0 : i * (files.size() - 1) / (count - 1)]);
  return kept;
}

std::string data_uri(const fs::path& png) { return "data:image/png;base64," + base64(read_if_there(png)); }

std::string table(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string html = "<table>\n";
  for (const auto& [key, value] : rows)
    html += "<tr><th scope=\"row\">" + html_text(key) + "</th><td>" + html_text(value) + "</td></tr>\n";
  return html + "</table>\n";
}

std::string value_of(const std::vector<std::pair<std::string, std::string>>& rows, const std::string& key) {
  for (const auto& [name, value] : rows) {
    if (name == key) return value;
  }
  return {};
}

// Colours follow the reader's light or dark scheme; diagrams keep their white ground.
constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ground: #fff; --ink: #1a1a1a; --line: #d8d8d8; --soft: #f4f4f2; --warn: #fff3cd; --warnink: #5c4500; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181b; --ink: #e6e6e6; --line: #3a3d42; --soft: #202328; --warn: #4a3b00; --warnink: #ffe9a8; } }
body { background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
.warnings { background: var(--warn); color: var(--warnink); padding: .6rem 1rem; border-radius: 6px; }
.grids { display: flex; flex-wrap: wrap; gap: 2rem; } .grids img { image-rendering: pixelated; width: 26rem; max-width: 100%; background: #000; }
figure { margin: 0; } figcaption { font-size: .9rem; max-width: 60rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1.6rem; margin-top: 1.2rem; } .plots img { width: 100%; height: auto; box-sizing: border-box; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
.controls { display: flex; gap: .8rem; align-items: center; max-width: 26rem; } .controls input { flex: 1; min-width: 0; }
output { min-width: 7rem; font-variant-numeric: tabular-nums; }
button { font: inherit; padding: .1rem .8rem; }
table { border-collapse: collapse; font-size: .9rem; } th { text-align: left; font-weight: 500; padding-right: 1.5rem; vertical-align: top; }
td { font-family: ui-monospace, monospace; overflow-wrap: anywhere; } tr { border-bottom: 1px solid var(--line); }
.tables { display: flex; flex-wrap: wrap; gap: 2.5rem; } .tables > div { flex: 1 1 24rem; min-width: 0; }
pre { background: var(--soft); padding: .6rem 1rem; overflow-x: auto; border-radius: 6px; }
)";

constexpr const char* kScript = R"(
const grids = JSON.parse(document.getElementById('grids').textContent);
const image = document.getElementById('fakes'), slider = document.getElementById('step'), label = document.getElementById('at'),
      play = document.getElementById('play');
let timer = null;
function show(i) {
  slider.value = i;
  image.src = grids[i].png;
  image.alt = 'fakes at iteration ' + grids[i].at;
  label.textContent = 'iteration ' + grids[i].at;
}
function stop() { clearInterval(timer); timer = null; play.textContent = 'Play'; }
slider.addEventListener('input', () => { stop(); show(Number(slider.value)); });
play.addEventListener('click', () => {
  if (timer) return stop();
  if (Number(slider.value) === grids.length - 1) show(0);
  play.textContent = 'Pause';
  timer = setInterval(() => {
    const next = Number(slider.value) + 1;
    if (next >= grids.length) stop(); else show(next);
  }, 180);
});
document.addEventListener('keydown', event => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || event.target === slider) return;
  stop();
  show(Math.min(grids.length - 1, Math.max(0, Number(slider.value) + by)));
});
)";

/// What the columns of a conditional run's grids are.
std::string columns_text(const fs::path& config) {
  try {
    const std::string names = class_names_text(class_names_of(read_stored_config(config)));
    return names.empty() ? "" : html_text("; a column for each class: " + names);
  } catch (const Error&) {
    return "";  // the settings of another version, or none: a report goes without
  }
}

/// Grids and slider; the last grid is there without scripts too.
std::string samples_html(const RunFiles& files) {
  std::vector<NumberedFile> grids = files.all_fakes();
  keep_regular(grids);
  grids = thinned(grids);
  if (grids.empty()) return {};
  const std::string latest = std::to_string(grids.back().iteration);
  std::string html = "<h2>Samples</h2>\n<div class=\"grids\">\n<figure>\n";
  html += "<img id=\"fakes\" alt=\"fakes at iteration " + latest + "\" src=\"" + data_uri(grids.back().file) +
          "\">\n";
  html += "<figcaption>Fakes, always from the same noise" + columns_text(files.config());
  const std::string last = std::to_string(grids.size() - 1);
  html +=
      "<div class=\"controls\"><button id=\"play\" type=\"button\">Play</button><input id=\"step\" "
      "type=\"range\" min=\"0\" max=\"" +
      last + "\" value=\"" + last + "\" aria-label=\"iteration\"><output id=\"at\">iteration " + latest +
      "</output></div></figcaption>\n</figure>\n";
  if (const fs::path reals = files.reals(); !read_if_there(reals).empty()) {
    html += "<figure><img alt=\"images of the training set\" src=\"" + data_uri(reals) +
            "\"><figcaption>Images of the training set</figcaption></figure>\n";
  }
  html += "</div>\n<script type=\"application/json\" id=\"grids\">[";
  for (size_t i = 0; i < grids.size(); ++i) {
    html += std::string(i ? "," : "") + "\n{\"at\":\"" + std::to_string(grids[i].iteration) +
            "\",\"png\":\"" + data_uri(grids[i].file) + "\"}";
  }
  return html + "]</script>\n<script>" + kScript + "</script>\n";
}

std::string walks_html(const Walks& walks) {
  const auto png = encode_png_gray(walks.grid.width, walks.grid.height, walks.grid.pixels);
  return message(
      "<h2>Between latents</h2>\n"
      "<div class=\"grids\"><figure><img id=\"walks\" alt=\"walks between latents\" "
      "src=\"data:image/png;base64,{}\"><figcaption>Each row walks from one latent to another, "
      "at iteration {}. Healthy: every step is an image, and they change little by little. Sick: jumps, "
      "or the same image throughout.</figcaption></figure></div>\n",
      base64({png.begin(), png.end()}), walks.iteration);
}

std::string checkpoints_html(const RunFiles& run) {
  std::vector<NumberedFile> files = run.all_checkpoints();
  keep_regular(files);
  if (files.empty()) return {};
  std::error_code why;
  const fs::path absolute = fs::absolute(run.path(), why);
  std::string html = "<h2>Checkpoints and how to go on</h2>\n<pre>";
  for (const NumberedFile& f : files) {
    html += html_text("duel sample --checkpoint " + shell_word(fs::absolute(f.file, why).string()) +
                      " --out grid.png") +
            "\n";
  }
  return html + html_text("duel train --resume --out " + shell_word(absolute.string()) + " --steps N") +
         "</pre>\n";
}

/// The last `count` values of a curve; fewer than that give none.
std::vector<double> latest(const MetricsLog& log, const std::string& key, size_t count) {
  const Curve* curve = log.curve(key);
  if (!curve || curve->y.size() < count) return {};
  return {curve->y.end() - static_cast<std::ptrdiff_t>(count), curve->y.end()};
}

template <class Test>
bool all_latest(const MetricsLog& log, const std::string& key, size_t count, const Test& test) {
  const auto values = latest(log, key, count);
  return !values.empty() && std::all_of(values.begin(), values.end(), test);
}

}  // namespace

std::string html_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string base64(const std::string& bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < n ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= n ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::vector<std::string> run_warnings(const MetricsLog& log) {
  std::vector<std::string> warnings;
  for (const char* key : {"loss_d", "loss_g", "grad_norm_d", "grad_norm_g"}) {
    if (all_latest(log, key, 1, [](double v) { return !std::isfinite(v); }))
      warnings.push_back(message("{} is not finite: training diverged.", key));
  }
  const Curve* loss = log.curve("loss_d");
  if (!loss || loss->x.back() < kLearns) return warnings;
  if (all_latest(log, "js_estimate", 5, [](double v) { return v > 0.98 * std::numbers::ln2; }))
    warnings.push_back(
        "D tells real from fake perfectly in the last five looks (JS at log 2): "
        "its outputs say nothing about how good the fakes are.");
  if (all_latest(log, "accuracy", 5, [](double v) { return v > 0.45 && v < 0.55; }))
    warnings.push_back("D guesses (accuracy near one half in the last five looks): G learns from noise.");
  if (all_latest(log, "share_at_clip", 3, [](double v) { return v > 0.9; }))
    warnings.push_back(
        "More than nine tenths of D's weights lie at the clip value: D is a two-valued network. "
        "A gradient penalty avoids that.");
  if (all_latest(log, "wasserstein_estimate", 3, [](double v) { return v < 0; }))
    warnings.push_back("D rates fakes above real images in the last three looks: it is behind G.");
  for (const auto& [key, who] : {std::pair{"step_cosine_d", "D"}, {"step_cosine_g", "G"}}) {
    if (all_latest(log, key, 3, [](double v) { return v < 0; }))
      warnings.push_back(message(
          "The steps of {} go against its gradient in the last three looks: less momentum (--beta1 0) "
          "may help.",
          who));
  }
  if (all_latest(log, "input_gradient_fake", 3, [](double v) { return v < 1e-3; }))
    warnings.push_back("D is flat at the fakes (gradient below 0.001): G gets no direction.");
  const auto training = latest(log, "critic_training", 3), held_out = latest(log, "critic_held_out", 3);
  if (!training.empty() && !held_out.empty()) {
    bool parted = true;
    for (size_t i = 0; i < 3; ++i) parted = parted && training[i] > 0 && held_out[i] < 0.5 * training[i];
    if (parted)
      warnings.push_back(
          "D rates held-out images far below those it trains on: it knows its images by heart. More data, "
          "or a smaller or regularised D.");
  }
  if (const Curve* g = log.curve("grad_norm_g"); g && g->y.size() >= 20) {
    double greatest = 0;
    for (const double v : g->y) greatest = std::isfinite(v) ? std::max(greatest, v) : greatest;
    if (all_latest(log, "grad_norm_g", 3, [&](double v) { return v < 1e-4 * greatest; }))
      warnings.push_back(
          "G's gradient has fallen below a ten-thousandth of its greatest value: it vanishes.");
  }
  for (const auto& [name, curve] : log.group("spectral_norms")) {
    const size_t n = curve->y.size();
    if (n >= 8 && curve->y[n - 1] > 4 * curve->y[n / 2] && curve->y[n / 2] > 0)
      warnings.push_back(message(
          "The largest singular value of D's {} has grown more than fourfold in the second half of the run.",
          name));
  }
  if (all_latest(log, "fake_spread", 3, [](double v) { return v < 0.4; }))
    warnings.push_back(
        "The fakes hardly differ from each other (below 0.4 of the real images' spread in the last three "
        "looks): mode collapse? Look at the samples.");
  return warnings;
}

Walks draw_walks(Trainer& trainer) {
  constexpr int64_t rows = 4, columns = 8;
  LatentGenerators random = sampling_generators(7);
  const SampleGrid points = walk_grid(trainer.networks().latent, rows * columns, std::nullopt, random);
  return {image_grid(trainer.sample(points.input), points.columns), trainer.iteration()};
}

fs::path write_report(const fs::path& directory, const MetricsLog& log, const std::vector<RunPlotFile>& plots,
                      const std::optional<Walks>& walks) {
  std::error_code why;
  DUEL_CHECK(fs::is_directory(directory, why), "report",
             "{}: no such folder; expected the run directory of duel train", directory.string());
  const RunFiles files(directory);
  const auto config = json_table(read_if_there(files.config())),
             record = json_table(read_if_there(files.record()));
  const std::string objective = value_of(config, "objective"), arch = value_of(config, "arch"),
                    steps = value_of(config, "steps");
  const std::string name = fs::absolute(directory, why).lexically_normal().filename().string();

  std::string html =
      "<!DOCTYPE html>\n"
      "<html lang=\"en\">\n"
      "<head>\n"
      "<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n";
  html += "<title>" + html_text(name) + ": " + html_text(objective) + "</title>\n<style>" + kStyle +
          "</style>\n</head>\n<body>\n";
  html += "<h1>" + html_text(name) + "</h1>\n<p>" + html_text(objective + " with " + arch);
  if (const Curve* loss = log.curve("loss_d"); loss && !loss->x.empty()) {
    html += ", iteration " + tick_label(loss->x.back());
    if (!steps.empty()) html += " of " + html_text(steps);
  }
  if (const std::string source = value_of(record, "data.source"); !source.empty())
    html += ", " + html_text(value_of(record, "data.count") + " images of " + source);
  html += ".</p>\n";
  if (const auto warnings = run_warnings(log); !warnings.empty()) {
    html += "<div class=\"warnings\" role=\"status\"><strong>Look at this</strong><ul>\n";
    for (const std::string& warning : warnings) html += "<li>" + html_text(warning) + "</li>\n";
    html += "</ul></div>\n";
  }
  html += samples_html(files) + (walks ? walks_html(*walks) : "");
  html += "<h2>Diagrams</h2>\n<div class=\"plots\">\n";
  for (const auto& [file, caption] : plots) {
    html += "<figure><img alt=\"" + html_text(file.stem().string()) + "\" src=\"" + data_uri(file) +
            "\"><figcaption>" + html_text(caption) + "</figcaption></figure>\n";
  }
  html += "</div>\n" + checkpoints_html(files);
  html += "<h2>Settings and machine</h2>\n<div class=\"tables\">\n<div>" + table(config) + "</div>\n<div>" +
          table(record) + "</div>\n</div>\n";
  html += "</body>\n</html>\n";
  write_file_atomically(files.report(), html);
  return files.report();
}

}  // namespace duel::gan
