// The CUDA runtime of the harness: see host_runtime.h.
//
// Note [Device memory is closed]
// Device memory is one reservation without access rights. Kernels, copies and fills open it while they run: host code that
// follows a device pointer is stopped there, as it would be on a machine with a GPU.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "engine.h"
#include "host_runtime.h"

namespace duel::simt {

struct CudaNode {
  cudaGraphNodeType type;
  std::function<void()> work;
  std::set<size_t> after;  // numbers of the nodes that it waits for
  Work what = {};
  ptrdiff_t number = 0;  // of its own
};

struct CudaGraph {
  std::vector<CudaNode> nodes;
};
struct CudaExec {
  CudaGraph graph;
};

/// What is being recorded by one stream and those that joined it.
struct Capture {
  CudaGraph graph;
  CudaStream* origin = nullptr;
  bool invalid = false;
};

struct CudaStream {
  std::shared_ptr<Capture> capture;
  std::set<size_t> last;  // nodes that the next one has to wait for
};

struct CudaEvent {
  bool timed = false, recorded = false;
  std::chrono::steady_clock::time_point time;
  std::shared_ptr<Capture> capture;
  std::set<size_t> last;
};

namespace {

constexpr size_t kReserved = size_t{64} << 30;
constexpr size_t kAlignment = 256, kGap = 256;

cudaError_t last_error = cudaSuccess, planned_error = cudaSuccess;
thread_local cudaStreamCaptureMode capture_mode = cudaStreamCaptureModeGlobal;
int captures = 0;  // in progress
bool records_only = false;
std::function<void(Work&)> launch_watch;
std::function<bool(const std::string&, cudaFuncAttributes&)> attributes_answer;
HostCalls calls;
std::set<CudaStream*> streams;

cudaError_t give(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

cudaError_t planned() {
  const cudaError_t status = planned_error;
  planned_error = cudaSuccess;
  return give(status);
}

/// The default stream has no handle and cannot be captured.
CudaStream* known(cudaStream_t stream) { return streams.count(stream) != 0 ? stream : nullptr; }

class DeviceMemory {
 public:
  // Never destroyed: tensors of static storage duration give their memory back late.
  static DeviceMemory& instance() {
    static auto* memory = new DeviceMemory;
    return *memory;
  }

  void* allocate(size_t bytes) {
    ++calls;
    const size_t size = (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment + kGap;
    if (used + size > limit) return nullptr;
    size_t at = 0;
    const auto hole =
        std::find_if(holes_.begin(), holes_.end(), [&](const auto& h) { return h.second >= size; });
    if (hole != holes_.end()) {
      at = hole->first;
      if (hole->second > size) holes_[at + size] = hole->second - size;
      holes_.erase(at);
    } else {
      at = end_;
      if (at + size > kReserved) return nullptr;
      end_ += size;
    }
    used += size;
    unsigned char* begin = base_ + at;
    if (!records_only) {
      const OpenDevice open;
      std::memset(begin, 0xFF, size);
    }
    blocks_[at] = {size, std::make_unique<Region>(begin, bytes)};
    return begin;
  }

  bool release(void* pointer) {
    ++calls;
    const auto found = blocks_.find(static_cast<size_t>(static_cast<unsigned char*>(pointer) - base_));
    if (found == blocks_.end()) return false;
    const auto [at, size] = std::pair(found->first, found->second.size);
    used -= size;
    blocks_.erase(found);
    holes_[at] = size;
    auto here = holes_.find(at);
    if (const auto next = std::next(here);
        next != holes_.end() && here->first + here->second == next->first) {
      here->second += next->second;
      holes_.erase(next);
    }
    if (here != holes_.begin()) {
      const auto before = std::prev(here);
      if (before->first + before->second == here->first) {
        before->second += here->second;
        holes_.erase(here);
        here = before;
      }
    }
    // Opening and closing cost time by the size.
    std::scoped_lock lock(mutex_);
    if (openings_ == 0 && here->first + here->second == end_) {
      end_ = here->first;
      holes_.erase(here);
    }
    return true;
  }

  /// The block that holds all of these bytes, and where they begin in it.
  Region* find(const void* pointer, size_t bytes, size_t& at) const {
    const auto* p = static_cast<const unsigned char*>(pointer);
    if (p < base_ || p >= base_ + end_) return nullptr;
    auto above = blocks_.upper_bound(static_cast<size_t>(p - base_));
    if (above == blocks_.begin()) return nullptr;
    Region* region = std::prev(above)->second.region.get();
    at = static_cast<size_t>(p - region->begin());
    return at + bytes <= region->bytes() ? region : nullptr;
  }

  void open() {
    std::scoped_lock lock(mutex_);
    if (++openings_ == 1) protect(PROT_READ | PROT_WRITE);
  }
  void close() {
    std::scoped_lock lock(mutex_);
    if (--openings_ == 0) protect(PROT_NONE);
  }

  size_t limit = size_t{1} << 30, used = 0;
  long calls = 0;

 private:
  struct Block {
    size_t size;
    std::unique_ptr<Region> region;
  };

  DeviceMemory() {
    void* memory = mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<unsigned char*>(memory);
  }
  void protect(int rights) {
    const size_t page = 4096, bytes = (end_ + page - 1) / page * page;
    if (bytes > 0 && mprotect(base_, bytes, rights) != 0) std::abort();
  }

  unsigned char* base_ = nullptr;
  size_t end_ = 0;
  std::map<size_t, Block> blocks_;
  std::map<size_t, size_t> holes_;
  std::mutex mutex_;
  int openings_ = 0;
};

/// For calls that CUDA does not permit while this thread captures.
bool forbidden() { return captures > 0 && capture_mode != cudaStreamCaptureModeRelaxed; }

cudaError_t unsupported(CudaStream* stream) {
  if (stream != nullptr && stream->capture) stream->capture->invalid = true;
  return give(cudaErrorStreamCaptureUnsupported);
}

/// The nodes in an order that their edges permit: as recorded, the latest possible first, or shuffled.
void run_nodes(const CudaGraph& graph) {
  if (records_only) return;
  std::vector<size_t> waits(graph.nodes.size());
  std::vector<std::vector<size_t>> next(graph.nodes.size());
  std::set<size_t> ready;
  for (size_t k = 0; k < graph.nodes.size(); ++k) {
    waits[k] = graph.nodes[k].after.size();
    for (const size_t before : graph.nodes[k].after) next[before].push_back(k);
    if (waits[k] == 0) ready.insert(k);
  }
  std::mt19937_64 random(schedule().seed);
  while (!ready.empty()) {
    auto pick = ready.begin();
    if (schedule().order == Order::reverse) pick = std::prev(ready.end());
    if (schedule().order == Order::shuffled)
      std::advance(pick, static_cast<ptrdiff_t>(random() % ready.size()));
    const size_t k = *pick;
    ready.erase(pick);
    {
      const OpenDevice open;
      graph.nodes[k].work();
    }
    for (const size_t after : next[k]) {
      if (--waits[after] == 0) ready.insert(after);
    }
  }
}

}  // namespace

OpenDevice::OpenDevice() { DeviceMemory::instance().open(); }
OpenDevice::~OpenDevice() { DeviceMemory::instance().close(); }

void set_device_memory(size_t bytes) { DeviceMemory::instance().limit = bytes; }
void fail_next_call(cudaError_t status) { planned_error = status; }
HostCalls host_calls() { return calls; }
long device_allocations() { return DeviceMemory::instance().calls; }

void only_record() { records_only = true; }
void watch_launches(std::function<void(Work&)> watch) { launch_watch = std::move(watch); }
void answer_attributes(decltype(attributes_answer) answer) { attributes_answer = std::move(answer); }
bool launches_watched() { return static_cast<bool>(launch_watch); }
const Work& work_of(const void* node) { return static_cast<const CudaNode*>(node)->what; }
void run_node(const void* node) {
  const OpenDevice open;
  const auto counters = write_device_memory();
  static_cast<const CudaNode*>(node)->work();
  for (const auto& [at, bytes] : counters) std::memcpy(at, bytes.data(), bytes.size());
}

void on_stream(void* handle, cudaGraphNodeType type, std::function<void()> work, Work what) {
  CudaStream* stream = known(static_cast<cudaStream_t>(handle));
  if (launch_watch && type == cudaGraphNodeTypeKernel) {
    std::erase_if(what.pointers, [](const void* pointer) {
      size_t at = 0;
      return DeviceMemory::instance().find(pointer, 1, at) == nullptr;
    });
    launch_watch(what);
  }
  if (stream == nullptr || !stream->capture) {
    ++calls.works;
    if (records_only && type == cudaGraphNodeTypeKernel) return;
    const OpenDevice open;
    work();
    return;
  }
  std::vector<CudaNode>& nodes = stream->capture->graph.nodes;
  nodes.push_back(
      {type, std::move(work), stream->last, std::move(what), static_cast<ptrdiff_t>(nodes.size())});
  stream->last = {nodes.size() - 1};
}

}  // namespace duel::simt

using namespace duel::simt;

const char* cudaGetErrorName(cudaError_t status) {
#define DUEL_NAME(error) \
  case error:            \
    return #error;
  switch (status) {
    DUEL_NAME(cudaSuccess)
    DUEL_NAME(cudaErrorInvalidValue)
    DUEL_NAME(cudaErrorMemoryAllocation)
    DUEL_NAME(cudaErrorInsufficientDriver)
    DUEL_NAME(cudaErrorInvalidDeviceFunction)
    DUEL_NAME(cudaErrorNoDevice)
    DUEL_NAME(cudaErrorInvalidDevice)
    DUEL_NAME(cudaErrorNoKernelImageForDevice)
    DUEL_NAME(cudaErrorUnsupportedPtxVersion)
    DUEL_NAME(cudaErrorInvalidResourceHandle)
    DUEL_NAME(cudaErrorNotReady)
    DUEL_NAME(cudaErrorIllegalAddress)
    DUEL_NAME(cudaErrorMisalignedAddress)
    DUEL_NAME(cudaErrorLaunchFailure)
    DUEL_NAME(cudaErrorStreamCaptureUnsupported)
    DUEL_NAME(cudaErrorStreamCaptureInvalidated)
    DUEL_NAME(cudaErrorStreamCaptureMerge)
    DUEL_NAME(cudaErrorStreamCaptureUnjoined)
    DUEL_NAME(cudaErrorStreamCaptureIsolation)
    DUEL_NAME(cudaErrorStreamCaptureImplicit)
    DUEL_NAME(cudaErrorCapturedEvent)
  }
#undef DUEL_NAME
  return "unrecognized error code";
}
const char* cudaGetErrorString(cudaError_t) { return "as the harness says"; }
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device) {
  if (device != 0) return give(cudaErrorInvalidDevice);
  switch (which) {
    case cudaDevAttrClockRate:
      *value = 1'000'000;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = 2;
      break;
    case cudaDevAttrMemoryClockRate:
      *value = 1'000'000;
      break;
    case cudaDevAttrGlobalMemoryBusWidth:
      *value = 64;
      break;
    case cudaDevAttrL2CacheSize:
      *value = 1 << 20;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = 2048;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = 9;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = 48 << 10;
      break;
  }
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return give(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "SIMT harness");
  properties->totalGlobalMem = DeviceMemory::instance().limit;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : give(cudaErrorInvalidDevice); }
cudaError_t cudaDeviceSynchronize() {
  ++calls.waits;
  if (forbidden()) return unsupported(nullptr);
  return planned();
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = DeviceMemory::instance().limit;
  *free = *total - std::min(*total, DeviceMemory::instance().used);
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  if (forbidden()) return unsupported(nullptr);
  *pointer = DeviceMemory::instance().allocate(bytes);
  return *pointer != nullptr ? cudaSuccess : give(cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* pointer) {
  if (captures > 0) return unsupported(nullptr);  // it waits for the device
  if (pointer == nullptr || DeviceMemory::instance().release(pointer)) return cudaSuccess;
  return give(cudaErrorInvalidValue);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t handle) {
  if (const cudaError_t status = planned(); status != cudaSuccess) return status;
  CudaStream* stream = known(handle);
  size_t to_at = 0, from_at = 0;
  Region* target = DeviceMemory::instance().find(to, bytes, to_at);
  const Region* source = DeviceMemory::instance().find(from, bytes, from_at);
  const bool to_device = kind != cudaMemcpyDeviceToHost, from_device = kind != cudaMemcpyHostToDevice;
  if ((target != nullptr) != to_device || (source != nullptr) != from_device)
    return give(cudaErrorInvalidValue);
  if (stream != nullptr && stream->capture && !(to_device && from_device)) return unsupported(stream);
  on_stream(handle, cudaGraphNodeTypeMemcpy,
            [=] {
              size_t at = 0;
              Region* written = DeviceMemory::instance().find(to, bytes, at);
              if (written != nullptr) {
                size_t origin = 0;
                Region* read = DeviceMemory::instance().find(from, bytes, origin);
                if (read != nullptr)
                  std::memmove(written->flags() + at, read->flags() + origin, bytes);
                else
                  std::memset(written->flags() + at, 1, bytes);
              }
              std::memmove(to, from, bytes);
            },
            {.bytes = 2 * static_cast<int64_t>(bytes)});
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t stream) {
  if (const cudaError_t status = planned(); status != cudaSuccess) return status;
  size_t at = 0;
  if (DeviceMemory::instance().find(pointer, bytes, at) == nullptr) return give(cudaErrorInvalidValue);
  on_stream(stream, cudaGraphNodeTypeMemset,
            [=] {
              size_t begin = 0;
              if (Region* region = DeviceMemory::instance().find(pointer, bytes, begin)) {
                std::memset(region->flags() + begin, value == 0xFF ? 0 : 1, bytes);
                std::memset(pointer, value, bytes);
              }
            },
            {.bytes = static_cast<int64_t>(bytes)});
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = *streams.insert(new CudaStream).first;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (streams.erase(stream) == 0) return give(cudaErrorInvalidResourceHandle);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  ++calls.waits;
  if (const cudaError_t status = planned(); status != cudaSuccess) return status;
  CudaStream* stream = known(handle);
  if (stream != nullptr && stream->capture) return unsupported(stream);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  *event = new CudaEvent;
  (*event)->timed = flags == cudaEventDefault;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  const CudaStream* stream = known(handle);
  event->recorded = true;
  event->time = std::chrono::steady_clock::now();
  event->capture = stream != nullptr ? stream->capture : nullptr;
  event->last = stream != nullptr ? stream->last : std::set<size_t>{};
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  ++calls.event_waits;
  CudaStream* stream = known(handle);
  if (!event->capture) {
    if (stream != nullptr && stream->capture && event->recorded) return give(cudaErrorStreamCaptureIsolation);
    return cudaSuccess;
  }
  if (stream == nullptr) return give(cudaErrorStreamCaptureImplicit);
  if (stream->capture && stream->capture != event->capture) return give(cudaErrorStreamCaptureMerge);
  stream->capture = event->capture;
  stream->last.insert(event->last.begin(), event->last.end());
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  ++calls.waits;
  return event->capture ? give(cudaErrorCapturedEvent) : cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return event->capture ? give(cudaErrorCapturedEvent) : cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  if (!begin->timed || !end->timed || !begin->recorded || !end->recorded)
    return give(cudaErrorInvalidResourceHandle);
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return cudaSuccess;
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  std::swap(*mode, capture_mode);
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode) {
  CudaStream* stream = known(handle);
  if (stream == nullptr) return give(cudaErrorStreamCaptureImplicit);
  if (stream->capture) return give(cudaErrorInvalidValue);
  stream->capture = std::make_shared<Capture>();
  stream->capture->origin = stream;
  stream->last.clear();
  ++captures;
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  const CudaStream* stream = known(handle);
  *status =
      stream != nullptr && stream->capture ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  CudaStream* stream = known(handle);
  *graph = nullptr;
  if (stream == nullptr || !stream->capture || stream->capture->origin != stream)
    return give(cudaErrorInvalidValue);
  const std::shared_ptr<Capture> capture = stream->capture;
  --captures;
  std::vector<CudaNode>& nodes = capture->graph.nodes;
  std::set<size_t> open;  // nodes that nothing waits for
  for (size_t k = 0; k < nodes.size(); ++k) open.insert(k);
  for (const CudaNode& node : nodes) {
    for (const size_t before : node.after) open.erase(before);
  }
  for (const size_t joined : stream->last) open.erase(joined);
  for (CudaStream* each : streams) {
    if (each->capture != capture) continue;
    each->capture = nullptr;
    each->last.clear();
  }
  if (capture->invalid) return give(cudaErrorStreamCaptureInvalidated);
  if (!open.empty()) return give(cudaErrorStreamCaptureUnjoined);
  *graph = new CudaGraph(std::move(capture->graph));
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (nodes != nullptr) {
    for (size_t k = 0; k < *count; ++k) nodes[k] = &graph->nodes[k];
  }
  *count = graph->nodes.size();
  return cudaSuccess;
}
cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  *type = node->type;
  return cudaSuccess;
}
cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t* found, size_t* count) {
  const std::set<size_t>& after = node->after;
  if (found != nullptr) {
    size_t k = 0;
    for (const size_t before : after) found[k++] = node + (static_cast<ptrdiff_t>(before) - node->number);
  }
  *count = after.size();
  return cudaSuccess;
}
cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, cudaKernelNodeParams* params) {
  const Work& what = node->what;
  *params = {what.kernel, what.grid, what.block, static_cast<unsigned>(what.shared_bytes), nullptr, nullptr};
  return cudaSuccess;
}
cudaError_t cudaFuncGetName(const char** name, const void* kernel) {
  static std::map<const void*, std::string> names;
  std::string& known = names[kernel];
  if (known.empty() && kernel != nullptr)
    known = symbolize({reinterpret_cast<uintptr_t>(kernel)}, true).front().function;
  *name = known.c_str();
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  *attributes = {};
  const char* name = nullptr;
  cudaFuncGetName(&name, kernel);
  const bool known = attributes_answer && attributes_answer(name, *attributes);
  return known ? cudaSuccess : give(cudaErrorInvalidDeviceFunction);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new CudaExec{*graph};
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t handle) {
  if (const cudaError_t status = planned(); status != cudaSuccess) return status;
  CudaStream* stream = known(handle);
  if (stream != nullptr && stream->capture) return unsupported(stream);
  ++calls.graph_launches;
  run_nodes(exec->graph);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
