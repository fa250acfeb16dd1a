// What the readers of images accept at most, as idx.h says. Internal to gan/data.
#pragma once

#include <cstdint>

namespace duel::gan::detail {

inline constexpr int64_t kMaxSide = 4096, kMaxPixels = int64_t{1} << 30;

}  // namespace duel::gan::detail
