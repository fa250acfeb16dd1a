// safetensors: named tensors in one file, as PyTorch's safetensors.torch reads and writes them.
//
//   8 bytes   N, length of the header, little-endian
//   N bytes   JSON: {"__metadata__": {text: text}, name: {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, …}
//   the rest  the data, row-major, little-endian, without holes
//
// The reader refuses whatever the format's reference reader refuses (and complex numbers, types of less than a byte, duplicate
// names, more than 5 axes, more than 16,384 tensors or 4,096 metadata entries). Nothing is allocated before
// the file proves to have that many bytes. A file is read as a whole or not at all: duel::Error names file,
// field and remedy.
//
// Example:
//   write_safetensors("g.safetensors", {.tensors = {{"fc.weight", w}}, .metadata = {{"format", "pt"}}});
//   const TensorFile file = read_safetensors("g.safetensors");
//   if (const Tensor* w = file.find("fc.weight")) layer.weight.copy_(*w);
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel {

struct TensorFile {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
  /// The tensor of that name, or null.
  const Tensor* find(std::string_view name) const;
  /// The metadata's text under that key; empty where there is none.
  std::string text(std::string_view key) const;
};

/// All tensors, on the CPU, in the order of their data. F32, F64, U8 and I64 as they are; F16, BF16 and the
/// F8 become f32, BOOL u8, the other integers i64 (U64 of 2^63 and more are an Error); other dtypes are an Error that names the tensor.
TensorFile read_safetensors(const std::filesystem::path& path);

/// Writes tensors sorted by alignment (largest first), then name, from an 8-byte aligned start; metadata in
/// the order given. Atomic: see core/io/atomic_file.h. Names must differ, and names and metadata must be
/// UTF-8. The same contents give the same bytes.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace duel
