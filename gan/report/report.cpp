#include "duel/gan/report/report.h"

#include <algorithm>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/record/internal/run_record.h"
#include "duel/gan/record/run_config.h"
#include "duel/gan/report/internal/html.h"
#include "duel/gan/train/run_files.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostGrids = 120;
constexpr uintmax_t kMostBytes = 2'500'000;
constexpr double kLearns = 300;  // iterations before which only WarnIf::at_once is told

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

std::string data_uri(const fs::path& png) { return detail::png_uri(read_if_there(png)); }

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
    html += detail::figure("images of the training set", data_uri(reals), "Images of the training set");
  }
  html += "</div>\n<script type=\"application/json\" id=\"grids\">[";
  for (size_t i = 0; i < grids.size(); ++i) {
    html += std::string(i ? "," : "") + "\n{\"at\":\"" + std::to_string(grids[i].iteration) +
            "\",\"png\":\"" + data_uri(grids[i].file) + "\"}";
  }
  return html + "]</script>\n<script>" + detail::kScript + "</script>\n";
}

std::string walks_html(const Walks& walks) {
  return message(
      "<h2>Between latents</h2>\n"
      "<div class=\"grids\"><figure><img id=\"walks\" alt=\"walks between latents\" "
      "src=\"{}\"><figcaption>Each row walks from one latent to another, "
      "at iteration {}. Healthy: every step is an image, and they change little by little. Sick: jumps, "
      "or the same image throughout.</figcaption></figure></div>\n",
      detail::png_uri(walks.grid), walks.iteration);
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

  std::string html = detail::page_begin(name + ": " + objective);
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
  if (const auto warnings = run_warnings(log); !warnings.empty()) {
    html += "<div class=\"warnings\" role=\"status\"><strong>Look at this</strong><ul>\n";
    for (const std::string& warning : warnings) html += "<li>" + html_text(warning) + "</li>\n";
    html += "</ul></div>\n";
  }
  html += samples_html(files) + (walks ? walks_html(*walks) : "");
  html += "<h2>Diagrams</h2>\n<div class=\"plots\">\n";
  for (const auto& [file, caption] : plots) {
    html += detail::figure(file.stem().string(), data_uri(file), html_text(caption));
  }
  html += "</div>\n" + checkpoints_html(files);
  html += "<h2>Settings and machine</h2>\n<div class=\"tables\">\n<div>" + detail::table(config) +
          "</div>\n<div>" + detail::table(record) + "</div>\n</div>\n";
  html += detail::kPageEnd;
  write_file_atomically(files.report(), html);
  return files.report();
}

}  // namespace duel::gan
