// How the lecturer's picture stands (clock, zoom, how it plays), on its way to the students who follow. `data`: whether
// this is the lecturer's page, which tells Python what its address says; else what a student's picture is to show. Then
// the names of these parameters or their values as a query; last, for the lecturer, what the page shows.
const OFTEN = 300, TRIES = 40 // milliseconds; a page that a student is just led to has its player within so many of them
let told = "", followed = null

export default function ({data: [leads, stage], setStateValue}) {
  const off = new AbortController()
  if (leads) {
    const tell = () => told === query(stage) || setStateValue("stage", (told = query(stage)))
    document.addEventListener("stage-stands", tell, {signal: off.signal})
    tell()
  } else if (stage !== followed) stand((followed = stage), TRIES)
  return () => off.abort()
}

function query(names) {
  const given = new URLSearchParams(location.search)
  return String(new URLSearchParams([...given].filter(([name]) => names.includes(name))))
}

function stand(stage, tries) {
  const asked = new CustomEvent("stage-stand", {cancelable: true, detail: Object.fromEntries(new URLSearchParams(stage))})
  const heard = !document.dispatchEvent(asked)
  if (!heard && tries && stage === followed) setTimeout(stand, OFTEN, stage, tries - 1)
}
