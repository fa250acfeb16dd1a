// duel list: every state that a run can be in, damage, and that nothing is written.
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tiny_run.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;
using Json = nlohmann::json;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Of UTF-8.
size_t characters(const std::string& text) {
  size_t count = 0;
  for (const char c : text) count += (c & 0xC0) != 0x80;
  return count;
}

std::string line_with(const std::string& text, const std::string& part) {
  for (const std::string& line : lines_of(text)) {
    if (has(line, part)) return line;
  }
  return {};
}

TEST(List, ShowsEveryStateAndWritesNothing) {
  Scratch scratch;
  const auto runs = scratch / "runs";
  ASSERT_EQ(duel(tiny_run(runs / "whole")).status, 0);
  ASSERT_EQ(duel(tiny_run(runs / "less", {"--objective", "wgan-gp"})).status, 0);
  std::filesystem::remove(runs / "less" / "checkpoints" / "step_00000020.safetensors");
  std::ofstream(runs / "less" / "metrics.jsonl", std::ios::app) << "{\"iteration\":99,\"los";  // torn
  std::filesystem::create_directories(runs / "notes");
  write(runs / "notes" / "config.json", "{}");
  write(runs / "a file", "x");
  Process busy(tiny_run(runs / "busy", {"--steps", "1000000", "--checkpoint-every", "0"}));
  ASSERT_TRUE(busy.wait_for(runs / "busy" / "metrics.jsonl", "\"iteration\":9,"));
  busy.send(SIGSTOP);  // its files stand still
  const auto before = contents(runs);

  const Result table = duel({"list", runs.string()});
  ASSERT_EQ(table.status, 0) << table.err;
  const std::vector<std::string> shown = lines_of(table.out);
  ASSERT_EQ(shown.size(), 4u) << table.out;
  for (const char* part : {"name", "objective", "iteration", "state", "loss D", "started"})
    EXPECT_TRUE(has(shown[0], part)) << shown[0];
  EXPECT_TRUE(has(shown[1], "busy") && has(shown[1], "running") && has(shown[1], "/1000000")) << shown[1];
  EXPECT_TRUE(has(shown[2], "less") && has(shown[2], "stopped") && has(shown[2], "20/20") &&
              has(shown[2], "wgan-gp") && has(shown[2], "mlp"))
      << shown[2];
  EXPECT_TRUE(has(shown[3], "whole") && has(shown[3], "finished") && has(shown[3], "ns-gan")) << shown[3];

  const Result json = duel({"list", runs.string(), (runs / "whole").string(), "--json"});
  ASSERT_EQ(json.status, 0) << json.err;
  const std::vector<std::string> each = lines_of(json.out);
  ASSERT_EQ(each.size(), 4u) << json.out;
  const Json whole = Json::parse(each[2]), again = Json::parse(each[3]);
  EXPECT_EQ(whole.at("name"), "whole");
  EXPECT_EQ(whole, again) << "a run directory given itself";
  EXPECT_EQ(whole.at("path"), (runs / "whole").string());
  EXPECT_EQ(whole.at("state"), "finished");
  EXPECT_EQ(whole.at("objective"), "ns-gan");
  EXPECT_EQ(whole.at("arch"), "mlp");
  EXPECT_EQ(whole.at("iteration"), 20);
  EXPECT_EQ(whole.at("steps"), 20);
  const std::vector<std::string> metrics = lines_of(read(runs / "whole" / "metrics.jsonl"));
  EXPECT_EQ(whole.at("loss_d"), Json::parse(metrics.back()).at("loss_d"));
  EXPECT_EQ(whole.at("loss_g"), Json::parse(metrics.back()).at("loss_g"));
  EXPECT_TRUE(whole.at("started").get<std::string>().starts_with("20")) << whole;
  EXPECT_EQ(Json::parse(each[0]).at("state"), "running");
  EXPECT_EQ(Json::parse(each[1]).at("state"), "stopped");
  EXPECT_TRUE(contents(runs) == before);

  busy.send(SIGKILL);
  busy.finish();
  EXPECT_TRUE(has(line_with(duel({"list", runs.string()}).out, "busy"), "stopped")) << "its lock is free";
}

TEST(List, ADamagedRunIsARowThatSaysWhy) {
  Scratch scratch;
  const auto runs = scratch / "runs";
  ASSERT_EQ(duel(tiny_run(runs / "whole")).status, 0);
  const auto damage = [&](const char* name, const std::function<void(const std::filesystem::path&)>& how) {
    std::filesystem::copy(runs / "whole", runs / name, std::filesystem::copy_options::recursive);
    how(runs / name);
  };
  damage("cut", [](const auto& run) { std::filesystem::resize_file(run / "config.json", 20); });
  damage("lost", [](const auto& run) { std::filesystem::remove(run / "config.json"); });
  damage("noise", [](const auto& run) { write(run / "metrics.jsonl", "no metrics\n"); });
  damage("record", [](const auto& run) { write(run / "run.json", "[1]"); });
  damage("key", [](const auto& run) { write(run / "config.json", "{\"\\u001b[2Jkey\": 1}"); });
  const auto before = contents(runs);
  const Result table = duel({"list", runs.string()});
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_EQ(occurrences(table.out, "damaged"), 5u) << table.out;
  EXPECT_EQ(occurrences(table.out, "finished"), 1u) << table.out;
  EXPECT_TRUE(has(table.out, "not JSON")) << table.out;
  EXPECT_TRUE(has(table.out, "is missing")) << table.out;
  EXPECT_EQ(table.out.find('\x1b'), std::string::npos) << table.out;
  for (const std::string& line : lines_of(table.out)) EXPECT_LE(characters(line), 80u) << line;
  const Result json = duel({"list", runs.string(), "--json"});
  ASSERT_EQ(lines_of(json.out).size(), 6u);
  EXPECT_TRUE(has(json.out, "metrics.jsonl: its last line is none of metrics: no metrics")) << json.out;
  for (const std::string& line : lines_of(json.out)) {
    const Json run = Json::parse(line);
    EXPECT_EQ(run.at("state") == "damaged", run.contains("problem")) << line;
    EXPECT_EQ(run.at("state") == "damaged", run.at("name") != "whole") << line;
  }
  EXPECT_TRUE(contents(runs) == before);
}

TEST(List, FitsTheWindowWhateverTheNames) {
  Scratch scratch;
  const auto runs = scratch / "runs";
  ASSERT_EQ(
      duel(tiny_run(runs / std::string(100, 'n'), {"--steps", "1", "--objective", "lsgan-pearson"})).status,
      0);
  ASSERT_EQ(duel(tiny_run(runs / "größte Läufe, die je ein Mensch gesehen hat", {"--steps", "1"})).status, 0);
  const Result table = duel({"list", runs.string()});
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_EQ(lines_of(table.out).size(), 3u) << table.out;
  for (const std::string& line : lines_of(table.out)) EXPECT_LE(characters(line), 80u) << line;
  EXPECT_TRUE(has(table.out, "nnnn…")) << table.out;
  EXPECT_TRUE(has(table.out, "größte Läufe")) << table.out;
}

TEST(List, NamesWhatAnObjectiveIsComposedOf) {
  Scratch scratch;
  const auto runs = scratch / "runs";
  ASSERT_EQ(duel(tiny_run(runs / "a", {"--steps", "1", "--loss", "hinge", "--relativism", "paired"})).status,
            0);
  ASSERT_EQ(duel(tiny_run(runs / "b",
                          {"--steps", "1", "--objective", "wgan-gp", "--penalty", "one_sided(1)@line:10"}))
                .status,
            0);
  const Result table = duel({"list", runs.string()});
  EXPECT_TRUE(has(line_with(table.out, "a "), " hinge+paired ")) << table.out;
  EXPECT_TRUE(has(duel({"list", runs.string(), "--json"}).out, "wgan-gp+penalties=one_sided(1)@line:10"));
  EXPECT_TRUE(
      has(duel({"compare", (runs / "a").string(), (runs / "b").string()}).out, "hinge+paired with mlp"));
}

TEST(List, WithoutRunsAndWithoutAFolder) {
  Scratch scratch;
  expect_refused(duel({"list"}, {.cwd = scratch.dir()}), {"runs", "no such folder", "duel train"});
  expect_refused(duel({"list", (scratch / "nowhere").string()}), {"nowhere", "no such folder"});
  std::filesystem::create_directory(scratch / "runs");
  const Result empty = duel({"list"}, {.cwd = scratch.dir()});
  EXPECT_EQ(empty.status, 0);
  EXPECT_EQ(empty.out, "no runs\n");
  EXPECT_EQ(duel({"list", "--json"}, {.cwd = scratch.dir()}).out, "");
}

}  // namespace
}  // namespace duel::apps::testing
