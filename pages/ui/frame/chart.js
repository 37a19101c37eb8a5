// Gives a Plotly chart the page's type and a height in proportion to the window, and draws it in light for printing.
// Streamlit's bundle of Plotly makes its functions available as `Plotly`.

const PAPER = 680; // the width of a printed chart in CSS pixels: A4 and Letter have that between their margins
const LEAST = 10; // the height of a presented chart in rem
const CHARTS = new WeakMap(); // what each mounted component has to undo

export default ({data, parentElement}) => {
  CHARTS.get(parentElement)?.abort();
  const off = new AbortController(), {signal} = off, [key, height, light] = data;
  CHARTS.set(parentElement, off);
  const place = document.querySelector(`.st-key-${key}`), find = () => place?.querySelector('.js-plotly-plot');
  const refit = () => fit(place, height);
  const looking = new MutationObserver(refit);
  if (place) looking.observe(place, {childList: true, subtree: true});
  signal.addEventListener('abort', () => looking.disconnect());
  addEventListener('resize', refit, {signal});
  addEventListener('beforeprint', () => brighten(find(), new Map(light)), {signal});
  addEventListener('afterprint', () => restore(find()), {signal});
  refit();
  return () => parentElement.isConnected || off.abort();
};

function fit(place, height) {
  const chart = place?.querySelector('.js-plotly-plot');
  if (!globalThis.Plotly || !chart?._fullLayout || chart.shown) return;
  const root = getComputedStyle(document.documentElement), rem = parseFloat(root.fontSize), narrow = chart.clientWidth < 480;
  const presented = !!root.getPropertyValue('--stage-presented') && !!chart.closest('.st-key-picture');
  const size = narrow ? 13 : Math.ceil(0.875 * rem);
  const high = Math.round(presented ? Math.max(LEAST * rem, innerHeight - above(chart) - below(chart))
    : Math.max(narrow ? 380 : 280, height / 800 * Math.min(innerHeight, 1000)));
  const wanted = {'font.size': size, height: high, 'xaxis.title.font.size': size, 'yaxis.title.font.size': size};
  if (narrow) Object.assign(wanted, {'legend.orientation': 'h', 'legend.y': 1.02, 'legend.yanchor': 'bottom', 'legend.x': 0, 'legend.entrywidth': 0});
  const has = path => path.split('.').reduce((part, name) => part?.[name], chart.layout);
  if (Object.entries(wanted).every(([path, value]) => has(path) === value)) return;
  for (let part = chart; part && part !== place.parentElement; part = part.parentElement) part.style.height = `${high}px`;
  place.style.flexBasis = `${high}px`;
  Plotly.relayout(chart, wanted);
}

// The height of what stands above it, and of what stands below it in the same picture.
const below = chart => chart.closest('.st-key-picture').getBoundingClientRect().bottom - chart.getBoundingClientRect().bottom;
const above = chart => chart.getBoundingClientRect().top - document.querySelector('.stMainBlockContainer').getBoundingClientRect().top;

// A figure with each dark colour replaced by the light one of the same role.
const inLight = (part, light) => typeof part === 'string' ? light.get(part.toLowerCase()) ?? part
  : Array.isArray(part) ? part.map(each => inLight(each, light))
  : part && Object.getPrototypeOf(part) === Object.prototype
    ? Object.fromEntries(Object.entries(part).map(([name, each]) => [name, inLight(each, light)]))
    : part;

function brighten(chart, light) {
  if (!globalThis.Plotly || !chart?._fullLayout) return;
  chart.shown = {data: chart.data, layout: chart.layout};
  pin(chart, `${chart.clientWidth}px`); // Streamlit would draw the chart anew at the width of the paper, in the page's theme
  Plotly.react(chart, inLight(chart.data, light), {...inLight(chart.layout, light), width: PAPER});
}

function restore(chart) {
  if (!chart?.shown) return;
  pin(chart, '');
  Plotly.react(chart, chart.shown.data, chart.shown.layout);
  delete chart.shown;
}

function pin(chart, width) {
  const place = chart.closest('.stElementContainer');
  for (let part = chart; part !== place.parentElement; part = part.parentElement)
    for (const name of ['width', 'minWidth', 'maxWidth']) part.style[name] = width;
  place.parentElement.style.overflow = width && 'clip';
}
