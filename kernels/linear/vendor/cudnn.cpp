// The only file that knows cuDNN's API.
#include "duel/kernels/linear/vendor/cudnn.h"

#include "duel/kernels/base/shared_library.h"
#include "duel/kernels/linear/device_library.h"

#if __has_include(<cudnn_graph.h>)
#include <cudnn_graph.h>
#endif
#if defined(CUDNN_VERSION) && \
    CUDNN_VERSION >= 90800  // since when a device is described to it by its properties
#define DUEL_CUDNN 1
#else
#define DUEL_CUDNN 0
#endif

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace duel::kernels::cudnn {

#if DUEL_CUDNN
namespace {

constexpr int64_t kAlignment = 16;
constexpr int64_t kWorkspaceLimit = int64_t{512} << 20;

struct Functions {
  decltype(&::cudnnGetVersion) version;
  decltype(&::cudnnGetErrorString) status_text;
  decltype(&::cudnnGetLastErrorString) last_error;
  decltype(&::cudnnCreate) create_handle;
  decltype(&::cudnnSetStream) set_stream;
  decltype(&::cudnnBackendCreateDescriptor) create;
  decltype(&::cudnnBackendDestroyDescriptor) destroy;
  decltype(&::cudnnBackendFinalize) finalize;
  decltype(&::cudnnBackendSetAttribute) set;
  decltype(&::cudnnBackendGetAttribute) get;
  decltype(&::cudnnBackendExecute) execute;
};

/// cuDNN says that it cannot do this: no error, own kernels do it.
struct NotSupported {
  std::string why;
};

struct Shape {
  bool is_double, tf32;
  ConvPass pass;
  std::array<int64_t, 16> sizes;
  auto operator<=>(const Shape&) const = default;
};

struct Plan {
  PlanInfo info;
  std::vector<std::shared_ptr<void>> keep;  // every descriptor that the plan was made from
  cudnnBackendDescriptor_t plan = nullptr;
};

// The three passes differ in names only.
struct PassNames {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, conv, x, w, y;
};
PassNames names_of(ConvPass pass) {
  switch (pass) {
    case ConvPass::kForward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
    case ConvPass::kInputGrad:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
    case ConvPass::kWeightGrad:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
}

enum TensorId : int64_t { kX = 1, kW = 2, kY = 3 };

class Library {
 public:
  explicit Library(std::string device) : device_(std::move(device)) {
    library_ = open_library({.variable = "DUEL_CUDNN",
                             .names = {"libcudnn.so." + std::to_string(CUDNN_MAJOR)},
                             .folders = split_folders(DUEL_CUDNN_LIBRARY_FOLDERS),
                             .wheels = {"nvidia/cudnn/lib"}});
    if (!library_.handle) {
      why_ = library_.why;
      return;
    }
    complete_ = find(f_.version, "cudnnGetVersion") && find(f_.status_text, "cudnnGetErrorString") &&
                find(f_.last_error, "cudnnGetLastErrorString") && find(f_.create_handle, "cudnnCreate") &&
                find(f_.set_stream, "cudnnSetStream") && find(f_.create, "cudnnBackendCreateDescriptor") &&
                find(f_.destroy, "cudnnBackendDestroyDescriptor") &&
                find(f_.finalize, "cudnnBackendFinalize") && find(f_.set, "cudnnBackendSetAttribute") &&
                find(f_.get, "cudnnBackendGetAttribute") && find(f_.execute, "cudnnBackendExecute");
    if (!complete_) return;
    if (!device_.empty()) {
      try {
        read_device();
        ready_ = true;
      } catch (const Error& error) {
        why_ = error.what();
      } catch (const NotSupported& refusal) {
        why_ = refusal.why;
      }
      return;
    }
    // The first handle: is there a GPU?
    const device::StepAside aside;
    cudnnHandle_t handle = nullptr;
    const cudnnStatus_t status = f_.create_handle(&handle);
    if (status != CUDNN_STATUS_SUCCESS) {
      why_ = message("{} loaded, but cudnnCreate failed: {}", library_.path, f_.status_text(status));
      return;
    }
    handles_.push_back({handle, nullptr});
    ready_ = true;
  }

  bool ready() const { return ready_; }
  int64_t plans() {
    const std::lock_guard lock(plans_mutex_);
    return static_cast<int64_t>(plans_.size());
  }

  std::string report() const {
    if (!ready_) return "no cuDNN: " + why_;
    return version();
  }

  const Plan& plan(const Shape& shape, const ConvShape& s) {
    const std::lock_guard lock(plans_mutex_);
    const auto [at, fresh] = plans_.try_emplace(shape);
    if (!fresh) return at->second;
    const device::StepAside aside;
    try {
      make(shape, s, at->second);
    } catch (const NotSupported& refusal) {
      at->second.info.why = refusal.why;
    } catch (...) {
      plans_.erase(at);
      throw;
    }
    return at->second;
  }

  void run(const Plan& plan, Stream stream, void* x, void* w, void* y, void* workspace) {
    try {
      execute(plan, stream, x, w, y, workspace);
    } catch (const NotSupported& refusal) {  // a plan that exists has to run
      fail("cudnn", "{}, with {}. DUEL_DEVICE_LIBRARY=own computes without it", refusal.why, version());
    }
  }

 private:
  void execute(const Plan& plan, Stream stream, void* x, void* w, void* y, void* workspace) {
    int64_t ids[3] = {kX, kW, kY};
    void* pointers[3] = {x, w, y};
    std::vector<std::shared_ptr<void>> keep;
    const auto pack = make_descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, keep);
    set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, ids);
    set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, pointers);
    set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    finish(pack, "cudnnBackendFinalize(variant pack)");
    const Taken taken = take(stream.handle());
    const cudnnStatus_t status = f_.execute(taken.handle, plan.plan, pack);
    give(taken);
    check(status, "cudnnBackendExecute", __LINE__);
  }

  // Note [Handles]
  // A handle serves one thread at a time and remembers its stream, so every stream gets one of its own (up to
  // a limit): branches of a captured graph share nothing. They are kept as long as the process lives: at exit
  // the driver may be gone already.
  static constexpr int kMostHandles = 64;
  struct Taken {
    cudnnHandle_t handle;
    void* stream;
  };

  Taken take(void* stream) {
    Taken out{nullptr, stream};
    bool same = false;
    {
      const std::lock_guard lock(handles_mutex_);
      const auto on = [&](void* other) {
        return std::find_if(handles_.begin(), handles_.end(),
                            [other](const Taken& t) { return t.stream == other; });
      };
      auto best = on(stream);
      same = best != handles_.end();
      if (!same) best = on(nullptr);
      if (best == handles_.end() && made_ >= kMostHandles && !handles_.empty()) best = handles_.begin();
      if (best != handles_.end()) {
        out.handle = best->handle;
        handles_.erase(best);
      } else {
        ++made_;
      }
    }
    const device::StepAside aside;
    if (!out.handle) check(f_.create_handle(&out.handle), "cudnnCreate", __LINE__);
    if (!same)
      check(f_.set_stream(out.handle, static_cast<cudaStream_t>(stream)), "cudnnSetStream", __LINE__);
    return out;
  }
  void give(const Taken& taken) {
    const std::lock_guard lock(handles_mutex_);
    handles_.push_back(taken);
  }

  template <class F>
  bool find(F& function, const char* name) {
    function = reinterpret_cast<F>(library_.function(name));
    if (!function) why_ = message("{} has no function {}", library_.path, name);
    return function != nullptr;
  }

  std::string version() const {
    const size_t v = f_.version();  // 91900 is 9.19.0
    return message("cuDNN {}.{}.{} ({})", static_cast<int64_t>(v / 10000),
                   static_cast<int64_t>(v % 10000 / 100), static_cast<int64_t>(v % 100), library_.path);
  }

  // Statuses in the 3000s say "not supported".
  void check(cudnnStatus_t status, const char* call, int line) const {
    if (status == CUDNN_STATUS_SUCCESS) return;
    char detail[512] = {};
    f_.last_error(detail, sizeof detail);
    if (status / 1000 == CUDNN_STATUS_NOT_SUPPORTED / 1000) {
      throw NotSupported{message("{}: {} {}", call, f_.status_text(status), detail)};
    }
    fail("cudnn", "{} failed: {} ({}) {} at {}:{}, with {}. DUEL_DEVICE_LIBRARY=own computes without it",
         call, f_.status_text(status), static_cast<int64_t>(status), detail, __FILE__, line, version());
  }

  cudnnBackendDescriptor_t make_descriptor(cudnnBackendDescriptorType_t type,
                                           std::vector<std::shared_ptr<void>>& keep) const {
    cudnnBackendDescriptor_t out = nullptr;
    check(f_.create(type, &out), "cudnnBackendCreateDescriptor", __LINE__);
    keep.emplace_back(out, [destroy = f_.destroy](void* d) { destroy(d); });
    return out;
  }
  void set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
           int64_t count, const void* values) const {
    check(f_.set(d, name, type, count, values), "cudnnBackendSetAttribute", __LINE__);
  }
  template <class V>
  void set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
           V value) const {
    set(d, name, type, 1, &value);
  }
  void finish(cudnnBackendDescriptor_t d, const char* call) const { check(f_.finalize(d), call, __LINE__); }

  void read_device() {
    device_properties_ = make_descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, device_keep_);
    set(device_properties_, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
        static_cast<int64_t>(device_.size()), device_.data());
    finish(device_properties_, "cudnnBackendFinalize(device properties)");
  }

  cudnnBackendDescriptor_t tensor(TensorId id, cudnnDataType_t type, std::array<int64_t, 4> sizes,
                                  Plan& plan) const {
    const int64_t strides[4] = {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3], sizes[3], 1};
    const auto d = make_descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR, plan.keep);
    set(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type);
    set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, sizes.data());
    set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, int64_t{id});
    set(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, kAlignment);
    finish(d, "cudnnBackendFinalize(tensor)");
    return d;
  }

  cudnnBackendDescriptor_t graph(const Shape& shape, const ConvShape& s, Plan& plan) {
    const cudnnDataType_t type = shape.is_double ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
    const auto conv = make_descriptor(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, plan.keep);
    const int64_t dilations[2] = {s.dilation_h, s.dilation_w}, strides[2] = {s.stride_h, s.stride_w},
                  pads[2] = {s.pad_h, s.pad_w};
    set(conv, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, type);
    set(conv, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
    set(conv, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{2});
    set(conv, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilations);
    set(conv, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, strides);
    set(conv, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    set(conv, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    finish(conv, "cudnnBackendFinalize(convolution)");

    // The channels of x by those of w are the groups.
    const auto x = tensor(kX, type, {s.n, s.c_in, s.h_in, s.w_in}, plan);
    const auto w = tensor(kW, type, {s.c_out, s.group_in(), s.kh, s.kw}, plan);
    const auto y = tensor(kY, type, {s.n, s.c_out, s.h_out, s.w_out}, plan);
    const PassNames names = names_of(shape.pass);
    const auto op = make_descriptor(names.type, plan.keep);
    if (shape.is_double) {
      set(op, names.alpha, CUDNN_TYPE_DOUBLE, 1.0);
      set(op, names.beta, CUDNN_TYPE_DOUBLE, 0.0);
    } else {
      set(op, names.alpha, CUDNN_TYPE_FLOAT, 1.0f);
      set(op, names.beta, CUDNN_TYPE_FLOAT, 0.0f);
    }
    set(op, names.conv, CUDNN_TYPE_BACKEND_DESCRIPTOR, conv);
    set(op, names.x, CUDNN_TYPE_BACKEND_DESCRIPTOR, x);
    set(op, names.w, CUDNN_TYPE_BACKEND_DESCRIPTOR, w);
    set(op, names.y, CUDNN_TYPE_BACKEND_DESCRIPTOR, y);
    finish(op, "cudnnBackendFinalize(operation)");

    const auto out = make_descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, plan.keep);
    set(out, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, op);
    // Newer versions call this attribute obsolete, older ones (9.0 to 9.7) need it.
    constexpr auto handle_name = static_cast<cudnnBackendAttributeName_t>(800);  // OPERATIONGRAPH_HANDLE
    if (!device_properties_) set(out, handle_name, CUDNN_TYPE_HANDLE, handle_for_plans());
    finish(out, "cudnnBackendFinalize(operation graph)");
    return out;
  }

  // Plans are built one at a time, by a handle of their own.
  cudnnHandle_t handle_for_plans() {
    if (!plan_handle_) check(f_.create_handle(&plan_handle_), "cudnnCreate", __LINE__);
    return plan_handle_;
  }

  std::vector<cudnnBackendDescriptor_t> configurations(cudnnBackendDescriptor_t graph,
                                                       cudnnBackendHeurMode_t mode, Plan& plan) const {
    const auto heuristics = make_descriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, plan.keep);
    set(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, graph);
    set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
    if (device_properties_) {
      set(heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, device_properties_);
    }
    finish(heuristics, "cudnnBackendFinalize(heuristics)");
    int64_t count = 0;
    check(
        f_.get(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
        "cudnnBackendGetAttribute(number of configurations)", __LINE__);
    std::vector<cudnnBackendDescriptor_t> out;
    for (int64_t i = 0; i < count; ++i)
      out.push_back(make_descriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, plan.keep));
    int64_t given = 0;
    check(f_.get(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &given,
                 out.data()),
          "cudnnBackendGetAttribute(configurations)", __LINE__);
    out.resize(static_cast<size_t>(given));
    return out;
  }

  /// Deterministic, ready to run, and exact enough.
  bool acceptable(const Shape& shape, cudnnBackendDescriptor_t configuration, int64_t& index,
                  Plan& plan) const {
    cudnnBackendDescriptor_t engine = make_descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, plan.keep);
    int64_t count = 0;
    check(
        f_.get(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &engine),
        "cudnnBackendGetAttribute(engine)", __LINE__);
    check(f_.get(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count, &index),
          "cudnnBackendGetAttribute(engine index)", __LINE__);
    std::array<cudnnBackendNumericalNote_t, 64> notes;
    check(f_.get(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                 static_cast<int64_t>(notes.size()), &count, notes.data()),
          "cudnnBackendGetAttribute(numerical notes)", __LINE__);
    for (int64_t i = 0; i < count; ++i) {
      switch (notes[static_cast<size_t>(i)]) {
        case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
          return false;
        case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:  // for double they are exact
          if (!shape.is_double && !shape.tf32) return false;
          break;
        case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP:
          break;
        default:  // rounded inputs, reduced precision, FFT, Winograd
          if (!shape.tf32) return false;
      }
    }
    std::array<cudnnBackendBehaviorNote_t, 64> behaviour;
    check(f_.get(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                 static_cast<int64_t>(behaviour.size()), &count, behaviour.data()),
          "cudnnBackendGetAttribute(behaviour notes)", __LINE__);
    for (int64_t i = 0; i < count; ++i) {
      if (behaviour[static_cast<size_t>(i)] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) return false;
    }
    return true;
  }

  /// The first acceptable configuration that becomes a plan.
  void make(const Shape& shape, const ConvShape& s, Plan& plan) {
    const auto operations = graph(shape, s, plan);
    std::string last = "cuDNN offers no engine";
    for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
      std::vector<cudnnBackendDescriptor_t> offered;
      try {
        offered = configurations(operations, mode, plan);
      } catch (const NotSupported& refusal) {
        last = refusal.why;
      }
      for (const auto configuration : offered) {
        ++plan.info.configurations;
        try {
          if (acceptable(shape, configuration, plan.info.engine, plan) && try_plan(configuration, plan))
            return;
          last = "no engine is deterministic and exact enough";
        } catch (const NotSupported& refusal) {
          last = refusal.why;
        }
        ++plan.info.refused;
      }
    }
    throw NotSupported{last};
  }

  bool try_plan(cudnnBackendDescriptor_t configuration, Plan& plan) {
    const auto d = make_descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, plan.keep);
    set(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, configuration);
    if (device_properties_) {
      set(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, device_properties_);
    } else {
      constexpr auto handle_name = static_cast<cudnnBackendAttributeName_t>(400);  // EXECUTION_PLAN_HANDLE
      set(d, handle_name, CUDNN_TYPE_HANDLE, handle_for_plans());
    }
    finish(d, "cudnnBackendFinalize(execution plan)");
    int64_t bytes = 0, count = 0;
    check(f_.get(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count, &bytes),
          "cudnnBackendGetAttribute(workspace)", __LINE__);
    if (bytes > kWorkspaceLimit) return false;
    plan.plan = d;
    plan.info.workspace = static_cast<size_t>(bytes);
    plan.info.exists = true;
    return true;
  }

  std::string device_;  // JSON; empty: the GPU
  SharedLibrary library_;
  Functions f_{};
  bool complete_ = false, ready_ = false;
  std::string why_;
  std::vector<std::shared_ptr<void>> device_keep_;
  cudnnBackendDescriptor_t device_properties_ = nullptr;
  std::mutex handles_mutex_, plans_mutex_;
  std::vector<Taken> handles_;  // the idle ones
  int made_ = 1;
  cudnnHandle_t plan_handle_ = nullptr;
  std::map<Shape, Plan> plans_;
};

std::mutex library_mutex;
Library* library_once = nullptr;  // not destroyed at exit: see Note [Handles]
std::string device_for_tests;

Library& library() {
  const std::lock_guard lock(library_mutex);
  if (!library_once) library_once = new Library(device_for_tests);
  return *library_once;
}

template <class T>
const Plan& plan_of(Library& dnn, const ConvShape& s, ConvPass pass) {
  constexpr bool is_double = std::is_same_v<T, double>;
  return dnn.plan({is_double,
                   !is_double && tf32(),
                   pass,
                   {s.n, s.c_in, s.h_in, s.w_in, s.c_out, s.h_out, s.w_out, s.kh, s.kw, s.stride_h,
                    s.stride_w, s.pad_h, s.pad_w, s.groups, s.dilation_h, s.dilation_w}},
                  s);
}

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % kAlignment == 0; }

}  // namespace

bool ready() { return library().ready(); }
std::string report() { return library().report(); }
int64_t plans() { return library().plans(); }
void reset(const std::string& device_properties) {
  const std::lock_guard lock(library_mutex);
  delete library_once;
  library_once = nullptr;
  device_for_tests = device_properties;
}

template <class T>
size_t workspace(const ConvShape& s, ConvPass pass) {
  Library& dnn = library();
  return dnn.ready() ? plan_of<T>(dnn, s, pass).info.workspace : 0;
}

template <class T>
PlanInfo plan_info(const ConvShape& s, ConvPass pass) {
  Library& dnn = library();
  if (!dnn.ready()) return {.why = dnn.report()};
  return plan_of<T>(dnn, s, pass).info;
}

template <class T>
bool conv(Stream stream, const ConvShape& s, ConvPass pass, const T* first, const T* second, T* out,
          void* space) {
  Library& dnn = library();
  if (!dnn.ready() || !aligned(first) || !aligned(second) || !aligned(out)) return false;
  const Plan& plan = plan_of<T>(dnn, s, pass);
  if (!plan.info.exists) return false;
  DUEL_CHECK(plan.info.workspace == 0 || space != nullptr, "conv2d",
             "expected a workspace of {} bytes, got a null pointer", plan.info.workspace);
  // cuDNN takes no const; it only writes the result.
  const auto in = [](const T* p) { return static_cast<void*>(const_cast<T*>(p)); };
  switch (pass) {
    case ConvPass::kForward:
      dnn.run(plan, stream, in(first), in(second), out, space);
      break;
    case ConvPass::kInputGrad:
      dnn.run(plan, stream, out, in(second), in(first), space);
      break;
    case ConvPass::kWeightGrad:
      dnn.run(plan, stream, in(first), out, in(second), space);
      break;
  }
  return true;
}

#else

bool ready() { return false; }
std::string report() { return "no cuDNN: built without its header cudnn_graph.h of version 9.8 or later"; }
int64_t plans() { return 0; }
void reset(const std::string&) {}
template <class T>
size_t workspace(const ConvShape&, ConvPass) {
  return 0;
}
template <class T>
PlanInfo plan_info(const ConvShape&, ConvPass) {
  return {.why = report()};
}
template <class T>
bool conv(Stream, const ConvShape&, ConvPass, const T*, const T*, T*, void*) {
  return false;
}

#endif

#define DUEL_INSTANTIATE(T)                                   \
  template size_t workspace<T>(const ConvShape&, ConvPass);   \
  template PlanInfo plan_info<T>(const ConvShape&, ConvPass); \
  template bool conv<T>(Stream, const ConvShape&, ConvPass, const T*, const T*, T*, void*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels::cudnn
