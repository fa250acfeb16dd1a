#include "duel/core/ops/linear/flop_count.h"

namespace duel {
namespace {
thread_local FlopCount* innermost = nullptr;
}

FlopCount::FlopCount() : around_(innermost) { innermost = this; }
FlopCount::~FlopCount() {
  innermost = around_;
  add(flops_);
}
void FlopCount::add(double flops) {
  if (innermost != nullptr) innermost->flops_ += flops;
}

}  // namespace duel
