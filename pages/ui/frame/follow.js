// How the lecturer's picture stands (clock, zoom, how it plays), on its way to the students who follow. `data`, for the
// lecturer: true; the names of these parameters, whose values in the address are told to Python as the state "stage", a
// query; what the page shows, which nothing here reads: a new one draws the component anew, which then tells again.
// `data`, for a student: false; such a query, to which the picture is brought.
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
