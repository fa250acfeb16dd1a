#include "duel/gan/run/data_report.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_set>

#include "duel/core/io/internal/json.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/record/internal/text_table.h"
#include "duel/gan/run/internal/output_file.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/run/internal/sample_sets.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

constexpr const char* kDataOp = "data";
constexpr int64_t kTestImagesDrawn = 10000;  // of drawn and of stacked digits
constexpr int64_t kShownAcross = 8, kGridPadding = 2, kMostGridSide = 16384;

void count_classes(DataHalfReport& report, const ImageSet& set) {
  report.unlabelled = set.unlabelled;
  if (set.labels.empty()) return;
  const std::vector<int64_t> names = class_names(set);
  const std::vector<std::string> words = words_of(set, names);
  std::vector<int64_t> counts(256);
  for (const uint8_t label : set.labels) ++counts[label];
  for (size_t i = 0; i < names.size(); ++i)
    report.classes.push_back({names[i], words.empty() ? std::to_string(names[i]) : words[i],
                              counts[static_cast<size_t>(names[i])]});
}

DataHalfReport half_report(const ImageSet& set) {
  DataHalfReport report{.source = set.source,
                        .count = set.count,
                        .height = set.height,
                        .width = set.width,
                        .channels = set.channels};
  count_classes(report, set);
  const int64_t area = set.height * set.width;
  // Sums of bytes and of their squares are exact: 2^30 of them are below 2^47.
  std::vector<int64_t> sums(static_cast<size_t>(set.channels)), squares = sums;
  std::unordered_set<std::string_view> seen;
  for (int64_t i = 0; i < set.count; ++i) {
    const std::string_view image = detail::bytes_of(set, i);
    for (int64_t c = 0; c < set.channels; ++c)
      for (int64_t p = 0; p < area; ++p) {
        const int64_t v = static_cast<uint8_t>(image[static_cast<size_t>(c * area + p)]);
        sums[static_cast<size_t>(c)] += v;
        squares[static_cast<size_t>(c)] += v * v;
      }
    const auto [low, high] = std::minmax_element(image.begin(), image.end(), [](char a, char b) {
      return static_cast<uint8_t>(a) < static_cast<uint8_t>(b);
    });
    report.least = std::min<int>(report.least, static_cast<uint8_t>(*low));
    report.greatest = std::max<int>(report.greatest, static_cast<uint8_t>(*high));
    report.constant += *low == *high ? 1 : 0;
    report.duplicates += seen.insert(image).second ? 0 : 1;
  }
  const auto pixels = static_cast<double>(set.count * area);
  for (size_t c = 0; c < sums.size(); ++c) {
    const double mean = static_cast<double>(sums[c]) / pixels;
    report.mean.push_back(mean / 255);
    report.deviation.push_back(
        std::sqrt(std::max(0.0, static_cast<double>(squares[c]) / pixels - mean * mean)) / 255);
  }
  return report;
}

Picture grid_of_first(const ImageSet& set, int64_t count) {
  const int64_t columns = std::clamp<int64_t>(kMostGridSide / (set.width + kGridPadding), 1, kShownAcross);
  const int64_t rows = std::max<int64_t>(kMostGridSide / (set.height + kGridPadding), 1);
  return tile_grid(set.images, std::min({count, set.count, columns * rows}), set.height, set.width, columns,
                   kGridPadding, set.channels);
}

std::string mean_text(const std::vector<double>& values) {
  std::vector<std::string> parts;
  for (const double v : values) parts.push_back(detail::number_text(v));
  return joined(parts, " ");
}

std::string share_text(int64_t part, int64_t whole) {
  if (part == 0) return "0";
  return message("{} ({} %)", part,
                 significant(100.0 * static_cast<double>(part) / static_cast<double>(whole), 2));
}

json::Json half_json(const DataHalfReport& half) {
  json::Json classes = json::Json::array();
  for (const auto& each : half.classes)
    classes.push_back({{"label", each.label}, {"name", each.name}, {"count", each.count}});
  json::Json line = {
      {"source", half.source},       {"count", half.count},          {"height", half.height},
      {"width", half.width},         {"channels", half.channels},    {"mean", half.mean},
      {"deviation", half.deviation}, {"least", half.least},          {"greatest", half.greatest},
      {"constant", half.constant},   {"duplicates", half.duplicates}};
  line["classes"] = half.classes.empty() ? json::Json(nullptr) : classes;
  if (!half.unlabelled.empty()) line["unlabelled"] = half.unlabelled;
  return line;
}

}  // namespace

DataReport report_data(const DataRequest& request) {
  DUEL_CHECK(request.count >= 1 && request.count <= 4096, kDataOp, "--count: expected 1 to 4096, got {}",
             request.count);
  if (!request.out.empty()) detail::check_output(kDataOp, "--out", request.out, ".png", request.force);
  detail::RunSetup setup;
  setup.config.data = request.data.value_or("auto");
  setup.config.image_options = request.options;
  const DataName asked = data_name(setup.config.data);
  const DataPlace place = asked.digits == "synthetic" ? DataPlace{{}, "it was chosen"}
                          : asked.digits == "auto"    ? locate_data()
                                                      : locate_data(asked.digits);
  detail::find_data(setup, setup.config);
  detail::draw_data(setup);
  DataReport report{.path = place.path.string(),
                    .kind = setup.drawn ? "drawn digits" : kind_of_data(place.path),
                    .why = place.why,
                    .train = half_report(setup.images)};
  if (setup.stacked) report.kind += ", three of them in each image";
  ImageSet test;
  if (setup.drawn || setup.stacked) {
    test = detail::held_out_images(setup, kTestImagesDrawn);
  } else if (has_half(place.path, Split::test)) {
    test = read_half(place.path, Split::test, request.options);
  }
  if (test.count > 0) {
    report.test = half_report(test);
    report.shared = detail::in_both(setup.images, test);
  }
  report.grid = grid_of_first(setup.images, request.count);
  if (!request.out.empty()) write_png(request.out, report.grid);
  return report;
}

std::string to_text(const DataReport& r) {
  std::string text = message("data      {}{}\n", r.path.empty() ? "" : visible(r.path) + ": ", r.kind);
  text += message("why       {}\n", r.why);
  text += message("training  {}\n", visible(r.train.source));
  text += message("test      {}\n", r.test ? visible(r.test->source) : "none: runs have no held-out images");
  if (!r.train.unlabelled.empty()) text += message("labels    none: {}\n", r.train.unlabelled);
  std::vector<const DataHalfReport*> halves{&r.train};
  std::vector<detail::TextColumn> columns{{"", false}, {"training", false}};
  if (r.test) {
    halves.push_back(&*r.test);
    columns.push_back({"test", false});
  }
  std::vector<std::vector<std::string>> rows;
  const auto row = [&](const std::string& name, const auto& value) {
    rows.push_back({name});
    for (const DataHalfReport* half : halves) rows.back().push_back(value(*half));
  };
  row("images", [](const DataHalfReport& h) { return std::to_string(h.count); });
  row("size", [](const DataHalfReport& h) {
    return message("{}x{}{}", h.height, h.width, h.channels == 1 ? "" : message("x{}", h.channels));
  });
  row("mean (0 to 1)", [](const DataHalfReport& h) { return mean_text(h.mean); });
  row("deviation", [](const DataHalfReport& h) { return mean_text(h.deviation); });
  row("least, greatest", [](const DataHalfReport& h) { return message("{}, {}", h.least, h.greatest); });
  row("constant", [](const DataHalfReport& h) { return share_text(h.constant, h.count); });
  row("duplicates", [](const DataHalfReport& h) { return share_text(h.duplicates, h.count); });
  if (r.test) rows.push_back({"in training", "", share_text(r.shared, r.test->count)});
  text += "\n";
  for (const std::string& line : detail::text_table(columns, rows)) text += line + "\n";
  if (r.train.classes.empty()) return text + "\nno classes\n";
  columns[0] = {"class", true};
  rows.clear();
  for (const auto& each : r.train.classes) {
    rows.push_back(
        {each.name == std::to_string(each.label) ? each.name : message("{} {}", each.label, each.name),
         std::to_string(each.count)});
    if (!r.test) continue;
    int64_t count = 0;
    for (const auto& other : r.test->classes)
      if (other.label == each.label) count = other.count;
    rows.back().push_back(std::to_string(count));
  }
  text += "\n";
  for (const std::string& line : detail::text_table(columns, rows)) text += line + "\n";
  return text;
}

std::string to_json_line(const DataReport& r) {
  json::Json line = {{"data", r.path}, {"kind", r.kind}, {"why", r.why}, {"train", half_json(r.train)}};
  line["test"] = r.test ? half_json(*r.test) : json::Json(nullptr);
  line["shared"] = r.test ? json::Json(r.shared) : json::Json(nullptr);
  return json::dumped(line) + "\n";
}

}  // namespace duel::gan
