// What pages for a browser are made of beside their contents: style, script, the page around them, figures, tables.
// report.html, compare.html and lab.html are made of these and of diagram.h.
//
// Note [A page is one file]
// A page refers to nothing: pictures are data: URIs, style and script stand in it, and its content security policy
// forbids the rest. It works from file://, and without scripts: what needs one has the class "scripted" and is shown by
// it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "duel/gan/picture/png.h"

namespace duel::gan::detail {

/// From <!DOCTYPE html> to <main>, the style in it, and what a page has beside it in style and head.
std::string page_begin(const std::string& title, const std::string& more_style = "",
                       const std::string& more_head = "");
inline constexpr const char* kPageEnd = "</main>\n</body>\n</html>\n";
/// The end of a page with diagrams or a time-lapse: the script that moves them (script.cpp) and kPageEnd.
std::string page_end_with_script();

/// What src= takes for the bytes of a PNG.
std::string png_uri(const std::string& bytes);
std::string png_uri(const Picture& image);

/// A picture; `caption` is HTML and may be empty, all else is text.
std::string figure(const std::string& alt, const std::string& uri, const std::string& caption);

/// A cell of a table, all of it text: what stands below in small letters, and whether it is marked as a warning is.
struct Cell {
  Cell(std::string shown) : text(std::move(shown)) {}
  Cell(std::string shown, std::string below) : text(std::move(shown)), note(std::move(below)) {}
  std::string text, note = "";
  bool marked = false;
};

/// Any number of columns; the first one names its row.
std::string table(const std::vector<std::string>& heads, const std::vector<std::vector<Cell>>& rows);
std::string table(const std::vector<std::string>& heads, const std::vector<std::vector<std::string>>& rows);

/// Rows of a key and its value.
std::string table(const std::vector<std::pair<std::string, std::string>>& rows);

/// HTML that may be wider than the page: moved sideways by itself, by keys too. `label` says what it is.
std::string scrolling(const std::string& label, const std::string& html);

}  // namespace duel::gan::detail
