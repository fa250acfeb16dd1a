// Completion and manual page from the table of commands: see manual.h.
#include "manual.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "duel/kernels/base/error.h"
#include "terminal.h"

namespace duel::apps {
namespace {

Completion::Also paths_of(const std::string& name) {
  const auto names = [&](const char* part) { return name.find(part) != std::string::npos; };
  for (const char* part : {"FILE", "SET", "IMAGE", "RUN@"}) {
    if (names(part)) return Completion::Also::files;
  }
  return names("DIR") || names("RUN") ? Completion::Also::folders : Completion::Also::nothing;
}

/// Of "a,b,d" the last part is what is completed; where a value may be several names, they have commas between.
void add_choices(Completion& found, const std::string& before, const std::string& part,
                 const std::vector<std::string>& choices, bool list) {
  const size_t comma = list ? part.rfind(',') : std::string::npos;
  const std::string done = comma == std::string::npos ? "" : part.substr(0, comma + 1);
  const std::string begun = part.substr(done.size());
  for (const std::string& choice : choices) {
    if (choice.starts_with(begun)) found.words.emplace_back(before + done + choice, "");
  }
}

bool takes_list(const Option& option) { return option.value == "NAMES" || option.value.ends_with(",…"); }

void add_value(Completion& found, const Option& option, const std::string& before, const std::string& part) {
  add_choices(found, before, part, option.choices, takes_list(option));
  found.also = paths_of(option.value);
}

bool is_option(const Option& option, const std::string& name) {
  return option.name == name ||
         std::find(option.aliases.begin(), option.aliases.end(), name) != option.aliases.end();
}

const Option* option_of(const Command& command, const std::string& word) {
  if (!word.starts_with("--")) return nullptr;
  const std::string name = word.substr(2, word.find('=') - 2);
  for (const Option& option : command.options) {
    if (is_option(option, name)) return &option;
  }
  return nullptr;
}

bool needs_value(const Option* option) {
  return option && !option->value.empty() && !option->value.starts_with("[");
}

void add_options(Completion& found, const Command& command, const std::string& current,
                 const std::set<const Option*>& given) {
  const auto add = [&](const std::string& word, const std::string& help) {
    if (word.starts_with(current)) found.words.emplace_back(word, help);
  };
  for (const Option& option : command.options) {
    if (!option.group.empty() && (option.several || !given.contains(&option)))
      add("--" + option.name, option.help);
  }
  add("--help", "print this help");
}

}  // namespace

Completion completed(const std::vector<Command>& commands, const std::vector<std::string>& words) {
  Completion found;
  const std::string current = words.empty() ? "" : words.back();
  if (words.size() < 2) {
    for (const Command& command : commands) {
      if (command.name.starts_with(current) && !command.name.starts_with("__"))
        found.words.emplace_back(command.name, command.summary);
    }
    for (const auto& [flag, help] :
         {std::pair{"--help", "print this help"}, {"--version", "print the version"}}) {
      if (!current.empty() && std::string(flag).starts_with(current)) found.words.emplace_back(flag, help);
    }
    return found;
  }
  const auto at = std::find_if(commands.begin(), commands.end(),
                               [&](const Command& command) { return command.name == words[0]; });
  if (at == commands.end()) return found;
  const Command& command = *at;

  std::set<const Option*> given;
  size_t place = 0;  // words without dashes so far
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    const Option* option = option_of(command, words[i]);
    if (option) given.insert(option);
    const bool apart = needs_value(option) && words[i].find('=') == std::string::npos;
    if (apart && i + 2 == words.size()) {
      add_value(found, *option, "", current);
      return found;
    }
    if (apart) ++i;
    if (!option && !words[i].starts_with("-")) ++place;
  }
  if (const size_t equals = current.find('='); current.starts_with("--") && equals != std::string::npos) {
    if (const Option* option = option_of(command, current))
      add_value(found, *option, current.substr(0, equals + 1), current.substr(equals + 1));
    return found;
  }
  if (current.starts_with("-")) {
    add_options(found, command, current, given);
    return found;
  }
  if (!command.words.empty() && (place < command.words.size() || command.words.back().several)) {
    const Word& word = command.words[std::min(place, command.words.size() - 1)];
    add_choices(found, "", current, word.choices, false);
    found.also = paths_of(word.name);
  }
  if (current.empty() && found.words.empty() && found.also == Completion::Also::nothing)
    add_options(found, command, current, given);
  return found;
}

std::string completion_answer(const Completion& completion, const std::string& shell,
                              const std::string& current) {
  static constexpr const char* also[] = {"-", "files", "folders"};
  std::string text = std::string(also[static_cast<int>(completion.also)]) + "\n";
  // The part that bash does not take for the word under the cursor.
  const size_t breaks = shell == "bash" ? current.find_last_of("=:") : std::string::npos;
  const size_t skipped = breaks == std::string::npos ? 0 : breaks + 1;
  for (const auto& [word, help] : completion.words) text += word.substr(skipped) + "\t" + help + "\n";
  return text;
}

std::string completion_script(const std::string& shell) {
  if (shell == "bash") {
    return R"(# bash completion of duel. Made by: duel completion bash
_duel() {
  # The line itself: bash takes = and : for words of their own.
  local line=${COMP_LINE:0:COMP_POINT} current=${COMP_WORDS[COMP_CWORD]} pieces words=() piece
  read -ra pieces <<<"$line"
  for piece in "${pieces[@]}"; do
    if ((${#words[@]})) && [[ ${words[-1]} == *\\ ]]; then words[-1]+=" $piece"; else words+=("$piece"); fi
  done
  [[ $line != *[[:space:]] || $line == *\\[[:space:]] ]] || words+=("")
  [[ $current != [=:] ]] || current=
  current=${current//\\/} current=${current#[\"\']}
  local answer also word
  mapfile -t answer < <("${words[0]/#\~/$HOME}" __complete bash "${words[@]:1}" 2>/dev/null)
  also=${answer[0]}
  COMPREPLY=()
  for word in "${answer[@]:1}"; do COMPREPLY+=("${word%%$'\t'*}"); done
  case $also in
    files) compopt -o filenames; mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$current") ;;
    folders) compopt -o filenames; mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$current") ;;
  esac
}
complete -F _duel duel
)";
  }
  if (shell == "zsh") {
    return R"(#compdef duel
# zsh completion of duel. Made by: duel completion zsh
_duel() {
  local -a answer found
  local also line
  answer=("${(@f)$("${(Q)words[1]}" __complete zsh "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  also=$answer[1]
  for line in "${(@)answer[2,-1]}"; do
    [[ -n $line ]] || continue
    found+=("${${line%%$'\t'*}//:/\\:}${${line#*$'\t'}:+:${line#*$'\t'}}")
  done
  (( $#found )) && _describe -V duel found
  [[ $PREFIX == --*=* ]] && compset -P '--*='
  case $also in
    files) _files ;;
    folders) _files -/ ;;
  esac
}
if [[ $funcstack[1] == _duel ]]; then _duel "$@"; else compdef _duel duel; fi
)";
  }
  if (shell == "fish") {
    return R"(# fish completion of duel. Made by: duel completion fish
function __duel_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l answer ($before[1] __complete fish $before[2..-1] "$current" 2>/dev/null)
    set -l option (string match -r -- '^--[^=]*=' $current)
    set -l path (string replace -r -- '^--[^=]*=' '' $current)
    switch $answer[1]
        case files
            __fish_complete_path $path | string replace -r -- '^' "$option"
        case folders
            __fish_complete_directories $path | string replace -r -- '^' "$option"
    end
    printf '%s\n' $answer[2..-1]
end
complete -c duel -f -a '(__duel_complete)'
)";
  }
  throw Error("[completion] shell: expected bash, zsh or fish, got " + in_quotes(shell));
}

// ---- The manual page --------------------------------------------------------------------------------------

namespace {

/// For roff: a backslash is one, a hyphen stays what a user types, and no line is taken for a request.
std::string roff(const std::string& text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    begins = c == '\n';
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string slanted(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }

/// The text as it stands, its lines no wider than a manual's.
std::string as_it_stands(const std::string& text) {
  constexpr size_t most = 72;
  std::istringstream lines(text);
  std::string out = ".PP\n.nf\n";
  for (std::string line; std::getline(lines, line);) {
    const size_t begin = std::min(line.find_first_not_of(' '), line.size());
    const bool whole = width_of(line) <= most || line.starts_with("  duel ");
    out += roff(whole ? line : line.substr(0, begin) + wrapped(line.substr(begin), begin, most)) + "\n";
  }
  return out + ".fi\n";
}

std::string of_command(const Command& command) {
  std::string text = ".SS duel " + roff(command.name);
  for (const Word& word : command.words) {
    const std::string shown = word.name + (word.several ? "..." : "");
    text += " " + roff(word.required ? shown : "[" + shown + "]");
  }
  text += "\n" + roff(command.summary + ".") + "\n";
  for (const Word& word : command.words) text += ".TP\n" + slanted(word.name) + "\n" + roff(word.help) + "\n";
  std::vector<std::string> groups;
  for (const Option& option : command.options) {
    if (!option.group.empty() && std::find(groups.begin(), groups.end(), option.group) == groups.end())
      groups.push_back(option.group);
  }
  for (const std::string& group : groups) {
    if (groups.size() > 1) text += ".PP\n" + slanted(group) + "\n";
    for (const Option& option : command.options) {
      if (option.group != group) continue;
      text += ".TP\n" + bold("--" + option.name) + (option.value.empty() ? "" : " " + slanted(option.value)) +
              "\n" + roff(option.help) + "\n";
    }
  }
  return command.footer.empty() ? text : text + as_it_stands(command.footer);
}

}  // namespace

std::string manual_page(const std::vector<Command>& commands, const std::string& version) {
  std::string text =
      ".\\\" Made by: duel man\n.TH DUEL 1 \"\" \"Duel " + roff(version) +
      "\" \"User Commands\"\n"
      ".nh\n.ad l\n"
      ".SH NAME\nduel \\- train generative adversarial networks and look at them\n"
      ".SH SYNOPSIS\n.B duel\n.I COMMAND\n[\\fIOPTION\\fR]...\n"
      ".SH DESCRIPTION\n"
      "Two networks fight, digits appear. Results are on standard output, progress and warnings on "
      "standard error. A flag that takes no value takes \\fB=false\\fR where its default is that it is "
      "set.\n"
      ".SH COMMANDS\n";
  for (const Command& command : commands) {
    if (!command.name.starts_with("__")) text += of_command(command);
  }
  text +=
      ".SH EXIT STATUS\n"
      ".TP\n0\ndone\n.TP\n1\nfailed while running: diverged, a full disk, output that could not be written\n"
      ".TP\n2\nwrong input; one line on standard error says what was expected\n.TP\n3\nout of memory\n"
      ".TP\n130, 143, 129\nstopped by SIGINT, SIGTERM or SIGHUP; a run that trains saves before\n";
  return text;
}

}  // namespace duel::apps
