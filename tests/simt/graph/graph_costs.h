// Lists graphs of full-size networks without a GPU: kernels are recorded and never run, and what a launch moves and
// computes is known from the tensors whose memory it was given and from what launchers announce.
#pragma once

namespace duel::simt {

/// From here on the stand-in only records, has 32 GiB, and bench::node_costs() knows its nodes.
void count_costs();

}  // namespace duel::simt
