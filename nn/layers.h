// Every layer of the room, for programs that do not want to name each header.
#pragma once

#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/avg_pool.h"
#include "duel/nn/layers/conv2d.h"
#include "duel/nn/layers/conv_transpose2d.h"
#include "duel/nn/layers/dropout.h"
#include "duel/nn/layers/embedding.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/maxout.h"
#include "duel/nn/layers/reshape.h"
#include "duel/nn/layers/upsample.h"
#include "duel/nn/module/sequential.h"
#include "duel/nn/norm/batch_norm.h"
#include "duel/nn/norm/instance_norm.h"
#include "duel/nn/norm/layer_norm.h"
#include "duel/nn/norm/minibatch_stddev.h"
#include "duel/nn/norm/spectral_norm.h"
