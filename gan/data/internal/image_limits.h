// What the readers of images accept at most, as idx.h says, and what a packed file can hold at most. Internal to gan/data.
#pragma once

#include <cstdint>

namespace duel::gan::detail {

inline constexpr int64_t kMaxSide = 4096, kMaxPixels = int64_t{1} << 30;
/// No deflate stream unpacks to more than so many times its length (zlib's documentation, "maximum expansion").
inline constexpr int64_t kMaxExpansion = 1032;

}  // namespace duel::gan::detail
