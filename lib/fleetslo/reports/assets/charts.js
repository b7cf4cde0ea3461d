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
    return value.length && typeof value[0] === 'number' ? value : value.map(inColours);
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
  if (place.clientWidth < 520) narrow(layout);
  return { data: dressed.data, layout };
}

// On a telephone the names of incidents have no room; their bands and hover text stay.
function narrow(layout) {
  const named = (layout.annotations || []).filter((one) => one.name === 'incident');
  if (named.length) {
    layout.annotations = layout.annotations.filter((one) => one.name !== 'incident');
    const rows = 1 + Math.max(...named.map((one) => Math.round(((one.yshift || 2) - 2) / 15)));
    layout.margin = { ...layout.margin, t: Math.max((layout.margin?.t ?? 12) - rows * 15, 4) };
  }
  for (const name of Object.keys(layout)) {
    if (/^xaxis\d*$/.test(name) && typeof layout[name].dtick === 'number' && layout[name].type === 'date') {
      layout[name] = { ...layout[name], nticks: 4 };
      const [from, to] = (layout[name].range || []).map((one) => Date.parse(`${one.replace(' ', 'T')}Z`));
      if ((to - from) / layout[name].dtick > 5) layout[name].dtick *= 2;
    }
  }
}

function draw(place) {
  const { data, layout } = figureOf(place);
  const settings = { ...LOOK.config, responsive: !printing };
  drawn.add(place);
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
