#include "duel/gan/report/internal/html.h"

#include <algorithm>
#include <cstdint>

#include "duel/gan/report/report.h"

namespace duel::gan {

namespace {

// Colours follow the reader's light or dark scheme; every one of text and curves has a contrast of 4.5 with its ground.
constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ground: #fff; --ink: #1a1a1a; --quiet: #595959; --line: #d8d8d8; --soft: #f4f4f2; --warn: #fff3cd; --warnink: #5c4500;
  --well: #0f6b3c; --ill: #a8321a; --c0: #1f5fb4; --c1: #c2410c; --c2: #0f7a4f; --c3: #b0246f; --c4: #6d46b8; --c5: #8a6400; --c6: #3c3c3c;
  --c7: #0e7490; --c8: #7d5530; --c9: #5b6b10; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181b; --ink: #e6e6e6; --quiet: #a8adb3; --line: #3a3d42; --soft: #202328; --warn: #4a3b00; --warnink: #ffe9a8;
    --well: #6fd39a; --ill: #ff9a80; --c0: #7ab4ff; --c1: #ff9a6b; --c2: #5fd6a0; --c3: #ff8ac4; --c4: #bba1ff; --c5: #f0c040; --c6: #d0d0d0;
    --c7: #5cd4f0; --c8: #d6a878; --c9: #c3d65a; } }
* { box-sizing: border-box; }
body { background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; max-width: 84rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin-top: 2.4rem; border-bottom: 1px solid var(--line); } h3 { font-size: 1rem; margin: 0 0 .3rem; }
small { font-weight: 400; color: var(--quiet); font-size: .85rem; } p { overflow-wrap: anywhere; }
a { color: var(--c0); } nav { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .6rem 0; }
:focus-visible { outline: 3px solid var(--c0); outline-offset: 2px; border-radius: 3px; }
.warnings { background: var(--warn); color: var(--warnink); padding: .6rem 1rem; border-radius: 6px; }
.grids { display: flex; flex-wrap: wrap; gap: 1.6rem 2rem; align-items: flex-start; } .grids figure { width: 26rem; max-width: 100%; }
.grids img { image-rendering: pixelated; width: 100%; background: #000; }
figure { margin: 0; min-width: 0; } figure img { display: block; margin-bottom: .4rem; }
figcaption { font-size: .9rem; max-width: 60rem; overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: 2.2rem 1.8rem; margin-top: 1.2rem; }
.plots img { width: 100%; height: auto; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
.diagram > svg { display: block; width: 100%; height: auto; font-size: 12px; touch-action: pan-y; }
.diagram text { fill: var(--quiet); text-anchor: middle; } .diagram text.y { text-anchor: end; }
.axes path { stroke: var(--line); fill: none; } .lines { overflow: hidden; }
.lines path, .swatch path { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
.lines .dots { stroke-width: 5; } .lines .steps { fill: currentColor; fill-opacity: .18; } .lines .raw { opacity: .25; stroke-width: 1; }
.lines .faint { opacity: .15; } .lines .gone { display: none; }
.guide { color: var(--quiet); } path.guide { stroke-dasharray: 1 4; } .lines .cursor { stroke: var(--ink); stroke-width: 1; opacity: .6; }
.d1 { stroke-dasharray: 6 4; } .d2 { stroke-dasharray: 1 4; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); } .c4 { color: var(--c4); }
.c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); } .c8 { color: var(--c8); } .c9 { color: var(--c9); }
.keys { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem .6rem; margin: .2rem 0 .4rem; padding: 0; max-height: 12rem; overflow-y: auto; }
.key { border: 0; background: none; color: inherit; padding: .1rem .3rem; font-size: .85rem; display: flex; gap: .4rem; align-items: center;
text-align: left; overflow-wrap: anywhere; } .key[aria-pressed=false] { text-decoration: line-through; color: var(--quiet); }
.key b { font-variant-numeric: tabular-nums; } .key:not(:disabled) { cursor: pointer; } .swatch { width: 1.5rem; height: .5rem; flex: none; }
.controls { display: flex; gap: .3rem .8rem; align-items: center; flex-wrap: wrap; font-size: .9rem; }
.controls input[type=range] { flex: 1 1 8rem; min-width: 0; accent-color: var(--c0); }
.diagram .controls { padding-left: 11.8%; } .diagram .controls output { min-width: 4.5rem; }
.switches { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; align-items: center; position: sticky; top: 0; z-index: 1; background: var(--ground);
padding: .4rem 0; } .switches label { display: flex; gap: .5rem; align-items: center; }
html:not(.scripts) .scripted { display: none; }
label { cursor: pointer; } output { font-variant-numeric: tabular-nums; } .timelapse output { min-width: 8rem; }
button, select { font: inherit; } button { padding: .1rem .8rem; } summary { cursor: pointer; font-size: .9rem; } .well { color: var(--well); }
.ill { color: var(--ill); }
table { border-collapse: collapse; font-size: .9rem; }
th { text-align: left; font-weight: 500; padding-right: 1.5rem; vertical-align: top; white-space: nowrap; }
td { padding-right: 1.5rem; vertical-align: top; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
tr { border-bottom: 1px solid var(--line); } .mark { background: var(--warn); color: var(--warnink); }
.scroll { overflow-x: auto; } .scroll td, .scroll th { overflow-wrap: normal; } .scroll th { white-space: normal; } .scroll td { white-space: nowrap; }
.tables { display: flex; flex-wrap: wrap; gap: 2.5rem; } .tables > div { flex: 1 1 24rem; min-width: 0; }
pre { background: var(--soft); padding: .6rem 1rem; overflow-x: auto; border-radius: 6px; }
@media print { .scripted { display: none !important; } }
)";

}  // namespace

std::string detail::page_begin(const std::string& title, const std::string& more_style,
                               const std::string& more_head) {
  return "<!DOCTYPE html>\n"
         "<html lang=\"en\">\n"
         "<head>\n"
         "<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
         "'unsafe-inline'; script-src 'unsafe-inline'\">\n"
         "<link rel=\"icon\" href=\"data:,\">\n" +
         more_head + "<title>" + html_text(title) + "</title>\n<style>" + kStyle + more_style +
         "</style>\n</head>\n<body>\n<main>\n";
}

std::string detail::png_uri(const std::string& bytes) { return "data:image/png;base64," + base64(bytes); }

std::string detail::png_uri(const Picture& image) {
  const auto png = encode_png(image);
  return png_uri(std::string(png.begin(), png.end()));
}

std::string detail::figure(const std::string& alt, const std::string& uri, const std::string& caption) {
  return "<figure><img alt=\"" + html_text(alt) + "\" src=\"" + uri + "\">" +
         (caption.empty() ? "" : "<figcaption>" + caption + "</figcaption>") + "</figure>\n";
}

std::string detail::table(const std::vector<std::string>& heads, const std::vector<std::vector<Cell>>& rows) {
  std::string html = "<table>\n<tr>";
  for (const std::string& head : heads)
    html += head.empty() ? std::string("<td></td>") : "<th scope=\"col\">" + html_text(head) + "</th>";
  html += "</tr>\n";
  for (const auto& row : rows) {
    html += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      html += std::string(i == 0 ? "<th scope=\"row\"" : "<td") + (row[i].marked ? " class=\"mark\">" : ">") +
              html_text(row[i].text);
      if (!row[i].note.empty()) html += "<br><small>" + html_text(row[i].note) + "</small>";
      html += i == 0 ? "</th>" : "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

std::string detail::table(const std::vector<std::string>& heads,
                          const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<Cell>> cells;
  for (const auto& row : rows) cells.emplace_back(row.begin(), row.end());
  return table(heads, cells);
}

std::string detail::scrolling(const std::string& label, const std::string& html) {
  return "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + html_text(label) + "\">" +
         html + "</div>\n";
}

std::string detail::table(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string html = "<table>\n";
  for (const auto& [key, value] : rows)
    html += "<tr><th scope=\"row\">" + html_text(key) + "</th><td>" + html_text(value) + "</td></tr>\n";
  return html + "</table>\n";
}

std::string html_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string base64(const std::string& bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < n ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= n ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace duel::gan
