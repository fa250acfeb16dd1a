#include "image_flags.h"

#include "duel/gan/record/run_config.h"

namespace duel::apps {

void add_image_flags(Command& command, gan::ImageOptions* options) {
  for (const char* name : {"resize", "gray", "data-classes"}) {
    const gan::ConfigField& field = gan::config_field(name);
    const bool flag = field.kind == gan::Setting::Kind::truth;
    command.options.push_back({.name = name,
                               .help = field.full_help(field.standard),
                               .value = flag                                     ? ""
                                        : field.kind == gan::Setting::Kind::text ? "CLASSES"
                                                                                 : "INT",
                               .set =
                                   [options, &field](const std::string& text) {
                                     gan::RunConfig config;
                                     config.image_options = *options;
                                     field.set(config, field.parsed("option", text));
                                     *options = config.image_options;
                                   },
                               .either = flag});
  }
}

}  // namespace duel::apps
