// The part of device_library.h that depends on who compiles.
#include "duel/kernels/linear/device_library.h"

#include "duel/kernels/base/runtime.h"

namespace duel::kernels::device {

#if defined(__CUDACC__)
bool compiled_for_gpu() { return true; }

bool tensor_cores() { return runtime::code_architecture() >= 80; }

// Without a GPU the calls fail and nothing is captured either: their status is of no interest.
StepAside::StepAside() {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  cudaThreadExchangeStreamCaptureMode(&mode);
  mode_ = static_cast<int>(mode);
}
StepAside::~StepAside() {
  cudaStreamCaptureMode mode = static_cast<cudaStreamCaptureMode>(mode_);
  cudaThreadExchangeStreamCaptureMode(&mode);
}
#else
bool compiled_for_gpu() { return false; }
bool tensor_cores() { return true; }
StepAside::StepAside() = default;
StepAside::~StepAside() = default;
#endif

}  // namespace duel::kernels::device
