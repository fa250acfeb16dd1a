// The rows of founding/founding_table.cpp, each from the file of its name.
#pragma once

#include "duel/gan/lab/founding.h"

namespace duel::gan::lab {

FoundingRow theory_row();
FoundingRow clipping_row();
FoundingRow gradients_row();
FoundingRow noise_row();
FoundingRow critic_row();
FoundingRow norms_row();
FoundingRow optimizers_row();

}  // namespace duel::gan::lab
