// Every differentiable op. Include this one header; the families live in core/ops/.
//
// All ops return fresh tensors, broadcast as NumPy where they take two, and can be differentiated to any
// order unless their docstring says otherwise. Shapes that do not fit throw Error naming the op.
#pragma once

#include "duel/core/ops/linear/conv.h"
#include "duel/core/ops/linear/einsum.h"
#include "duel/core/ops/linear/flop_count.h"
#include "duel/core/ops/linear/matmul.h"
#include "duel/core/ops/linear/spectral.h"
#include "duel/core/ops/map/activation.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/creation.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/loss.h"
#include "duel/core/ops/reduce/normalization.h"
#include "duel/core/ops/reduce/pooling.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/ops/reduce/resampling.h"
#include "duel/core/ops/reduce/sample_norm.h"
#include "duel/core/ops/reduce/softmax.h"
#include "duel/core/ops/reduce/statistics.h"
#include "duel/core/tensor/indexing.h"
