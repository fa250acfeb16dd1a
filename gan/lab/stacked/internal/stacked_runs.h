// How a run on stacked digits is trained and counted, and how it is kept in its ResultStore, under OBJECTIVE-SEED.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "duel/gan/data/resident_data.h"
#include "duel/gan/judge/judge.h"
#include "duel/gan/lab/internal/result_store.h"
#include "duel/gan/lab/stacked/stacked.h"
#include "duel/gan/run/internal/run_setup.h"

namespace duel::gan::lab {

inline constexpr const char* kStackedReal = "real";  // the name of the floor's record

/// What runs share.
struct StackedField {
  std::shared_ptr<const ResidentData> data;
  std::optional<Judge> judge;
  detail::RunSetup setup;  // of the data
};
StackedField stacked_field(const StackedRequest& request, LabObserver& observer);

/// Reads as many stacked test digits as a run has samples, and training digits against them.
StackedFloor read_stacked_floor(const StackedField& field, int64_t count);

/// `moments` of real digits. Nothing where `keep_going`, asked after every iteration, said no.
std::optional<StackedRun> train_stacked(const StackedRequest& request, const StackedField& field,
                                        const Moments& moments, const std::string& objective, uint64_t seed,
                                        const std::function<bool()>& keep_going);

std::string stacked_name(const std::string& objective, uint64_t seed);
/// Without the counts of every kind, which stand beside the record.
json::Json stacked_json(const StackedRun& run);
json::Json stacked_json(const StackedFloor& floor);

void save_stacked(const StackedRequest& request, const StackedRun& run);
void save_stacked(const StackedRequest& request, const StackedFloor& floor);
/// Error where it is damaged or was made with other settings.
std::optional<StackedRun> load_stacked(const StackedRequest& request, const std::string& objective,
                                       uint64_t seed);
std::optional<StackedFloor> load_stacked_floor(const StackedRequest& request);

}  // namespace duel::gan::lab
