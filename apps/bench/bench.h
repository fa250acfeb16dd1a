// What `duel bench` can be asked for; bench.cpp reads the command line, step.cpp and kernels.cpp do the work.
#pragma once

#include <cstdint>
#include <string>

#include "duel/core/device.h"

namespace duel::apps::bench {

struct StepRequest {
  std::string arch = "dcgan", objective = "ns-gan";
  int64_t batch = 64, iterations = 0;
  bool json = false;
  bool diagnostics = false;  ///< time what a logged and a diagnosed iteration cost beside a plain one
};

struct KernelsRequest {
  std::string filter;              ///< a regular expression; found anywhere in the name or family
  std::string json, csv, compare;  ///< files; empty: none
  std::string l2 = "warm", dtype = "f32";
  std::string smallest = "1K", largest = "256M";  ///< bytes that a kernel moves
  double threshold = 10;                          ///< per cent: slower than that is a regression
  bool quick = false;
};

/// "auto" (a GPU where one can be used), "cpu" or "cuda"; Error where that is not there.
Device chosen_device(const std::string& name);

/// Times whole training iterations; returns the exit status.
int bench_step(const StepRequest& request, Device device);

/// Times the own kernels. Status 1 where the comparison found a regression.
int bench_kernels(const KernelsRequest& request, Device device);

/// "64M" is 64 MiB; B, K, M and G with or without a B behind. Error naming the option.
int64_t bytes_of(const std::string& option, const std::string& text);

}  // namespace duel::apps::bench
