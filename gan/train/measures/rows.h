// The rows of a look inside (diagnostics.cpp, layers.cpp), for the table of all (measures.cpp).
#pragma once

#include <vector>

#include "duel/gan/train/measures.h"

namespace duel::gan::detail {

std::vector<Measure> diagnostic_rows();
std::vector<Measure> layer_rows();

}  // namespace duel::gan::detail
