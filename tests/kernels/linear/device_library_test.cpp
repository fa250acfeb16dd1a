// Where libraries are looked for, in fake trees, and the switches. Fails on a place that is left out or asked
// too early.
#include "duel/kernels/linear/device_library.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "duel/kernels/base/runtime.h"
#include "duel/kernels/base/shared_library.h"
#include "loaded_library.h"

namespace duel::kernels {
namespace {

namespace fs = std::filesystem;

class SharedLibrarySearch : public ::testing::Test {
 protected:
  SharedLibrarySearch() {
    fs::create_directories(root);
    for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH", "DUEL_TEST_LIBRARY"}) {
      unset.emplace_back(std::make_unique<Environment>(name, ""));
    }
    unset.emplace_back(std::make_unique<Environment>("PATH", "/nowhere"));
    unset.emplace_back(std::make_unique<Environment>("HOME", "/nowhere"));
  }
  ~SharedLibrarySearch() override { fs::remove_all(root); }
  std::string file(const std::string& path) const {
    const fs::path at = root / path;
    fs::create_directories(at.parent_path());
    std::ofstream(at) << "not a library";
    return at.string();
  }
  std::string folder(const std::string& path) const { return (root / path).string(); }
  static LibrarySearch search() {
    return {.variable = "DUEL_TEST_LIBRARY",
            .names = {"libduel_test.so.9", "libduel_test.so"},
            .folders = {},
            .wheels = {"nvidia/cu13/lib", "nvidia/test/lib"}};
  }
  using Paths = std::vector<std::string>;
  static Paths with_loader(Paths more) {
    Paths all = {"libduel_test.so.9", "libduel_test.so"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  fs::path root = fs::path(::testing::TempDir()) / ("duel_search_" + std::to_string(getpid()));
  std::vector<std::unique_ptr<Environment>> unset;
};

TEST_F(SharedLibrarySearch, NothingButTheLoader) { EXPECT_EQ(library_candidates(search()), with_loader({})); }

TEST_F(SharedLibrarySearch, TheVariableIsTheOnlyPlace) {
  const std::string own = file("own/libduel_test.so"), other = file("cuda/lib64/libduel_test.so.9");
  const Environment cuda("CUDA_HOME", folder("cuda"));
  {
    const Environment as_folder("DUEL_TEST_LIBRARY", folder("own"));
    EXPECT_EQ(library_candidates(search()), Paths{own});
  }
  {
    const Environment as_file("DUEL_TEST_LIBRARY", own);
    EXPECT_EQ(library_candidates(search()), Paths{own});
    const SharedLibrary library = open_library(search());
    EXPECT_EQ(library.handle, nullptr);
    EXPECT_NE(library.why.find("does not load"), std::string::npos) << library.why;
    EXPECT_NE(library.why.find(own), std::string::npos) << library.why;
  }
  const Environment nowhere("DUEL_TEST_LIBRARY", "/nowhere");
  EXPECT_EQ(library_candidates(search()), Paths{});
  EXPECT_EQ(open_library(search()).why, "no libduel_test.so.9 in DUEL_TEST_LIBRARY=/nowhere");
}

TEST_F(SharedLibrarySearch, ToolkitThenCondaThenWheels) {
  const std::string recorded = file("recorded/libduel_test.so.9"),
                    home = file("cuda/lib64/libduel_test.so.9");
  const std::string conda = file("conda/lib/libduel_test.so.9");
  const std::string wheel = file("conda/lib/python3.12/site-packages/nvidia/test/lib/libduel_test.so.9");
  const std::string venv = file("venv/lib/python3.11/site-packages/nvidia/cu13/lib/libduel_test.so.9");
  LibrarySearch s = search();
  s.folders = {folder("absent"), folder("recorded")};
  const Environment a("CUDA_HOME", folder("cuda")), b("CONDA_PREFIX", folder("conda")),
      c("VIRTUAL_ENV", folder("venv"));
  EXPECT_EQ(library_candidates(s), with_loader({recorded, home, conda, venv, wheel}));
}

TEST_F(SharedLibrarySearch, WheelsOfThePythonOnPath) {
  file("python/bin/python3");
  file("later/bin/python3");
  file("later/lib/python3.11/site-packages/nvidia/test/lib/libduel_test.so.9");
  const std::string site = file("python/lib/python3.11/site-packages/nvidia/test/lib/libduel_test.so");
  const std::string dist = file("python/lib/python3/dist-packages/nvidia/test/lib/libduel_test.so.9");
  const Environment path("PATH", folder("empty") + ":" + folder("python/bin") + ":" + folder("later/bin"));
  Paths found = library_candidates(search());
  std::sort(found.begin() + 2, found.end());
  EXPECT_EQ(found, with_loader({site, dist}));
}

TEST_F(SharedLibrarySearch, WheelsBehindALinkedPython) {
  file("real/bin/python3.11");
  const std::string wheel = file("real/lib/python3.11/site-packages/nvidia/test/lib/libduel_test.so.9");
  fs::create_directories(root / "venv/bin");
  fs::create_symlink(root / "real/bin/python3.11", root / "venv/bin/python3");
  const Environment path("PATH", folder("venv/bin"));
  EXPECT_EQ(library_candidates(search()), with_loader({wheel}));
}

// Fails where the last link's target alone is looked at: the environment lies between.
TEST_F(SharedLibrarySearch, WheelsOfAnEnvironmentThatALinkLeadsTo) {
  file("real/bin/python3.11");
  const std::string wheel = file("venv/lib/python3.11/site-packages/nvidia/test/lib/libduel_test.so.9");
  fs::create_directories(root / "venv/bin");
  fs::create_directories(root / "usr/bin");
  fs::create_symlink(root / "real/bin/python3.11", root / "venv/bin/python3");
  fs::create_symlink("../../venv/bin/python3", root / "usr/bin/python3");
  const Environment path("PATH", folder("usr/bin"));
  EXPECT_EQ(library_candidates(search()), with_loader({wheel}));
}

TEST_F(SharedLibrarySearch, EveryLibraryFolderOfAToolkit) {
  const std::string lib = file("cuda/lib/libduel_test.so.9"),
                    targets = file("cuda/targets/x86_64-linux/lib/libduel_test.so.9");
  const Environment home("CUDA_HOME", folder("cuda"));
  EXPECT_EQ(library_candidates(search()), with_loader({lib, targets}));
}

TEST_F(SharedLibrarySearch, LoadsAndSaysWhatIsMissing) {
  const Environment there("DUEL_TEST_LIBRARY", DUEL_FAKE_nothing);
  const SharedLibrary library = open_library(search());
  ASSERT_NE(library.handle, nullptr) << library.why;
  EXPECT_EQ(library.path, DUEL_FAKE_nothing);
  EXPECT_NE(library.function("fake_nothing"), nullptr);
  EXPECT_EQ(library.function("another"), nullptr);
  const Environment gone("DUEL_TEST_LIBRARY", "");
  EXPECT_EQ(open_library(search()).why,
            "no libduel_test.so.9 found: put its folder on LD_LIBRARY_PATH, or set DUEL_TEST_LIBRARY to it");
}

TEST(DeviceLibrary, SplitsFolders) {
  EXPECT_EQ(split_folders(""), std::vector<std::string>{});
  EXPECT_EQ(split_folders("/a::/b/c:"), (std::vector<std::string>{"/a", "/b/c"}));
}

// The variables are read once per process: each case in a process of its own, which must not have read them
// yet (death tests run first).
int with(const char* name, const char* value, const std::function<bool()>& right) {
  setenv(name, value, 1);
  try {
    return right() ? 0 : 1;
  } catch (const Error&) {
    return 2;
  }
}
#define EXPECT_WITH(name, value, code, condition) \
  EXPECT_EXIT(_exit(with(name, value, [] { return condition; })), ::testing::ExitedWithCode(code), "")

TEST(DeviceLibraryDeathTest, VariablesSwitch) {
  EXPECT_WITH("DUEL_DEVICE_LIBRARY", "own", 0, device_library() == DeviceLibrary::own);
  EXPECT_WITH("DUEL_DEVICE_LIBRARY", "own", 0, !device::libraries_in_charge());
  EXPECT_WITH("DUEL_DEVICE_LIBRARY", "auto", 0, device_library() == DeviceLibrary::automatic);
  EXPECT_WITH("DUEL_DEVICE_LIBRARY", "mine", 2, device_library() == DeviceLibrary::own);
  EXPECT_WITH("DUEL_TF32", "0", 0, !tf32());
  EXPECT_WITH("DUEL_TF32", "1", 0, tf32());
  EXPECT_WITH("DUEL_TF32", "yes", 2, tf32());
}

TEST(DeviceLibrary, CallsSwitch) {
  const DeviceLibrary before = device_library();
  set_device_library(DeviceLibrary::own);
  EXPECT_FALSE(device::libraries_in_charge());
  set_device_library(DeviceLibrary::automatic);
  EXPECT_EQ(device::libraries_in_charge(), device::compiled_for_gpu());
  set_device_library(before);
}

TEST(DeviceLibrary, ReportsInOneLine) {
  const std::string report = device_library_report();
  EXPECT_EQ(report.find('\n'), std::string::npos);
  if (!device::compiled_for_gpu()) {
    EXPECT_EQ(report, "own kernels: this build has no CUDA libraries");
  } else if (runtime::availability().devices == 0) {
    EXPECT_EQ(report, "own kernels: " + runtime::availability().reason);
  } else {
    EXPECT_NE(report.find("cuBLASLt"), std::string::npos) << report;
    EXPECT_NE(report.find("cuDNN"), std::string::npos) << report;
  }
}

}  // namespace
}  // namespace duel::kernels
