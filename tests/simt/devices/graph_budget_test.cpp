// Budgets of captured iterations: networks of full size at batch 64, listed and not run. tests/golden/graph_budgets.json
// holds how many nodes each has, kernel by kernel, and how long its longest chain is. What adds a node fails here and is
// named; what saves one fails too, until the file says so: DUEL_WRITE_BUDGETS=1 writes it. The file may not exceed the goals.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/bench/graph.h"
#include "duel/kernels/base/error.h"
#include "tests/devices/device.h"
#include "tests/ptx/executor.h"
#include "tests/simt/graph/graph_costs.h"
#include "tests/simt/harness_kernels.h"
#include "tests/source.h"

namespace duel {
namespace {

using Json = nlohmann::ordered_json;
using namespace apps::bench;

std::map<std::string, int> by_kernel(const GraphListing& listing) {
  std::map<std::string, int> count;
  for (const ListedNode& each : listing.nodes) ++count[each.name];
  return count;
}

/// What differs, a line each: "2 more of gemm_kernel".
std::string difference(const std::map<std::string, int>& found, const Json& budget) {
  std::map<std::string, int> more = found;
  for (const auto& [name, count] : budget.items()) more[name] -= count.get<int>();
  std::string text;
  for (const auto& [name, count] : more) {
    if (count != 0)
      text += std::to_string(std::abs(count)) + (count > 0 ? " more of " : " fewer of ") + name + "\n";
  }
  return text;
}

/// Kernels of which nobody knows what nvcc made of them.
std::string unknown(const GraphListing& listing) {
  std::set<std::string> names;
  for (const ListedNode& each : listing.nodes) {
    if (each.node.kind == kernels::runtime::GraphNode::Kind::kernel && each.node.registers == 0)
      names.insert(each.name);
  }
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

// Alone in its process (ctest runs every test so): from here on no kernel runs.
TEST(GraphBudget, IterationsHaveTheNodesThatTheyMayHave) {
  simt::count_costs();
  kernels::set_tf32(true);  // as a run without settings has it
  const std::string file = testing::in_source("tests/golden/graph_budgets.json").string();
  Json budgets = Json::parse(std::ifstream(file));
  for (auto& budget : budgets) {
    const GraphListing listing = list_iteration(
        {budget.at("arch"), budget.at("objective"), budget.at("batch")}, testing_devices::kDevice);
    const std::string what = listing.workload.arch + " " + listing.workload.objective;
    const std::map<std::string, int> kernels = by_kernel(listing);
    EXPECT_EQ(difference(kernels, budget.at("kernels")), "") << what;
    EXPECT_EQ(unknown(listing), "")
        << what << ": not in tests/golden/kernels_sm90.json, which tests/sass_report.py writes";
    EXPECT_EQ(static_cast<int64_t>(listing.nodes.size()), budget.at("nodes").get<int64_t>()) << what;
    EXPECT_EQ(listing.critical_path, budget.at("critical_path").get<int64_t>()) << what;
    EXPECT_LE(budget.at("nodes"), budget.at("goal").at("nodes")) << what;
    EXPECT_LE(budget.at("critical_path"), budget.at("goal").at("critical_path")) << what;
    // Multiply-adds per layer and sample, added up by hand.
    if (budget.contains("gflop")) {
      EXPECT_NEAR(listing.flop / 1e9, budget.at("gflop").get<double>(), 0.01) << what;
    }
    budget["nodes"] = listing.nodes.size();
    budget["critical_path"] = listing.critical_path;
    budget["kernels"] = kernels;
  }
  if (std::getenv("DUEL_WRITE_BUDGETS") != nullptr) std::ofstream(file) << budgets.dump(1) << "\n";
}

// By its name a kernel finds the line that the CUDA build wrote; dynamic shared memory is added to that.
TEST(GraphBudget, RegistersAndSharedMemoryAreThoseOfTheCudaBuild) {
  simt::count_costs();
  const Json table =
      Json::parse(std::ifstream(testing::in_source("tests/golden/kernels_sm90.json"))).at("kernels");
  const GraphListing listing = list_iteration({"dcgan", "wgan-gp", 64}, testing_devices::kDevice);
  int64_t kernels = 0, with_shared = 0;
  for (const ListedNode& each : listing.nodes) {
    if (each.node.kind != kernels::runtime::GraphNode::Kind::kernel) continue;
    ASSERT_TRUE(table.contains(each.name)) << each.name;
    EXPECT_EQ(each.node.registers, table.at(each.name).at("registers").get<int>()) << each.name;
    EXPECT_GE(each.node.shared_bytes, table.at(each.name).at("shared_bytes").get<int64_t>()) << each.name;
    ++kernels, with_shared += each.node.shared_bytes > 0;
  }
  EXPECT_GT(kernels, 0);
  EXPECT_GT(with_shared, 0);
}

TEST(GraphBudget, AKernelThatIsNotInTheTableIsUnknown) {
  simt::count_costs();
  const kernels::Stream stream = kernels::runtime::create_stream();
  kernels::runtime::begin_capture(stream);
  simt::dynamic_reverse(stream, 64, nullptr, nullptr);
  const kernels::runtime::Graph graph = kernels::runtime::end_capture(stream);
  const GraphListing listing = list_nodes(kernels::runtime::graph_nodes(graph));
  ASSERT_EQ(listing.nodes.size(), 1u);
  EXPECT_EQ(listing.nodes[0].node.registers, 0);
  EXPECT_NE(unknown(listing), "");
  kernels::runtime::destroy_graph(graph);
  kernels::runtime::destroy_stream(stream);
}

// Some blocks of every kernel as nvcc's PTX. A product of tensor cores multiplies 16 x 8 by 8 x 8 numbers at once, so their
// number follows from the shape: those of the tiles, which may be padded, and of no other.
TEST(GraphBudget, WhatKernelsExecuteIsCountedAsPtx) {
  if (ptx::kernels().executor == nullptr) {
    if (ptx::kernels().demanded) FAIL() << ptx::kernels().why_none;
    GTEST_SKIP() << ptx::kernels().why_none;
  }
  simt::count_costs();
  kernels::set_tf32(true);
  simt::count_executed(std::move(ptx::kernels().executor));
  for (const char* arch : {"mlp", "dcgan"}) {
    const GraphListing listing = list_iteration({arch, "wgan-gp", 64}, testing_devices::kDevice);
    for (const ListedNode& each : listing.nodes) {
      if (each.node.kind != kernels::runtime::GraphNode::Kind::kernel) continue;
      ASSERT_TRUE(each.cost.executed.has_value()) << each.name;
      const Executed& executed = *each.cost.executed;
      double sum = 0, bytes = 0;
      for (const auto& [kind, count] : executed.kinds) sum += count;
      for (const auto& [width, moved] : executed.global_bytes) bytes += moved;
      EXPECT_NEAR(sum, executed.instructions, 1e-6 * sum) << each.name;
      EXPECT_GT(bytes, 0) << each.name;
      EXPECT_GT(executed.coalescing, 0.02) << each.name;
      const bool tensor = each.name.find("TensorTile") != std::string::npos;
      EXPECT_EQ(executed.kinds.contains("tensor"), tensor) << each.name;
      if (!tensor) continue;
      const double least = each.cost.flop / (2 * 16 * 8 * 8);
      EXPECT_GE(executed.kinds.at("tensor"), 0.9 * least) << each.name;  // parts of a sum are not all as long
      if (each.name.starts_with("gemm")) {
        EXPECT_GT(executed.wide(), 0.1) << each.name;
      }
    }
    const std::string table = graph_table(listing);
    EXPECT_NE(table.find("kinstr"), std::string::npos);
    const Json line = Json::parse(graph_json(listing));
    EXPECT_GT(line.at("list")[0].at("executed").at("instructions").get<double>(), 0);
  }
}

TEST(GraphBudget, AFolderWithoutPtxIsRefused) { EXPECT_THROW(simt::count_executed("/none/such"), Error); }

}  // namespace
}  // namespace duel
