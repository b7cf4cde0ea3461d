// The page as a whole: its start, its width, and how it is printed.

const PRINT_WIDTH = 690; // pixels of an A4 or Letter page inside its margins
let unfolded = [];

function beforePrint() {
  printing = true;
  unfolded = [...document.querySelectorAll('details:not([open]):not(.code)')];
  unfolded.forEach((one) => { one.open = true; });
  document.querySelectorAll('details.numbers table.sortable').forEach(startTable);
  sortables.forEach((one) => one.showAll());
  if (!window.Plotly) return;
  document.querySelectorAll('.plot').forEach((place) => {
    place.style.width = `${PRINT_WIDTH}px`;
    draw(place);
  });
}

function afterPrint() {
  printing = false;
  unfolded.forEach((one) => { one.open = false; });
  if (!window.Plotly) return;
  document.querySelectorAll('.plot').forEach((place) => {
    place.style.width = '';
    draw(place);
  });
}

// In a bucket a page lies in the folder of its release, which goes one day: its feed stays at the top.
function stayingFeeds() {
  if (!location.protocol.startsWith('http')) return;
  document.querySelectorAll('[type="application/atom+xml"]').forEach((one) => {
    one.href = one.href.replace(/\/releases\/[^/]+\/feeds\//, '/feeds/');
  });
}

startTables();
startCharts();
stayingFeeds();
let resized = 0;
addEventListener('resize', () => {
  clearTimeout(resized);
  resized = setTimeout(() => {
    document.querySelectorAll('.scroll').forEach(fit);
    redrawResized();
  }, 150);
});
addEventListener('beforeprint', beforePrint);
addEventListener('afterprint', afterPrint);
