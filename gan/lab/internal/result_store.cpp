#include "duel/gan/lab/internal/result_store.h"

#include <algorithm>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/gan/record/machine.h"

namespace duel::gan::lab {
namespace {

constexpr size_t kMaxRecord = size_t{64} << 20;
constexpr const char* kRemedy = "delete it to train that run again";

TensorFile tensors_in(const std::string& op, const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return {};
  try {
    return read_safetensors(file);
  } catch (const Failure&) {
    throw;
  } catch (const Error& error) {
    fail(op, "{}; delete it and the .json beside it to train that run again", error.what());
  }
}

}  // namespace

ResultStore::ResultStore(std::string op, std::filesystem::path directory)
    : op_(std::move(op)), runs_(std::move(directory) / "runs") {}

std::filesystem::path ResultStore::file(const std::string& name, const std::string& ending) const {
  return runs_ / (name + ending);
}

std::vector<std::string> ResultStore::names() const {
  std::vector<std::string> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(runs_, none))
    if (entry.path().extension() == ".json") found.push_back(entry.path().stem().string());
  std::sort(found.begin(), found.end());
  return found;
}

bool ResultStore::has(const std::string& name) const { return std::filesystem::exists(file(name)); }

void ResultStore::make_folder() const {
  std::error_code failure;
  std::filesystem::create_directories(runs_, failure);
  if (failure)
    fail_system(failure.value(), op_, "{}: cannot be created: {}; choose another --out", runs_.string(),
                failure.message());
}

std::optional<Claim> ResultStore::claim(const std::string& name, std::string& holder) const {
  make_folder();
  return Claim::take(file(name, ".claim"), holder);
}

void ResultStore::save(const std::string& name, const Json& record,
                       const std::vector<std::pair<std::string, Tensor>>& tensors) const {
  make_folder();
  if (!tensors.empty()) write_safetensors(file(name, ".safetensors"), {.tensors = tensors, .metadata = {}});
  Json signed_record = record;
  signed_record["commit"] = source_commit();
  write_file_atomically(file(name), signed_record.dump(2) + "\n");
}

json::Json ResultStore::record_of(const std::string& name) const {
  const std::string path = file(name).string();
  return json::parse(read_file(op_, path, kMaxRecord, "the record of a run"),
                     {.op = op_, .source = path, .remedy = kRemedy, .bytes = kMaxRecord});
}

std::map<std::string, std::string> ResultStore::commits() const {
  std::map<std::string, std::string> found;
  for (const std::string& name : names()) {
    const Json record = record_of(name);
    const auto commit = record.find("commit");
    found[name] = commit != record.end() && commit->is_string() ? commit->get<std::string>() : "unknown";
  }
  return found;
}

bool ResultStore::load(const std::string& name, const Json& settings, const Json& older,
                       const Reader& read) const {
  if (!has(name)) return false;
  const std::string path = file(name).string();
  try {
    const Json record = record_of(name);
    check_settings(path, record.at("settings"), settings, older);
    read(record, tensors_in(op_, file(name, ".safetensors")));
  } catch (const nlohmann::json::exception& error) {
    fail(op_, "{}: not the record of a run ({}); {}", path, error.what(), kRemedy);
  }
  return true;
}

void ResultStore::check_settings(const std::filesystem::path& file, const Json& found, const Json& settings,
                                 const Json& older) const {
  for (const auto& [key, asked] : settings.items()) {
    const Json& there = found.contains(key) ? found.at(key) : older.at(key);
    DUEL_CHECK(there == asked, op_,
               "{}: made with other settings: {}: this run has {}, asked for is {}; choose another --out",
               file.string(), key, json::described(there), json::described(asked));
  }
}

}  // namespace duel::gan::lab
