#include "duel/nn/module/save.h"

#include "duel/core/io/safetensors.h"

namespace duel::nn {

void save(const Module& module, const std::filesystem::path& file) {
  write_safetensors(file, {.tensors = module.state_dict(), .metadata = {{"format", "pt"}}});
}

Module::LoadReport load(Module& module, const std::filesystem::path& file, bool strict) {
  return module.load_state_dict(read_safetensors(file).tensors, strict);
}

}  // namespace duel::nn
