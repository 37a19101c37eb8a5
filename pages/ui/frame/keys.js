// The keys of a lecture. The page hears them first, in the capture phase: Streamlit takes R and C for itself. No key
// calls the server but those that go on to another scene, and none is taken from somebody who types.
// `data`: the language of the page, whether it is presented, the name of what it shows, and the number of these data.

const TYPED = ["textarea", "select", "[contenteditable=true]", "input:not([type=checkbox]):not([type=radio]):not([type=range])"]
// By the key that opens a dialog: what it has in it. The same key closes it.
const OPENED = { e: ".st-key-_export_kind", q: ".qr, .qr-link" }
const ARROWED = ["[role=slider]", "[role=radio]", "[role=tab]", "input", "canvas"]
const root = document.documentElement

export default function ({ parentElement, data }) {
  const [language, presenting, view, turn] = data
  const lecture = (globalThis.__lecture ??= listen({ turn: 0 }))
  if (turn < lecture.turn) return
  const changed = lecture.view !== view
  Object.assign(lecture, { presenting, view, turn, parent: parentElement })
  if (changed) reveal(false)
  if (presenting) lecture.ahead ??= loadAhead()
  else close()
  draw(parentElement, WORDS[language], presenting)
  watchLine(lecture)
}

function listen(lecture) {
  addEventListener("keydown", (event) => press(lecture, event), { capture: true })
  addEventListener("pointerdown", () => delete root.dataset.black, { capture: true })
  return lecture
}

// Loads the letters of formulas and the script that draws charts before there is one: it has five megabytes. Streamlit's
// main script names it.
async function loadAhead() {
  const main = document.querySelector("script[type=module][src]")?.src
  await new Promise(globalThis.requestIdleCallback ?? setTimeout)
  for (const face of document.fonts) if (/KaTeX_(Main|Math|Size1)/.test(face.family)) face.load()
  const [name] = main ? (await (await fetch(main)).text()).match(/PlotlyChart\.[\w-]+\.js/) ?? [] : []
  if (name) await import(new URL(name, main))
}

// ---- which key does what

function press(lecture, event) {
  const act = actOf(lecture, event)
  if (!act) return
  event.preventDefault()
  event.stopImmediatePropagation()
  if (!event.repeat || event.key.startsWith("Arrow")) act()
}

// What an event asks for; nothing where it belongs to a field, a dialog or the control that has the focus.
function actOf({ presenting, parent }, event) {
  const target = event.composedPath()[0]
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null
  const dialog = document.querySelector("[role=dialog]")
  if (dialog && closes(dialog, key, target)) return () => dialog.querySelector("[aria-label=Close]")?.click()
  const list = parent.querySelector("dialog[open]")
  if (list && key === "?") return () => list.close()
  if (dialog || list) return null
  if (isTyped(target)) return presenting && isClosedList(target) ? TURN[key] : null
  if (presenting && "black" in root.dataset) return () => flip("black")
  if (presenting && key === "Escape") return isOpen() ? close : null
  if (presenting && (key === " " || key.startsWith("Arrow"))) return clockOf(target, key)
  return ALWAYS(parent)[key] ?? (presenting ? TURN[key] ?? SHOW[key] : null)
}

const isTyped = (target) => target.matches?.(TYPED.join())

// Whether a key closes a dialog: Escape where the dialog lost the focus, as a run that draws its contents anew makes it
// do, and the key that opens it.
const closes = (dialog, key, target) =>
  key === "Escape" ? target === document.body : key in OPENED && !isTyped(target) && dialog.querySelector(OPENED[key])

// One that was chosen from keeps the focus: while it is closed, only letters are typed into it.
const isClosedList = (target) => target.matches("[role=combobox][aria-expanded=false]")

const ALWAYS = (parent) => ({
  e: saver() && (() => saver().click()),
  "?": () => parent.querySelector("dialog").showModal(),
})
const TURN = {
  PageDown: () => turn("next"),
  PageUp: () => turn("previous"),
}
const SHOW = {
  f: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.()),
  b: () => flip("black"),
  ".": () => flip("black"), // as many clickers say it
  n: () => flip("notes"),
  c: () => flip("drawer"),
  r: revealNext,
  q: () => document.querySelector(".st-key-copy_link [name=qr]")?.click(),
}

// ---- what they do

// In a lecture plan to its next view, and nowhere from its last one; else to the next scene or chapter.
function turn(direction) {
  const plan = document.querySelector(`.st-key-plan_${direction}`)
  const place = plan ?? document.querySelector(`.st-key-view_${direction}`)
  place?.querySelector("button:enabled, a")?.click()
}

// The first player that can be seen.
const stage = () => [...document.querySelectorAll(".st-key-picture *")].map((host) => host.shadowRoot?.querySelector(".stage"))
  .find((found) => found?.getClientRects().length)

// What saves the first picture: a button of its player or, under one that stands still, of the page.
const saver = () => stage()?.querySelector(".save") ?? document.querySelector("[class*=st-key-export_] button")

// The player's clock hears a key as if its picture had the focus; a control that has it keeps its own keys.
function clockOf(target, key) {
  const own = key === " " ? target.matches(":focus-visible") && target !== document.body : target.matches(ARROWED.join())
  const canvas = stage()?.querySelector(".controls:has(.clock:not([hidden]))") && stage().querySelector("canvas")
  return own || !canvas ? null : () => canvas.dispatchEvent(new KeyboardEvent("keydown", { key }))
}

function flip(part) {
  root.toggleAttribute(`data-${part}`)
  mark()
  fitLine()
}

const isOpen = () => ["notes", "drawer"].some((part) => part in root.dataset) || !!document.querySelector("details.reveal[open]")

function close() {
  for (const part of ["notes", "drawer", "black"]) delete root.dataset[part]
  reveal(false)
  mark()
  fitLine()
}

function reveal(open, which = "") {
  for (const part of document.querySelectorAll(`details.reveal${which}`)) part.open = open
}

// What the class says first, the answer last; then all is hidden again.
function revealNext() {
  const closed = [":not(.last)", ""].find((which) => document.querySelector(`details.reveal${which}:not([open])`))
  reveal(closed !== undefined, closed)
}

// ---- the line above the picture

const STEPS = 5 // present.css says what each of them leaves out of the line
const CUT = ["h1", "label", "input"]

// Watches what the line holds, and the room that it has.
function watchLine(lecture) {
  lecture.seen?.disconnect()
  lecture.resized?.disconnect()
  const line = lecture.presenting && document.querySelector(".st-key-line")
  if (!line) return document.querySelector(".st-key-line")?.removeAttribute("data-line")
  lecture.seen = new MutationObserver(() => fitSoon(lecture))
  lecture.seen.observe(line, { childList: true, subtree: true, characterData: true })
  lecture.resized = new ResizeObserver(() => lecture.fitted === sizeOf(line) || fitLine())
  lecture.resized.observe(line)
  fitSoon(lecture)
}

// Before the next frame is drawn, once for all that changes until then: each fit lays the page out several times.
function fitSoon(lecture) {
  cancelAnimationFrame(lecture.fit)
  lecture.fit = requestAnimationFrame(fitLine)
}

// Leaves out as little as makes the line fit. While the drawer is open it has all, on as many lines as that needs. The
// line alone says how much, so that it is laid out anew and not the whole page.
function fitLine() {
  const line = globalThis.__lecture.presenting && document.querySelector(".st-key-line")
  if (!line) return
  for (let step = 0; step <= STEPS; step++) {
    line.dataset.line = "drawer" in root.dataset ? "all" : step
    if (line.scrollWidth <= line.clientWidth) break
  }
  for (const part of line.querySelectorAll(CUT.join())) nameCut(part)
  globalThis.__lecture.fitted = sizeOf(line)
}

const sizeOf = (line) => `${line.clientWidth} ${line.clientHeight}`

// A pointer that rests on what is cut shows the whole.
function nameCut(part) {
  const whole = part.scrollWidth > part.clientWidth + 1 ? part.value ?? part.textContent : ""
  if (part.title !== whole) part.title = whole
}

// ---- the buttons that do the same, and the list of keys

const mark = () => globalThis.__lecture.parent.querySelectorAll("[data-part]").forEach((button) =>
  button.setAttribute("aria-expanded", button.dataset.part in root.dataset))

function draw(parent, words, presenting) {
  const dialog = parent.querySelector("dialog"), rows = words.list.map(row)
  parent.querySelector(".parts").hidden = !presenting
  parent.querySelector("h2").textContent = words.title
  parent.querySelector("tbody").replaceChildren(...rows)
  dialog.setAttribute("aria-label", words.title)
  for (const button of parent.querySelectorAll("button")) {
    button.querySelector(".word").textContent = words[button.name]
    button.setAttribute("aria-label", button.name === "listed" ? words.title : words[button.name])
    button.title = button.name === "close" ? "" : button.getAttribute("aria-label")
    button.onclick = { controls: SHOW.c, notes: SHOW.n, listed: () => dialog.showModal(), close: () => dialog.close() }[button.name]
  }
  mark()
}

function row({ keys, does }) {
  const line = document.createElement("tr")
  const head = Object.assign(document.createElement("th"), { scope: "row", textContent: keys })
  line.append(head, Object.assign(document.createElement("td"), { textContent: does }))
  return line
}
