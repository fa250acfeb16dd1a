// Launches of the harness as PTX: see executor.h.
#include "executor.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace duel::ptx {

using simt::Failure;
using simt::Fault;

namespace {

[[noreturn]] void refuse(const std::string& kernel, const std::string& what) {
  Failure failure(Fault::bad_launch,
                  std::string(simt::name(Fault::bad_launch)) + ": " + what + " [" + kernel + "]");
  failure.kernel = kernel;
  throw failure;
}

std::string demangled(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  const std::string made = status == 0 ? text : name;
  std::free(text);
  return made;
}

/// "ring" of "ring.cu", "ring.ptx", "ring.cu.o.ptx".
std::string stem(const std::string& file) { return file.substr(0, file.find('.')); }

}  // namespace

void Executor::add(std::unique_ptr<Module> module) {
  for (const std::string& entry : module->entries()) {
    entries_.emplace(without_hashes(entry), std::pair(module.get(), entry));
  }
  modules_.push_back(std::move(module));
}

const Executor::Found& Executor::find(const void* kernel) {
  std::scoped_lock lock(mutex_);
  const auto known = found_.find(kernel);
  if (known != found_.end()) return known->second;
  const Symbol symbol = symbol_of(kernel);
  const std::string name = demangled(symbol.name);
  const auto [first, last] = entries_.equal_range(without_hashes(symbol.name));
  if (first == last)
    refuse(name, "the PTX of " + std::to_string(modules_.size()) + " modules has no such kernel");
  auto chosen = first;
  if (std::distance(first, last) > 1 && !symbol.file.empty()) {
    while (chosen != last && stem(chosen->second.first->file()) != stem(symbol.file)) ++chosen;
    if (chosen == last) refuse(name, "several modules have such a kernel, none is that of " + symbol.file);
  }
  return found_[kernel] = {&chosen->second.first->program(chosen->second.second), name};
}

void Executor::run(simt::Launch& launch) {
  const Found& found = find(launch.kernel);
  std::vector<unsigned char> parameters(launch.pack(launch.arguments, nullptr));
  launch.pack(launch.arguments, parameters.data());
  run(*found.program, found.kernel, std::move(parameters), launch.grid, launch.block, launch.shared_bytes,
      launch.block_order);
}

void Executor::run(const Program& program, const std::string& kernel, std::vector<unsigned char> parameters,
                   dim3 grid, dim3 block, size_t shared_bytes, const std::vector<uint64_t>& order) {
  if (parameters.size() != program.parameter_bytes) {
    refuse(kernel, "expected " + std::to_string(program.parameter_bytes) + " bytes of parameters, got " +
                       std::to_string(parameters.size()));
  }
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads > program.most_threads) {
    refuse(kernel, "expected at most " + std::to_string(program.most_threads) + " threads in a block, got " +
                       std::to_string(threads));
  }
  if (program.static_bytes + shared_bytes > simt::kSharedLimit) {
    refuse(kernel, "expected at most 48 KB of shared memory, got " +
                       std::to_string(program.static_bytes + shared_bytes) + " bytes");
  }
  Grid given;
  given.program = &program;
  given.kernel = kernel;
  given.parameters = std::move(parameters);
  given.grid = grid;
  given.block = block;
  given.shared_bytes = shared_bytes;
  given.most = most_instructions;

  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  const auto work = [&] {
    std::unique_ptr<Machine> machine;
    {
      std::scoped_lock lock(mutex_);
      if (!idle_.empty()) {
        machine = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (machine == nullptr) machine = std::make_unique<Machine>();
    std::vector<Executed> executed(program.code.size());
    try {
      for (size_t k; !failed && (k = next.fetch_add(1)) < order.size();) {
        machine->run_block(given, order[k], executed);
      }
    } catch (...) {
      std::scoped_lock lock(mutex_);
      if (!failed) failure = std::current_exception();
      failed = true;
    }
    std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(machine));
    Ran& ran = ran_[&program];
    ran.kernel = kernel;
    ran.executed.resize(program.code.size());
    for (size_t k = 0; k < executed.size(); ++k) {
      ran.executed[k].warps += executed[k].warps;
      ran.executed[k].lanes += executed[k].lanes;
      ran.executed[k].sectors += executed[k].sectors;
      ran.executed[k].reading += executed[k].reading;
      ran.executed[k].passes += executed[k].passes;
    }
  };
  {
    std::vector<std::jthread> helpers;
    const auto wanted = std::min<size_t>(static_cast<size_t>(simt::schedule().os_threads), order.size());
    for (size_t k = 1; k < wanted; ++k) helpers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  std::scoped_lock lock(mutex_);
  ++ran_[&program].launches;
}

std::map<std::string, Counts> Executor::counts() {
  std::scoped_lock lock(mutex_);
  std::map<std::string, Counts> all;
  for (const auto& [program, ran] : ran_) {
    Counts counts = count(*program, ran.executed);
    counts.launches = ran.launches;
    all[ran.kernel] += counts;
  }
  return all;
}

void Executor::reset_counts() {
  std::scoped_lock lock(mutex_);
  ran_.clear();
}

}  // namespace duel::ptx
