// A write that fails leaves the old file and no litter; a write that succeeds is whole and has usual rights.
#include "duel/core/io/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <thread>

#include "tests/files.h"

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

TEST(AtomicFile, TheRightsOfANewFileFollowTheUmask) {
  Scratch scratch;
  for (const mode_t mask : {mode_t{022}, mode_t{077}, mode_t{0}}) {
    fs::remove(scratch / "file");
    const mode_t old = ::umask(mask);
    write_file_atomically(scratch / "file", std::string_view("x"));
    ::umask(old);
    struct stat info {};
    ASSERT_EQ(::stat((scratch / "file").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0666 & ~mask);
  }
}

mode_t rights(const fs::path& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(AtomicFile, LinksStayAndWhatTheyLeadToIsWritten) {
  Scratch scratch;
  fs::create_directories(scratch / "far" / "deep");
  put(scratch / "far" / "file", {1});
  fs::create_symlink("deep", scratch / "far" / "folder");
  fs::create_symlink("../file", scratch / "far" / "deep" / "inner");  // relative to the link's own folder
  fs::create_symlink(scratch / "far" / "folder" / "inner",
                     scratch / "outer");  // absolute, through a linked folder
  write_file_atomically(scratch / "outer", Bytes{2, 3});
  EXPECT_EQ(get(scratch / "far" / "file"), (Bytes{2, 3}));
  for (const auto& link : {scratch / "outer", scratch / "far" / "deep" / "inner"})
    EXPECT_TRUE(fs::is_symlink(link)) << link;
  EXPECT_EQ(files_in(scratch.dir()), 2u);
  EXPECT_EQ(files_in(scratch / "far"), 3u) << "no temporary file stays where the target lies";

  fs::create_symlink("far/later", scratch / "dangling");
  write_file_atomically(scratch / "dangling", std::string_view("x"));
  EXPECT_TRUE(fs::is_symlink(scratch / "dangling"));
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(scratch / "far" / "later")));
  EXPECT_EQ(get(scratch / "far" / "later"), Bytes{'x'});

  fs::create_symlink("nowhere/file", scratch / "lost");
  EXPECT_TRUE(
      has(error_of([&] { write_file_atomically(scratch / "lost", std::string_view("x")); }), "No such file"));
  fs::create_symlink("round", scratch / "round");
  EXPECT_TRUE(has(error_of([&] { write_file_atomically(scratch / "round", std::string_view("x")); }),
                  "Too many levels"));
  fs::create_symlink("far", scratch / "to a folder");
  EXPECT_TRUE(has(error_of([&] { write_file_atomically(scratch / "to a folder", std::string_view("x")); }),
                  "Is a directory"));
  fs::create_symlink("/dev/null", scratch / "to a device");
  EXPECT_TRUE(has(error_of([&] { write_file_atomically(scratch / "to a device", std::string_view("x")); }),
                  "is a device"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(AtomicFile, OfAHardLinkOnlyTheNameThatIsWrittenChanges) {
  Scratch scratch;
  put(scratch / "now", {1});
  fs::create_hard_link(scratch / "now", scratch / "kept");
  write_file_atomically(scratch / "now", Bytes{2});
  EXPECT_EQ(get(scratch / "now"), Bytes{2});
  EXPECT_EQ(get(scratch / "kept"), Bytes{1});
  EXPECT_EQ(fs::hard_link_count(scratch / "kept"), 1u);
}

TEST(AtomicFile, AReplacedFileKeepsItsRights) {
  Scratch scratch;
  put(scratch / "file", {1});
  fs::create_symlink("file", scratch / "link");
  const mode_t old = ::umask(022);
  for (const mode_t mode : {mode_t{0600}, mode_t{0664}, mode_t{0444}}) {
    ASSERT_EQ(::chmod((scratch / "file").c_str(), mode), 0);
    for (const char* name : {"file", "link"}) {
      write_file_atomically(scratch / name, Bytes{2});
      EXPECT_EQ(rights(scratch / "file"), mode) << name;
    }
  }
  ::umask(old);
  if (::geteuid() == 0 && ::chown((scratch / "file").c_str(), 12345, 23456) == 0) {
    write_file_atomically(scratch / "file", Bytes{3});
    struct stat info {};
    ASSERT_EQ(::stat((scratch / "file").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 12345u);
    EXPECT_EQ(info.st_gid, 23456u);
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
