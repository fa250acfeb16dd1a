#include "duel/core/device/internal/allocation_budget.h"

#include <utility>

#include "duel/kernels/base/error.h"

namespace duel {
namespace {
thread_local AllocationBudget* of_this_thread = nullptr;
}  // namespace

AllocationBudget::AllocationBudget(int64_t bytes, std::string what)
    : left_(bytes), bytes_(bytes), what_(std::move(what)) {
  DUEL_CHECK(of_this_thread == nullptr, "budget", "this thread has one already");
  of_this_thread = this;
}
AllocationBudget::~AllocationBudget() { of_this_thread = nullptr; }

namespace detail {
void charge_budget(size_t bytes) {
  AllocationBudget* budget = of_this_thread;
  if (!budget) return;
  DUEL_CHECK(bytes <= static_cast<uint64_t>(budget->left_), "budget",
             "{}: expected at most {} bytes of memory, and {} more are needed", budget->what_, budget->bytes_,
             bytes - static_cast<uint64_t>(budget->left_));
  budget->left_ -= static_cast<int64_t>(bytes);
}
}  // namespace detail

}  // namespace duel
