#include "duel/core/device.h"

namespace duel {

std::string to_text(DType dtype) {
  switch (dtype) {
    case DType::f32: return "f32";
    case DType::f64: return "f64";
    case DType::u8: return "u8";
    case DType::i64: return "i64";
  }
  return "?";
}

std::string to_text(const Device& device) {
  return device.kind == Device::Kind::cpu ? "cpu" : "cuda:" + std::to_string(device.index);
}

kernels::Stream stream_of(const Device& device) {
  DUEL_CHECK(device.kind == Device::Kind::cpu, "device", "this build of Duel cannot compute on {}", device);
  return {};
}

}  // namespace duel
