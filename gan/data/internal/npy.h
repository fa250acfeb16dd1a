// Arrays of NumPy's .npy format as images. Internal to the readers of gan/data.
//
// Format: "\x93NUMPY", version 1 to 3, the header's length (u16, or u32 from version 2), and the header, a Python
// literal: {'descr': '<f4', 'fortran_order': False, 'shape': (10000, 28, 28), }; then the elements. NumPy's NEP 1.
// Nothing is ever unpickled: arrays of objects are refused.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "duel/gan/data/image_files.h"

namespace duel::gan::detail {

/// `read` fills a span as far as there is content, of which there are `length` bytes. `what` is the file, for errors.
ImageSet read_npy(const std::string& what, int64_t length,
                  const std::function<size_t(std::span<uint8_t>)>& read, const CheckShape& check_shape,
                  Colours colours);

/// Integers, rank 1 or a single column or row, as labels of `count` images. Error for what cannot be labels of images.
std::vector<uint8_t> read_npy_labels(const std::string& what, int64_t length,
                                     const std::function<size_t(std::span<uint8_t>)>& read, int64_t count);

}  // namespace duel::gan::detail
