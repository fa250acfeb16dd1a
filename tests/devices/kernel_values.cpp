// kernel_values FILE [--host]: writes what every kernel family computes from fixed inputs, float and double,
// odd sizes.
//
// Built twice from this one source: duel_kernel_values runs the __global__ kernels on a GPU,
// duel_kernel_values_simt runs the same kernels under the harness of tests/simt on the CPU.
// tests/gpu_tools.py compares their files: this is how the harness is checked against the hardware that it
// stands for. --host takes the host loops instead.
//
// The file: per output the name's length (u32), the name, its kind ('f', 'd', 'q' or 'i' as Python's array
// has them), the number of elements (u64), the elements.
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "duel/kernels/base/runtime.h"
#include "duel/kernels/linear/conv.h"
#include "duel/kernels/linear/gemm.h"
#include "duel/kernels/map/activations.h"
#include "duel/kernels/map/functors.h"
#include "duel/kernels/map/losses.h"
#include "duel/kernels/map/movement.h"
#include "duel/kernels/map/random.h"
#include "duel/kernels/reduce/normalize.h"
#include "duel/kernels/reduce/pooling.h"
#include "duel/kernels/reduce/reduce.h"
#include "duel/kernels/reduce/sample_norm.h"
#include "duel/kernels/training/batch.h"
#include "duel/kernels/training/optimizers.h"

using namespace duel;
using namespace duel::kernels;

namespace {

bool on_host = false;
Stream stream;
std::FILE* out = nullptr;

struct Free {
  void operator()(void* pointer) const {
    on_host ? ::operator delete(pointer) : runtime::free_device(pointer);
  }
};

/// n elements where the kernels work.
template <class T>
class Array {
 public:
  explicit Array(int64_t n) : n_(n) {
    pointer_.reset(on_host ? ::operator new(bytes() + 1) : runtime::allocate_device(bytes() + 1));
    // Not-a-number in floating types: an element that nobody writes is seen.
    if (on_host)
      std::memset(pointer_.get(), 0xff, bytes());
    else
      runtime::fill_bytes(stream, pointer_.get(), 0xff, bytes());
  }
  explicit Array(const std::vector<T>& values) : Array(static_cast<int64_t>(values.size())) {
    if (on_host)
      std::memcpy(pointer_.get(), values.data(), bytes());
    else
      runtime::copy_to_device(stream, pointer_.get(), values.data(), bytes());
    if (!on_host) runtime::synchronize(stream);
  }
  operator T*() const { return static_cast<T*>(pointer_.get()); }

  void write(const std::string& name) const {
    std::vector<T> values(static_cast<size_t>(n_));
    if (on_host) {
      std::memcpy(values.data(), pointer_.get(), bytes());
    } else {
      runtime::copy_to_host(stream, values.data(), pointer_.get(), bytes());
      runtime::synchronize(stream);
    }
    const auto length = static_cast<uint32_t>(name.size());
    const auto count = static_cast<uint64_t>(n_);
    const char kind = std::is_same_v<T, float>    ? 'f'
                      : std::is_same_v<T, double> ? 'd'
                      : sizeof(T) == 8            ? 'q'
                                                  : 'i';
    std::fwrite(&length, sizeof length, 1, out);
    std::fwrite(name.data(), 1, name.size(), out);
    std::fwrite(&kind, 1, 1, out);
    std::fwrite(&count, sizeof count, 1, out);
    std::fwrite(values.data(), sizeof(T), values.size(), out);
  }

 private:
  size_t bytes() const { return static_cast<size_t>(n_) * sizeof(T); }
  int64_t n_;
  std::unique_ptr<void, Free> pointer_;
};

/// Numbers in [low, high) that every compiler makes alike.
template <class T>
Array<T> numbers(int64_t n, uint32_t seed, double low = -3, double high = 3) {
  std::vector<T> values(static_cast<size_t>(n));
  uint32_t state = seed * 2654435761u + 1;
  for (T& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<T>(low + (high - low) * static_cast<double>(state >> 8) * 0x1p-24);
  }
  return Array<T>(values);
}

template <class T>
std::string named(const std::string& name) {
  return name + (sizeof(T) == 4 ? " f32" : " f64");
}

constexpr int64_t kN = 1031;

template <class T, class A>
void activation_of(const std::string& name, A f) {
  const auto x = numbers<T>(kN, 1), g = numbers<T>(kN, 2);
  const Array<T> value(kN), first(kN), second(kN);
  activation(stream, kN, static_cast<const T*>(x), static_cast<T*>(value), f);
  activation_d1(stream, kN, static_cast<const T*>(x), static_cast<const T*>(g), static_cast<T*>(first), f);
  activation_d2(stream, kN, static_cast<const T*>(x), static_cast<const T*>(g), static_cast<T*>(second), f);
  value.write(named<T>(name));
  first.write(named<T>(name + " d1"));
  second.write(named<T>(name + " d2"));
}

template <class T, class F>
void unary_of(const std::string& name, F f, double low = -3) {
  const auto x = numbers<T>(kN, 3, low);
  const Array<T> y(kN);
  unary<F, T>(stream, kN, x, y, f);
  y.write(named<T>(name));
}

template <class T>
void maps() {
  activation_of<T>("relu", Relu{});
  activation_of<T>("leaky_relu", LeakyRelu{0.2});
  activation_of<T>("elu", Elu{});
  activation_of<T>("tanh", Tanh{});
  activation_of<T>("sigmoid", Sigmoid{});
  activation_of<T>("softplus", Softplus{});
  activation_of<T>("gelu", Gelu{});
  unary_of<T>("exp", Exp{});
  unary_of<T>("expm1", Expm1{});
  unary_of<T>("log", Log{}, 0.01);
  unary_of<T>("sqrt", Sqrt{}, 0);
  unary_of<T>("erf", Erf{});
  unary_of<T>("pow", PowScalar{2.5}, 0);
  const int64_t shape[] = {7, 1, 31}, first[] = {7, 5, 1}, all[] = {7, 5, 31};
  const auto a = numbers<T>(7 * 31, 4), b = numbers<T>(7 * 5, 5, 0.5);
  const Array<T> sum(7 * 5 * 31), quotient(7 * 5 * 31);
  binary<Add, T>(stream, make_broadcast(all, shape, first), a, b, sum);
  binary<Div, T>(stream, make_broadcast(all, shape, first), a, b, quotient);
  sum.write(named<T>("add, broadcast"));
  quotient.write(named<T>("div, broadcast"));
}

template <class T>
void reductions() {
  const int64_t shapes[][3] = {{1, 40009, 1}, {13, 257, 1}, {1, 300, 65}, {3, 70, 33}};
  for (const auto& [A, R, B] : shapes) {
    const auto x = numbers<T>(A * R * B, 7);
    const Array<T> sum(A * B), largest(A * B), smallest(A * B), work(reduce_workspace(A, R, B));
    sum_axes<T>(stream, A, R, B, x, sum, work, 0.5);
    max_axes<T>(stream, A, R, B, x, largest, work);
    min_axes<T>(stream, A, R, B, x, smallest, work);
    const std::string shape = " " + std::to_string(A) + "x" + std::to_string(R) + "x" + std::to_string(B);
    sum.write(named<T>("sum" + shape));
    largest.write(named<T>("max" + shape));
    smallest.write(named<T>("min" + shape));
  }
  const auto x = numbers<T>(37 * 53, 8);
  const Array<int64_t> index(37);
  argmax_rows<T>(stream, 37, 53, x, index);
  index.write(named<T>("argmax"));
}

template <class T>
void moves() {
  const int64_t shape[] = {5, 7, 3, 11};
  const int axes[] = {2, 0, 3, 1};
  const auto x = numbers<T>(5 * 7 * 3 * 11, 9);
  const Array<T> permuted(5 * 7 * 3 * 11), pooled(6 * 3 * 4), wide(6 * 12 * 16), rows(4 * 7);
  permute<T>(stream, 4, shape, axes, x, permuted);
  permuted.write(named<T>("permute"));
  sum_pool2d<T>(stream, 6, 6, 8, 2, x, pooled, 4);
  pooled.write(named<T>("pool"));
  const PoolShape windows{.planes = 6,
                          .h_in = 7,
                          .w_in = 8,
                          .kh = 3,
                          .kw = 2,
                          .stride_h = 2,
                          .stride_w = 1,
                          .pad_h = 1,
                          .pad_w = 1,
                          .h_out = 4,
                          .w_out = 9};
  const Array<T> largest(6 * 4 * 9), returned(6 * 7 * 8), sums(6 * 4 * 9), spread(6 * 7 * 8);
  const Array<int64_t> places(6 * 4 * 9);
  max_pool2d<T>(stream, windows, x, largest, places);
  largest.write(named<T>("max_pool"));
  return_to_planes<T>(stream, windows, x, places, returned);
  returned.write(named<T>("max_pool_backward"));
  window_sums<T>(stream, windows, x, sums, 6);
  sums.write(named<T>("window_sums"));
  window_sums_adjoint<T>(stream, windows, x, spread, 6);
  spread.write(named<T>("window_sums_adjoint"));
  upsample_nearest2d<T>(stream, 6, 6, 8, 2, x, wide);
  wide.write(named<T>("upsample"));
  const Array<int64_t> index(std::vector<int64_t>{3, 0, 3, 9});
  gather_rows<T>(stream, 4, 10, 7, x, index, rows);
  rows.write(named<T>("gather"));
  const auto scattered = numbers<T>(10 * 7, 36);  // added to
  scatter_add_rows<T>(stream, 4, 10, 7, x, index, scattered);
  scattered.write(named<T>("scatter_add"));
}

template <class T>
void draws() {
  const PhiloxState state{.seed = 5, .stream = 6, .addend = 7};
  const Array<T> flat(kN), bell(kN);
  uniform<T>(stream, state, kN, -1, 2, flat);
  normal<T>(stream, state, kN, 0.5, 2, bell);
  flat.write(named<T>("uniform"));
  bell.write(named<T>("normal"));
}

template <class T, class L>
void loss_of(const std::string& name, L loss) {
  const auto x = numbers<T>(kN, 10, -5, 5), g = numbers<T>(kN, 11);
  const Array<T> value(1), gradient(kN), second(kN), work(loss_workspace(kN));
  loss_value_grad(stream, kN, static_cast<const T*>(x), loss, T(100), static_cast<T*>(value),
                  static_cast<T*>(gradient), static_cast<T*>(work));
  loss_d2(stream, kN, static_cast<const T*>(x), loss, T(100), static_cast<const T*>(g),
          static_cast<T*>(second));
  value.write(named<T>(name));
  gradient.write(named<T>(name + " gradient"));
  second.write(named<T>(name + " d2"));
}

template <class T>
void losses() {
  loss_of<T>("bce", SigmoidBce{0.9});
  loss_of<T>("hinge", Hinge{-1});
  loss_of<T>("squared", SquaredDifference{1, 0.5});
  loss_of<T>("wasserstein", WassersteinMean{-1});
  const int64_t b = 13, m = 783;
  const auto x = numbers<T>(b * m, 12), g = numbers<T>(b, 13), gg = numbers<T>(b * m, 14);
  const Array<T> norm(b), dx(b * m), d_g(b), d_x(b * m);
  sample_norm<T>(stream, b, m, x, T(0), norm);
  sample_norm_backward<T>(stream, b, m, x, norm, g, dx);
  sample_norm_double_backward<T>(stream, b, m, x, norm, g, gg, d_g, d_x);
  norm.write(named<T>("sample_norm"));
  dx.write(named<T>("sample_norm backward"));
  d_g.write(named<T>("sample_norm double backward g"));
  d_x.write(named<T>("sample_norm double backward x"));
}

template <class T>
void norms() {
  const NormShape shapes[] = {batch_norm_shape(9, 5, 49), instance_norm_shape(4, 3, 77),
                              layer_norm_shape(11, 130)};
  const char* names[] = {"batch_norm", "instance_norm", "layer_norm"};
  for (int k = 0; k < 3; ++k) {
    const NormShape& s = shapes[k];
    const auto x = numbers<T>(s.size(), 15), dy = numbers<T>(s.size(), 16), v = numbers<T>(s.size(), 17);
    const auto gamma = numbers<T>(s.affine, 18), beta = numbers<T>(s.affine, 19);
    const Array<T> y(s.size()), mean(s.rows), rstd(s.rows), dx(s.size()), dgamma(s.affine), dbeta(s.affine);
    const Array<T> d_dy(s.size()), d_x(s.size()), d_gamma(s.affine), work(norm_workspace(s));
    norm_forward<T>(stream, s, x, gamma, beta, T(1e-5), y, mean, rstd);
    norm_backward<T>(stream, s, dy, x, mean, rstd, gamma, dx, dgamma, dbeta, work);
    const std::string name = names[k];
    norm_double_backward<T>(stream, s, dy, x, mean, rstd, gamma, {.dx = v}, d_dy, d_x, d_gamma, work);
    y.write(named<T>(name));
    rstd.write(named<T>(name + " rstd"));
    dx.write(named<T>(name + " dx"));
    dgamma.write(named<T>(name + " dgamma"));
    dbeta.write(named<T>(name + " dbeta"));
    d_dy.write(named<T>(name + " d_dy"));
    d_x.write(named<T>(name + " d_x"));
    d_gamma.write(named<T>(name + " d_gamma"));
  }
}

template <class T>
void optimizers() {
  const auto g = numbers<T>(kN, 20);
  GradSegments<T> segments;
  segments.add(g, 100);
  segments.add(nullptr, 31);
  segments.add(static_cast<T*>(g) + 131, kN - 131);
  const Array<uint8_t> memory(sizeof(StepState));
  auto* state = reinterpret_cast<StepState*>(static_cast<uint8_t*>(memory));
  const StepState begin{.step = 2, .lr = 1e-2};
  if (on_host)
    *state = begin;
  else
    runtime::copy_to_device(stream, state, &begin, sizeof begin), runtime::synchronize(stream);
  advance_step(stream, state, 0.5, 0.99);
  const auto p = numbers<T>(kN, 21), p2 = numbers<T>(kN, 21), p3 = numbers<T>(kN, 21),
             ema = numbers<T>(kN, 22);
  const auto m = numbers<T>(kN, 23), v = numbers<T>(kN, 24, 0), square = numbers<T>(kN, 25, 0),
             velocity = numbers<T>(kN, 26);
  adam_step<T>(stream, kN, segments, {.beta1 = 0.5, .beta2 = 0.99}, state, p, m, v,
               {.clip = 1, .ema = ema, .ema_decay = 0.9});
  rmsprop_step<T>(stream, kN, segments, {}, state, p2, square, nullptr);
  sgd_step<T>(stream, kN, segments, {.momentum = 0.9, .nesterov = true}, state, p3, velocity);
  const Array<T> total(1), each(3), work(grad_norm_workspace(kN, 3));
  grad_norm<T>(stream, segments, total, each, work);
  p.write(named<T>("adam"));
  m.write(named<T>("adam m"));
  v.write(named<T>("adam v"));
  ema.write(named<T>("adam ema"));
  p2.write(named<T>("rmsprop"));
  p3.write(named<T>("sgd"));
  total.write(named<T>("grad_norm"));
  each.write(named<T>("grad_norm of segments"));
}

template <class T>
void batches() {
  const int64_t b = 7, m = 131;
  std::vector<uint8_t> pixels(20 * m);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 + i / 100);
  const Array<uint8_t> source(pixels);
  const Array<int64_t> index(std::vector<int64_t>{0, 19, 3, 3, 11, 7, 2});
  const Array<T> batch(b * m), line(b * m), points(b * m), work(dragan_workspace(b, m));
  gather_normalize<T>(stream, b, m, 20, source, index, T(2.0 / 255), T(-1), batch);
  batch.write(named<T>("gather_normalize"));
  const auto fake = numbers<T>(b * m, 27), eps = numbers<T>(b, 28, 0, 1), u = numbers<T>(b * m, 29, 0, 1);
  interpolate_line<T>(stream, b, m, batch, fake, eps, line);
  dragan_perturb<T>(stream, b, m, batch, eps, u, points, work);
  line.write(named<T>("interpolate_line"));
  points.write(named<T>("dragan"));
}

template <class T>
void products() {
  const int64_t m = 37, n = 66, k = 129;
  const auto a = numbers<T>(m * k, 30), b = numbers<T>(k * n, 31), bias = numbers<T>(n, 32);
  for (const bool turned : {false, true}) {
    const Array<T> c(m * n);
    const Array<uint8_t> work(static_cast<int64_t>(gemm_workspace<T>(turned, turned, m, n, k, stream)));
    gemm_bias<T>(stream, turned, turned, m, n, k, a, b, bias, c, static_cast<uint8_t*>(work));
    c.write(named<T>(turned ? "gemm transposed" : "gemm"));
  }
  ConvShape thin{.n = 3,
                 .c_in = 1,
                 .h_in = 12,
                 .w_in = 12,
                 .c_out = 8,
                 .h_out = 6,
                 .w_out = 6,
                 .kh = 4,
                 .kw = 4,
                 .stride_h = 2,
                 .stride_w = 2,
                 .pad_h = 1,
                 .pad_w = 1};
  ConvShape wide = thin;
  wide.c_in = 5;
  for (const ConvShape& s : {thin, wide}) {
    const int64_t inside = s.n * s.c_in * 144, outside = s.n * s.c_out * 36, weights = s.c_out * s.c_in * 16;
    const auto x = numbers<T>(inside, 33), dy = numbers<T>(outside, 34), w = numbers<T>(weights, 35);
    const Array<T> y(outside), dx(inside), dw(weights);
    const auto work = [&](ConvPass pass) {
      return Array<uint8_t>(static_cast<int64_t>(conv2d_workspace<T>(s, pass, stream)));
    };
    const auto one = work(ConvPass::kForward), two = work(ConvPass::kInputGrad),
               three = work(ConvPass::kWeightGrad);
    conv2d<T>(stream, s, ConvPass::kForward, x, w, nullptr, y, static_cast<uint8_t*>(one));
    conv2d<T>(stream, s, ConvPass::kInputGrad, dy, w, nullptr, dx, static_cast<uint8_t*>(two));
    conv2d<T>(stream, s, ConvPass::kWeightGrad, x, dy, nullptr, dw, static_cast<uint8_t*>(three));
    const std::string name = s.c_in == 1 ? "thin conv" : "conv";
    y.write(named<T>(name));
    dx.write(named<T>(name + " dx"));
    dw.write(named<T>(name + " dw"));
  }
}

template <class T>
void all() {
  maps<T>();
  reductions<T>();
  moves<T>();
  draws<T>();
  losses<T>();
  norms<T>();
  optimizers<T>();
  batches<T>();
  products<T>();
}

}  // namespace

int main(int argc, char** argv) {
  on_host = argc == 3 && std::string(argv[2]) == "--host";
  if (argc != 2 && !on_host) {
    std::fputs("usage: kernel_values FILE [--host]\n", stderr);
    return 2;
  }
  try {
    if (!on_host && runtime::availability().devices == 0) {
      std::fprintf(stderr, "kernel_values: %s\n", runtime::availability().reason.c_str());
      return 77;
    }
    out = std::fopen(argv[1], "wb");
    if (!out) {
      std::fprintf(stderr, "kernel_values: %s cannot be written\n", argv[1]);
      return 2;
    }
    if (!on_host) stream = runtime::create_stream();
    all<float>();
    all<double>();
    if (!on_host) runtime::destroy_stream(stream);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel_values: %s\n", error.what());
    return 1;
  }
  return std::fclose(out) == 0 ? 0 : 1;
}
