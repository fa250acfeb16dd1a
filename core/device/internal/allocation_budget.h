// Memory that a piece of work may take at most, where its size comes from outside.
//
// Example:
//   AllocationBudget budget(2 * bytes_of(file), "networks of this configuration");
//   make_networks(...);   // Error before the first tensor that does not fit is allocated
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace duel {

namespace detail {
/// Told of every allocation before it is made.
void charge_budget(size_t bytes);
}  // namespace detail

/// While it lives, all tensors that this thread makes, on any device, may take `bytes` together, freed ones
/// included. Beyond that allocating throws Error("[budget] `what`: …"). Budgets do not nest.
class AllocationBudget {
 public:
  AllocationBudget(int64_t bytes, std::string what);
  ~AllocationBudget();
  AllocationBudget(const AllocationBudget&) = delete;
  AllocationBudget& operator=(const AllocationBudget&) = delete;

 private:
  friend void detail::charge_budget(size_t bytes);
  int64_t left_, bytes_;
  std::string what_;
};

}  // namespace duel
