// The claims that adversarial training was founded on, each shown by a command: a number beside what theory or the
// paper says, with a bound that stands in the code before the run, and a picture. `duel lab theory`, say.
//
// A claim is a row: a name, the paper's sentence, and a function that shows it. The command, its help, the files and
// the page come from the rows (founding/founding_table.cpp; each row's code in founding/NAME.cpp).
//
//   OUT/NAME.json       facts, tables, conclusions, options, seeds, Duel's version and commit, machine
//   OUT/NAME-STEM.png   its pictures
//   OUT/lab.html        every NAME.json of the folder on one page, which needs no other file
//
// Example:
//   LabObserver quiet;
//   const FoundingRow& row = find_founding_row("theory");
//   const bool held = write_founding(row, {.quick = true}, "runs/lab-founding", quiet);
//   const FoundingRecord record = read_founding("runs/lab-founding", "theory");
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/lab/observer.h"
#include "duel/gan/picture/canvas.h"

namespace duel::gan::lab {

/// A number that was found beside the one that was to be expected.
struct Fact {
  std::string what;
  double expected = 0, found = 0, bound = 0;
  std::string source;  // of `expected`: a theorem, a paper's figure, an exact computation
  /// Whether all three are finite and |found - expected| <= bound.
  bool holds() const;
};

/// Numbers that were measured besides the facts.
struct FoundingTable {
  struct Row {
    std::string label;
    std::vector<double> numbers;  // one for each column, or fewer: the rest was not measured
    std::string note = "";
  };
  std::string name;                  // of what the rows are: "objective"
  std::vector<std::string> columns;  // of the numbers
  std::vector<Row> rows;
  bool listed = true;  // where people read it: false where it is data for the record alone
};

/// A number of a table as people read it: "-" where there is none, NaN.
std::string table_text(double number, int digits);

struct Shown {
  std::vector<Fact> facts;
  std::vector<std::pair<std::string, Canvas>>
      pictures;                          // the end of its file's name (letters, digits, -), and it
  std::vector<std::string> conclusions;  // sentences that follow from facts and tables alone
  std::vector<FoundingTable> tables = {};
};

struct FoundingOptions {
  bool quick = false;  // small sizes and few steps: seconds on one core
  std::vector<uint64_t> seeds = {1};
  std::string data = "auto";  // as RunConfig::data
  std::vector<std::string> objectives =
      {};  // of a row that compares them: these alone; empty: all that it knows
};

struct FoundingRow {
  std::string name, title;
  std::string claim;  // the paper's sentence, with its citation
  /// Computes it. Tells the observer of its steps, started(STEPS, 0) once and stepped() for each, and asks stop() as
  /// it goes: where that says so, it comes back early with what it has, which nobody reads.
  Shown (*show)(const FoundingOptions&, LabObserver&);
  bool uses_data = false;        // reads FoundingOptions::data
  bool uses_objectives = false;  // reads FoundingOptions::objectives
};

/// In the order in which they are shown.
const std::vector<FoundingRow>& founding_rows();
/// Error that lists the names where there is none of this one.
const FoundingRow& find_founding_row(const std::string& name);

/// What NAME.json holds. A number that is not finite is the text "nan", "inf" or "-inf" there.
struct FoundingRecord {
  std::string name, title, claim;
  FoundingOptions options;
  std::string duel, commit, cpu;  // version and source_commit(), and the machine's processor
  double seconds = 0;
  std::vector<Fact> facts;
  std::vector<std::string> pictures;  // files beside it
  std::vector<std::string> conclusions;
  std::vector<FoundingTable> tables = {};

  bool holds() const;  // there are facts, and every one holds
};

/// Shows the row's claim and writes its files and the page anew; folders are made as needed. Whether all facts hold;
/// false, and nothing written, where the observer stopped it. Error before anything is computed where another record
/// in the folder cannot be read.
bool write_founding(const FoundingRow& row, const FoundingOptions& options, const std::filesystem::path& out,
                    LabObserver& observer);

/// Error naming file and remedy where OUT/NAME.json is missing or damaged.
FoundingRecord read_founding(const std::filesystem::path& out, const std::string& name);

}  // namespace duel::gan::lab
