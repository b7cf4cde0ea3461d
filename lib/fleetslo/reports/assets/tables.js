// Tables: sorted by their heads, searched, filtered, and drawn as needed when they are long.
// cells.py draws the same cells for tables whose rows are in the page.

const VERDICTS = {
  missed: ['■', 'Missed', 0],
  at_risk: ['▲', 'At risk', 1],
  unjudged: ['○', 'Cannot be judged yet', 2],
  met: ['●', 'Met', 3],
};
const NOTHING = '–';
const CHUNK = 80;
const NUMBERS = new Set(['number', 'percent', 'bar', 'spark', 'verdict']);
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#x27;' };
const esc = (text) => String(text).replace(/[&<>"']/g, (one) => escapes[one]);
const tenth = (value) => Math.floor(value * 10 + 0.5) / 10;

function drawBar(value, full, zero, given, text) {
  const room = value < 0 ? zero : 100 - zero;
  const wanted = (Math.abs(value) / full) * (100 - zero);
  const width = tenth(Math.min(Math.max(wanted, value ? 1.5 : 0), room));
  const left = value < 0 ? tenth(zero - width) : zero;
  const over = wanted > room + 0.1 ? ' over' : '';
  const colour = given ? ` ${given}` : '';
  return `<span class="bar"><span class="track" style="--zero:${zero}%">` +
    `<span class="fill${colour}${over}" style="left:${left}%;width:${width}%"></span></span>` +
    `<span class="n">${esc(text)}</span></span>`;
}

function drawSpark(heights, told) {
  if (!heights || !heights.length) return NOTHING;
  let steps = '';
  let top = 0;
  let at = 0;
  heights.forEach((height, position) => {
    if (height === null) return;
    steps += `M${position * 4 + 1.5} 22v-${Math.max(tenth((height * 22) / 31), 0.6)}`;
    if (height > top) { top = height; at = position + 1; }
  });
  const says = top ? `highest at ${at} of ${heights.length}` : 'flat';
  return `<svg class="spark" viewBox="0 0 ${heights.length * 4} 22" aria-hidden="true">` +
    `${told ? `<title>${esc(told)}</title>` : ''}<path d="${steps}"/></svg>` +
    `<span class="hidden">${esc(told || says)}</span>`;
}

function inside(column, i) {
  const value = column.values[i];
  if (column.kind === 'spark') return drawSpark(value, column.says && column.says[i]);
  if (value === null) return NOTHING;
  const text = column.texts ? column.texts[i] : value;
  const given = column.verdicts ? column.verdicts[i] : null;
  switch (column.kind) {
    case 'verdict': {
      const mark = VERDICTS[value];
      return mark
        ? `<span class="verdict ${value}"><span class="shape" aria-hidden="true">${mark[0]}</span>${mark[1]}</span>`
        : esc(text);
    }
    case 'bar': return drawBar(value, column.full, column.zero, given, text);
    case 'link': {
      const address = column.pages && column.pages[i];
      return address ? `<a href="${esc(address)}">${esc(text)}</a>` : esc(text);
    }
    case 'badge': return `<span class="badge">${esc(text)}</span>`;
    case 'code': return `<code>${esc(text)}</code>`;
    default: return given ? `<span class="${given}">${esc(text)}</span>` : esc(text);
  }
}

function drawRow(columns, i) {
  return columns.map((column) => {
    const tag = column.head ? 'th' : 'td';
    const scope = column.head ? ' scope="row"' : '';
    return `<${tag}${scope} class="${column.class}">${inside(column, i)}</${tag}>`;
  }).join('');
}

// Rows that came as data: nothing is made before it is shown.
class Carried {
  constructor(columns) {
    this.columns = columns;
    this.count = columns[0].values.length;
    this.drawn = new Map();
  }
  element(i) {
    if (!this.drawn.has(i)) {
      const row = document.createElement('tr');
      row.innerHTML = drawRow(this.columns, i);
      this.drawn.set(i, row);
    }
    return this.drawn.get(i);
  }
  key(c, i) {
    const column = this.columns[c];
    if (column.kind === 'spark') return column.sums[i];
    const value = column.values[i];
    if (column.kind === 'verdict' && value in VERDICTS) return VERDICTS[value][2];
    return value;
  }
  raw(c, i) {
    const column = this.columns[c];
    return column.kind === 'spark' ? column.sums[i] : column.values[i];
  }
  words(c, i) {
    const column = this.columns[c];
    if (column.kind === 'spark' || column.values[i] === null) return '';
    if (column.kind === 'verdict') return (VERDICTS[column.values[i]] || ['', column.values[i]])[1];
    return column.texts && column.kind !== 'number' ? column.texts[i] : String(column.values[i]);
  }
  choice(key, i) {
    return String(this.columns.find((column) => column.key === key).values[i]);
  }
}

// Rows that are in the page already.
class Written {
  constructor(table) {
    this.rows = [...table.tBodies[0].rows];
    this.count = this.rows.length;
    this.heads = [...table.tHead.rows[0].cells];
    this.kinds = this.heads.map((head) => head.dataset.kind);
    this.ranks = Object.fromEntries(Object.entries(VERDICTS).map(([key, mark]) => [mark[2], key]));
  }
  element(i) { return this.rows[i]; }
  key(c, i) {
    const cell = this.rows[i].cells[c];
    const value = cell.dataset.v ?? cell.textContent;
    if (value === '' || value === NOTHING) return null;
    return NUMBERS.has(this.kinds[c]) && value !== '' && !Number.isNaN(Number(value)) ? Number(value) : value;
  }
  raw(c, i) {
    const value = this.key(c, i);
    return this.kinds[c] === 'verdict' && value in this.ranks ? this.ranks[value] : value;
  }
  words(c, i) { return this.kinds[c] === 'spark' ? '' : this.rows[i].cells[c].textContent; }
  choice(key, i) {
    return String(this.raw(this.heads.findIndex((head) => head.dataset.key === key), i));
  }
}

const compare = (a, b) => {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return collator.compare(String(a), String(b));
};

class Sortable {
  constructor(table) {
    this.table = table;
    this.body = table.tBodies[0];
    this.heads = [...table.tHead.rows[0].cells];
    const carried = document.getElementById(`${table.id}-rows`);
    const source = table.dataset.source;
    if (source) this.rows = new Carried(window[source] || []);
    else if (carried) this.rows = new Carried(JSON.parse(carried.textContent));
    else this.rows = new Written(table);
    this.order = Array.from({ length: this.rows.count }, (_, i) => i);
    this.found = this.order;
    this.most = Number(table.dataset.most) || (this.rows instanceof Carried ? CHUNK : Infinity);
    this.grows = this.rows instanceof Carried && !table.dataset.most;
    this.limit = this.most;
    this.texts = null;
    this.heads.forEach((head, c) => head.querySelector('button').addEventListener('click', () => this.sort(c)));
    this.controls = table.closest('.card')?.querySelector('.controls');
    if (this.controls) this.listen();
    this.makeMore();
    if (this.limit < this.rows.count || this.rows instanceof Carried) this.show();
    makeSave(this);
  }
  listen() {
    this.status = this.controls.querySelector('.found');
    this.input = this.controls.querySelector('input');
    this.selects = [...this.controls.querySelectorAll('select')];
    this.input?.addEventListener('input', () => this.find());
    this.selects.forEach((select) => select.addEventListener('change', () => this.find()));
    if (this.input?.value || this.selects.some((select) => select.value)) this.find();
  }
  makeMore() {
    this.more = document.createElement('button');
    this.more.type = 'button';
    this.more.className = 'more';
    this.more.hidden = true;
    this.more.addEventListener('click', () => {
      const first = this.limit;
      this.limit = this.grows ? this.limit + CHUNK : Infinity;
      this.show();
      const row = this.body.rows[first];
      if (row) { row.tabIndex = -1; row.focus({ preventScroll: true }); }
    });
    this.table.closest('.scroll').after(this.more);
    if (!this.grows) return;
    const near = new IntersectionObserver((entries) => {
      if (!entries.at(-1).isIntersecting || this.limit >= this.found.length) return;
      this.limit += CHUNK;
      this.show();
      near.unobserve(this.more); // asked anew: the button may still be near
      near.observe(this.more);
    }, { rootMargin: '500px' });
    near.observe(this.more);
  }
  sort(c) {
    const head = this.heads[c];
    const was = head.getAttribute('aria-sort');
    const numeric = NUMBERS.has(head.dataset.kind) && head.dataset.kind !== 'verdict';
    const down = was === 'none' ? numeric || head.dataset.kind === 'time' : was === 'ascending';
    this.heads.forEach((one) => one.setAttribute('aria-sort', 'none'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const keys = this.order.map((i) => [this.rows.key(c, i), i]);
    const known = keys.filter(([key]) => key !== null && key !== undefined);
    const unknown = keys.filter(([key]) => key === null || key === undefined);
    known.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
    this.order = [...known, ...unknown].map(([, i]) => i);
    this.limit = Math.max(this.most, this.limit === Infinity ? Infinity : this.most);
    this.find();
  }
  find() {
    const asked = (this.input?.value || '').toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = (this.selects || []).filter((select) => select.value)
      .map((select) => [select.dataset.key, select.value]);
    if (asked.length && !this.texts) {
      const columns = this.heads.map((_, c) => c)
        .filter((c) => !['number', 'percent', 'bar', 'spark'].includes(this.heads[c].dataset.kind));
      this.texts = Array.from({ length: this.rows.count }, (_, i) =>
        columns.map((c) => this.rows.words(c, i)).join('\n').toLowerCase());
    }
    this.found = this.order.filter((i) =>
      asked.every((word) => this.texts[i].includes(word)) &&
      wanted.every(([key, value]) => this.rows.choice(key, i) === value));
    if (this.grows) this.limit = this.most;
    const narrowed = asked.length || wanted.length;
    if (this.status) {
      this.status.textContent = narrowed
        ? `${this.found.length.toLocaleString('en')} of ${this.rows.count.toLocaleString('en')}` : '';
    }
    this.show();
  }
  show() {
    const shown = this.found.slice(0, this.limit).map((i) => this.rows.element(i));
    shown.forEach((row, position) => row.setAttribute('aria-rowindex', position + 2));
    const held = this.body.rows;
    let same = 0;
    while (same < held.length && same < shown.length && held[same] === shown[same]) same += 1;
    if (same === held.length) this.body.append(...shown.slice(same));
    else this.body.replaceChildren(...shown);
    const left = this.found.length - shown.length;
    this.more.hidden = left <= 0;
    if (left > 0) {
      const some = this.grows ? Math.min(CHUNK, left) : left;
      this.more.textContent = this.grows
        ? `Show ${some} more of ${left.toLocaleString('en')}`
        : `Show all ${this.found.length.toLocaleString('en')}`;
    }
    fit(this.table.closest('.scroll'));
  }
  showAll() {
    this.limit = Infinity;
    this.show();
  }
}

// The rows as a file, with the values and not the words: seconds, ratios, UTC.
function makeSave(sortable) {
  const numbers = sortable.table.closest('details.numbers');
  const card = sortable.table.closest('.tabled');
  if (!numbers && !card) return;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'save';
  button.textContent = numbers ? 'Save as CSV' : 'CSV';
  if (card) button.setAttribute('aria-label', 'Save this table as CSV');
  button.addEventListener('click', () => {
    const quote = (value) => {
      const text = value === null || value === undefined ? '' : String(value);
      const safe = /^[=+@\t\r]|^-[^\d.]/.test(text) ? `'${text}` : text;
      return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    const lines = [sortable.heads.map((head) => quote(head.dataset.key)).join(',')];
    sortable.found.forEach((i) => lines.push(sortable.heads.map((_, c) => quote(sortable.rows.raw(c, i))).join(',')));
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([`${lines.join('\n')}\n`], { type: 'text/csv' }));
    link.download = `${document.title.split(' · ')[0].replace(/[^\w.-]+/g, '-')}-${sortable.table.id}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  if (numbers) sortable.more.after(button);
  else card.prepend(button);
}

// A table that fits needs no scrolling: its head may then stick to the window.
function fit(scroll) {
  if (!scroll || !scroll.clientWidth) return;
  scroll.classList.remove('fits');
  const fits = scroll.scrollWidth <= scroll.clientWidth + 1;
  scroll.classList.toggle('fits', fits);
  if (fits) scroll.removeAttribute('tabindex');
  else scroll.tabIndex = 0;
}

const sortables = new Map();
function startTable(table) {
  if (!sortables.has(table)) sortables.set(table, new Sortable(table));
}

function startTables() {
  for (const table of document.querySelectorAll('table.sortable')) {
    const folded = table.closest('details');
    if (folded && !folded.open) {
      folded.addEventListener('toggle', () => {
        startTable(table);
        fit(table.closest('.scroll'));
      });
    } else {
      startTable(table);
      fit(table.closest('.scroll'));
    }
  }
}
