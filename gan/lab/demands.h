// What an objective asks for beyond one logit per sample, which the toy problems' critics do not give.
//
// Limits: reads what an objective declares; whether its parts agree with each other is compatibility.h's matter.
//
// Example:
//   const std::string why = more_than_a_logit(named_objective("cgan"));   // "its D is told the label of …"; empty: nothing
#pragma once

#include <string>

#include "duel/gan/objective.h"

namespace duel::gan::lab {

/// Why an objective cannot be played by a D that maps a sample without label or code to one number; empty if it can.
std::string more_than_a_logit(const Objective& objective);

}  // namespace duel::gan::lab
