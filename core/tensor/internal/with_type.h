// From a dtype to the C++ type of its elements, for what works on data of every type.
#pragma once

#include "duel/core/device/device.h"

namespace duel::detail {

/// Calls f with a value of the C++ type of dtype.
template <class F>
void with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::u8:
      return f(uint8_t{});
    case DType::i64:
      return f(int64_t{});
  }
}

}  // namespace duel::detail
