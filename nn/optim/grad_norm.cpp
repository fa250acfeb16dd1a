#include "duel/nn/optim/grad_norm.h"

#include <algorithm>
#include <iterator>

#include "duel/core/device/workspace.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/training/optimizers.h"

namespace duel::nn {
namespace {

/// The norms of gradients [begin, end) into each[begin, end), and the norm of them all into *total.
template <class T>
void norms_of_part(const std::vector<Tensor>& gradients, size_t begin, size_t end, T* total, T* each,
                   Device device) {
  kernels::GradSegments<T> segments;
  int64_t size = 0;
  for (size_t i = begin; i < end; ++i) {
    const Tensor& g = gradients[i];
    segments.add(g.defined() ? g.data<T>() : nullptr, g.defined() ? g.numel() : 0);
    size += g.defined() ? g.numel() : 0;
  }
  duel::detail::Workspace workspace(
      device, static_cast<size_t>(kernels::grad_norm_workspace(size, segments.count)) * sizeof(T));
  kernels::grad_norm<T>(stream_of(device), segments, total, each + begin, workspace.template as<T>());
}

}  // namespace

GradientNorms gradient_norms(const std::vector<Tensor>& gradients) {
  const auto first =
      std::find_if(gradients.begin(), gradients.end(), [](const Tensor& g) { return g.defined(); });
  const auto count = static_cast<int64_t>(gradients.size());
  if (first == gradients.end()) return {Tensor::zeros({}), Tensor::zeros({count})};
  const TensorOptions options = first->options();
  for (const Tensor& g : gradients) {
    DUEL_CHECK(!g.defined() || (g.dtype() == options.dtype && g.device() == options.device), "gradient_norms",
               "expected gradients of one dtype on one device, got {} and {}", to_text(*first), to_text(g));
  }
  constexpr size_t limit = kernels::kMaxSegments;
  const size_t parts = (gradients.size() + limit - 1) / limit;
  GradientNorms norms{Tensor::empty({}, options), Tensor::empty({count}, options)};
  const Tensor totals = parts == 1 ? norms.total : Tensor::empty({static_cast<int64_t>(parts)}, options);
  DUEL_DISPATCH(options.dtype, "gradient_norms", {
    for (size_t part = 0; part < parts; ++part) {
      norms_of_part<T>(gradients, part * limit, std::min(gradients.size(), (part + 1) * limit),
                       totals.mutable_data<T>() + part, norms.each.mutable_data<T>(), options.device);
    }
  });
  // The norm of the parts' norms is the norm of all.
  if (parts > 1) norms.total = gradient_norms({totals}).total;
  // Numbers to look at, not to differentiate: a gradient that is asked for must not be silently zero.
  std::vector<Tensor> given;
  std::copy_if(gradients.begin(), gradients.end(), std::back_inserter(given),
               [](const Tensor& g) { return g.defined(); });
  norms.total = record("gradient_norms", norms.total, given, {}, not_differentiable("gradient_norms", 1));
  norms.each = record("gradient_norms", norms.each, given, {}, not_differentiable("gradient_norms", 1));
  return norms;
}

}  // namespace duel::nn
