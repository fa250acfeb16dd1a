// Every layer of the room, for programs that do not want to name each header.
#pragma once

#include "duel/nn/activations.h"
#include "duel/nn/avg_pool.h"
#include "duel/nn/batch_norm.h"
#include "duel/nn/conv2d.h"
#include "duel/nn/conv_transpose2d.h"
#include "duel/nn/dropout.h"
#include "duel/nn/embedding.h"
#include "duel/nn/instance_norm.h"
#include "duel/nn/layer_norm.h"
#include "duel/nn/linear.h"
#include "duel/nn/maxout.h"
#include "duel/nn/minibatch_stddev.h"
#include "duel/nn/reshape.h"
#include "duel/nn/sequential.h"
#include "duel/nn/spectral_norm.h"
#include "duel/nn/upsample.h"
