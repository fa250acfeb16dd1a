// Records that come back whole or are refused, and claims: of several processes over one folder each run has one.
#include "duel/gan/lab/internal/result_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include "duel/gan/record/machine.h"
#include "tests/files.h"

namespace duel::gan::lab {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using duel::testing::Scratch;
using duel::testing::text_of;
using json::Json;
using namespace std::chrono_literals;

/// Child processes that begin together, each with its number; killed at the end where they still run.
class Children {
 public:
  template <class Body>
  Children(int count, const Body& body) {
    int gate[2];
    if (::pipe(gate) != 0) throw std::runtime_error("no pipe");
    for (int i = 0; i < count; ++i) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        char byte;
        ::close(gate[1]);
        while (::read(gate[0], &byte, 1) > 0) {
        }
        body(i);
        ::_exit(0);
      }
      pids.push_back(pid);
    }
    ::close(gate[0]);
    ::close(gate[1]);  // all go
  }
  ~Children() {
    for (const pid_t pid : pids) ::kill(pid, SIGKILL);
    join();
  }
  void join() {
    for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
    pids.clear();
  }
  std::vector<pid_t> pids;
};

void wait_until(const std::function<bool()>& true_now) {
  for (int i = 0; i < 2000 && !true_now(); ++i) std::this_thread::sleep_for(5ms);
  ASSERT_TRUE(true_now());
}

void age(const std::filesystem::path& file, std::chrono::seconds by) {
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - by);
}

TEST(ResultStore, RecordsComeBackWholeOrAreRefused) {
  const Scratch scratch;
  const ResultStore store("lab", scratch / "a");
  const Json settings{{"steps", 5}, {"lr", 0.5}};
  EXPECT_TRUE(store.names().empty());
  Json found;
  std::vector<float> points;
  const auto read = [&](const Json& record, const TensorFile& tensors) {
    found = record.at("modes");
    if (const Tensor* t = tensors.find("points")) points = t->to_vector<float>();
  };
  EXPECT_FALSE(store.load("b", settings, {}, read));
  store.save("b", {{"settings", settings}, {"modes", 3}}, {{"points", Tensor::ones({2})}});
  store.save("a", {{"settings", settings}, {"modes", 4}});
  EXPECT_EQ(store.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(store.load("b", settings, {}, read));
  EXPECT_EQ(found, 3);
  EXPECT_TRUE(has(text_of(store.file("b")), std::string("\"commit\": \"") + source_commit() + "\""));
  EXPECT_EQ(points, (std::vector<float>{1, 1}));

  const auto refusal = [&](const Json& asked, const Json& older = {}) {
    return error_of([&] { store.load("b", asked, older, read); });
  };
  const std::string file = store.file("b").string();
  EXPECT_TRUE(
      has(refusal({{"steps", 6}}), file + ": made with other settings: steps: this run has 5, asked for is "
                                          "6; choose another --out"))
      << refusal({{"steps", 6}});
  EXPECT_TRUE(store.load("b", {{"batch", 8}}, {{"batch", 8}}, read)) << "what an older record meant";
  EXPECT_TRUE(has(refusal({{"batch", 9}}, {{"batch", 8}}), "batch: this run has 8, asked for is 9"));

  std::ofstream(store.file("b", ".safetensors")) << "no tensors";
  EXPECT_TRUE(has(refusal(settings), "b.safetensors") && has(refusal(settings), "; delete it and the .json"))
      << refusal(settings);
  std::filesystem::remove(store.file("b", ".safetensors"));
  for (const char* damage : {"", "{\"settings\": {\"steps\"", "[]", "{\"settings\": 3}",
                             "{\"settings\": {\"steps\": 5, \"lr\": 0.5}}"}) {
    std::ofstream(file) << damage;
    EXPECT_TRUE(has(refusal(settings), file) && has(refusal(settings), "delete it to train that run again"))
        << damage << ": " << refusal(settings);
  }
}

TEST(Claims, HaveOneOwnerUntilGivenBack) {
  const Scratch scratch;
  const ResultStore store("lab", scratch / "a");
  std::string holder;
  {
    const auto first = store.claim("x", holder);
    ASSERT_TRUE(first);
    EXPECT_FALSE(store.claim("x", holder));
    EXPECT_TRUE(holder.ends_with(message(", process {}", ::getpid()))) << holder;
    EXPECT_TRUE(store.claim("y", holder));
    const Json owner = Json::parse(text_of(store.file("x", ".claim")));
    EXPECT_EQ(owner.at("pid"), ::getpid());
    EXPECT_TRUE(owner.at("host").is_string() && owner.at("time").is_number_integer());
  }
  EXPECT_FALSE(std::filesystem::exists(store.file("x", ".claim")));
  EXPECT_TRUE(store.claim("x", holder));
}

TEST(Claims, TwoProcessesDoEveryRunOnce) {
  const Scratch scratch;
  const ResultStore store("lab", scratch / "a");
  Children two(2, [&](int me) {
    std::string holder;
    for (int i = 0; i < 30; ++i) {
      const std::string name = "run-" + std::to_string(i);
      const auto claim = store.claim(name, holder);
      if (!claim || store.has(name)) continue;
      std::ofstream(scratch / "log", std::ios::app) << name + " " + std::to_string(me) + "\n" << std::flush;
      std::this_thread::sleep_for(3ms);
      store.save(name, {{"settings", Json::object()}});
    }
  });
  two.join();
  std::ifstream log(scratch / "log");
  std::vector<std::string> names;
  std::set<int> workers;
  std::string name;
  for (int me; log >> name >> me;) names.push_back(name), workers.insert(me);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, store.names()) << "each once";
  EXPECT_EQ(names.size(), 30U);
  EXPECT_EQ(workers.size(), 2U) << "they share the work";
  for (const std::string& done : names)
    EXPECT_FALSE(std::filesystem::exists(store.file(done, ".claim"))) << done;
}

TEST(Claims, OfAKilledProcessAreTakenOver) {
  const Scratch scratch;
  const ResultStore store("lab", scratch / "a");
  std::string holder;
  Children owner(1, [&](int) {
    const auto claim = store.claim("x", holder);
    while (claim) ::pause();
  });
  const std::filesystem::path file = store.file("x", ".claim");
  wait_until([&] { return has(text_of(file), "\n"); });
  const pid_t pid = owner.pids[0];
  EXPECT_FALSE(store.claim("x", holder));
  EXPECT_TRUE(holder.ends_with(message(", process {}", pid))) << holder;

  // A number that has come to another process since, as in a container that was started again.
  Json told = Json::parse(text_of(file));
  const Json truth = told;
  told["life"] = "1";
  std::ofstream(file) << told.dump() << "\n";
  EXPECT_TRUE(store.claim("x", holder));
  std::ofstream(file) << truth.dump() << "\n";
  EXPECT_FALSE(store.claim("x", holder));

  ::kill(pid, SIGKILL);
  siginfo_t ended;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(store.claim("x", holder)) << "not waited for yet, but dead";
  std::ofstream(file) << truth.dump() << "\n";
  owner.join();
  EXPECT_TRUE(store.claim("x", holder));
}

TEST(Claims, OfTwoTakersOneWins) {
  const Scratch scratch;
  const ResultStore store("lab", scratch / "a");
  std::string holder;
  Children owner(1, [&](int) {
    auto claim = store.claim("x", holder);
    ::kill(::getpid(), SIGKILL);
  });
  owner.join();
  const std::string dead = text_of(store.file("x", ".claim"));
  ASSERT_TRUE(has(dead, "\n"));
  for (int round = 0; round < 25; ++round) {
    std::ofstream(store.file("x", ".claim")) << dead;
    const std::filesystem::path log = scratch / std::to_string(round);
    Children takers(4, [&](int me) {
      const auto claim = store.claim("x", holder);
      std::ofstream(log, std::ios::app) << (claim ? "won\n" : "lost\n") << std::flush;
      while (claim && me >= 0) ::pause();
    });
    wait_until([&] { return text_of(log).size() == 4 + 3 * 5; });
    EXPECT_EQ(text_of(log).find("won"), text_of(log).rfind("won")) << text_of(log);
  }
}

TEST(Claims, LiveByTheirHeartbeat) {
  const Scratch scratch;
  const ResultStore store("lab", scratch / "a");
  const std::filesystem::path file = store.file("x", ".claim");
  std::string holder;
  // Of another machine nothing is known but the time.
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << R"({"host":"far","pid":1,"time":0,"space":"s","life":"9"})"
                      << "\n";
  age(file, 9min);
  EXPECT_FALSE(store.claim("x", holder));
  EXPECT_EQ(holder, "far, process 1");
  age(file, 11min);
  EXPECT_TRUE(store.claim("x", holder));
  for (const char* unreadable : {"", "[1]", "{\"host\": 3}"}) {
    std::ofstream(file) << unreadable;
    EXPECT_FALSE(store.claim("x", holder)) << "young: " << unreadable;
    age(file, 11min);
    EXPECT_TRUE(store.claim("x", holder)) << "old: " << unreadable;
  }

  std::optional<Claim> first = store.claim("x", holder);
  age(file, 9min);
  EXPECT_TRUE(first->beat());
  EXPECT_LT(std::filesystem::last_write_time(file), std::filesystem::file_time_type::clock::now() - 8min)
      << "not every beat touches the file";
  EXPECT_TRUE(first->beat(0s));
  EXPECT_GT(std::filesystem::last_write_time(file), std::filesystem::file_time_type::clock::now() - 1min);

  // An owner that slept: the run is another's, and stays it when the sleeper goes.
  age(file, 11min);
  const std::optional<Claim> second = store.claim("x", holder);
  ASSERT_TRUE(second);
  EXPECT_FALSE(first->beat(0s));
  EXPECT_FALSE(first->beat());
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_FALSE(store.claim("x", holder));
}

}  // namespace
}  // namespace duel::gan::lab
