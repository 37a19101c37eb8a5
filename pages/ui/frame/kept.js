// Keeps small values in the browser, for Python. `data`: what the session has written, by name, each with its number, as
// JSON (null removes a value); whether Python knows what is kept; the name of a random identity that the browser makes if
// it has none; and the session, which the answer repeats. A writing is done once: another tab may have written since.
const PREFIX = "kept-"
const done = globalThis.__keptDone ??= {} // the number of the last writing of each session
const unkept = globalThis.__unkept ??= {} // where the browser keeps nothing, as in some private windows

export default function ({data, setStateValue}) {
  const [text, known, identity, session] = data
  const written = JSON.parse(text), before = done[session] ?? 0
  for (const [name, [number, value]] of Object.entries(written)) if (number > before) write(name, value)
  done[session] = Math.max(before, ...Object.values(written).map(([number]) => number))
  if (known) return

  if (identity && typeof read(identity) !== "string") write(identity, random())
  const found = Object.fromEntries(names().filter(name => !(name in written)).map(name => [name, read(name)]))
  if (Object.keys(found).length) setStateValue("values", JSON.stringify([session, found]))
}

function names() {
  let stored = []
  try {
    stored = Object.keys(localStorage).filter(key => key.startsWith(PREFIX)).map(key => key.slice(PREFIX.length))
  } catch {}
  return [...new Set([...stored, ...Object.keys(unkept)])]
}

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? unkept[name] ?? null
  } catch {
    return unkept[name] ?? null
  }
}

function write(name, value) {
  delete unkept[name]
  try {
    if (value === null) localStorage.removeItem(PREFIX + name)
    else localStorage.setItem(PREFIX + name, JSON.stringify(value))
  } catch {
    unkept[name] = value
  }
}

// A classroom's server is often plain http, where browsers offer no crypto.randomUUID.
function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, "0")).join("")
}
