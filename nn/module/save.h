// A module's parameters and buffers in a safetensors file, under the names that torch.nn gives them:
// safetensors.torch.load_file(file) is a state dict for the same network there, and the other way round.
//
// Example:
//   nn::save(generator, "g.safetensors");
//   nn::load(generator, "g.safetensors");
//   auto [missing, unexpected] = nn::load(other, "g.safetensors", /*strict=*/false);   // what fits by name
#pragma once

#include <filesystem>

#include "duel/nn/module/module.h"

namespace duel::nn {

/// Writes module.state_dict(), atomically.
void save(const Module& module, const std::filesystem::path& file);

/// Copies the file's values into the module, on its device, floats converted to its dtypes. Errors as
/// read_safetensors() and Module::load_state_dict(); then nothing was changed.
Module::LoadReport load(Module& module, const std::filesystem::path& file, bool strict = true);

}  // namespace duel::nn
