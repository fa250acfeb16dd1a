// Runs what the harness launches as the PTX that nvcc made of it: simt::execute_with.
//
// A kernel's entry is found by its name: that of the function of this program that is launched, as g++ mangles it, but for
// the names of anonymous namespaces, which each compiler has of its own. Parameters are laid out as CUDA does. A kernel
// that the PTX lacks is a failure.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "counts.h"
#include "machine.h"

namespace duel::ptx {

/// A mangled name with anonymous namespaces as g++ calls them.
std::string without_hashes(std::string mangled);

/// A function of this program: its mangled name and, if it is local to a source, that file's name.
struct Symbol {
  std::string name, file;
};
Symbol symbol_of(const void* function);

class Executor {
 public:
  void add(std::unique_ptr<Module> module);
  size_t modules() const { return modules_.size(); }
  const std::vector<std::unique_ptr<Module>>& all_modules() const { return modules_; }

  /// All blocks of a launch; throws simt::Failure.
  void run(simt::Launch& launch);
  /// The same for an entry by its own name, as the interpreter's tests do it.
  void run(const Program& program, const std::string& kernel, std::vector<unsigned char> parameters,
           dim3 grid, dim3 block, size_t shared_bytes, const std::vector<uint64_t>& order);

  /// Instructions of a block before it counts as endless.
  uint64_t most_instructions = uint64_t{1} << 27;

  std::map<std::string, Counts> counts();  ///< by the kernel's name in C++
  void reset_counts();

 private:
  struct Found {
    const Program* program = nullptr;
    std::string kernel;
  };
  const Found& find(const void* kernel);

  std::vector<std::unique_ptr<Module>> modules_;
  std::multimap<std::string, std::pair<Module*, std::string>> entries_;
  std::map<const void*, Found> found_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Machine>> idle_;
  struct Ran {
    uint64_t launches = 0;
    std::string kernel;
    std::vector<Executed> executed;
  };
  std::map<const Program*, Ran> ran_;
};

/// While it lives, launches run on this executor in place of the fibers.
class Interpreted {
 public:
  explicit Interpreted(Executor& executor) {
    simt::execute_with([&executor](simt::Launch& launch) { executor.run(launch); });
  }
  ~Interpreted() { simt::execute_with({}); }
  Interpreted(const Interpreted&) = delete;
  Interpreted& operator=(const Interpreted&) = delete;
};

/// The kernels' PTX, read once.
struct Kernels {
  std::unique_ptr<Executor> executor;  ///< null where there is no PTX
  std::string why_none;
  bool demanded = false;  ///< by the environment: that there is none is an error then
};
/// `told`: the folder that the environment names, or null. PTX that is older than the sources is taken only then.
Kernels read_kernels(const char* told, const std::string& otherwise, const std::string& sources);
Kernels& kernels();

}  // namespace duel::ptx
