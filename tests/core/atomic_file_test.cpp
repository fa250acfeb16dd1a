// A write that fails leaves the old file and no litter; a write that succeeds is whole and has usual rights.
#include "duel/core/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <thread>

#include "../files.h"

namespace duel {
namespace {

using namespace duel::testing;
namespace fs = std::filesystem;

TEST(AtomicFile, WritesReplacesAndLeavesNothingElse) {
  Scratch scratch;
  const fs::path file = scratch / "a b.json";
  write_file_atomically(file, std::string_view("first"));
  EXPECT_EQ(get(file), (Bytes{'f', 'i', 'r', 's', 't'}));
  write_file_atomically(file, Bytes{});
  EXPECT_EQ(fs::file_size(file), 0u);
  const Bytes large(3'000'001, 0x5a);
  write_file_atomically(file, large);
  EXPECT_EQ(get(file), large);
  EXPECT_EQ(files_in(scratch.dir()), 1u);
}

TEST(AtomicFile, RelativeNameWithoutFolder) {
  Scratch scratch;
  const fs::path here = fs::current_path();
  fs::current_path(scratch.dir());
  write_file_atomically("plain", std::string_view("x"));
  fs::current_path(here);
  EXPECT_EQ(get(scratch / "plain"), Bytes{'x'});
}

TEST(AtomicFile, RightsFollowTheUmask) {
  Scratch scratch;
  for (const mode_t mask : {mode_t{022}, mode_t{077}, mode_t{0}}) {
    const mode_t old = ::umask(mask);
    write_file_atomically(scratch / "file", std::string_view("x"));
    ::umask(old);
    struct stat info {};
    ASSERT_EQ(::stat((scratch / "file").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0666 & ~mask);
  }
}

TEST(AtomicFile, AFailedWriteKeepsTheOldFile) {
  Scratch scratch;
  const fs::path file = scratch / "state";
  write_file_atomically(file, std::string_view("old"));
  // The kernel's limit on file sizes stands in for a full disk: write() takes a part, then fails.
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit tight = old;
  tight.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const std::string text = error_of([&] { write_file_atomically(file, Bytes(100'000)); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(has(text, file.string())) << text;
  EXPECT_TRUE(has(text, "100000 bytes wanted")) << text;
  EXPECT_TRUE(has(text, "File too large")) << text;
  EXPECT_EQ(get(file), (Bytes{'o', 'l', 'd'}));
  EXPECT_EQ(files_in(scratch.dir()), 1u);
}

TEST(AtomicFile, PlacesThatCannotBeWritten) {
  Scratch scratch;
  fs::create_directory(scratch / "folder");
  EXPECT_TRUE(has(error_of([&] { write_file_atomically(scratch / "folder", std::string_view("x")); }),
                  "Is a directory"));
  EXPECT_TRUE(has(error_of([&] { write_file_atomically(scratch / "none/file", std::string_view("x")); }),
                  "No such file"));
  put(scratch / "file", {1});
  EXPECT_TRUE(has(error_of([&] { write_file_atomically(scratch / "file/x", std::string_view("x")); }),
                  "Not a directory"));
  EXPECT_TRUE(has(error_of([&] { write_file_atomically("", std::string_view("x")); }), "[write]"));
  EXPECT_TRUE(has(error_of([&] { write_file_atomically("/proc/x", std::string_view("x")); }), "/proc/x"));
  EXPECT_EQ(files_in(scratch.dir()), 2u);
}

TEST(AtomicFile, ManyWritersLeaveOneWholeFile) {
  Scratch scratch;
  const fs::path file = scratch / "shared";
  std::vector<std::thread> writers;
  for (uint8_t id = 1; id <= 4; ++id) {
    writers.emplace_back([&, id] {
      for (int i = 0; i < 10; ++i) write_file_atomically(file, Bytes(5000, id));
    });
  }
  for (auto& w : writers) w.join();
  const Bytes bytes = get(file);
  EXPECT_EQ(bytes, Bytes(5000, bytes.at(0)));
  EXPECT_EQ(files_in(scratch.dir()), 1u);
}

}  // namespace
}  // namespace duel
