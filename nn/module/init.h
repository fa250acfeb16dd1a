// Initialisers with torch.nn.init's names and formulas. They overwrite a tensor (a parameter too) outside any
// graph.
//
// Example, DCGAN's weights:
//   net.apply([](nn::Module& m) {
//     if (auto* layer = dynamic_cast<nn::WeightLayer*>(&m)) nn::init::normal_(layer->weight, 0.0, 0.02);
//   });
#pragma once

#include "duel/core/tensor/random.h"
#include "duel/core/tensor/tensor.h"

namespace duel::nn::init {

/// Which side of a layer a scaled initialiser keeps the variance of: forward signals or gradients.
enum class Fan { in, out };

/// Inputs of one output of a weight [out, in, …]: in times the kernel's pixels. At least 2 axes. As PyTorch
/// counts it, also for ConvTranspose2d's [in, out, K, K].
int64_t fan_in(const Shape& weight);
int64_t fan_out(const Shape& weight);

void constant_(const Tensor& tensor, double value);
void uniform_(const Tensor& tensor, double low = 0.0, double high = 1.0,
              Generator& generator = default_generator());
void normal_(const Tensor& tensor, double mean = 0.0, double deviation = 1.0,
             Generator& generator = default_generator());

/// He et al. 2015 for leaky ReLU of slope a (0: ReLU, 1: linear): deviation sqrt(2 / (1 + a^2)) / sqrt(fan).
void kaiming_uniform_(const Tensor& tensor, double a = 0.0, Fan fan = Fan::in,
                      Generator& generator = default_generator());
void kaiming_normal_(const Tensor& tensor, double a = 0.0, Fan fan = Fan::in,
                     Generator& generator = default_generator());

/// Glorot & Bengio 2010: uniform within gain sqrt(6 / (fan_in + fan_out)).
void xavier_uniform_(const Tensor& tensor, double gain = 1.0, Generator& generator = default_generator());

/// Saxe et al. 2013: rows (or columns, if there are fewer) of the [out, rest] matrix orthonormal, times gain.
void orthogonal_(const Tensor& tensor, double gain = 1.0, Generator& generator = default_generator());

}  // namespace duel::nn::init
