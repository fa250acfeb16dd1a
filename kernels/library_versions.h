// Versions of the libraries that this room calls, as they are loaded, for people.
#pragma once

#include <string>

namespace duel::kernels {

/// "2.6.3"
std::string onednn_version();

}  // namespace duel::kernels
