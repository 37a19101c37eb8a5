// Shows the scenes of a page without a server. Each element of class "scene" holds its scene's bytes, compressed, as text.

async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), sign => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function showAlone(place) {
  const data = await unpacked(place.querySelector('script').textContent);
  show({data, parentElement: place.attachShadow({mode: 'open'})});
}

document.querySelectorAll('.scene').forEach(showAlone);
// The player looks at the theme whenever it measures the page.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => dispatchEvent(new Event('resize')));
