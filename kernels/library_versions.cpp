// Asks the loaded library, not the header.
#include "duel/kernels/library_versions.h"

#include <dnnl.h>

namespace duel::kernels {

std::string onednn_version() {
  const dnnl_version_t& version = *dnnl_version();
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

}  // namespace duel::kernels
