// Where 0.1.0 had it: nn/optim/optim.h.
#pragma once

#include "duel/nn/optim/optim.h"
