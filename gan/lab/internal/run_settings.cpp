#include "duel/gan/lab/internal/run_settings.h"

#include <optional>
#include <set>
#include <variant>

namespace duel::gan::lab {

json::Json config_settings(RunConfig config, const std::string& objective) {
  static const std::set<std::string> own{"objective", "steps", "epochs", "threads"};
  config.objective = objective;
  json::Json settings = json::Json::object();
  for (const ConfigField& field : config_fields()) {
    if (!field.stored || own.contains(field.name)) continue;
    const std::optional<SettingValue> value = field.get(config);
    settings[field.name] =
        value ? std::visit([](const auto& v) { return json::Json(v); }, *value) : json::Json();
  }
  return settings;
}

}  // namespace duel::gan::lab
