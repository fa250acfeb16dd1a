// One line for each founding claim that is shown.
#include "duel/gan/lab/internal/founding_rows.h"

namespace duel::gan::lab {

const std::vector<FoundingRow>& founding_rows() {
  static const std::vector<FoundingRow> rows = {
      theory_row(), clipping_row(), gradients_row(), noise_row(), critic_row(), norms_row(), optimizers_row(),
  };
  return rows;
}

}  // namespace duel::gan::lab
