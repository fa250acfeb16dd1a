// Rows: relativistic losses (Jolicoeur-Martineau 2018, arXiv:1807.00734): D judges real against fake, not
// each by itself.
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan::detail {
namespace {

/// Adam 1e-4 (0.5, 0.999), one step each: the author's code.
Schedule relativistic_schedule() { return schedule(1, adam(1e-4, 0.5, 0.999)); }

}  // namespace

const Rows& relativistic_rows() {
  using O = ObjectiveOverrides;
  static const Rows rows = {
      {.name = "rsgan",
       .formula = "L_D = E softplus(-(r - f));  L_G = E softplus(-(f - r)), pairs of equal index",
       .paper = "Jolicoeur-Martineau 2018, The relativistic discriminator, arXiv:1807.00734, section 4.1",
       .make =
           [](const O&) {
             return Objective{.loss = non_saturating_loss(),
                              .relativism = Relativism::paired,
                              .schedule = relativistic_schedule()};
           },
       .note = "G's loss reads real images too: public code that leaves G's loss plain trains another "
               "objective."},
      {.name = "rasgan",
       .formula = "L_D = (E softplus(-(r - E f)) + E softplus(f - E r)) / 2;  L_G = (E softplus(r - E f) "
                  "+ E softplus(-(f - E r))) / 2",
       .paper = "Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.2",
       .make =
           [](const O&) {
             return Objective{.loss = non_saturating_loss(),
                              .relativism = Relativism::average,
                              .schedule = relativistic_schedule()};
           }},
      {.name = "ralsgan",
       .formula =
           "L_D = (E (r - E f - 1)^2 + E (f - E r + 1)^2) / 2;  L_G = (E (r - E f + 1)^2 + E (f - E r - "
           "1)^2) / 2",
       .paper = "Jolicoeur-Martineau 2018, arXiv:1807.00734, appendix: RaLSGAN",
       .make =
           [](const O&) {
             return Objective{.loss = least_squares_loss(-1, 1, 1, 1.0),
                              .relativism = Relativism::average,
                              .schedule = relativistic_schedule()};
           },
       .note =
           "The author's first code had signs of RaSGAN and RaLSGAN swapped; these are the corrected ones."},
      {.name = "rahinge",
       .formula = "L_D = (E relu(1 - (r - E f)) + E relu(1 + (f - E r))) / 2;  L_G = (E relu(1 + (r - E f)) "
                  "+ E relu(1 - (f - E r))) / 2",
       .paper = "Jolicoeur-Martineau 2018, arXiv:1807.00734, appendix: RaHingeGAN",
       .make =
           [](const O&) {
             return Objective{.loss = hinge_margin_loss(),
                              .relativism = Relativism::average,
                              .schedule = relativistic_schedule()};
           }},
  };
  return rows;
}

}  // namespace duel::gan::detail
