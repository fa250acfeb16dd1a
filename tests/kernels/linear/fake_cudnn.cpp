// A cuDNN for tests: keeps the attributes of every descriptor, offers engines good and bad, and computes
// convolutions on the host from the tensors' sizes and strides. fake_calls() tells the test what came in.
//
// Input channels choose the behaviour: 13 is not supported, 14 a bad parameter, 15 has no deterministic
// engine.
#if __has_include(<cudnn_graph.h>)
#include <cudnn_graph.h>
#endif
#if defined(CUDNN_VERSION) && CUDNN_VERSION >= 90800  // as cudnn.cpp asks for

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

struct Descriptor {
  cudnnBackendDescriptorType_t type{};
  std::map<int, std::vector<unsigned char>> values;
  int64_t engine = 0, workspace = 0;
  bool finished = false, fails = false;
  template <class V>
  std::vector<V> list(int name) const {
    const auto at = values.find(name);
    if (at == values.end()) return {};
    std::vector<V> out(at->second.size() / sizeof(V));
    std::memcpy(out.data(), at->second.data(), at->second.size());
    return out;
  }
  template <class V>
  V one(int name) const {
    const auto all = list<V>(name);
    return all.empty() ? V{} : all[0];
  }
};

Descriptor& real(cudnnBackendDescriptor_t d) { return *static_cast<Descriptor*>(d); }
const Descriptor& child(const Descriptor& d, int name) { return real(d.one<cudnnBackendDescriptor_t>(name)); }

struct Engine {
  int64_t index, workspace;
  bool plan_fails;
  std::vector<cudnnBackendNumericalNote_t> notes;
  std::vector<cudnnBackendBehaviorNote_t> behaviour;
};
const std::vector<Engine> kEngines = {
    {11, 0, false, {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, {}},
    {12, 0, true, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, {}},
    {14, 0, false, {}, {CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION}},
    {17, int64_t{1} << 40, false, {}, {}},
    {13, 4096, false, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, {}},
    {15, 0, false, {CUDNN_NUMERICAL_NOTE_WINOGRAD}, {}},
    {16, 256, false, {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP}, {}},
};
const Engine& engine(int64_t index) {
  for (const Engine& e : kEngines) {
    if (e.index == index) return e;
  }
  return kEngines[0];
}

std::string calls;
int handles = 0;

int64_t channels_of(const Descriptor& graph) {
  const Descriptor& op = child(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
  for (const int x : {704, 710, 716}) {  // x or dx of the three operations
    if (op.values.count(x)) return child(op, x).list<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS)[1];
  }
  return 0;
}

template <class T>
void convolve(const Descriptor& op, T* x, T* w, T* y) {
  const int pass = op.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR         ? 0
                   : op.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? 1
                                                                                             : 2;
  const int x_name[3] = {704, 710, 716}, w_name[3] = {703, 709, 715}, y_name[3] = {705, 711, 717},
            c_name[3] = {702, 708, 714};
  const auto sizes = [&](int name) { return child(op, name).list<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS); };
  const auto steps = [&](int name) { return child(op, name).list<int64_t>(CUDNN_ATTR_TENSOR_STRIDES); };
  const auto xs = sizes(x_name[pass]), ws = sizes(w_name[pass]), ys = sizes(y_name[pass]);
  const auto xt = steps(x_name[pass]), wt = steps(w_name[pass]), yt = steps(y_name[pass]);
  const Descriptor& conv = child(op, c_name[pass]);
  const auto stride = conv.list<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  const auto pad = conv.list<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  const auto dilation = conv.list<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS);
  const int64_t groups = xs[1] / ws[1];
  const auto at = [](const std::vector<int64_t>& t, int64_t a, int64_t b, int64_t c, int64_t d) {
    return a * t[0] + b * t[1] + c * t[2] + d * t[3];
  };
  const auto& result = pass == 0 ? ys : pass == 1 ? xs : ws;
  T* out = pass == 0 ? y : pass == 1 ? x : w;
  for (int64_t i = 0; i < result[0] * result[1] * result[2] * result[3]; ++i) out[i] = 0;
  for (int64_t n = 0; n < ys[0]; ++n)
    for (int64_t co = 0; co < ys[1]; ++co)
      for (int64_t p = 0; p < ys[2]; ++p)
        for (int64_t q = 0; q < ys[3]; ++q)
          for (int64_t ci = 0; ci < ws[1]; ++ci)
            for (int64_t i = 0; i < ws[2]; ++i)
              for (int64_t j = 0; j < ws[3]; ++j) {
                const int64_t r = p * stride[0] - pad[0] + i * dilation[0],
                              c = q * stride[1] - pad[1] + j * dilation[1];
                const int64_t channel = co / (ys[1] / groups) * ws[1] + ci;
                if (r < 0 || c < 0 || r >= xs[2] || c >= xs[3]) continue;
                T &xv = x[at(xt, n, channel, r, c)], &wv = w[at(wt, co, ci, i, j)],
                  &yv = y[at(yt, n, co, p, q)];
                if (pass == 0) yv += xv * wv;
                if (pass == 1) xv += yv * wv;
                if (pass == 2) wv += yv * xv;
              }
}

}  // namespace

extern "C" {

const char* fake_calls() { return calls.c_str(); }
void fake_forget() { calls.clear(); }

size_t cudnnGetVersion() { return 91904; }
const char* cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_NOT_INITIALIZED ? "CUDNN_STATUS_NOT_INITIALIZED" : "CUDNN_STATUS_X";
}
void cudnnGetLastErrorString(char* text, size_t size) {
  std::strncpy(text, "the library's reason", size - 1);
}
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  const char* mode = std::getenv("FAKE_CUDNN");
  if (mode && std::string(mode) == "no_gpu") return CUDNN_STATUS_NOT_INITIALIZED;
  calls += "handle;";
  *handle = reinterpret_cast<cudnnHandle_t>(static_cast<uintptr_t>(++handles));
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t stream) {
  calls += "stream" + std::to_string(reinterpret_cast<uintptr_t>(stream)) + ";";
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* out) {
  auto* d = new Descriptor;
  d->type = type;
  *out = d;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t d) {
  delete &real(d);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void* from) {
  if (real(d).finished) return CUDNN_STATUS_BAD_PARAM;
  const size_t size = type == CUDNN_TYPE_FLOAT || type == CUDNN_TYPE_DATA_TYPE ||
                              type == CUDNN_TYPE_CONVOLUTION_MODE || type == CUDNN_TYPE_HEUR_MODE
                          ? 4
                          : 8;
  const auto* begin = static_cast<const unsigned char*>(from);
  real(d).values[name].assign(begin, begin + size * static_cast<size_t>(count));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t raw) {
  Descriptor& d = real(raw);
  if (d.finished) return CUDNN_STATUS_BAD_PARAM;
  d.finished = true;
  if (d.type == CUDNN_BACKEND_TENSOR_DESCRIPTOR && d.one<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT) != 16) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  if (d.type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    if (!d.values.count(800)) return CUDNN_STATUS_BAD_PARAM;  // the handle
    calls += "graph;";
    if (channels_of(d) == 13) return CUDNN_STATUS_NOT_SUPPORTED;
    if (channels_of(d) == 14) return CUDNN_STATUS_BAD_PARAM;
  }
  if (d.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    const Descriptor& configuration = child(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    d.engine = configuration.engine;
    calls += "plan" + std::to_string(d.engine) + ";";
    if (engine(d.engine).plan_fails) return CUDNN_STATUS_NOT_SUPPORTED;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const raw, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, int64_t wanted, int64_t* count,
                                       void* to) {
  Descriptor& d = real(raw);
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS) {
    const Descriptor& graph = child(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    const bool fallback = d.one<int32_t>(CUDNN_ATTR_ENGINEHEUR_MODE) == CUDNN_HEUR_MODE_FALLBACK;
    const size_t offered = fallback || channels_of(graph) == 15 ? 1 : kEngines.size();
    *count = static_cast<int64_t>(offered);
    for (int64_t i = 0; i < wanted && i < *count; ++i) {
      Descriptor& configuration = real(static_cast<cudnnBackendDescriptor_t*>(to)[i]);
      configuration.engine = kEngines[static_cast<size_t>(i)].index;
      configuration.values[-1].resize(sizeof(void*));
      const cudnnBackendDescriptor_t handle =
          d.one<cudnnBackendDescriptor_t>(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
      std::memcpy(configuration.values[-1].data(), &handle, sizeof(void*));
    }
  } else if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
    real(*static_cast<cudnnBackendDescriptor_t*>(to)).engine = d.engine;
  } else if (name == CUDNN_ATTR_ENGINE_GLOBAL_INDEX) {
    *static_cast<int64_t*>(to) = d.engine;
  } else if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE) {
    const auto& notes = engine(d.engine).notes;
    *count = static_cast<int64_t>(notes.size());
    std::memcpy(to, notes.data(), notes.size() * sizeof(notes[0]));
  } else if (name == CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE) {
    const auto& notes = engine(d.engine).behaviour;
    *count = static_cast<int64_t>(notes.size());
    std::memcpy(to, notes.data(), notes.size() * sizeof(notes[0]));
  } else if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
    *static_cast<int64_t*>(to) = engine(d.engine).workspace;
  } else {
    return CUDNN_STATUS_BAD_PARAM;
  }
  return CUDNN_STATUS_SUCCESS;
}

// A workspace pointer of 0xBAD0 fails.
cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  const Descriptor &p = real(plan), &v = real(pack);
  if (!handle || !p.finished || !v.finished) return CUDNN_STATUS_BAD_PARAM;
  calls += "execute" + std::to_string(p.engine) + ";";
  void* workspace = v.one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (engine(p.engine).workspace > 0 && !workspace) return CUDNN_STATUS_BAD_PARAM;
  if (reinterpret_cast<uintptr_t>(workspace) == 0xBAD0) return CUDNN_STATUS_EXECUTION_FAILED;
  void *x = nullptr, *w = nullptr, *y = nullptr;
  const auto ids = v.list<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto pointers = v.list<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  const Descriptor& graph = child(child(p, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG), -1);
  const Descriptor& op = child(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
  for (size_t i = 0; i < ids.size(); ++i) {
    for (const int name : {704, 710, 716}) {
      if (op.values.count(name) && child(op, name).one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID) == ids[i])
        x = pointers[i];
    }
    for (const int name : {703, 709, 715}) {
      if (op.values.count(name) && child(op, name).one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID) == ids[i])
        w = pointers[i];
    }
    for (const int name : {705, 711, 717}) {
      if (op.values.count(name) && child(op, name).one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID) == ids[i])
        y = pointers[i];
    }
  }
  if (!x || !w || !y) return CUDNN_STATUS_BAD_PARAM;
  const int some_tensor = op.values.count(704) ? 704 : op.values.count(710) ? 710 : 716;
  if (child(op, some_tensor).one<int32_t>(CUDNN_ATTR_TENSOR_DATA_TYPE) == CUDNN_DATA_DOUBLE) {
    convolve(op, static_cast<double*>(x), static_cast<double*>(w), static_cast<double*>(y));
  } else {
    convolve(op, static_cast<float*>(x), static_cast<float*>(w), static_cast<float*>(y));
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
#else
extern "C" int fake_without_header() { return 0; }
#endif
