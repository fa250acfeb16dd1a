// Configuration and record of a run as JSON. Only this file and metrics_log.cpp include nlohmann's header.
#include <cstring>
#include <nlohmann/json.hpp>

#include "duel/gan/run_config.h"
#include "duel/gan/run_record.h"
#include "duel/kernels/error.h"

namespace duel::gan {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ConfigField::Kind;

/// Without the library's own prefix: "line 3, column 5: …".
[[noreturn]] void not_json(const std::string& source, const nlohmann::json::exception& error) {
  std::string why = error.what();
  if (const size_t end = why.find("] "); why.starts_with('[') && end != std::string::npos)
    why.erase(0, end + 2);
  for (char& c : why) {
    if (c == '\n') c = ' ';
  }
  fail("config", "{}: not JSON: {}", source, why);
}

Json parsed_object(const std::string& text, const std::string& source) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    not_json(source, error);
  }
  DUEL_CHECK(json.is_object(), "config", "{}: expected a JSON object {\"objective\": …}, got {}", source,
             json.type_name());
  return json;
}

/// Bytes that are not UTF-8 (a path may be anything) are replaced, not refused.
std::string dumped(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json as_json(Kind kind, const std::string& text) {
  switch (kind) {
    case Kind::truth:
      return text == "true";
    case Kind::number:
    case Kind::integer:
      return Json::parse(text);
    case Kind::text:
      break;
  }
  return text;
}

std::string as_text(const ConfigField& field, const Json& value) {
  const auto wrong = [&](const char* expected) {
    fail("config", "{}: expected {}, got {}", field.name, expected, dumped(value, -1).substr(0, 60));
  };
  switch (field.kind) {
    case Kind::truth:
      if (!value.is_boolean()) wrong("true or false");
      return value.get<bool>() ? "true" : "false";
    case Kind::number:
      if (!value.is_number()) wrong("a number");
      return dumped(value, -1);
    case Kind::integer:
      if (!value.is_number_integer()) wrong("an integer");
      return dumped(value, -1);
    case Kind::text:
      if (!value.is_string()) wrong("a text in quotes");
  }
  return value.get<std::string>();
}

}  // namespace

std::string to_json(const RunConfig& config) {
  Json json = Json::object();
  for (const ConfigField& field : config_fields()) {
    if (!field.stored) continue;
    if (const auto text = field.get(config)) json[field.name] = as_json(field.kind, *text);
  }
  return dumped(json, 2) + "\n";
}

void update_from_json(RunConfig& config, const std::string& text, const std::string& source) {
  const Json json = parsed_object(text, source);
  std::vector<std::string> names;
  for (const ConfigField& field : config_fields()) names.push_back(field.name);
  RunConfig changed = config;
  for (const auto& [key, value] : json.items()) {
    const ConfigField* field = nullptr;
    for (const ConfigField& known : config_fields()) {
      if (known.name == key) field = &known;
    }
    if (!field) {
      const std::string nearest = nearest_name(key, names);
      fail("config", "{}: unknown key '{}'{}", source, key,
           nearest.empty() ? "; duel train --help lists the keys" : ": did you mean '" + nearest + "'?");
    }
    if (value.is_null()) continue;
    try {
      field->set(changed, as_text(*field, value));
    } catch (const Error& error) {
      std::string why = error.what();
      if (why.starts_with("[config] ")) why.erase(0, std::strlen("[config] "));
      fail("config", "{}: {}", source, why);
    }
  }
  config = std::move(changed);
}

std::string to_json(const RunRecord& r) {
  Json libraries = Json::object();
  for (const auto& [name, version] : r.machine.libraries) libraries[name] = version;
  const Json json = {
      {"duel", r.machine.duel},
      {"argv", r.argv},
      {"started", r.started},
      {"seed", r.seed},
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
  return dumped(json, 2) + "\n";
}

RunRecord run_record_from_json(const std::string& text, const std::string& source) {
  const Json json = parsed_object(text, source);
  RunRecord r;
  try {
    r.argv = json.at("argv").get<std::vector<std::string>>();
    r.started = json.at("started").get<std::string>();
    const Json& data = json.at("data");
    r.data = {data.at("source").get<std::string>(), data.at("count").get<int64_t>(),
              data.at("height").get<int64_t>(), data.at("width").get<int64_t>(),
              data.at("crc32").get<uint32_t>()};
    r.resumed = json.at("resumed").get<std::vector<std::string>>();
    if (const auto found = json.find("resumed_argv"); found != json.end())  // earlier versions did not keep them
      r.resumed_argv = found->get<std::vector<std::vector<std::string>>>();
    r.resumed_argv.resize(r.resumed.size());
  } catch (const nlohmann::json::exception& error) {
    fail("run", "{}: not a record of a run ({}); delete it to resume without the comparison of the data",
         source, error.what());
  }
  return r;
}

namespace {
std::string words_of(const Json& list) {
  std::string joined;
  for (const Json& item : list) {
    if (item.is_array()) joined += (joined.empty() ? "" : "; ") + words_of(item);
    else joined += (joined.empty() ? "" : " ") + (item.is_string() ? item.get<std::string>() : dumped(item, -1));
  }
  return joined;
}

void add_rows(const Json& json, const std::string& prefix, std::vector<std::pair<std::string, std::string>>& rows) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_object()) {
      add_rows(value, prefix + key + ".", rows);
    } else if (value.is_array()) {
      rows.emplace_back(prefix + key, words_of(value));
    } else {
      rows.emplace_back(prefix + key, value.is_string() ? value.get<std::string>() : dumped(value, -1));
    }
  }
}
}  // namespace

std::vector<std::pair<std::string, std::string>> json_table(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  std::vector<std::pair<std::string, std::string>> rows;
  if (json.is_object()) add_rows(json, "", rows);
  return rows;
}

}  // namespace duel::gan
