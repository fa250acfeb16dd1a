// The files of gan/judge/weights/, which are part of the library.
#pragma once

#include <span>
#include <string_view>

namespace duel::gan {

struct EmbeddedJudge {
  std::string_view name;   // the file's, without .safetensors
  std::string_view bytes;  // all of the file
};

/// In order of their names.
std::span<const EmbeddedJudge> embedded_judges();

}  // namespace duel::gan
