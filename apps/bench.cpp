// duel bench: times that can be compared with another program's, or with an older Duel's. The work is in
// bench/.
#include "bench/bench.h"

#include <memory>

#include "bench/graph.h"
#include "commands.h"
#include "duel/gan/models/network.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/settings.h"

namespace duel::apps {
namespace {

struct BenchRequest {
  std::string what, device = "auto";
  int64_t threads = 0;
  bench::StepRequest step;
  bench::KernelsRequest kernels;
  std::string html;
  std::vector<std::string> files;  // of compare
  // group and name of the options that not every bench has
  std::vector<std::pair<std::string, std::string>> given;
};

/// "64,128": the parts between commas.
std::vector<std::string> parts(const std::string& text) {
  std::vector<std::string> out;
  size_t begin = 0;
  for (size_t end; (end = text.find(',', begin)) != std::string::npos; begin = end + 1)
    out.push_back(text.substr(begin, end - begin));
  out.push_back(text.substr(begin));
  return out;
}

/// Does a bench take the option? Graphs are listed of what step times; nodes take its seconds alone.
bool goes_with(const std::string& bench, const std::string& group, const std::string& name) {
  if (name == "html") return bench == "graph" || bench == "kernels";
  if (name == "threshold" && bench == "compare") return true;
  if (bench == "graph") return name == "arch" || name == "objective" || name == "batch";
  if (bench == "nodes") return name == "seconds";
  return group == "Of " + bench;
}

int run(BenchRequest& r) {
  DUEL_CHECK(r.what == "step" || r.what == "nodes" || r.what == "kernels" || r.what == "graph" ||
                 r.what == "compare",
             "bench", "unknown bench '{}': expected step, kernels, graph, nodes or compare", r.what);
  for (const auto& [group, name] : r.given)
    DUEL_CHECK(goes_with(r.what, group, name), "bench", "{}: does not go with bench {}", name, r.what);
  DUEL_CHECK(r.files.empty() || r.what == "compare", "bench", "{}: expected no file after {}, got {}", r.what,
             r.what, in_quotes(r.files.empty() ? "" : r.files[0]));
  if (r.what == "compare") return bench::bench_compare(r.files, r.kernels.threshold);
  DUEL_CHECK(r.threads >= 0 && r.threads <= kernels::kMaxThreads, "bench",
             "threads: expected an integer from 0 to {}, got {}", kernels::kMaxThreads, r.threads);
  if (r.threads > 0) kernels::set_threads(static_cast<int>(r.threads));
  const Device device = bench::chosen_device(r.device);
  if (r.what == "kernels") {
    DUEL_CHECK(r.kernels.json != "-", "bench", "json: expected a file for bench kernels");
    r.kernels.html = r.html;
    return bench::bench_kernels(r.kernels, device);
  }
  if (r.what == "graph") return bench::bench_graph(r.step, r.html, device);
  return r.what == "nodes" ? bench::bench_nodes(r.step, device) : bench::bench_step(r.step, device);
}

}  // namespace

Command bench_command() {
  auto r = std::make_shared<BenchRequest>();
  Command command{.name = "bench", .summary = "Time training iterations or single kernels"};
  command.words = {
      {.name = "WHAT",
       .help =
           "step: whole training iterations; kernels: every own kernel; compare: two files of --json, the older one first; "
           "on a GPU graph: the nodes of a captured iteration, and nodes: what one costs",
       .required = true,
       .set = [r](const std::string& text) { r->what = text; },
       .choices = {"step", "kernels", "compare", "graph", "nodes"}},
      {.name = "FILE",
       .help = "of compare: two reports of kernels, or two files of step's lines",
       .set = [r](const std::string& text) { r->files.push_back(text); },
       .several = true}};
  const auto option = [&](const std::string& group, const std::string& name, const std::string& value,
                          const std::string& help, std::function<void(const std::string&)> set) {
    command.options.push_back({.name = name,
                               .help = help,
                               .value = value,
                               .group = group,
                               .set = [r, group, name, set](const std::string& text) {
                                 if (group != "Options" || name == "html") r->given.emplace_back(group, name);
                                 set(text);
                               }});
  };
  option("Options", "threads", "INT", "CPU threads; 0: every core [0]",
         [r](const std::string& text) { r->threads = parsed<int64_t>("option", "threads", text); });
  option("Options", "json", "[FILE]",
         "step, graph, nodes: lines of JSON on stdout, without FILE; kernels: a report in FILE",
         [r](const std::string& text) {
           r->step.json = true;
           r->kernels.json = text.empty() ? "-" : text;
         });
  option("Of step", "arch", "NAME,…", gan::network_names_text() + " [dcgan]",
         [r](const std::string& text) { r->step.archs = parts(text); });
  option("Of step", "objective", "NAME,…", "as in duel objectives [ns-gan]",
         [r](const std::string& text) { r->step.objectives = parts(text); });
  option("Of step", "batch", "INT,…", "images per step; every combination of the three is timed [64]",
         [r](const std::string& text) {
           r->step.batches.clear();
           for (const std::string& one : parts(text))
             r->step.batches.push_back(parsed<int64_t>("option", "batch", one));
         });
  option(
      "Of step", "iterations", "INT", "to time; 0: 30 and as many as --seconds needs [0]",
      [r](const std::string& text) { r->step.iterations = parsed<int64_t>("option", "iterations", text); });
  option("Of step", "seconds", "S",
         "to time at least; 30 iterations too, but no more than ten times as long [3]",
         [r](const std::string& text) { r->step.seconds = parsed<double>("option", "seconds", text); });
  option("Of step", "diagnostics", "",
         "what looking costs: logged and diagnosed iterations beside plain ones",
         [r](const std::string&) { r->step.diagnostics = true; });
  option("Options", "html", "FILE",
         "kernels: a page with % of a copy's bandwidth against bytes; graph: one with the nodes over time",
         [r](const std::string& text) { r->html = text; });
  option("Options", "device", "NAME", "auto, cpu or cuda [auto]",
         [r](const std::string& text) { r->device = text; });
  option("Of kernels", "filter", "REGEX", "only kernels with this in their name or family",
         [r](const std::string& text) { r->kernels.filter = text; });
  option("Of kernels", "min-size", "BYTES", "smallest traffic, e.g. 64K [1K]",
         [r](const std::string& text) { r->kernels.smallest = text; });
  option("Of kernels", "max-size", "BYTES", "largest traffic [256M]",
         [r](const std::string& text) { r->kernels.largest = text; });
  option("Of kernels", "dtype", "NAME", "f32 or f64 [f32]",
         [r](const std::string& text) { r->kernels.dtype = text; });
  option("Of kernels", "l2", "STATE", "caches before a sample: warm, or cold (emptied) [warm]",
         [r](const std::string& text) { r->kernels.l2 = text; });
  option("Of kernels", "quick", "", "10 to 20 samples and about 0.2 s per kernel and size, not 100 and 3 s",
         [r](const std::string&) { r->kernels.quick = true; });
  option("Of kernels", "check", "",
         "status 1 where a fused kernel is slower by more than a tenth than plain ops, 5 times of 5",
         [r](const std::string&) { r->kernels.check = true; });
  option("Of kernels", "csv", "FILE", "the report as a table",
         [r](const std::string& text) { r->kernels.csv = text; });
  option("Of kernels", "list", "", "print the names and families of the chosen kernels, and time nothing",
         [r](const std::string&) { r->kernels.list = true; });
  option("Of kernels", "format", "NAME", "of --json: duel, or google: as google-benchmark writes it [duel]",
         [r](const std::string& text) { r->kernels.format = text; });
  command.options.back().choices = {"duel", "google"};
  option("Of kernels", "compare", "FILE", "an older --json: what became slower; status 1 if anything did",
         [r](const std::string& text) { r->kernels.compare = text; });
  option(
      "Of kernels", "threshold", "PERCENT", "slower by more than this counts; also of compare [10]",
      [r](const std::string& text) { r->kernels.threshold = parsed<double>("option", "threshold", text); });
  command.footer =
      "  duel bench graph --arch mlp,dcgan --objective ns-gan,wgan-gp\n"
      "                              without a GPU: duel-graph bench graph ...\n"
      "  duel bench step --arch mlp --objective wgan-gp --batch 64 --threads 1 --json\n"
      "  duel bench kernels --filter 'losses|adam' --json new.json --compare old.json\n"
      "  duel bench kernels --quick --html kernels.html\n"
      "  duel bench compare old.json new.json";
  command.run = [r] { return run(*r); };
  return command;
}

}  // namespace duel::apps
