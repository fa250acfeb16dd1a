// Where 0.1.0 had it: core/tensor/autograd.h.
#pragma once

#include "duel/core/tensor/autograd.h"
