// Who computes matrix products and convolutions on a GPU.
//
//   product or convolution                                  computed by
//   one input or output channel, at most 64 taps            own thin kernels (conv_thin.cu)
//   other convolutions                                      cuDNN where it is installed (cudnn.h)
//   matrix products                                         cuBLASLt where it is installed (cublas.h)
//   whatever those refuse, or data not aligned to 16 bytes  own kernels (gemm_device.cu, conv_device.cu)
//
// The libraries are loaded when first needed. $DUEL_DEVICE_LIBRARY=own leaves them alone;
// device_library_report() says what was loaded from where, or why not. The simulated device of the SIMT tests
// has own kernels only.
//
// TF32: on by default for float, as in other frameworks: factors are rounded to 10 bits of mantissa before
// they are multiplied, sums stay float. $DUEL_TF32=0 or set_tf32(false) ask for float products throughout. Own kernels use
// tensor cores for the same, where the GPU has them and TF32 is on. double is never rounded.
//
// Example:
//   std::cout << device_library_report() << "\n";
//   set_tf32(false);  // before a comparison with the CPU
#pragma once

#include <string>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// Reads every DUEL_ variable of the kernels now, so that a wrong one is told before work begins and not in
/// the middle.
void check_environment();

/// Version of oneDNN that runs on the host, as "2.6.3"; "none" in a build without it.
std::string host_library_version();

/// The widest vectors that these kernels' own loops use on the host, "AVX2", and what else the CPU has.
std::string host_vectors();

enum class DeviceLibrary { own, automatic };

/// The first call reads $DUEL_DEVICE_LIBRARY (own or auto); an Error where it is neither.
DeviceLibrary device_library();
/// Not to be called between a …_workspace() call and the launch that it was for; nor is set_tf32().
void set_device_library(DeviceLibrary library);

/// The first call reads $DUEL_TF32 (0 or 1); an Error where it is neither.
bool tf32();
void set_tf32(bool on);

/// One line: "cuBLASLt 13.1.0 (/usr/…/libcublasLt.so.13), cuDNN 9.19.0 (/usr/…/libcudnn.so.9), TF32 on", or
/// why own kernels are used instead. Loads the libraries. Never throws but for a bad environment variable.
std::string device_library_report();

namespace device {

/// May a library be asked? Not in builds without CUDA, not on a simulated device, not where own kernels are
/// asked for.
bool libraries_in_charge();

// What only the compiler of device code knows; device_library.cu.

/// Compiled by a CUDA compiler, so that a device stream is a GPU's.
bool compiled_for_gpu();

/// Does the GPU multiply as TF32 (compute capability 8.0), by code that this build has for it? The simulated device does.
bool tensor_cores();

/// While it lives, this thread may load, allocate and build plans although a stream is being captured: that
/// becomes no part of the graph.
class StepAside {
 public:
  StepAside();
  ~StepAside();
  StepAside(const StepAside&) = delete;
  StepAside& operator=(const StepAside&) = delete;

 private:
  [[maybe_unused]] int mode_ = 0;  // by the GPU's compiler alone
};

}  // namespace device
}  // namespace duel::kernels
