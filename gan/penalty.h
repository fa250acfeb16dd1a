// Where 0.1.0 had it: gan/objective/penalty.h.
#pragma once

#include "duel/gan/objective/penalty.h"
