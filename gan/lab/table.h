// The table of an experiment: mean ± standard error over the seeds of every objective, beside what true
// samples reach and what the papers report, each with the protocol behind it. Ranks are by reverse KL, which modes that
// are lost and modes that are uneven both raise; objectives that are not told apart share ranks (league/scores.h).
//
// Example:
//   const Table table = make_table(make_mixture("ring"), settings, runs);
//   std::puts(to_text(table).c_str());
//   write_file_atomically("results.md", to_markdown(table));
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/lab/experiment.h"
#include "duel/gan/lab/league/scores.h"

namespace duel::gan::lab {

struct TableRow {
  std::string name;
  int64_t runs = 0;
  int64_t diverged = 0;                    // of them; counted with no mode, no good point, the greatest KL
  Spread modes, high_quality, reverse_kl;  // high_quality from 0 to 1
  double seconds = 0;                      // mean of a run
  std::optional<Ranks> rank = {};          // by reverse KL
};

struct Table {
  Mixture mixture;
  PointSettings settings;
  std::vector<uint64_t> seeds;  // that occur
  std::vector<TableRow> rows;   // in the order in which the objectives first occur
};

/// One row of a paper's table; what it does not report is unset.
struct PublishedRow {
  std::string name;
  double modes = 0, modes_error = 0;
  double high_quality = 0, high_quality_error = 0;  // percent
  std::optional<double> reverse_kl = {};
  double reverse_kl_error = 0;
};
struct Published {
  std::string source;    // paper and table
  std::string protocol;  // how it was measured, in one line
  std::vector<PublishedRow> rows;
};
/// What the papers report for "ring" or "grid".
std::vector<Published> published_results(const std::string& mixture);

Table make_table(const Mixture& mixture, const PointSettings& settings, const std::vector<PointRun>& runs);

/// One sentence: what was trained, for how many steps, from which seeds, and what the published protocol has
/// instead.
std::string protocol_line(const Table& table);

/// For a terminal, for a document, and for a program (with every single run).
std::string to_text(const Table& table);
std::string to_markdown(const Table& table);
/// `commits`: what each run was made by.
std::string to_json(const Table& table, const std::vector<PointRun>& runs,
                    const std::map<std::string, std::string>& commits = {});

}  // namespace duel::gan::lab
