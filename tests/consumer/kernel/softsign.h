// A kernel family of one's own: its API.
#pragma once

#include "duel/kernels/base/platform.h"

/// y[i] = x[i] / (1 + |x[i]|), n elements.
void softsign(duel::kernels::Stream stream, int64_t n, const float* x, float* y);
