// Activations as layers, with PyTorch's names and defaults. ReLU, LeakyReLU and PReLU are piecewise linear and
// say so, which makes gradient penalties over them cheaper; the others are not.
#pragma once

#include <typeinfo>

#include "duel/nn/module/module.h"

namespace duel::nn {

class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  Activation activation() const override {
    return typeid(*this) == typeid(ReLU) ? Activation(kernels::Relu{}) : Activation();
  }
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override { return "ReLU()"; }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<ReLU>(); }
};

class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(double slope = 0.01) : negative_slope(slope) {}
  Tensor forward(const Tensor& x) override;
  Activation activation() const override {
    return typeid(*this) == typeid(LeakyReLU) ? Activation(kernels::LeakyRelu{negative_slope}) : Activation();
  }
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;
  double negative_slope;

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<LeakyReLU>(negative_slope); }
};

/// x above 0, weight x below: a learned slope for all channels (axis 1), or one for each.
class PReLU : public Module {
 public:
  explicit PReLU(int64_t num_parameters = 1, double init = 0.25);
  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;
  int64_t num_parameters;
  Tensor weight;  // [num_parameters]

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<PReLU>(num_parameters); }
};

/// x above 0, alpha (exp(x) - 1) below.
class ELU : public Module {
 public:
  explicit ELU(double alpha_ = 1.0) : alpha(alpha_) {}
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;
  double alpha;

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<ELU>(alpha); }
};

class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  Activation activation() const override {
    return typeid(*this) == typeid(Tanh) ? Activation(kernels::Tanh{}) : Activation();
  }
  std::string describe() const override { return "Tanh()"; }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<Tanh>(); }
};

class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return "Sigmoid()"; }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<Sigmoid>(); }
};

/// log(1 + exp(beta x)) / beta, exact for large |x| (PyTorch goes over to x itself at beta x > 20).
class Softplus : public Module {
 public:
  explicit Softplus(double beta_ = 1.0);
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;
  double beta;

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<Softplus>(beta); }
};

/// x Phi(x), the exact form.
class GELU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return "GELU()"; }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<GELU>(); }
};

/// x sigmoid(x).
class SiLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return "SiLU()"; }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<SiLU>(); }
};

}  // namespace duel::nn
