// A safetensors file that is in memory already, such as one that is part of the program.
#pragma once

#include <string>
#include <string_view>

#include "duel/core/io/safetensors.h"

namespace duel::safetensors {

/// As read_safetensors(), from the file's bytes; `name` is what errors call them. The tensors are copies.
TensorFile parse(std::string_view bytes, const std::string& name);

}  // namespace duel::safetensors
