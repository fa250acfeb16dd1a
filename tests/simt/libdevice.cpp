// libm in f64 as a GPU has it, for the tests that run on one too: not glibc's bits. The linker sends their
// calls here (--wrap in CMakeLists.txt); in a device thread one result in sixteen is the next double, as
// about that share of libdevice's results is an ulp off glibc's. A test that asks the device for the host's
// bits where a GPU cannot give them fails.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "engine.h"

namespace duel::simt {
namespace {

double as_on_a_gpu(double x, double result) {
  if (current_fiber() == nullptr || !std::isfinite(result) || result == std::trunc(result)) return result;
  const uint64_t mixed = std::bit_cast<uint64_t>(x) * 0x9E3779B97F4A7C15u;
  return mixed >> 60 != 0 ? result : std::nextafter(result, std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace duel::simt

#define DUEL_LIBM(name)           \
  double __real_##name(double x); \
  double __wrap_##name(double x) { return duel::simt::as_on_a_gpu(x, __real_##name(x)); }

extern "C" {
DUEL_LIBM(exp)
DUEL_LIBM(expm1)
DUEL_LIBM(log)
DUEL_LIBM(log1p)
DUEL_LIBM(tanh)
DUEL_LIBM(erf)
DUEL_LIBM(erfc)
double __real_pow(double x, double y);
double __wrap_pow(double x, double y) { return duel::simt::as_on_a_gpu(x + y, __real_pow(x, y)); }
}
