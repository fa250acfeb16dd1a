// duel bench kernels: every own kernel at sizes from 1 KB to 256 MB, beside a copy of as many bytes and
// beside the same function made of plain ops. The three are timed in turns, so that a busy neighbour disturbs
// them alike.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <regex>
#include <thread>

#include "../terminal/terminal.h"
#include "bench.h"
#include "cases/cases.h"
#include "duel/core/device/allocator.h"
#include "duel/core/io/atomic_file.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/record/machine.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/runtime.h"
#include "report.h"
#include "report_forms.h"
#include "timer.h"

namespace duel::apps::bench {
namespace {

std::regex pattern_of(const std::string& filter) {
  try {
    return std::regex(filter);
  } catch (const std::regex_error&) {
    fail("bench", "filter: expected a regular expression, got '{}'", filter);
  }
}

/// Finds out now, not after minutes of timing, that a result has nowhere to go.
void check_writable(const std::string& option, const std::string& file) {
  if (file.empty()) return;
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  DUEL_CHECK(std::filesystem::is_directory(folder), "bench", "{}: {}: there is no folder {}; make it first",
             option, file, folder.string());
  DUEL_CHECK(!std::filesystem::is_directory(file), "bench", "{}: {} is a folder, expected a file", option,
             file);
}

/// The rows that could be timed: name, family, and what they are beside.
int list_cases(const std::vector<NamedCase>& cases) {
  std::string text = padded("kernel", -31) + padded("family", -16) + "beside\n";
  for (const NamedCase& named : cases) {
    const Case made = named.make({.size = 1024, .dtype = DType::f32, .device = Device::cpu()});
    text += padded(named.name, -31) + padded(named.family, -16) +
            (made.composed ? "a copy, plain ops\n" : "a copy\n");
  }
  std::fputs(text.c_str(), stdout);
  return 0;
}

Row measure(const NamedCase& named, const Setting& setting, Timer& timer, const SamplingPlan& plan) {
  const Case made = named.make(setting);
  std::vector<Timed> timed{timer.prepare(made.run, made.bytes),
                           timer.prepare(timer.copy(made.bytes), made.bytes)};
  if (made.composed) timed.push_back(timer.prepare([&] { made.composed(); }, made.bytes));
  std::vector<std::vector<double>> times(timed.size());
  const double began = now();
  for (int64_t done = 0; !plan.enough(done, now() - began); ++done) {
    for (size_t k = 0; k < timed.size(); ++k) times[k].push_back(timer.sample(timed[k]) * 1e6);
  }
  const Summary copy = summarize(times[1]);
  Row row{.name = named.name,
          .family = named.family,
          .shape = made.shape,
          .size = setting.size,
          .bytes = made.bytes,
          .microseconds = summarize(times[0]),
          .calls = timed[0].calls,
          .copy_us = copy.median,
          .flops = made.flops,
          .launches = timer.launches(made.run)};
  row.noise = std::max(row.microseconds.spread_percent(), copy.spread_percent());
  if (made.composed) {
    const Summary composed = summarize(times[2]);
    row.composed_us = composed.median;
    row.noise = std::max(row.noise, composed.spread_percent());
    row.composed_launches = timer.launches([&] { made.composed(); });
  }
  return row;
}

/// Processes that want a CPU, over the last minute; 0 where the system does not say.
double machine_load() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : 0;
}

}  // namespace

std::string known_commit() {
  const std::string commit = gan::source_commit();
  return commit == "unknown" ? "" : commit.substr(0, 12);
}

Device chosen_device(const std::string& name) {
  DUEL_CHECK(name == "auto" || name == "cpu" || name == "cuda", "bench",
             "device: expected auto, cpu or cuda, got '{}'", name);
  const std::string reason = why_unavailable(Device::cuda());
  DUEL_CHECK(name != "cuda" || reason.empty(), "bench", "device: cuda was asked for, but: {}", reason);
  return name == "cpu" || !reason.empty() ? Device::cpu() : Device::cuda();
}

int64_t bytes_of(const std::string& option, const std::string& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string unit = text.substr(digits);
  if (unit.size() == 2 && unit[1] == 'B') unit.pop_back();
  const int shift = unit.empty() || unit == "B" ? 0
                    : unit == "K"               ? 10
                    : unit == "M"               ? 20
                    : unit == "G"               ? 30
                                                : -1;
  DUEL_CHECK(shift >= 0 && digits > 0 && digits <= 10, "bench",
             "{}: expected a number of bytes such as 1024, 64K or 256M, got '{}'", option, text);
  const int64_t bytes = std::stoll(text.substr(0, digits)) << shift;
  DUEL_CHECK(bytes >= 1 && bytes <= int64_t{16} << 30, "bench", "{}: expected 1 byte to 16G, got '{}'",
             option, text);
  return bytes;
}

int bench_kernels(const KernelsRequest& request, Device device) {
  DUEL_CHECK(request.l2 == "warm" || request.l2 == "cold", "bench", "l2: expected warm or cold, got '{}'",
             request.l2);
  DUEL_CHECK(request.dtype == "f32" || request.dtype == "f64", "bench",
             "dtype: expected f32 or f64, got '{}'", request.dtype);
  DUEL_CHECK(request.threshold >= 0, "bench", "threshold: expected per cent of at least 0, got {}",
             request.threshold);
  const int64_t smallest = bytes_of("min-size", request.smallest),
                largest = bytes_of("max-size", request.largest);
  DUEL_CHECK(smallest <= largest, "bench", "min-size: expected at most max-size ({}), got {}",
             request.largest, request.smallest);
  check_writable("json", request.json);
  check_writable("csv", request.csv);
  check_writable("html", request.html);
  DUEL_CHECK(request.format == "duel" || request.format == "google", "bench",
             "format: expected duel or google, got '{}'", request.format);
  std::optional<Report> before;
  if (!request.compare.empty()) before = read_report(request.compare);
  const std::regex pattern = pattern_of(request.filter);
  std::vector<NamedCase> cases;
  for (NamedCase& named : all_cases()) {
    if (named.timed && (std::regex_search(named.name, pattern) || std::regex_search(named.family, pattern)))
      cases.push_back(std::move(named));
  }
  DUEL_CHECK(!cases.empty(), "bench", "filter: no kernel's name or family matches '{}'", request.filter);
  if (request.list) return list_cases(cases);

  DUEL_CHECK(
      !request.check ||
          std::any_of(cases.begin(), cases.end(),
                      [&](const NamedCase& named) {
                        return bool(
                            named.make({.size = 1024, .dtype = DType::f32, .device = device}).composed);
                      }),
      "bench",
      "check: none of the chosen kernels has plain ops beside it; expected a filter that leaves one");

  const auto timer = make_timer(device, request.l2 == "cold" ? Cache::cold : Cache::warm);
  const SamplingPlan plan =
      request.quick ? SamplingPlan{.wanted = 20, .least = 10, .seconds = 0.2} : SamplingPlan{};
  const gan::Machine machine = gan::this_machine();
  Report report{
      .duel = machine.duel,
      .device = device.kind == Device::Kind::cpu ? "CPU" : kernels::runtime::properties(device.index).name,
      .cpu = machine.cpu,
      .time = gan::local_time(),
      .dtype = request.dtype,
      .l2 = request.l2,
      .commit = known_commit(),
      .threads = kernels::threads(),
      .load = machine_load(),
      .samples_wanted = plan.wanted,
      .rows = {},
      .skipped = {}};
  std::printf(
      "%s, %s, %d thread%s, %s, caches %s; median of %lld samples; %% copy: of the bandwidth of a copy of as "
      "many bytes\n%s",
      report.device.c_str(), report.cpu.c_str(), report.threads, report.threads == 1 ? "" : "s",
      report.dtype.c_str(), report.l2.c_str(), static_cast<long long>(plan.wanted), table_header().c_str());
  if (!device.is_cuda()) {
    const int cpus = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    std::fputs(load_warning(report.load, report.threads, cpus).c_str(), stderr);
  }
  const bool live = terminal_of(stderr).live;
  // After every row: what is measured is kept where the time ends.
  const auto keep = [&] {
    if (!request.json.empty())
      write_file_atomically(request.json,
                            request.format == "google" ? to_google_json(report) : to_json(report));
    if (!request.html.empty()) write_file_atomically(request.html, to_html(report));
    if (!request.csv.empty()) write_file_atomically(request.csv, to_csv(report));
  };
  const NoGrad no_grad;
  constexpr int64_t kAttempts = 5;  // of a row that loses, under --check
  for (const NamedCase& named : cases) {
    std::string shape;
    for (const int64_t size : sweep(smallest, largest)) {
      if (live) std::fprintf(stderr, "%s %s ...", named.name.c_str(), size_text(size).c_str());
      std::string line;
      try {
        const Setting setting{
            .size = size, .dtype = request.dtype == "f64" ? DType::f64 : DType::f32, .device = device};
        // Kept between attempts, so that each has other memory: where that lies in the caches is luck.
        std::vector<Tensor> between;
        const auto attempt = [&] {
          if (request.check) {
            empty_allocator_cache(device);
            between.push_back(Tensor::empty({size + 5 * 4096}, {.dtype = DType::u8, .device = device}));
          }
          return measure(named, setting, *timer, plan);
        };
        Row row = best_attempt(attempt, request.check ? kAttempts : 1);
        // A size below the smallest shape gives that shape again.
        if (row.shape != shape) {
          line = table_row(row, plan.wanted);
          shape = row.shape;
          report.rows.push_back(std::move(row));
        }
      } catch (const Error& error) {
        report.skipped.push_back({named.name, size, error.what()});
        line = named.name + "  " + size_text(size) + "  not measured: " + error.what() + "\n";
      }
      if (live) std::fputs("\r\033[K", stderr);
      std::fputs(line.c_str(), stdout);
      std::fflush(stdout);
      keep();
    }
  }
  int status = 0;
  if (request.check) {
    const Verdict verdict = check_gains(report);
    std::printf("\n%s", verdict.text.c_str());
    if (verdict.lost > 0) status = 1;
  }
  if (!before) return status;
  const Comparison comparison = compare(*before, report, request.threshold);
  std::printf("\n%s%lld compared with %s, %lld slower by more than %g %%\n", comparison.table.c_str(),
              static_cast<long long>(comparison.compared), request.compare.c_str(),
              static_cast<long long>(comparison.regressions), request.threshold);
  return comparison.regressions > 0 ? 1 : status;
}

}  // namespace duel::apps::bench
