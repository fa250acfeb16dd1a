// Pooling as pairs of adjoints: sums over windows and their return, each with a divisor; elements taken at an index and
// returned to it.
#include "duel/core/ops/reduce/pooling.h"

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/kernels/map/movement.h"
#include "duel/kernels/reduce/pooling.h"

namespace duel {
namespace {

using Grads = std::vector<Tensor>;
using kernels::PoolShape;

Tensor spread(const char* op, const Tensor& x, int64_t k, double divisor);

/// (The sum of every k x k window, side by side) / divisor. d<y, g>/dx = g repeated, / divisor.
Tensor pooled(const char* op, const Tensor& x, int64_t k, double divisor) {
  const int64_t height = x.dim(2), width = x.dim(3);
  Tensor y = Tensor::empty({x.dim(0), x.dim(1), height / k, width / k}, x.options());
  DUEL_DISPATCH(x.dtype(), op,
                kernels::sum_pool2d<T>(stream_of(x.device()), x.dim(0) * x.dim(1), height, width, k,
                                       x.data<T>(), y.mutable_data<T>(), divisor));
  DUEL_OP_SAYS({"kernel_size", k}, {"stride", k}, {"padding", int64_t{0}},
               {"divisor_override", static_cast<int64_t>(divisor)});
  return record(op, y, {x}, {}, [k, divisor](const RuleContext&, const Tensor& g) -> Grads {
    return {spread("upsample_nearest2d", g, k, divisor)};
  });
}

/// Every pixel repeated, / divisor. d<y, g>/dx = (window sums of g) / divisor.
Tensor spread(const char* op, const Tensor& x, int64_t k, double divisor) {
  const int64_t height = x.dim(2), width = x.dim(3);
  Tensor y = Tensor::empty({x.dim(0), x.dim(1), height * k, width * k}, x.options());
  DUEL_DISPATCH(x.dtype(), op,
                kernels::upsample_nearest2d<T>(stream_of(x.device()), x.dim(0) * x.dim(1), height, width, k,
                                               x.data<T>(), y.mutable_data<T>(), divisor));
  DUEL_OP_SAYS({"scale_factor", k});
  return record(op, y, {x}, {}, [k, divisor](const RuleContext&, const Tensor& g) -> Grads {
    return {pooled("avg_pool2d", g, k, divisor)};
  });
}

PoolShape windows(const char* op, const Tensor& x, Size2d kernel, Size2d stride, Size2d padding) {
  if (stride == Size2d{}) stride = kernel;
  DUEL_CHECK(x.rank() == 4, op, "expected [N, C, H, W], got {}", x.shape());
  DUEL_CHECK(kernel.h >= 1 && kernel.w >= 1 && stride.h >= 1 && stride.w >= 1, op,
             "expected a kernel and a stride of at least 1, got {} and {}", kernel, stride);
  DUEL_CHECK(padding.h >= 0 && padding.w >= 0 && 2 * padding.h <= kernel.h && 2 * padding.w <= kernel.w, op,
             "expected a padding of 0 to half the kernel {}, got {}", kernel, padding);
  const int64_t room_h = x.dim(2) + 2 * padding.h - kernel.h, room_w = x.dim(3) + 2 * padding.w - kernel.w;
  DUEL_CHECK(room_h >= 0 && room_w >= 0, op, "a window of {} does not fit into {} with padding {}", kernel,
             x.shape(), padding);
  return {.planes = x.dim(0) * x.dim(1),
          .h_in = x.dim(2),
          .w_in = x.dim(3),
          .kh = kernel.h,
          .kw = kernel.w,
          .stride_h = stride.h,
          .stride_w = stride.w,
          .pad_h = padding.h,
          .pad_w = padding.w,
          .h_out = room_h / stride.h + 1,
          .w_out = room_w / stride.w + 1};
}

void say_windows(const PoolShape& s) {
  DUEL_OP_SAYS({"kernel_size", std::vector{s.kh, s.kw}}, {"stride", std::vector{s.stride_h, s.stride_w}},
               {"padding", std::vector{s.pad_h, s.pad_w}});
}

Shape in_shape(const Tensor& x, const PoolShape& s) { return {x.dim(0), x.dim(1), s.h_in, s.w_in}; }
Shape out_shape(const Tensor& x, const PoolShape& s) { return {x.dim(0), x.dim(1), s.h_out, s.w_out}; }

Tensor window_sums_adjoint(const Tensor& g, const PoolShape& s, double divisor);

/// (The sum of every window) / divisor.
Tensor window_sums(const Tensor& x, const PoolShape& s, double divisor) {
  Tensor y = Tensor::empty(out_shape(x, s), x.options());
  DUEL_DISPATCH(x.dtype(), "avg_pool2d",
                kernels::window_sums<T>(stream_of(x.device()), s, x.data<T>(), y.mutable_data<T>(), divisor));
  say_windows(s);
  return record("avg_pool2d", y, {x}, {}, [s, divisor](const RuleContext&, const Tensor& g) -> Grads {
    return {window_sums_adjoint(g, s, divisor)};
  });
}

Tensor window_sums_adjoint(const Tensor& g, const PoolShape& s, double divisor) {
  Tensor dx = Tensor::empty(in_shape(g, s), g.options());
  DUEL_DISPATCH(
      g.dtype(), "avg_pool2d_grad",
      kernels::window_sums_adjoint<T>(stream_of(g.device()), s, g.data<T>(), dx.mutable_data<T>(), divisor));
  return record("avg_pool2d_grad", dx, {g}, {}, [s, divisor](const RuleContext&, const Tensor& gg) -> Grads {
    return {window_sums(gg, s, divisor)};
  });
}

Tensor returned(const Tensor& g, const Tensor& index, const PoolShape& s);

/// y of the windows' shape, x's elements at `index`: linear in x, as its adjoint is.
Tensor taken(const Tensor& x, const Tensor& index, const PoolShape& s) {
  Tensor y = Tensor::empty(out_shape(x, s), x.options());
  DUEL_DISPATCH(x.dtype(), "max_pool2d",
                kernels::take_from_planes<T>(stream_of(x.device()), s, x.data<T>(), index.data<int64_t>(),
                                             y.mutable_data<T>()));
  return record("max_pool2d", y, {x}, {index}, [s](const RuleContext& ctx, const Tensor& g) -> Grads {
    return {returned(g, ctx.saved(0), s)};
  });
}

Tensor returned(const Tensor& g, const Tensor& index, const PoolShape& s) {
  Tensor dx = Tensor::empty(in_shape(g, s), g.options());
  DUEL_DISPATCH(g.dtype(), "max_pool2d_grad",
                kernels::return_to_planes<T>(stream_of(g.device()), s, g.data<T>(), index.data<int64_t>(),
                                             dx.mutable_data<T>()));
  return record("max_pool2d_grad", dx, {g}, {index}, [s](const RuleContext& ctx, const Tensor& gg) -> Grads {
    return {taken(gg, ctx.saved(0), s)};
  });
}

}  // namespace

Tensor avg_pool2d(const Tensor& x, Size2d kernel, Size2d stride, Size2d padding) {
  const PoolShape s = windows("avg_pool2d", x, kernel, stride, padding);
  const double count = static_cast<double>(s.kh * s.kw);
  const bool tiles = s.kh == s.kw && s.stride_h == s.kh && s.stride_w == s.kw && s.pad_h == 0 &&
                     s.pad_w == 0 && s.h_in % s.kh == 0 && s.w_in % s.kw == 0;
  return tiles ? pooled("avg_pool2d", x, s.kh, count) : window_sums(x, s, count);
}

Tensor max_pool2d(const Tensor& x, Size2d kernel, Size2d stride, Size2d padding) {
  const PoolShape s = windows("max_pool2d", x, kernel, stride, padding);
  const Tensor index = Tensor::empty(out_shape(x, s), {DType::i64, x.device()});
  Tensor y = Tensor::empty(out_shape(x, s), x.options());
  DUEL_DISPATCH(x.dtype(), "max_pool2d",
                kernels::max_pool2d<T>(stream_of(x.device()), s, x.data<T>(), y.mutable_data<T>(),
                                       index.mutable_data<int64_t>()));
  say_windows(s);
  return record("max_pool2d", y, {x}, {index}, [s](const RuleContext& ctx, const Tensor& g) -> Grads {
    return {returned(g, ctx.saved(0), s)};
  });
}

Tensor upsample_nearest2d(const Tensor& x, int64_t k) {
  DUEL_CHECK(x.rank() == 4 && k >= 1, "upsample_nearest2d", "expected [N, C, H, W] and k >= 1, got {} and {}",
             x.shape(), k);
  return spread("upsample_nearest2d", x, k, 1.0);
}

}  // namespace duel
