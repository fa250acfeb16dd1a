// duel networks: the table of networks, or one of them in full.
#include <memory>

#include "commands.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/models/network.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"
#include "terminal/terminal.h"

namespace duel::apps {
namespace {

constexpr int64_t kImages = 2;  // that FLOPs are counted of: a batch norm needs two

/// Of one network and one image.
struct Size {
  int64_t parameters;
  double flops;  // of a forward pass
};

std::string size_text(const Size& size) {
  return message("{} M parameters, {} MFLOP", brief(static_cast<double>(size.parameters) / 1e6),
                 brief(size.flops / 1e6));
}

std::pair<Size, Size> sizes(const gan::NetworkOptions& options) {
  Generator random(1);
  const gan::Networks n = gan::make_networks(options, true, random);
  const NoGrad off;
  const auto measured = [](nn::Module& net, const Tensor& x) {
    FlopCount count;
    const Tensor y = net(x);
    return std::pair(Size{net.parameter_count(), count.flops() / kImages}, y);
  };
  const auto [g, images] = measured(*n.generator, random.normal({kImages, n.latent.width()}));
  return {g, measured(*n.discriminator, images).first};
}

int show(const std::string& name, int64_t side) {
  const size_t room = page_columns();
  if (name.empty())
    print(message(
        "Images of {} x {}, gray; MFLOP: of one image's forward pass. `duel train --arch NAME` takes one.\n\n",
        side, side));
  for (const gan::NetworkRow& row : gan::network_rows()) {
    if (!name.empty() && row.name != name) continue;
    std::string head = row.name;
    head.resize(std::max<size_t>(12, row.name.size() + 1), ' ');
    print(head + wrapped(row.about, 12, room) + "\n");
    const auto line = [&](const std::string& text) {
      print(std::string(12, ' ') + wrapped(text, 12, room) + "\n");
    };
    line(row.paper);
    if (side % row.sides != 0) {
      line(message("takes sides that divide by {}", row.sides));
    } else {
      const auto [g, d] = sizes({.arch = row.name, .height = side, .width = side});
      line(message("G {} wide, of {} values: {}", row.channels_g, row.latent, size_text(g)));
      line(message("D {} wide: {}", row.channels_d, size_text(d)));
    }
    print("\n");
  }
  return 0;
}

}  // namespace

Command networks_command() {
  struct Request {
    std::string name;
    int64_t side = 28;
  };
  auto r = std::make_shared<Request>();
  Command command{.name = "networks", .summary = "List the networks: layers, paper, sizes"};
  command.words = {{.name = "NAME", .help = "one of them", .set = [r](const std::string& text) {
                      r->name = gan::network_row(text).name;
                    }}};
  command.options = {{.name = "side",
                      .help = "of the images that are measured [28]",
                      .value = "N",
                      .set = [r](const std::string& text) {
                        r->side = parsed<int64_t>("networks", "side", text);
                        DUEL_CHECK(r->side >= 1 && r->side <= 256, "networks",
                                   "side: expected 1 to 256 pixels, got {}", r->side);
                      }}};
  command.footer = "  duel networks biggan --side 32";
  command.run = [r] { return show(r->name, r->side); };
  return command;
}

}  // namespace duel::apps
