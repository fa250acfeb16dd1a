// The gradient 1 that a walk starts with: one tensor of ones for each shape, made once, so that neither its fill nor a
// product with it is a launch of every step. Internal to core/ and to who seeds walks.
//
// Nobody changes it: what leaves the engine is a copy (own_copy), and mutable_data() of one is an InternalError.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel::detail {

/// Ones of this shape, shared where they were made outside of a capture.
Tensor unit(const Shape& shape, TensorOptions options);
/// Does the tensor live in the memory of such ones?
bool is_unit(const Tensor& tensor);
/// The tensor, or a copy where it is_unit().
Tensor own_copy(const Tensor& tensor);

/// While a walk runs on this thread: does its graph stay for another one?
bool walk_keeps_graph();

}  // namespace duel::detail
