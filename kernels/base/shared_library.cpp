#include "duel/kernels/base/shared_library.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/settings.h"

namespace duel::kernels {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// lib/python3.*/site-packages of an installation, and Debian's dist-packages.
void add_site_packages(const fs::path& prefix, std::vector<std::string>& out) {
  std::error_code error;
  for (const char* lib : {"lib", "lib64"}) {
    for (fs::directory_iterator it(prefix / lib, error), end; !error && it != end; it.increment(error)) {
      if (it->path().filename().string().rfind("python3", 0) != 0) continue;
      for (const char* packages : {"site-packages", "dist-packages"}) {
        const fs::path folder = it->path() / packages;
        std::error_code ignored;
        const bool known = std::find(out.begin(), out.end(), folder.string()) != out.end();
        if (!known && fs::is_directory(folder, ignored)) out.push_back(folder.string());
      }
    }
    error.clear();
  }
}

void add_files(const fs::path& folder, const std::vector<std::string>& names, std::vector<std::string>& out) {
  for (const std::string& name : names) {
    if (is_file(folder / name)) out.push_back((folder / name).string());
  }
}

}  // namespace

std::vector<std::string> split_folders(const std::string& text) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(':', begin), text.size());
    if (end > begin) out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::vector<std::string> site_packages() {
  std::vector<std::string> out;
  if (const std::string venv = environment("VIRTUAL_ENV"); !venv.empty()) add_site_packages(venv, out);
  for (const std::string& folder : split_folders(environment("PATH"))) {
    const fs::path python = fs::path(folder) / "python3";
    if (!is_file(python)) continue;
    // PATH's python3 may be a link into a virtual environment, whose own is a link to the one that it was
    // made from: each step of the way has packages. pyenv's is a script.
    std::error_code error;
    fs::path at = python;
    for (int steps = 0; steps < 16; ++steps) {
      add_site_packages(at.parent_path().parent_path(), out);
      const fs::path to = fs::read_symlink(at, error);
      if (error) break;
      at = (at.parent_path() / to).lexically_normal();
    }
    error.clear();
    const fs::path real = fs::canonical(python, error);  // folders may be links too
    if (!error) add_site_packages(real.parent_path().parent_path(), out);
    const fs::path versions = fs::path(folder).parent_path() / "versions";
    if (fs::path(folder).filename() == "shims") {
      for (fs::directory_iterator it(versions, error), end; !error && it != end; it.increment(error)) {
        add_site_packages(it->path(), out);
      }
    }
    break;
  }
  if (const std::string home = environment("HOME"); !home.empty()) add_site_packages(home + "/.local", out);
  if (const std::string conda = environment("CONDA_PREFIX"); !conda.empty()) add_site_packages(conda, out);
  return out;
}

std::vector<std::string> library_candidates(const LibrarySearch& search) {
  std::vector<std::string> out;
  if (const std::string wish = environment(search.variable.c_str()); !wish.empty()) {
    if (is_file(wish)) return {wish};
    add_files(wish, search.names, out);
    return out;
  }
  out = search.names;
  for (const std::string& folder : search.folders) add_files(folder, search.names, out);
  for (const char* root : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const std::string folder = environment(root); !folder.empty()) {
      for (const char* lib : {"/lib64", "/lib", "/targets/x86_64-linux/lib"})
        add_files(folder + lib, search.names, out);
    }
  }
  add_files("/usr/local/cuda/lib64", search.names, out);
  if (const std::string conda = environment("CONDA_PREFIX"); !conda.empty()) {
    add_files(conda + "/lib", search.names, out);
    add_files(conda + "/targets/x86_64-linux/lib", search.names, out);
  }
  for (const std::string& packages : site_packages()) {
    for (const std::string& wheel : search.wheels) add_files(fs::path(packages) / wheel, search.names, out);
  }
  return out;
}

SharedLibrary open_library(const LibrarySearch& search) {
  SharedLibrary library;
  const std::string wish = environment(search.variable.c_str());
  std::string failure;  // of the last file that is there
  for (const std::string& candidate : library_candidates(search)) {
    library.handle = dlopen(candidate.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (library.handle) {
      library.path = candidate;
      link_map* map = nullptr;
      if (dlinfo(library.handle, RTLD_DI_LINKMAP, &map) == 0 && map && map->l_name && *map->l_name) {
        library.path = map->l_name;
      }
      return library;
    }
    const char* text = dlerror();
    if (candidate.find('/') != std::string::npos) failure = text ? text : candidate;
  }
  const std::string& name = search.names.front();
  if (!failure.empty()) {
    library.why = message("{} does not load: {}", name, failure);
  } else if (!wish.empty()) {
    library.why = message("no {} in {}={}", name, search.variable, wish);
  } else {
    library.why =
        message("no {} found: put its folder on LD_LIBRARY_PATH, or set {} to it", name, search.variable);
  }
  return library;
}

void* SharedLibrary::function(const char* name) const { return handle ? dlsym(handle, name) : nullptr; }

}  // namespace duel::kernels
