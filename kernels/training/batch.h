// What happens between the resident data set and the networks: gathering and normalising a batch from u8
// rows, and the points at which gradient penalties are taken (lines between real and fake, DRAGAN noise).
//
// Random numbers are drawn by the caller, or by the state that the caller gives (kernels/map/random.h), so every function
// here is deterministic.
//
// Example (MNIST to [-1, 1]):
//   gather_normalize(Stream(), 64, 784, 60000, pixels, index, 2.0f / 255, -1.0f, out);
#pragma once

#include <cstdint>
#include <type_traits>

#include "duel/kernels/map/random.h"

namespace duel::kernels {

/// out[b, j] = scale * source[index[b], j] + shift; source u8 [source_rows, m], index [batch], out [batch,
/// m]. An index outside [0, source_rows) is an Error on the host; on a device that row becomes NaN.
template <class T>
void gather_normalize(Stream stream, int64_t batch, int64_t m, int64_t source_rows, const uint8_t* source,
                      const int64_t* index, std::type_identity_t<T> scale, std::type_identity_t<T> shift,
                      T* out);

/// The next rows of one random order of the source after the other, and in front of others, in one launch:
///   index = shuffled_items(order, batch, source_rows); out = gather_normalize(index) and then behind [behind_size]
/// index [batch] is an output. A call moves the order by `batch`. out overlaps neither source nor behind.
template <class T>
void draw_rows(Stream stream, const PhiloxState& order, int64_t batch, int64_t m, int64_t source_rows,
               const uint8_t* source, std::type_identity_t<T> scale, std::type_identity_t<T> shift,
               const T* behind, int64_t behind_size, int64_t* index, T* out);

/// out[b] = labels[index[b]], labels u8 or i64 [source_rows]. Bad index: Error on the host, -1 on a device.
template <class L>
void gather_labels(Stream stream, int64_t batch, int64_t source_rows, const L* labels, const int64_t* index,
                   int64_t* out);

/// out[b, j] = eps[b] real[b, j] + (1 - eps[b]) fake[b, j] (Gulrajani et al. 2017, algorithm 1): one eps per
/// sample. out may be real or fake.
template <class T>
void interpolate_line(Stream stream, int64_t batch, int64_t m, const T* real, const T* fake, const T* eps,
                      T* out);
/// The same with eps drawn on the way: the elements of uniform(stream, state, batch, 0, 1, eps).
template <class T>
void interpolate_line(Stream stream, int64_t batch, int64_t m, const T* real, const T* fake,
                      const PhiloxState& state, T* out);

/// real, fake and such points, eps drawn on the way, one behind the other: out [3 batch, m], which overlaps neither.
template <class T>
void join_with_line(Stream stream, int64_t batch, int64_t m, const T* real, const T* fake,
                    const PhiloxState& state, T* out);

/// Scratch elements (of T) that dragan_perturb needs.
int64_t dragan_workspace(int64_t batch, int64_t m);

/// DRAGAN's official points (Kodali et al. 2017, DRAGAN.ipynb): out = x + alpha[b] * 0.5 * std * u, where std
/// is the population standard deviation over the whole batch tensor, alpha [batch] and u [batch, m] uniform
/// in [0, 1) (alpha in [-1, 1) gives the two-sided variant). The workspace's first element is std afterwards.
/// out may be x or u.
template <class T>
void dragan_perturb(Stream stream, int64_t batch, int64_t m, const T* x, const T* alpha, const T* u, T* out,
                    T* workspace);

}  // namespace duel::kernels
