// Convolutions: checks, empty cases, and who computes: on the host a library or the passes of
// kernels/linear/host/conv_host.h, on the device the kernels of kernels/linear/device/conv_device.h.
#include "duel/kernels/linear/conv.h"

#include <algorithm>
#include <type_traits>

#include "duel/kernels/base/launch_cost.h"
#include "duel/kernels/linear/device/conv_device.h"
#include "duel/kernels/linear/device_library.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/conv_point.h"
#include "duel/kernels/linear/host/conv_three.h"
#include "duel/kernels/linear/host/conv_winograd.h"
#include "duel/kernels/linear/vendor/cudnn.h"
#include "duel/kernels/linear/vendor/onednn.h"
#include "duel/kernels/reduce/reduce.h"

namespace duel::kernels {
namespace {

const char* name_of(ConvPass pass) {
  return pass == ConvPass::kForward     ? "conv2d"
         : pass == ConvPass::kInputGrad ? "conv2d_input_grad"
                                        : "conv2d_weight_grad";
}

void check(const char* op, const ConvShape& s) {
  DUEL_CHECK(s.n >= 0 && s.c_in >= 0 && s.c_out >= 0 && s.h_in >= 0 && s.w_in >= 0, op,
             "expected sizes >= 0, got batch {}, channels {} -> {}, image {}x{}", s.n, s.c_in, s.c_out,
             s.h_in, s.w_in);
  DUEL_CHECK(
      s.kh >= 1 && s.kw >= 1 && s.stride_h >= 1 && s.stride_w >= 1 && s.pad_h >= 0 && s.pad_w >= 0 &&
          s.dilation_h >= 1 && s.dilation_w >= 1,
      op,
      "expected kernel, stride and dilation >= 1 and padding >= 0, got kernel {}x{}, stride {}x{}, dilation "
      "{}x{}, padding {}x{}",
      s.kh, s.kw, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.pad_h, s.pad_w);
  DUEL_CHECK(s.groups >= 1 && s.c_in % s.groups == 0 && s.c_out % s.groups == 0, op,
             "expected groups that divide the channels {} -> {}, got {}", s.c_in, s.c_out, s.groups);
  const int64_t h = conv_out_size(s.h_in, s.kh, s.stride_h, s.pad_h, s.dilation_h);
  const int64_t w = conv_out_size(s.w_in, s.kw, s.stride_w, s.pad_w, s.dilation_w);
  DUEL_CHECK(s.h_out == h && s.w_out == w, op, "expected an output of {}x{}, got {}x{}", h, w, s.h_out,
             s.w_out);
}

int64_t in_elements(const ConvShape& s) { return s.n * s.c_in * s.h_in * s.w_in; }
int64_t out_elements(const ConvShape& s) { return s.n * s.c_out * s.h_out * s.w_out; }

// What is left of a convolution without products: the bias of every channel, or 0.
template <class T>
void fill_planes(int64_t n, int64_t channels, int64_t plane, const T* bias, T* out) {
  for (int64_t i = 0; i < n * channels; ++i) {
    std::fill(out + i * plane, out + (i + 1) * plane, bias ? bias[i % channels] : T(0));
  }
}

// An empty convolution has nothing to compute with.
bool no_products(const ConvShape& s) { return in_elements(s) == 0 || out_elements(s) == 0; }

// Which of the host's own.
enum class Way { general, direct, winograd, three, point };

template <class T>
Way way_of(const ConvShape& s, ConvPass pass) {
  if constexpr (std::is_same_v<T, float>) {  // double keeps to the definition's products
    if (host::three_suits(s, pass)) return Way::three;
    if (s.dense() && host::point_suits(s)) return Way::point;
    if (s.dense() && host::winograd_suits(s, pass)) return Way::winograd;
  }
  return s.dense() ? Way::direct : Way::general;
}

template <class T>
size_t own_workspace(const ConvShape& s, ConvPass pass) {
  switch (way_of<T>(s, pass)) {
    case Way::general:
      return host::conv_general_workspace<T>(s, pass);
    case Way::winograd:
      return static_cast<size_t>(host::winograd_elements(s, pass)) * sizeof(T);
    case Way::three:
      return static_cast<size_t>(host::three_elements(s, pass)) * sizeof(T);
    case Way::point:
      return static_cast<size_t>(host::point_elements(s, pass)) * sizeof(T);
    case Way::direct:
      break;
  }
  return pass == ConvPass::kForward     ? host::conv_forward_workspace<T>(s)
         : pass == ConvPass::kInputGrad ? host::conv_input_grad_workspace<T>(s)
                                        : host::conv_weight_grad_workspace<T>(s);
}

template <class T>
void by_own(const ConvShape& s, ConvPass pass, const T* first, const T* second, const T* bias, T* out,
            T* workspace) {
  const Way way = way_of<T>(s, pass);
  if (way == Way::general) return host::conv_general(s, pass, first, second, bias, out, workspace);
  using Images = void (*)(const ConvShape&, const T*, const T*, const T*, T*, T*);
  using Weights = void (*)(const ConvShape&, const T*, const T*, T*, T*);
  Images forward = host::conv_forward<T>, input_grad = host::conv_input_grad<T>;
  Weights weight_grad = host::conv_weight_grad<T>;
  if constexpr (std::is_same_v<T, float>) {
    if (way == Way::winograd) {
      forward = host::winograd_forward;
      input_grad = host::winograd_input_grad;
      weight_grad = host::winograd_weight_grad;
    } else if (way == Way::three) {
      forward = host::three_forward;
      input_grad = host::three_input_grad;
      weight_grad = host::three_weight_grad;
    } else if (way == Way::point) {
      forward = host::point_forward;
      input_grad = host::point_input_grad;
      weight_grad = host::point_weight_grad;
    }
  }
  if (pass == ConvPass::kWeightGrad) return weight_grad(s, first, second, out, workspace);
  (pass == ConvPass::kForward ? forward : input_grad)(s, first, second, bias, out, workspace);
}

template <class T>
size_t onednn_workspace(const ConvShape& s, ConvPass pass) {
  if constexpr (std::is_same_v<T, float>) {
    if (host_library() == HostLibrary::onednn) return onednn::conv2d_workspace(s, pass);
  }
  return 0;
}

// Has oneDNN done it?
template <class T>
bool by_onednn(const ConvShape& s, ConvPass pass, const T* first, const T* second, const T* bias, T* out,
               void* workspace) {
  if constexpr (std::is_same_v<T, float>) {
    if (host_library() == HostLibrary::onednn) {
      return onednn::conv2d(s, pass, first, second, bias, out, workspace);
    }
  }
  return false;
}

template <class T>
size_t device_workspace(const ConvShape& s, ConvPass pass, bool dy_sums) {
  if (device::thin_suits(s)) return device::thin_workspace<T>(s, pass, dy_sums);
  const size_t own = device::general_workspace<T>(s, pass, dy_sums);
  return device::libraries_in_charge() ? std::max(own, cudnn::workspace<T>(s, pass)) : own;
}

// Were `finish` and dy_sums done as well?
template <class T>
bool on_device(Stream stream, const ConvShape& s, ConvPass pass, const T* first, const T* second,
               const T* bias, T* out, void* workspace, const Finish<T>& finish, T* dy_sums) {
  announced_cost.flop = 2.0 * static_cast<double>(s.n * s.h_out * s.w_out) * static_cast<double>(s.weights());
  T* const results = out ? out : finish.value;
  if (device::thin_suits(s)) {
    return device::thin_conv(stream, s, pass, first, second, bias, out, workspace, finish, dy_sums);
  } else if (device::libraries_in_charge() &&
             cudnn::conv(stream, s, pass, first, second, results, workspace)) {
    if (bias) {
      const bool forward = pass == ConvPass::kForward;
      device::add_bias(stream, s.n, forward ? s.c_out : s.c_in, forward ? s.h_out * s.w_out : s.h_in * s.w_in,
                       bias, results);
    }
    return false;
  }
  return device::general_conv(stream, s, pass, first, second, bias, out, workspace, finish, dy_sums);
}

// Sums of dy per channel, where no launch has made them.
template <class T>
void sum_dy(Stream stream, const ConvShape& s, const T* dy, T* sums, void* workspace) {
  sum_around(stream, s.n, s.c_out, s.h_out * s.w_out, dy, sums, static_cast<T*>(workspace));
}

int64_t elements_of(const ConvShape& s, ConvPass pass) {
  return pass == ConvPass::kForward     ? out_elements(s)
         : pass == ConvPass::kInputGrad ? in_elements(s)
                                        : s.weights();
}

// The result where there is nothing to multiply.
template <class T>
void no_terms(Stream stream, const ConvShape& s, ConvPass pass, const T* bias, T* out) {
  const auto fill = [&](int64_t n, int64_t channels, int64_t plane) {
    if (stream.on_device()) return device::fill_planes(stream, n, channels, plane, bias, out);
    fill_planes(n, channels, plane, bias, out);
  };
  if (pass == ConvPass::kForward) return fill(s.n, s.c_out, s.h_out * s.w_out);
  if (pass == ConvPass::kInputGrad) return fill(s.n, s.c_in, s.h_in * s.w_in);
  fill(1, 1, s.weights());
}

}  // namespace

template <class T>
size_t conv2d_workspace(const ConvShape& s, ConvPass pass, Stream stream, bool dy_sums) {
  const size_t sums =
      dy_sums ? static_cast<size_t>(sum_around_workspace(s.n, s.c_out, s.h_out * s.w_out)) * sizeof(T) : 0;
  if (no_products(s)) return sums;
  if (stream.on_device()) return std::max(sums, device_workspace<T>(s, pass, dy_sums));
  const size_t bytes = onednn_workspace<T>(s, pass);
  return std::max(sums, bytes != 0 ? bytes : own_workspace<T>(s, pass));
}

template <class T>
void conv2d(Stream stream, const ConvShape& s, ConvPass pass, const T* first, const T* second,
            const std::type_identity_t<T>* bias, T* out, void* workspace, const Finish<T>& finish,
            std::type_identity_t<T>* dy_sums) {
  const char* const op = name_of(pass);
  check(op, s);
  DUEL_CHECK(pass != ConvPass::kWeightGrad || (bias == nullptr && !finish.f), op,
             "expected neither bias nor activation of a weight gradient");
  DUEL_CHECK(dy_sums == nullptr || pass == ConvPass::kWeightGrad, op,
             "expected sums of dy of a weight gradient only");
  const int64_t elements = elements_of(s, pass);
  if (elements > 0) check_finish(op, out, finish);
  T* const results = out ? out : finish.value;
  if (no_products(s)) {
    no_terms(stream, s, pass, bias, results);
    if (dy_sums) sum_dy(stream, s, second, dy_sums, workspace);
    return finish_results(stream, elements, out, finish);
  }
  const size_t bytes = conv2d_workspace<T>(s, pass, stream, dy_sums != nullptr);
  DUEL_CHECK(bytes == 0 || workspace != nullptr, op, "expected a workspace of {} bytes, got a null pointer",
             bytes);
  if (stream.on_device()) {
    if (on_device<T>(stream, s, pass, first, second, bias, out, workspace, finish, dy_sums)) return;
  } else if (!by_onednn<T>(s, pass, first, second, bias, results, workspace)) {
    by_own<T>(s, pass, first, second, bias, results, static_cast<T*>(workspace));
  }
  finish_results(stream, elements, out, finish);
  if (dy_sums) sum_dy(stream, s, second, dy_sums, workspace);
}

#define DUEL_INSTANTIATE(T)                                                                            \
  template size_t conv2d_workspace<T>(const ConvShape&, ConvPass, Stream, bool);                       \
  template void conv2d<T>(Stream, const ConvShape&, ConvPass, const T*, const T*, const T*, T*, void*, \
                          const Finish<T>&, T*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels
