#include "duel/gan/report/internal/caption.h"

#include <utility>

#include "duel/gan/report/report.h"

namespace duel::gan {

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
