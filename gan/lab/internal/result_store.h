// The folder of an experiment's finished runs: a later call takes them from there and goes on where an earlier
// one ended.
//
//   DIR/runs/NAME.safetensors   tensors of the run, where it has some
//   DIR/runs/NAME.json          its record: "settings", what was measured, and Duel's "commit"
//   DIR/runs/NAME.claim         while a process trains it (claim.h)
//
// NAME comes from what tells the runs of the experiment apart (objective, seed). The record is written last, both
// files atomically: where a record is, the run is whole.
//
// Example:
//   const ResultStore store("lab", "runs/ring");
//   store.save("ns-gan-1", {{"settings", {{"steps", 500}}}, {"modes", 8}}, {{"points", points}});
//   store.load("ns-gan-1", {{"steps", 500}}, {}, [&](const Json& record, const TensorFile&) { modes = record.at("modes"); });
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duel/core/io/internal/json.h"
#include "duel/core/io/safetensors.h"
#include "duel/gan/lab/internal/claim.h"

namespace duel::gan::lab {

class ResultStore {
 public:
  using Json = json::Json;
  using Reader = std::function<void(const Json& record, const TensorFile& tensors)>;

  /// `op` begins every error.
  ResultStore(std::string op, std::filesystem::path directory);

  /// DIR/runs/NAME and the ending.
  std::filesystem::path file(const std::string& name, const std::string& ending = ".json") const;
  /// Of every record in the folder, sorted.
  std::vector<std::string> names() const;
  bool has(const std::string& name) const;

  /// To train it: nothing where another process does, which `holder` then names. Whether a record is there is to be
  /// looked at behind it. Creates folders as needed, as save() does.
  std::optional<Claim> claim(const std::string& name, std::string& holder) const;

  void save(const std::string& name, const Json& record,
            const std::vector<std::pair<std::string, Tensor>>& tensors = {}) const;

  /// Gives record and tensors (none without their file) to `read`; false where there is no such record. Error
  /// naming the file and the remedy where it is damaged, also where `read` misses something in the JSON, or has
  /// other settings (check_settings).
  bool load(const std::string& name, const Json& settings, const Json& older, const Reader& read) const;

  /// Of every record the commit that made it, "unknown" of older ones: for files of results.
  std::map<std::string, std::string> commits() const;

  /// A table never mixes settings: Error naming `file`, the key, what is there and what is asked for, where
  /// `found` differs from `settings` in one of its keys. `older`: what a record meant that lacks a key.
  void check_settings(const std::filesystem::path& file, const Json& found, const Json& settings,
                      const Json& older) const;

 private:
  json::Json record_of(const std::string& name) const;

  void make_folder() const;

  std::string op_;
  std::filesystem::path runs_;
};

/// Records as an experiment's file of results lists them, one on a line: it is kept beside tables made of it, and read
/// in diffs. `json_of` makes the JSON of one.
template <class Records, class ToJson>
std::string json_lines(const Records& records, ToJson json_of) {
  std::string lines;
  for (const auto& record : records)
    lines += (lines.empty() ? "  " : ",\n  ") + json::dumped(json_of(record));
  return lines;
}

}  // namespace duel::gan::lab
