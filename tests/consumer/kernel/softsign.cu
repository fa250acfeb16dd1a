// The kernel: the formula once, for host and device. y[i] = x[i] / (1 + |x[i]|).
#include "softsign.h"

#include "duel/kernels/base/map.cuh"

namespace {
struct Softsign {
  DUEL_HD float operator()(float x) const { return x / (1.0f + (x < 0 ? -x : x)); }
};
}  // namespace

void softsign(duel::kernels::Stream stream, int64_t n, const float* x, float* y) {
  duel::kernels::map(stream, n, Softsign{}, y, x);
}
