// Two parallel lines (0, Z) and (theta, Z), Z uniform, under normal noise of deviation sigma in both coordinates
// (instance noise: Sonderby et al. 2016, arXiv:1610.04490; Arjovsky & Bottou 2017, arXiv:1701.04862, section 3):
// what theory says. The second coordinate is the same on both and tells nothing, so all is about N(0, sigma^2)
// and N(theta, sigma^2) and depends on d = theta / sigma alone, but for lengths.
//
// Without noise: JS = log 2 for every theta other than 0, so its slope is 0 there.
//
// Example:
//   shifted_normal_js(1.0 / 0.5);            // JS of the lines at distance 1 under noise 0.5
//   shifted_normal_pull(1.0 / 0.5) / 0.5;    // d/dtheta of E log(1 - D*), D* held
#pragma once

namespace duel::gan::lab {

// d >= 0, up to 100; absolute errors below 1e-12 (trapezoids of analytic functions that vanish at both ends).

/// JS(N(0, 1), N(d, 1)) in nats: 0 at d = 0, towards log 2.
double shifted_normal_js(double d);
/// d JS / dd, by the derivative of the density alone: half E_{x ~ N(d, 1)} (x - d) log(p_g / ((p_r + p_g) / 2)).
double shifted_normal_js_slope(double d);
/// What a G that can only shift gets from the optimal D* = p_r / (p_r + p_g) under log(1 - D): the derivative in d
/// of E_{x ~ N(d, 1)} log(1 - D*(x)) with D* held, d E D*(x). It is twice shifted_normal_js_slope(d): with D
/// optimal, the loss of G is 2 JS - 2 log 2 and what does not depend on G (Goodfellow 2014, theorem 1).
double shifted_normal_pull(double d);

}  // namespace duel::gan::lab
