// oneDNN as the second host library for matrix products and convolutions of floats.
//
// The own kernels (kernels/linear/host/tile.h) are the default; $DUEL_HOST_LIBRARY=onednn or
// set_host_library() selects oneDNN. gemm.h and conv.h then answer through it, with the same promises: the
// same bits for any number of threads, arguments checked, padding and empty sizes alike. Own kernels stay in
// charge of doubles, of products without terms, of convolutions with one input or one output channel (oneDNN
// is 10 to 20 times slower there in one direction), of groups and dilation, and of a shape that oneDNN refuses or knows no optimised
// code for. oneDNN picks its code by shape: a row of a product may round differently alone than among others.
//
// A build may have no oneDNN (DUEL_ONEDNN, cmake/DuelOneDNN.cmake): then asking for it is an error.
//
// Example: set_host_library(HostLibrary::onednn);  // every later gemm() and conv2d_…() of this process
#pragma once

#include <string>

#include "duel/kernels/base/platform.h"
#include "duel/kernels/linear/conv.h"

namespace duel::kernels {

enum class HostLibrary { own, onednn };

/// The library in use. The first call reads $DUEL_HOST_LIBRARY; an Error where it is neither own nor onednn, and
/// where it is onednn in a build without oneDNN.
HostLibrary host_library();

/// Not to be called between a …_workspace() call and the launch that it was for: each library has its own
/// sizes. Error where the build has no oneDNN and is asked for it.
void set_host_library(HostLibrary library);

/// Version of oneDNN that runs, as "2.6.3"; "none" in a build without it.
std::string onednn_version();

// What gemm.cpp and conv.cpp call once their arguments are checked; a user calls gemm.h and conv.h.
namespace onednn {

/// As kernels::gemm() with a bias along n (may be null; needs beta == 0). m, n and k are at least 1. False, and
/// nothing done, in a build without oneDNN.
bool gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
          const float* b, float beta, const float* bias, float* c);

/// Bytes of workspace of one pass; 0 where conv2d() will refuse the shape. The shape is not empty.
size_t conv2d_workspace(const ConvShape& shape, ConvPass pass);

/// One pass; first and second are its operands in the order of conv.h. False, and nothing done, where oneDNN
/// does not take the shape.
bool conv2d(const ConvShape& shape, ConvPass pass, const float* first, const float* second, const float* bias,
            float* out, void* workspace);

}  // namespace onednn
}  // namespace duel::kernels
