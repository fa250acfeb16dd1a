#include "duel/gan/record/run_summary.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "duel/core/io/internal/json.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/gan/objective/composition.h"
#include "duel/gan/record/internal/run_directory.h"
#include "duel/gan/record/internal/run_record.h"
#include "duel/gan/record/internal/text_table.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/gan/record/run_config.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

constexpr const char* kListOp = "list";
constexpr std::streamoff kTail = 8 << 20;  // bytes: a line has at most half of it

/// The last whole line of a file; empty where it has none.
std::string last_line(const fs::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  DUEL_CHECK(in, kListOp, "{}: cannot be read", file.string());
  const std::streamoff size = in.tellg(), length = std::min(size, kTail);
  std::string tail(static_cast<size_t>(length), '\0');
  in.seekg(size - length);
  in.read(tail.data(), length);
  DUEL_CHECK(in, kListOp, "{}: cannot be read", file.string());
  const size_t end = tail.rfind('\n');  // what follows is torn
  if (end == std::string::npos || end == 0) return {};
  const size_t before = tail.rfind('\n', end - 1);
  return tail.substr(before == std::string::npos ? 0 : before + 1,
                     end - (before == std::string::npos ? 0 : before + 1));
}

void read_metrics(const fs::path& file, RunSummary& run) {
  const std::string line = last_line(file);
  if (line.empty()) return;
  const auto iteration = iteration_of_line(line);
  DUEL_CHECK(iteration, kListOp, "{}: its last line is none of metrics: {}", file.string(), shown(line, 40));
  run.iteration = *iteration;
  const MetricsLog log = parse_metrics(line);
  for (const auto& [key, loss] : {std::pair("loss_d", &run.loss_d), std::pair("loss_g", &run.loss_g)}) {
    if (const Curve* curve = log.curve(key)) *loss = curve->y.back();
  }
}

/// What the objective is with its parts replaced, "hinge+paired"; of one that this program does not know its name alone.
std::string objective_text(const RunConfig& config) {
  const std::vector<std::string> known = objective_names();
  if (config.objective != kComposed && std::find(known.begin(), known.end(), config.objective) == known.end())
    return config.objective;
  return named_objective(config.objective, config.overrides).name;
}

void read_files(RunSummary& run) {
  std::error_code ignored;
  const RunFiles files(run.directory);
  DUEL_CHECK(fs::exists(files.config(), ignored), kListOp, "{}: is missing", files.config().string());
  const RunConfig config = read_run_config(files.config());
  run.objective = objective_text(config);
  run.arch = config.networks.arch;
  run.total = config.steps;
  if (fs::exists(fs::symlink_status(files.record(), ignored))) {
    const std::string text =
        read_file(kListOp, files.record(), kMaxRecord, "the run.json of a run directory");
    run.started = run_record_from_json(text, files.record().string()).started;
  }
  if (fs::exists(fs::symlink_status(files.metrics(), ignored))) {
    DUEL_CHECK(fs::is_regular_file(files.metrics(), ignored), kListOp, "{}: is not a regular file",
               files.metrics().string());
    read_metrics(files.metrics(), run);
  }
  std::error_code why;
  const std::vector<NumberedFile> checkpoints = files.all_checkpoints(why);
  DUEL_CHECK(!why || why == std::errc::no_such_file_or_directory, kListOp, "{}: cannot be read: {}",
             files.checkpoints().string(), why.message());
  if (checkpoints.empty()) return;
  run.iteration = std::max(run.iteration, checkpoints.back().iteration);
  if (run.total > 0 && checkpoints.back().iteration >= run.total) run.state = RunSummary::State::finished;
}

/// "11-29 16:24" of "2026-11-29T16:24:05+0000".
std::string short_time(const std::string& started) {
  return started.size() < 16 ? std::string("-") : started.substr(5, 5) + " " + started.substr(11, 5);
}

/// Of the folder, also where the path ends in a slash or is ".".
std::string name_of(const fs::path& directory) {
  std::error_code ignored;
  fs::path path = fs::absolute(directory, ignored).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

}  // namespace

std::string to_text(RunSummary::State state) {
  switch (state) {
    case RunSummary::State::running:
      return "running";
    case RunSummary::State::finished:
      return "finished";
    case RunSummary::State::stopped:
      return "stopped";
    case RunSummary::State::damaged:
      break;
  }
  return "damaged";
}

bool is_run_directory(const fs::path& folder) {
  std::error_code ignored;
  const RunFiles files(folder);
  const bool metrics = fs::exists(files.metrics(), ignored),
             checkpoints = fs::is_directory(files.checkpoints(), ignored);
  if (fs::exists(fs::symlink_status(files.config(), ignored)))
    return metrics || checkpoints || fs::exists(files.record(), ignored);
  return metrics && checkpoints;
}

RunSummary run_summary(const fs::path& directory) {
  RunSummary run{.directory = directory};
  try {
    read_files(run);
    if (RunDirectory::is_held(directory)) run.state = RunSummary::State::running;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    run.state = RunSummary::State::damaged;
    run.problem = error.what();
  }
  return run;
}

std::vector<RunSummary> runs_in(const fs::path& folder) {
  std::error_code why;
  DUEL_CHECK(fs::is_directory(folder, why), kListOp,
             "{}: no such folder; expected one with the run directories of duel train", folder.string());
  if (is_run_directory(folder)) return {run_summary(folder)};
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(folder, why), end; !why && entry != end; entry.increment(why)) {
    if (is_run_directory(entry->path())) found.push_back(entry->path());
  }
  DUEL_CHECK(!why, kListOp, "{}: cannot be read: {}; choose a folder that can", folder.string(),
             why.message());
  std::sort(found.begin(), found.end());
  std::vector<RunSummary> runs;
  for (const fs::path& path : found) runs.push_back(run_summary(path));
  return runs;
}

std::string to_table(const std::vector<RunSummary>& runs) {
  const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
  std::vector<std::vector<std::string>> rows;
  for (const RunSummary& run : runs) {
    const bool damaged = run.state == RunSummary::State::damaged;
    rows.push_back({name_of(run.directory), or_dash(run.objective), or_dash(run.arch),
                    damaged ? "-" : message("{}/{}", run.iteration, run.total), to_text(run.state),
                    std::isfinite(run.loss_d) ? significant(run.loss_d, 3) : "-",
                    std::isfinite(run.loss_g) ? significant(run.loss_g, 3) : "-", short_time(run.started)});
  }
  const std::vector<std::string> lines = detail::text_table({{"name", true},
                                                             {"objective", true},
                                                             {"net", true},
                                                             {"iteration"},
                                                             {"state"},
                                                             {"loss D"},
                                                             {"loss G"},
                                                             {"started"}},
                                                            rows);
  std::string text = lines[0] + "\n";
  for (size_t i = 0; i < runs.size(); ++i) {
    text += lines[i + 1] + "\n";
    if (runs[i].problem.empty()) continue;
    for (const std::string& line : detail::text_lines(runs[i].problem, 2)) text += line + "\n";
  }
  return text;
}

std::string to_json_line(const RunSummary& run) {
  const bool damaged = run.state == RunSummary::State::damaged;
  json::Json line = {{"name", name_of(run.directory)},
                     {"path", run.directory.string()},
                     {"state", to_text(run.state)},
                     {"objective", run.objective},
                     {"arch", run.arch},
                     {"iteration", run.iteration},
                     {"steps", run.total},
                     {"loss_d", json::number_or_null(run.loss_d)},
                     {"loss_g", json::number_or_null(run.loss_g)}};
  line["started"] = run.started.empty() ? json::Json(nullptr) : json::Json(run.started);
  if (damaged) line["problem"] = run.problem;
  return json::dumped(line) + "\n";
}

}  // namespace duel::gan
