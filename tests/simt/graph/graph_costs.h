// Lists graphs of full-size networks without a GPU: kernels are recorded and never run, and what a launch moves and
// computes is known from the tensors whose memory it was given and from what launchers announce; its registers and shared
// memory from what nvcc last made of the kernel (tests/golden/kernels_sm90.json). What its blocks execute, from some of them as
// PTX, over memory that is 0: how far a loop goes does not follow the numbers that are computed.
#pragma once

#include <memory>
#include <string>

namespace duel::ptx {
class Executor;
}

namespace duel::simt {

/// From here on the stand-in only records, has 32 GiB, knows what nvcc made of the kernels, and bench::node_costs() its nodes.
void count_costs();

/// The nodes' costs hold what is executed, from the PTX below this folder. Error where there is none. Kernels that it lacks, or
/// that cannot run over zeros, stay unknown.
void count_executed(const std::string& folder);
void count_executed(std::unique_ptr<ptx::Executor> by);

}  // namespace duel::simt
