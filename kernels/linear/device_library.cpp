#include "duel/kernels/linear/device_library.h"

#include <atomic>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/runtime.h"
#include "duel/kernels/base/settings.h"
#include "duel/kernels/linear/vendor/cublas.h"
#include "duel/kernels/linear/vendor/cudnn.h"
#include "duel/kernels/linear/vendor/onednn.h"

namespace duel::kernels {
namespace {

std::atomic<DeviceLibrary>& library_in_use() {
  static std::atomic<DeviceLibrary> library =
      chosen("DUEL_DEVICE_LIBRARY", {"auto", "own"}) == 0 ? DeviceLibrary::automatic : DeviceLibrary::own;
  return library;
}

std::atomic<bool>& tf32_in_use() {
  static std::atomic<bool> on = chosen("DUEL_TF32", {"1", "0"}) == 0;
  return on;
}

}  // namespace

void check_environment() {
  threads();
  host_library();
  device_library();
  tf32();
  runtime::early_launch();
}

std::string host_vectors() {
#if defined(__AVX512F__)
  std::string isa = "AVX-512";
#elif defined(__AVX2__)
  std::string isa = "AVX2";
#elif defined(__AVX__)
  std::string isa = "AVX";
#elif defined(__x86_64__)
  std::string isa = "SSE2";
#elif defined(__aarch64__)
  std::string isa = "NEON";
#else
  std::string isa = "generic";
#endif
#if defined(__x86_64__)
#if !defined(__AVX512F__)
  if (__builtin_cpu_supports("avx512f"))
    isa += " (the CPU also has AVX-512: build on it with DUEL_MARCH=native)";
#endif
#if !defined(__AVX2__)
  if (__builtin_cpu_supports("avx2")) isa += " (the CPU also has AVX2: build on it with DUEL_MARCH=native)";
#endif
#endif
  return isa;
}

std::string host_library_version() { return onednn_version(); }

DeviceLibrary device_library() { return library_in_use().load(std::memory_order_relaxed); }
void set_device_library(DeviceLibrary library) { library_in_use() = library; }

bool tf32() { return tf32_in_use().load(std::memory_order_relaxed); }
void set_tf32(bool on) { tf32_in_use() = on; }

std::string device_library_report() {
  if (!device::compiled_for_gpu()) return "own kernels: this build has no CUDA libraries";
  if (device_library() == DeviceLibrary::own) return "own kernels: DUEL_DEVICE_LIBRARY=own";
  if (const runtime::Availability& gpu = runtime::availability(); gpu.devices == 0) {
    return "own kernels: " + gpu.reason;
  }
  return message("{}, {}, TF32 {}", cublas::report(), cudnn::report(), tf32() ? "on" : "off");
}

namespace device {

bool libraries_in_charge() { return compiled_for_gpu() && device_library() == DeviceLibrary::automatic; }

}  // namespace device
}  // namespace duel::kernels
