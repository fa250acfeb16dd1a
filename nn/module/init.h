// Initialisers with torch.nn.init's names and formulas. They overwrite a tensor (a parameter too) outside any
// graph.
//
// Example, DCGAN's weights:
//   net.apply([](nn::Module& m) {
//     if (auto* layer = dynamic_cast<nn::WeightLayer*>(&m)) nn::init::normal_(layer->weight, 0.0, 0.02);
//   });
#pragma once

#include <string_view>

#include "duel/core/tensor/random.h"
#include "duel/core/tensor/tensor.h"

namespace duel::nn::init {

/// Which side of a layer a scaled initialiser keeps the variance of: forward signals or gradients.
enum class Fan { in, out };

/// Inputs of one output of a weight [out, in, …]: in times the kernel's pixels. At least 2 axes. As PyTorch
/// counts it, also for ConvTranspose2d's [in, out, K, K].
int64_t fan_in(const Shape& weight);
int64_t fan_out(const Shape& weight);

/// What an activation does to the deviation of signals of deviation 1, for the gain of the initialisers below:
/// "linear", "conv2d", "conv_transpose2d" and "sigmoid" 1, "tanh" 5 / 3, "relu" sqrt(2), "leaky_relu"
/// sqrt(2 / (1 + param^2)), "selu" 3 / 4.
double calculate_gain(std::string_view nonlinearity, double param = 0.01);

/// 0, 1 or `value` everywhere.
void zeros_(const Tensor& tensor);
void ones_(const Tensor& tensor);
void constant_(const Tensor& tensor, double value);
/// Uniform in [low, high), and N(mean, deviation^2).
void uniform_(const Tensor& tensor, double low = 0.0, double high = 1.0,
              Generator& generator = default_generator());
void normal_(const Tensor& tensor, double mean = 0.0, double deviation = 1.0,
             Generator& generator = default_generator());

/// N(mean, deviation^2) within [low, high] alone: the distribution's inverse at uniform numbers, so no value is
/// drawn twice. Computed on the host.
void trunc_normal_(const Tensor& tensor, double mean = 0.0, double deviation = 1.0, double low = -2.0,
                   double high = 2.0, Generator& generator = default_generator());

/// He et al. 2015 for leaky ReLU of slope a (0: ReLU, 1: linear): deviation sqrt(2 / (1 + a^2)) / sqrt(fan).
void kaiming_uniform_(const Tensor& tensor, double a = 0.0, Fan fan = Fan::in,
                      Generator& generator = default_generator());
void kaiming_normal_(const Tensor& tensor, double a = 0.0, Fan fan = Fan::in,
                     Generator& generator = default_generator());

/// Glorot & Bengio 2010: uniform within gain sqrt(6 / (fan_in + fan_out)); normal of deviation
/// gain sqrt(2 / (fan_in + fan_out)).
void xavier_uniform_(const Tensor& tensor, double gain = 1.0, Generator& generator = default_generator());
void xavier_normal_(const Tensor& tensor, double gain = 1.0, Generator& generator = default_generator());

/// Saxe et al. 2013: rows (or columns, if there are fewer) of the [out, rest] matrix orthonormal, times gain.
void orthogonal_(const Tensor& tensor, double gain = 1.0, Generator& generator = default_generator());

}  // namespace duel::nn::init
