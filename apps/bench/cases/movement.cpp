// Movement, pooling and the ring of values: what is copied, gathered or picked. Compared, not timed.
#include "duel/kernels/map/movement.h"
#include "cases.h"
#include "duel/core/tensor/random.h"
#include "duel/kernels/map/axis.h"
#include "duel/kernels/reduce/pooling.h"
#include "duel/kernels/reduce/scan.h"
#include "duel/kernels/training/batch.h"
#include "duel/kernels/training/ring.h"

namespace duel::apps::bench {
namespace {

using namespace kernels;

/// Of rows [rows, 7]: as many indices as rows, some of them twice.
Tensor indices(const Setting& s, int64_t count, int64_t rows) {
  return Generator(9, 77).integers({count}, rows, s.device);
}
Tensor whole_numbers(const Setting& s, const Shape& shape) {
  return Tensor::zeros(shape, {DType::i64, s.device});
}

template <class T>
Case permuted(const Setting& s) {
  const int64_t rows = s.count(2 * 7 * 3 * 11 * s.element()), n = rows * 7 * 3 * 11;
  const Tensor x = s.numbers({n}, 1), y = s.empty({n});
  return {.shape = message("{}x7x3x11", rows),
          .bytes = 2 * n * s.element(),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>()] {
                const int64_t shape[] = {rows, 7, 3, 11};
                const int axes[] = {2, 0, 3, 1};
                permute(stream, 4, shape, axes, x.data<T>(), to);
              },
          .results = {y}};
}

/// A box of [rows, 3, 8] from [rows, 5, 9] into [rows, 4, 10], and [1, 5, 1] repeated to [rows, 5, 9].
template <class T>
Case boxes(const Setting& s) {
  const int64_t rows = s.count((2 * 24 + 45) * s.element());
  const Tensor x = s.numbers({rows, 45}, 1), column = s.numbers({5}, 2);
  const Tensor y = Tensor::zeros({rows, 40}, s.options()), wide = s.empty({rows, 45}),
               turned = s.empty({rows, 45});
  return {.shape = message("{}x3x8", rows),
          .bytes = rows * (2 * 24 + 45) * s.element(),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>(), to_wide = wide.mutable_data<T>(),
               to_turned = turned.mutable_data<T>()] {
                const bool round[] = {true, false, true};
                const int64_t box[] = {rows, 3, 8}, from[] = {rows, 5, 9}, from_at[] = {0, 1, 1},
                              into[] = {rows, 4, 10}, into_at[] = {0, 1, 2}, small[] = {1, 5, 1};
                copy_box(stream, 3, box, x.data<T>(), from, from_at, to, into, into_at);
                broadcast_to(stream, 3, from, 3, small, column.data<T>(), to_wide);
                flip(stream, 3, from, round, x.data<T>(), to_turned);
              },
          .results = {y, wide, turned}};
}

template <class T>
Case joined(const Setting& s) {
  const int64_t rows = s.count(2 * 24 * s.element());
  const Tensor a = s.numbers({rows, 7}, 1), b = s.numbers({rows, 16}, 2), c = s.numbers({rows, 1}, 3),
               y = s.empty({rows, 24});
  return {.shape = message("{}x(7+16+1)", rows),
          .bytes = 2 * rows * 24 * s.element(),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>()] {
                kernels::JoinParts<T> parts;
                parts.add(a.data<T>(), 7), parts.add(b.data<T>(), 16), parts.add(c.data<T>(), 1);
                kernels::join(stream, rows, parts, to);
              },
          .results = {y}};
}

template <class T>
Case gathered_rows(const Setting& s) {
  const int64_t rows = s.count(3 * 7 * s.element());
  const Tensor x = s.numbers({rows, 7}, 1), index = indices(s, rows, rows);
  const Tensor y = s.empty({rows, 7}), added = s.numbers({rows, 7}, 2), hot = s.empty({rows, 5});
  return {.shape = message("{}x7", rows),
          .bytes = 3 * 7 * rows * s.element(),
          .run =
              [=, stream = s.stream(), at = index.data<int64_t>(), to = y.mutable_data<T>(),
               to_added = added.mutable_data<T>(), to_hot = hot.mutable_data<T>()] {
                (void)index;
                gather_rows(stream, rows, rows, 7, x.data<T>(), at, to);
                scatter_add_rows(stream, rows, rows, 7, x.data<T>(), at, to_added);
                one_hot(stream, rows, 5, at, to_hot);
              },
          .results = {y, added, hot}};
}

/// Along the middle axis of [A, 5, 3]: four picked of five, added back; running sums; and the order of rows.
template <class T>
Case along_an_axis(const Setting& s) {
  const int64_t A = s.count(5 * 15 * s.element());
  const Tensor x = s.numbers({A, 15}, 1), index = indices(s, A * 12, 5), order = whole_numbers(s, {A, 15});
  const Tensor picked = s.empty({A, 12}), added = s.numbers({A, 15}, 2), sums = s.empty({A, 15}),
               back = s.empty({A, 15}), steps = s.empty({A});
  return {.shape = message("{}x5x3", A),
          .bytes = 5 * 15 * A * s.element(),
          .run =
              [=, stream = s.stream(), at = index.data<int64_t>(), to = picked.mutable_data<T>(),
               to_added = added.mutable_data<T>(), to_sums = sums.mutable_data<T>(),
               to_back = back.mutable_data<T>(), to_steps = steps.mutable_data<T>(),
               to_order = order.mutable_data<int64_t>()] {
                (void)index;
                gather_axis(stream, A, 5, 3, 4, x.data<T>(), at, to);
                scatter_add_axis(stream, A, 5, 3, 4, to, at, to_added);
                sequence(stream, A, -1.0, 0.25, -1.0 + 0.25 * static_cast<double>(A - 1), to_steps);
                cumsum(stream, A, 5, 3, false, x.data<T>(), to_sums);
                cumsum(stream, A, 5, 3, true, x.data<T>(), to_back);
                sort_rows(stream, A, 15, true, x.data<T>(), to_order);
              },
          .results = {picked, added, steps, sums, back, order}};
}

/// Windows of 2 x 2 side by side, and their adjoint, on planes of 6 x 8.
template <class T>
Case patches(const Setting& s) {
  const int64_t planes = s.count((48 + 2 * 12 + 192) * s.element());
  const Tensor x = s.numbers({planes, 48}, 1), sums = s.empty({planes, 12}), means = s.empty({planes, 12}),
               wide = s.empty({planes, 192});
  return {.shape = message("{}x6x8", planes),
          .bytes = planes * (48 + 2 * 12 + 192) * s.element(),
          .run =
              [=, stream = s.stream(), to = sums.mutable_data<T>(), to_means = means.mutable_data<T>(),
               to_wide = wide.mutable_data<T>()] {
                sum_pool2d(stream, planes, 6, 8, 2, x.data<T>(), to, 3.0);
                avg_pool2d(stream, planes, 6, 8, 2, x.data<T>(), to_means);
                upsample_nearest2d(stream, planes, 6, 8, 2, x.data<T>(), to_wide);
              },
          .results = {sums, means, wide}};
}

/// Windows of 3 x 2 that overlap, on planes of 9 x 8: maxima, sums and the adjoints of both.
template <class T>
Case windows(const Setting& s) {
  PoolShape shape{.h_in = 9,
                  .w_in = 8,
                  .kh = 3,
                  .kw = 2,
                  .stride_h = 2,
                  .stride_w = 1,
                  .pad_h = 1,
                  .pad_w = 1,
                  .h_out = 5,
                  .w_out = 9};
  const int64_t planes = shape.planes = s.count((72 + 4 * 45 + 2 * 72) * s.element());
  const Tensor x = s.numbers({planes, 72}, 1), g = s.numbers({planes, 45}, 2);
  const Tensor largest = s.empty({planes, 45}), index = whole_numbers(s, {planes, 45}),
               taken = s.empty({planes, 45}), returned = s.empty({planes, 72}), sums = s.empty({planes, 45}),
               spread = s.empty({planes, 72});
  return {.shape = message("{}x9x8", planes),
          .bytes = planes * (72 + 4 * 45 + 2 * 72) * s.element(),
          .run =
              [=, stream = s.stream(), to = largest.mutable_data<T>(), at = index.mutable_data<int64_t>(),
               to_taken = taken.mutable_data<T>(), to_returned = returned.mutable_data<T>(),
               to_sums = sums.mutable_data<T>(), to_spread = spread.mutable_data<T>()] {
                max_pool2d(stream, shape, x.data<T>(), to, at);
                take_from_planes(stream, shape, x.data<T>(), at, to_taken);
                return_to_planes(stream, shape, g.data<T>(), at, to_returned);
                window_sums(stream, shape, x.data<T>(), to_sums, 6.0);
                window_sums_adjoint(stream, shape, g.data<T>(), to_spread, 6.0);
              },
          .results = {largest, index, taken, returned, sums, spread}};
}

template <class T>
Case labels_of_a_batch(const Setting& s) {
  const int64_t batch = s.count(3 * 8);
  std::vector<uint8_t> small(11);
  std::vector<int64_t> large(11);
  for (size_t i = 0; i < 11; ++i) small[i] = static_cast<uint8_t>(large[i] = static_cast<int64_t>(i * i));
  const Tensor bytes = Tensor::from(small, {11}, s.device), words = Tensor::from(large, {11}, s.device);
  const Tensor index = indices(s, batch, 11);
  const Tensor of_bytes = whole_numbers(s, {batch}), of_words = whole_numbers(s, {batch});
  return {.shape = std::to_string(batch),
          .bytes = 3 * 8 * batch,
          .run =
              [=, stream = s.stream(), at = index.data<int64_t>(), to = of_bytes.mutable_data<int64_t>(),
               to_words = of_words.mutable_data<int64_t>()] {
                (void)index;
                gather_labels(stream, batch, 11, bytes.data<uint8_t>(), at, to);
                gather_labels(stream, batch, 11, words.data<int64_t>(), at, to_words);
              },
          .results = {of_bytes, of_words}};
}

/// Four rows pushed into a ring of three, each with a count that moves.
template <class T>
Case ring_of_values(const Setting& s) {
  const Tensor values = s.numbers({2}, 1), ring = Tensor::zeros({3, kRingColumns}, s.options()),
               pushed = whole_numbers(s, {1}), drawn = whole_numbers(s, {1});
  return {.shape = message("3x{}", kRingColumns),
          .bytes = 4 * 2 * kRingColumns * s.element(),
          .run =
              [=, stream = s.stream(), count = pushed.mutable_data<int64_t>(), to = ring.mutable_data<T>(),
               offset = reinterpret_cast<uint64_t*>(drawn.mutable_data<int64_t>())] {
                for (int i = 0; i < 4; ++i)
                  ring_push(stream, 3, RingRow<T>{{values.data<T>(), nullptr, values.data<T>() + i % 2}},
                            count, to, {1, {offset}, {3}});
              },
          .results = {pushed, drawn, ring}};
}

}  // namespace

std::vector<NamedCase> movement_cases() {
  return {DUEL_VALUES("permute", "movement", permuted),
          DUEL_VALUES("copy_box", "movement", boxes),
          DUEL_VALUES("join", "movement", joined),
          DUEL_VALUES("gather_rows", "movement", gathered_rows),
          DUEL_VALUES("gather_axis", "axis", along_an_axis),
          DUEL_VALUES("cumsum", "scan", along_an_axis),
          DUEL_VALUES("sum_pool2d", "movement", patches),
          DUEL_VALUES("max_pool2d", "pooling", windows),
          DUEL_VALUES("gather_labels", "batch", labels_of_a_batch),
          DUEL_VALUES("ring_push", "ring", ring_of_values)};
}

}  // namespace duel::apps::bench
