// Helpers of the gan tests: those of tests/files.h, and where the real MNIST is.
#pragma once

#include <cstdlib>

#include "tests/files.h"
#include "tests/source.h"

namespace duel::gan::testing {

using namespace duel::testing;

/// Folder of the real MNIST: $DUEL_TEST_MNIST, or shared/data/mnist beside or above the sources; empty if
/// none.
inline std::filesystem::path real_mnist() {
  if (const char* chosen = std::getenv("DUEL_TEST_MNIST")) return chosen;
  const std::filesystem::path root = in_source("");
  for (const char* up : {"../shared/data/mnist", "../../shared/data/mnist"}) {
    if (std::filesystem::exists(root / up / "train-images-idx3-ubyte.gz")) return root / up;
  }
  return {};
}

}  // namespace duel::gan::testing
