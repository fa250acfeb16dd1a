#include "duel/gan/report/internal/caption.h"

#include <algorithm>

#include "duel/gan/report/report.h"

namespace duel::gan {

std::string detail::caption_of(const std::string& what, const std::vector<const Measure*>& rows) {
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

std::string detail::caption_html(const std::string& caption) {
  std::string html = html_text(caption);
  for (const auto& [word, marked] :
       {std::pair<std::string, std::string>{"Healthy:", "<b class=\"well\">Healthy:</b>"},
        {"Sick:", "<b class=\"ill\">Sick:</b>"}}) {
    if (const size_t at = html.find(word); at != std::string::npos) html.replace(at, word.size(), marked);
  }
  return html;
}

}  // namespace duel::gan
