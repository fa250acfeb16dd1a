#include "graph.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "duel/core/device/graph.h"
#include "duel/core/io/atomic_file.h"
#include "duel/gan/report/internal/html.h"
#include "duel/gan/report/report.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/text.h"
#include "report.h"

namespace duel::apps::bench {
namespace {

using kernels::runtime::GraphNode;
using Json = nlohmann::ordered_json;

/// The longest chain: for every node how many it ends, then backwards from the longest.
int64_t mark_critical(std::vector<ListedNode>& nodes) {
  std::vector<int64_t> length(nodes.size(), 1), previous(nodes.size(), -1);
  int64_t longest = 0, last = -1;
  for (size_t k = 0; k < nodes.size(); ++k) {
    for (const int64_t before : nodes[k].node.after) {
      if (length[static_cast<size_t>(before)] < length[k]) continue;
      length[k] = length[static_cast<size_t>(before)] + 1;
      previous[k] = before;
    }
    if (length[k] > longest) {
      longest = length[k];
      last = static_cast<int64_t>(k);
    }
  }
  for (; last >= 0; last = previous[static_cast<size_t>(last)])
    nodes[static_cast<size_t>(last)].critical = true;
  return longest;
}

/// In the order of their starts a node takes the branch of one that it waits for, where that is free by then, or the
/// first free one.
void number_branches(std::vector<ListedNode>& nodes) {
  std::vector<size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return nodes[a].start_us < nodes[b].start_us; });
  std::vector<double> ends;
  for (const size_t k : order) {
    ListedNode& each = nodes[k];
    constexpr double kRounding = 1e-9;
    const auto free = [&](double end) { return end <= each.start_us + kRounding; };
    auto branch = static_cast<size_t>(std::find_if(ends.begin(), ends.end(), free) - ends.begin());
    size_t taken = nodes.size();
    for (const int64_t before : each.node.after) {
      const auto theirs = static_cast<size_t>(nodes[static_cast<size_t>(before)].branch);
      if (free(ends[theirs]) && theirs < taken) taken = theirs;
    }
    if (taken < nodes.size()) branch = taken;
    if (branch == ends.size()) ends.push_back(0);
    ends[branch] = each.start_us + each.us;
    each.branch = static_cast<int>(branch);
  }
}

std::string dimensions(const std::array<unsigned, 3>& of) {
  std::string text = std::to_string(of[0]);
  if (of[1] > 1 || of[2] > 1) text += "x" + std::to_string(of[1]);
  if (of[2] > 1) text += "x" + std::to_string(of[2]);
  return text;
}

/// Is it known what the compiler made of it?
bool compiled(const ListedNode& each) { return each.node.registers > 0; }

bool any_executed(const GraphListing& listing) {
  return std::any_of(listing.nodes.begin(), listing.nodes.end(),
                     [](const ListedNode& each) { return each.cost.executed.has_value(); });
}
std::string percent(double share) { return fixed(100 * share, 0) + " %"; }

std::string kilobytes(int64_t bytes) { return fixed(static_cast<double>(bytes) / 1024, 1); }

std::string title(const GraphListing& listing) {
  return listing.workload.arch + ", " + listing.workload.objective + ", batch " +
         std::to_string(listing.workload.batch);
}

/// "MLP …: 75 nodes, 65 on the longest chain, …" without the workload.
std::string totals(const GraphListing& listing) {
  std::string text = std::to_string(listing.nodes.size()) + " nodes, " +
                     std::to_string(listing.critical_path) + " on the longest chain, " +
                     fixed(listing.model_us, 0) + " us by the model";
  if (node_costs())
    text += ", " + fixed(static_cast<double>(listing.bytes) / 1048576, 1) + " MiB, " +
            fixed(listing.flop / 1e9, 2) + " GFLOP";
  return text;
}

std::string model_text() {
  const GraphModel model;
  return "model, assumed of an H100 and not measured: " + fixed(model.gap_us, 1) +
         " us between nodes, a kernel takes " + fixed(model.least_us, 1) + " us at least, " +
         fixed(model.bytes_per_us / 1e6, 1) + " TB/s and " + fixed(model.flop_per_us / 1e6, 0) +
         " TFLOP/s from " + fixed(model.blocks, 0) + " blocks on, shared by all branches";
}

}  // namespace

NodeCosts& node_costs() {
  static NodeCosts costs;
  return costs;
}

std::string short_kernel_name(const std::string& full) {
  // The parameters: the last group of parentheses that no < encloses; "(anonymous namespace)" is none.
  std::string text;
  for (size_t at = 0; at < full.size();) {
    static const std::string anonymous = "(anonymous namespace)::";
    if (full.compare(at, anonymous.size(), anonymous) == 0) {
      at += anonymous.size();
    } else {
      text += full[at++];
    }
  }
  int depth = 0;
  size_t end = text.size();
  for (size_t k = 0; k < text.size(); ++k) {
    if (text[k] == '<') ++depth;
    if (text[k] == '>') --depth;
    if (text[k] == '(' && depth == 0) {
      end = k;
      break;
    }
  }
  text.resize(end);
  if (text.starts_with("void ")) text.erase(0, 5);
  // Names without the spaces that they live in.
  std::string out, word;
  for (size_t k = 0; k <= text.size(); ++k) {
    const char c = k < text.size() ? text[k] : '\0';
    if (c == ':' && k + 1 < text.size() && text[k + 1] == ':') {
      word.clear();
      ++k;
    } else if (c == '_' || std::isalnum(static_cast<unsigned char>(c))) {
      word += c;
    } else {
      out += word;
      word.clear();
      if (c != '\0') out += c;
    }
  }
  return out;
}

GraphListing list_nodes(std::vector<GraphNode> nodes, const GraphModel& model) {
  GraphListing listing;
  std::vector<double> end;
  for (GraphNode& node : nodes) {
    ListedNode each;
    each.name = node.kind == GraphNode::Kind::copy   ? "copy"
                : node.kind == GraphNode::Kind::fill ? "fill"
                : node.name.empty()                  ? "kernel of a library"
                                                     : short_kernel_name(node.name);
    if (node_costs()) each.cost = node_costs()(node);
    const double blocks =
        static_cast<double>(node.grid[0]) * std::max(1u, node.grid[1]) * std::max(1u, node.grid[2]);
    const double share =
        node.kind == GraphNode::Kind::kernel ? std::clamp(blocks, 1.0, model.blocks) / model.blocks : 1;
    const double moving = static_cast<double>(each.cost.bytes) / (model.bytes_per_us * share);
    const double computing = each.cost.flop / (model.flop_per_us * share);
    each.us = model.gap_us + std::max({model.least_us, moving, computing});
    for (const int64_t before : node.after)
      each.start_us = std::max(each.start_us, end[static_cast<size_t>(before)]);
    end.push_back(each.start_us + each.us);
    listing.model_us = std::max(listing.model_us, end.back());
    listing.bytes += each.cost.bytes;
    listing.flop += each.cost.flop;
    each.node = std::move(node);
    listing.nodes.push_back(std::move(each));
  }
  // Branches share the chip: all together take what all of it takes.
  listing.model_us = std::max({listing.model_us, static_cast<double>(listing.bytes) / model.bytes_per_us,
                               listing.flop / model.flop_per_us});
  listing.critical_path = mark_critical(listing.nodes);
  number_branches(listing.nodes);
  return listing;
}

GraphListing list_iteration(const Workload& workload, Device device) {
  DUEL_CHECK(
      device.is_cuda(), "bench",
      "graph: expected a GPU (--device cuda), whose iterations are graphs; duel-graph (target duel_graph of a "
      "build with -DDUEL_TESTS=ON) lists them without one");
  const auto trainer = make_trainer(workload, device);
  for (int k = 0; k < 3 && trainer->graphs() == 0; ++k) trainer->step();
  const auto captured = trainer->captured();
  DUEL_CHECK(!captured.empty(), "bench", "graph: an iteration of {} is not captured", workload.objective);
  GraphListing listing = list_nodes(captured.begin()->second->listing());
  listing.workload = workload;
  return listing;
}

std::string graph_table(const GraphListing& listing) {
  const bool executed = any_executed(listing);
  std::string text = title(listing) + ": " + totals(listing) + "\n";
  text +=
      padded("node", 5) + padded(" kernel", -46) + padded("grid", 11) + padded("block", 7) +
      padded("regs", 6) + padded("shared", 8) + padded("KiB", 10) + padded("MFLOP", 9) +
      (executed ? padded("kinstr", 9) + padded("coal.", 7) + padded("16 B", 7) + padded("banks", 7) : "") +
      padded("chain", 7) + padded("branch", 8) + padded("starts us", 11) + "\n";
  for (size_t k = 0; k < listing.nodes.size(); ++k) {
    const ListedNode& each = listing.nodes[k];
    const bool kernel = each.node.kind == GraphNode::Kind::kernel;
    std::string name = " " + each.name;
    if (name.size() > 45) name = name.substr(0, 42) + "...";
    text += padded(std::to_string(k), 5) + padded(name, -46) +
            padded(kernel ? dimensions(each.node.grid) : "-", 11) +
            padded(kernel ? dimensions(each.node.block) : "-", 7) +
            padded(compiled(each) ? std::to_string(each.node.registers) : "-", 6) +
            padded(compiled(each) ? std::to_string(each.node.shared_bytes) : "-", 8) +
            padded(node_costs() ? kilobytes(each.cost.bytes) : "-", 10) +
            padded(each.cost.flop > 0 ? fixed(each.cost.flop / 1e6, 2) : "-", 9);
    if (executed) {
      const std::optional<Executed>& counts = each.cost.executed;
      text += padded(counts ? fixed(counts->instructions / 1e3, 1) : "-", 9) +
              padded(counts ? percent(counts->coalescing) : "-", 7) +
              padded(counts ? percent(counts->wide()) : "-", 7) +
              padded(counts ? fixed(counts->conflicts, 2) : "-", 7);
    }
    text += padded(each.critical ? "*" : "", 7) + padded(std::to_string(each.branch), 8) +
            padded(fixed(each.start_us, 1), 11) + "\n";
  }
  if (executed)
    text +=
        "kinstr: thousands of instructions of warps; coal.: bytes asked for by bytes of the sectors touched; 16 B: share of the "
        "bytes; banks: passes over shared memory by the least there could be\n";
  return text;
}

std::string graph_json(const GraphListing& listing) {
  const GraphModel model;
  Json nodes = Json::array();
  for (const ListedNode& each : listing.nodes) {
    nodes.push_back({{"name", each.name},
                     {"grid", each.node.grid},
                     {"block", each.node.block},
                     {"shared_bytes", compiled(each) ? Json(each.node.shared_bytes) : Json()},
                     {"registers", compiled(each) ? Json(each.node.registers) : Json()},
                     {"after", each.node.after},
                     {"critical", each.critical},
                     {"branch", each.branch},
                     {"start_us", each.start_us},
                     {"us", each.us}});
    if (node_costs()) {
      nodes.back()["bytes"] = each.cost.bytes;
      nodes.back()["flop"] = each.cost.flop;
      nodes.back()["executed"] = nullptr;
    }
    if (const std::optional<Executed>& counts = each.cost.executed) {
      Json widths = Json::object();
      for (const auto& [width, bytes] : counts->global_bytes) widths[std::to_string(width)] = bytes;
      nodes.back()["executed"] = {{"sampled_blocks", counts->sampled_blocks},
                                  {"instructions", counts->instructions},
                                  {"kinds", counts->kinds},
                                  {"global_bytes", widths},
                                  {"coalescing", counts->coalescing},
                                  {"conflicts", counts->conflicts}};
    }
  }
  Json line = {{"bench", "graph"},
               {"arch", listing.workload.arch},
               {"objective", listing.workload.objective},
               {"batch", listing.workload.batch},
               {"nodes", listing.nodes.size()},
               {"critical_path", listing.critical_path},
               {"model_us", listing.model_us},
               {"model",
                {{"gap_us", model.gap_us},
                 {"least_us", model.least_us},
                 {"bytes_per_us", model.bytes_per_us},
                 {"flop_per_us", model.flop_per_us},
                 {"blocks", model.blocks},
                 {"measured", false}}}};
  if (node_costs()) {
    line["bytes"] = listing.bytes;
    line["flop"] = listing.flop;
  }
  line["list"] = nodes;
  return line.dump();
}

std::string graph_html(const std::vector<GraphListing>& listings) {
  std::string page =
      gan::detail::page_begin(
          "Nodes of a captured iteration",
          ":root { --chain: #c2410c; --side: #2563eb; }\n"
          "@media (prefers-color-scheme: dark) { :root { --chain: #fb923c; --side: #60a5fa; } }\n"
          "body { max-width: none; } .line { overflow-x: auto; }\n"
          "svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }\n"
          "rect { fill: var(--side); } rect.chain { fill: var(--chain); }\n") +
      "<h1>Nodes of a captured iteration</h1>\n<p>" + model_text() +
      ". A box is a node, a lane a branch; orange: the longest chain. Point at a box for its kernel.</p>\n";
  for (const GraphListing& listing : listings) {
    int lanes = 1;
    for (const ListedNode& each : listing.nodes) lanes = std::max(lanes, each.branch + 1);
    constexpr double kScale = 6, kLane = 26;
    page += "<h2>" + gan::html_text(title(listing)) + "</h2><p>" + totals(listing) +
            "</p>\n<div class=\"line\"><svg width=\"" + fixed(listing.model_us * kScale + 20, 0) +
            "\" height=\"" + fixed(lanes * kLane + 24, 0) + "\">\n";
    for (double us = 0; us <= listing.model_us; us += 20)
      page += "<text x=\"" + fixed(us * kScale, 0) + "\" y=\"" + fixed(lanes * kLane + 16, 0) + "\">" +
              fixed(us, 0) + " us</text>\n";
    for (size_t k = 0; k < listing.nodes.size(); ++k) {
      const ListedNode& each = listing.nodes[k];
      page += "<rect" + std::string(each.critical ? " class=\"chain\"" : "") + " x=\"" +
              fixed(each.start_us * kScale, 1) + "\" y=\"" + fixed(each.branch * kLane + 2, 0) +
              "\" width=\"" + fixed(std::max(1.0, each.us * kScale - 1.5), 1) + "\" height=\"20\"><title>" +
              std::to_string(k) + ": " + gan::html_text(each.name) + ", grid " + dimensions(each.node.grid) +
              ", block " + dimensions(each.node.block) +
              (compiled(each) ? ", " + std::to_string(each.node.registers) + " registers, " +
                                    std::to_string(each.node.shared_bytes) + " B shared"
                              : "") +
              ", " + kilobytes(each.cost.bytes) + " KiB, " + fixed(each.cost.flop / 1e6, 2) + " MFLOP" +
              (each.cost.executed ? ", " + fixed(each.cost.executed->instructions / 1e3, 1) +
                                        " thousand instructions of warps, " +
                                        percent(each.cost.executed->coalescing) + " coalesced"
                                  : "") +
              "</title></rect>\n";
    }
    page += "</svg></div>\n";
  }
  return page + gan::detail::kPageEnd;
}

int bench_graph(const StepRequest& request, const std::string& html, Device device) {
  std::vector<GraphListing> listings;
  for (const Workload& workload : workloads(request)) {
    listings.push_back(list_iteration(workload, device));
    std::fputs((request.json ? graph_json(listings.back()) + "\n" : graph_table(listings.back())).c_str(),
               stdout);
  }
  if (!request.json) std::printf("%s\n", model_text().c_str());
  if (!html.empty()) {
    write_file_atomically(html, graph_html(listings));
    if (!request.json) std::fputs((html + "\n").c_str(), stdout);
  }
  return 0;
}

}  // namespace duel::apps::bench
