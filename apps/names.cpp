// What may be given to options and words that mean the same in every command, by their names, for the shell's
// completion.
#include <map>

#include "commands.h"
#include "duel/gan/judge/judge.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/objective.h"

namespace duel::apps {

void add_known_names(std::vector<Command>& commands) {
  std::vector<std::string> networks;
  for (const gan::NetworkRow& row : gan::network_rows()) networks.push_back(row.name);
  const std::vector<std::string> objectives = gan::objective_names(), judges = gan::judge_names();
  const std::map<std::string, std::vector<std::string>> of_option{
      {"objective", objectives}, {"arch", networks}, {"device", {"auto", "cpu", "cuda"}},
      {"data", {"synthetic"}},   {"judge", judges},  {"dtype", {"f32", "f64"}}};
  // By the command too: "NAME" is another one's name in each.
  const std::map<std::pair<std::string, std::string>, std::vector<std::string>> of_word{
      {{"objectives", "NAME"}, objectives}, {{"networks", "NAME"}, networks}, {{"judge", "JUDGE"}, judges}};
  for (Command& command : commands) {
    for (Option& option : command.options) {
      const auto known = of_option.find(option.name);
      if (option.choices.empty() && known != of_option.end()) option.choices = known->second;
    }
    for (Word& word : command.words) {
      const auto known = of_word.find({command.name, word.name});
      if (known != of_word.end()) word.choices = known->second;
    }
  }
}

}  // namespace duel::apps
