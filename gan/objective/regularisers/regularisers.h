// Terms that the literature adds to a GAN's losses, each a Term with its weight; `duel train --lecam 0.3` and so on set them
// for any objective (rows/objective_settings.cpp).
//
// r = D(x), f = D(G(z)): logits; T: images moved by up to an eighth of their sides, drawn for each (augmentation.h).
//
//   lecam        L_D += E (r - m_f)^2 + E (f - m_r)^2; m: running means of r and f, decay 0.99
//                (Tseng et al. 2021, arXiv:2104.03310, equation 6)
//   consistency  L_D += E (r - D(T(x)))^2: CR (Zhang et al. 2020, arXiv:1910.12027, equation 2); balanced, bCR: the same of
//                fakes besides (Zhao et al. 2020, arXiv:2002.04724, section 2.1)
//   latent_d     L_D += E (f - D(G(z + e)))^2, e normal of deviation 0.05
//   latent_g     L_G -= E |G(z) - G(z + e)|^2, a mean over pixels: zCR's two halves (Zhao et al. 2020, section 2.2)
//   orthogonal   L_G += sum over G's weights W [out, rest] of |W W^T * (1 - I)|^2 (Brock et al. 2019, arXiv:1809.11096,
//                equation 3)
//   path_length  L_G += E (|J^T y| - a)^2, J the Jacobian of G's images, y normal noise over the root of the number of pixels,
//                a the running mean of the lengths, decay 0.99 (Karras et al. 2020, arXiv:1912.04958, equation 4). By w where
//                G has one (MapsLatents), else by z
//   cutmix       L_D += E (D_p(mix(x, G(z))) - mix(D_p(x), D_p(G(z))))^2, D_p a D's logits of pixels, mix a box of the second in the
//                first, whose share of the image is uniform and whose middle lies anywhere in it; a mean over pixels (Schonfeld et
//                al. 2020, arXiv:2002.12655, equation 9, which is a sum; boxes as Yun et al. 2019, arXiv:1905.04899)
//
//   historical_averaging  L_D += |theta - m|^2 of D's weights, L_G the same of G's; m: their mean over all steps so far, this
//                one included (Salimans et al. 2016, arXiv:1606.03498, section 3.3)
//   spectral_regularisation  L_D += 1/2 sum over D's weights W [first axis, rest] of sigma(W)^2, sigma the largest singular
//                value by one power iteration a step, whose vectors are constants of the loss (Yoshida & Miyato 2017,
//                arXiv:1705.10941, section 3)
//
// A term that passes D or G once more moves running statistics and power iterations as any pass in training does.
//
// Example:
//   objective.d_terms.push_back(lecam(0.3));
#pragma once

#include "duel/core/tensor/random.h"
#include "duel/gan/objective/term.h"

namespace duel::gan {

/// The terms of the table above.
Term lecam(double weight);
enum class Consistency { real, balanced };
Term consistency(Consistency of, double weight);
Term latent_consistency_d(double weight);
Term latent_consistency_g(double weight);
Term orthogonal(double weight);
Term path_length(double weight);
inline constexpr const char* kCutmix = "cutmix";
/// Of a D that judges pixels.
Term cutmix_consistency(double weight);
/// For images [N, C, H, W] [N, 1, H, W]: 0 in each one's box, 1 outside.
Tensor cutmix_mask(const Tensor& images, Generator& random);
enum class Whose { discriminator, generator };
/// Of the weights of one player; the table above.
Term historical_averaging(Whose of, double weight);
Term spectral_regularisation(double weight);

/// Whether the table above has a term of that name.
bool is_regulariser(const std::string& term);
/// Whether terms like this one show D samples by themselves, which packing would have to put together.
bool judges_samples(const Term& term);
/// Whether it is path_length.
bool is_path_length(const Term& term);
/// Whether it is spectral_regularisation.
bool regularises_spectrum(const Term& term);

}  // namespace duel::gan
