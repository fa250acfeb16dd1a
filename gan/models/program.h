// What a network computes, as data: layers that PyTorch has too, by the line with which both describe them, and between them
// single ops. `duel export` writes it into a file's metadata, and apps/examples/torch_network.py builds the network from it.
//
// Note [A program is what ran]
// It is not a second description of a network that could differ from it: the network runs, in evaluation mode, for batches of
// three sizes, and the ops that it calls are written down (core/tensor/internal/op_trace.h). A size that grows with the batch,
// a + b N, is written as {"batch": b, "plus": a}. What cannot be followed is refused: an op without a place in the list of
// program.cpp, a tensor that is made of numbers on the way, a network whose ops depend on the batch in any other way.
//
// JSON:
//   {"inputs": ["input"],
//    "layers": {"0": "Linear(in_features=100, out_features=256, bias=True)", …},   a constructor of torch.nn each, or
//                                                                     SpectralNorm(…) of one: torch.nn.utils.spectral_norm
//    "parameters": {"1.gamma": [1], …}, "buffers": {…},               those of no layer, with their shapes
//    "steps": [["layer 0", ["input"], {}], ["reshape", [0], {"shape": [{"batch": 1, "plus": 0}, 64, 7, 7]}], …],
//    "outputs": {"images": 17}}
// A step is an op, what it is given, and its options by PyTorch's names; what it is given is the number of an earlier step, the
// name of an input, parameter or buffer, or null for a bias that is not there. Convolutions, pools and the like are those of
// torch.nn.functional; the names that are not PyTorch's: "linear" with its weight, "add_scalar" (and mul, div, scalar_div, pow)
// with the number as "other", "slice" which is torch.narrow, "sample_norm", the length of each sample [N], and "matmul" with
// "transpose_a", "transpose_b".
//
// Example:
//   std::string json = program_of(*g, [&](int64_t n) {
//     const Tensor z = random.normal({n, 100});
//     return ProgramPass{{{"input", z}}, {{"images", (*g)(z)}}};
//   });
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/models/models.h"
#include "duel/nn/module/module.h"

namespace duel::gan {

/// What a network was given and what it gave, by name.
struct ProgramPass {
  std::vector<std::pair<std::string, Tensor>> inputs, outputs;
};

/// The program of `net`, which lies on the CPU, for what `pass` does with it for so many samples. Error where it cannot be followed.
std::string program_of(nn::Module& net, const std::function<ProgramPass(int64_t samples)>& pass);

/// Of the networks of a GAN: from "input" [N, latent.width()] to "images" [N, C, H, W], and from "images", packed, and "labels"
/// where D looks at them, to all that D says (critic.h): "logits", "features", "classes", "codes", "pixels".
std::string generator_program(const Networks& networks);
std::string discriminator_program(const Networks& networks);

}  // namespace duel::gan
