// What duel bench graph makes of a graph's nodes: the longest chain, branches, the model, the names.
#include <gtest/gtest.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/bench/graph.h"

namespace duel::apps::bench {
namespace {

using kernels::runtime::GraphNode;

GraphNode kernel(std::string name, unsigned blocks, std::vector<int64_t> after) {
  return {.kind = GraphNode::Kind::kernel,
          .name = std::move(name),
          .grid = {blocks, 1, 1},
          .block = {64, 1, 1},
          .after = std::move(after)};
}

/// 0 forks to 1-2-3 and to 4; 5 joins them.
std::vector<GraphNode> fork() {
  return {kernel("void a(int)", 1, {}), kernel("void b()", 1, {0}), kernel("void b()", 1, {1}),
          kernel("void b()", 1, {2}),   kernel("void c()", 1, {0}), kernel("void d()", 1, {3, 4})};
}

class Costs {
 public:
  explicit Costs(NodeCosts costs) { node_costs() = std::move(costs); }
  ~Costs() { node_costs() = nullptr; }
};

TEST(GraphListing, TheLongestChainIsMarkedAndCounted) {
  const GraphListing listing = list_nodes(fork());
  EXPECT_EQ(listing.critical_path, 5);
  std::string marks;
  for (const ListedNode& each : listing.nodes) marks += each.critical ? '*' : '-';
  EXPECT_EQ(marks, "****-*");
}

TEST(GraphListing, BranchesRunBesideEachOther) {
  const GraphModel model{.gap_us = 1, .least_us = 2};
  const GraphListing listing = list_nodes(fork(), model);
  EXPECT_DOUBLE_EQ(listing.model_us, 5 * 3);
  EXPECT_DOUBLE_EQ(listing.nodes[1].start_us, 3);
  EXPECT_DOUBLE_EQ(listing.nodes[4].start_us, 3);
  EXPECT_DOUBLE_EQ(listing.nodes[5].start_us, 12);
  EXPECT_EQ(listing.nodes[1].branch, 0);
  EXPECT_EQ(listing.nodes[4].branch, 1);
  EXPECT_EQ(listing.nodes[5].branch, 0);
}

// A kernel of half of the blocks gets half of the machine; what takes longest counts.
TEST(GraphListing, TheModelTakesBytesAndFlopByTheShareOfTheMachine) {
  const Costs costs([](const GraphNode& node) {
    return node.name == "void a(int)" ? NodeCost{.bytes = 1000, .flop = 10}
                                      : NodeCost{.bytes = 10, .flop = 3000};
  });
  const GraphModel model{.gap_us = 1, .least_us = 2, .bytes_per_us = 100, .flop_per_us = 100, .blocks = 8};
  const GraphListing listing = list_nodes({kernel("void a(int)", 4, {}), kernel("void b()", 80, {0})}, model);
  EXPECT_DOUBLE_EQ(listing.nodes[0].us, 1 + 1000 / 50.0);
  EXPECT_DOUBLE_EQ(listing.nodes[1].us, 1 + 3000 / 100.0);
  EXPECT_EQ(listing.bytes, 1010);
  EXPECT_DOUBLE_EQ(listing.flop, 3010);
}

TEST(GraphListing, NamesOfKernelsAreShort) {
  EXPECT_EQ(
      short_kernel_name("void duel::kernels::(anonymous namespace)::sum_kernel<float>(long, float const*)"),
      "sum_kernel<float>");
  EXPECT_EQ(short_kernel_name(
                "void duel::kernels::map_kernel<4, duel::kernels::Value<duel::kernels::Relu>, float>(long, "
                "duel::kernels::Value<duel::kernels::Relu>)"),
            "map_kernel<4, Value<Relu>, float>");
  EXPECT_EQ(short_kernel_name("advance"), "advance");
}

/// The words of a line of the table.
std::vector<std::string> words(const GraphListing& listing, size_t node) {
  std::istringstream text(graph_table(listing));
  std::string line;
  for (size_t k = 0; k < node + 3; ++k) std::getline(text, line);
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

// What the compiler made of a kernel is told everywhere, and is never 0 where nobody knows it.
TEST(GraphListing, RegistersAndSharedMemoryAreToldOrUnknown) {
  std::vector<GraphNode> nodes = fork();
  nodes[0].registers = 40;
  nodes[0].shared_bytes = 1024;
  nodes[1].shared_bytes = 512;  // dynamic, as the launch asked for
  const GraphListing listing = list_nodes(nodes);
  EXPECT_EQ(words(listing, 0),
            (std::vector<std::string>{"0", "a", "1", "64", "40", "1024", "-", "-", "*", "0", "0.0"}));
  EXPECT_EQ(words(listing, 1),
            (std::vector<std::string>{"1", "b", "1", "64", "-", "-", "-", "-", "*", "0", "2.5"}));
  const auto json = nlohmann::json::parse(graph_json(listing)).at("list");
  EXPECT_EQ(json[0].at("registers"), 40);
  EXPECT_EQ(json[0].at("shared_bytes"), 1024);
  EXPECT_TRUE(json[1].at("registers").is_null());
  EXPECT_TRUE(json[1].at("shared_bytes").is_null());
  const std::string page = graph_html({listing});
  EXPECT_NE(page.find("0: a, grid 1, block 64, 40 registers, 1024 B shared, "), std::string::npos);
  EXPECT_NE(page.find("1: b, grid 1, block 64, 0.0 KiB"), std::string::npos);
}

TEST(GraphListing, JsonIsALineAndThePageHasABoxForEveryNode) {
  GraphListing listing = list_nodes(fork());
  listing.workload = {"mlp", "ns-gan", 64};
  const std::string line = graph_json(listing);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json.at("nodes"), 6);
  EXPECT_EQ(json.at("critical_path"), 5);
  EXPECT_EQ(json.at("list").size(), 6u);
  EXPECT_EQ(json.at("list")[5].at("after"), (std::vector<int64_t>{3, 4}));
  EXPECT_FALSE(json.at("list")[0].contains("bytes")) << "nobody counted them";
  const std::string page = graph_html({listing});
  size_t boxes = 0;
  for (size_t at = page.find("<rect"); at != std::string::npos; at = page.find("<rect", at + 1)) ++boxes;
  EXPECT_EQ(boxes, 6u);
}

}  // namespace
}  // namespace duel::apps::bench
