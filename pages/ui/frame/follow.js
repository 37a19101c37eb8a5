// How the lecturer's picture stands (clock, zoom, how it plays), on its way to the students who follow. `data`: what it
// is now as a query; null on the lecturer's own page, where Python hears when the picture stands anew.
const OFTEN = 300, TRIES = 40 // milliseconds; a page that a student is just led to has its player within so many of them
let followed = null

export default function ({data, setTriggerValue}) {
  const off = new AbortController()
  if (data === null) document.addEventListener("stage-stands", () => setTriggerValue("stands", true), {signal: off.signal})
  else if (data !== followed) stand((followed = data), TRIES)
  return () => off.abort()
}

function stand(stage, tries) {
  const asked = new CustomEvent("stage-stand", {cancelable: true, detail: Object.fromEntries(new URLSearchParams(stage))})
  const heard = !document.dispatchEvent(asked)
  if (!heard && tries && stage === followed) setTimeout(stand, OFTEN, stage, tries - 1)
}
