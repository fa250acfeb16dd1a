// A cuBLASLt for tests: keeps what it is told, checks it as the library would, and computes products on the
// host from column-major layouts. fake_calls() tells the test what came in. $FAKE_CUBLASLT=no_gpu: as on a
// machine without one.
#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

struct Layout {
  cudaDataType type;
  uint64_t rows, columns;
  int64_t ld;
};
struct Attributes {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cudaDataType scale = CUDA_R_32F;
  std::map<int, std::vector<unsigned char>> values;
  template <class V>
  V get(int name, V otherwise) const {
    const auto at = values.find(name);
    if (at == values.end() || at->second.size() != sizeof(V)) return otherwise;
    V out;
    std::memcpy(&out, at->second.data(), sizeof(V));
    return out;
  }
  void set(int name, const void* from, size_t bytes) {
    const auto* begin = static_cast<const unsigned char*>(from);
    values[name].assign(begin, begin + bytes);
  }
};

template <class Fake, class Handle>
Fake* real(Handle handle) {
  return reinterpret_cast<Fake*>(handle);
}

std::string calls;
constexpr uint64_t kAlgo = 0xA160;

// Ten bits of mantissa are left.
float to_tf32(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits = (bits + 0x1000) & ~0x1fffu;
  std::memcpy(&x, &bits, 4);
  return x;
}

template <class T>
void multiply(const Attributes& d, const T* a, const Layout& la, const T* b, const Layout& lb, T alpha,
              T beta, T* c, const Layout& lc) {
  const bool ta = d.get<int32_t>(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N) == CUBLAS_OP_T;
  const bool tb = d.get<int32_t>(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N) == CUBLAS_OP_T;
  const bool with_bias = d.get<uint32_t>(CUBLASLT_MATMUL_DESC_EPILOGUE, 0) == CUBLASLT_EPILOGUE_BIAS;
  const T* bias = with_bias ? d.get<const T*>(CUBLASLT_MATMUL_DESC_BIAS_POINTER, nullptr) : nullptr;
  const uint64_t k = ta ? la.rows : la.columns;
  for (uint64_t j = 0; j < lc.columns; ++j) {
    for (uint64_t i = 0; i < lc.rows; ++i) {
      double sum = 0;
      for (uint64_t p = 0; p < k; ++p) {
        T left = a[ta ? i * static_cast<uint64_t>(la.ld) + p : p * static_cast<uint64_t>(la.ld) + i];
        T right = b[tb ? p * static_cast<uint64_t>(lb.ld) + j : j * static_cast<uint64_t>(lb.ld) + p];
        if (d.compute == CUBLAS_COMPUTE_32F_FAST_TF32) {
          left = static_cast<T>(to_tf32(static_cast<float>(left)));
          right = static_cast<T>(to_tf32(static_cast<float>(right)));
        }
        sum += static_cast<double>(left) * static_cast<double>(right);
      }
      T& out = c[j * static_cast<uint64_t>(lc.ld) + i];
      double value = static_cast<double>(alpha) * sum;
      if (bias) value += static_cast<double>(bias[i]);
      if (beta != T(0)) value += static_cast<double>(beta) * static_cast<double>(out);
      out = static_cast<T>(value);
    }
  }
}

}  // namespace

extern "C" {

const char* fake_calls() { return calls.c_str(); }
void fake_forget() { calls.clear(); }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  calls += "create;";
  const char* mode = std::getenv("FAKE_CUBLASLT");
  if (mode && std::string(mode) == "no_gpu") return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = reinterpret_cast<cublasLtHandle_t>(&calls);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }
size_t cublasLtGetVersion() { return 130203; }
const char* cublasLtGetStatusName(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_INITIALIZED ? "CUBLAS_STATUS_NOT_INITIALIZED"
                                                 : "CUBLAS_STATUS_EXECUTION_FAILED";
}
const char* cublasLtGetStatusString(cublasStatus_t) { return "text of the status"; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* out, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  auto* d = new Attributes;
  d->compute = compute, d->scale = scale;
  *out = reinterpret_cast<cublasLtMatmulDesc_t>(d);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) {
  delete real<Attributes>(d);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t name,
                                              const void* from, size_t bytes) {
  real<Attributes>(d)->set(name, from, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* out, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t ld) {
  if (ld < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  *out = reinterpret_cast<cublasLtMatrixLayout_t>(new Layout{type, rows, columns, ld});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete real<Layout>(layout);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* out) {
  *out = reinterpret_cast<cublasLtMatmulPreference_t>(new Attributes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) {
  delete real<Attributes>(p);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void* from, size_t bytes) {
  real<Attributes>(p)->set(name, from, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

// No algorithm for double with a bias; a workspace of 1024 bytes from 100 terms on.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int,
                                              cublasLtMatmulHeuristicResult_t results[], int* count) {
  const Attributes &op = *real<Attributes>(desc), &wish = *real<Attributes>(preference);
  const Layout &la = *real<Layout>(a), &lb = *real<Layout>(b), &lc = *real<Layout>(c);
  const bool ta = op.get<int32_t>(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N) == CUBLAS_OP_T;
  const bool tb = op.get<int32_t>(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N) == CUBLAS_OP_T;
  const uint64_t k = ta ? la.rows : la.columns;
  calls += "choose:compute" + std::to_string(op.compute) + ",schemes" +
           std::to_string(wish.get<uint32_t>(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, 7)) + ",align" +
           std::to_string(wish.get<uint32_t>(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, 256)) + ";";
  if (c != d || (ta ? la.columns : la.rows) != lc.rows || (tb ? lb.rows : lb.columns) != lc.columns ||
      (tb ? lb.columns : lb.rows) != k) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const bool bias = op.get<uint32_t>(CUBLASLT_MATMUL_DESC_EPILOGUE, 0) == CUBLASLT_EPILOGUE_BIAS;
  if (bias && la.type == CUDA_R_64F) return CUBLAS_STATUS_NOT_SUPPORTED;
  results[0].algo.data[0] = kAlgo;
  results[0].workspaceSize = k >= 100 ? 1024 : 0;
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

// A stream handle of 0xBAD fails.
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t la, const void* b, cublasLtMatrixLayout_t lb,
                              const void* beta, const void* c, cublasLtMatrixLayout_t lc, void* d,
                              cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t* algo, void* workspace,
                              size_t bytes, cudaStream_t stream) {
  calls += "matmul:stream" + std::to_string(reinterpret_cast<uintptr_t>(stream)) + ",workspace" +
           std::to_string(bytes) + ";";
  if (c != d || algo->data[0] != kAlgo || (bytes > 0) != (workspace != nullptr))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (reinterpret_cast<uintptr_t>(stream) == 0xBAD) return CUBLAS_STATUS_EXECUTION_FAILED;
  const Attributes& op = *real<Attributes>(desc);
  const Layout &left = *real<Layout>(la), &right = *real<Layout>(lb), &out = *real<Layout>(lc);
  if (out.type == CUDA_R_64F) {
    multiply(op, static_cast<const double*>(a), left, static_cast<const double*>(b), right,
             *static_cast<const double*>(alpha), *static_cast<const double*>(beta), static_cast<double*>(d),
             out);
  } else {
    multiply(op, static_cast<const float*>(a), left, static_cast<const float*>(b), right,
             *static_cast<const float*>(alpha), *static_cast<const float*>(beta), static_cast<float*>(d),
             out);
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
#else
extern "C" int fake_without_header() { return 0; }
#endif
