// The script of a page: diagrams that are read at a cursor and switched, a time-lapse, a page that follows its run.
#include "duel/gan/report/internal/html.h"

namespace duel::gan {
namespace {

// What diagram.cpp draws once is drawn here again after a switch, from the same numbers and marks. A page that was
// loaded anew is as it was left: sessionStorage, where the browser has it.
constexpr const char* kScript = R"(
'use strict';
(() => {
const root = document.documentElement, by = id => document.getElementById(id), all = (s, e = document) => [...e.querySelectorAll(s)];
root.classList.add('scripts');
const store = 'duel ' + location.pathname;
let kept = {};
try { kept = JSON.parse(sessionStorage.getItem(store)) || {}; } catch { kept = {}; }
const parsed = id => by(id) ? JSON.parse(by(id).textContent) : null;
const brief = v => v === null || !isFinite(v) ? '-' : String(Number(v.toPrecision(4)));

// ---- Diagrams
const clock = parsed('clock'), smoothing = by('smoothing'), over = by('over');
function between(xs, ys, x) {
  let i = 0;
  for (let end = xs.length - 1; i < end;) { const middle = (i + end) >> 1; if (xs[middle] < x) i = middle + 1; else end = middle; }
  if (xs[i] < x) return ys[i];
  if (i === 0) return xs[0] > 0 ? ys[0] * x / xs[0] : ys[0];
  return ys[i - 1] + (ys[i] - ys[i - 1]) * (x - xs[i - 1]) / (xs[i] - xs[i - 1]);
}
const timed = f => clock && over && over.value === 'time' && f.timed;
const secondsAt = x => Math.max(0, between(clock.iteration, clock.seconds, x));
function time(s) {
  const t = Math.round(s), two = v => String(v).padStart(2, '0');
  return t < 3600 ? Math.floor(t / 60) + ':' + two(t % 60) : Math.floor(t / 3600) + ':' + two(Math.floor(t / 60) % 60) + ':' + two(t % 60);
}
function smooth(ys, weight) {
  let sum = 0, mass = 0;
  return ys.map(y => {
    if (y === null) return null;
    sum = weight * sum + (1 - weight) * y;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}
function element(name, attributes, text) {
  const e = document.createElementNS(document.querySelector('svg').namespaceURI, name);
  for (const key in attributes) e.setAttribute(key, attributes[key]);
  if (text !== undefined) e.textContent = text;
  return e;
}
const figures = all('.diagram').map(root => {
  const data = JSON.parse(root.querySelector('script').textContent), svg = root.querySelector('svg[role]'), lines = svg.querySelector('.lines');
  const number = name => Number(lines.getAttribute(name));
  return { root, data, svg, lines, axes: svg.querySelector('.axes'), left: number('x'), top: number('y'), width: number('width'), height: number('height'),
    timed: root.hasAttribute('data-time'), log: root.querySelector('input.log'), slider: root.querySelector('input.at'), told: root.querySelector('output.at'),
    keys: all('.key', root), paths: all('path', lines), x: null, hidden: new Set() };
});
function scales(f) {
  const d = f.data, y = f.log && f.log.checked ? d.log : d.linear, isLog = y === d.log && !!y, byTime = timed(f);
  const xr = byTime ? d.x.range.map(secondsAt) : d.x.range, ln = Math.log;
  const [low, high] = y.range, share = v => isLog ? ln(v / low) / ln(high / low) : (v - low) / (high - low);
  return { y, isLog, byTime, marks: byTime ? clock.marks : d.x.marks,
    across: v => f.width * ((byTime ? secondsAt(v) : v) - xr[0]) / (xr[1] - xr[0]), mark: v => f.width * (v - xr[0]) / (xr[1] - xr[0]),
    up: v => v === null || isLog && v <= 0 ? NaN : f.height * (1 - Math.min(2, Math.max(-1, share(v)))) };
}
const r = v => Math.round(v * 10) / 10;
function path(f, s, ys, at) {
  const xs = f.data.xs[s.x], floor = at.isLog ? f.height : at.up(0);
  if (s.kind === 'across') return isFinite(at.up(ys[0])) ? `M0 ${r(at.up(ys[0]))}H${f.width}` : '';
  if (s.kind === 'upright') return `M${r(at.across(xs[0]))} 0V${f.height}`;
  if (s.kind === 'steps') {
    let d = `M${r(at.across(xs[0]))} ${r(floor)}`;
    for (let i = 0; i + 1 < xs.length; ++i) d += `V${r(isFinite(at.up(ys[i])) ? at.up(ys[i]) : floor)}H${r(at.across(xs[i + 1]))}`;
    return d + `V${r(floor)}`;
  }
  let d = '', gap = true;
  for (let i = 0; i < xs.length; ++i) {
    const y = at.up(ys[i]);
    if (!isFinite(y)) { gap = true; continue; }
    const alone = s.kind === 'dots' || gap && (i + 1 === xs.length || !isFinite(at.up(ys[i + 1])));
    d += `${gap || s.kind === 'dots' ? 'M' : 'L'}${r(at.across(xs[i]))} ${r(y)}${alone ? 'h0' : ''}`;
    gap = false;
  }
  return d;
}
function draw(f) {
  const at = scales(f), weight = smoothing && f.timed ? Number(smoothing.value) : 0;
  f.axes.replaceChildren();
  for (const [v, label] of at.y.marks) {
    const y = f.top + at.up(v);
    if (!(y >= f.top - .5 && y <= f.top + f.height + .5)) continue;
    f.axes.append(element('path', { d: `M${f.left} ${r(y)}h${f.width}` }), element('text', { x: f.left - 6, y: r(y + 4), class: 'y' }, label));
  }
  for (const [v, label] of at.marks) {
    const x = f.left + at.mark(v);
    if (!(x >= f.left - .5 && x <= f.left + f.width + .5)) continue;
    f.axes.append(element('path', { d: `M${r(x)} ${f.top}v${f.height}` }),
      element('text', { x: r(x), y: f.top + f.height + 15 }, label.length > 8 ? '…' + label.slice(-7) : label));
  }
  if (f.timed) f.svg.querySelector('.what').textContent = at.byTime ? 'time' : 'iteration';
  all('.raw', f.lines).forEach(e => e.remove());
  f.data.series.forEach((s, i) => {
    const curve = weight > 0 && s.kind === 'line' && s.y.length > 2;
    if (curve) f.lines.prepend(element('path', { class: 'raw ' + f.paths[i].getAttribute('class'), d: path(f, s, s.y, at) }));
    s.shown = curve ? smooth(s.y, weight) : s.y;
    f.paths[i].setAttribute('d', path(f, s, s.shown, at));
  });
  point(f);
}
// Values at the cursor: in the legend, and for a screen reader as the slider's text.
const isCurve = s => s.kind === 'line' || s.kind === 'steps';
function valueAt(f, s, x) {
  const xs = f.data.xs[s.x];
  let i = xs.length - 1;
  while (i > 0 && xs[i] > x) --i;
  return xs[i] > x ? null : s.shown[s.kind === 'steps' ? Math.min(i, xs.length - 2) : i];
}
function point(f) {
  const old = f.lines.querySelector('.cursor'), at = scales(f), texts = [];
  if (old) old.remove();
  const x = f.places[Number(f.slider.value)], name = f.data.names ? f.data.names[x] : at.byTime ? time(secondsAt(x)) : brief(x);
  let k = 0;
  for (const s of f.data.series) {
    if (s.kind === 'dots' || !isCurve(s) && !s.label) continue;
    const key = f.keys[k++];
    if (!isCurve(s)) continue;
    const v = brief(valueAt(f, s, x));
    key.querySelector('b').textContent = v;
    texts.push((s.label ? s.label + ' ' : '') + v);
  }
  const what = f.data.names ? name : (f.timed ? at.byTime ? 'time ' : 'iteration ' : 'at ') + name;
  f.told.textContent = f.data.names ? name : f.timed ? name : 'at ' + name;
  f.slider.setAttribute('aria-valuetext', what + ': ' + texts.join(', '));
  if (f.pointed) f.lines.append(element('path', { class: 'cursor', d: `M${r(at.across(x))} 0v${f.height}` }));
}
for (const f of figures) {
  const places = new Set();
  for (const s of f.data.series) {
    s.shown = s.y;
    if (isCurve(s)) f.data.xs[s.x].forEach((x, n) => { if (s.kind === 'line' || n + 1 < s.y.length) places.add(x); });
  }
  f.places = [...places].sort((a, b) => a - b);
  if (!f.places.length) continue;
  f.slider.max = f.places.length - 1;
  f.slider.value = f.places.length - 1;
  f.slider.addEventListener('input', () => { f.pointed = true; point(f); });
  f.svg.addEventListener('pointermove', e => {
    const box = f.lines.getBoundingClientRect(), frame = f.svg.getBoundingClientRect(), unit = frame.width / f.svg.viewBox.baseVal.width;
    const x = (e.clientX - frame.left) / unit - f.left, at = scales(f);
    let best = 0;
    f.places.forEach((p, i) => { if (Math.abs(at.across(p) - x) < Math.abs(at.across(f.places[best]) - x)) best = i; });
    f.slider.value = best;
    f.pointed = true;
    point(f);
  });
  f.svg.addEventListener('pointerleave', () => { f.pointed = false; f.slider.value = f.places.length - 1; point(f); });
  f.slider.addEventListener('blur', () => { f.pointed = false; point(f); });
  if (f.log) f.log.addEventListener('change', () => { draw(f); keep(); });
  const owners = f.data.series.map((s, i) => i).filter(i => f.data.series[i].kind !== 'dots' && (isCurve(f.data.series[i]) || f.data.series[i].label));
  f.keys.forEach((key, k) => {
    const mine = f.paths[owners[k]], colour = mine.getAttribute('class').replace(/^\S+ /, '');
    key.disabled = false;
    const lit = on => f.paths.forEach(p => p.classList.toggle('faint', on && p !== mine));
    key.addEventListener('pointerenter', () => lit(true));
    key.addEventListener('pointerleave', () => lit(false));
    key.addEventListener('focus', () => lit(key.matches(':focus-visible')));
    key.addEventListener('blur', () => lit(false));
    f.toggle = f.toggle || {};
    f.toggle[k] = shown => {
      key.setAttribute('aria-pressed', shown);
      if (shown) f.hidden.delete(k); else f.hidden.add(k);
      for (const p of all('path:not(.cursor)', f.lines)) if (p.getAttribute('class').includes(colour)) p.classList.toggle('gone', !shown);
    };
    key.addEventListener('click', () => { f.toggle[k](key.getAttribute('aria-pressed') !== 'true'); keep(); });
  });
}
const redraw = () => figures.forEach(f => { if (f.places.length) draw(f); });
if (smoothing) smoothing.addEventListener('input', () => { by('smoothed').textContent = smoothing.value; redraw(); keep(); });
if (over) over.addEventListener('change', () => { redraw(); keep(); });

// ---- Samples over time
const grids = parsed('grids'), slider = by('step'), play = by('play');
let timer = null;
function show(i) {
  const image = by('fakes');
  slider.value = i;
  image.src = grids[i].png;
  image.alt = 'fakes at iteration ' + grids[i].at;
  by('when').textContent = 'iteration ' + grids[i].at;
  slider.setAttribute('aria-valuetext', 'iteration ' + grids[i].at);
}
function stop() { clearInterval(timer); timer = null; play.textContent = 'Play'; }
if (grids) {
  grids[grids.length - 1].png = by('fakes').src;  // which stands in the page already
  slider.addEventListener('input', () => { stop(); show(Number(slider.value)); keep(); });
  play.addEventListener('click', () => {
    if (timer) return stop();
    if (Number(slider.value) === grids.length - 1) show(0);
    play.textContent = 'Pause';
    timer = setInterval(() => {
      const next = Number(slider.value) + 1;
      if (next >= grids.length) stop(); else show(next);
    }, 180);
  });
}

// ---- As it was left
function keep() {
  const state = { y: scrollY, open: all('details[open]').map(d => all('details').indexOf(d)), log: {}, hidden: {} };
  figures.forEach(f => { if (f.log) state.log[f.root.id] = f.log.checked; if (f.hidden.size) state.hidden[f.root.id] = [...f.hidden]; });
  if (smoothing) state.smoothing = smoothing.value;
  if (over) state.over = over.value;
  if (grids && Number(slider.value) < grids.length - 1) state.at = grids[slider.value].at;
  if (by('follow')) state.follow = by('follow').checked;
  if (document.activeElement && document.activeElement.id) state.focus = document.activeElement.id;
  try { sessionStorage.setItem(store, JSON.stringify(state)); } catch { /* a browser without */ }
}
if (kept.log) {
  if (smoothing && kept.smoothing) { smoothing.value = kept.smoothing; by('smoothed').textContent = smoothing.value; }
  if (over && kept.over) over.value = kept.over;
  for (const f of figures) if (f.log && f.root.id in kept.log) f.log.checked = kept.log[f.root.id];
  const details = all('details');
  (kept.open || []).forEach(i => { if (details[i]) details[i].open = true; });
  redraw();
  for (const f of figures) (kept.hidden && kept.hidden[f.root.id] || []).forEach(k => { if (f.toggle && f.toggle[k]) f.toggle[k](false); });
  const place = grids && kept.at ? grids.findIndex(g => g.at === kept.at) : -1;
  if (place >= 0) show(place);
  if (by('follow') && kept.follow === false) by('follow').checked = false;
  if (kept.focus && by(kept.focus)) by(kept.focus).focus({ preventScroll: true });
  scrollTo(0, kept.y || 0);
}
addEventListener('pagehide', keep);

// ---- A run that goes on
const state = by('state');
if (state && state.dataset.running) {
  const most = 30 * 60e3, every = 15e3;
  const news = setInterval(() => {
    if (Date.now() - Number(state.dataset.written) > most) {
      clearInterval(news);
      by('news').textContent = ' No news for half an hour: it may have ended.';
    } else if (by('follow').checked && !document.hidden && !timer && !figures.some(f => f.pointed)) {
      keep();
      location.reload();
    }
  }, every);
  by('follow').addEventListener('change', keep);
}
})();
)";

}  // namespace

std::string detail::page_end_with_script() {
  return std::string("<script>") + kScript + "</script>\n" + kPageEnd;
}

}  // namespace duel::gan
