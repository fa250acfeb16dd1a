// duel info: what this Duel runs on and is made of.
#include "commands.h"
#include "duel/gan/data/image_files.h"
#include "duel/gan/record/machine.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/linear/device_library.h"
#include "terminal/output.h"

namespace duel::apps {
namespace {

std::string data_found() {
  const gan::DataPlace place = gan::locate_data();
  if (place.path.empty()) return "no MNIST (" + place.why + ")";
  try {
    const gan::ImageSet set = gan::read_half(place.path, gan::Split::train);
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
  std::string text = message(
      "duel       {}\n"
      "CPU        {}, {} core{} usable\n"
      "vectors    {}\n"
      "threads    {} ($DUEL_THREADS or --threads set them)\n"
      "GPU        {}\n",
      m.duel, m.cpu, m.cores, m.cores == 1 ? "" : "s", m.isa, m.threads, m.gpu);
  if (kernels::device::compiled_for_gpu())
    text += message("GPU maths  {}\n", kernels::device_library_report());
  print(text + message("libraries  {}\ncompiler   {}\nsystem     {}\ndata       {}\n", libraries, m.compiler,
                       m.system, data_found()));
  return 0;
}

}  // namespace

Command info_command() {
  return {.name = "info", .summary = "Show version, CPU, threads, GPU, libraries and data", .run = [] {
            return info();
          }};
}

}  // namespace duel::apps
