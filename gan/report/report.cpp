#include "duel/gan/report/report.h"

#include <algorithm>
#include <chrono>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/json.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/judge/comparison.h"
#include "duel/gan/judge/neighbours.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/record/internal/run_record.h"
#include "duel/gan/record/machine.h"
#include "duel/gan/record/run_config.h"
#include "duel/gan/report/internal/caption.h"
#include "duel/gan/report/internal/diagram.h"
#include "duel/gan/report/internal/html.h"
#include "duel/gan/train/run_files.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostGrids = 120;
constexpr size_t kMostBytes = 2'950'000;    // of the page
constexpr size_t kMostOfPicture = 600'000;  // of one that stands beside the samples, in the page
constexpr double kLearns = 300;             // iterations before which only WarnIf::at_once is told

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

constexpr size_t in_page(uintmax_t bytes) { return (bytes + 2) / 3 * 4 + 100; }

/// Evenly, the first and the last among them, as many as fit; only the last one where two do not, or none.
std::vector<NumberedFile> thinned(const std::vector<NumberedFile>& files, size_t room) {
  std::error_code ignored;
  const auto size_of = [&](const NumberedFile& f) { return in_page(fs::file_size(f.file, ignored)); };
  if (files.empty()) return {};
  const size_t last = size_of(files.back());
  for (size_t count = std::min(files.size(), kMostGrids); count >= 1; --count) {
    std::vector<NumberedFile> kept;
    size_t bytes = last;
    for (size_t i = 0; i + 1 < count; ++i) {
      kept.push_back(files[i * (files.size() - 1) / (count - 1)]);
      bytes += size_of(kept.back());
    }
    kept.push_back(files.back());
    if (bytes <= room) return kept;
  }
  return {};
}

std::string data_uri(const fs::path& png) { return detail::png_uri(read_if_there(png)); }

/// A picture of the run's folder, or its name where it is too large; nothing where it is not there.
std::string picture_html(const fs::path& png, const std::string& alt, const std::string& caption) {
  std::error_code why;
  if (!fs::is_regular_file(png, why)) return {};
  const uintmax_t bytes = fs::file_size(png, why);
  if (in_page(bytes) > kMostOfPicture)
    return "<p>" + html_text(png.filename().string()) + " is too large for this page.</p>\n";
  return detail::figure(alt, data_uri(png), caption);
}

std::string value_of(const std::vector<std::pair<std::string, std::string>>& rows, const std::string& key) {
  for (const auto& [name, value] : rows) {
    if (name == key) return value;
  }
  return {};
}

/// What the columns of a conditional run's grids are.
std::string columns_text(const fs::path& config) {
  try {
    const RunConfig stored = read_stored_config(config);
    const std::string names = classes_text(class_names_of(stored), stored.class_words);
    return names.empty() ? "" : html_text("; a column for each class: " + names);
  } catch (const Error&) {
    return "";  // the settings of another version, or none: a report goes without
  }
}

/// What stands beside the fakes.
std::string beside_html(const RunFiles& files) {
  return picture_html(files.reals(), "images of the training set", "Images of the training set") +
         picture_html(
             files.neighbours(), "eight fakes in a row, below each its three nearest training images",
             "First row: fakes. Below each the three training images that are nearest to it in pixels. "
             "<b class=\"well\">Healthy:</b> alike, and no two the same. <b class=\"ill\">Sick:</b> the "
             "same picture again: G copies.");
}

/// Grids and slider, in at most `room` bytes; the last grid is there without scripts too.
std::string samples_html(const RunFiles& files, size_t room) {
  std::vector<NumberedFile> all = files.all_fakes();
  keep_regular(all);
  const std::string beside = beside_html(files);
  const std::vector<NumberedFile> grids = thinned(all, room - std::min(room, beside.size()));
  std::string html;
  if (!grids.empty()) {
    const std::string latest = std::to_string(grids.back().iteration),
                      last = std::to_string(grids.size() - 1);
    html +=
        "<figure class=\"timelapse\">\n<img id=\"fakes\" alt=\"fakes at iteration " + latest + "\" src=\"" +
        data_uri(grids.back().file) + "\">\n<figcaption>Fakes, always from the same noise" +
        columns_text(files.config()) + "<span>, at iteration " + latest + "</span>" +
        "<div class=\"controls scripted\"><button id=\"play\" type=\"button\">Play</button><input id=\"step\" "
        "type=\"range\" min=\"0\" max=\"" +
        last + "\" value=\"" + last +
        "\" aria-label=\"iteration of the samples\"><output id=\"when\">iteration " + latest +
        "</output></div></figcaption>\n</figure>\n";
  } else if (!all.empty()) {
    html +=
        "<p>The sample grids are too large for this page: " + html_text(all.back().file.filename().string()) +
        "</p>\n";
  }
  html += beside;
  if (grids.empty()) return html;
  html += "<script type=\"application/json\" id=\"grids\">[";
  for (size_t i = 0; i < grids.size(); ++i) {
    html += std::string(i ? "," : "") + "\n{\"at\":\"" + std::to_string(grids[i].iteration) + "\"";
    if (i + 1 < grids.size()) html += ",\"png\":\"" + data_uri(grids[i].file) + "\"";
    html += "}";
  }
  return html + "]</script>\n";
}

/// What the judge found at the last look, from metric-NAME.jsonl: beside what real images get in the samples' place.
std::string quality_html(const RunFiles& files) {
  constexpr size_t most = size_t{1} << 16;  // of a line
  std::vector<std::vector<std::string>> rows;
  for (const fs::path& file : files.all_metrics()) {
    std::string text = read_if_there(file);
    text.resize(text.find_last_of('\n') + 1);  // a torn line is none
    if (text.empty()) continue;
    const size_t begin = text.find_last_of('\n', text.size() - 2) + 1;  // npos + 1 is 0
    const json::Json line =
        json::parse_or_null(std::string_view(text).substr(begin), {.bytes = most, .depth = 4});
    if (!line.is_object() || !line.contains("metric") || !line["metric"].is_string()) continue;
    const auto number = [](const json::Json& of, const std::string& key) {
      return of.is_object() && of.contains(key) && of[key].is_number() ? significant(of[key].get<double>(), 4)
                                                                       : std::string("-");
    };
    const std::string name = line["metric"].get<std::string>();
    rows.push_back({name, number(line.value("results", json::Json()), name), number(line, "floor"),
                    number(line, "low") + " to " + number(line, "high"), number(line, "iteration")});
  }
  const auto place = [](const std::vector<std::string>& row) {  // "fd-mnist-v1" is where "fd" is
    const std::vector<QualityMeasure>& all = quality_measures();
    return std::find_if(all.begin(), all.end(),
                        [&](const QualityMeasure& m) { return row[0].starts_with(m.key + "-"); }) -
           all.begin();
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  if (rows.empty()) return {};
  return "<h2 id=\"quality\">How good the samples are</h2>\n" +
         detail::scrolling(
             "measures of the samples",
             detail::table({"measure", "samples", "real images", "95 % interval", "iteration"}, rows));
}

std::string walks_html(const Walks& walks) {
  return message(
      "<figure><img id=\"walks\" alt=\"walks between latents\" "
      "src=\"{}\"><figcaption>Each row walks from one latent to another, "
      "at iteration {}. <b class=\"well\">Healthy:</b> every step is an image, and they change little by little. "
      "<b class=\"ill\">Sick:</b> jumps, or the same image throughout.</figcaption></figure>\n",
      detail::png_uri(walks.grid), walks.iteration);
}

std::string checkpoints_html(const RunFiles& run) {
  std::vector<NumberedFile> files = run.all_checkpoints();
  keep_regular(files);
  if (files.empty()) return {};
  std::error_code why;
  const fs::path absolute = fs::absolute(run.path(), why);
  std::string html =
      "<h2 id=\"checkpoints\">Checkpoints and how to go on</h2>\n<pre tabindex=\"0\" role=\"region\" aria-label=\"commands\">";
  for (const NumberedFile& f : files) {
    html += html_text("duel sample --checkpoint " + shell_word(fs::absolute(f.file, why).string()) +
                      " --out grid.png") +
            "\n";
  }
  return html + html_text("duel train --resume --out " + shell_word(absolute.string()) + " --steps N") +
         "</pre>\n";
}

/// Whether the run goes on, as it was when the page was written; the script reads both numbers.
std::string state_html(bool running) {
  if (!running) return {};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t written = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  return message(
      "<p id=\"state\" data-running=\"1\" data-written=\"{}\">The run goes on: this is how it stood at {}.<span "
      "id=\"news\" role=\"status\"></span> <label class=\"scripted\"><input type=\"checkbox\" id=\"follow\" checked> "
      "follow it</label></p>\n",
      std::to_string(written), html_text(local_time()));
}

}  // namespace

std::vector<std::string> run_warnings(const MetricsLog& log) {
  std::vector<std::string> warnings;
  const bool has_begun = log.iteration() >= kLearns;
  const auto ask = [&](const WarnIf& warn, const std::string& name, const std::vector<const Curve*>& of) {
    Seen seen{{}, warn.window};
    for (const Curve* curve : of) {
      if (!curve || curve->y.size() < warn.window) return;
      seen.curves.emplace_back(curve->y);
    }
    if (warn.sick(seen)) warnings.push_back(message(warn.sentence.c_str(), name));
  };
  for (const Measure& row : measures()) {
    for (const WarnIf& warn : row.warn) {
      if (!has_begun && !warn.at_once) continue;
      for (const auto& [member, curve] : log.group(warn.of[0])) ask(warn, member, {curve});
      std::vector<const Curve*> of;
      for (const std::string& key : warn.of) of.push_back(log.curve(key));
      ask(warn, warn.of[0], of);
    }
  }
  return warnings;
}

Walks draw_walks(Trainer& trainer) {
  constexpr int64_t rows = 4, columns = 8;
  LatentGenerators random = sampling_generators(7);
  const SampleGrid points = walk_grid(trainer.networks().latent, rows * columns, std::nullopt, random);
  return {image_grid(trainer.sample(points.input), points.columns), trainer.iteration()};
}

std::optional<Picture> draw_neighbours(Trainer& trainer, const Tensor& input) {
  constexpr int64_t shown = 8, most = 3, piece = 4096;
  const std::shared_ptr<const ResidentData>& data = trainer.data();
  if (!data || data->sample_shape().rank() != 3 || data->count() < most) return std::nullopt;
  const NoGrad no_grad;
  const Tensor fakes = trainer.sample(rows(input, 0, std::min(shown, input.dim(0))));
  const int64_t count = fakes.dim(0);
  const Tensor all = data->first(data->count());
  std::vector<std::vector<std::pair<double, int64_t>>> best(static_cast<size_t>(count));
  // Piece by piece: nearest() takes all that it is given into memory as f64.
  for (int64_t begin = 0; begin < data->count(); begin += piece) {
    const int64_t end = std::min(begin + piece, data->count());
    const int64_t k = std::min(most, end - begin);
    const Neighbours near = nearest(fakes, data->batch(rows(all, begin, end), fakes.dtype()), k);
    const auto index = near.index.to_vector<int64_t>();
    const auto distance = near.distance.to_vector<double>();
    for (size_t i = 0; i < index.size(); ++i)
      best[i / static_cast<size_t>(k)].emplace_back(distance[i], begin + index[i]);
    for (auto& each : best) {
      std::sort(each.begin(), each.end());
      each.resize(std::min(each.size(), static_cast<size_t>(most)));
    }
  }
  std::vector<Tensor> grid{fakes};
  for (size_t k = 0; k < most; ++k) {
    std::vector<int64_t> index;
    for (const auto& each : best) index.push_back(each[k].second);
    grid.push_back(data->batch(Tensor::from(index, {count}).to(data->device()), fakes.dtype()));
  }
  return image_grid(concat(grid, 0), count);
}

fs::path write_report(const fs::path& directory, const RunCurves& curves, const ReportParts& parts) {
  std::error_code why;
  DUEL_CHECK(fs::is_directory(directory, why), "report",
             "{}: no such folder; expected the run directory of duel train", directory.string());
  const RunFiles files(directory);
  const MetricsLog& log = curves.log;
  const auto config = json_table(read_if_there(files.config())),
             record = json_table(read_if_there(files.record()));
  const std::string objective = value_of(config, "objective"), arch = value_of(config, "arch"),
                    steps = value_of(config, "steps");
  const std::string name = fs::absolute(directory, why).lexically_normal().filename().string();

  std::string html = detail::page_begin(
      name + ": " + objective, "",
      parts.running ? "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\n" : "");
  html += "<h1>" + html_text(name) + "</h1>\n<p>" + html_text(objective + " with " + arch);
  if (!log.empty()) {
    html += ", iteration " + tick_label(log.iteration());
    if (!steps.empty()) html += " of " + html_text(steps);
  }
  if (const std::string source = value_of(record, "data.source"); !source.empty())
    html += ", " + html_text(value_of(record, "data.count") + " images of " + source);
  html += ".</p>\n";
  if (const std::string origin = value_of(record, "fork.checkpoint"); !origin.empty()) {
    const std::string changed = value_of(record, "fork.changed");
    html += "<p>Forked from iteration " + html_text(value_of(record, "fork.iteration") + " of " + origin) +
            (changed.empty() ? "; no setting is another." : "; changed: " + html_text(changed) + ".") +
            "</p>\n";
  }
  html += state_html(parts.running);
  const std::string quality = quality_html(files);
  html += std::string("<nav aria-label=\"parts of the page\"><a href=\"#samples\">Samples</a>") +
          (quality.empty() ? "" : "<a href=\"#quality\">How good they are</a>") +
          "<a href=\"#curves\">Curves</a><a href=\"#settings\">Settings and machine</a></nav>\n";
  if (const auto warnings = run_warnings(log); !warnings.empty()) {
    html += "<div class=\"warnings\" role=\"status\"><strong>Look at this</strong><ul>\n";
    for (const std::string& warning : warnings) html += "<li>" + html_text(warning) + "</li>\n";
    html += "</ul></div>\n";
  }
  std::string rest = (parts.walks ? walks_html(*parts.walks) : "") + "</div>\n" + quality;
  rest += "<h2 id=\"curves\">Curves</h2>\n" + detail::diagram_switches(log.curve("seconds")) +
          "<div class=\"plots\">\n";
  for (const RunPlot& plot : run_plots(log, curves.hints))
    rest += detail::diagram("plot-" + plot.name, plot.plot, detail::caption_html(plot.caption));
  rest += "</div>\n" + checkpoints_html(files);
  rest += "<h2 id=\"settings\">Settings and machine</h2>\n<div class=\"tables\">\n<div>" +
          detail::table(config) + "</div>\n<div>" + detail::table(record) + "</div>\n</div>\n" +
          detail::page_end_with_script();
  const size_t others = html.size() + rest.size();
  html += "<h2 id=\"samples\">Samples</h2>\n<div class=\"grids\">\n" +
          samples_html(files, others < kMostBytes ? kMostBytes - others : 0) + rest;
  write_file_atomically(files.report(), html);
  return files.report();
}

}  // namespace duel::gan
