// CRC-32C (Castagnoli): the checksum of TensorBoard's event files and of other record formats.
//
// Example:
//   crc32c("123456789") == 0xe3069283
#pragma once

#include <cstdint>
#include <string_view>

namespace duel {

/// Reflected polynomial 0x82f63b78, first and last all ones (RFC 3720, appendix B.4).
uint32_t crc32c(std::string_view bytes);

}  // namespace duel
