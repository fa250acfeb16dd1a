// gan/settings.md shows every setting of a run, from the rows; the README names every objective. Where the
// environment variable DUEL_SETTINGS names the page, it is written anew:
//   DUEL_SETTINGS=gan/settings.md build/tests/duel_test_gan --gtest_filter='SettingsPage.*'
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "duel/gan/record/run_config.h"
#include "tests/files.h"
#include "tests/source.h"

namespace duel::gan {
namespace {

using duel::testing::Bytes;

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// The objectives whose defaults have a place for a setting, in as few words as may be.
std::string who_has(const ObjectiveSetting& setting) {
  if (!setting.place.parts.empty()) return "sets " + listed(setting.place.parts);
  const std::vector<std::string> having = objectives_with(setting), all = objective_names();
  std::vector<std::string> others;
  std::copy_if(all.begin(), all.end(), std::back_inserter(others), [&](const std::string& name) {
    return std::find(having.begin(), having.end(), name) == having.end();
  });
  std::string text = others.empty()                  ? "all"
                     : others.size() < having.size() ? "all but " + listed(others)
                                                     : listed(having);
  for (const Need& need : setting.place.needs) {
    if (*need.by) text += message("{} by `{}`", text.empty() ? "any" : "; any other", need.by);
  }
  return text;
}

std::string page() {
  std::string text =
      "# Settings\n\nEvery setting of a run, as a flag of `duel train` (`--lambda 5`), as a key of `config.json` "
      "(`\"lambda\": 5`), and, those of the\nobjective, in C++ (`named_objective(\"wgan-gp\", {{\"lambda\", "
      "5.0}})`). Written from the rows of\n`objective/rows/objective_settings.cpp` and "
      "`record/run_config.cpp`, and held to them, by\n`tests/gan/record/settings_page_test.cpp`.\n";
  std::string group = "none";
  for (const ConfigField& field : config_fields()) {
    const auto& settings = objective_settings();
    const auto of_objective = std::find_if(settings.begin(), settings.end(),
                                           [&](const ObjectiveSetting& s) { return s.name == field.name; });
    const bool fights = field.group == "Objective" || field.group == "Optimizers";
    if (field.group != group) {
      group = field.group;
      const std::string heading = group.empty() ? "Not in `--help`" : group;
      text += "\n## " + heading + "\n\n| setting | what | may be | default |" +
              (fights ? " objectives that have it |\n|---|---|---|---|---|\n" : "\n|---|---|---|---|\n");
    }
    text +=
        "| `" + field.name + "` | " + field.help + " | " + field.expected() + " | " + field.standard + " |";
    if (fights) text += " " + (of_objective == settings.end() ? "" : who_has(*of_objective)) + " |";
    text += "\n";
  }
  return text;
}

const std::string kNow = page();  // before a test adds networks of its own

TEST(SettingsPage, SaysTheRows) {
  if (const char* path = std::getenv("DUEL_SETTINGS")) {
    duel::testing::put(path, Bytes(kNow.begin(), kNow.end()));
    return;
  }
  const Bytes bytes = duel::testing::get(duel::testing::in_source("gan/settings.md"));
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), kNow)
      << "gan/settings.md is stale: the head of this file says how it is written";
}

TEST(Readme, TheTableNamesEveryObjective) {
  const Bytes bytes = duel::testing::get(duel::testing::in_source("README.md"));
  const std::string readme(bytes.begin(), bytes.end());
  for (const std::string& name :
       objective_names()) {  // fgan-kl, and of the others of its family `-pearson`, …
    const bool named =
        readme.find("`" + name + "`") != std::string::npos ||
        (name.starts_with("fgan-") && readme.find("`" + name.substr(4) + "`") != std::string::npos);
    EXPECT_TRUE(named) << name;
  }
}

}  // namespace
}  // namespace duel::gan
