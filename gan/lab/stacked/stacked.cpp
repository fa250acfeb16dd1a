#include "duel/gan/lab/stacked/stacked.h"

#include <algorithm>
#include <numeric>

#include "duel/core/io/atomic_file.h"
#include "duel/gan/lab/internal/shared_runs.h"
#include "duel/gan/lab/stacked/internal/stacked_runs.h"
#include "duel/gan/picture/canvas.h"
#include "duel/gan/record/machine.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

std::vector<StackedRun> recorded_stacked(const StackedRequest& request, const ResultStore& store) {
  std::vector<StackedRun> runs;
  for (const auto& [objective, seed] : recorded_seeds(store))
    runs.push_back(*load_stacked(request, objective, seed));
  return runs;
}

std::string stacked_found(const StackedRun& run) {
  return run.failure.empty() ? message("{} modes, reverse KL {}, FD {}", run.score.modes,
                                       fixed(run.score.reverse_kl, 2), significant(*run.fd, 3))
                             : run.failure;
}

/// Samples of each objective's first seed, most modes first.
void draw_stacked(const std::filesystem::path& file, const StackedTable& table,
                  const std::vector<StackedRun>& runs) {
  constexpr int64_t kLabel = 150, kGap = 6;
  const Shape sheet = runs.front().samples.shape();
  Canvas canvas(kLabel + sheet[1] + kGap, kGap + std::ssize(table.rows) * (sheet[0] + kGap));
  int64_t top = kGap;
  for (const StackedRow& row : table.rows) {
    const auto run = std::find_if(runs.begin(), runs.end(),
                                  [&](const StackedRun& r) { return r.objective == row.objective; });
    canvas.text(kGap, top + 8, row.objective, {0, 0, 0});
    canvas.text(kGap, top + 24,
                run->failure.empty() ? message("{} modes", run->score.modes) : std::string("not finite"),
                {80, 80, 80});
    const uint8_t* pixel = run->samples.data<uint8_t>();
    for (int64_t y = 0; y < run->samples.dim(0); ++y) {
      for (int64_t x = 0; x < run->samples.dim(1); ++x, pixel += 3)
        canvas.blend(kLabel + x, top + y, {pixel[0], pixel[1], pixel[2]});
    }
    top += sheet[0] + kGap;
  }
  write_png(file, canvas);
}

std::string command_of(const StackedTable& t) {
  return message(
      "duel lab stacked --objective {} --seeds {} --steps {} --protocol {} --count {} --images {}{} --data {}",
      joined(t.request.objectives, ","), t.request.seeds.size(), t.request.steps, t.request.protocol,
      t.request.count, t.request.config.stacked_count, t.request.own_schedule ? " --own-schedule" : "",
      t.request.config.data);
}

void write_stacked(const StackedOutcome& outcome, const ResultStore& store) {
  const std::filesystem::path& out = outcome.request.out;
  const StackedTable table = make_stacked_table(outcome);
  write_file_atomically(out / "results.md", to_markdown(table));
  const json::Json head = {{"command", command_of(table)},
                           {"seeds", table.seeds},
                           {"duel", this_machine().duel},
                           {"commits", store.commits()},
                           {"protocol", outcome.request.protocol},
                           {"steps", outcome.request.steps},
                           {"count", outcome.request.count},
                           {"even_kinds",
                            {{"modes", expected_modes(outcome.request.count)},
                             {"reverse_kl", expected_reverse_kl(outcome.request.count)}}},
                           {"real", outcome.floor ? stacked_json(*outcome.floor) : json::Json()}};
  const std::string opened = head.dump(1);
  write_file_atomically(
      out / "results.json",
      opened.substr(0, opened.rfind('\n')) +
          message(",\n \"runs\": [\n{}\n ]\n}\n",
                  json_lines(outcome.runs, [](const StackedRun& run) { return stacked_json(run); })));
  draw_stacked(out / "samples.png", table, outcome.runs);
}

void check_stacked(const StackedRequest& request) {
  DUEL_CHECK(!request.objectives.empty() && !request.seeds.empty(), "lab",
             "expected at least one objective and one seed");
  DUEL_CHECK(request.steps >= 1 && request.count >= 2, "lab",
             "expected steps of at least 1 and a count of at least 2, got {} and {}", request.steps,
             request.count);
  Generator random(1);
  for (const std::string& name : request.objectives) {
    const StackedProtocol& protocol = stacked_protocol(request.protocol);
    const Objective objective = stacked_objective(protocol, name, request.own_schedule);
    (void)stacked_networks(protocol, objective, random);
  }
}

}  // namespace

StackedOutcome run_stacked(const StackedRequest& given, LabObserver& observer) {
  StackedOutcome outcome{.request = given};
  StackedRequest& request = outcome.request;
  if (request.count == 0) request.count = stacked_protocol(request.protocol).samples;
  check_stacked(request);
  const ResultStore store("lab", request.out);
  StackedField field;
  // Seeds first: an experiment that is stopped early has something of every objective.
  std::vector<SharedRun> all;
  for (const uint64_t seed : request.seeds) {
    for (const std::string& objective : request.objectives) {
      const std::string label = message("{} seed {}", objective, seed);
      all.push_back({stacked_name(objective, seed), label,
                     [&outcome, &request, &field, &observer, objective, seed, label](const auto& keep_going) {
                       const Moments& real = outcome.floor->moments;
                       const auto run = train_stacked(request, field, real, objective, seed, keep_going);
                       if (!run) return false;
                       save_stacked(request, *run);
                       observer.finished(label, stacked_found(*run), run->seconds, run->steps);
                       return true;
                     }});
    }
  }
  const std::vector<SharedRun> missing = missing_runs(store, all);
  (void)recorded_stacked(request, store);  // other settings are said now
  outcome.floor = load_stacked_floor(request);
  if (!missing.empty() || !outcome.floor) {
    field = stacked_field(request, observer);
    if (!outcome.floor) {
      outcome.floor = read_stacked_floor(field, request.count);
      save_stacked(request, *outcome.floor);
    }
  }
  outcome.held = train_and_write(store, all, missing, observer, [&] {
    outcome.runs = recorded_stacked(request, store);
    if (!outcome.runs.empty()) write_stacked(outcome, store);
  });
  outcome.complete = missing_runs(store, all).empty();
  return outcome;
}

}  // namespace duel::gan::lab
