// JSON, CSV, tables and comparison: see report.h.
#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "duel/core/io/internal/json.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/kernels/base/error.h"

namespace duel::apps::bench {
namespace {

using json::Json;

/// Six digits are more than any timer has.
double rounded(double value) { return *parse_number<double>(significant(value, 6)); }

template <class T>
Json maybe(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_floating_point_v<T>)
    return rounded(*value);
  else
    return *value;
}

template <class T>
std::optional<T> maybe_from(const Json& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<T>();
}

Json row_json(const Row& row) {
  return {{"name", row.name},
          {"family", row.family},
          {"shape", row.shape},
          {"size", row.size},
          {"bytes", row.bytes},
          {"median_us", rounded(row.microseconds.median)},
          {"p10_us", rounded(row.microseconds.p10)},
          {"p90_us", rounded(row.microseconds.p90)},
          {"min_us", rounded(row.microseconds.smallest)},
          {"samples", row.microseconds.count},
          {"calls_per_sample", row.calls},
          {"gb_per_s", rounded(row.gb_per_s())},
          {"copy_us", rounded(row.copy_us)},
          {"copy_percent", rounded(row.copy_percent())},
          {"noise_percent", rounded(row.noise)},
          {"noisy", row.noisy()},
          {"attempts", row.attempts},
          {"flops", maybe(row.flops)},
          {"gflop_per_s", maybe(row.gflop_per_s())},
          {"launches", maybe(row.launches)},
          {"composed_us", maybe(row.composed_us)},
          {"composed_launches", maybe(row.composed_launches)},
          {"gain", maybe(row.gain())}};
}

Row row_from(const Json& json) {
  Row row{.name = json.at("name"),
          .family = json.at("family"),
          .shape = json.at("shape"),
          .size = json.at("size"),
          .bytes = json.at("bytes"),
          .microseconds = {.median = json.at("median_us"),
                           .p10 = json.at("p10_us"),
                           .p90 = json.at("p90_us"),
                           .smallest = json.at("min_us"),
                           .count = json.at("samples")},
          .calls = json.at("calls_per_sample"),
          .copy_us = json.at("copy_us"),
          .noise = json.value("noise_percent", 0.0),  // 0.1.0 wrote none
          .flops = maybe_from<double>(json.at("flops")),
          .launches = maybe_from<int64_t>(json.at("launches")),
          .composed_us = maybe_from<double>(json.at("composed_us")),
          .composed_launches = maybe_from<int64_t>(json.at("composed_launches")),
          .attempts = json.value("attempts", int64_t{1})};
  DUEL_CHECK(row.microseconds.median > 0, "bench", "{}: median_us: expected a positive number, got {}",
             row.name, row.microseconds.median);
  return row;
}

std::string text(const char* format, double value) {
  char out[48];
  std::snprintf(out, sizeof out, format, value);
  return out;
}

std::string short_time(double microseconds) {
  return text(microseconds < 10 ? "%.2f" : microseconds < 1000 ? "%.1f" : "%.0f", microseconds);
}

std::string cell(const Json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

std::string padded(const std::string& cell, int width) {
  const auto fill = static_cast<size_t>(std::abs(width));
  if (cell.size() >= fill) return cell;
  const std::string space(fill - cell.size(), ' ');
  return width < 0 ? cell + space : space + cell;
}

std::string to_json(const Report& report) {
  Json json{{"bench", "kernels"},
            {"duel", report.duel},
            {"commit", report.commit},
            {"time", report.time},
            {"device", report.device},
            {"cpu", report.cpu},
            {"threads", report.threads},
            {"load", rounded(report.load)},
            {"dtype", report.dtype},
            {"l2", report.l2},
            {"samples_wanted", report.samples_wanted},
            {"results", Json::array()},
            {"skipped", Json::array()}};
  for (const Row& row : report.rows) json["results"].push_back(row_json(row));
  for (const Skipped& skipped : report.skipped)
    json["skipped"].push_back({{"name", skipped.name}, {"size", skipped.size}, {"reason", skipped.reason}});
  return json.dump(1) + "\n";
}

std::string to_csv(const Report& report) {
  std::string out;
  Row nothing;
  nothing.microseconds.median = 1;
  const Json columns = row_json(nothing);
  for (const auto& [name, value] : columns.items()) out += name + ",";
  out += "dtype,l2,threads,device\n";
  for (const Row& row : report.rows) {
    const Json cells = row_json(row);  // held: items() only refers to it
    for (const auto& [name, value] : cells.items()) out += cell(value) + ",";
    std::string device = report.device;
    std::replace(device.begin(), device.end(), '"', '\'');
    out += report.dtype + "," + report.l2 + "," + std::to_string(report.threads) + ",\"" + device + "\"\n";
  }
  return out;
}

Report read_report(const std::filesystem::path& file) {
  constexpr size_t most = size_t{64} << 20;
  const Json json = json::parse(read_file("bench", file, most, "a file that --json wrote"),
                                {.op = "bench", .source = file.string(), .bytes = most});
  try {
    DUEL_CHECK(json.is_object() && json.value("bench", "") == "kernels", "bench",
               "{}: expected a report of `duel bench kernels --json`", file.string());
    Report report{.duel = json.at("duel"),
                  .device = json.at("device"),
                  .cpu = json.at("cpu"),
                  .time = json.at("time"),
                  .dtype = json.at("dtype"),
                  .l2 = json.at("l2"),
                  .commit = json.value("commit", ""),
                  .threads = json.at("threads"),
                  .load = json.value("load", 0.0),
                  .samples_wanted = json.at("samples_wanted"),
                  .rows = {},
                  .skipped = {}};
    for (const Json& row : json.at("results")) report.rows.push_back(row_from(row));
    for (const Json& row : json.at("skipped"))
      report.skipped.push_back({row.at("name"), row.at("size"), row.at("reason")});
    return report;
  } catch (const nlohmann::json::exception& error) {
    fail("bench", "{}: expected a report of `duel bench kernels --json`: {}", file.string(), error.what());
  }
}

std::string size_text(int64_t bytes) {
  const char* units[] = {"B", "KB", "MB", "GB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1024 && unit < 3; ++unit) value /= 1024;
  return text(value == std::floor(value) ? "%.0f" : "%.1f", value) + " " + units[unit];
}

std::string table_header() {
  return padded("kernel", -31) + padded("shape", -18) + padded("moved", 9) + padded("median us", 11) +
         padded("p10 - p90", 19) + padded("noise", 8) + padded("GB/s", 8) + padded("% copy", 8) +
         padded("GFLOP/s", 9) + padded("launches", 10) + padded("plain ops us", 14) + padded("gain", 7) +
         "\n";
}

std::string table_row(const Row& row, int64_t samples_wanted) {
  const auto number = [](const auto& value, const char* format) {
    return value ? text(format, static_cast<double>(*value)) : std::string("-");
  };
  std::string remarks;
  if (row.noisy()) remarks += "  noisy";
  if (row.copy_percent() > 110) remarks += "  faster than a copy";
  if (row.microseconds.count < samples_wanted) remarks += message("  {} samples", row.microseconds.count);
  if (row.attempts > 1) remarks += message("  best of {} attempts", row.attempts);
  return padded(row.name, -31) + padded(row.shape, -18) + padded(size_text(row.bytes), 9) +
         padded(short_time(row.microseconds.median), 11) +
         padded(short_time(row.microseconds.p10) + " - " + short_time(row.microseconds.p90), 19) +
         padded(text("%.0f %%", row.noise), 8) + padded(text("%.1f", row.gb_per_s()), 8) +
         padded(text("%.0f", row.copy_percent()), 8) + padded(number(row.gflop_per_s(), "%.1f"), 9) +
         padded(number(row.launches, "%.0f"), 10) +
         padded(row.composed_us ? short_time(*row.composed_us) : "-", 14) +
         padded(number(row.gain(), row.loses() ? "%.2fx" : "%.1fx"), 7) + remarks + "\n";
}

Row best_attempt(const std::function<Row()>& measure, int64_t attempts) {
  Row best = measure();
  int64_t made = 1;
  for (; best.loses() && made < attempts; ++made) {
    Row again = measure();
    if (*again.gain() > *best.gain()) best = std::move(again);
  }
  best.attempts = made;
  return best;
}

Verdict check_gains(const Report& report) {
  Verdict verdict;
  for (const Row& row : report.rows) {
    if (!row.gain()) continue;
    ++verdict.compared;
    if (!row.loses()) continue;
    ++verdict.lost;
    verdict.text +=
        message("{} {}: {} us, the plain ops beside it {} us, a gain of {} in the best of {} attempts\n",
                row.name, row.shape, short_time(row.microseconds.median), short_time(*row.composed_us),
                text("%.2f", *row.gain()), row.attempts);
  }
  verdict.text +=
      message("check: {} of {} rows are slower by more than a tenth than the plain ops beside them\n",
              verdict.lost, verdict.compared);
  return verdict;
}

std::string load_warning(double load, int threads, int cpus) {
  if (load + threads <= cpus + 0.5) return "";
  return message(
      "warning: {} of {} CPUs are busy and the bench wants {}: times will be noisy; "
      "stop other programs or lower --threads\n",
      text("%.1f", load), cpus, threads);
}

Comparison compare(const Report& before, const Report& now, double threshold_percent) {
  DUEL_CHECK(before.dtype == now.dtype, "bench",
             "compare: expected one dtype, the old report has {}, this run {}", before.dtype, now.dtype);
  DUEL_CHECK(before.l2 == now.l2, "bench",
             "compare: expected one state of L2, the old report has {}, this run {}", before.l2, now.l2);
  std::map<std::pair<std::string, int64_t>, const Row*> old;
  for (const Row& row : before.rows) old[{row.name, row.size}] = &row;
  struct Pair {
    const Row *before, *now;
    double change;  // per cent; above 0 is slower
  };
  std::vector<Pair> pairs;
  for (const Row& row : now.rows) {
    const auto found = old.find({row.name, row.size});
    if (found == old.end()) continue;
    const double change = 100 * (row.microseconds.median / found->second->microseconds.median - 1);
    pairs.push_back({found->second, &row, change});
  }
  DUEL_CHECK(!pairs.empty(), "bench",
             "compare: the old report and this run have no kernel and size in common");
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.change > b.change; });

  Comparison result;
  const auto differs = [&](const char* what, const std::string& a, const std::string& b) {
    if (a != b) result.table += message("note: {} was {}, is {}\n", what, a, b);
  };
  differs("device", before.device, now.device);
  differs("CPU", before.cpu, now.cpu);
  differs("threads", std::to_string(before.threads), std::to_string(now.threads));
  const auto interval = [](const Summary& times) {
    return short_time(times.p10) + " - " + short_time(times.p90);
  };
  result.table += padded("name", -31) + padded("shape", -18) + padded("before us", 10) +
                  padded("p10 - p90", 17) + padded("now us", 10) + padded("p10 - p90", 17) +
                  padded("change", 10) + padded("noise", 8) + "\n";
  for (const Pair& pair : pairs) {
    const bool worse = pair.change > threshold_percent, noisy = pair.before->noisy() || pair.now->noisy();
    result.regressions += worse;
    result.noisy += noisy;
    const Summary &old_times = pair.before->microseconds, &times = pair.now->microseconds;
    result.table += padded(pair.now->name, -31) + padded(pair.now->shape, -18) +
                    padded(short_time(old_times.median), 10) + padded(interval(old_times), 17) +
                    padded(short_time(times.median), 10) + padded(interval(times), 17) +
                    padded(text("%+.1f %%", pair.change), 10) +
                    padded(text("%.0f %%", std::max(pair.before->noise, pair.now->noise)), 8) +
                    (worse ? "  slower" : "") + (noisy ? "  noisy" : "") + "\n";
  }
  result.compared = static_cast<int64_t>(pairs.size());
  return result;
}

}  // namespace duel::apps::bench
