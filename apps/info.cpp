// duel info: what this Duel runs on and is made of.
#include <cstdio>

#include "commands.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/machine.h"
#include "duel/kernels/device_library.h"
#include "duel/kernels/error.h"

namespace duel::apps {
namespace {

std::string data_found() {
  const std::filesystem::path folder = gan::find_mnist();
  if (folder.empty())
    return "no MNIST ($DUEL_DATA is not set, data/mnist is not there): digits will be drawn";
  try {
    const gan::ImageSet set = gan::load_mnist(folder, gan::Split::train);
    return message("{} images of {}x{} in {}", set.count, set.height, set.width, set.source);
  } catch (const Error& error) {
    return error.what();
  }
}

int info() {
  const gan::Machine m = gan::this_machine();
  std::string libraries;
  for (const auto& [name, version] : m.libraries)
    libraries += (libraries.empty() ? "" : ", ") + name + " " + version;
  std::printf(
      "duel       %s\nCPU        %s, %d core%s usable\nvectors    %s\nthreads    %d ($DUEL_THREADS or "
      "--threads set them)\nGPU        %s\n",
      m.duel.c_str(), m.cpu.c_str(), m.cores, m.cores == 1 ? "" : "s", m.isa.c_str(), m.threads,
      m.gpu.c_str());
  if (kernels::device::compiled_for_gpu()) {
    std::printf("GPU maths  %s\n", kernels::device_library_report().c_str());
  }
  std::printf("libraries  %s\ncompiler   %s\nsystem     %s\ndata       %s\n", libraries.c_str(),
              m.compiler.c_str(), m.system.c_str(), data_found().c_str());
  return 0;
}

}  // namespace

Command info_command() {
  return {.name = "info", .summary = "Show version, CPU, threads, GPU, libraries and data", .run = [] {
            return info();
          }};
}

}  // namespace duel::apps
