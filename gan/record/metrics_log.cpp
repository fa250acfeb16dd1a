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

Json as_json(const Histogram& h) {
  return {{"low", brief(h.low)}, {"high", brief(h.high)}, {"counts", h.counts}};
}

Json as_json(const NamedValues& values) {
  Json object = Json::object();
  for (const auto& [name, value] : values) object[name] = brief(value);
  return object;
}

void add(Json& line, const Diagnosis& d) {
  const std::pair<const char*, double> values[] = {{"js_estimate", d.js_estimate},
                                                   {"wasserstein_estimate", d.wasserstein_estimate},
                                                   {"accuracy", d.accuracy},
                                                   {"input_gradient_real", d.input_gradient_real},
                                                   {"input_gradient_fake", d.input_gradient_fake},
                                                   {"input_gradient_line", d.input_gradient_line},
                                                   {"critic_training", d.critic_training},
                                                   {"critic_held_out", d.critic_held_out},
                                                   {"held_out_gap", d.held_out_gap},
                                                   {"step_cosine_d", d.step_cosine_d},
                                                   {"step_cosine_g", d.step_cosine_g},
                                                   {"fake_spread", d.fake_spread},
                                                   {"share_at_clip", d.share_at_clip}};
  for (const auto& [key, value] : values) {
    if (!std::isnan(value)) line[key] = brief(value);
  }
  const std::pair<const char*, const NamedValues*> groups[] = {
      {"spectral_norms", &d.spectral_norms},
      {"gradients_d", &d.gradients_d},
      {"gradients_g", &d.gradients_g},
      {"activation_gradients", &d.activation_gradients}};
  for (const auto& [key, group] : groups) {
    if (!group->empty()) line[key] = as_json(*group);
  }
  line["histogram_real"] = as_json(d.d_real);
  line["histogram_fake"] = as_json(d.d_fake);
  line["histogram_weights"] = as_json(d.weights_d);
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
                         const std::optional<Diagnosis>& diagnosis) {
  Json values = {{"iteration", m.iteration}, {"epoch", epoch},     {"loss_d", m.loss_d}, {"loss_g", m.loss_g},
                 {"penalty", m.penalty},     {"d_real", m.d_real}, {"d_fake", m.d_fake}};
  if (probabilities) {
    values["p_real"] = m.p_real;
    values["p_fake"] = m.p_fake;
  }
  values["input_gradient_norm"] = m.input_gradient_norm;
  values["grad_norm_d"] = m.grad_norm_d;
  values["grad_norm_g"] = m.grad_norm_g;
  for (const auto& [name, value] : m.terms_d) values["terms_d"][name] = value;
  for (const auto& [name, value] : m.terms_g) values["terms_g"][name] = value;
  for (const auto& [name, value] : m.more) values[name] = value;
  if (diagnosis) add(values, *diagnosis);
  return json::dumped(values) + "\n";
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
    const double iteration = values["iteration"].get<double>();
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
