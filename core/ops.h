// Every differentiable op. Include this one header; the families live in core/ops/.
//
// All ops return fresh tensors, broadcast as NumPy where they take two, and can be differentiated to any order unless
// their docstring says otherwise. Shapes that do not fit throw Error naming the op.
#pragma once

#include "duel/core/ops/activation.h"
#include "duel/core/ops/arithmetic.h"
#include "duel/core/ops/conv.h"
#include "duel/core/ops/loss.h"
#include "duel/core/ops/matmul.h"
#include "duel/core/ops/movement.h"
#include "duel/core/ops/normalization.h"
#include "duel/core/ops/pooling.h"
#include "duel/core/ops/reduction.h"
#include "duel/core/ops/sample_norm.h"
#include "duel/core/ops/softmax.h"
