// Kernels of the harness's own tests: right ones, and wrong ones that must each be caught. Compiled like a
// kernel family, so that the harness sees their accesses; the tests call these launchers.
#pragma once

#include <cstdint>

#include "duel/kernels/base/platform.h"

namespace duel::simt {

using kernels::Stream;

// Right.
void block_sum(Stream stream, int64_t n, const float* x, float* y);             // y[block], 128 elements each
void scan(Stream stream, int n, const int* x, int* y);                          // n <= 256, inclusive
void transpose(Stream stream, int rows, int cols, const double* x, double* y);  // tiles of 16 x 16
void warp_sum(Stream stream, int warps, const int* x, int* y);                  // one per warp, by shuffles
void dynamic_reverse(Stream stream, int n, const float* x, float* y);           // n <= 256
void vector_copy(Stream stream, int64_t n, const float* x, float* y);  // float4, scalars if misaligned
void last_block_sum(Stream stream, int blocks, const int* x, int* partial, unsigned* counter, int* y);
void votes(Stream stream, const int* x, unsigned* y);           // 32 lanes, 12 results each
void half_warps(Stream stream, const int* x, int* y);           // two masks, two places
void warp_exchange(Stream stream, const int* x, int* y);        // shared memory and __syncwarp
void histogram(Stream stream, int n, const int* x, int* bins);  // 8 bins, shared and global atomics
void block_votes(Stream stream, const int* x, int* y);          // 64 threads
void shuffles(Stream stream, const int* x, int* y);             // 32 lanes, 8 results each
void grid_index(Stream stream, int* y);                         // (3, 2, 2) blocks of (4, 3, 2)

// Wrong.
void missing_barrier(Stream stream, const float* x, float* y);
void missing_loop_barrier(Stream stream, const float* x, float* y);
void write_race(Stream stream, float* y);
void warp_race(Stream stream, const float* x, float* y);
void atomic_and_plain(Stream stream, int* y);
void divergent_barrier(Stream stream, int* y);
void divergent_calls(Stream stream, int* y);
void skipped_barrier(Stream stream, int* y);
void divergent_shuffle(Stream stream, const int* x, int* y);
void differing_masks(Stream stream, const int* x, int* y);
void exited_lane(Stream stream, const int* x, int* y);
void partial_warp(Stream stream, const int* x, int* y);
void lane_not_in_mask(Stream stream, const int* x, int* y);
void bad_source_lane(Stream stream, const int* x, int* y);
void barrier_against_shuffle(Stream stream, const int* x, int* y);
void read_past_end(Stream stream, int n, const float* x, float* y);
void read_before_begin(Stream stream, int n, const float* x, float* y);
void write_past_end(Stream stream, int n, float* y);
void null_pointer(Stream stream, float* y);
void misaligned_vector(Stream stream, const float* x, float* y);
void misaligned_double(Stream stream, const char* x, double* y);
void write_to_input(Stream stream, const float* x, float* y);
void uninitialised_static(Stream stream, float* y);
void uninitialised_dynamic(Stream stream, float* y);
void uninitialised_scratch(Stream stream, float* scratch, float* y);
void past_dynamic_shared(Stream stream, float* y);
void static_shared_of_other_block(Stream stream, int* y);
void copy_read_too_soon(Stream stream, const float* x, float* y);
void copy_without_barrier(Stream stream, const float* x, float* y);
void copy_over_readers(Stream stream, const float* x, float* y);
void copy_past_input(Stream stream, const float* x, float* y);
void copy_misaligned(Stream stream, const float* x, float* y);
void copy_to_no_shared(Stream stream, const float* x, float* y);
void product_of_a_part(Stream stream, const float* x, float* y);
void float_atomics(Stream stream, int n, const float* x, float* y);
void waits_for_other_block(Stream stream, int* flags, int* y);
void neighbour_in_place(Stream stream, int n, float* y);
void unwritten_output(Stream stream, int n, float* y);
void unseen_write(Stream stream, int n, float* y);
void stack_hog(Stream stream, int* y);
void divides_by_zero(Stream stream, const int* x, int* y);
void reads_on_the_host(Stream stream, const float* x, float* y);
void too_many_threads(Stream stream, int* y);
void too_much_shared(Stream stream, int* y);
void other_threads_local(Stream stream, int* y);

}  // namespace duel::simt
