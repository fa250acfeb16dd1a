// cuDNN 9 for the convolutions of a GPU, through its graph API, behind one file. conv.cpp calls it once its
// arguments are checked; a user calls conv.h.
//
// Loaded by dlopen (shared_library.h; $DUEL_CUDNN names the file or its folder): nothing is linked. Plans are
// built once per shape and kept; a build during a capture steps aside of it; the workspace is the caller's.
// So every call is capturable. Engines that cuDNN calls non-deterministic are excluded, and those that
// compile at run time; where TF32 is off also those that round factors or compute other products than the
// definition's (tensor cores, FFT, Winograd). The handles belong to the device that was current at the first
// call.
//
// Arrays stay as they are, NCHW without gaps. What cuDNN 9.19 does with them on an H100 (asked without a GPU,
// cudnn_test.cpp): the tensor core engines for float take them and turn them to NHWC in the workspace, three
// times the arrays' size in all; engines without tensor cores read them directly; double has one or two
// engines per pass, none of them on tensor cores.
#pragma once

#include <string>

#include "duel/kernels/linear/conv.h"

namespace duel::kernels::cudnn {

/// Is the library there? The first call loads it; never throws.
bool ready();

/// "cuDNN 9.19.0 (path)", or "no cuDNN: why". Loads it.
std::string report();

/// Bytes of workspace of one pass; 0 also where conv() will refuse. The shape is not empty.
template <class T>
size_t workspace(const ConvShape& shape, ConvPass pass);

/// One pass without bias; first and second are its operands in the order of conv.h. False, and nothing done,
/// where cuDNN is not there, has no deterministic engine for the shape, or an array is not aligned to 16
/// bytes.
template <class T>
bool conv(Stream stream, const ConvShape& shape, ConvPass pass, const T* first, const T* second, T* out,
          void* workspace);

/// For tests and reports: how the plan of a pass came about.
struct PlanInfo {
  bool exists = false;
  int64_t engine = -1;  ///< cuDNN's index
  int64_t configurations = 0,
          refused = 0;  ///< offered; of those not deterministic, not exact enough, too large
  size_t workspace = 0;
  std::string why;  ///< where there is none
};
template <class T>
PlanInfo plan_info(const ConvShape& shape, ConvPass pass);

/// How many plans have been built.
int64_t plans();

/// Forgets the library and all plans; for tests, which then load another one. With the JSON text of a
/// device's properties (cuDNN 9.8 and later) plans are built for that device without a GPU; none of them can
/// run.
void reset(const std::string& device_properties = {});

}  // namespace duel::kernels::cudnn
