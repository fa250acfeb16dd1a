// Where the tests find files of the repository.
#pragma once
#include <filesystem>

namespace duel::testing {

// The path of a file or folder of the repository, e.g. in_source("gan/objective/proofs.md").
std::filesystem::path in_source(const std::filesystem::path& path);

}  // namespace duel::testing
