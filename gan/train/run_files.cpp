#include "duel/gan/train/run_files.h"

#include <algorithm>
#include <cstdio>

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

struct Pattern {
  const char *prefix, *suffix;
  int digits;  // at least; more iterations have more
  std::string name(int64_t iteration) const {
    char number[24];
    std::snprintf(number, sizeof number, "%0*lld", digits, static_cast<long long>(iteration));
    return prefix + std::string(number) + suffix;
  }
};
constexpr Pattern kFakes{"fakes_", ".png", 6}, kCheckpoint{"step_", ".safetensors", 8},
    kBest{"best_", ".safetensors", 8};

std::vector<NumberedFile> listed(const fs::path& folder, const Pattern& pattern, std::error_code& why) {
  std::vector<NumberedFile> found;
  for (const auto& entry : fs::directory_iterator(folder, why)) {
    if (const auto number = number_in(entry.path().filename().string(), pattern.prefix, pattern.suffix))
      found.push_back({*number, entry.path()});
  }
  std::sort(found.begin(), found.end(), [](const NumberedFile& a, const NumberedFile& b) {
    return a.iteration != b.iteration ? a.iteration < b.iteration : a.file < b.file;
  });
  return found;
}

}  // namespace

fs::path RunFiles::fakes(int64_t iteration) const { return samples() / kFakes.name(iteration); }
fs::path RunFiles::checkpoint(int64_t iteration) const { return checkpoints() / checkpoint_name(iteration); }

fs::path RunFiles::best(int64_t iteration) const { return checkpoints() / kBest.name(iteration); }

std::vector<fs::path> RunFiles::all_metrics() const {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("metric-") && name.ends_with(".jsonl")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}
std::vector<NumberedFile> RunFiles::all_best() const {
  std::error_code ignored;
  return listed(checkpoints(), kBest, ignored);
}
std::vector<NumberedFile> RunFiles::all_fakes() const {
  std::error_code ignored;
  return listed(samples(), kFakes, ignored);
}
std::vector<NumberedFile> RunFiles::all_checkpoints() const {
  std::error_code ignored;
  return all_checkpoints(ignored);
}
std::vector<NumberedFile> RunFiles::all_checkpoints(std::error_code& why) const {
  return listed(checkpoints(), kCheckpoint, why);
}

std::string checkpoint_name(int64_t iteration) { return kCheckpoint.name(iteration); }

std::optional<int64_t> iteration_of_checkpoint(const fs::path& file) {
  return number_in(file.filename().string(), kCheckpoint.prefix, kCheckpoint.suffix);
}

std::optional<int64_t> number_in(const std::string& name, const std::string& prefix,
                                 const std::string& suffix) {
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix))
    return std::nullopt;
  const std::string digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  if (digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return std::stoll(digits);
}

}  // namespace duel::gan
