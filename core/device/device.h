// DType and Device: what a tensor's elements are and where they live.
//
// Example:
//   const Device device = is_available(Device::cuda()) ? Device::cuda() : Device::cpu();
//   Tensor x = Tensor::zeros({64, 784}, {DType::f32, device});   // ops on x run there, in the order they were called
//   synchronize(device);                                         // waits for them; item() and to_vector() do too
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "duel/kernels/base/platform.h"

namespace duel {

/// f32 to train, f64 to check, u8 image data, i64 labels and indices.
enum class DType : uint8_t { f32, f64, u8, i64 };

/// Bytes of an element; whether it has a fraction; "f32".
constexpr size_t size_of(DType dtype) { return dtype == DType::u8 ? 1 : dtype == DType::f32 ? 4 : 8; }
constexpr bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }
std::string to_text(DType dtype);

template <class T>
inline constexpr bool always_false = false;

/// The DType of float, double, uint8_t or int64_t; another type does not compile.
template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<T, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<T, uint8_t>)
    return DType::u8;
  else if constexpr (std::is_same_v<T, int64_t>)
    return DType::i64;
  else
    static_assert(always_false<T>, "Duel has no such element type");
}

/// Where a tensor lives: the CPU, or a GPU by its number.
struct Device {
  enum class Kind : uint8_t { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;
  bool operator==(const Device&) const = default;
  static constexpr Device cpu() { return {}; }
  static constexpr Device cuda(int index = 0) { return {Kind::cuda, index}; }
  constexpr bool is_cuda() const { return kind == Kind::cuda; }
};
/// "cpu", "cuda:0"
std::string to_text(const Device& device);

/// Whether this build, on this machine, can compute there.
bool is_available(const Device& device);
/// Why not, in one line: "built without CUDA", "no NVIDIA driver (CUDA error 35)", …; empty where it can.
std::string why_unavailable(const Device& device);

/// The stream that ops on this device are started on: the device's one compute stream, or the side stream
/// that this thread works on (side_streams.h). Error with the reason where the device is not available.
kernels::Stream stream_of(const Device& device);
/// Waits until everything that was started on the device has run. Nothing on the CPU.
void synchronize(const Device& device);

}  // namespace duel

/// Runs the statement list with T = float or double, by a floating dtype; throws Error naming `op` otherwise.
/// Example: DUEL_DISPATCH(x.dtype(), "exp", kernels::unary<Exp>(stream, n, x.data<T>(),
/// y.mutable_data<T>()));
#define DUEL_DISPATCH(dtype_, op_, ...)                                                             \
  do {                                                                                              \
    const ::duel::DType duel_dispatch_dtype = (dtype_);                                             \
    if (duel_dispatch_dtype == ::duel::DType::f32) {                                                \
      using T = float;                                                                              \
      __VA_ARGS__;                                                                                  \
    } else if (duel_dispatch_dtype == ::duel::DType::f64) {                                         \
      using T = double;                                                                             \
      __VA_ARGS__;                                                                                  \
    } else {                                                                                        \
      ::duel::fail((op_), "expected a tensor of f32 or f64, got {}", to_text(duel_dispatch_dtype)); \
    }                                                                                               \
  } while (false)
