#include "duel/nn/optim/parameter_arena.h"

#include <algorithm>

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"

namespace duel::nn {
namespace {

constexpr int64_t kAlignBytes = 64;

/// Lays the entries out; returns the elements of the flat tensor.
int64_t lay_out(std::vector<ParameterArena::Entry>& entries, DType dtype) {
  const int64_t step = kAlignBytes / static_cast<int64_t>(size_of(dtype));
  int64_t end = 0;
  for (auto& entry : entries) {
    entry.offset = end;
    end += (entry.parameter.numel() + step - 1) / step * step;
  }
  return end;
}

/// Whether the parameters already lie as laid out, in a storage of just this size.
bool in_place(const ParameterArena::Block& block, int64_t total, size_t element) {
  const auto& first = *block.entries.front().parameter.impl();
  return first.storage->bytes == static_cast<size_t>(total) * element &&
         std::all_of(block.entries.begin(), block.entries.end(), [&](const auto& entry) {
           const auto& impl = *entry.parameter.impl();
           return impl.storage == first.storage && impl.offset == static_cast<size_t>(entry.offset) * element;
         });
}

}  // namespace

ParameterArena::ParameterArena(Module& module) {
  for (const auto& [name, parameter] : module.named_parameters()) {
    auto block = std::find_if(blocks_.begin(), blocks_.end(), [&, &p = parameter](const Block& b) {
      return b.entries.front().parameter.dtype() == p.dtype() &&
             b.entries.front().parameter.device() == p.device();
    });
    if (block == blocks_.end()) block = blocks_.emplace(blocks_.end());
    block->entries.push_back({name, parameter, size_++, 0});
  }
  for (Block& block : blocks_) {
    const Tensor& first = block.entries.front().parameter;
    const size_t element = size_of(first.dtype());
    const int64_t total = lay_out(block.entries, first.dtype());
    if (in_place(block, total, element)) {
      auto whole = std::make_shared<duel::detail::TensorImpl>(*first.impl());
      whole->offset = 0;
      whole->shape = {total};
      whole->node = nullptr;
      block.flat = Tensor(std::move(whole));
      continue;
    }
    block.flat = Tensor::zeros({total}, first.options());
    for (const Entry& entry : block.entries) {
      duel::detail::move_to_storage(entry.parameter, block.flat, static_cast<size_t>(entry.offset) * element);
    }
  }
}

const Tensor& ParameterArena::flat() const {
  DUEL_CHECK(blocks_.size() == 1, "ParameterArena",
             "expected parameters of one dtype, got {} of them: see blocks()", blocks_.size());
  return blocks_[0].flat;
}

const ParameterArena::Entry* ParameterArena::find(const Tensor& parameter) const {
  for (const Block& block : blocks_) {
    for (const Entry& entry : block.entries) {
      if (entry.parameter.impl() == parameter.impl()) return &entry;
    }
  }
  return nullptr;
}

Tensor ParameterArena::window(const Tensor& flat, const Entry& entry) {
  return duel::detail::view(flat, entry.parameter.shape(),
                            static_cast<size_t>(entry.offset) * size_of(flat.dtype()));
}

std::vector<Tensor> ParameterArena::copies() const {
  std::vector<Tensor> result;
  for (const Block& block : blocks_) result.push_back(block.flat.clone());
  return result;
}

void ParameterArena::restore(const std::vector<Tensor>& copies) const {
  NoGrad no_grad;
  for (size_t i = 0; i < copies.size(); ++i) blocks_[i].flat.copy_(copies[i]);
}

void ParameterArena::check() const {
  for (const Block& block : blocks_) {
    const auto* start = static_cast<const std::byte*>(block.flat.raw());
    const size_t element = size_of(block.flat.dtype());
    for (const Entry& entry : block.entries) {
      DUEL_CHECK(
          entry.parameter.raw() == start + static_cast<size_t>(entry.offset) * element, "ParameterArena",
          "parameter {} was moved away (by Module::to or another arena): make arena and optimizer after that",
          entry.name);
    }
  }
}

}  // namespace duel::nn
