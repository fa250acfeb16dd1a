#include "founding.h"

#include <algorithm>
#include <cstdio>

#include "../terminal/output.h"
#include "../terminal/progress.h"
#include "../terminal/signals.h"
#include "duel/gan/lab/founding.h"
#include "duel/kernels/base/error.h"

namespace duel::apps {
namespace {

/// One line for all steps.
class FoundingWatcher : public gan::lab::LabObserver {
 public:
  explicit FoundingWatcher(bool quiet) : progress_(stderr, quiet) {}
  void said(const std::string& line) override { progress_.line(visible(line)); }
  void started(int64_t steps, int64_t /*found*/) override {
    catch_signals();
    progress_.begin(0, steps, [](const Progress::Pace& pace) {
      return Progress::Shown{message("{}/{} ", pace.done, pace.total),
                             {message("{} it/s, {}", brief(pace.rate), pace.clock), pace.clock}};
    });
  }
  void stepped() override { progress_.add(); }
  bool stop() override { return caught_signal() != 0; }
  void end() { progress_.end(); }
  void tell(const std::string& line) { progress_.line(line, true); }

 private:
  Progress progress_;
};

constexpr size_t kFoundingColumns = 80, kFoundingNumber = 11, kFoundingFigure = 9, kFoundingWhat = 42;

std::string founding_cell(const std::string& text, size_t columns) {
  const size_t width = width_of(text);
  return width < columns ? text + std::string(columns - width, ' ') : text;
}

std::string founding_line(const std::string& what, const std::string& expected, const std::string& found,
                          const std::string& bound, const std::string& ok) {
  // The first line of `what` stands beside the numbers, the others below it.
  const std::string all = wrapped(what, 0, kFoundingWhat);
  const size_t end = all.find('\n');
  std::string line = founding_cell(all.substr(0, end), kFoundingWhat + 1);
  for (const std::string& number : {expected, found, bound}) line += founding_cell(number, kFoundingNumber);
  line += ok + "\n";
  return end == std::string::npos ? line : line + all.substr(end + 1) + "\n";
}

/// Numbers beside their labels, and the note below them.
std::string founding_numbers(const gan::lab::FoundingTable& table) {
  size_t label = width_of(table.name);
  for (const auto& row : table.rows) label = std::max(label, width_of(row.label));
  std::string text = founding_cell(table.name, label + 2);
  for (const std::string& column : table.columns)
    text += founding_cell(column, std::max(kFoundingFigure, width_of(column) + 2));
  text += "\n";
  for (const auto& row : table.rows) {
    text += founding_cell(row.label, label + 2);
    for (size_t i = 0; i < row.numbers.size(); ++i)
      text += founding_cell(gan::lab::table_text(row.numbers[i], 3),
                            std::max(kFoundingFigure, width_of(table.columns[i]) + 2));
    text += "\n";
    if (!row.note.empty()) text += "  " + wrapped(row.note, 2, kFoundingColumns) + "\n";
  }
  return text + "\n";
}

std::string founding_table(const gan::lab::FoundingRecord& record) {
  std::string text = wrapped(record.title, 0, kFoundingColumns) + "\n" +
                     wrapped(record.claim, 0, kFoundingColumns) + "\n\n" +
                     founding_line("fact", "expected", "found", "bound", "ok");
  for (const gan::lab::Fact& fact : record.facts)
    text += founding_line(fact.what, significant(fact.expected, 4), significant(fact.found, 4),
                          significant(fact.bound, 4), fact.holds() ? "yes" : "NO");
  text += "\n";
  for (const gan::lab::FoundingTable& table : record.tables)
    if (table.listed) text += founding_numbers(table);
  for (const std::string& sentence : record.conclusions)
    text += "- " + wrapped(sentence, 2, kFoundingColumns) + "\n";
  return text;
}

}  // namespace

std::vector<std::string> founding_names() {
  std::vector<std::string> names;
  for (const gan::lab::FoundingRow& row : gan::lab::founding_rows()) names.push_back(row.name);
  return names;
}

std::string founding_help() {
  std::string text;
  for (const gan::lab::FoundingRow& row : gan::lab::founding_rows())
    text += founding_cell(row.name, 12) + row.title + "\n";
  return text;
}

std::vector<std::string> founding_options(const std::string& name) {
  for (const gan::lab::FoundingRow& row : gan::lab::founding_rows()) {
    if (row.name != name) continue;
    std::vector<std::string> used = {"quick", "seeds", "out"};
    if (row.uses_data) used.push_back("data");
    if (row.uses_objectives) used.push_back("objective");
    return used;
  }
  return {};
}

int show_founding(const FoundingRequest& request) {
  gan::lab::FoundingOptions options{
      .quick = request.quick, .seeds = {}, .data = request.data, .objectives = request.objectives};
  for (int64_t seed = 1; seed <= request.seeds; ++seed) options.seeds.push_back(static_cast<uint64_t>(seed));
  const gan::lab::FoundingRow& row = gan::lab::find_founding_row(request.name);
  FoundingWatcher watcher(request.quiet);
  const bool holds = gan::lab::write_founding(row, options, request.out, watcher);
  watcher.end();
  if (const int signal = caught_signal()) {
    watcher.tell("stopped; a claim that was not shown to the end is not written");
    return 128 + signal;
  }
  const gan::lab::FoundingRecord record = gan::lab::read_founding(request.out, request.name);
  print(founding_table(record));
  std::string files = request.name + ".json";
  for (const std::string& picture : record.pictures) files += ", " + picture;
  print("\n" + wrapped(message("results   {}/lab.html, {}", request.out, files), 10, kFoundingColumns) +
        "\n");
  return holds ? 0 : 1;
}

}  // namespace duel::apps
