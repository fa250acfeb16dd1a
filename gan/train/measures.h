// What a run says of itself, a row for each measure: its keys in metrics.jsonl, what it means, what healthy and
// what sick look like and who showed it, how it is found, when the report warns of it and where it is drawn.
// The log, the report with its warnings, the diagrams with their captions and the tables of gan/README.md read
// these rows and hold nothing of their own.
//
// A new diagnostic is a function and a row in measures/diagnostics.cpp (and gan/README.md made anew, which
// tests/gan/train/measures_test.cpp does). Rows stand in the order of the keys in a line.
//
// Example:
//   for (const Measure& row : measures()) std::printf("%s: %s\n", row.keys[0].name.c_str(), row.meaning.c_str());
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "duel/gan/picture/plot.h"
#include "duel/gan/train/trainer.h"

namespace duel::gan {

/// Counts in equal bins between low and high; values that are not finite are left out.
struct Histogram {
  double low = 0, high = 0;
  std::vector<int64_t> counts = {};
};
using NamedValues = std::vector<std::pair<std::string, double>>;
/// A number, numbers by the names of layers, weights or terms, or counts.
using Measured = std::variant<double, NamedValues, Histogram>;

/// What a judge found of G's samples at an iteration, by names that hold the judge's, "fd-mnist-v1": on three
/// scales. Empty where nobody judged.
struct JudgedValues {
  NamedValues distances = {};  // 0 and up, without a bound
  NamedValues shares = {};     // around 0 to 1
  NamedValues counts = {};
};

/// What every line is made of.
struct LineView {
  const Metrics& metrics;
  double epoch = 0;
  bool probabilities = false;  // has_probabilities of the objective
  const JudgedValues& judged;
};
struct Look;  // what a look inside has: diagnostics.h

struct MeasureKey {
  std::string name;
  std::string label = "";   // of its curve; before the names of a group
  std::string member = "";  // what a group is named by: "NAME", "LAYER"; empty: a single value
  int color = -1;           // of the first, second or third curve of its diagram; -1: its place in the row
};

/// What the objective promises, drawn as dotted lines.
struct PlotHints {
  std::optional<double> k = {};     // the gradient norm that a penalty aims at
  std::optional<double> clip = {};  // the bound of D's weights
};

/// A dotted line that values are compared with; nothing where the objective promises none.
struct PlotGuide {
  std::function<std::optional<double>(const PlotHints&)> at;
  std::string label = "";
  bool vertical = false;
};

/// Where a row is drawn. Rows that name the same diagram share it, and the first of them has its titles.
struct MeasurePlot {
  enum class Form {
    curves,   // over iterations; of a group one for each member
    profile,  // a group's values over its members, at the first, the middle and the last look
    counts    // the last look's histograms, as shares
  };
  enum class When { always, unless_zero, alone };  // alone: where no other row of the diagram has values
  std::string diagram = "";                        // the file's name without ".png"; empty: it is not drawn
  int order = 0;                                   // among diagrams, and among the rows of one
  Form form = Form::curves;
  When when = When::always;
  std::string title = "", x_label = "iteration", y_label = "";
  bool log_y = false;
  std::optional<Range> y_range = {};
  std::string caption = "";  // what is seen, where titles do not say it; healthy and sick follow it
  std::vector<PlotGuide> guides = {};
};

/// The curves that a warning asks, oldest value first, each of at least `window` values.
struct Seen {
  std::vector<std::span<const double>> curves;
  size_t window = 1;

  std::span<const double> last(size_t count, size_t curve = 0) const { return curves[curve].last(count); }
  /// Whether all of the last `window` values are so; `test` takes one value of each curve.
  template <class Test>
  bool all(const Test& test) const {
    for (size_t i = 0; i < window; ++i) {
      if constexpr (std::is_invocable_v<Test, double, double>) {
        if (!test(last(window)[i], last(window, 1)[i])) return false;
      } else if (!test(last(window)[i])) {
        return false;
      }
    }
    return true;
  }
};

/// What a person should look at.
struct WarnIf {
  std::vector<std::string> of;  // keys; of a group each member by itself
  size_t window = 1;            // of fewer values nothing is said
  std::function<bool(const Seen&)> sick = {};
  std::string sentence = "";  // {}: the key, or the group's member
  bool at_once = false;       // also in the first iterations, where every fight looks sick
};

struct Measure {
  enum class Where { line, look, timing };  // every line of metrics.jsonl; diagnosed ones; timing.jsonl
  Where where = Where::line;
  std::vector<MeasureKey> keys;
  std::string meaning = "", healthy = "", sick = "", source = "";  // Markdown, one line each
  /// A value for each key; none where they do not apply, and so are a NaN of a look and an empty group.
  std::vector<Measured> (*of_line)(const LineView&) = nullptr;
  std::vector<Measured> (*of_look)(const Look&) = nullptr;
  std::vector<WarnIf> warn = {};
  MeasurePlot plot = {};
};

/// The values of one look, by their keys.
class Diagnosis {
 public:
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  /// NaN, nothing and no counts where a measure does not apply (no clipping, no held-out images, …). Error
  /// for a key that no look has, or that has values of another kind.
  double number(const std::string& key) const;
  NamedValues group(const std::string& key) const;
  Histogram histogram(const std::string& key) const;
  /// Null where it does not apply.
  const Measured* find(const std::string& key) const;
  void set(const std::string& key, Measured value);

 private:
  std::map<std::string, Measured> values_;
};

/// All rows.
const std::vector<Measure>& measures();
/// The row of a key; Error where there is none.
const Measure& measure_of(const std::string& key);

}  // namespace duel::gan
