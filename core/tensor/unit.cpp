#include "duel/core/tensor/internal/unit.h"

#include <mutex>
#include <vector>

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/kernels/base/runtime.h"

namespace duel::detail {

Tensor unit(const Shape& shape, TensorOptions options) {
  constexpr int64_t kMost = 1 << 16;  // elements: nobody gives their memory back
  if (shape.numel() > kMost) return Tensor::ones(shape, options);
  static std::mutex mutex;
  // Never destroyed: the device may be gone before.
  static auto* const all = new std::vector<Tensor>;
  std::scoped_lock lock(mutex);
  for (const Tensor& each : *all) {
    if (each.shape() == shape && each.dtype() == options.dtype && each.device() == options.device)
      return each;
  }
  if (options.device.is_cuda() && kernels::runtime::capturing(stream_of(options.device)))
    return Tensor::ones(shape, options);
  const Tensor ones = Tensor::ones(shape, options);
  synchronize(options.device);  // every stream finds them
  ones.impl()->storage->unit = true;
  all->push_back(ones);
  return ones;
}

bool is_unit(const Tensor& tensor) { return tensor.defined() && tensor.impl()->storage->unit; }

Tensor own_copy(const Tensor& tensor) {
  if (!is_unit(tensor)) return tensor;
  const NoGrad no_grad;
  return tensor.clone();
}

}  // namespace duel::detail
