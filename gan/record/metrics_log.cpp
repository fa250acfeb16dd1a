// The lines of metrics.jsonl and back.
#include "duel/gan/record/metrics_log.h"

#include <algorithm>
#include <cmath>

#include "duel/core/io/internal/json.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/kernels/base/text.h"

namespace duel::gan {
namespace {

using json::Json;

/// Of one line.
const json::Rules kLine = {.op = "metrics", .bytes = size_t{4} << 20, .depth = 4};

/// Six digits are enough for a diagnosis, and keep its line short.
Json brief(double value) {
  if (!std::isfinite(value)) return nullptr;
  return *parse_number<double>(significant(value, 6));
}
Json exact(double value) { return value; }

template <class Digits>
Json as_json(const Measured& value, const Digits& digits) {
  if (const auto* number = std::get_if<double>(&value)) return digits(*number);
  if (const auto* h = std::get_if<Histogram>(&value))
    return {{"low", digits(h->low)}, {"high", digits(h->high)}, {"counts", h->counts}};
  Json object = Json::object();
  for (const auto& [name, number] : std::get<NamedValues>(value)) object[name] = digits(number);
  return object;
}

bool is_empty_group(const Measured& value) {
  const auto* group = std::get_if<NamedValues>(&value);
  return group && group->empty();
}

std::optional<Histogram> histogram_from(const Json& value) {
  if (!value.is_object() || !value.contains("counts") || !value["counts"].is_array()) return std::nullopt;
  Histogram h;
  for (const Json& count : value["counts"]) {
    if (!count.is_number_integer()) return std::nullopt;
    h.counts.push_back(count.get<int64_t>());
  }
  const auto side = [&](const char* key) {
    return value.contains(key) && value[key].is_number() ? value[key].get<double>() : 0.0;
  };
  h.low = side("low");
  h.high = side("high");
  return h;
}

}  // namespace

std::string to_json_line(const Metrics& m, double epoch, bool probabilities,
                         const std::optional<Diagnosis>& diagnosis, const JudgedValues& judged) {
  Json line = {{"iteration", m.iteration}};
  for (const Measure& row : measures()) {
    if (row.of_line) {
      const std::vector<Measured> values = row.of_line({m, epoch, probabilities, judged});
      for (size_t i = 0; i < values.size(); ++i) {
        if (!is_empty_group(values[i])) line[row.keys.at(i).name] = as_json(values[i], exact);
      }
    }
    if (row.of_look && diagnosis) {
      for (const MeasureKey& key : row.keys) {
        if (const Measured* value = diagnosis->find(key.name)) line[key.name] = as_json(*value, brief);
      }
    }
  }
  return json::dumped(line) + "\n";
}

std::string to_json_line(const Timing& t) {
  const Json json = {{"iteration", t.iteration},
                     {"seconds", std::round(t.seconds * 1e6) / 1e6},
                     {"images_per_second", brief(t.images_per_second)}};
  return json.dump() + "\n";
}

std::optional<int64_t> iteration_of_line(const std::string& line) {
  const Json values = json::parse_or_null(line, kLine);
  if (!values.is_object() || !values.contains("iteration") || !values["iteration"].is_number_integer())
    return std::nullopt;
  return values["iteration"].get<int64_t>();
}

template <class T>
T& MetricsLog::Named<T>::at(const std::string& key) {
  const auto [place, is_new] = places.emplace(key, list.size());
  if (is_new) list.emplace_back(key, T());
  return list[place->second].second;
}

template <class T>
const T* MetricsLog::Named<T>::find(const std::string& key) const {
  const auto place = places.find(key);
  return place == places.end() ? nullptr : &list[place->second].second;
}

const Curve* MetricsLog::curve(const std::string& key) const { return curves_.find(key); }

std::vector<std::string> MetricsLog::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, curve] : curves_.list) names.push_back(key);
  return names;
}

std::vector<std::pair<std::string, const Curve*>> MetricsLog::group(const std::string& prefix) const {
  std::vector<std::pair<std::string, const Curve*>> members;
  for (const auto& [key, curve] : curves_.list) {
    if (key.starts_with(prefix + "/")) members.emplace_back(key.substr(prefix.size() + 1), &curve);
  }
  return members;
}

const std::pair<double, Histogram>* MetricsLog::last_histogram(const std::string& key) const {
  return histograms_.find(key);
}

void MetricsLog::add(std::string_view lines) {
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = std::min(lines.find('\n', begin), lines.size());
    const Json values = json::parse_or_null(lines.substr(begin, end - begin), kLine);
    begin = end + 1;
    if (!values.is_object() || !values.contains("iteration") || !values["iteration"].is_number()) continue;
    const auto iteration = values["iteration"].get<double>();
    iteration_ = std::max(iteration_, iteration);
    const auto add_value = [&](const std::string& key, const Json& value) {
      if (!value.is_number() && !value.is_null()) return;
      Curve& curve = curves_.at(key);
      curve.x.push_back(iteration);
      curve.y.push_back(value.is_number() ? value.get<double>() : std::nan(""));
    };
    for (const auto& [key, value] : values.items()) {
      if (key == "iteration") continue;
      if (auto histogram = histogram_from(value)) {
        histograms_.at(key) = {iteration, std::move(*histogram)};
      } else if (value.is_object()) {
        for (const auto& [name, inner] : value.items()) add_value(key + "/" + name, inner);
      } else {
        add_value(key, value);
      }
    }
  }
}

void MetricsLog::add_file(const std::filesystem::path& file) {
  add(read_file("plot", file, size_t{1} << 30, "the metrics.jsonl of a run directory of duel train"));
}

MetricsLog parse_metrics(const std::string& text) {
  MetricsLog log;
  log.add(text);
  return log;
}

}  // namespace duel::gan
