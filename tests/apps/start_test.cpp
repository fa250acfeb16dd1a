// A run that is refused, fails or is killed before it trains leaves nothing in the way of the same command,
// and takes nothing that was there.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>

#include "command.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;
namespace fs = std::filesystem;

std::vector<std::string> refused_run(const fs::path& out, const std::vector<std::string>& more = {}) {
  return drawn_run(out, with({"--synthetic-count", "40", "--steps", "2", "--quiet"}, more));
}

TEST(Start, WhatTheFirstIterationRefusesIsRefusedBeforeThereIsAFolder) {
  Scratch scratch;
  for (const char* also : {"--quiet", "--dry-run"}) {
    expect_refused(duel(refused_run(scratch / "a", {"--objective", "ebgan", "--batch", "1", also})),
                   {"ebgan", "'pull_away'", "at least 2", "larger batch"});
    // No table knows how much memory there is: the iteration itself has to say so.
    const Result r = duel(refused_run(scratch / "a", {"--generator-batch", "100000000000", also}));
    EXPECT_EQ(r.status, 3) << r.err;
    EXPECT_NE(r.err.find("out of memory"), std::string::npos) << r.err;
  }
  EXPECT_EQ(duel::testing::files_in(scratch.dir()), 0u);
}

TEST(Start, AFailedOneRemovesWhatItMadeAndNothingElse) {
  Scratch scratch;
  const auto mine = scratch / "mine", none = scratch / "new" / "inner";
  fs::create_directory(mine);
  const auto before = contents(scratch.dir());
  for (const int limit : {1, 300}) {
    for (const auto& out : {mine, mine / "inner" / "run", none}) {
      expect_refused(duel(refused_run(out), {.file_limit = limit}), {"bytes wanted", "File too large"}, 1);
      EXPECT_TRUE(contents(scratch.dir()) == before) << out;
    }
  }
  ASSERT_EQ(duel(refused_run(mine)).status, 0);
  EXPECT_TRUE(fs::exists(mine / "config.json"));
}

// Every state between mkdir and config.json that a kill can leave, one after the other.
TEST(Start, WhatAKilledOneLeftIsTakenOver) {
  Scratch scratch;
  ASSERT_EQ(duel(refused_run(scratch / "whole")).status, 0);
  const auto half = scratch / "half";
  const std::vector<std::string> stages = {".lock",
                                           "samples/",
                                           "checkpoints/",
                                           ".run.json.tmp-7-0",
                                           "run.json",
                                           "samples/.reals.png.tmp-7-1",
                                           "samples/reals.png",
                                           ".config.json.tmp-7-2"};
  for (size_t made = 1; made <= stages.size(); ++made) {
    fs::remove_all(half);
    for (size_t i = 0; i < made; ++i) {
      stages[i].ends_with('/') ? void(fs::create_directories(half / stages[i]))
                               : write(half / stages[i], "half");
    }
    const auto before = contents(half);
    expect_refused(duel({"train", "--resume", "--out", half.string(), "--quiet"}),
                   {half.string(), "stopped", "leave out --resume"});
    EXPECT_EQ(duel(refused_run(half, {"--dry-run"})).status, 0) << stages[made - 1];
    EXPECT_TRUE(contents(half) == before);
    ASSERT_EQ(duel(refused_run(half)).status, 0) << stages[made - 1];
    for (const char* file :
         {"config.json", "metrics.jsonl", "samples/reals.png", "checkpoints/step_00000002.safetensors"}) {
      EXPECT_EQ(read(half / file), read(scratch / "whole" / file)) << file;
    }
    for (const auto& [file, bytes] : contents(half)) EXPECT_EQ(file.find(".tmp-"), std::string::npos) << file;
  }
}

TEST(Start, WhatIsNotDuelsOwnIsNotTakenOver) {
  Scratch scratch;
  const auto folder = scratch / "a";
  const auto refused = [&](const std::vector<std::string>& files, const std::string& why) {
    fs::remove_all(folder);
    for (const std::string& file : files) write(folder / file, "mine");
    const auto before = contents(folder);
    expect_refused(duel(refused_run(folder)), {folder.string(), why});
    EXPECT_TRUE(contents(folder) == before);
  };
  refused({".lock", "notes.txt"}, "not empty");
  refused({".lock", "metrics.jsonl"}, "not empty");
  refused({".lock", "samples/cat.png"}, "not empty");
  refused({".lock", "checkpoints/step_00000002.safetensors"}, "not empty");
  refused({"run.json"}, "not empty");
  fs::remove_all(folder);
  write(folder / ".lock", "");
  const int held = ::open((folder / ".lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(held, LOCK_EX | LOCK_NB), 0);
  expect_refused(duel(refused_run(folder)), {folder.string(), "another process"});
  expect_refused(duel(refused_run(folder, {"--dry-run"})), {folder.string(), "another process"});
  ::close(held);
  EXPECT_EQ(duel(refused_run(folder)).status, 0);
}

}  // namespace
}  // namespace duel::apps::testing
