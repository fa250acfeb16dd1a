// One thread: a few words, and columns that are constants keep the row's pointers in registers.
#include "duel/kernels/training/ring.h"

#include "duel/kernels/base/error.h"

namespace duel::kernels {
namespace {

template <class T>
DUEL_HD void put(int64_t rows, const RingRow<T>& row, int64_t pushed, int column, T* ring) {
  ring[pushed % rows * kRingColumns + column] = row.value[column] != nullptr ? *row.value[column] : T(0);
}

#if DUEL_DEVICE_CODE
template <class T>
__global__ void ring_push_kernel(int64_t rows, RingRow<T> row, int64_t* pushed, T* ring,
                                 PhiloxAdvances drawn) {
  begin_kernel();
  const int64_t now = *pushed;
#pragma unroll
  for (int column = 0; column < kRingColumns; ++column) put(rows, row, now, column, ring);
  *pushed = now + 1;
  advance(drawn);
}
#endif

}  // namespace

template <class T>
void ring_push(Stream stream, int64_t rows, const RingRow<T>& row, int64_t* pushed, T* ring,
               const PhiloxAdvances& drawn) {
  DUEL_CHECK(rows >= 1 && pushed && ring, "ring_push",
             "expected a counter and a ring of at least 1 row, got {} rows", rows);
  check("ring_push", drawn);
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(ring_push_kernel<T>, dim3(1), dim3(1), 0, stream, rows, row, pushed, ring, drawn);
    return;
  }
#endif
  (void)stream;
  for (int column = 0; column < kRingColumns; ++column) put(rows, row, *pushed, column, ring);
  ++*pushed;
  advance(drawn);
}

template void ring_push<float>(Stream, int64_t, const RingRow<float>&, int64_t*, float*,
                               const PhiloxAdvances&);
template void ring_push<double>(Stream, int64_t, const RingRow<double>&, int64_t*, double*,
                                const PhiloxAdvances&);

}  // namespace duel::kernels
