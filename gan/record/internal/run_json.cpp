// Configuration and record of a run as JSON.
#include <cstring>

#include "duel/core/io/internal/json.h"
#include "duel/gan/record/internal/run_record.h"
#include "duel/gan/record/run_config.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

using json::dumped;
using json::Json;
using Kind = Setting::Kind;

Json parsed_object(const std::string& text, const json::Rules& rules) {
  Json object = json::parse(text, rules);
  DUEL_CHECK(object.is_object(), rules.op, "{}: expected a JSON object {\"name\": value, …}, got {}{}",
             rules.source, json::described(object), rules.remedy.empty() ? "" : "; " + rules.remedy);
  return object;
}

/// A number without a fraction as an integer: 10, not 10.0.
Json as_json(const SettingValue& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    if (shortest(*number).find_first_not_of("-0123456789") == std::string::npos)
      return static_cast<int64_t>(*number);
  }
  return std::visit([](const auto& each) { return Json(each); }, value);
}

SettingValue value_of(const ConfigField& field, const Json& value) {
  const auto wrong = [&](const char* expected) {
    fail("config", "{}: expected {}, got {}", field.name, expected, json::described(value));
  };
  switch (field.kind) {
    case Kind::truth:
      if (!value.is_boolean()) wrong("true or false");
      return value.get<bool>();
    case Kind::number:
      if (!value.is_number()) wrong("a number");
      return value.get<double>();
    case Kind::integer:
    case Kind::unsigned_integer:
      if (!value.is_number_integer()) wrong("an integer");
      if (value.is_number_unsigned()) return value.get<uint64_t>();
      return value.get<int64_t>();
    case Kind::text:
      if (!value.is_string()) wrong("a text in quotes");
  }
  return value.get<std::string>();
}

}  // namespace

std::string to_json(const RunConfig& config) {
  Json object = Json::object();
  for (const ConfigField& field : config_fields()) {
    if (!field.stored) continue;
    if (const auto value = field.get(config)) object[field.name] = as_json(*value);
  }
  return dumped(object, 2) + "\n";
}

void update_from_json(RunConfig& config, const std::string& text, const std::string& source) {
  const auto known = [](const std::string& key) -> const ConfigField* {
    for (const ConfigField& field : config_fields()) {
      if (field.name == key) return &field;
    }
    return nullptr;
  };
  const Json object =
      parsed_object(text, {.op = "config", .source = source, .check_key = [&](const std::string& key) {
                             if (known(key)) return;
                             std::vector<std::string> names;
                             for (const ConfigField& field : config_fields()) names.push_back(field.name);
                             const std::string nearest = nearest_name(key, names);
                             fail("config", "{}: unknown key '{}'{}", source, shown(key),
                                  nearest.empty() ? "; duel train --help lists the keys"
                                                  : ": did you mean '" + nearest + "'?");
                           }});
  RunConfig changed = config;
  for (const auto& [key, value] : object.items()) {
    if (value.is_null()) continue;
    try {
      const ConfigField& field = *known(key);
      field.set(changed, field.checked("config", value_of(field, value)));
    } catch (const Error& error) {
      std::string why = error.what();
      if (why.starts_with("[config] ")) why.erase(0, std::strlen("[config] "));
      fail("config", "{}: {}", source, shown(why, 400));
    }
  }
  config = std::move(changed);
}

std::string to_json(const RunRecord& r) {
  Json libraries = Json::object();
  for (const auto& [name, version] : r.machine.libraries) libraries[name] = version;
  Json record = {
      {"duel", r.machine.duel},
      {"argv", r.argv},
      {"started", r.started},
      {"seed", r.seed},
      {"objective", r.objective},
      {"formula", r.formula},
      {"cpu", r.machine.cpu},
      {"isa", r.machine.isa},
      {"cores", r.machine.cores},
      {"threads", r.machine.threads},
      {"gpu", r.machine.gpu},
      {"system", r.machine.system},
      {"compiler", r.machine.compiler},
      {"libraries", libraries},
      {"data",
       {{"source", r.data.source},
        {"count", r.data.count},
        {"height", r.data.height},
        {"width", r.data.width},
        {"crc32", r.data.crc32}}},
      {"resumed", r.resumed},
      {"resumed_argv", r.resumed_argv},
  };
  if (r.data.channels > 1) record["data"]["channels"] = r.data.channels;
  if (r.fork) {
    record["fork"] = {{"run", r.fork->run},
                      {"iteration", r.fork->iteration},
                      {"checkpoint", r.fork->checkpoint},
                      {"crc32", r.fork->crc32},
                      {"changed", r.fork->changed}};
  }
  return dumped(record, 2) + "\n";
}

constexpr const char* kWithoutRecord = "delete it to resume without the comparison of the data";

RunRecord run_record_from_json(const std::string& text, const std::string& source) {
  const Json object =
      parsed_object(text, {.op = "run", .source = source, .remedy = kWithoutRecord, .bytes = kMaxRecord});
  RunRecord r;
  try {
    r.argv = object.at("argv").get<std::vector<std::string>>();
    r.started = object.at("started").get<std::string>();
    const Json& data = object.at("data");
    r.data = {data.at("source").get<std::string>(), data.at("count").get<int64_t>(),
              data.at("height").get<int64_t>(),     data.at("width").get<int64_t>(),
              data.value("channels", int64_t{1}),   data.at("crc32").get<uint32_t>()};
    r.resumed = object.at("resumed").get<std::vector<std::string>>();
    if (const auto found = object.find("resumed_argv");
        found != object.end())  // earlier versions did not keep them
      r.resumed_argv = found->get<std::vector<std::vector<std::string>>>();
    r.resumed_argv.resize(r.resumed.size());
    if (const auto found = object.find("fork"); found != object.end()) {
      r.fork = {.run = found->at("run").get<std::string>(),
                .checkpoint = found->at("checkpoint").get<std::string>(),
                .crc32 = found->at("crc32").get<std::string>(),
                .iteration = found->at("iteration").get<int64_t>(),
                .changed = found->at("changed").get<std::vector<std::string>>()};
    }
  } catch (const nlohmann::json::exception& error) {
    fail("run", "{}: not a record of a run ({}); {}", source, error.what(), kWithoutRecord);
  }
  return r;
}

namespace {
std::string words_of(const Json& list) {
  std::string joined;
  for (const Json& item : list) {
    if (item.is_array())
      joined += (joined.empty() ? "" : "; ") + words_of(item);
    else
      joined += (joined.empty() ? "" : " ") + (item.is_string() ? item.get<std::string>() : dumped(item));
  }
  return joined;
}

void add_rows(const Json& object, const std::string& prefix,
              std::vector<std::pair<std::string, std::string>>& rows) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      add_rows(value, prefix + key + ".", rows);
    } else if (value.is_array()) {
      rows.emplace_back(prefix + key, words_of(value));
    } else {
      rows.emplace_back(prefix + key, value.is_string() ? value.get<std::string>() : dumped(value));
    }
  }
}
}  // namespace

std::vector<std::pair<std::string, std::string>> json_table(const std::string& text) {
  const Json object = json::parse_or_null(text, {.bytes = kMaxRecord});
  std::vector<std::pair<std::string, std::string>> rows;
  if (object.is_object()) add_rows(object, "", rows);
  return rows;
}

}  // namespace duel::gan
