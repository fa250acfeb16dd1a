// cuBLASLt for the matrix products of a GPU, behind one file. gemm.cpp calls it once its arguments are
// checked; a user calls gemm.h.
//
// Loaded by dlopen (shared_library.h; $DUEL_CUBLAS names the file or its folder): nothing is linked. Every
// call is capturable: the workspace is the caller's, algorithms are chosen once per shape and kept, a choice
// during a capture steps aside of it. Algorithms that add partial sums in place take turns by counters
// ("to guarantee the sequentiality", cublasLt.h) and are allowed; that bits are then the same on every run no GPU has shown yet:
// parts twice and resume of tests/gpu.sh. It is the
// heuristic's first algorithm, not the fastest of several that are timed: times would choose another one in another run, and a resumed run
// would not be the uninterrupted one bit for bit. The handle belongs to the device that was current at the first call.
#pragma once

#include <string>

#include "duel/kernels/base/platform.h"

namespace duel::kernels::cublas {

/// Is the library there? The first call loads it; never throws.
bool ready();

/// "cuBLASLt 13.1.0 (path)", or "no cuBLASLt: why". Loads it.
std::string report();

/// Bytes of workspace for gemm() of this shape, with a bias and without; 0 also where gemm() will refuse.
template <class T>
size_t workspace(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k);

/// As kernels::gemm() with a bias along n (may be null). m, n and k are at least 1. False, and nothing done,
/// where cuBLASLt is not there, has no algorithm, or an array is not aligned to 16 bytes.
template <class T>
bool gemm(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          const T* b, T beta, const T* bias, T* c, void* workspace);

/// How many shapes have been planned.
int64_t plans();

/// Forgets the library and all plans; for tests, which then load another one.
void reset();

}  // namespace duel::kernels::cublas
