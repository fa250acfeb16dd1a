// Where the kernels' PTX is: see README.md.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "executor.h"

namespace duel::ptx {
namespace {

namespace fs = std::filesystem;

/// Files below a folder with one of the extensions.
std::vector<fs::path> files(const fs::path& folder, std::initializer_list<const char*> extensions) {
  std::vector<fs::path> found;
  std::error_code none;
  for (const auto& entry : fs::recursive_directory_iterator(folder, none)) {
    if (entry.path().parent_path().extension() == ".kept") continue;  // of a compilation that is running
    const std::string extension = entry.path().extension();
    if (std::find(extensions.begin(), extensions.end(), extension) != extensions.end())
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

fs::file_time_type newest(const std::vector<fs::path>& paths) {
  fs::file_time_type time = fs::file_time_type::min();
  for (const fs::path& path : paths) time = std::max(time, fs::last_write_time(path));
  return time;
}

}  // namespace

Kernels read_kernels(const char* told, const std::string& otherwise, const std::string& sources) {
  Kernels made;
  made.demanded = told != nullptr;
  const std::string folder = told != nullptr ? told : otherwise;
  const std::vector<fs::path> texts = files(folder, {".ptx"});
  const std::string how =
      "; `cmake --preset cuda && cmake --build --preset cuda` makes it where nvcc is, and DUEL_TEST_PTX names another "
      "folder";
  if (texts.empty()) {
    made.why_none = "no *.ptx below " + folder + how;
  } else if (!made.demanded && newest(files(sources, {".cu", ".cuh", ".h"})) > newest(texts)) {
    made.why_none = "the PTX below " + folder + " is older than the kernels" + how;
  } else {
    made.executor = std::make_unique<Executor>();
    for (const fs::path& text : texts) made.executor->add(Module::read(text.string()));
  }
  return made;
}

Kernels& kernels() {
  static Kernels read_once =
      read_kernels(std::getenv("DUEL_TEST_PTX"), DUEL_TEST_PTX, DUEL_SOURCE_DIR "/kernels");
  return read_once;
}

}  // namespace duel::ptx
