// The host's timer: steady_clock around repeated calls. See timer.h.
#include "timer.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include "duel/core/tensor/tensor.h"
#include "duel/kernels/base/parallel.h"
#include "gpu_timer.h"
#include "statistics.h"

namespace duel::apps::bench {
namespace {

/// Of the last level; 32 MB where the system does not say.
int64_t cache_bytes() {
  int64_t largest = 0;
  for (int index = 0; index < 8; ++index) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size");
    int64_t size = 0;
    char unit = 0;
    if (file >> size >> unit) largest = std::max(largest, unit == 'M' ? size << 20 : size << 10);
  }
  return largest > 0 ? largest : int64_t{32} << 20;
}

class HostTimer : public Timer {
 public:
  explicit HostTimer(Cache cache) : cold_(cache == Cache::cold), cache_(cache_bytes()) {
    if (cold_) flush_ = Tensor::zeros({2 * cache_}, {DType::u8});
  }

  Timed prepare(std::function<void()> run, int64_t bytes) override {
    run();
    const double begin = now();
    run();
    // A microsecond of the clock's is below a per cent of a sample.
    const int64_t calls = cold_ ? 1 : calls_per_sample(now() - begin, 100e-6, 1000);
    return {.run = std::move(run), .bytes = bytes, .calls = calls};
  }

  double sample(const Timed& timed) override {
    if (cold_) {
      auto* bytes = flush_.mutable_data<uint8_t>();
      ++round_;
      kernels::parallel_for(flush_.numel(), int64_t{1} << 20, [&](int64_t begin, int64_t end) {
        std::memset(bytes + begin, round_, static_cast<size_t>(end - begin));
      });
    } else if (timed.bytes < 2 * cache_) {
      timed.run();
    }
    const double begin = now();
    for (int64_t i = 0; i < timed.calls; ++i) timed.run();
    return (now() - begin) / static_cast<double>(timed.calls);
  }

  std::optional<int64_t> launches(const std::function<void()>&) override { return std::nullopt; }

  /// One memcpy per thread, as large as can be: the C library then chooses stores that do not read first.
  std::function<void()> copy(int64_t bytes) override {
    const int64_t half = std::max<int64_t>(1, bytes / 2);
    const Tensor from = Tensor::zeros({half}, {DType::u8}), to = Tensor::zeros({half}, {DType::u8});
    const uint8_t* source = from.data<uint8_t>();
    uint8_t* target = to.mutable_data<uint8_t>();
    const int64_t grain = std::max<int64_t>(65536, (half + kernels::threads() - 1) / kernels::threads());
    return [=] {
      (void)from, (void)to;  // held as long as this function
      kernels::parallel_for(half, grain, [&](int64_t begin, int64_t end) {
        std::memcpy(target + begin, source + begin, static_cast<size_t>(end - begin));
      });
    };
  }

 private:
  bool cold_;
  int64_t cache_;
  Tensor flush_;
  int round_ = 0;
};

}  // namespace

std::unique_ptr<Timer> make_timer(Device device, Cache cache) {
  if (device.kind == Device::Kind::cuda) return make_gpu_timer(device, cache);
  return std::make_unique<HostTimer>(cache);
}

}  // namespace duel::apps::bench
