// What Duel asks of the CUDA runtime: devices, memory, copies, streams, events, graphs. With `launch`
// (platform.h) it is the only caller of that library. Raw handles, no ownership: core/ wraps them.
//
// Every build has all of these functions. Without CUDA, or without a GPU, availability() says why in one
// line, and the others throw duel::Error with that line. A call that fails throws duel::Error with "CUDA
// error <name>: <text>", the call, its file and line, and what to do.
//
// Handles belong to the device that was current when they were made; a call works on the calling thread's
// current device (set_device). Functions marked [capture] may be used between begin_capture and end_capture;
// the others are refused by CUDA there (cudaErrorStreamCaptureUnsupported), but for allocate_device, which
// steps aside of the capture.
//
// Example:
//   if (runtime::availability().devices > 0) {
//     Stream stream = runtime::create_stream();
//     void* x = runtime::allocate_device(1 << 20);
//     runtime::fill_bytes(stream, x, 0, 1 << 20);
//     runtime::synchronize(stream);
//   }
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "duel/kernels/base/platform.h"

namespace duel::kernels::runtime {

struct Availability {
  int devices = 0;
  /// why there is none: "built without CUDA", "no NVIDIA driver (CUDA error 35)", "no NVIDIA GPU"
  std::string reason;
};
/// Asked once per process; never throws.
const Availability& availability();

struct Properties {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  int threads_per_multiprocessor = 0;
  int64_t shared_bytes_per_multiprocessor = 0;
  int64_t memory_bytes = 0;
  int64_t l2_bytes = 0;
  int64_t clock_khz = 0;
  int64_t memory_clock_khz = 0;
  int memory_bus_bits = 0;
  int driver_version = 0, runtime_version = 0;  ///< as CUDA counts: 13000 is 13.0
  /// What the data sheet promises, in bytes per second: two transfers per clock over the whole bus.
  double bandwidth() const {
    return 2.0 * static_cast<double>(memory_clock_khz) * 1e3 * static_cast<double>(memory_bus_bits) / 8.0;
  }
};
Properties properties(int device = 0);
/// The architecture that the kernels were compiled for which the current GPU runs: 90 or more on an H100, or 80 where a build
/// for that alone is translated for it. 0 without a GPU. GPUs of one process are taken to be alike: the first call asks.
int code_architecture();
/// Note [Kernels that start early] in platform.h: does $DUEL_EARLY_LAUNCH (0 or 1) ask for it, and does the code have what it
/// takes (code_architecture() of 90)? The first call reads it; an Error where it is neither.
bool early_launch();
/// The architectures that this build holds kernels for: "90" or "80,90"; "" without CUDA.
std::string compiled_architectures();

void set_device(int device);
/// Waits for all work of the current device.
void synchronize_device();

struct MemoryInfo {
  int64_t free_bytes = 0, total_bytes = 0;
};
MemoryInfo memory_info();

/// Device memory, 256-byte aligned; null when there is not enough of it. Allowed in a capture: it is no part
/// of the graph.
void* try_allocate_device(size_t bytes);
/// The same, or throws.
void* allocate_device(size_t bytes);
/// Waits for the device.
void free_device(void* pointer);

// Copies and fills in the order of the stream. Host memory may be changed as soon as copy_to_device returns;
// what copy_to_host writes may be read after synchronize. Both are refused in a capture, the others are not.
void copy_to_device(Stream stream, void* device, const void* host, size_t bytes);
void copy_to_host(Stream stream, void* host, const void* device, size_t bytes);
void copy_on_device(Stream stream, void* to, const void* from, size_t bytes);
void fill_bytes(Stream stream, void* device, int byte, size_t bytes);

/// Without implicit order towards the default stream.
Stream create_stream();
void destroy_stream(Stream stream);
void synchronize(Stream stream);

/// Opaque cudaEvent_t.
struct Event {
  void* handle = nullptr;
};
/// One that orders streams costs less without time.
Event create_event(bool timed = false);
void destroy_event(Event event);
void record(Event event, Stream stream);  ///< [capture]
/// Work given to `stream` from now on starts after the event [capture]. In a capture this is how a side
/// stream joins the graph (fork) and how the main stream waits for it (join); every fork must be joined
/// before end_capture.
void wait(Stream stream, Event event);
void synchronize(Event event);
bool finished(Event event);
double elapsed_milliseconds(Event begin, Event end);  ///< both timed and finished

/// An instantiated graph: opaque cudaGraphExec_t, and the cudaGraph_t that it was made of.
struct Graph {
  void* handle = nullptr;
  void* definition = nullptr;
  int64_t nodes = 0;    ///< of all kinds
  int64_t kernels = 0;  ///< of those, kernels
};
/// From here on, work of the stream (and of streams that wait for its events) is recorded, not run.
void begin_capture(Stream stream);
bool capturing(Stream stream);
Graph end_capture(Stream stream);
/// Ends a capture that cannot be finished; never throws.
void abandon_capture(Stream stream) noexcept;
void launch_graph(Graph graph, Stream stream);
/// What a graph holds.
struct GraphNode {
  enum class Kind { kernel, copy, fill, other };
  Kind kind = Kind::other;
  std::string
      name;  ///< of a kernel, as C++ has it; "" where the runtime does not know it, as of some libraries'
  std::array<unsigned, 3> grid{}, block{};
  int64_t shared_bytes = 0;      ///< of a block, static and dynamic; where registers is 0, only dynamic
  int registers = 0;             ///< of a thread; 0: what the compiler made of it is unknown
  std::vector<int64_t> after;    ///< numbers of the nodes that it waits for
  const void* handle = nullptr;  ///< opaque cudaGraphNode_t, while the graph lives
};
/// Its nodes, every one behind those that it waits for.
std::vector<GraphNode> graph_nodes(Graph graph);
/// Waits for nothing: the graph must not be in flight.
void destroy_graph(Graph graph);

}  // namespace duel::kernels::runtime
