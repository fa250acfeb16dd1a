// What `duel bench` can be asked for; bench.cpp reads the command line, step.cpp, nodes.cpp and kernels.cpp
// do the work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "duel/core/device/device.h"

namespace duel::apps::bench {

struct StepRequest {
  std::vector<std::string> archs = {"dcgan"}, objectives = {"ns-gan"};  ///< every combination is timed
  std::vector<int64_t> batches = {64};
  int64_t iterations = 0;  ///< to time; 0: by `seconds`
  double seconds = 3;      ///< to time at least, and 30 iterations or ten times as long
  bool json = false;
  bool diagnostics = false;  ///< time what a logged and a diagnosed iteration cost beside a plain one
};

struct KernelsRequest {
  std::string filter;                    ///< a regular expression; found anywhere in the name or family
  std::string json, csv, compare, html;  ///< files; empty: none
  std::string format = "duel";           ///< of json: duel or google
  bool list = false;                     ///< print the chosen kernels and time nothing
  std::string l2 = "warm", dtype = "f32";
  std::string smallest = "1K", largest = "256M";  ///< bytes that a kernel moves
  double threshold = 10;                          ///< per cent: slower than that is a regression
  bool quick = false;
  bool check = false;  ///< status 1 where a fused kernel is slower than the plain ops beside it
};

/// "auto" (a GPU where one can be used), "cpu" or "cuda"; Error where that is not there.
Device chosen_device(const std::string& name);

/// Twelve digits of the commit that this was compiled from; empty where that is not known.
std::string known_commit();

/// Times whole training iterations; returns the exit status.
int bench_step(const StepRequest& request, Device device);

struct NodesRow {
  std::string work;
  int branches;
  int64_t nodes;         ///< of the graph
  double replay_us = 0;  ///< replays that follow each other
  double alone_us = 0;   ///< one replay, launched and waited for
};
/// Graphs of `count` kernels: empty ones and ones on 64x256 floats, in a row and over three branches. Error
/// on a CPU.
std::vector<NodesRow> time_nodes(Device device, int count, double seconds);
/// Prints them for 100 kernels; of the request, `json` and `seconds` count.
int bench_nodes(const StepRequest& request, Device device);

/// Times the own kernels. Status 1 where the comparison found a regression or the check a loss.
int bench_kernels(const KernelsRequest& request, Device device);

/// Prints two reports beside each other, or the lines of two `duel bench step --json`; status 1 where a median became slower
/// by more than that. Error unless two files are given, the old one first.
int bench_compare(const std::vector<std::string>& files, double threshold_percent);

/// "64M" is 64 MiB; B, K, M and G with or without a B behind. Error naming the option.
int64_t bytes_of(const std::string& option, const std::string& text);

}  // namespace duel::apps::bench
