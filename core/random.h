// Where 0.1.0 had it: core/tensor/random.h.
#pragma once

#include "duel/core/tensor/random.h"
