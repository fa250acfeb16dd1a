// What kinds of layers a network has, for the table of impossible mixes.
#pragma once

#include "duel/nn/module/module.h"

namespace duel::gan::detail {

/// The first module of a network for which `is` holds, inner ones before those around them; null without one.
const nn::Module* first_module(const nn::Module& module, bool (*is)(const nn::Module&));

/// The first layer of the critic whose weight has no spectral norm. (The layer inside a SpectralNorm is not a
/// child.)
const nn::Module* unnormalised(const nn::Module& critic);
bool has_spectral_norm(const nn::Module& critic);
bool has_batch_norm(const nn::Module& critic);
/// A batch norm over one value per sample and channel: with a single sample its variance is of nothing.
bool has_flat_batch_norm(const nn::Module& network);
/// The first layer that keeps running statistics of its batches: buffers of its own, besides its children's.
const nn::Module* running_statistics(const nn::Module& critic);

}  // namespace duel::gan::detail
