// What the table of commands says in other forms: the shell's completion and the manual page. Nothing of either is
// kept by hand.
//
// Example:
//   const Completion c = completed(commands, {"train", "--arch", "d"});   // c.words: dcgan, …
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "command_line.h"

namespace duel::apps {

struct Completion {
  enum class Also { nothing, files, folders };
  std::vector<std::pair<std::string, std::string>>
      words;                  // and what they are; the whole word under the cursor
  Also also = Also::nothing;  // which paths may stand there too
};

/// What the last of `words` may become; before it stand those after "duel".
Completion completed(const std::vector<Command>& commands, const std::vector<std::string>& words);

/// The script by which a shell completes duel: it asks `duel __complete SHELL WORDS`. Error unless bash, zsh or fish.
std::string completion_script(const std::string& shell);

/// The answer to that script: a line that says which paths may stand there too (-, files or folders), and one for
/// every word, with a tabulator before what it is. bash sees the part after '=' and ':' as a word of its own.
std::string completion_answer(const Completion& completion, const std::string& shell,
                              const std::string& current);

/// duel(1), for man.
std::string manual_page(const std::vector<Command>& commands, const std::string& version);

}  // namespace duel::apps
