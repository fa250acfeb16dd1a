// Captions from the rows of measures().
#include <algorithm>

#include "duel/gan/train/measures/caption.h"

namespace duel::gan {

std::string measure_caption(const std::string& what, const std::vector<const Measure*>& rows) {
  std::string caption = what;
  const auto joined = [&](std::string Measure::*column) {
    std::vector<std::string> parts;
    for (const Measure* row : rows) {
      const std::string& part = row->*column;
      if (!part.empty() && std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
    }
    std::string all;
    for (const std::string& part : parts) all += (all.empty() ? "" : "; ") + part;
    return all;
  };
  const auto say = [&](const std::string& sentence) { caption += (caption.empty() ? "" : " ") + sentence; };
  const std::string healthy = joined(&Measure::healthy), sick = joined(&Measure::sick),
                    source = joined(&Measure::source);
  if (!healthy.empty()) say("Healthy: " + healthy + (sick.empty() ? "." : ". Sick: " + sick + "."));
  if (!source.empty()) caption.insert(caption.size() - 1, " (" + source + ")");
  std::erase(caption, '`');  // a mark of Markdown
  return caption;
}

std::string measure_caption(const Measure& row) {
  std::string meaning = row.meaning.empty() ? "" : row.meaning + ".";
  if (!meaning.empty() && meaning[0] >= 'a' && meaning[0] <= 'z')
    meaning[0] = static_cast<char>(meaning[0] - 'a' + 'A');
  return measure_caption(meaning, {&row});
}

const Measure* measure_of_curve(const std::string& key) {
  const std::string name = key.substr(0, key.find('/'));
  for (const Measure& row : measures()) {
    for (const MeasureKey& each : row.keys) {
      if (each.name == name) return &row;
    }
  }
  return nullptr;
}

}  // namespace duel::gan
