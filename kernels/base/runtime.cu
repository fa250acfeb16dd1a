#include "duel/kernels/base/runtime.h"

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "duel/kernels/base/settings.h"

namespace duel::kernels {

#if DUEL_DEVICE_CODE

namespace {

const char* advice(cudaError_t status) {
  switch (status) {
    case cudaErrorInsufficientDriver:
      return "Install an NVIDIA driver that is at least as new as this build's CUDA, or use --device cpu";
    case cudaErrorNoDevice:
      return "No GPU is visible: see nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu";
    case cudaErrorMemoryAllocation:
      return "The GPU's memory is full: see nvidia-smi for other programs, or use a smaller batch";
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorLaunchFailure:
      return "A kernel that ran before has failed: run the same command under compute-sanitizer, or with "
             "CUDA_LAUNCH_BLOCKING=1 to see which. The process cannot go on with this GPU";
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureUnjoined:
    case cudaErrorStreamCaptureImplicit:
      return "A CUDA graph is being captured: nothing may wait or read results until end_capture";
    default:
      return "";
  }
}

[[noreturn]] void refuse(cudaError_t status, const char* call, const char* file, int line) {
  const char* name = std::strrchr(file, '/');
  cuda_failure(static_cast<int>(status),
               message("{} (kernels/base/{}:{})", call, name ? name + 1 : file, line));
}

#define DUEL_CUDA(call)                                                             \
  do {                                                                              \
    const cudaError_t duel_status = (call);                                         \
    if (duel_status != cudaSuccess) refuse(duel_status, #call, __FILE__, __LINE__); \
  } while (false)

cudaStream_t raw(Stream stream) { return static_cast<cudaStream_t>(stream.handle()); }
cudaEvent_t raw(runtime::Event event) { return static_cast<cudaEvent_t>(event.handle); }
cudaGraphExec_t raw(runtime::Graph graph) { return static_cast<cudaGraphExec_t>(graph.handle); }

int64_t attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  DUEL_CUDA(cudaDeviceGetAttribute(&value, which, device));
  return value;
}

}  // namespace

void cuda_failure(int code, const std::string& call) {
  const auto status = static_cast<cudaError_t>(code);
  cudaGetLastError();  // forget it where it can be forgotten
  std::string what = advice(status);
  if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction ||
      status == cudaErrorUnsupportedPtxVersion) {
    what = message(
        "This build holds kernels for the architectures {} only: configure with "
        "-DCMAKE_CUDA_ARCHITECTURES=native on this machine and build again",
        runtime::compiled_architectures());
  }
  fail("cuda", "CUDA error {}: {} in {}{}{}", cudaGetErrorName(status), cudaGetErrorString(status), call,
       what.empty() ? "" : ". ", what);
}

namespace runtime {
namespace {

Availability ask() noexcept {
  Availability found;
  const cudaError_t status = cudaGetDeviceCount(&found.devices);
  if (status == cudaSuccess && found.devices > 0) return found;
  found.devices = 0;
  cudaGetLastError();
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0;
    if (cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0) {
      found.reason =
          message("the NVIDIA driver is older than this build's CUDA (CUDA error 35): it knows CUDA {}.{}",
                  driver / 1000, driver % 1000 / 10);
    } else {
      found.reason = "no NVIDIA driver (CUDA error 35)";
    }
  } else if (status == cudaErrorNoDevice || status == cudaSuccess) {
    found.reason = "no NVIDIA GPU";
  } else {
    found.reason = message("CUDA error {} ({}): {}", static_cast<int>(status), cudaGetErrorName(status),
                           cudaGetErrorString(status));
  }
  return found;
}

/// While it lives, this thread may allocate although a stream is being captured.
class OutsideCapture {
 public:
  OutsideCapture() { DUEL_CUDA(cudaThreadExchangeStreamCaptureMode(&mode_)); }
  ~OutsideCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  OutsideCapture(const OutsideCapture&) = delete;
  OutsideCapture& operator=(const OutsideCapture&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace

const Availability& availability() {
  static const Availability found = ask();
  return found;
}

Properties properties(int device) {
  cudaDeviceProp raw_properties{};
  DUEL_CUDA(cudaGetDeviceProperties(&raw_properties, device));
  Properties p;
  p.name = raw_properties.name;
  p.memory_bytes = static_cast<int64_t>(raw_properties.totalGlobalMem);
  p.major = static_cast<int>(attribute(cudaDevAttrComputeCapabilityMajor, device));
  p.minor = static_cast<int>(attribute(cudaDevAttrComputeCapabilityMinor, device));
  p.multiprocessors = static_cast<int>(attribute(cudaDevAttrMultiProcessorCount, device));
  p.threads_per_multiprocessor = static_cast<int>(attribute(cudaDevAttrMaxThreadsPerMultiProcessor, device));
  p.shared_bytes_per_multiprocessor = attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, device);
  p.l2_bytes = attribute(cudaDevAttrL2CacheSize, device);
  p.clock_khz = attribute(cudaDevAttrClockRate, device);
  p.memory_clock_khz = attribute(cudaDevAttrMemoryClockRate, device);
  p.memory_bus_bits = static_cast<int>(attribute(cudaDevAttrGlobalMemoryBusWidth, device));
  DUEL_CUDA(cudaDriverGetVersion(&p.driver_version));
  DUEL_CUDA(cudaRuntimeGetVersion(&p.runtime_version));
  return p;
}

#if defined(__CUDACC__)
namespace {
__global__ void probe_kernel() { begin_kernel(); }
}  // namespace
// What the driver loads for this GPU says of which architecture it is: the list of those that were compiled does not.
int code_architecture() {
  static const int found = [] {
    if (availability().devices == 0) return 0;
    const OutsideCapture outside;
    cudaFuncAttributes attributes{};
    return cudaFuncGetAttributes(&attributes, probe_kernel) == cudaSuccess ? attributes.ptxVersion : 0;
  }();
  return found;
}
#else
int code_architecture() { return 90; }
#endif

bool early_launch() {
  static const bool on = chosen("DUEL_EARLY_LAUNCH", {"0", "1"}) == 1 && code_architecture() >= 90;
  return on;
}

std::string compiled_architectures() {
#ifdef __CUDA_ARCH_LIST__
  std::string text;
  for (const int architecture : {__CUDA_ARCH_LIST__}) {
    text += (text.empty() ? "" : ",") + std::to_string(architecture / 10);
  }
  return text;
#else
  return "";
#endif
}

void set_device(int device) { DUEL_CUDA(cudaSetDevice(device)); }
void synchronize_device() { DUEL_CUDA(cudaDeviceSynchronize()); }

MemoryInfo memory_info() {
  const OutsideCapture outside;
  size_t free = 0, total = 0;
  DUEL_CUDA(cudaMemGetInfo(&free, &total));
  return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
}

void* try_allocate_device(size_t bytes) {
  const OutsideCapture outside;
  void* pointer = nullptr;
  const cudaError_t status = cudaMalloc(&pointer, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  DUEL_CUDA(status);
  return pointer;
}

void* allocate_device(size_t bytes) {
  const OutsideCapture outside;
  void* pointer = nullptr;
  DUEL_CUDA(cudaMalloc(&pointer, bytes));
  return pointer;
}

void free_device(void* pointer) {
  const OutsideCapture outside;
  DUEL_CUDA(cudaFree(pointer));
}

namespace {
/// A captured copy would read or write the host's memory at every replay, when whatever lay there may be
/// gone.
void check_capture(Stream stream) {
  if (!capturing(stream)) return;
  refuse(cudaErrorStreamCaptureUnsupported, "a copy from or to host memory", __FILE__, __LINE__);
}
}  // namespace

void copy_to_device(Stream stream, void* device, const void* host, size_t bytes) {
  if (bytes == 0) return;
  check_capture(stream);
  DUEL_CUDA(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, raw(stream)));
}
void copy_to_host(Stream stream, void* host, const void* device, size_t bytes) {
  if (bytes == 0) return;
  check_capture(stream);
  DUEL_CUDA(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, raw(stream)));
}
void copy_on_device(Stream stream, void* to, const void* from, size_t bytes) {
  if (bytes > 0) DUEL_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, raw(stream)));
}
void fill_bytes(Stream stream, void* device, int byte, size_t bytes) {
  if (bytes > 0) DUEL_CUDA(cudaMemsetAsync(device, byte, bytes, raw(stream)));
}

Stream create_stream() {
  cudaStream_t stream = nullptr;
  DUEL_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  // Waited for, as other streams may launch what works on this one: a graph.
  const OutsideCapture outside;
  constexpr size_t kBytes = kTickets * sizeof(unsigned);
  void* const tickets = try_allocate_device(kBytes);
  if (tickets != nullptr) {
    fill_bytes(Stream::device(stream), tickets, 0, kBytes);
    DUEL_CUDA(cudaStreamSynchronize(stream));
  }
  return Stream::device(stream, static_cast<unsigned*>(tickets));
}
void destroy_stream(Stream stream) {
  DUEL_CUDA(cudaStreamDestroy(raw(stream)));
  if (stream.tickets() != nullptr) free_device(stream.tickets());
}
void synchronize(Stream stream) { DUEL_CUDA(cudaStreamSynchronize(raw(stream))); }

Event create_event(bool timed) {
  cudaEvent_t event = nullptr;
  DUEL_CUDA(cudaEventCreateWithFlags(&event, timed ? cudaEventDefault : cudaEventDisableTiming));
  return {event};
}
void destroy_event(Event event) { DUEL_CUDA(cudaEventDestroy(raw(event))); }
void record(Event event, Stream stream) { DUEL_CUDA(cudaEventRecord(raw(event), raw(stream))); }
void wait(Stream stream, Event event) { DUEL_CUDA(cudaStreamWaitEvent(raw(stream), raw(event), 0)); }
void synchronize(Event event) { DUEL_CUDA(cudaEventSynchronize(raw(event))); }
bool finished(Event event) {
  const cudaError_t status = cudaEventQuery(raw(event));
  if (status == cudaErrorNotReady) return false;
  DUEL_CUDA(status);
  return true;
}
double elapsed_milliseconds(Event begin, Event end) {
  float milliseconds = 0;
  DUEL_CUDA(cudaEventElapsedTime(&milliseconds, raw(begin), raw(end)));
  return static_cast<double>(milliseconds);
}

void begin_capture(Stream stream) {
  DUEL_CUDA(cudaStreamBeginCapture(raw(stream), cudaStreamCaptureModeThreadLocal));
}

bool capturing(Stream stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  DUEL_CUDA(cudaStreamIsCapturing(raw(stream), &status));
  return status != cudaStreamCaptureStatusNone;
}

Graph end_capture(Stream stream) {
  cudaGraph_t graph = nullptr;
  DUEL_CUDA(cudaStreamEndCapture(raw(stream), &graph));
  struct Guard {
    cudaGraph_t graph;
    ~Guard() {
      if (graph != nullptr) cudaGraphDestroy(graph);
    }
  } guard{graph};
  size_t count = 0;
  DUEL_CUDA(cudaGraphGetNodes(graph, nullptr, &count));
  std::vector<cudaGraphNode_t> nodes(count);
  if (count > 0) DUEL_CUDA(cudaGraphGetNodes(graph, nodes.data(), &count));
  Graph result;
  result.nodes = static_cast<int64_t>(count);
  for (const cudaGraphNode_t node : nodes) {
    cudaGraphNodeType type = cudaGraphNodeTypeEmpty;
    DUEL_CUDA(cudaGraphNodeGetType(node, &type));
    result.kernels += type == cudaGraphNodeTypeKernel ? 1 : 0;
  }
  cudaGraphExec_t exec = nullptr;
  DUEL_CUDA(cudaGraphInstantiate(&exec, graph, 0));
  result.handle = exec;
  result.definition = std::exchange(guard.graph, nullptr);
  return result;
}

void abandon_capture(Stream stream) noexcept {
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(raw(stream), &graph) == cudaSuccess && graph != nullptr) cudaGraphDestroy(graph);
  cudaGetLastError();
}

void launch_graph(Graph graph, Stream stream) { DUEL_CUDA(cudaGraphLaunch(raw(graph), raw(stream))); }

namespace {

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? text.get() : name;
}

/// Asked with room for edges' data: without it an edge of a kernel that starts early is an error.
std::vector<cudaGraphNode_t> before(cudaGraphNode_t node) {
  for (size_t room = 64;; room *= 8) {
    size_t count = room;
    std::vector<cudaGraphNode_t> found(room);
#if defined(CUDART_VERSION) && CUDART_VERSION >= 13000
    std::vector<cudaGraphEdgeData> edges(room);
    DUEL_CUDA(cudaGraphNodeGetDependencies(node, found.data(), edges.data(), &count));
#elif defined(CUDART_VERSION) && CUDART_VERSION >= 12030
    std::vector<cudaGraphEdgeData> edges(room);
    DUEL_CUDA(cudaGraphNodeGetDependencies_v2(node, found.data(), edges.data(), &count));
#else
    DUEL_CUDA(cudaGraphNodeGetDependencies(node, found.data(), &count));
#endif
    if (count == room) continue;  // there may be more
    found.resize(count);
    return found;
  }
}

/// What a library launched by the driver's interface the runtime refuses to describe; it keeps its place.
void describe_kernel(cudaGraphNode_t node, GraphNode& to) {
  cudaKernelNodeParams launch{};
  if (cudaGraphKernelNodeGetParams(node, &launch) != cudaSuccess) {
    cudaGetLastError();
    return;
  }
  const auto& [function, grid, block, shared, parameters, more] =
      launch;  // gridDim is a macro of the harness
  (void)parameters, (void)more;
  to.grid = {grid.x, grid.y, grid.z};
  to.block = {block.x, block.y, block.z};
  to.shared_bytes = shared;
  const char* name = nullptr;
  cudaFuncAttributes attributes{};
  if (cudaFuncGetName(&name, function) == cudaSuccess && name != nullptr) to.name = demangled(name);
  if (cudaFuncGetAttributes(&attributes, function) == cudaSuccess) {
    to.registers = attributes.numRegs;
    to.shared_bytes += static_cast<int64_t>(attributes.sharedSizeBytes);
  }
  cudaGetLastError();
}

}  // namespace

std::vector<GraphNode> graph_nodes(Graph graph) {
  const auto definition = static_cast<cudaGraph_t>(graph.definition);
  size_t count = 0;
  DUEL_CUDA(cudaGraphGetNodes(definition, nullptr, &count));
  std::vector<cudaGraphNode_t> unordered(count);
  if (count > 0) DUEL_CUDA(cudaGraphGetNodes(definition, unordered.data(), &count));
  std::map<cudaGraphNode_t, int64_t> number;
  std::vector<GraphNode> nodes;
  // The runtime promises no order: as soon as all that a node waits for have their numbers, it gets its own.
  for (bool more = true; more;) {
    more = false;
    for (cudaGraphNode_t& node : unordered) {
      if (node == nullptr) continue;
      GraphNode found;
      bool ready = true;
      for (const cudaGraphNode_t each : before(node)) {
        const auto known = number.find(each);
        ready = ready && known != number.end();
        if (ready) found.after.push_back(known->second);
      }
      if (!ready) continue;
      cudaGraphNodeType type = cudaGraphNodeTypeEmpty;
      DUEL_CUDA(cudaGraphNodeGetType(node, &type));
      found.kind = type == cudaGraphNodeTypeKernel   ? GraphNode::Kind::kernel
                   : type == cudaGraphNodeTypeMemcpy ? GraphNode::Kind::copy
                   : type == cudaGraphNodeTypeMemset ? GraphNode::Kind::fill
                                                     : GraphNode::Kind::other;
      if (found.kind == GraphNode::Kind::kernel) describe_kernel(node, found);
      found.handle = node;
      number[node] = static_cast<int64_t>(nodes.size());
      nodes.push_back(std::move(found));
      node = nullptr;
      more = true;
    }
  }
  return nodes;
}

void destroy_graph(Graph graph) {
  DUEL_CUDA(cudaGraphExecDestroy(raw(graph)));
  DUEL_CUDA(cudaGraphDestroy(static_cast<cudaGraph_t>(graph.definition)));
}

#else  // a build without CUDA: the same functions say so

void cuda_failure(int code, const std::string& call) { fail("cuda", "CUDA error {} in {}", code, call); }

namespace runtime {
namespace {
[[noreturn]] void refuse() {
  fail("cuda", "built without CUDA: configure with -DDUEL_CUDA=ON where nvcc is, or use the CPU");
}
}  // namespace

const Availability& availability() {
  static const Availability none{0, "built without CUDA"};
  return none;
}
Properties properties(int) { refuse(); }
int code_architecture() { return 0; }
bool early_launch() {
  chosen("DUEL_EARLY_LAUNCH", {"0", "1"});
  return false;
}
std::string compiled_architectures() { return ""; }
void set_device(int) { refuse(); }
void synchronize_device() { refuse(); }
MemoryInfo memory_info() { refuse(); }
void* try_allocate_device(size_t) { refuse(); }
void* allocate_device(size_t) { refuse(); }
void free_device(void*) { refuse(); }
void copy_to_device(Stream, void*, const void*, size_t) { refuse(); }
void copy_to_host(Stream, void*, const void*, size_t) { refuse(); }
void copy_on_device(Stream, void*, const void*, size_t) { refuse(); }
void fill_bytes(Stream, void*, int, size_t) { refuse(); }
Stream create_stream() { refuse(); }
void destroy_stream(Stream) { refuse(); }
void synchronize(Stream) { refuse(); }
Event create_event(bool) { refuse(); }
void destroy_event(Event) { refuse(); }
void record(Event, Stream) { refuse(); }
void wait(Stream, Event) { refuse(); }
void synchronize(Event) { refuse(); }
bool finished(Event) { refuse(); }
double elapsed_milliseconds(Event, Event) { refuse(); }
void begin_capture(Stream) { refuse(); }
bool capturing(Stream) { refuse(); }
Graph end_capture(Stream) { refuse(); }
void abandon_capture(Stream) noexcept {}
void launch_graph(Graph, Stream) { refuse(); }
std::vector<GraphNode> graph_nodes(Graph) { refuse(); }
void destroy_graph(Graph) { refuse(); }

#endif

}  // namespace runtime
}  // namespace duel::kernels
