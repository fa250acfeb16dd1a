#include "duel/kernels/map/finish.h"

namespace duel::kernels {

template <class T>
void finish_results(Stream stream, int64_t n, T* c, const Finish<T>& finish) {
  finish.f.visit([&](auto f) {
    if (finish.slope_at) activation_d1(stream, n, finish.slope_at, c, c, f);
    if (finish.value) activation(stream, n, c ? c : finish.value, finish.value, f);
  });
}

template <class T>
void check_finish(const char* op, const T* c, const Finish<T>& finish) {
  DUEL_CHECK(c != nullptr || finish.value != nullptr, op, "expected arrays, got a null pointer");
  DUEL_CHECK(finish.slope_at == nullptr || finish.value == nullptr, op,
             "expected a slope or values of an activation, got both");
  DUEL_CHECK((finish.slope_at == nullptr && finish.value == nullptr) || finish.f, op,
             "expected an activation, got none");
}

#define DUEL_INSTANTIATE(T)                                            \
  template void finish_results(Stream, int64_t, T*, const Finish<T>&); \
  template void check_finish(const char*, const T*, const Finish<T>&);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels
