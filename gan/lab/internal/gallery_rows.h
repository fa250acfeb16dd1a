// What the gallery keeps of a row in its ResultStore, under the objective's name: settings, what the classifier
// reads and seconds in the record; the pictures beside it, u8 [steps, height, width], under "strips". Older folders
// hold rows/NAME.safetensors, with both in its metadata: such a row is taken where there is no
// record.
#pragma once

#include <optional>
#include <string>

#include "duel/gan/lab/gallery.h"
#include "duel/gan/lab/internal/result_store.h"

namespace duel::gan::lab {

struct FinishedRow {
  GalleryRow row;
  Tensor strips;  // gray [steps, height, width]
};

/// Of the fields of a configuration those that experiments on digits take from it.
json::Json config_settings(RunConfig config, const std::string& objective);

json::Json to_json(const GalleryRow& row);

void save_row(const GalleryRequest& request, const FinishedRow& finished);
/// Error where it is damaged or was made with other settings.
std::optional<FinishedRow> load_row(const GalleryRequest& request, const std::string& objective);

}  // namespace duel::gan::lab
