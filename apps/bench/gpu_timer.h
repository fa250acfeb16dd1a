// The GPU's timer: see timer.h.
#pragma once

#include <memory>

#include "timer.h"

namespace duel::apps::bench {

std::unique_ptr<Timer> make_gpu_timer(Device device, Cache cache);

}  // namespace duel::apps::bench
