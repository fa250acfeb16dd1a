// The only file that knows cuBLASLt's API.
//
// Note [Rows and columns]
// cuBLASLt counts along columns. A row-major [r, c] matrix is, byte for byte, a column-major c x r one with
// leading dimension c. So c[m, n] = op(a) op(b) is computed as its transpose, n x m = op(b)^T op(a)^T:
// cuBLASLt's first operand is our b, its second our a, and what we call transposed it calls transposed too.
// Its bias runs along the rows of the result, which are our columns.
#include "duel/kernels/linear/vendor/cublas.h"

#include "duel/kernels/base/shared_library.h"
#include "duel/kernels/linear/device_library.h"

#if __has_include(<cublasLt.h>)
#define DUEL_CUBLASLT 1
#include <cublasLt.h>
#else
#define DUEL_CUBLASLT 0
#endif

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <type_traits>

namespace duel::kernels::cublas {

#if DUEL_CUBLASLT
namespace {

// As much as NVIDIA recommends for its newest devices.
constexpr uint64_t kWorkspaceLimit = 32 << 20;
constexpr uint32_t kAlignment = 16;

struct Functions {
  decltype(&::cublasLtCreate) create;
  decltype(&::cublasLtDestroy) destroy;
  decltype(&::cublasLtGetVersion) version;
  decltype(&::cublasLtGetStatusName) status_name;
  decltype(&::cublasLtGetStatusString) status_text;
  decltype(&::cublasLtMatmul) matmul;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) choose;
  decltype(&::cublasLtMatmulDescCreate) desc_create;
  decltype(&::cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&::cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&::cublasLtMatrixLayoutCreate) layout_create;
  decltype(&::cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&::cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&::cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) preference_set;
};

struct Shape {
  bool is_double, trans_a, trans_b, bias, tf32;
  int64_t m, n, k;
  auto operator<=>(const Shape&) const = default;
};

struct Plan {
  bool exists = false;  // cuBLASLt has an algorithm
  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatrixLayout_t left = nullptr, right = nullptr, result = nullptr;
  cublasLtMatmulAlgo_t algo{};
  size_t workspace = 0;
};

class Library {
 public:
  Library() {
    library_ = open(CUBLAS_VER_MAJOR);
    // The functions used here are the same in 12 and 13, and a newer driver runs the older library.
    if (!library_.handle && CUBLAS_VER_MAJOR == 13) {
      if (SharedLibrary older = open(12); older.handle) library_ = older;
    }
    if (!library_.handle) {
      why_ = library_.why;
      return;
    }
    const bool complete =
        find(f_.create, "cublasLtCreate") && find(f_.destroy, "cublasLtDestroy") &&
        find(f_.version, "cublasLtGetVersion") && find(f_.status_name, "cublasLtGetStatusName") &&
        find(f_.status_text, "cublasLtGetStatusString") && find(f_.matmul, "cublasLtMatmul") &&
        find(f_.choose, "cublasLtMatmulAlgoGetHeuristic") &&
        find(f_.desc_create, "cublasLtMatmulDescCreate") &&
        find(f_.desc_destroy, "cublasLtMatmulDescDestroy") &&
        find(f_.desc_set, "cublasLtMatmulDescSetAttribute") &&
        find(f_.layout_create, "cublasLtMatrixLayoutCreate") &&
        find(f_.layout_destroy, "cublasLtMatrixLayoutDestroy") &&
        find(f_.preference_create, "cublasLtMatmulPreferenceCreate") &&
        find(f_.preference_destroy, "cublasLtMatmulPreferenceDestroy") &&
        find(f_.preference_set, "cublasLtMatmulPreferenceSetAttribute");
    if (!complete) return;
    const device::StepAside aside;
    if (const cublasStatus_t status = f_.create(&handle_); status != CUBLAS_STATUS_SUCCESS) {
      handle_ = nullptr;
      why_ = message("{} loaded, but cublasLtCreate failed: {} ({})", library_.path, f_.status_name(status),
                     f_.status_text(status));
    }
  }
  // Only reset() comes here: at exit the driver may be gone already, so the library lives as long as the
  // process.
  ~Library() {
    if (!handle_) return;
    for (auto& [shape, plan] : plans_) {
      f_.desc_destroy(plan.desc);
      for (const cublasLtMatrixLayout_t layout : {plan.left, plan.right, plan.result})
        f_.layout_destroy(layout);
    }
    f_.destroy(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool ready() const { return handle_ != nullptr; }
  int64_t plans() {
    const std::lock_guard lock(mutex_);
    return static_cast<int64_t>(plans_.size());
  }

  std::string report() const {
    if (!ready()) return "no cuBLASLt: " + why_;
    const size_t v = f_.version();
    const size_t unit = v >= 100000 ? 10000 : 1000;  // 130100 is 13.1.0; before version 12.0, 11000 was 11.0
    return message("cuBLASLt {}.{}.{} ({})", static_cast<int64_t>(v / unit),
                   static_cast<int64_t>(v % unit / 100), static_cast<int64_t>(v % 100), library_.path);
  }

  /// Plans do not move or change, but for the bias pointer.
  Plan& plan(const Shape& shape) {
    const std::lock_guard lock(mutex_);
    const auto [at, fresh] = plans_.try_emplace(shape);
    if (fresh) {
      const device::StepAside aside;
      try {
        make(shape, at->second);
      } catch (...) {
        plans_.erase(at);
        throw;
      }
    }
    return at->second;
  }

  template <class T>
  void run(Plan& plan, Stream stream, T alpha, const T* a, const T* b, T beta, const T* bias, T* c,
           void* workspace) {
    const std::lock_guard lock(mutex_);  // the descriptor carries the bias pointer of this call
    if (bias) {
      check(f_.desc_set(plan.desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias), "bias pointer",
            __LINE__);
    }
    check(f_.matmul(handle_, plan.desc, &alpha, b, plan.left, a, plan.right, &beta, c, plan.result, c,
                    plan.result, &plan.algo, workspace, plan.workspace,
                    static_cast<cudaStream_t>(stream.handle())),
          "cublasLtMatmul", __LINE__);
  }

 private:
  static SharedLibrary open(int major) {
    return open_library({.variable = "DUEL_CUBLAS",
                         .names = {message("libcublasLt.so.{}", major)},
                         .folders = split_folders(DUEL_CUDA_LIBRARY_FOLDERS),
                         .wheels = {message("nvidia/cu{}/lib", major), "nvidia/cublas/lib"}});
  }

  template <class F>
  bool find(F& function, const char* name) {
    function = reinterpret_cast<F>(library_.function(name));
    if (!function) why_ = message("{} has no function {}", library_.path, name);
    return function != nullptr;
  }

  void check(cublasStatus_t status, const char* call, int line) const {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    fail("cublas", "{} failed: {} ({}) at {}:{}, with {}. DUEL_DEVICE_LIBRARY=own computes without it", call,
         f_.status_name(status), f_.status_text(status), __FILE__, line, report());
  }

  // Row-major [rows, columns]: see Note [Rows and columns].
  cublasLtMatrixLayout_t layout(cudaDataType_t type, int64_t rows, int64_t columns) {
    cublasLtMatrixLayout_t out = nullptr;
    check(f_.layout_create(&out, type, static_cast<uint64_t>(columns), static_cast<uint64_t>(rows), columns),
          "cublasLtMatrixLayoutCreate", __LINE__);
    return out;
  }

  template <class V>
  void set(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, V value) {
    check(f_.desc_set(desc, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute", __LINE__);
  }
  template <class V>
  void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, V value) {
    check(f_.preference_set(preference, attribute, &value, sizeof value),
          "cublasLtMatmulPreferenceSetAttribute", __LINE__);
  }

  void make(const Shape& s, Plan& plan) {
    const cudaDataType_t type = s.is_double ? CUDA_R_64F : CUDA_R_32F;
    const cublasComputeType_t compute = s.is_double ? CUBLAS_COMPUTE_64F
                                        : s.tf32    ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                    : CUBLAS_COMPUTE_32F;
    check(f_.desc_create(&plan.desc, compute, type), "cublasLtMatmulDescCreate", __LINE__);
    set(plan.desc, CUBLASLT_MATMUL_DESC_TRANSA, int32_t{s.trans_b ? CUBLAS_OP_T : CUBLAS_OP_N});
    set(plan.desc, CUBLASLT_MATMUL_DESC_TRANSB, int32_t{s.trans_a ? CUBLAS_OP_T : CUBLAS_OP_N});
    set(plan.desc, CUBLASLT_MATMUL_DESC_EPILOGUE,
        uint32_t{s.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT});
    plan.left = s.trans_b ? layout(type, s.n, s.k) : layout(type, s.k, s.n);
    plan.right = s.trans_a ? layout(type, s.k, s.m) : layout(type, s.m, s.k);
    plan.result = layout(type, s.m, s.n);

    cublasLtMatmulPreference_t preference = nullptr;
    check(f_.preference_create(&preference), "cublasLtMatmulPreferenceCreate", __LINE__);
    const std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>, decltype(f_.preference_destroy)>
        owner(preference, f_.preference_destroy);
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceLimit);
    // Whatever scheme: in place partial sums take turns (cublas.h).
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_MASK});
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      set(preference, attribute, kAlignment);
    }
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    const cublasStatus_t status = f_.choose(handle_, plan.desc, plan.left, plan.right, plan.result,
                                            plan.result, preference, 1, &found, &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return;
    check(status, "cublasLtMatmulAlgoGetHeuristic", __LINE__);
    if (count == 0 || found.state != CUBLAS_STATUS_SUCCESS) return;
    plan.algo = found.algo;
    plan.workspace = found.workspaceSize;
    plan.exists = true;
  }

  SharedLibrary library_;
  Functions f_{};
  cublasLtHandle_t handle_ = nullptr;
  std::string why_;
  std::mutex mutex_;
  std::map<Shape, Plan> plans_;
};

std::mutex library_mutex;
Library* library_once = nullptr;

Library& library() {
  const std::lock_guard lock(library_mutex);
  if (!library_once) library_once = new Library;
  return *library_once;
}

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % kAlignment == 0; }

template <class T>
Shape shape_of(bool trans_a, bool trans_b, bool bias, int64_t m, int64_t n, int64_t k) {
  constexpr bool is_double = std::is_same_v<T, double>;
  return {is_double, trans_a, trans_b, bias, !is_double && tf32(), m, n, k};
}

}  // namespace

bool ready() { return library().ready(); }
std::string report() { return library().report(); }
int64_t plans() { return library().plans(); }
void reset() {
  const std::lock_guard lock(library_mutex);
  delete library_once;
  library_once = nullptr;
}

template <class T>
size_t workspace(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k) {
  Library& lt = library();
  if (!lt.ready()) return 0;
  const size_t plain = lt.plan(shape_of<T>(trans_a, trans_b, false, m, n, k)).workspace;
  const size_t biased = lt.plan(shape_of<T>(trans_a, trans_b, true, m, n, k)).workspace;
  return plain > biased ? plain : biased;
}

template <class T>
bool gemm(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          const T* b, T beta, const T* bias, T* c, void* space) {
  Library& lt = library();
  if (!lt.ready() || !aligned(a) || !aligned(b) || !aligned(bias) || !aligned(c)) return false;
  Plan& plan = lt.plan(shape_of<T>(trans_a, trans_b, bias != nullptr, m, n, k));
  if (!plan.exists) return false;
  DUEL_CHECK(plan.workspace == 0 || space != nullptr, "gemm",
             "expected a workspace of {} bytes, got a null pointer", plan.workspace);
  lt.run(plan, stream, alpha, a, b, beta, bias, c, space);
  return true;
}

#else

bool ready() { return false; }
std::string report() { return "no cuBLASLt: built without its header cublasLt.h"; }
int64_t plans() { return 0; }
void reset() {}
template <class T>
size_t workspace(bool, bool, int64_t, int64_t, int64_t) {
  return 0;
}
template <class T>
bool gemm(Stream, bool, bool, int64_t, int64_t, int64_t, T, const T*, const T*, T, const T*, T*, void*) {
  return false;
}

#endif

#define DUEL_INSTANTIATE(T)                                                                                \
  template size_t workspace<T>(bool, bool, int64_t, int64_t, int64_t);                                     \
  template bool gemm<T>(Stream, bool, bool, int64_t, int64_t, int64_t, T, const T*, const T*, T, const T*, \
                        T*, void*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels::cublas
