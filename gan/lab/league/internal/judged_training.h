// What the league and a sweep train and judge: a run on digits, looked at by a judge after an eighth, a quarter, half
// and all of its iterations, against images that it was not trained on.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/lab/league/league_run.h"
#include "duel/gan/lab/observer.h"
#include "duel/gan/run/internal/quality_watch.h"

namespace duel::gan::lab {

/// What runs share: the data, and the judge with what it read in real images.
struct JudgedField {
  RunConfig config;  // sides and classes of the data
  std::shared_ptr<const ResidentData> data, held_out;
  std::unique_ptr<detail::QualityWatch> watch;
};

/// Of the data of `config`; the judge sees `count` samples and as many real images. Error of `op` where no judge
/// reads such images, or there are no others to compare with.
JudgedField judged_field(const char* op, const RunConfig& config, int64_t count, LabObserver& observer);

/// A run of objective, overrides, networks, batch and seed of `config`, on the field's data. Nothing where
/// `keep_going`, asked after every iteration, said no.
std::optional<LeagueRun> train_judged(const JudgedField& field, const RunConfig& config, int64_t steps,
                                      const std::function<bool()>& keep_going);

/// "FD 12.3 (real 0.5), 10 modes", or why it failed.
std::string found_in(const LeagueRun& run);

struct SamplesRow {
  Tensor samples;                  // u8 [n, H, W], shown side by side
  std::vector<std::string> names;  // lines beside them
  std::string found;               // the line below those
};
/// A PNG: rows below each other, each behind its lines; `heads` stand above the first, second, … picture of a row.
void draw_samples(const std::filesystem::path& file, const std::vector<SamplesRow>& rows,
                  const std::vector<std::string>& heads = {});

}  // namespace duel::gan::lab
