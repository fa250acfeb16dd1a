#include "duel/gan/lab/founding.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/json.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/record/machine.h"
#include "duel/gan/report/internal/html.h"
#include "duel/gan/report/report.h"

namespace duel::gan::lab {
namespace {

namespace fs = std::filesystem;
using json::Json;

constexpr size_t kMaxFounding = size_t{4} << 20;  // of a record
constexpr size_t kMaxFoundingPicture = size_t{32} << 20;
constexpr const char* kFoundingRemedy = "delete it and run its command again";

Json founding_number(double value) { return std::isfinite(value) ? Json(value) : Json(shortest(value)); }

double founding_number(const Json& value) {
  if (value.is_number()) return value.get<double>();
  const std::string text = value.get<std::string>();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (text == "inf") return infinity;
  if (text == "-inf") return -infinity;
  DUEL_CHECK(text == "nan", "lab", "expected a number, nan, inf or -inf, got {}", json::described(value));
  return std::numeric_limits<double>::quiet_NaN();
}

fs::path founding_file(const fs::path& out, const std::string& name) { return out / (name + ".json"); }

Json table_json(const FoundingTable& table) {
  Json rows = Json::array();
  for (const FoundingTable::Row& row : table.rows) {
    Json numbers = Json::array();
    for (const double number : row.numbers) numbers.push_back(founding_number(number));
    rows.push_back({{"label", row.label}, {"numbers", numbers}, {"note", row.note}});
  }
  return {{"name", table.name}, {"columns", table.columns}, {"listed", table.listed}, {"rows", rows}};
}

FoundingTable table_in(const Json& found) {
  FoundingTable table{.name = found.at("name"),
                      .columns = found.at("columns").get<std::vector<std::string>>(),
                      .rows = {},
                      .listed = found.at("listed")};
  for (const Json& row : found.at("rows")) {
    table.rows.push_back({row.at("label"), {}, row.at("note")});
    for (const Json& number : row.at("numbers")) table.rows.back().numbers.push_back(founding_number(number));
  }
  return table;
}

Json founding_json(const FoundingRecord& r) {
  Json facts = Json::array();
  for (const Fact& f : r.facts)
    facts.push_back({{"what", f.what},
                     {"expected", founding_number(f.expected)},
                     {"found", founding_number(f.found)},
                     {"bound", founding_number(f.bound)},
                     {"holds", f.holds()},
                     {"source", f.source}});
  Json tables = Json::array();
  for (const FoundingTable& table : r.tables) tables.push_back(table_json(table));
  return {{"name", r.name},
          {"title", r.title},
          {"claim", r.claim},
          {"quick", r.options.quick},
          {"seeds", r.options.seeds},
          {"data", r.options.data},
          {"objectives", r.options.objectives},
          {"duel", r.duel},
          {"commit", r.commit},
          {"cpu", r.cpu},
          {"seconds", r.seconds},
          {"facts", facts},
          {"tables", tables},
          {"pictures", r.pictures},
          {"conclusions", r.conclusions}};
}

/// Records of the folder, in the rows' order.
std::vector<FoundingRecord> founding_records(const fs::path& out, const std::string& without = "") {
  std::vector<FoundingRecord> records;
  std::error_code none;
  for (const FoundingRow& row : founding_rows())
    if (row.name != without && fs::exists(founding_file(out, row.name), none))
      records.push_back(read_founding(out, row.name));
  return records;
}

using detail::Cell;

std::string facts_html(const std::vector<Fact>& facts) {
  std::vector<std::vector<Cell>> rows;
  for (const Fact& f : facts) {
    rows.push_back({Cell(f.what, f.source)});
    for (const double number : {f.expected, f.found, f.bound})
      rows.back().emplace_back(significant(number, 6));
    rows.back().emplace_back(f.holds() ? "yes" : "no");
    rows.back().back().marked = !f.holds();
  }
  return detail::scrolling("facts", detail::table({"fact", "expected", "found", "bound", "holds"}, rows));
}

std::string table_html(const FoundingTable& table) {
  std::vector<std::string> heads{table.name};
  heads.insert(heads.end(), table.columns.begin(), table.columns.end());
  std::vector<std::vector<Cell>> rows;
  for (const FoundingTable::Row& row : table.rows) {
    rows.push_back({Cell(row.label, row.note)});
    for (const double number : row.numbers) rows.back().emplace_back(table_text(number, 4));
  }
  return detail::scrolling(table.name, detail::table(heads, rows));
}

std::string founding_html(const FoundingRecord& r, const fs::path& out) {
  const std::string id = html_text(r.name);
  std::string html = "<section id=\"" + id + "\">\n<h2>" + html_text(r.title) + "</h2>\n<blockquote>" +
                     html_text(r.claim) + "</blockquote>\n<ul>\n";
  for (const std::string& sentence : r.conclusions) html += "<li>" + html_text(sentence) + "</li>\n";
  html += "</ul>\n" + facts_html(r.facts);
  for (const FoundingTable& table : r.tables)
    if (table.listed) html += table_html(table);
  html += "<div class=\"plots\">\n";
  for (const std::string& picture : r.pictures) {
    const std::string png =
        read_file("lab", out / picture, kMaxFoundingPicture, "a picture that " + r.name + ".json names");
    html += detail::figure(fs::path(picture).stem().string(), detail::png_uri(png), "");
  }
  std::string objectives;
  for (const std::string& name : r.options.objectives)
    objectives += (objectives.empty() ? " --objective " : ",") + name;
  return html + "</div>\n<p class=\"made\">" +
         html_text(message("duel lab {}{}{}, seeds {}, Duel {} (commit {}), {} s on {}", r.name,
                           r.options.quick ? " --quick" : "", objectives, joined(r.options.seeds), r.duel,
                           r.commit, fixed(r.seconds, 1), r.cpu)) +
         "</p>\n</section>\n";
}

void write_founding_page(const fs::path& out) {
  std::string html = detail::page_begin(
      "What the founding texts claim",
      ".scroll { max-width: 100%; } .scroll th[scope=row] { min-width: 14rem; } .made { color: var(--quiet); font-size: .9rem; }\n"
      "blockquote { margin: .8rem 0; padding-left: 1rem; border-left: 3px solid var(--line); }\n");
  html +=
      "<h1>What the founding texts claim</h1>\n<p>Each claim beside what was found. A fact holds where found lies "
      "within its bound of expected; the bounds stood in the code before the runs.</p>\n";
  for (const FoundingRecord& record : founding_records(out)) html += founding_html(record, out);
  write_file_atomically(out / "lab.html", html + detail::kPageEnd);
}

void make_founding_folder(const fs::path& out) {
  std::error_code failure;
  fs::create_directories(out, failure);
  if (failure)
    fail_system(failure.value(), "lab", "{}: cannot be created: {}; choose another --out", out.string(),
                failure.message());
}

}  // namespace

std::string table_text(double number, int digits) {
  return std::isnan(number) ? "-" : significant(number, digits);
}

bool Fact::holds() const {
  return std::isfinite(expected) && std::isfinite(found) && std::isfinite(bound) &&
         std::abs(found - expected) <= bound;
}

bool FoundingRecord::holds() const {
  return !facts.empty() && std::all_of(facts.begin(), facts.end(), [](const Fact& f) { return f.holds(); });
}

const FoundingRow& find_founding_row(const std::string& name) {
  std::string known;
  for (const FoundingRow& row : founding_rows()) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + row.name;
  }
  fail("lab", "expected one of {}; got '{}'", known, name);
}

bool write_founding(const FoundingRow& row, const FoundingOptions& options, const fs::path& out,
                    LabObserver& observer) {
  DUEL_CHECK(!options.seeds.empty(), "lab", "expected at least one seed");
  const bool fresh = !fs::exists(out);
  make_founding_folder(out);
  founding_records(out, row.name);  // what cannot be read is said before the work
  const auto began = std::chrono::steady_clock::now();
  Shown shown;
  try {
    shown = row.show(options, observer);
  } catch (...) {
    std::error_code ignored;
    if (fresh) fs::remove(out, ignored);  // if it is empty
    throw;
  }
  if (observer.stop()) return false;
  const Machine machine = this_machine();
  FoundingRecord record{
      .name = row.name,
      .title = row.title,
      .claim = row.claim,
      .options = options,
      .duel = machine.duel,
      .commit = source_commit(),
      .cpu = machine.cpu,
      .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(),
      .facts = shown.facts,
      .pictures = {},
      .conclusions = shown.conclusions,
      .tables = shown.tables};
  for (const auto& [stem, picture] : shown.pictures) {
    record.pictures.push_back(message("{}-{}.png", row.name, stem));
    write_png(out / record.pictures.back(), picture);
  }
  write_file_atomically(founding_file(out, row.name), json::dumped(founding_json(record), 2) + "\n");
  write_founding_page(out);
  return record.holds();
}

FoundingRecord read_founding(const fs::path& out, const std::string& name) {
  const std::string path = founding_file(out, name).string();
  const Json found =
      json::parse(read_file("lab", path, kMaxFounding, "the record that duel lab " + name + " writes"),
                  {.op = "lab", .source = path, .remedy = kFoundingRemedy, .bytes = kMaxFounding});
  try {
    FoundingRecord record{.name = found.at("name"),
                          .title = found.at("title"),
                          .claim = found.at("claim"),
                          .options = {.quick = found.at("quick"),
                                      .seeds = found.at("seeds").get<std::vector<uint64_t>>(),
                                      .data = found.at("data")},
                          .duel = found.at("duel"),
                          .commit = found.value("commit", "unknown"),  // older records have neither
                          .cpu = found.at("cpu"),
                          .seconds = found.at("seconds"),
                          .facts = {},
                          .pictures = found.at("pictures").get<std::vector<std::string>>(),
                          .conclusions = found.at("conclusions").get<std::vector<std::string>>()};
    record.options.objectives = found.value("objectives", std::vector<std::string>{});
    if (found.contains("tables"))
      for (const Json& table : found.at("tables")) record.tables.push_back(table_in(table));
    for (const Json& f : found.at("facts"))
      record.facts.push_back({.what = f.at("what"),
                              .expected = founding_number(f.at("expected")),
                              .found = founding_number(f.at("found")),
                              .bound = founding_number(f.at("bound")),
                              .source = f.at("source")});
    for (const std::string& picture : record.pictures)
      DUEL_CHECK(fs::path(picture).filename() == picture, "lab",
                 "{}: pictures: expected names of files, got {}; {}", path, in_quotes(picture),
                 kFoundingRemedy);
    DUEL_CHECK(record.name == name, "lab", "{}: holds {}; {}", path, in_quotes(record.name), kFoundingRemedy);
    return record;
  } catch (const nlohmann::json::exception& error) {
    fail("lab", "{}: not the record of a founding claim ({}); {}", path, error.what(), kFoundingRemedy);
  }
}

}  // namespace duel::gan::lab
