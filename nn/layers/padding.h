// ZeroPad2d and ReflectionPad2d: a border around images, as in torch.nn.
//
// Example:  nn::ReflectionPad2d border(3);  nn::ZeroPad2d below({.bottom = 1});
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

/// Pixels of a border; one number stands for all four sides.
struct Border {
  int64_t left = 0, right = 0, top = 0, bottom = 0;
};

/// What both have in common: x [N, C, H, W] to [N, C, top + H + bottom, left + W + right].
class Pad2d : public Module {
 public:
  bool second_derivative_zero() const override { return true; }

  Border padding;

 protected:
  Pad2d(const char* name, Border padding);
  std::string describe_as(const char* name) const;
};

class ZeroPad2d : public Pad2d {
 public:
  explicit ZeroPad2d(Border border) : Pad2d("ZeroPad2d", border) {}
  explicit ZeroPad2d(int64_t all) : ZeroPad2d(Border{all, all, all, all}) {}
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return describe_as("ZeroPad2d"); }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<ZeroPad2d>(padding); }
};

/// The image mirrored in its outermost pixels, which are not repeated: d c b | a b c d. A border must be smaller
/// than the image.
class ReflectionPad2d : public Pad2d {
 public:
  explicit ReflectionPad2d(Border border) : Pad2d("ReflectionPad2d", border) {}
  explicit ReflectionPad2d(int64_t all) : ReflectionPad2d(Border{all, all, all, all}) {}
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return describe_as("ReflectionPad2d"); }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<ReflectionPad2d>(padding); }
};

}  // namespace duel::nn
