#include "duel/nn/blocks/self_attention.h"

#include <algorithm>

#include "duel/core/ops/linear/matmul.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/reduce/pooling.h"
#include "duel/core/ops/reduce/softmax.h"
#include "duel/nn/layers/conv2d.h"
#include "duel/nn/norm/spectral_norm.h"

namespace duel::nn {
namespace {

constexpr int64_t kKeys = 8, kValues = 2;  // channels of the input for one of keys and queries, of values

std::shared_ptr<Module> one_by_one(int64_t in, int64_t out, bool spectral_norm) {
  return with_spectral_norm(spectral_norm, Conv2d(in, out, 1, {.bias = false}));
}

}  // namespace

SelfAttention2d::SelfAttention2d(int64_t c, SelfAttention2dOptions o) : channels(c), options(o) {
  DUEL_CHECK(c >= 1, "SelfAttention2d", "expected at least 1 channel, got {}", c);
  const int64_t keys = std::max<int64_t>(c / kKeys, 1), values = std::max<int64_t>(c / kValues, 1);
  query = register_module("query", one_by_one(c, keys, o.spectral_norm));
  key = register_module("key", one_by_one(c, keys, o.spectral_norm));
  value = register_module("value", one_by_one(c, values, o.spectral_norm));
  out = register_module("out", one_by_one(values, c, o.spectral_norm));
  gamma = register_parameter("gamma", Tensor::zeros({1}));
}

Tensor SelfAttention2d::pooled(const Tensor& x) const {
  return (options.pool && x.dim(2) % 2 == 0 && x.dim(3) % 2 == 0 ? max_pool2d(x, 2) : x).flatten(2);
}

Tensor SelfAttention2d::attention(const Tensor& x) {
  DUEL_CHECK(x.rank() == 4 && x.dim(1) == channels, "SelfAttention2d",
             "expected an input [N, {}, H, W], got {}", channels, x.shape());
  const Tensor q = (*query)(x).flatten(2);
  const Tensor k = pooled((*key)(x));
  return softmax(matmul(q, k, /*transpose_a=*/true));
}

Tensor SelfAttention2d::forward(const Tensor& x) {
  const Tensor looks = attention(x);
  const Tensor v = pooled((*value)(x));
  const Tensor seen = matmul(v, looks, false, /*transpose_b=*/true);
  return x + gamma * (*out)(seen.reshape(x.shape().with(1, v.dim(1))));
}

std::string SelfAttention2d::describe() const {
  return message("SelfAttention2d({}, spectral_norm={}, pool={})", channels,
                 detail::truth(options.spectral_norm), detail::truth(options.pool));
}

}  // namespace duel::nn
