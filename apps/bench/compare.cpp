// duel bench compare: what two commits measured, in one table. Each file is a report of `duel bench kernels --json` or the
// lines of `duel bench step --json`.
#include <cstdio>
#include <sstream>

#include "bench.h"
#include "duel/core/io/internal/json.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/kernels/base/error.h"
#include "report.h"

namespace duel::apps::bench {
namespace {

using json::Json;

constexpr size_t kMostBytes = size_t{64} << 20;

/// A workload's line as a row: its times in microseconds; no bytes and no copy, which the comparison does not ask for.
Row row_of_step(const Json& line) {
  const double ms = 1000;
  Row row{.name = line.at("arch").get<std::string>() + " " + line.at("objective").get<std::string>(),
          .family = "step",
          .shape = message("batch {}", line.at("batch").get<int64_t>()),
          .size = line.at("batch"),
          .microseconds = {.median = ms * line.at("ms_median").get<double>(),
                           .p10 = ms * line.at("ms_p10").get<double>(),
                           .p90 = ms * line.at("ms_p90").get<double>(),
                           .smallest = ms * line.at("ms_min").get<double>(),
                           .count = line.at("iterations")}};
  DUEL_CHECK(row.microseconds.median > 0, "bench", "{}: ms_median: expected a positive number, got {}",
             row.name, row.microseconds.median / ms);
  row.noise = row.microseconds.spread_percent();
  return row;
}

/// Nothing where the file is something else.
std::optional<Report> steps_in(const std::filesystem::path& file) {
  std::istringstream lines(read_file("bench", file, kMostBytes, "a file that duel bench --json wrote"));
  Report report{.dtype = "f32", .l2 = "warm"};
  int64_t number = 0;
  for (std::string text; std::getline(lines, text);) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (number == 1 && text.find("\"bench\": \"step\"") == std::string::npos) return std::nullopt;
    const std::string where = message("{}: line {}", file.string(), number);
    const Json line = json::parse(text, {.op = "bench", .source = where, .bytes = kMostBytes});
    try {
      DUEL_CHECK(line.is_object() && line.value("bench", "") == "step", "bench",
                 "{}: expected a line of `duel bench step --json`", where);
      report.rows.push_back(row_of_step(line));
      report.duel = line.at("duel");
      report.commit = line.value("commit", "");
      report.device = line.at("device");
      report.threads = line.at("threads");
      // Of several numbers of threads in one file each is a row of its own.
      report.rows.back().name += message(", {} thread{}", report.threads, report.threads == 1 ? "" : "s");
    } catch (const nlohmann::json::exception& error) {
      fail("bench", "{}: expected a line of `duel bench step --json`: {}", where, error.what());
    }
  }
  if (report.rows.empty()) return std::nullopt;
  return report;
}

Report read_either(const std::filesystem::path& file) {
  if (auto steps = steps_in(file)) return *steps;
  return read_report(file);
}

std::string origin(const Report& report) {
  std::string text = "Duel " + report.duel;
  if (!report.commit.empty()) text += ", commit " + report.commit;
  if (!report.time.empty()) text += ", " + report.time;
  if (report.load > 0) text += message(", load {}", fixed(report.load, 1));
  return text;
}

}  // namespace

int bench_compare(const std::vector<std::string>& files, double threshold_percent) {
  DUEL_CHECK(files.size() == 2, "bench", "compare: expected two files, the old one first, got {}",
             files.size());
  DUEL_CHECK(threshold_percent >= 0, "bench", "threshold: expected per cent of at least 0, got {}",
             threshold_percent);
  const Report before = read_either(files[0]), now = read_either(files[1]);
  const Comparison comparison = compare(before, now, threshold_percent);
  std::printf(
      "before  %s: %s\nnow     %s: %s\n%s%lld compared, %lld slower by more than %g %%, %lld of all noisy\n",
      files[0].c_str(), origin(before).c_str(), files[1].c_str(), origin(now).c_str(),
      comparison.table.c_str(), static_cast<long long>(comparison.compared),
      static_cast<long long>(comparison.regressions), threshold_percent,
      static_cast<long long>(comparison.noisy));
  return comparison.regressions > 0 ? 1 : 0;
}

}  // namespace duel::apps::bench
