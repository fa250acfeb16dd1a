// The header of a safetensors file: names, types, shapes, places. Internal to core/.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "duel/core/io/safetensors.h"
#include "duel/kernels/base/error.h"

namespace duel::safetensors {

inline constexpr const char* kOp = "safetensors";
inline constexpr uint64_t kMaxHeader = 100'000'000;
inline constexpr size_t kMaxTensors = 16'384, kMaxMetadata = 4'096;
inline constexpr const char* kMetadata = "__metadata__";

/// An element type of the format, and what it becomes here. Those of the first row are written.
struct FileType {
  const char* name;
  size_t size;
  DType dtype;
};
inline constexpr FileType kTypes[] = {
    {"F32", 4, DType::f32},     {"F64", 8, DType::f64},     {"U8", 1, DType::u8},
    {"I64", 8, DType::i64},     {"F16", 2, DType::f32},     {"BF16", 2, DType::f32},
    {"F8_E4M3", 1, DType::f32}, {"F8_E5M2", 1, DType::f32}, {"F8_E8M0", 1, DType::f32},
    {"BOOL", 1, DType::u8},     {"I8", 1, DType::i64},      {"I16", 2, DType::i64},
    {"U16", 2, DType::i64},     {"I32", 4, DType::i64},     {"U32", 4, DType::i64},
    {"U64", 8, DType::i64}};

/// One tensor of a header.
struct Entry {
  std::string name;
  const FileType* type = nullptr;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;
};

/// `text` as JSON; Error when it is not UTF-8.
std::string json_text(const std::string& path, const std::string& text);

/// The tensors of an untrusted header, in the order of their data; its metadata goes to `file`. Error unless
/// they fill `data_bytes` without holes. `path` is for messages.
std::vector<Entry> parse_header(const std::string& path, const std::string& header, uint64_t data_bytes,
                                TensorFile& file);

/// Throws when two items, named by item.*name, share a name.
template <class Item, class Name>
void check_distinct(const std::string& path, std::string_view what, const std::vector<Item>& items,
                    Name Item::*name) {
  std::vector<const Name*> names;
  names.reserve(items.size());
  for (const Item& item : items) names.push_back(&(item.*name));
  std::sort(names.begin(), names.end(), [](const Name* a, const Name* b) { return *a < *b; });
  const auto twice =
      std::adjacent_find(names.begin(), names.end(), [](const Name* a, const Name* b) { return *a == *b; });
  DUEL_CHECK(twice == names.end(), kOp, "{}: {} {} is there twice; give every one a name of its own", path,
             what, in_quotes(**twice));
}

}  // namespace duel::safetensors
