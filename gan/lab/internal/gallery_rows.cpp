#include "duel/gan/lab/internal/gallery_rows.h"

#include <set>

namespace duel::gan::lab {
namespace {

using json::Json;

Json json_of(const std::optional<SettingValue>& value) {
  return value ? std::visit([](const auto& v) { return Json(v); }, *value) : Json();
}

/// What a row's bits depend on.
Json row_settings(const GalleryRequest& request, RunConfig config, const std::string& objective) {
  Json settings{{"steps", joined(request.steps)}, {"shown", request.shown}, {"judged", request.judged}};
  settings.update(config_settings(std::move(config), objective));
  return settings;
}

GalleryRow row_from_json(const Json& stored) {
  GalleryRow row{stored.at("objective"), stored.at("failure"), stored.at("seconds"), {}};
  for (const Json& c : stored.at("cells"))
    row.cells.push_back({c.at("step"), c.at("confident"), c.at("classes")});
  return row;
}

/// Before the gallery had records: settings other than the defaults, as texts, and the row in the metadata.
std::optional<FinishedRow> older_row(const GalleryRequest& request, const std::string& objective,
                                     const ResultStore& store, const Json& settings, const Json& defaults) {
  const std::filesystem::path file = request.out / "rows" / (objective + ".safetensors");
  if (!std::filesystem::exists(file)) return std::nullopt;
  const TensorFile stored = read_safetensors(file);
  const json::Rules rules{
      .op = "gallery", .source = file.string(), .remedy = "delete it to make that row again"};
  try {
    const Json made = json::parse(stored.text("request"), rules);
    Json found{{"steps", joined(made.at("steps").get<std::vector<int64_t>>())},
               {"shown", made.at("shown")},
               {"judged", made.at("judged")}};
    for (const auto& [name, text] : made.at("settings").items())
      if (!found.contains(name)) found[name] = json_of(config_field(name).parsed("gallery", text));
    store.check_settings(file, found, settings, defaults);
    const Tensor* strips = stored.find("strips");
    DUEL_CHECK(strips, "gallery", "{}: has no strips; {}", file.string(), rules.remedy);
    return FinishedRow{row_from_json(json::parse(stored.text("row"), rules)), *strips};
  } catch (const nlohmann::json::exception& error) {
    fail("gallery", "{}: not a row of a gallery ({}); {}", file.string(), error.what(), rules.remedy);
  }
}

}  // namespace

Json config_settings(RunConfig config, const std::string& objective) {
  static const std::set<std::string> own{"objective", "steps", "epochs", "threads"};
  config.objective = objective;
  Json settings = Json::object();
  for (const ConfigField& field : config_fields())
    if (field.stored && !own.contains(field.name)) settings[field.name] = json_of(field.get(config));
  return settings;
}

Json to_json(const GalleryRow& row) {
  Json cells = Json::array();
  for (const GalleryCell& c : row.cells)
    cells.push_back({{"step", c.step}, {"confident", c.confident}, {"classes", c.classes}});
  return {{"objective", row.objective}, {"failure", row.failure}, {"seconds", row.seconds}, {"cells", cells}};
}

void save_row(const GalleryRequest& request, const FinishedRow& finished) {
  const std::string& name = finished.row.objective;
  Json record = to_json(finished.row);
  record["settings"] = row_settings(request, request.config, name);
  ResultStore("gallery", request.out).save(name, record, {{"strips", finished.strips}});
}

std::optional<FinishedRow> load_row(const GalleryRequest& request, const std::string& objective) {
  const ResultStore store("gallery", request.out);
  const Json settings = row_settings(request, request.config, objective),
             defaults = row_settings(request, {}, objective);
  FinishedRow finished;
  const auto read = [&](const Json& record, const TensorFile& tensors) {
    finished.row = row_from_json(record);
    const Tensor* strips = tensors.find("strips");
    const auto count = static_cast<int64_t>(request.steps.size());
    DUEL_CHECK(strips && strips->dtype() == DType::u8 && strips->rank() == 3 && strips->dim(0) == count &&
                   finished.row.objective == objective && std::ssize(finished.row.cells) == count,
               "gallery",
               "{}: expected the row of {} and beside it u8 strips of {} steps; delete both to make it again",
               store.file(objective).string(), objective, count);
    finished.strips = *strips;
  };
  if (store.load(objective, settings, defaults, read)) return finished;
  return older_row(request, objective, store, settings, defaults);
}

}  // namespace duel::gan::lab
