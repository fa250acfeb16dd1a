// ParameterArena: all parameters of a network in one flat tensor per dtype, so that an optimizer step,
// clipping or an average is one launch. The parameters' handles stay valid: only the memory behind them
// moves.
//
// Making a second arena of the same module finds the first one's memory and moves nothing. Module::to(), or
// an arena of a larger module, moves parameters out again: check() then says so.
//
// Example:
//   nn::ParameterArena arena(net);
//   arena.flat().numel();   // all parameters, each at a multiple of 64 bytes, zeros between them
#pragma once

#include <string>
#include <vector>

#include "duel/nn/module/module.h"

namespace duel::nn {

class ParameterArena {
 public:
  struct Entry {
    std::string name;
    Tensor parameter;
    size_t index;    // its place in Module::parameters()
    int64_t offset;  // elements from the start of flat
  };
  struct Block {
    Tensor flat;  // no graph of its own
    std::vector<Entry> entries;
  };

  /// Implicit, so that an optimizer can be made from a module directly.
  ParameterArena(Module& module);

  /// One per dtype, in order of first appearance; usually one.
  const std::vector<Block>& blocks() const { return blocks_; }
  /// The flat tensor of a network whose parameters have one dtype; Error with none or several.
  const Tensor& flat() const;
  /// The number of parameters (tensors).
  size_t size() const { return size_; }
  /// Where a parameter lies; null if it is none of these.
  const Entry* find(const Tensor& parameter) const;
  /// The part that belongs to one parameter of a tensor in the layout of its block: moments, averages. Shares storage.
  static Tensor window(const Tensor& flat, const Entry& entry);
  /// The present values, a tensor per block, and back.
  std::vector<Tensor> copies() const;
  void restore(const std::vector<Tensor>& copies) const;
  /// Error when a parameter no longer lives here.
  void check() const;

 private:
  std::vector<Block> blocks_;
  size_t size_ = 0;
};

}  // namespace duel::nn
