// What pages for a browser are made of beside their contents: style, script, the page around them, figures, tables.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "duel/gan/picture/png.h"

namespace duel::gan::detail {

extern const char* const kStyle;
/// The slider of the samples, and the keys that move it.
extern const char* const kScript;

/// From <!DOCTYPE html> to <body>, the style in it, and what a page has beside it.
std::string page_begin(const std::string& title, const std::string& more_style = "");
inline constexpr const char* kPageEnd = "</body>\n</html>\n";

/// What src= takes for the bytes of a PNG.
std::string png_uri(const std::string& bytes);
std::string png_uri(const Picture& image);

/// A picture; `caption` is HTML and may be empty, all else is text.
std::string figure(const std::string& alt, const std::string& uri, const std::string& caption);

/// Any number of columns; the first one names its row.
std::string table(const std::vector<std::string>& heads, const std::vector<std::vector<std::string>>& rows);

/// Rows of a key and its value.
std::string table(const std::vector<std::pair<std::string, std::string>>& rows);

}  // namespace duel::gan::detail
