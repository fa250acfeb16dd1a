// Commands, their options and their help: a small description that command_line.cpp hands to CLI11.
//
// Example:
//   Command hello{.name = "hello", .summary = "Say hello", .run = [] { return 0; }};
//   hello.options.push_back({.name = "to", .help = "whom [you]", .value = "NAME",
//                            .set = [&](const std::string& text) { to = text; }});
//   return run_command_line(argc, argv, {hello});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace duel::apps {

struct Option {
  std::string name;  // "batch" is given as --batch
  std::string help;  // what, unit, [default]
  // what --help calls its value; empty: a flag; "[X]": may be left out
  std::string value;
  std::string group = "Options";                     // heading in --help; empty: accepted, but not shown
  std::vector<std::string> aliases = {};             // other spellings, not shown
  std::function<void(const std::string&)> set = {};  // "true" for a flag; throws duel::Error
  bool several = false;                              // may be given again: set() for each value
  bool either = false;                               // a flag whose =false says something too: set("false")
  std::vector<std::string> choices = {};             // what may be given, for the shell's completion
};

/// A word after the command without dashes.
struct Word {
  std::string name, help;
  bool required = false;
  std::function<void(const std::string&)> set = {};
  bool several = false;  // there may be more of them: set() for each
  std::vector<std::string> choices = {};
};

struct Command {
  std::string name, summary;
  std::string footer = "";  // examples, at the end of --help
  std::vector<Option> options = {};
  std::vector<Word> words = {};
  std::function<int()> run = {};
};

/// Adds options to a command, add(NAME, HELP, VALUE, SET), and notes the names of those that were on the command line in
/// request->given.
template <class Request>
auto option_adder(Command& command, std::shared_ptr<Request> request) {
  return [&command, request](const char* name, const char* help, const char* value,
                             std::function<void(const std::string&)> set) {
    command.options.push_back(
        {.name = name,
         .help = help,
         .value = value,
         .set = [request, name = std::string(name), set = std::move(set)](const std::string& text) {
           request->given.push_back(name);
           set(text);
         }});
  };
}

/// The integer of --NAME; Error of `op` unless it is 1 to `most`.
int64_t counted(const char* op, const char* name, const std::string& text, int64_t most);

/// Parses, sets and runs; returns the exit status. A mistake of the user's is a duel::Error of one line, with
/// the nearest known spelling where there is one. Help and version go to stdout. Beside `commands` there are those of
/// manual.h: help, completion, and for packages man.
int run_command_line(int argc, char** argv, std::vector<Command> commands);

}  // namespace duel::apps
