// The only file that knows oneDNN's API (version 2).
//
// Note [One thread per primitive]
// oneDNN's own threading would tie the order of some sums to the number of threads (weight gradients do), and
// its OpenMP team would compete with parallel.h's. So work is cut here, by its shape alone, and every piece
// is a primitive that was created and runs with an OpenMP team of one, which starts no OpenMP threads at all.
#include "duel/kernels/linear/vendor/onednn.h"

#include <atomic>

#include "duel/kernels/base/settings.h"

#if DUEL_HAS_ONEDNN
#include <omp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include <dnnl.hpp>

#include "duel/kernels/base/ceil_div.h"
#include "duel/kernels/base/parallel.h"

#if DNNL_VERSION_MAJOR != 2
#error "kernels/linear/vendor/onednn.cpp is written for oneDNN 2 (Debian: libdnnl-dev)"
#endif
#endif  // DUEL_HAS_ONEDNN

namespace duel::kernels {
namespace {

HostLibrary checked(const char* op, const char* name, HostLibrary library) {
  DUEL_CHECK(
      DUEL_HAS_ONEDNN || library == HostLibrary::own, op,
      "{}: expected own, got onednn, which this build does not have: install oneDNN 2 (Debian: apt-get "
      "install libdnnl-dev) and configure with -DDUEL_ONEDNN=ON",
      name);
  return library;
}

std::atomic<HostLibrary>& library_in_use() {
  static std::atomic<HostLibrary> library =
      checked("environment", "DUEL_HOST_LIBRARY",
              chosen("DUEL_HOST_LIBRARY", {"own", "onednn"}) == 0 ? HostLibrary::own : HostLibrary::onednn);
  return library;
}

}  // namespace

HostLibrary host_library() { return library_in_use().load(std::memory_order_relaxed); }
void set_host_library(HostLibrary library) {
  library_in_use() = checked("set_host_library", "library", library);
}

#if DUEL_HAS_ONEDNN
std::string onednn_version() {
  const dnnl::version_t& v = *dnnl::version();
  return message("{}.{}.{}", v.major, v.minor, v.patch);
}

namespace onednn {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;
using Tag = memory::format_tag;

// The team of the calling thread is one thread while this lives.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

constexpr size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

bool gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
          const float* b, float beta, const float* bias, float* c) {
  // The longer side of c is cut: at most 8 pieces, each worth its start and a packed copy of the other
  // operand.
  const bool by_rows = m > n;
  const int64_t length = by_rows ? m : n, worth = ceil_div(8'000'000, std::min(m, n) * k);
  const int64_t grain = ceil_div(std::max(worth, ceil_div(length, 8)), 48) * 48;
  parallel_for(length, grain, [&](int64_t begin, int64_t end) {
    const OneThread guard;
    const int64_t row = by_rows ? begin : 0, column = by_rows ? 0 : begin;
    const int64_t rows = by_rows ? end - begin : m, columns = by_rows ? n : end - begin;
    float* out = c + row * n + column;
    if (bias != nullptr) {
      for (int64_t r = 0; r < rows; ++r) std::copy_n(bias + column, columns, out + r * n);
    }
    const dnnl_status_t status =
        dnnl_sgemm(trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', rows, columns, k, alpha,
                   a + (trans_a ? row : row * k), trans_a ? m : k, b + (trans_b ? column * k : column),
                   trans_b ? k : n, bias != nullptr ? 1.0f : beta, out, n);
    DUEL_CHECK(status == dnnl_success, "gemm", "expected a result of oneDNN, got its error {}", int(status));
  });
  return true;
}

namespace {

dnnl::engine& engine() {
  static dnnl::engine& cpu = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// An array as the caller has it and as the primitive wants it.
struct Operand {
  memory::desc plain, inner;
  dnnl::reorder convert;  // plain to inner, or back for the result
  size_t bytes = 0;       // of an inner copy in the workspace; 0: used as it lies

  Operand() = default;
  Operand(const memory::desc& from, const memory::desc& to, bool result) : plain(from), inner(to) {
    if (plain == inner) return;
    bytes = aligned(inner.get_size());
    convert = dnnl::reorder(result ? dnnl::reorder::primitive_desc(engine(), inner, engine(), plain)
                                   : dnnl::reorder::primitive_desc(engine(), plain, engine(), inner));
  }
};

// One primitive over some samples of the batch. x is the array that its first operand is, y the other array
// of images: the result, or for the weight gradient dy.
struct Piece {
  dnnl::primitive product;
  Operand x, w, y;
  size_t scratch = 0;
  size_t bytes() const { return x.bytes + y.bytes + scratch; }
};

struct Plan {
  int64_t samples = 0, pieces = 0;  // samples per piece
  Piece whole, rest;                // rest: the last piece, where it has fewer samples
  size_t shared = 0;  // bytes of the inner weights and of a zero bias, before those of the pieces
  size_t piece_bytes = 0, bytes = 0;
};

memory::desc plain(int64_t n, int64_t c, int64_t h, int64_t w, Tag tag = Tag::nchw) {
  return {{n, c, h, w}, memory::data_type::f32, tag};
}
memory::desc any(const memory::desc& d) { return {d.dims(), memory::data_type::f32, Tag::any}; }

template <class Desc>
bool optimised(const Desc& d) {
  return std::string_view(d.impl_info_str()).substr(0, 3) != "ref";
}

// `weights` is Tag::any, or the layout that another piece of the plan has chosen. False: no optimised code.
bool make_piece(const ConvShape& s, ConvPass pass, int64_t samples, const memory::desc* weights, Piece& p) {
  const memory::dims stride{s.stride_h, s.stride_w}, pad{s.pad_h, s.pad_w};
  const memory::desc in = plain(samples, s.c_in, s.h_in, s.w_in),
                     out = plain(samples, s.c_out, s.h_out, s.w_out);
  memory::desc w = plain(s.c_out, s.c_in, s.kh, s.kw, Tag::oihw);
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto bias = [](int64_t channels) { return memory::desc{{channels}, memory::data_type::f32, Tag::x}; };
  const auto finish = [&](const auto& d, const memory::desc& x, const memory::desc& inner_x,
                          const memory::desc& inner_w, const memory::desc& y, const memory::desc& inner_y) {
    const bool weight_grad = pass == ConvPass::kWeightGrad;
    p.product = dnnl::primitive(d.get());
    p.x = Operand(x, inner_x, false);
    p.w = Operand(w, inner_w, weight_grad);
    p.y = Operand(y, inner_y, !weight_grad);
    p.scratch = aligned(d.scratchpad_desc().get_size());
    return optimised(d);
  };
  if (pass == ConvPass::kInputGrad) {
    // As a transposed convolution, which has a bias; its weights are [out, in], so c_in first.
    w = plain(s.c_in, s.c_out, s.kh, s.kw, Tag::iohw);
    const dnnl::deconvolution_forward::desc desc(
        prop_kind::forward_inference, algorithm::deconvolution_direct, any(out), weights ? *weights : any(w),
        bias(s.c_in), any(in), stride, pad, pad);
    const dnnl::deconvolution_forward::primitive_desc d(desc, attr, engine());
    return finish(d, out, d.src_desc(), d.weights_desc(), in, d.dst_desc());
  }
  const dnnl::convolution_forward::desc desc(
      prop_kind::forward_training, algorithm::convolution_direct, any(in),
      pass == ConvPass::kForward && weights ? *weights : any(w), bias(s.c_out), any(out), stride, pad, pad);
  const dnnl::convolution_forward::primitive_desc forward(desc, attr, engine());
  if (pass == ConvPass::kForward) {
    return finish(forward, in, forward.src_desc(), forward.weights_desc(), out, forward.dst_desc());
  }
  const dnnl::convolution_backward_weights::desc back(
      algorithm::convolution_direct, any(in), weights ? *weights : any(w), any(out), stride, pad, pad);
  const dnnl::convolution_backward_weights::primitive_desc d(back, attr, engine(), forward);
  return finish(d, in, d.src_desc(), d.diff_weights_desc(), out, d.diff_dst_desc());
}

// Null where oneDNN does not take the shape.
std::unique_ptr<Plan> make_plan(const ConvShape& s, ConvPass pass) {
  if (s.c_in == 1 || s.c_out == 1 || !s.dense()) return nullptr;
  auto plan = std::make_unique<Plan>();
  // Pieces: enough for a handful of threads, each worth its start. Those of the weight gradient leave partial
  // sums, so there are fewer, and each adds up some hundred products.
  const bool weight_grad = pass == ConvPass::kWeightGrad;
  const int64_t plane = s.h_out * s.w_out;
  const int64_t worth =
      weight_grad ? ceil_div(512, plane) : ceil_div(8'000'000, plane * s.c_out * s.c_in * s.kh * s.kw);
  plan->samples = std::min(s.n, std::max(worth, ceil_div(s.n, weight_grad ? 8 : 16)));
  plan->pieces = ceil_div(s.n, plan->samples);
  const OneThread guard;
  try {
    if (!make_piece(s, pass, plan->samples, nullptr, plan->whole)) return nullptr;
    plan->rest = plan->whole;
    const int64_t rest = s.n % plan->samples;
    if (rest != 0 && !make_piece(s, pass, rest, &plan->whole.w.inner, plan->rest)) return nullptr;
  } catch (const dnnl::error&) {
    return nullptr;
  }
  plan->piece_bytes = std::max(plan->whole.bytes(), plan->rest.bytes());
  if (weight_grad) {
    plan->piece_bytes += aligned(plan->whole.w.inner.get_size());
  } else {
    plan->shared = plan->whole.w.bytes + aligned(std::max(s.c_in, s.c_out) * sizeof(float));
  }
  plan->bytes = plan->shared + plan->piece_bytes * plan->pieces;
  return plan;
}

std::shared_ptr<const Plan> plan_of(const ConvShape& s, ConvPass pass) {
  using Key = std::pair<ConvPass, std::array<int64_t, sizeof(ConvShape) / sizeof(int64_t)>>;
  static std::mutex& mutex = *new std::mutex;
  static auto& plans = *new std::map<Key, std::shared_ptr<const Plan>>;
  const std::scoped_lock lock(mutex);
  if (plans.size() >= 512) plans.clear();  // shapes that keep changing do not fill the memory
  const auto [at, added] = plans.try_emplace({pass, std::bit_cast<Key::second_type>(s)});
  if (added) at->second = make_plan(s, pass);
  return at->second;
}

memory at(const memory::desc& d, const void* data) { return {d, engine(), const_cast<void*>(data)}; }

// The operand where the primitive can use it: where it lies, or converted into `space`, which moves on.
memory bring(dnnl::stream& stream, const Operand& operand, const float* data, std::byte*& space) {
  memory outer = at(operand.plain, data);
  if (operand.bytes == 0) return outer;
  memory inner = at(operand.inner, space);
  space += operand.bytes;
  operand.convert.execute(stream, outer, inner);
  return inner;
}

void run(const Plan& plan, const ConvShape& s, ConvPass pass, const float* first, const float* second,
         const float* bias, float* out, std::byte* workspace) {
  const bool weight_grad = pass == ConvPass::kWeightGrad;
  const int64_t in = s.c_in * s.h_in * s.w_in, across = s.c_out * s.h_out * s.w_out;  // elements per sample
  const int64_t x_step = pass == ConvPass::kInputGrad ? across : in, y_step = in + across - x_step;
  std::byte* const pieces = workspace + plan.shared;
  const auto partial = [&](int64_t piece) {
    return reinterpret_cast<float*>(pieces + piece * plan.piece_bytes);
  };
  const size_t partial_bytes = weight_grad ? aligned(plan.whole.w.inner.get_size()) : 0;
  memory w, b;
  if (!weight_grad) {
    const OneThread guard;
    dnnl::stream stream(engine());
    std::byte* space = workspace;
    w = bring(stream, plan.whole.w, second, space);
    const int64_t channels = pass == ConvPass::kForward ? s.c_out : s.c_in;
    if (bias == nullptr) bias = std::fill_n(reinterpret_cast<float*>(space), channels, 0.0f) - channels;
    b = at({{channels}, memory::data_type::f32, Tag::x}, bias);
  }
  parallel_for(plan.pieces, 1, [&](int64_t begin, int64_t end) {
    const OneThread guard;
    dnnl::stream stream(engine());
    for (int64_t i = begin; i < end; ++i) {
      const Piece& p = (i + 1) * plan.samples > s.n ? plan.rest : plan.whole;
      std::byte* space = pieces + i * plan.piece_bytes + partial_bytes;
      const memory x = bring(stream, p.x, first + i * plan.samples * x_step, space);
      const int64_t offset = i * plan.samples * y_step;
      const auto pad = [&] {
        return memory({{static_cast<int64_t>(p.scratch)}, memory::data_type::u8, Tag::x}, engine(), space);
      };
      if (weight_grad) {
        const memory dy = bring(stream, p.y, second + offset, space);
        p.product.execute(stream, {{DNNL_ARG_SRC, x},
                                   {DNNL_ARG_DIFF_DST, dy},
                                   {DNNL_ARG_DIFF_WEIGHTS, at(p.w.inner, partial(i))},
                                   {DNNL_ARG_SCRATCHPAD, pad()}});
        continue;
      }
      memory y = at(p.y.plain, out + offset), inner = p.y.bytes == 0 ? y : at(p.y.inner, space);
      space += p.y.bytes;
      p.product.execute(stream, {{DNNL_ARG_SRC, x},
                                 {DNNL_ARG_WEIGHTS, w},
                                 {DNNL_ARG_BIAS, b},
                                 {DNNL_ARG_DST, inner},
                                 {DNNL_ARG_SCRATCHPAD, pad()}});
      if (p.y.bytes != 0) p.y.convert.execute(stream, inner, y);
    }
  });
  if (!weight_grad) return;
  // The partial sums of the pieces, in their order.
  const int64_t elements = plan.whole.w.inner.get_size() / sizeof(float);
  const bool direct = plan.whole.w.bytes == 0;
  parallel_for(elements, 16384, [&](int64_t begin, int64_t end) {
    float* sum = direct ? out : partial(0);
    if (direct) std::copy(partial(0) + begin, partial(0) + end, out + begin);
    for (int64_t i = 1; i < plan.pieces; ++i) {
      const float* part = partial(i);
      for (int64_t e = begin; e < end; ++e) sum[e] += part[e];
    }
  });
  if (direct) return;
  const OneThread guard;
  dnnl::stream stream(engine());
  memory inner = at(plan.whole.w.inner, partial(0)), outer = at(plan.whole.w.plain, out);
  plan.whole.w.convert.execute(stream, inner, outer);
}

}  // namespace

size_t conv2d_workspace(const ConvShape& s, ConvPass pass) {
  const auto plan = plan_of(s, pass);
  return plan ? plan->bytes : 0;
}

bool conv2d(const ConvShape& s, ConvPass pass, const float* first, const float* second, const float* bias,
            float* out, void* workspace) {
  const auto plan = plan_of(s, pass);
  if (!plan) return false;
  const char* op = pass == ConvPass::kForward     ? "conv2d"
                   : pass == ConvPass::kInputGrad ? "conv2d_input_grad"
                                                  : "conv2d_weight_grad";
  try {
    run(*plan, s, pass, first, second, bias, out, static_cast<std::byte*>(workspace));
  } catch (const dnnl::error& error) {
    fail(op, "expected a result of oneDNN, got its error: {}", error.what());
  }
  return true;
}

}  // namespace onednn

#else   // nobody gets here: checked() has refused
std::string onednn_version() { return "none"; }

namespace onednn {

bool gemm(bool, bool, int64_t, int64_t, int64_t, float, const float*, const float*, float, const float*,
          float*) {
  return false;
}
size_t conv2d_workspace(const ConvShape&, ConvPass) { return 0; }
bool conv2d(const ConvShape&, ConvPass, const float*, const float*, const float*, float*, void*) {
  return false;
}

}  // namespace onednn
#endif  // DUEL_HAS_ONEDNN
}  // namespace duel::kernels
