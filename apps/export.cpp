// duel export: the weights of one network of a run, for PyTorch and other programs.
#include <memory>

#include "commands.h"
#include "duel/gan/run/weights.h"
#include "duel/kernels/base/error.h"
#include "terminal/output.h"

namespace duel::apps {

Command export_command() {
  auto r = std::make_shared<gan::ExportRequest>();
  Command command{.name = "export", .summary = "Write a network's weights for PyTorch and other programs"};
  command.words = {{.name = "RUN",
                    .help = "a run directory, for its latest checkpoint, or a checkpoint",
                    .required = true,
                    .set = [r](const std::string& text) { r->checkpoint = text; }}};
  command.options = {
      {.name = "out",
       .help = "the file to write",
       .value = "FILE.safetensors",
       .set = [r](const std::string& text) { r->out = text; }},
      {.name = "net",
       .help =
           "g_ema, the average of G's weights, g or d [what duel sample draws by: g_ema where the run keeps an average]",
       .value = "NET",
       .set = [r](const std::string& text) { r->net = text; }},
      {.name = "force",
       .help = "replace an existing file",
       .value = "",
       .set = [r](const std::string&) { r->force = true; }},
  };
  command.footer =
      "Parameters and buffers by their bare names, as a state_dict of torch.nn; the metadata says what the network is, and\n"
      "apps/examples/torch_network.py builds it from there.\n"
      "  duel export runs/00000-dcgan-ns-gan --out g.safetensors\n"
      "  duel sample --weights g.safetensors --out grid.png\n"
      "  duel train --init g.safetensors --out runs/further";
  command.run = [r] {
    print(export_run(*r) + "\n");
    return 0;
  };
  return command;
}

}  // namespace duel::apps
