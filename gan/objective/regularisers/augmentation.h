// What D's inputs go through, real and generated alike, so that a discriminator of few images does not learn them by heart:
// DiffAugment (Zhao et al. 2020, arXiv:2006.10738). Every number is drawn for each image; differentiable, so that G's gradient
// passes; images [N, C, H, W] in [-1, 1].
//
//   flip, turn, affine   ADA's geometric ones (geometry.h): made for probabilities below 1, `ada`; always made, they are learnt by G
//   color        brightness + U[-0.5, 0.5), of several colours saturation times U[0, 2), contrast times U[0.5, 1.5)
//   translation  moved by up to an eighth of the sides, zeros where nothing was
//   cutout       a square of half the sides, its centre anywhere, set to zero
//
// Example:
//   objective.augmentation = augmentation("color,translation,cutout");
#pragma once

#include <string>
#include <vector>

#include "duel/gan/objective/objective.h"

namespace duel::gan {

/// The names of the policies, in the order in which they are done.
const std::vector<std::string>& augmentation_policies();

/// One way of writing a list of them, "color,cutout"; "none". Error of `op` for any other text.
std::string canonical_policy(const char* op, const std::string& text);

/// The policies of a canonical text in turn; null for none.
Augmentation augmentation(const std::string& policy);
/// `images` as the augmentation changes them. Where p [1] is defined, in device memory, each policy in turn is done for each
/// image with probability p and else left out (ADA: adaptation.h); an augmentation of one's own counts as one policy. Error
/// where the augmentation gives other shapes or another type.
Tensor augmented(const Augmentation& augmentation, const Tensor& images, Generator& random, const Tensor& p);
/// The text of an augmentation that this header made; empty of one's own, "none" of none.
std::string policy_of(const Augmentation& augmentation);

/// The policy translation by itself.
Tensor translated(const Tensor& images, Generator& random);

}  // namespace duel::gan
