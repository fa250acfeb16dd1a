// The model name from /proc, what the compiler was told, and the libraries' own version functions.
#include "duel/gan/record/machine.h"

#include <sched.h>
#include <sys/utsname.h>
#include <zlib.h>

#include <ctime>
#include <filesystem>
#include <fstream>

#include "duel/core/device/device.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/runtime.h"
#include "duel/kernels/linear/device_library.h"

namespace duel::gan {
namespace {

/// The text after "KEY…:" in a file of /proc; empty if it is not there.
std::string proc_entry(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

std::string cpu_model() {
  std::string model = proc_entry("/proc/cpuinfo", "model name");
  return model.empty() ? "unknown CPU" : model;
}

int usable_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// "NVIDIA H100 80GB HBM3: 132 multiprocessors, 80 GiB, compute capability 9.0, CUDA 13.0", or "none: " and
/// why.
std::string gpu_name() {
  namespace runtime = kernels::runtime;
  if (const std::string reason = why_unavailable(Device::cuda()); !reason.empty()) {
    return (std::filesystem::exists("/dev/nvidia0") ? "not used: " : "none: ") + reason;
  }
  try {
    const runtime::Properties p = runtime::properties();
    return message("{}: {} multiprocessors, {} GiB, compute capability {}.{}, CUDA {}.{}", p.name,
                   p.multiprocessors, (p.memory_bytes + (int64_t{1} << 29)) >> 30, p.major, p.minor,
                   p.runtime_version / 1000, p.runtime_version % 1000 / 10);
  } catch (const Error& error) {
    return std::string("not used: ") + error.what();
  }
}

std::string system_name() {
  utsname name{};
  if (uname(&name) != 0) return "unknown";
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

std::string compiler_name() {
#if defined(__clang__)
  return std::string("clang ") + __clang_version__;
#elif defined(__GNUC__)
  return "gcc " + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__) + "." +
         std::to_string(__GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

}  // namespace

Machine this_machine() {
  Machine m;
  m.duel = DUEL_VERSION;
  m.cpu = cpu_model();
  m.isa = kernels::host_vectors();
  m.cores = usable_cores();
  m.threads = kernels::threads();
  m.system = system_name();
  m.compiler = compiler_name();
  m.gpu = gpu_name();
  m.libraries = {{"oneDNN", kernels::host_library_version()}, {"zlib", zlibVersion()}};
  return m;
}

int64_t peak_resident_bytes() {
  const std::string text = proc_entry("/proc/self/status", "VmHWM");  // "123456 kB"
  return text.empty() ? 0 : std::strtoll(text.c_str(), nullptr, 10) * 1024;
}

std::string local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &parts)};
}

}  // namespace duel::gan
