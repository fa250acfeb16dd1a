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
  begin_kernel();
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

/// One walk of a block over a side: the loss of x = logit - partner - centre, and what its derivative is written as:
/// grad = factor ((derivative - less) / n), and the opposite where somebody is the partner.
template <class T>
struct SideWalk {
  LossSide<T> side;
  const T* partner = nullptr;
  T* opposite = nullptr;
  T centre = 0, less = 0, factor = 1;
  bool writes = true;

  /// This thread's share of the sums of value and derivative; in loss_kernel's order for one block.
  template <class L>
  __device__ __forceinline__ Terms<2, T> by(const L& loss) const {
    Terms<2, T> sums{};
    const T n = static_cast<T>(side.n);
    for (int64_t i = threadIdx.x; i < side.n; i += kSumBlock) {
      T x = side.logits[i];
      if (partner != nullptr) x -= partner[i];
      x -= centre;
      const T first = loss.template first<T>(x), derivative = factor * ((first - less) / n);
      if (writes && side.grad != nullptr) side.grad[i] = derivative;
      if (opposite != nullptr) opposite[i] = -derivative;
      sums.v[0] += loss.template value<T>(x);
      sums.v[1] += first;
    }
    return sums;
  }
  __device__ __forceinline__ Terms<2, T> walk() const {
    switch (side.loss.kind) {
#define DUEL_SIDE(L)     \
  case AnyLoss::Kind::L: \
    return by(loss_of<L>(side.loss));
      DUEL_LOSSES(DUEL_SIDE)
#undef DUEL_SIDE
      case AnyLoss::Kind::none:
        break;
    }
    return {};
  }
};

/// One block. It walks over each side; against means twice, as every derivative needs the other side's mean derivative, and
/// against partners over one alone.
template <class T>
__global__ void __launch_bounds__(kSumBlock)
    loss_of_sides_kernel(Against against, LossSide<T> one, LossSide<T> other, T* value) {
  begin_kernel();
  const T of_one = static_cast<T>(one.n), of_other = static_cast<T>(other.n);
  T mean_one = 0, mean_other = 0;
  const bool means = against == Against::mean;
  if (means) {
    Terms<2, T> mine{};
    for (int64_t i = threadIdx.x; i < one.n; i += kSumBlock) mine.v[0] += one.logits[i];
    for (int64_t i = threadIdx.x; i < other.n; i += kSumBlock) mine.v[1] += other.logits[i];
    const auto totals = block_sum(mine);
    mean_one = totals.v[0] / of_one, mean_other = totals.v[1] / of_other;
  }
  const int walks = means ? 4 : against == Against::partner ? 1 : 2;
  Terms<4, T> sums{};  // value and derivative of one, of other
  T less_of_one = 0, less_of_other = 0;
#pragma unroll 1
  for (int k = 0; k < walks; ++k) {
    const bool second = k % 2 == 1;
    SideWalk<T> it;
    it.side = second ? other : one;
    if (against == Against::partner) it.partner = other.logits, it.opposite = other.grad;
    if (means) {
      it.centre = second ? mean_one : mean_other;
      it.less = second ? less_of_other : less_of_one;
      it.factor = T(0.5);
      it.writes = k >= 2;
    }
    const Terms<2, T> found = it.walk();
    if (k >= 2) continue;
    if (second) {
      sums.v[2] = found.v[0], sums.v[3] = found.v[1];
    } else {
      sums.v[0] = found.v[0], sums.v[1] = found.v[1];
    }
    if (k + 1 != walks && !(means && second)) continue;
    sums = block_sum(sums);
    less_of_one = sums.v[3] / of_other, less_of_other = sums.v[1] / of_one;
  }
  if (threadIdx.x != 0) return;
  if (against == Against::partner) {
    *value = sums.v[0] / of_one;
  } else {
    const T both = sums.v[0] / of_one + sums.v[2] / of_other;
    *value = means ? T(0.5) * both : both;
  }
}

template <class T>
__global__ void loss_combine_kernel(int64_t n, const T* partial, T divisor, T* value) {
  begin_kernel();
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

int64_t loss_of_sides_workspace(int64_t one, int64_t other) {
  return loss_workspace(one > other ? one : other) + 2 + 2 * (one + other);
}

namespace {

/// Host: the mean of the loss of every x and of its derivative, which goes to `first`.
template <class T>
struct Means {
  T value, first;
};
// A function for each loss, whose loop g++ vectorises or not for itself.
template <class L, class T>
__attribute__((noinline)) Means<T> means_by(const L& loss, int64_t n, const T* x, T* first) {
  LaneSums<2, T> sums;
  sums.add(n, [=](int64_t i) {
    const T logit = x[i], derivative = loss.template first<T>(logit);
    first[i] = derivative;
    return Terms<2, T>{{loss.template value<T>(logit), derivative}};
  });
  const Terms<2, T> total = sums.fold();
  return {total.v[0] / static_cast<T>(n), total.v[1] / static_cast<T>(n)};
}
template <class T>
Means<T> means_of(const AnyLoss& any, int64_t n, const T* x, T* first) {
  return with_loss(any, [&](const auto& loss) { return means_by(loss, n, x, first); });
}

template <class T>
T mean_on_host(int64_t n, const T* x) {
  LaneSums<1, T> sums;
  sums.add(n, [=](int64_t i) { return Terms<1, T>{{x[i]}}; });
  return sums.fold().v[0] / static_cast<T>(n);
}

}  // namespace

template <class T>
void loss_of_sides(Stream stream, Against against, const LossSide<T>& one, const LossSide<T>& other, T* value,
                   T* workspace) {
  DUEL_CHECK(one.n >= 1 && other.n >= 1, "loss_of_sides", "expected logits on both sides, got {} and {}",
             one.n, other.n);
  DUEL_CHECK(one.loss.kind != AnyLoss::Kind::none &&
                 (against == Against::partner || other.loss.kind != AnyLoss::Kind::none),
             "loss_of_sides", "expected two losses");
  DUEL_CHECK(against != Against::partner || one.n == other.n, "loss_of_sides",
             "expected a partner for each logit, got {} and {}", one.n, other.n);
  const bool small = one.n <= kOneBlock && other.n <= kOneBlock;
#if DUEL_DEVICE_CODE
  if (stream.on_device() && (small || against != Against::nothing)) {
    launch(loss_of_sides_kernel<T>, dim3(1), dim3(kSumBlock), 0, stream, against, one, other, value);
    return;
  }
#endif
  if (against == Against::nothing) {
    T* const sides = workspace + loss_workspace(one.n > other.n ? one.n : other.n);
    const auto side = [&](const LossSide<T>& of, T* to) {
      with_loss(of.loss, [&](const auto& loss) {
        loss_value_grad(stream, of.n, of.logits, loss, static_cast<T>(of.n), to, of.grad, workspace);
      });
    };
    side(one, sides);
    side(other, sides + 1);
    return map(stream, 1, Add{}, value, sides, sides + 1);
  }
  (void)small;
  // What both see, and its derivatives.
  const int64_t n = one.n, m = other.n;
  T *const x = workspace, *const y = x + n, *const by_x = y + m, *const by_y = by_x + n;
  if (against == Against::partner) {
    for (int64_t i = 0; i < n; ++i) x[i] = one.logits[i] - other.logits[i];
    *value = means_of(one.loss, n, x, by_x).value;
    for (int64_t i = 0; i < n; ++i) {
      const T derivative = by_x[i] / static_cast<T>(n);
      if (one.grad != nullptr) one.grad[i] = derivative;
      if (other.grad != nullptr) other.grad[i] = -derivative;
    }
    return;
  }
  const T mean_one = mean_on_host(n, one.logits), mean_other = mean_on_host(m, other.logits);
  for (int64_t i = 0; i < n; ++i) x[i] = one.logits[i] - mean_other;
  for (int64_t i = 0; i < m; ++i) y[i] = other.logits[i] - mean_one;
  const Means<T> a = means_of(one.loss, n, x, by_x), b = means_of(other.loss, m, y, by_y);
  // A side's own terms, and through its mean those of the other side.
  for (int64_t i = 0; i < n && one.grad != nullptr; ++i)
    one.grad[i] = T(0.5) * ((by_x[i] - b.first) / static_cast<T>(n));
  for (int64_t i = 0; i < m && other.grad != nullptr; ++i)
    other.grad[i] = T(0.5) * ((by_y[i] - a.first) / static_cast<T>(m));
  *value = T(0.5) * (a.value + b.value);
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
template void loss_of_sides(Stream, Against, const LossSide<float>&, const LossSide<float>&, float*, float*);
template void loss_of_sides(Stream, Against, const LossSide<double>&, const LossSide<double>&, double*,
                            double*);

}  // namespace duel::kernels
