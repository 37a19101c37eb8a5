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

for (const place of document.querySelectorAll('.scene'))
  unpacked(place.querySelector('script').textContent).then(data => showIn(place, data));
// The player looks at the theme whenever it measures the page.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => dispatchEvent(new Event('resize')));
