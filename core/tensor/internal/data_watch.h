// Who is told of the memory that ops ask tensors for: `duel bench graph` learns so what a launch reads and writes.
#pragma once

#include <cstddef>

namespace duel::detail {

/// Called by data() and mutable_data() with the tensor's first byte and its size; null: nobody asks.
using DataWatch = void (*)(const void* data, size_t bytes);
extern DataWatch data_watch;

}  // namespace duel::detail
