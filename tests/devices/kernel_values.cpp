// kernel_values FILE [--host]: writes what every case of the kernels (apps/bench/cases/cases.h) computes, float and
// double, odd sizes.
//
// Built twice from this one source: duel_kernel_values runs the __global__ kernels on a GPU,
// duel_kernel_values_simt runs the same kernels under the harness of tests/simt on the CPU.
// tests/gpu_tools.py compares their files: this is how the harness is checked against the hardware that it
// stands for. --host takes the host loops instead.
//
// The file: per result of a case its name's length (u32), the name, its kind ('f', 'd', 'q' or 'B' as Python's
// array has them), the number of elements (u64), the elements.
#include <cstdio>
#include <string>
#include <vector>

#include "apps/bench/cases/cases.h"
#include "duel/core/device/allocator.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/linear/device_library.h"

using namespace duel;

namespace {

template <class T>
void write_elements(std::FILE* out, char kind, const std::vector<T>& values) {
  const auto count = static_cast<uint64_t>(values.size());
  std::fwrite(&kind, 1, 1, out);
  std::fwrite(&count, sizeof count, 1, out);
  std::fwrite(values.data(), sizeof(T), values.size(), out);
}

void write(std::FILE* out, const std::string& name, const Tensor& result) {
  const auto length = static_cast<uint32_t>(name.size());
  std::fwrite(&length, sizeof length, 1, out);
  std::fwrite(name.data(), 1, name.size(), out);
  switch (result.dtype()) {
    case DType::f32:
      return write_elements(out, 'f', result.to_vector<float>());
    case DType::f64:
      return write_elements(out, 'd', result.to_vector<double>());
    case DType::i64:
      return write_elements(out, 'q', result.to_vector<int64_t>());
    case DType::u8:
      return write_elements(out, 'B', result.to_vector<uint8_t>());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool on_host = argc == 3 && std::string(argv[2]) == "--host";
  if (argc != 2 && !on_host) {
    std::fputs("usage: kernel_values FILE [--host]\n", stderr);
    return 2;
  }
  constexpr int64_t kOdd = 40009;  // bytes that a case moves, roughly
  try {
    const Device device = on_host ? Device::cpu() : Device::cuda();
    if (const std::string why = why_unavailable(device); !why.empty()) {
      std::fprintf(stderr, "kernel_values: %s\n", why.c_str());
      return 77;
    }
    std::FILE* out = std::fopen(argv[1], "wb");
    if (!out) {
      std::fprintf(stderr, "kernel_values: %s cannot be written\n", argv[1]);
      return 2;
    }
    kernels::set_tf32(false);
    set_allocator_poison(true);  // not-a-number: an element that nobody writes is seen
    const NoGrad no_grad;
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (const apps::bench::NamedCase& named : apps::bench::all_cases()) {
        const apps::bench::Case made = named.make({.size = kOdd, .dtype = dtype, .device = device});
        made.run();
        for (size_t k = 0; k < made.results.size(); ++k)
          write(out, message("{} {} {}", named.name, to_text(dtype), static_cast<int64_t>(k)),
                made.results[k]);
      }
    }
    // Products by tensor cores, where the device has them: named apart, for they are compared by another bound.
    kernels::set_tf32(true);
    for (const apps::bench::NamedCase& named : apps::bench::linear_cases()) {
      const apps::bench::Case made = named.make({.size = kOdd, .dtype = DType::f32, .device = device});
      made.run();
      for (size_t k = 0; k < made.results.size(); ++k)
        write(out, message("{} tf32 {}", named.name, static_cast<int64_t>(k)), made.results[k]);
    }
    return std::fclose(out) == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel_values: %s\n", error.what());
    return 1;
  }
}
