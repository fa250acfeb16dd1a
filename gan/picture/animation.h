// Pictures one after the other as an animated PNG, which browsers play and other programs show the first picture of (PNG, third edition,
// W3C 2025, section 11.3.6). The pictures are encoded as png.h does.
//
// Example:
//   write_apng("walk.png", frames, 15);
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "duel/gan/picture/png.h"

namespace duel::gan {

/// The bytes of the file. At least one picture, all of one size and kind; `rate` pictures a second, 1 to 1000; it begins again without end.
std::vector<uint8_t> encode_apng(const std::vector<Picture>& frames, int rate);

/// Encodes in memory and writes atomically (core/io/atomic_file.h).
void write_apng(const std::filesystem::path& path, const std::vector<Picture>& frames, int rate);

}  // namespace duel::gan
