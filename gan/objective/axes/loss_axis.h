// The losses by name: what each is made with, and how its terms are written.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "duel/gan/objective/loss.h"

namespace duel::gan::detail {

/// The four terms as texts of a logit X, "" without one; a minus in front is that of the whole mean. `whole`: of a
/// joint loss, both lines instead. `where`: what the letters in them stand for.
struct LossFormula {
  std::string d_real = "", d_fake = "", g_fake = "", g_real = "";
  std::string whole = "";  // with {d} and {g} for what is added
  std::string where = "";
};

struct NamedLoss {
  Loss loss;
  LossFormula formula;
  std::string rates;  // the named objective that is this loss alone
};

/// "least_squares(A,B,C,SCALE)", …
const std::vector<std::string>& loss_values();

/// Error of `op` for a text that is none.
NamedLoss loss_of_text(const char* op, const std::string& text);

/// "L_D = …;  L_G = …" of terms under a relativism; `to_d` and `to_g` are
/// added to the lines.
std::string loss_formula(const LossFormula& formula, Relativism relativism, const std::string& to_d,
                         const std::string& to_g);

}  // namespace duel::gan::detail
