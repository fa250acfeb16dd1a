// The CUDA runtime API for g++: exactly the calls that kernels/base/runtime.cu makes, answered by
// runtime.cpp. One device, whose memory only kernels and these calls may touch: anything else that does dies
// at the access.
//
// Streams run everything at once, except while they are captured: then launches, copies and fills are
// recorded, with what each has to wait for, and a graph launch runs them in an order that this permits and
// the schedule chooses. What CUDA refuses in a capture is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vector_types.h"

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorInvalidDeviceFunction = 98,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorUnsupportedPtxVersion = 222,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorMisalignedAddress = 716,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorStreamCaptureMerge = 902,
  cudaErrorStreamCaptureUnjoined = 904,
  cudaErrorStreamCaptureIsolation = 905,
  cudaErrorStreamCaptureImplicit = 906,
  cudaErrorCapturedEvent = 907,
};
const char* cudaGetErrorName(cudaError_t status);
const char* cudaGetErrorString(cudaError_t status);
cudaError_t cudaGetLastError();

enum cudaDeviceAttr {
  cudaDevAttrClockRate,
  cudaDevAttrMultiProcessorCount,
  cudaDevAttrMemoryClockRate,
  cudaDevAttrGlobalMemoryBusWidth,
  cudaDevAttrL2CacheSize,
  cudaDevAttrMaxThreadsPerMultiProcessor,
  cudaDevAttrComputeCapabilityMajor,
  cudaDevAttrComputeCapabilityMinor,
  cudaDevAttrMaxSharedMemoryPerMultiprocessor,
};
struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
};
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);

cudaError_t cudaMalloc(void** pointer, size_t bytes);
cudaError_t cudaFree(void* pointer);

namespace duel::simt {
struct CudaStream;
struct CudaEvent;
struct CudaGraph;
struct CudaNode;
struct CudaExec;
}  // namespace duel::simt
using cudaStream_t = duel::simt::CudaStream*;
using cudaEvent_t = duel::simt::CudaEvent*;
using cudaGraph_t = duel::simt::CudaGraph*;
using cudaGraphNode_t = duel::simt::CudaNode*;
using cudaGraphExec_t = duel::simt::CudaExec*;

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
/// A fill with 0xFF is Duel's poison: what it covers counts as not written.
cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t stream);

inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2;
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end);

enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal = 0,
  cudaStreamCaptureModeThreadLocal = 1,
  cudaStreamCaptureModeRelaxed = 2
};
enum cudaStreamCaptureStatus {
  cudaStreamCaptureStatusNone = 0,
  cudaStreamCaptureStatusActive = 1,
  cudaStreamCaptureStatusInvalidated = 2
};
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);

enum cudaGraphNodeType {
  cudaGraphNodeTypeKernel = 0,
  cudaGraphNodeTypeMemcpy = 1,
  cudaGraphNodeTypeMemset = 2,
  cudaGraphNodeTypeEmpty = 5
};
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count);
cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type);
cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t* found, size_t* count);
struct cudaKernelNodeParams {
  const void* func;
  dim3 gridDim, blockDim;
  unsigned sharedMemBytes;
  void** kernelParams;
  void** extra;
};
cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, cudaKernelNodeParams* params);
/// As C++ has it, not mangled; "" for what a test put in place of a library.
cudaError_t cudaFuncGetName(const char** name, const void* kernel);
/// Only nvcc knows these: an error, unless somebody answers for it (answer_attributes).
struct cudaFuncAttributes {
  int numRegs;
  size_t sharedSizeBytes;
};
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

namespace duel::simt {

/// What a node of a graph is: a launch as it was asked for, and what it costs.
struct Work {
  const void* kernel = nullptr;
  dim3 grid{}, block{};
  size_t shared_bytes = 0;
  std::vector<const void*> pointers = {};  ///< into device memory, found in the arguments
  int64_t bytes = 0;                       ///< of copies and fills, and what the watch says
  double flop = 0;
};

/// Runs `work` now, or records it where the stream is captured; kernels come by here. For libraries that a
/// test puts in place of cuBLAS and cuDNN too. `work` finds device memory open.
void on_stream(void* stream, cudaGraphNodeType type, std::function<void()> work, Work what = {});

/// From now on kernels are recorded by captures and never run, so that networks of full size take no time. Results
/// are whatever the memory held.
void only_record();
/// Called with every launch, whose pointers are looked for from now on; it may say what that costs.
void watch_launches(std::function<void(Work&)> watch);
bool launches_watched();
/// Asked by cudaFuncGetAttributes for what nvcc made of a kernel, by its name in C++; false: it is not known.
void answer_attributes(std::function<bool(const std::string& kernel, cudaFuncAttributes& to)> answer);
/// Of a node that cudaGraphGetNodes gave.
const Work& work_of(const void* node);
/// Runs a node alone, also where kernels are only recorded. All device memory counts as written to; what was not is 0.
/// Small buffers, counters among them, are afterwards what they were.
void run_node(const void* node);

/// While it lives, this process may touch device memory.
class OpenDevice {
 public:
  OpenDevice();
  ~OpenDevice();
  OpenDevice(const OpenDevice&) = delete;
  OpenDevice& operator=(const OpenDevice&) = delete;
};

/// How much memory the device has; 1 GiB unless told.
void set_device_memory(size_t bytes);
/// The next call of the runtime that works on a stream returns this error, once.
void fail_next_call(cudaError_t status);
/// Calls of cudaMalloc and cudaFree so far.
long device_allocations();
/// What the host has asked of the device so far: replays, kernels, copies and fills started one by one, waits
/// for it, and streams told to wait for an event.
struct HostCalls {
  long graph_launches = 0, works = 0, waits = 0, event_waits = 0;
};
HostCalls host_calls();

}  // namespace duel::simt
