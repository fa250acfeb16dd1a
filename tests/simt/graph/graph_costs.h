// Lists graphs of full-size networks without a GPU: kernels are recorded and never run, and what a launch moves and
// computes is known from the tensors whose memory it was given and from what launchers announce; its registers and shared
// memory from what nvcc last made of the kernel (tests/golden/kernels_sm90.json).
#pragma once

namespace duel::simt {

/// From here on the stand-in only records, has 32 GiB, knows what nvcc made of the kernels, and bench::node_costs() its nodes.
void count_costs();

}  // namespace duel::simt
