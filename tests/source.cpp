#include "source.h"

namespace duel::testing {

std::filesystem::path in_source(const std::filesystem::path& path) { return DUEL_SOURCE_DIR / path; }

}  // namespace duel::testing
