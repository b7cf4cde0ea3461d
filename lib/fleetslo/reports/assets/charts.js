// Charts: drawn when they come near the window, in the colours of the reader's setting.

const darkSetting = matchMedia('(prefers-color-scheme: dark)');
const drawn = new Set();
const figures = new Map();
let printing = false;
let loading = null;

function loadPlotly() {
  if (window.Plotly) return Promise.resolve();
  if (!loading) {
    loading = new Promise((done, fail) => {
      const script = document.createElement('script');
      script.src = document.body.dataset.plotly;
      script.onload = done;
      script.onerror = () => fail(new Error(`${script.src} did not load`));
      document.head.append(script);
    });
  }
  return loading;
}

const isDark = () => darkSetting.matches && !printing;

// Every colour of the palette becomes its dark twin, wherever in a figure it stands.
function inColours(value) {
  if (typeof value === 'string') return LOOK.colours[value] || value;
  if (Array.isArray(value)) {
    const numbers = typeof value[0] === 'number' && typeof value.at(-1) === 'number';
    return numbers ? value : value.map(inColours);
  }
  if (value && typeof value === 'object' && !('bdata' in value)) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inColours(one)]));
  }
  return value;
}

function figureOf(place) {
  if (!figures.has(place)) {
    const script = document.getElementById(place.id.replace(/-plot$/, '-figure'));
    figures.set(place, script.textContent);
  }
  const figure = JSON.parse(figures.get(place));
  const dressed = isDark() ? inColours(figure) : figure;
  const layout = {
    ...dressed.layout,
    template: isDark() ? inColours(LOOK.template) : LOOK.template,
    autosize: true,
    uirevision: 'kept',
  };
  delete layout.width;
  layout.height = place.clientHeight;
  const width = place.clientWidth - 60; // without the names of the y axis
  labelIncidents(layout, width);
  if (width < 420) thinDates(layout);
  return { data: dressed.data, layout };
}

// Names of incidents stand in rows above the plot, as long as there is room for them.
const ROW = 15;
const ink = document.createElement('canvas').getContext('2d');

function labelIncidents(layout, width) {
  const all = layout.annotations || [];
  const named = all.filter((one) => one.name?.startsWith('incident: '));
  const [from, to] = (layout.xaxis?.range || []).map(instant);
  if (!named.length || !(to > from)) return;
  const before = 1 + Math.max(...named.map((one) => Math.round((one.yshift - 2) / ROW)));
  const rows = [];
  const most = width < 520 ? 2 : 3;
  ink.font = `11px ${LOOK.template.layout.font.family}`;
  const kept = named.map((one) => {
    const parts = one.name.slice('incident: '.length).split(' · ');
    const left = (Math.max(instant(one.x) - from, 0) / (to - from)) * width;
    for (let count = Math.min(parts.length, width < 520 ? 1 : 3); count > 0; count -= 1) {
      const text = parts.slice(0, count).join(' · ');
      const long = ink.measureText(text).width + 6;
      const toLeft = left + long > width;
      const begin = toLeft ? left - long : left;
      let row = rows.findIndex((right) => right + 6 <= begin);
      if (row < 0) row = rows.length;
      if (begin < -20 || (row > 0 && count > 1) || row >= most) continue;
      rows[row] = begin + long;
      return { ...one, text, yshift: 2 + row * ROW, xanchor: toLeft ? 'right' : 'left' };
    }
    return null;
  }).filter(Boolean);
  layout.annotations = [...all.filter((one) => !named.includes(one)), ...kept];
  const top = layout.margin?.t ?? LOOK.template.layout.margin.t;
  layout.margin = { ...layout.margin, t: Math.max(top + (rows.length - before) * ROW, 6) };
}

const instant = (text) => Date.parse(`${String(text).replace(' ', 'T')}${String(text).length > 10 ? 'Z' : ''}`);

// Fewer dates where there is little room.
function thinDates(layout) {
  for (const name of Object.keys(layout)) {
    const axis = layout[name];
    if (!/^xaxis\d*$/.test(name) || axis.type !== 'date') continue;
    const [from, to] = (axis.range || []).map(instant);
    if (typeof axis.dtick === 'number' && (to - from) / axis.dtick > 4.5) {
      layout[name] = { ...axis, dtick: axis.dtick * 2 };
    } else if (!axis.dtick) {
      layout[name] = { ...axis, nticks: 4 };
    }
  }
}

function draw(place) {
  const { data, layout } = figureOf(place);
  const settings = { ...LOOK.config, responsive: !printing };
  drawn.add(place);
  widths.set(place, place.clientWidth);
  return Plotly.react(place, data, layout, settings);
}

function broken(place, error) {
  place.closest('.chart').classList.add('broken');
  console.warn(`${place.id}: ${error.message}`);
}

const drawSafely = (place) => loadPlotly().then(() => draw(place)).catch((error) => broken(place, error));

function redraw() {
  drawn.forEach((place) => draw(place));
}

function startCharts() {
  const places = [...document.querySelectorAll('.plot')];
  if (!places.length) return;
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watch.unobserve(entry.target);
      drawSafely(entry.target);
    }
  }, { rootMargin: '700px 0px' });
  places.forEach((place) => watch.observe(place));
  darkSetting.addEventListener('change', redraw);
}

// A chart that became much wider or narrower is laid out anew.
const widths = new Map();
function redrawResized() {
  drawn.forEach((place) => {
    if (Math.abs((widths.get(place) || 0) - place.clientWidth) > 40) draw(place);
  });
}
