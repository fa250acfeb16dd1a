// Libraries that are loaded when first needed, so that a program starts where they are not installed;
// internal.
//
// The search, first hit wins:
//   1. the environment variable, a file or a folder; set, it is the only place
//   2. the dynamic loader: LD_LIBRARY_PATH, ldconfig
//   3. the folders that were recorded at configure time, lib64, lib and targets/x86_64-linux/lib of $CUDA_HOME and of
//      $CUDA_PATH, /usr/local/cuda/lib64, $CONDA_PREFIX/lib
//   4. pip wheels: site-packages of $VIRTUAL_ENV, of the python3 on PATH and of every link behind it, and of $CONDA_PREFIX
#pragma once

#include <string>
#include <vector>

namespace duel::kernels {

struct LibrarySearch {
  std::string variable;              ///< environment variable: "DUEL_CUBLAS"
  std::vector<std::string> names;    ///< file names, the best first: "libcublasLt.so.13"
  std::vector<std::string> folders;  ///< recorded at configure time
  std::vector<std::string> wheels;   ///< folders inside site-packages: "nvidia/cu13/lib"
};

/// What is tried, in order: paths, or a bare name for the dynamic loader. Paths are listed only where a file
/// is.
std::vector<std::string> library_candidates(const LibrarySearch& search);

/// Folders named site-packages or dist-packages of the Pythons in question. No Python is started.
std::vector<std::string> site_packages();

struct SharedLibrary {
  void* handle = nullptr;
  std::string path;  ///< the file that was loaded
  std::string why;   ///< where handle is null: what was tried and what to do, in one line
  /// A function of the library; null where it has none.
  void* function(const char* name) const;
};
/// Never throws for what it does not find.
SharedLibrary open_library(const LibrarySearch& search);

/// A list of folders separated by ':'.
std::vector<std::string> split_folders(const std::string& text);

}  // namespace duel::kernels
