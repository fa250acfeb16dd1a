// Random numbers that are a function of (seed, stream, position): Philox4x32-10 (Salmon et al., "Parallel
// random numbers: as easy as 1, 2, 3", SC'11), uniforms, normals, integers, and random orders of a data set.
//
// Note [Random numbers]
// Element i of a call is lane i % 4 of Philox block offset + i / 4, where offset = *state.offset +
// state.addend. No thread count, grid or device enters, so CPU and GPU give the same uniforms and, as the
// polynomials of math.h are the same, the same normals in float. A caller advances its offset by
// philox_blocks(n) after a call of n elements; the offset is read through a pointer while the work runs, so a
// replayed CUDA graph that ends in philox_advance, or in a launch that advances as well, draws new numbers.
//
// Example:
//   uint64_t offset = 0;                               // on a GPU: in device memory
//   normal(stream, PhiloxState{seed, 1, &offset}, n, 0.0, 1.0, z);
//   uniform(stream, PhiloxState{seed, 1, &offset, philox_blocks(n)}, m, 0.0, 1.0, t);
//   philox_advance(stream, &offset, philox_blocks(n) + philox_blocks(m));
#pragma once

#include <cstdint>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// Four 32-bit words.
struct PhiloxBlock {
  uint32_t word[4];
};

/// Philox4x32-10 of a 128-bit counter under a 64-bit key.
DUEL_HD PhiloxBlock philox(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
  uint32_t c0 = counter.word[0], c1 = counter.word[1], c2 = counter.word[2], c3 = counter.word[3];
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ key0;
    const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ key1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// Block `index` of the sequence (seed, stream).
DUEL_HD PhiloxBlock philox_at(uint64_t seed, uint64_t stream, uint64_t index) {
  return philox({{static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                  static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)}},
                static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

/// Where to read a sequence. offset lies where the stream works; null counts as 0.
struct PhiloxState {
  uint64_t seed = 0;
  uint64_t stream = 0;
  const uint64_t* offset = nullptr;
  uint64_t addend = 0;
};

/// What a word becomes in [0, 1): 24 random bits for float, 32 for double.
DUEL_HD float unit_interval(uint32_t word, float) { return static_cast<float>(word >> 8) * 0x1p-24f; }
DUEL_HD double unit_interval(uint32_t word, double) { return static_cast<double>(word) * 0x1p-32; }

/// Element i of uniform(…, 0, 1, …), for kernels that use it where it is drawn.
template <class T>
DUEL_HD T uniform_at(const PhiloxState& state, int64_t i) {
  const uint64_t offset = (state.offset ? *state.offset : 0) + state.addend;
  const PhiloxBlock block = philox_at(state.seed, state.stream, offset + static_cast<uint64_t>(i / 4));
  const int64_t k = i % 4;
  const uint32_t front = k == 0 ? block.word[0] : block.word[1],
                 back = k == 2 ? block.word[2] : block.word[3];
  return unit_interval(k < 2 ? front : back, T());
}

/// How far a call of n elements advances the offset.
constexpr uint64_t philox_blocks(int64_t n) { return static_cast<uint64_t>((n + 3) / 4); }

/// out[i] uniform in [low, high): 24 random bits for float, 32 for double.
template <class T>
void uniform(Stream stream, const PhiloxState& state, int64_t n, double low, double high, T* out);

/// out[i] normal by Box-Muller: words 0 and 1 of a block give elements 0 and 1, words 2 and 3 the others.
/// Tails end at 6.7 standard deviations. Element i of a float and of a double call differ by rounding only.
template <class T>
void normal(Stream stream, const PhiloxState& state, int64_t n, double mean, double deviation, T* out);

/// out[i] uniform in {0, …, bound - 1}, 1 <= bound <= 2^32. Bias below bound / 2^32.
void random_integers(Stream stream, const PhiloxState& state, int64_t n, int64_t bound, int64_t* out);

/// How far offsets move.
struct PhiloxAdvances {
  static constexpr int kMost = 32;
  int count = 0;
  uint64_t* offset[kMost] = {};
  uint64_t blocks[kMost] = {};
};
/// *offset += blocks for each.
DUEL_HD void advance(const PhiloxAdvances& all) {
  for (int k = 0; k < all.count; ++k) *all.offset[k] += all.blocks[k];
}
void check(const char* op, const PhiloxAdvances& advances);
/// The same on the stream, in one launch: a captured graph ends so.
void philox_advance(Stream stream, const PhiloxAdvances& advances);
/// The same of one.
inline void philox_advance(Stream stream, uint64_t* offset, uint64_t blocks) {
  philox_advance(stream, PhiloxAdvances{1, {offset}, {blocks}});
}

/// A random order of [0, n): position -> item, one to one, without a table. Eight Feistel rounds on the
/// smallest even number of bits that holds n, repeated until the result falls below n (at most 4 times on
/// average).
struct Permutation {
  uint64_t n = 1;
  uint32_t half_bits = 1;
  uint32_t key[8] = {};

  DUEL_HD Permutation(uint64_t seed, uint64_t stream, uint64_t epoch, uint64_t size) : n(size) {
    while (half_bits < 31 && (uint64_t{1} << (2 * half_bits)) < size) ++half_bits;
    // Its own key space: the top bit of the stream is the data order's.
    const PhiloxBlock a = philox_at(seed, stream | (uint64_t{1} << 63), 2 * epoch);
    const PhiloxBlock b = philox_at(seed, stream | (uint64_t{1} << 63), 2 * epoch + 1);
    for (int k = 0; k < 4; ++k) {
      key[k] = a.word[k];
      key[4 + k] = b.word[k];
    }
  }

  DUEL_HD static uint32_t mix(uint32_t x) {  // the finaliser of MurmurHash3
    x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
    x = (x ^ (x >> 13)) * 0xC2B2AE35u;
    return x ^ (x >> 16);
  }

  DUEL_HD uint64_t operator()(uint64_t position) const {
    const uint64_t mask = (uint64_t{1} << half_bits) - 1;
    uint64_t value = position;
    do {
      uint64_t left = value >> half_bits, right = value & mask;
      for (int round = 0; round < 8; ++round) {
        const uint64_t next = left ^ (mix(static_cast<uint32_t>(right) ^ key[round]) & mask);
        left = right;
        right = next;
      }
      value = (left << half_bits) | right;
    } while (value >= n);
    return value;
  }
};

/// Item at position i (0 <= i < n <= 2^62) of the order (seed, stream, epoch) of [0, n).
DUEL_HD int64_t permutation_index(uint64_t seed, uint64_t stream, uint64_t epoch, int64_t n, int64_t i) {
  return static_cast<int64_t>(
      Permutation(seed, stream, epoch, static_cast<uint64_t>(n))(static_cast<uint64_t>(i)));
}

/// out[k] = permutation_index(seed, sequence, epoch, n, begin + k) for begin + k < end.
void permutation(Stream stream, uint64_t seed, uint64_t sequence, uint64_t epoch, int64_t n, int64_t begin,
                 int64_t end, int64_t* out);

/// shuffled_items()'s out[i], for kernels that use it where it is drawn.
DUEL_HD int64_t shuffled_item(const PhiloxState& state, int64_t i, uint64_t count) {
  const uint64_t position = (state.offset ? *state.offset : 0) + state.addend + static_cast<uint64_t>(i);
  return static_cast<int64_t>(
      Permutation(state.seed, state.stream, position / count, count)(position % count));
}

/// out[i] = the item at position p = *state.offset + state.addend + i of one random order of [0, count) after
/// the other: permutation_index(seed, stream, p / count, count, p % count). 1 <= count <= 2^62. A call of n
/// items advances the offset by n.
void shuffled_items(Stream stream, const PhiloxState& state, int64_t n, int64_t count, int64_t* out);

}  // namespace duel::kernels
