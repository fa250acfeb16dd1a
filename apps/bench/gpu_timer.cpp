// The GPU's timer: events around calls that wait behind fills of a buffer larger than L2. See timer.h.
//
// Note [Hidden launches]
// Enqueueing a kernel takes the host longer than many a kernel runs. So before the first event as many fills
// are enqueued as last, by measurement, twice as long as the enqueueing of the whole sample: when the GPU
// reaches the first event, all calls wait in its queue. The same fills empty L2.
#include "gpu_timer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "duel/core/tensor/tensor.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/runtime.h"
#include "statistics.h"

namespace duel::apps::bench {
namespace {

namespace runtime = kernels::runtime;

class GpuTimer : public Timer {
 public:
  GpuTimer(Device device, Cache cache)
      : device_(device), stream_(stream_of(device)), cold_(cache == Cache::cold) {
    l2_ = runtime::properties(device.index).l2_bytes;
    flush_bytes_ = static_cast<size_t>(std::max<int64_t>(2 * l2_, int64_t{128} << 20));
    flush_ = Tensor::empty({static_cast<int64_t>(flush_bytes_)}, {DType::u8, device});
    begin_ = runtime::create_event(true);
    end_ = runtime::create_event(true);
    fill(4);
    runtime::record(begin_, stream_);
    fill(16);
    runtime::record(end_, stream_);
    runtime::synchronize(end_);
    fill_seconds_ = std::max(1e-6, runtime::elapsed_milliseconds(begin_, end_) * 1e-3 / 16);
  }

  ~GpuTimer() override {
    try {
      runtime::destroy_event(begin_);
      runtime::destroy_event(end_);
    } catch (const Error&) {  // the device has failed, and whoever used it has heard of it
    }
  }

  Timed prepare(std::function<void()> run, int64_t bytes) override {
    for (int i = 0; i < 3; ++i) run();
    runtime::synchronize(stream_);
    const double began = now();
    for (int i = 0; i < kEstimate; ++i) run();
    Timed timed{.run = std::move(run),
                .bytes = bytes,
                .calls = kEstimate,
                .host_seconds = (now() - began) / kEstimate};
    runtime::synchronize(stream_);
    const double one = enclosed(timed, false);
    // Below 50 microseconds the events' resolution of half a microsecond would show. A queue holds about 1000
    // launches.
    timed.calls = cold_ ? 1 : calls_per_sample(one, 50e-6, 32);
    return timed;
  }

  double sample(const Timed& timed) override { return enclosed(timed, !cold_ && timed.bytes < 2 * l2_); }

  std::optional<int64_t> launches(const std::function<void()>& run) override {
    runtime::synchronize(stream_);
    try {
      runtime::begin_capture(stream_);
      run();
      const runtime::Graph graph = runtime::end_capture(stream_);
      runtime::destroy_graph(graph);
      return graph.kernels;
    } catch (const Error&) {  // something in it cannot be captured
      runtime::abandon_capture(stream_);
      return std::nullopt;
    }
  }

  std::function<void()> copy(int64_t bytes) override {
    const int64_t half = std::max<int64_t>(1, bytes / 2);
    const Tensor from = Tensor::zeros({half}, {DType::u8, device_}),
                 to = Tensor::zeros({half}, {DType::u8, device_});
    return [from, to, target = to.mutable_raw(), source = from.raw(), half, stream = stream_] {
      runtime::copy_on_device(stream, target, source, static_cast<size_t>(half));
    };
  }

 private:
  static constexpr int kEstimate = 8;

  void fill(int64_t count) {
    for (int64_t i = 0; i < count; ++i) runtime::fill_bytes(stream_, flush_.mutable_raw(), 0, flush_bytes_);
  }

  /// Seconds of one of the calls between the events; see Note [Hidden launches].
  double enclosed(const Timed& timed, bool touch_first) {
    const double enqueueing = timed.host_seconds * static_cast<double>(timed.calls + 1) + 20e-6;
    fill(1 + static_cast<int64_t>(std::ceil(2 * enqueueing / fill_seconds_)));
    if (touch_first) timed.run();
    runtime::record(begin_, stream_);
    for (int64_t i = 0; i < timed.calls; ++i) timed.run();
    runtime::record(end_, stream_);
    runtime::synchronize(end_);
    return runtime::elapsed_milliseconds(begin_, end_) * 1e-3 / static_cast<double>(timed.calls);
  }

  Device device_;
  kernels::Stream stream_;
  bool cold_;
  int64_t l2_ = 0;
  size_t flush_bytes_ = 0;
  Tensor flush_;
  runtime::Event begin_, end_;
  double fill_seconds_ = 0;
};

}  // namespace

std::unique_ptr<Timer> make_gpu_timer(Device device, Cache cache) {
  const runtime::Availability& available = runtime::availability();
  DUEL_CHECK(available.devices > device.index, "bench", "device: expected a GPU, but there is none: {}",
             available.reason);
  return std::make_unique<GpuTimer>(device, cache);
}

}  // namespace duel::apps::bench
