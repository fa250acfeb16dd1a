// The only file that includes CLI11.
#include "command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <sstream>

#include "duel/gan/objective/objective.h"
#include "duel/gan/record/machine.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/settings.h"
#include "duel/kernels/linear/device_library.h"
#include "manual.h"
#include "output.h"
#include "terminal.h"

namespace duel::apps {
namespace {

/// Wraps help texts at the width of the window, which CLI11's own formatter leaves to the terminal. In a
/// narrow one explanations stand below what they explain.
class Formatter : public CLI::Formatter {
 public:
  Formatter() : columns_(static_cast<size_t>(std::max(columns_of(stdout), 40))) {
    column_width(columns_ < 60 ? 6 : 28);
  }

  std::string make_option(const CLI::Option* option, bool positional) const override {
    return beside("  " + make_option_name(option, positional) + make_option_opts(option),
                  option->get_description());
  }
  std::string make_subcommand(const CLI::App* command) const override {
    return beside("  " + command->get_name(), command->get_description());
  }
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    std::istringstream lines(CLI::Formatter::make_help(app, std::move(name), mode));
    std::string all;
    for (std::string line; std::getline(lines, line);) all += fitted(line) + "\n";
    return all;
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }

 private:
  /// The text in the second column; a line lower where the first one reaches into it.
  std::string beside(std::string left, const std::string& text) const {
    const size_t column = get_column_width();
    left += width_of(left) + 1 > column ? "\n" + std::string(column, ' ')
                                        : std::string(column - width_of(left), ' ');
    return left + wrapped(text, column, columns_) + "\n";
  }
  /// A line that is too long. A command to copy stays in one piece.
  std::string fitted(const std::string& line) const {
    if (width_of(line) <= columns_ || line.starts_with("  duel ")) return line;
    const size_t begin = std::min(line.find_first_not_of(' '), line.size());
    return line.substr(0, begin) + wrapped(line.substr(begin), begin, columns_);
  }

  size_t columns_;
};

/// One option under all its spellings.
struct Made {
  const Option* option;
  std::vector<std::pair<std::string, const CLI::Option*>> spellings;
};

Made add_option(CLI::App& app, const Option& option) {
  Made all{&option, {}};
  const auto add = [&](const std::string& name, const std::string& group) {
    // A flag's count is -1 for --name=false.
    CLI::Option* made = option.value.empty() ? app.add_flag_function(
                                                   "--" + name,
                                                   [set = option.set, either = option.either](int64_t count) {
                                                     if (count > 0 || either)
                                                       set(count > 0 ? "true" : "false");
                                                   },
                                                   option.help)
                        : option.several
                            ? app.add_option_function<std::vector<std::string>>(
                                     "--" + name,
                                     [set = option.set](const std::vector<std::string>& values) {
                                       for (const std::string& value : values) set(value);
                                     },
                                     option.help)
                                  ->type_name(option.value)
                                  ->expected(1)
                                  ->allow_extra_args(false)
                            : app.add_option_function<std::string>("--" + name, option.set, option.help)
                                  ->type_name(option.value)
                                  ->expected(option.value.starts_with("[") ? 0 : 1, 1);
    made->group(group)->multi_option_policy(option.several ? CLI::MultiOptionPolicy::TakeAll
                                                           : CLI::MultiOptionPolicy::TakeLast);
    all.spellings.emplace_back("--" + name, made);
  };
  add(option.name, option.group);
  for (const std::string& alias : option.aliases) add(alias, "");
  return all;
}

/// Of an option that is given twice one value would be lost. A flag may be repeated while it says the same.
void check_given_once(const std::vector<Made>& options, const std::string& command) {
  for (const Made& made : options) {
    std::vector<std::string> values, names;
    for (const auto& [name, spelling] : made.spellings) {
      for (const std::string& value : spelling->results()) {
        values.push_back(value);
        names.push_back(name);
      }
    }
    if (values.size() < 2 || made.option->several) continue;
    if (made.option->value.empty() &&
        std::count(values.begin(), values.end(), values[0]) == std::ssize(values))
      continue;
    throw Error(message("{} {} and {} {}: expected once; duel {} --help shows how", names[0], values[0],
                        names[1], values[1], command));
  }
}

/// "…: did you mean X?" for something that nobody knows.
[[noreturn]] void unknown(const std::string& word, const std::vector<Command>& commands,
                          const Command* command) {
  std::vector<std::string> names;
  if (word.starts_with("-") && command) {
    for (const Option& option : command->options) {
      names.push_back("--" + option.name);
      for (const std::string& alias : option.aliases) names.push_back("--" + alias);
    }
  } else if (!command) {
    for (const Command& c : commands) names.push_back(c.name);
  }
  const std::string bare = word.substr(0, word.find('=')), nearest = nearest_name(bare, names);
  const std::string where = command ? "duel " + command->name : "duel";
  const std::string what = word.starts_with("-") ? "option" : command ? "argument" : "command";
  throw Error(message("unknown {} '{}'{} {} --help lists them", what, bare,
                      nearest.empty() ? ";" : ": did you mean '" + nearest + "'?", where));
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

int64_t counted(const char* op, const char* name, const std::string& text, int64_t most) {
  const auto value = parsed<int64_t>("option", name, text);
  DUEL_CHECK(value >= 1 && value <= most, op, "--{}: expected 1 to {}, got {}", name, most, value);
  return value;
}

namespace {

/// "duel 0.2.0 (commit 1b2cf47a3e5d)": the version alone where the build was no clone's.
std::string version_text() {
  const std::string commit = gan::source_commit(), version = gan::this_machine().duel;
  return commit == "unknown" ? version : version + " (commit " + commit.substr(0, 12) + ")";
}

const char* const kFirstSteps =
    "\nFirst steps:\n"
    "  duel train --arch mlp --steps 3000 --out runs/first    digits in half a minute\n"
    "  duel sample --checkpoint runs/first --out digits.png   more of them\n"
    "  duel eval runs/first                                   how good they are\n\n";

/// Of what the table says itself: help, the shell's completion, the manual page. `all` and `help` outlive the commands.
void add_commands_about_commands(std::vector<Command>& all,
                                 const std::function<std::string(const std::string&)>& help) {
  auto name = std::make_shared<std::string>();
  const auto set = [name](const std::string& text) { *name = text; };
  std::vector<std::string> names;
  for (const Command& command : all) names.push_back(command.name);
  all.push_back({.name = "help",
                 .summary = "Show a command's options",
                 .words = {{.name = "COMMAND", .help = "one of them", .set = set, .choices = names}},
                 .run = [name, &help] {
                   print(help(*name));
                   return 0;
                 }});
  all.push_back({.name = "completion",
                 .summary = "Print the script that completes duel's words in a shell",
                 .footer = "  duel completion bash > ~/.local/share/bash-completion/completions/duel\n"
                           "  duel completion zsh > \"${fpath[1]}/_duel\"\n"
                           "  duel completion fish > ~/.config/fish/completions/duel.fish",
                 .words = {{.name = "SHELL",
                            .help = "bash, zsh or fish",
                            .required = true,
                            .set = set,
                            .choices = {"bash", "zsh", "fish"}}},
                 .run = [name] {
                   print(completion_script(*name));
                   return 0;
                 }});
  all.push_back({.name = "man",
                 .summary = "Print the manual page, for man",
                 .footer = "  duel man | man -l -",
                 .run = [&all] {
                   print(manual_page(all, gan::this_machine().duel));
                   return 0;
                 }});
}

/// `duel __complete SHELL WORDS`: nothing of it is an error, whatever stands on the line.
int answer_completion(int argc, char** argv, const std::vector<Command>& commands) {
  const std::vector<std::string> words(argv + std::min(argc, 3), argv + argc);
  std::fputs(completion_answer(completed(commands, words), argc > 2 ? argv[2] : "",
                               words.empty() ? "" : words.back())
                 .c_str(),
             stdout);
  return 0;
}

}  // namespace

int run_command_line(int argc, char** argv, std::vector<Command> commands) {
  std::function<std::string(const std::string&)> help_of;
  add_commands_about_commands(commands, help_of);
  if (argc > 1 && argv[1] == std::string("__complete")) return answer_completion(argc, argv, commands);
  CLI::App app("Duel trains generative adversarial networks: two networks fight, digits appear.", "duel");
  app.formatter(std::make_shared<Formatter>());
  app.require_subcommand(0, 1);  // a run directory called "lab" is no second command
  app.set_help_flag("--help,-h", "print this help");
  app.set_version_flag(
      "--version", [] { return "duel " + version_text(); }, "print the version");
  app.footer("duel help COMMAND shows a command's options.");

  std::vector<std::pair<CLI::App*, const Command*>> made;
  std::map<const Command*, std::vector<Made>> options;
  for (const Command& command : commands) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    sub->set_help_flag("--help,-h", "print this help");
    if (!command.footer.empty()) sub->footer(command.footer);
    for (const Option& option : command.options) options[&command].push_back(add_option(*sub, option));
    for (const Word& word : command.words) {
      CLI::Option* added = word.several
                               ? sub->add_option_function<std::vector<std::string>>(
                                     word.name,
                                     [set = word.set](const std::vector<std::string>& all) {
                                       for (const std::string& one : all) set(one);
                                     },
                                     word.help)
                               : sub->add_option_function<std::string>(word.name, word.set, word.help);
      added->required(word.required)->type_name("");
    }
    made.emplace_back(sub, &command);
  }
  const auto chosen = [&]() -> const Command* {
    for (const auto& [sub, command] : made) {
      if (sub->parsed()) return command;
    }
    return nullptr;
  };

  // Now: once a command is parsed, CLI11 takes its help for the whole one's.
  const std::string overview = app.help();
  help_of = [&](const std::string& name) {
    if (name.empty()) return overview;
    for (const auto& [sub, command] : made) {
      if (command->name == name) return sub->help("duel");
    }
    unknown(name, commands, nullptr);
  };

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    std::ostringstream text;
    const int status = app.exit(request, text, text);
    print(text.str());
    return status;
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> rest = app.remaining(true);
    unknown(rest.empty() ? "" : rest.front(), commands, chosen());
  } catch (const CLI::ParseError& error) {
    const Command* command = chosen();
    throw Error(message("{}; {} --help shows how", one_line(error.what()),
                        command ? "duel " + command->name : "duel"));
  }
  if (const Command* command = chosen()) {
    check_given_once(options[command], command->name);
    kernels::check_environment();
    return command->run();
  }
  // A tour, and then all there is.
  std::string page = overview;
  const size_t usage = page.find("Usage: ");
  print(page.insert(usage == std::string::npos ? page.size() : usage, kFirstSteps));
  return 0;
}

}  // namespace duel::apps
