// What the table of commands says in other forms: help, completion in the shells, the manual page.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <set>
#include <sstream>

#include "../command.h"
#include "duel/gan/objective/objective.h"
#include "duel/kernels/base/error.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;
using Words = std::vector<std::string>;

/// What the shells' scripts ask for, without explanations; the first word says which paths may stand there.
Words answer(const Words& words, const std::string& shell = "zsh") {
  Args args{"__complete", shell};
  args.insert(args.end(), words.begin(), words.end());
  const Result r = duel(args);
  EXPECT_EQ(r.status, 0);
  EXPECT_EQ(r.err, "");
  std::istringstream lines(r.out);
  Words found;
  for (std::string line; std::getline(lines, line);) found.push_back(line.substr(0, line.find('\t')));
  return found;
}

/// Every "--name" that begins a line.
std::set<std::string> flags_of(const std::string& text) {
  std::set<std::string> flags;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = std::min(line.find_first_not_of(' '), line.size());
    if (at == 2 && line.compare(at, 2, "--") == 0) flags.insert(line.substr(at, line.find(' ', at) - at));
  }
  return flags;
}

bool holds(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// What a command prints; empty where it cannot be run.
std::string said(const std::string& command) {
  std::string text;
  if (std::FILE* pipe = ::popen(command.c_str(), "r")) {
    for (int c; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
    ::pclose(pipe);
  }
  return text;
}

std::string quoted(const std::filesystem::path& path) { return "'" + path.string() + "'"; }

TEST(Manual, HelpOfACommandIsItsHelp) {
  EXPECT_EQ(duel({"help", "train"}).out, duel({"train", "--help"}).out);
  EXPECT_EQ(duel({"help"}).out, duel({"--help"}).out);
  expect_refused(duel({"help", "trian"}), {"unknown command 'trian': did you mean 'train'?"});
  const std::string version = duel({"--version"}).out;
  EXPECT_TRUE(version.starts_with("duel ") && version.find('.') != std::string::npos) << version;
}

TEST(Manual, AloneDuelShowsTheFirstSteps) {
  const std::string tour = duel({}).out;
  for (const char* part : {"First steps:", "  duel train ", "  duel sample ", "  duel eval ", "Subcommands:"})
    EXPECT_TRUE(has(tour, part)) << part << "\n" << tour;
  // They are commands that work: the tour's first one up to its explanation, tried.
  const size_t begin = tour.find("duel train ") + 5;
  std::istringstream words(tour.substr(begin, tour.find("    ", begin) - begin));
  Args args(std::istream_iterator<std::string>(words), {});
  Scratch scratch;
  args.insert(args.end(), {"--dry-run", "--data", "synthetic", "--synthetic-count", "64"});
  EXPECT_EQ(duel(args, {.cwd = scratch.dir()}).status, 0);
}

// A word that is another command's name is still a word: of a run directory, say.
TEST(Manual, AWordThatNamesACommandIsAWord) {
  Scratch scratch;
  const Result r = duel({"list", "lab"}, {.cwd = scratch.dir()});
  EXPECT_FALSE(has(r.err, "PROBLEM")) << r.err;
  EXPECT_TRUE(has(r.err + r.out, "lab")) << r.err << r.out;
}

TEST(Completion, OffersWhatTheTableHolds) {
  EXPECT_EQ(answer({"tr"}), (Words{"-", "train"}));
  EXPECT_TRUE(holds(answer({""}), "completion"));
  EXPECT_FALSE(holds(answer({""}), "__complete"));
  EXPECT_EQ(answer({"train", "--arch", "dc"}), (Words{"-", "dcgan"}));
  EXPECT_EQ(answer({"train", "--arch=dc"}), (Words{"-", "--arch=dcgan"}));
  EXPECT_EQ(answer({"train", "--arch=dc"}, "bash"), (Words{"-", "dcgan"}))
      << "bash's word begins after the =";
  EXPECT_EQ(answer({"lab", "ring", "--objective", "hinge,wgan-d"}), (Words{"-", "hinge,wgan-div"}));
  EXPECT_EQ(answer({"train", "--steps", ""}), (Words{"-"})) << "any number";
  EXPECT_EQ(answer({"train", "--out", ""}).front(), "folders");
  EXPECT_EQ(answer({"train", "--config=x"}).front(), "files");
  EXPECT_EQ(answer({"judge", "te"}), (Words{"-", "test"}));
  EXPECT_EQ(answer({"completion", ""}), (Words{"-", "bash", "zsh", "fish"}));
  EXPECT_EQ(answer({"no-such-command", ""}), (Words{"-"}));
  EXPECT_FALSE(holds(answer({"train", "--lr", "1", "--"}), "--lr")) << "it is there already";
  EXPECT_TRUE(holds(answer({"train", "--penalty", "none", "--"}), "--penalty")) << "may be given again";
  Words objectives = answer({"train", "--objective", ""});
  objectives.erase(objectives.begin());
  EXPECT_EQ(objectives, gan::objective_names());
}

TEST(Completion, OffersEveryFlagOfTheHelpAndNoOther) {
  for (const char* command : {"train", "sample", "lab", "bench", "eval", "sweep"}) {
    const Words offered = answer({command, "--"});
    std::set<std::string> all(offered.begin() + 1, offered.end()),
        shown = flags_of(duel({command, "--help"}, {.variables = {{"COLUMNS", "200"}}}).out);
    all.erase("--help");
    EXPECT_EQ(all, shown) << command;
    EXPECT_GE(all.size(), 5u);
  }
}

TEST(Completion, OtherShellsAreRefused) {
  expect_refused(duel({"completion", "tcsh"}), {"expected bash, zsh or fish, got \"tcsh\""});
}

// The scripts in their shells, where these are installed.
TEST(Completion, WorksInBash) {
  if (said("bash -c 'echo yes'") != "yes\n") GTEST_SKIP() << "no bash";
  Scratch scratch;
  write(scratch / "script", duel({"completion", "bash"}).out);
  std::filesystem::create_directory(scratch / "a run");
  const auto completed = [&](const std::string& line, const std::string& words) {
    write(scratch / "ask", "PATH=" + quoted(std::filesystem::path(command_path()).parent_path()) +
                               ":$PATH; cd " + quoted(scratch.dir()) +
                               "; compopt() { :; }; . ./script\nCOMP_LINE='" + line + "'; COMP_WORDS=(" +
                               words +
                               "); COMP_POINT=${#COMP_LINE}; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                               "_duel; printf '%s|' \"${COMPREPLY[@]}\"\n");
    return said("bash " + quoted(scratch / "ask"));
  };
  const std::string program = "duel";
  EXPECT_EQ(completed(program + " train --arch dc", program + " train --arch dc"), "dcgan|");
  EXPECT_EQ(completed(program + " train --arch=dc", program + " train --arch = dc"), "dcgan|");
  EXPECT_EQ(completed(program + " judge ", program + " judge ''"), "train|info|test|");
  EXPECT_EQ(completed(program + " plot a", program + " plot a"), "a run|");
  EXPECT_EQ(completed(program + " plot a\\ r", program + " plot \"a\\\\ r\""), "a run|")
      << "what was typed is quoted";
  EXPECT_EQ(completed(program + " train --out=a", program + " train --out = a"), "a run|");
}

TEST(Completion, WorksInFish) {
  if (said("fish -c 'echo yes' 2>/dev/null") != "yes\n") GTEST_SKIP() << "no fish";
  Scratch scratch;
  write(scratch / "script", duel({"completion", "fish"}).out);
  std::filesystem::create_directory(scratch / "runs-of-mine");
  const auto completed = [&](const std::string& line) {
    return said(message(
        "cd {} && HOME={} PATH=\"{}:$PATH\" fish --no-config -c 'source script; complete -C \"{}\"' | cut -f1",
        quoted(scratch.dir()), quoted(scratch.dir()),
        std::filesystem::path(command_path()).parent_path().string(), line));
  };
  EXPECT_EQ(completed("duel train --arch dc"), "dcgan\n");
  EXPECT_EQ(completed("duel train --arch=dc"), "--arch=dcgan\n");
  EXPECT_EQ(completed("duel plot runs-o"), "runs-of-mine/\n");
  EXPECT_EQ(completed("duel train --out=runs-o"), "--out=runs-of-mine/\n");
}

TEST(Manual, ThePageHasEveryOptionOfEveryCommand) {
  const std::string page = duel({"man"}).out;
  EXPECT_TRUE(has(page, ".TH DUEL 1 "));
  size_t options = 0;
  for (const std::string& command : answer({""})) {
    if (command == "-") continue;
    EXPECT_TRUE(has(page, "\n.SS duel " + command)) << command;
    for (const std::string& flag :
         flags_of(duel({command, "--help"}, {.variables = {{"COLUMNS", "200"}}}).out)) {
      std::string roff = "\n\\fB";
      for (const char c : flag) roff += c == '-' ? std::string("\\-") : std::string(1, c);
      EXPECT_TRUE(has(page, roff + "\\fR")) << command << " " << flag;
      ++options;
    }
  }
  EXPECT_GT(options, 150u);
  // What groff says of it, where it is installed.
  if (said("groff --version 2>/dev/null").empty()) GTEST_SKIP() << "no groff";
  Scratch scratch;
  write(scratch / "duel.1", page);
  EXPECT_EQ(said("groff -ww -k -man -Tutf8 " + quoted(scratch / "duel.1") + " 2>&1 >/dev/null"), "");
}

}  // namespace
}  // namespace duel::apps::testing
