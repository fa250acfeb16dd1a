// Fused losses: each range writes its gradients and leaves one partial sum; the partial sums are added in
// range order.
#include "duel/kernels/map/losses.h"

#include "duel/kernels/base/lanes.cuh"
#include "duel/kernels/base/map.cuh"
#include "duel/kernels/map/functors.h"

namespace duel::kernels {
namespace {

constexpr int64_t kLossGrain = 4096;   // host: one partial sum per so many logits
constexpr int64_t kLossBlocks = 1024;  // device: at most so many partial sums
constexpr int64_t kOneBlock = 8192;    // device: so many logits are one block's, and one launch
constexpr int kLossUnroll = 4;         // logits of a thread under way at once

template <class L, class T>
struct SecondProduct {
  L loss;
  T divisor;
  DUEL_HD T operator()(T x, T g) const { return g * (loss.template second<T>(x) / divisor); }
};

#if DUEL_DEVICE_CODE
/// Block b leaves its sum / of_sum in sums[b].
template <class L, class T>
__global__ void loss_kernel(int64_t n, const T* logits, L loss, T divisor, T of_sum, T* sums, T* grad) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  Terms<1, T> sum{};
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; first < n;
       first += kLossUnroll * stride) {
    T x[kLossUnroll];
#pragma unroll
    for (int u = 0; u < kLossUnroll; ++u) x[u] = first + u * stride < n ? logits[first + u * stride] : T{0};
#pragma unroll
    for (int u = 0; u < kLossUnroll; ++u) {
      const int64_t i = first + u * stride;
      if (i >= n) break;
      if (grad != nullptr) grad[i] = loss.template first<T>(x[u]) / divisor;
      sum.v[0] += loss.template value<T>(x[u]);
    }
  }
  const auto total = block_sum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = total.v[0] / of_sum;
}

/// This thread's share of a side's sum, its gradients written; in loss_kernel's order for one block.
template <class L, class T>
__device__ __forceinline__ T side_sum(int64_t n, const T* logits, const L& loss, T divisor, T* grad) {
  T sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += kSumBlock) {
    const T x = logits[i];
    if (grad != nullptr) grad[i] = loss.template first<T>(x) / divisor;
    sum += loss.template value<T>(x);
  }
  return sum;
}

template <class T>
__device__ __forceinline__ T side_sum(int64_t n, const T* logits, const AnyLoss& any, T divisor, T* grad) {
  switch (any.kind) {
#define DUEL_SIDE(L)     \
  case AnyLoss::Kind::L: \
    return side_sum(n, logits, loss_of<L>(any), divisor, grad);
    DUEL_LOSSES(DUEL_SIDE)
#undef DUEL_SIDE
    case AnyLoss::Kind::none:
      break;
  }
  return T(0);
}

/// One block.
template <class T>
__global__ void loss_of_both_kernel(int64_t n, int64_t split, const T* logits, AnyLoss real, AnyLoss fake,
                                    T* value, T* grad) {
  const T of_real = static_cast<T>(split), of_fake = static_cast<T>(n - split);
  Terms<2, T> sums{};
  sums.v[0] = side_sum(split, logits, real, of_real, grad);
  sums.v[1] = side_sum(n - split, logits + split, fake, of_fake, grad != nullptr ? grad + split : nullptr);
  sums = block_sum(sums);
  if (threadIdx.x == 0) *value = sums.v[0] / of_real + sums.v[1] / of_fake;
}

template <class T>
__global__ void loss_combine_kernel(int64_t n, const T* partial, T divisor, T* value) {
  const auto total = block_sum(
      strided_terms<1, T>(threadIdx.x, n, blockDim.x, [&](int64_t i) { return Terms<1, T>{{partial[i]}}; }));
  if (threadIdx.x == 0) *value = total.v[0] / divisor;
}
#endif

}  // namespace

int64_t loss_workspace(int64_t n) {
  const int64_t host = (n + kLossGrain - 1) / kLossGrain;
  return host < kLossBlocks ? kLossBlocks : host;
}

template <class L, class T>
void loss_value_grad(Stream stream, int64_t n, const T* logits, L loss, std::type_identity_t<T> divisor,
                     T* value, std::type_identity_t<T>* grad, T* workspace) {
  DUEL_CHECK(n >= 0, "loss", "expected a number of logits of at least 0, got {}", n);
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    const int64_t wanted = n <= kOneBlock ? 1 : (n + kSumBlock * kLossUnroll - 1) / (kSumBlock * kLossUnroll);
    const int64_t blocks = wanted < kLossBlocks ? wanted : kLossBlocks;
    launch(loss_kernel<L, T>, dim3(static_cast<unsigned>(blocks)), dim3(kSumBlock), 0, stream, n, logits,
           loss, divisor, blocks == 1 ? divisor : T{1}, blocks == 1 ? value : workspace, grad);
    if (blocks == 1) return;
    launch(loss_combine_kernel<T>, dim3(1), dim3(kSumBlock), 0, stream, blocks, workspace, divisor, value);
    return;
  }
#endif
  (void)stream;
  parallel_for(n, kLossGrain, [&](int64_t begin, int64_t end) {
    const T* x = logits + begin;
    LaneSums<1, T> sums;
    if (grad != nullptr) {
      T* g = grad + begin;
      sums.add(end - begin, [=](int64_t i) {
        const T logit = x[i];
        g[i] = loss.template first<T>(logit) / divisor;
        return Terms<1, T>{{loss.template value<T>(logit)}};
      });
    } else {
      sums.add(end - begin, [=](int64_t i) { return Terms<1, T>{{loss.template value<T>(x[i])}}; });
    }
    workspace[begin / kLossGrain] = sums.fold().v[0];
  });
  double total = 0;
  for (int64_t r = 0; r < (n + kLossGrain - 1) / kLossGrain; ++r) total += static_cast<double>(workspace[r]);
  *value = static_cast<T>(total / static_cast<double>(divisor));
}

template <class T>
void loss_of_both(Stream stream, int64_t n, int64_t split, const T* logits, const AnyLoss& real,
                  const AnyLoss& fake, T* value, std::type_identity_t<T>* grad, T* workspace) {
  DUEL_CHECK(split >= 1 && n > split, "loss_of_both", "expected logits on both sides, got {} and {}", split,
             n - split);
  DUEL_CHECK(real.kind != AnyLoss::Kind::none && fake.kind != AnyLoss::Kind::none, "loss_of_both",
             "expected two losses");
#if DUEL_DEVICE_CODE
  if (stream.on_device() && split <= kOneBlock && n - split <= kOneBlock) {
    launch(loss_of_both_kernel<T>, dim3(1), dim3(kSumBlock), 0, stream, n, split, logits, real, fake, value,
           grad);
    return;
  }
#endif
  T* const sides = workspace + loss_workspace(n);
  const auto side = [&](const AnyLoss& any, int64_t begin, int64_t end, T* to) {
    with_loss(any, [&](const auto& loss) {
      loss_value_grad(stream, end - begin, logits + begin, loss, static_cast<T>(end - begin), to,
                      grad != nullptr ? grad + begin : nullptr, workspace);
    });
  };
  side(real, 0, split, sides);
  side(fake, split, n, sides + 1);
  map(stream, 1, Add{}, value, sides, sides + 1);
}

template <class L, class T>
void loss_d2(Stream stream, int64_t n, const T* logits, L loss, std::type_identity_t<T> divisor, const T* g,
             T* out) {
  DUEL_CHECK(n >= 0, "loss_d2", "expected a number of logits of at least 0, got {}", n);
  map(stream, n, SecondProduct<L, T>{loss, divisor}, out, logits, g);
}

#define DUEL_DEFINE_LOSS(L)                                                                            \
  template void loss_value_grad(Stream, int64_t, const float*, L, float, float*, float*, float*);      \
  template void loss_value_grad(Stream, int64_t, const double*, L, double, double*, double*, double*); \
  template void loss_d2(Stream, int64_t, const float*, L, float, const float*, float*);                \
  template void loss_d2(Stream, int64_t, const double*, L, double, const double*, double*);
DUEL_LOSSES(DUEL_DEFINE_LOSS)
template void loss_of_both(Stream, int64_t, int64_t, const float*, const AnyLoss&, const AnyLoss&, float*,
                           float*, float*);
template void loss_of_both(Stream, int64_t, int64_t, const double*, const AnyLoss&, const AnyLoss&, double*,
                           double*, double*);

}  // namespace duel::kernels
