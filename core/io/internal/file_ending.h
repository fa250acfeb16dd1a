// How a file's name ends. Internal to Duel's own sources.
#pragma once

#include <filesystem>
#include <string>

namespace duel {

/// ".png" of "DIGITS.PNG": in small letters (of ASCII); empty without one.
inline std::string ending_of(const std::filesystem::path& file) {
  std::string ending = file.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return ending;
}

}  // namespace duel
