#include "duel/gan/report/internal/html.h"

#include <algorithm>
#include <cstdint>

#include "duel/gan/report/report.h"

namespace duel::gan {

// Colours follow the reader's light or dark scheme; diagrams keep their white ground.
const char* const detail::kStyle = R"(
:root { color-scheme: light dark; --ground: #fff; --ink: #1a1a1a; --line: #d8d8d8; --soft: #f4f4f2; --warn: #fff3cd; --warnink: #5c4500; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181b; --ink: #e6e6e6; --line: #3a3d42; --soft: #202328; --warn: #4a3b00; --warnink: #ffe9a8; } }
body { background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
.warnings { background: var(--warn); color: var(--warnink); padding: .6rem 1rem; border-radius: 6px; }
.grids { display: flex; flex-wrap: wrap; gap: 2rem; } .grids img { image-rendering: pixelated; width: 26rem; max-width: 100%; background: #000; }
figure { margin: 0; } figcaption { font-size: .9rem; max-width: 60rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1.6rem; margin-top: 1.2rem; } .plots img { width: 100%; height: auto; box-sizing: border-box; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
.controls { display: flex; gap: .8rem; align-items: center; max-width: 26rem; } .controls input { flex: 1; min-width: 0; }
output { min-width: 7rem; font-variant-numeric: tabular-nums; }
button { font: inherit; padding: .1rem .8rem; }
table { border-collapse: collapse; font-size: .9rem; } th { text-align: left; font-weight: 500; padding-right: 1.5rem; vertical-align: top; }
td { padding-right: 1.5rem; vertical-align: top; font-family: ui-monospace, monospace; overflow-wrap: anywhere; } tr { border-bottom: 1px solid var(--line); }
.tables { display: flex; flex-wrap: wrap; gap: 2.5rem; } .tables > div { flex: 1 1 24rem; min-width: 0; }
pre { background: var(--soft); padding: .6rem 1rem; overflow-x: auto; border-radius: 6px; }
)";

const char* const detail::kScript = R"(
const grids = JSON.parse(document.getElementById('grids').textContent);
const image = document.getElementById('fakes'), slider = document.getElementById('step'), label = document.getElementById('at'),
      play = document.getElementById('play');
let timer = null;
function show(i) {
  slider.value = i;
  image.src = grids[i].png;
  image.alt = 'fakes at iteration ' + grids[i].at;
  label.textContent = 'iteration ' + grids[i].at;
}
function stop() { clearInterval(timer); timer = null; play.textContent = 'Play'; }
slider.addEventListener('input', () => { stop(); show(Number(slider.value)); });
play.addEventListener('click', () => {
  if (timer) return stop();
  if (Number(slider.value) === grids.length - 1) show(0);
  play.textContent = 'Pause';
  timer = setInterval(() => {
    const next = Number(slider.value) + 1;
    if (next >= grids.length) stop(); else show(next);
  }, 180);
});
document.addEventListener('keydown', event => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || event.target === slider) return;
  stop();
  show(Math.min(grids.length - 1, Math.max(0, Number(slider.value) + by)));
});
)";

std::string detail::page_begin(const std::string& title, const std::string& more_style) {
  return "<!DOCTYPE html>\n"
         "<html lang=\"en\">\n"
         "<head>\n"
         "<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<link rel=\"icon\" href=\"data:,\">\n"
         "<title>" +
         html_text(title) + "</title>\n<style>" + kStyle + more_style + "</style>\n</head>\n<body>\n";
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

std::string detail::table(const std::vector<std::string>& heads,
                          const std::vector<std::vector<std::string>>& rows) {
  std::string html = "<table>\n<tr>";
  for (const std::string& head : heads) html += "<th scope=\"col\">" + html_text(head) + "</th>";
  html += "</tr>\n";
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      html += i == 0 ? "<tr><th scope=\"row\">" + html_text(row[i]) + "</th>"
                     : "<td>" + html_text(row[i]) + "</td>";
    html += "</tr>\n";
  }
  return html + "</table>\n";
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
