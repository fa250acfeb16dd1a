// Einstein's summation for one or two operands.
#pragma once

#include <string_view>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel {

/// "bik,bkj->bij": letters name the axes of the operands and of the result; a letter that the result lacks is summed
/// over. Without "->" the result has the letters that occur once, in the alphabet's order. Two operands are permuted
/// to one batched matrix product. No letter twice in one operand, no "...".
/// Example: einsum("nhqd,nhkd->nhqk", {queries, keys})
Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

}  // namespace duel
