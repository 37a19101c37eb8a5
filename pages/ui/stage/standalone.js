// Shows the scenes of a page without a server. Each element of class "scene" holds its scene's bytes, compressed, as text.

async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), sign => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Shows a scene in an element that is empty but for its bytes; returns the player.
function showIn(place, data) {
  const parentElement = place.attachShadow({mode: 'open'});
  show({data, parentElement});
  return PLAYERS.get(parentElement);
}

const LEAST = 0.5; // of the height of the window, for picture and bar

// Gives the picture what the words of the page leave of the window, so that all of it is seen at once.
function makeRoom() {
  const main = document.querySelector('main'), {rowGap, paddingBlock} = getComputedStyle(main);
  const words = [...main.children].filter(part => !part.matches('.scene'));
  const gaps = words.length * parseFloat(rowGap) + 2 * parseFloat(paddingBlock);
  const taken = words.reduce((height, part) => height + part.getBoundingClientRect().height, Math.ceil(gaps));
  main.style.setProperty('--stage-part', Math.max(LEAST, 1 - taken / innerHeight));
}

makeRoom();
addEventListener('resize', makeRoom);
for (const place of document.querySelectorAll('.scene'))
  unpacked(place.querySelector('script').textContent).then(data => showIn(place, data));
// The player measures the page at each resize, and looks at its theme.
const measured = () => dispatchEvent(new Event('resize'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', measured);
document.fonts.ready.then(measured);
