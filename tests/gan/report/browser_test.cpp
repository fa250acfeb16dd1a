// Pages as a browser shows them: Chromium, where it is installed ($DUEL_TEST_BROWSER, or chromium, chromium-browser or
// google-chrome on the path), without a window. A script that is put into a copy of the page tries it and says how it went.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <sstream>

#include "duel/gan/report/run_comparison.h"
#include "tests/gan/report/page.h"
#include "tests/gan/report/pages.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

std::optional<std::string> browser() {
  if (const char* chosen = std::getenv("DUEL_TEST_BROWSER")) return chosen;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
      const std::string file = folder + "/" + name;
      if (::access(file.c_str(), X_OK) == 0) return file;
    }
  }
  return std::nullopt;
}

// Adds a line to the page for everything it tries: "ok NAME", or "BAD NAME: …".
constexpr const char* kProbe = R"(<pre id="probe"></pre><script>
const told = [];
const expect = (name, right, found) => told.push((right ? 'ok ' : 'BAD ') + name + (right ? '' : ': ' + found));
const root = document.documentElement, one = s => document.querySelector(s), every = s => [...document.querySelectorAll(s)];
function set(e, value) { e.value = value; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); }
every('details').filter(d => d.querySelector('.diagram')).forEach(d => { d.open = true; });
expect('width', innerWidth === WIDTH, innerWidth);
const beyond = every('body *').filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className);
expect('no overflow', root.scrollWidth <= innerWidth, root.scrollWidth + ' ' + beyond.slice(0, 5));
every('.diagram').forEach(f => {
  const box = f.querySelector('svg').getBoundingClientRect(), lines = [...f.querySelectorAll('.lines path:not(.guide)')];
  expect(f.id + ' is seen', box.width > 200 && box.height > 100 && lines.length > 0 && lines.some(p => p.getTotalLength() > 20), box.width + 'x' + box.height);
  expect(f.id + ' has a slider', f.querySelector('input.at').getAttribute('aria-valuetext') !== '', '');
});
const channel = v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
const light = c => { const [r, g, b] = c.match(/\d+/g).map(Number); return .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b); };
const contrast = (a, b) => { const x = light(a), y = light(b); return (Math.max(x, y) + .05) / (Math.min(x, y) + .05); };
const ground = getComputedStyle(document.body).backgroundColor;
const dark = light(ground) < .2;
expect('scheme', dark === DARK, ground);
for (const name of ['ink', 'quiet', 'well', 'ill', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'c8', 'c9']) {
  const e = document.createElement('span');
  e.style.color = 'var(--' + name + ')';
  document.body.append(e);
  const ratio = contrast(getComputedStyle(e).color, ground);
  expect('contrast of ' + name, ratio >= 4.5, ratio);
  e.remove();
}
const losses = one('#plot-losses');
if (losses) {
  const drawn = () => [...losses.querySelectorAll('.lines path')].map(p => p.getAttribute('d')).join(), at = losses.querySelector('input.at');
  const before = drawn();
  set(at, 0);
  expect('values at the cursor', AT.every(t => at.getAttribute('aria-valuetext').includes(t)), at.getAttribute('aria-valuetext'));
  expect('the cursor', losses.querySelector('.cursor') !== null, '');
  at.dispatchEvent(new Event('blur'));
  const box = losses.querySelector('svg').getBoundingClientRect();
  losses.querySelector('svg').dispatchEvent(new PointerEvent('pointermove', { clientX: box.right - 12, clientY: box.top + 50 }));
  expect('values under the pointer', Number(at.value) === Number(at.max), at.value);
  losses.querySelector('svg').dispatchEvent(new PointerEvent('pointerleave'));
  expect('as before', drawn() === before, drawn());
  losses.querySelector('.log').click();
  expect('log', drawn() !== before, '');
  losses.querySelector('.log').click();
  expect('linear again, as it was drawn without a script', drawn() === before, drawn() + ' was ' + before);
  set(one('#smoothing'), .8);
  expect('smooth', drawn() !== before && losses.querySelector('.raw') !== null, '');
  set(one('#smoothing'), 0);
  expect('plain again', drawn() === before, drawn());
  if (one('#over')) {
    set(one('#over'), 'time');
    expect('time', losses.querySelector('.what').textContent === 'time', losses.querySelector('.what').textContent);
    set(at, at.max);
    expect('the time at the cursor', at.getAttribute('aria-valuetext').includes(TIME), at.getAttribute('aria-valuetext'));
    at.dispatchEvent(new Event('blur'));
    set(one('#over'), 'iteration');
  }
  const key = losses.querySelector('.key');
  key.click();
  expect('a curve goes', key.getAttribute('aria-pressed') === 'false' && losses.querySelector('.lines .gone') !== null, '');
  key.click();
  expect('and comes', key.getAttribute('aria-pressed') === 'true' && losses.querySelector('.lines .gone') === null, '');
}
if (one('#step')) {
  set(one('#step'), 0);
  expect('time-lapse', one('#fakes').alt === 'fakes at iteration 0' && one('#when').textContent === 'iteration 0', one('#fakes').alt);
  one('#play').click();
  expect('plays', one('#play').textContent === 'Pause', '');
  one('#play').click();
  set(one('#step'), one('#step').max);
}
every('button, input, select, summary, a[href], [tabindex]').forEach(e => {
  if (e.closest('details:not([open])') && e.tagName !== 'SUMMARY') return;
  e.focus();
  expect('focus of ' + (e.id || e.tagName), document.activeElement === e, '');
});
const names = every('input, select, button').filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)));
expect('names', names.length === 0, names.map(e => e.outerHTML));
document.activeElement.blur();
const loads = Number(sessionStorage.getItem('loads') || 0) + 1;
sessionStorage.setItem('loads', loads);
root.dataset.loads = loads;
one('#probe').textContent = told.join('\n');
</script>)";

struct Looked {
  std::string console;  // what Chromium says that the page said
  std::string probe;
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

/// `budget`: milliseconds of the page's own time.
Looked look(const Scratch& scratch, const std::filesystem::path& page, int width, bool dark,
            const std::string& at, const std::string& time, int budget = 1000) {
  std::string probe =
      replaced(replaced(kProbe, "WIDTH", std::to_string(width)), "DARK", dark ? "true" : "false");
  probe = replaced(replaced(probe, "AT.every", at + ".every"), "TIME", "'" + time + "'");
  const std::string html = testing::text_of(page);
  const size_t end = html.rfind("</main>");
  write(scratch / "probe.html", html.substr(0, end) + probe + html.substr(end));
  // In a frame, as no window of Chromium is narrower than 500.
  write(
      scratch / "frame.html",
      message(
          "<iframe id=\"frame\" width=\"{}\" height=\"900\" style=\"border: 0\" src=\"probe.html\"></iframe>"
          "<pre id=\"told\"></pre><script>onload = () => setTimeout(() => { const page = "
          "document.getElementById('frame').contentDocument; document.getElementById('told').textContent = "
          "page.getElementById('probe').textContent + '\\nloads ' + page.documentElement.dataset.loads; }, {});"
          "</script>",
          width, budget));
  const std::string url = replaced("file://" + (scratch / "frame.html").string(), " ", "%20");
  const std::string command = message(
      "timeout 100 '{}' --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir='{}' "
      "--enable-logging=stderr --blink-settings=preferredColorScheme={} --window-size=1800,900 "
      "--allow-file-access-from-files --hide-scrollbars --virtual-time-budget={} --dump-dom '{}' > '{}' 2> '{}'",
      *browser(), (scratch / "profile").string(), dark ? 0 : 1, budget + 1000, url,
      (scratch / "dom").string(), (scratch / "said").string());
  EXPECT_EQ(std::system(command.c_str()), 0) << testing::text_of(scratch / "said");
  Looked looked;
  const std::string dom = testing::text_of(scratch / "dom");
  std::istringstream said(testing::text_of(scratch / "said"));
  for (std::string line; std::getline(said, line);) {
    if (has(line, "CONSOLE")) looked.console += line + "\n";
  }
  const std::string mark = "<pre id=\"told\">";
  if (const size_t begin = dom.find(mark); begin != std::string::npos) {
    const size_t from = begin + mark.size();
    looked.probe = dom.substr(from, dom.find("</pre>", from) - from);
  }
  return looked;
}

void expect_well(const Looked& looked, size_t least) {
  EXPECT_EQ(looked.console, "");
  EXPECT_GE(occurrences("\n" + looked.probe, "\nok "), least) << looked.probe;
  std::istringstream lines(looked.probe);
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(line.starts_with("ok ") || line == "loads 1") << line;
}

class InABrowser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!browser()) GTEST_SKIP() << "no Chromium on the path, and DUEL_TEST_BROWSER does not name one";
  }
  Scratch scratch_;
};

TEST_F(InABrowser, AReportIsSeenReadAndMovedNarrowAndWideLightAndDark) {
  const auto run = scratch_ / "a run";
  make_up_run(run);
  const Picture walks{.width = 8, .height = 8, .pixels = std::vector<uint8_t>(64, 7)};
  const auto page = write_report(run, made_up_curves(40), {.walks = Walks{walks, 400}});
  for (const auto& [width, dark] : {std::pair{400, false}, std::pair{1600, true}}) {
    SCOPED_TRACE(width);
    // ns-gan's losses at iteration 20; 40 lines of 3.5 s
    expect_well(look(scratch_, page, width, dark, "['iteration 20', 'D 1.223', 'G 1.975']", "2:20"), 60);
  }
}

TEST_F(InABrowser, RunsBesideEachOtherAreSeenNarrowAndWide) {
  RunComparison comparison;
  for (const char* label : {"A", "B"}) {
    comparison.runs.push_back({.label = label, .summary = {}, .settings = {}, .log = made_up_curves(20).log});
    comparison.runs.back().summary.directory = std::string(60, 'x') + label;
  }
  comparison.settings.push_back({"data", {std::string(80, 'y'), "z"}});
  comparison.last.push_back({.key = "loss_d", .values = {1, 2}});
  const Picture grid{.width = 100, .height = 100, .pixels = std::vector<uint8_t>(10'000, 7)};
  write_comparison(scratch_ / "compare.html", comparison, {{grid, "iteration 400"}, {{}, "no samples"}});
  EXPECT_EQ(faults_of(testing::text_of(scratch_ / "compare.html")), std::vector<std::string>{});
  for (const auto& [width, dark] : {std::pair{400, true}, std::pair{1600, false}}) {
    SCOPED_TRACE(width);
    expect_well(look(scratch_, scratch_ / "compare.html", width, dark, "[]", ""), 40);
  }
}

TEST_F(InABrowser, ThePageOfARunThatGoesOnIsLoadedAnewAndTheLastOneIsNot) {
  const auto run = scratch_ / "run";
  make_up_run(run);
  for (const bool running : {true, false}) {
    const auto page = write_report(run, made_up_curves(10), {.running = running});
    const Looked looked = look(scratch_, page, 800, false, "['iteration 20']", "0:35", 20'000);
    EXPECT_EQ(looked.console, "");
    EXPECT_EQ(has(looked.probe + "\n", "loads 1\n"), !running) << looked.probe;
    std::filesystem::remove_all(scratch_ / "profile");
  }
}

}  // namespace
}  // namespace duel::gan
