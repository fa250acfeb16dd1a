// Random numbers, optimizers, and batches from resident data.
#include <cstring>

#include "cases.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/random.h"
#include "duel/kernels/map/random.h"
#include "duel/kernels/training/batch.h"
#include "duel/kernels/training/optimizers.h"

namespace duel::apps::bench {
namespace {

template <class T, bool Normal>
Case draw(const Setting& s) {
  const int64_t n = s.count(s.element());
  const Tensor y = s.empty({n});
  return {.shape = std::to_string(n),
          .bytes = n * s.element(),
          .run =
              [=, stream = s.stream(), to = y.mutable_data<T>()] {
                const kernels::PhiloxState state{.seed = 1, .stream = 2};
                if constexpr (Normal)
                  kernels::normal(stream, state, n, 0.0, 1.0, to);
                else
                  kernels::uniform(stream, state, n, -1.0, 1.0, to);
              },
          .results = {y}};
}
template <class T>
Case uniform_numbers(const Setting& s) {
  return draw<T, false>(s);
}
template <class T>
Case normal_numbers(const Setting& s) {
  return draw<T, true>(s);
}

// ---- Optimizers: an arena as the trainer has it, its gradient in eight segments ----

constexpr double kRate = 1e-5;

template <class T>
struct Arena {
  int64_t n;
  Tensor p, g, first, second, state;
  kernels::GradSegments<T> segments;
  const kernels::StepState* step() const { return reinterpret_cast<const kernels::StepState*>(state.raw()); }
};

/// `arrays` are moved per step. The state is that of the first step.
template <class T>
Arena<T> make_arena(const Setting& s, int64_t arrays, double beta1 = 0, double beta2 = 0) {
  Arena<T> a;
  a.n = s.count(arrays * s.element());
  a.p = s.numbers({a.n}, 1);
  a.g = s.numbers({a.n}, 2);
  a.first = Tensor::zeros({a.n}, s.options());
  a.second = Tensor::zeros({a.n}, s.options());
  kernels::StepState state{.lr = kRate};
  kernels::advance_step(kernels::Stream(), &state, beta1, beta2);
  std::vector<uint8_t> bytes(sizeof state);
  std::memcpy(bytes.data(), &state, sizeof state);
  a.state = Tensor::from(bytes, {static_cast<int64_t>(sizeof state)}, s.device);
  for (int k = 0; k < 8; ++k) {
    const int64_t begin = a.n * k / 8, end = a.n * (k + 1) / 8;
    a.segments.add(a.g.template data<T>() + begin, end - begin);
  }
  return a;
}

template <class T>
Case sgd(const Setting& s) {
  const Arena<T> a = make_arena<T>(s, 3);
  const Tensor p2 = a.p.clone();
  return {.shape = std::to_string(a.n),
          .bytes = 3 * a.n * s.element(),
          .run =
              [=, stream = s.stream(), p = a.p.template mutable_data<T>()] {
                kernels::sgd_step<T>(stream, a.n, a.segments, {}, a.step(), p, nullptr);
              },
          .results = {a.p},
          .composed = [=] { return std::vector<Tensor>{p2 - a.g * kRate}; }};
}

/// Folded: with weight clipping (Arjovsky et al. 2017) in the same pass, as WGAN's critic is trained.
template <class T, bool Folded>
Case rmsprop_step_of(const Setting& s) {
  constexpr double kClip = 0.01;
  const Arena<T> a = make_arena<T>(s, 5);
  const Tensor p2 = a.p.clone(), s2 = a.first.clone();
  return {.shape = std::to_string(a.n),
          .bytes = 5 * a.n * s.element(),
          .run =
              [=, stream = s.stream(), p = a.p.template mutable_data<T>(),
               q = a.first.template mutable_data<T>()] {
                kernels::rmsprop_step<T>(stream, a.n, a.segments, {}, a.step(), p, q, nullptr,
                                         {.clip = Folded ? kClip : 0});
              },
          .results = {a.p, a.first},
          .composed =
              [=] {
                const Tensor mean_square = s2 * 0.99 + square(a.g) * (1 - 0.99);
                const Tensor p = p2 - a.g / (sqrt(mean_square) + 1e-8) * kRate;
                return std::vector<Tensor>{Folded ? clamp_max(clamp_min(p, -kClip), kClip) : p, mean_square};
              }};
}
template <class T>
Case rmsprop(const Setting& s) {
  return rmsprop_step_of<T, false>(s);
}
template <class T>
Case weight_clip(const Setting& s) {
  return rmsprop_step_of<T, true>(s);
}

/// Folded: with weight clipping and the moving average of the weights in the same pass.
/// Optimistic: the first step, twice.
template <class T, bool Folded, bool Optimistic = false>
Case adam_step_of(const Setting& s) {
  constexpr double kBeta1 = 0.5, kBeta2 = 0.999, kClip = 1, kDecay = 0.99;
  const int64_t arrays = Folded ? 9 : 7;
  const Arena<T> a = make_arena<T>(s, arrays, kBeta1, kBeta2);
  const Tensor p2 = a.p.clone(), m2 = a.first.clone(), v2 = a.second.clone(), ema = a.p.clone(),
               ema2 = a.p.clone();
  kernels::UpdateExtras<T> extras;
  if (Folded) extras = {.clip = kClip, .ema = ema.mutable_data<T>(), .ema_decay = kDecay};
  Case made{.shape = std::to_string(a.n),
            .bytes = arrays * a.n * s.element(),
            .run = {},
            .results = {a.p, a.first, a.second}};
  made.run = [=, stream = s.stream(), p = a.p.template mutable_data<T>(),
              m = a.first.template mutable_data<T>(), v = a.second.template mutable_data<T>()] {
    (void)ema;
    kernels::adam_step<T>(stream, a.n, a.segments,
                          {.beta1 = kBeta1, .beta2 = kBeta2, .optimistic = Optimistic}, a.step(), p, m, v,
                          extras);
  };
  if (Folded) made.results.push_back(ema);
  made.composed = [=] {
    const Tensor m = m2 * kBeta1 + a.g * (1 - kBeta1), v = v2 * kBeta2 + square(a.g) * (1 - kBeta2);
    const double bias1 = 1 - kBeta1, bias2 = 1 - kBeta2;  // of the first step
    Tensor p = p2 - m / (sqrt(v / bias2) + 1e-8) * ((Optimistic ? 2 : 1) * kRate / bias1);
    if (!Folded) return std::vector<Tensor>{p, m, v};
    p = clamp_max(clamp_min(p, -kClip), kClip);
    return std::vector<Tensor>{p, m, v, ema2 * kDecay + p * (1 - kDecay)};
  };
  return made;
}
template <class T>
Case adam(const Setting& s) {
  return adam_step_of<T, false>(s);
}
template <class T>
Case adam_clip_ema(const Setting& s) {
  return adam_step_of<T, true>(s);
}
template <class T>
Case optimistic_adam(const Setting& s) {
  return adam_step_of<T, false, true>(s);
}

template <class T>
Case gradient_norm(const Setting& s) {
  const Arena<T> a = make_arena<T>(s, 1);
  const Tensor total = s.empty({1}), work = s.empty({kernels::grad_norm_workspace(a.n, a.segments.count)});
  return {.shape = std::to_string(a.n),
          .bytes = a.n * s.element(),
          .run =
              [=, stream = s.stream(), to = total.mutable_data<T>(), scratch = work.mutable_data<T>()] {
                (void)work;
                kernels::grad_norm<T>(stream, a.segments, to, nullptr, scratch);
              },
          .results = {total},
          .composed = [=] { return std::vector<Tensor>{sqrt(sum(square(a.g)))}; }};
}

// ---- Batches ----

constexpr int64_t kImagePixels = 784, kImages = 10000;

Tensor noisy_images(const Setting& s) {
  std::vector<uint8_t> pixels(kImages * kImagePixels);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
  return Tensor::from(pixels, {kImages, kImagePixels}, s.device);
}

template <class T>
Case gather_batch(const Setting& s) {
  const int64_t batch = s.count(kImagePixels * (1 + s.element()));
  const Tensor images = noisy_images(s);
  const Tensor index = Generator(1, 3).integers({batch}, kImages, s.device),
               out = s.empty({batch, kImagePixels});
  return {.shape = message("{}x784", batch),
          .bytes = batch * (kImagePixels * (1 + s.element()) + 8),
          .run =
              [=, stream = s.stream(), to = out.mutable_data<T>()] {
                kernels::gather_normalize(stream, batch, kImagePixels, kImages, images.data<uint8_t>(),
                                          index.data<int64_t>(), T(2.0 / 255), T(-1), to);
              },
          .results = {out}};
}

/// As gather_batch, in a random order and in front of as many fakes.
template <class T>
Case drawn_batch(const Setting& s) {
  const int64_t batch = s.count(kImagePixels * (1 + 3 * s.element()));
  const Tensor images = noisy_images(s), fakes = s.numbers({batch, kImagePixels}, 1),
               out = s.empty({2 * batch, kImagePixels}),
               index = Tensor::zeros({batch}, {DType::i64, s.device});
  return {.shape = message("{}x784", batch),
          .bytes = batch * (kImagePixels * (1 + 3 * s.element()) + 8),
          .run =
              [=, stream = s.stream(), to = out.mutable_data<T>(), items = index.mutable_data<int64_t>()] {
                kernels::draw_rows(stream, kernels::PhiloxState{.seed = 1, .stream = 2}, batch, kImagePixels,
                                   kImages, images.data<uint8_t>(), T(2.0 / 255), T(-1), fakes.data<T>(),
                                   fakes.numel(), items, to);
              },
          .results = {out, index}};
}

template <class T>
Case line_points(const Setting& s) {
  const int64_t batch = s.count(3 * kImagePixels * s.element());
  const Tensor real = s.numbers({batch, kImagePixels}, 1), fake = s.numbers({batch, kImagePixels}, 2);
  const Tensor eps = s.numbers({batch, 1}, 3, 0, 1), out = s.empty({batch, kImagePixels});
  return {.shape = message("{}x784", batch),
          .bytes = batch * (3 * kImagePixels + 1) * s.element(),
          .run =
              [=, stream = s.stream(), to = out.mutable_data<T>()] {
                kernels::interpolate_line(stream, batch, kImagePixels, real.data<T>(), fake.data<T>(),
                                          eps.data<T>(), to);
              },
          .results = {out},
          .composed = [=] { return std::vector<Tensor>{eps * real + (1.0 - eps) * fake}; }};
}

/// Both batches and points between them, eps drawn on the way.
template <class T>
Case joined_lines(const Setting& s) {
  const int64_t batch = s.count(5 * kImagePixels * s.element());
  const Tensor real = s.numbers({batch, kImagePixels}, 1), fake = s.numbers({batch, kImagePixels}, 2);
  const Tensor out = s.empty({3 * batch, kImagePixels});
  return {.shape = message("{}x784", batch),
          .bytes = 5 * batch * kImagePixels * s.element(),
          .run =
              [=, stream = s.stream(), to = out.mutable_data<T>()] {
                kernels::join_with_line(stream, batch, kImagePixels, real.data<T>(), fake.data<T>(),
                                        kernels::PhiloxState{5, 1, nullptr, 9}, to);
              },
          .results = {out}};
}

template <class T>
Case dragan_points(const Setting& s) {
  const int64_t batch = s.count(3 * kImagePixels * s.element());
  const Tensor x = s.numbers({batch, kImagePixels}, 1), u = s.numbers({batch, kImagePixels}, 2, 0, 1);
  const Tensor alpha = s.numbers({batch, 1}, 3, 0, 1), out = s.empty({batch, kImagePixels});
  const Tensor work = s.empty({kernels::dragan_workspace(batch, kImagePixels)});
  return {.shape = message("{}x784", batch),
          .bytes = batch * (3 * kImagePixels + 1) * s.element(),
          .run =
              [=, stream = s.stream(), to = out.mutable_data<T>(), scratch = work.mutable_data<T>()] {
                (void)work;
                kernels::dragan_perturb(stream, batch, kImagePixels, x.data<T>(), alpha.data<T>(),
                                        u.data<T>(), to, scratch);
              },
          .results = {out},
          .composed =
              [=] {
                const Tensor deviation = sqrt(mean(square(x - mean(x))));
                return std::vector<Tensor>{x + alpha * (deviation * 0.5) * u};
              }};
}

/// The step's own arithmetic on the device, and the updates without a row of their own.
template <class T>
Case other_steps(const Setting& s) {
  const Arena<T> a = make_arena<T>(s, 3);
  const Tensor p = a.p.clone(), q = a.p.clone(), ema = s.numbers({a.n}, 3);
  const Tensor words = Tensor::zeros({sizeof(kernels::StepState) / 8}, {DType::f64, s.device});
  const Tensor factors = Tensor::zeros({3}, {DType::f64, s.device});
  return {.shape = std::to_string(a.n),
          .bytes = 3 * a.n * s.element(),
          .run =
              [=, stream = s.stream(), state = reinterpret_cast<kernels::StepState*>(words.mutable_raw()),
               rates = factors.mutable_data<double>(), to = p.mutable_data<T>(), to_q = q.mutable_data<T>(),
               velocity = a.first.template mutable_data<T>(), average = ema.mutable_data<T>()] {
                kernels::advance_step(stream, state, 0.5, 0.99);
                kernels::step_factors(stream, state, rates);
                kernels::sgd_step<T>(stream, a.n, a.segments, {.momentum = 0.9, .nesterov = true}, a.step(),
                                     to, velocity);
                kernels::average_step<T>(stream, a.n, a.step(), to_q,
                                         {.ema = average, .ema_decay = 0.9, .ema_warm_up = true});
              },
          .results = {words, factors, p, q, a.first, ema}};
}

/// Integers, orders of a data set, and the offset that a replayed graph moves.
template <class T>
Case whole_draws(const Setting& s) {
  const int64_t n = s.count(3 * 8);
  const TensorOptions whole{DType::i64, s.device};
  const Tensor drawn = Tensor::zeros({n}, whole), order = Tensor::zeros({n}, whole),
               items = Tensor::zeros({n}, whole), offset = Tensor::zeros({1}, whole);
  return {.shape = std::to_string(n),
          .bytes = 3 * 8 * n,
          .run =
              [=, stream = s.stream(), to = drawn.mutable_data<int64_t>(),
               to_order = order.mutable_data<int64_t>(), to_items = items.mutable_data<int64_t>(),
               at = reinterpret_cast<uint64_t*>(offset.mutable_data<int64_t>())] {
                const kernels::PhiloxState state{.seed = 1, .stream = 2, .offset = at, .addend = 5};
                kernels::random_integers(stream, state, n, 1000, to);
                kernels::permutation(stream, 1, 2, 3, 2 * n, 0, n, to_order);
                kernels::shuffled_items(stream, state, n, 1000, to_items);
                kernels::philox_advance(stream, at, kernels::philox_blocks(n));
              },
          .results = {drawn, order, items, offset}};
}

}  // namespace

std::vector<NamedCase> training_cases() {
  return {DUEL_BENCH("philox_uniform", "random", uniform_numbers),
          DUEL_BENCH("philox_normal", "random", normal_numbers),
          DUEL_BENCH("sgd", "optimizers", sgd),
          DUEL_BENCH("rmsprop", "optimizers", rmsprop),
          DUEL_BENCH("weight_clip", "optimizers", weight_clip),
          DUEL_BENCH("adam", "optimizers", adam),
          DUEL_BENCH("adam_clip_ema", "optimizers", adam_clip_ema),
          DUEL_BENCH("optimistic_adam", "optimizers", optimistic_adam),
          DUEL_BENCH("grad_norm", "optimizers", gradient_norm),
          DUEL_BENCH("gather_normalize", "batch", gather_batch),
          DUEL_BENCH("draw_rows", "batch", drawn_batch),
          DUEL_BENCH("interpolate_line", "batch", line_points),
          DUEL_VALUES("join_with_line", "batch", joined_lines),
          DUEL_BENCH("dragan_perturb", "batch", dragan_points),
          DUEL_VALUES("other_steps", "optimizers", other_steps),
          DUEL_VALUES("random_integers", "random", whole_draws)};
}

}  // namespace duel::apps::bench
