// What a visitor does with the page's address as the browser has it, with the frame that the picture shows: copies it,
// asks for its QR code or adds it to the lecture plan. `data`: the buttons, the parameters that belong to one visitor
// only, the language where the address must name it, the words, and a link that is copied instead. A plan in the address's fragment goes to Python.
export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const box = parentElement.querySelector(".share") ?? document.createElement("div")
  if (data[0].includes("plan")) {
    window.onhashchange = () => takePlan(location.hash, setStateValue) // a link of the page that is open already
    takePlan(hashAtArrival(), setStateValue)
  }
  const made = JSON.stringify(data)
  if (box.dataset.made === made) return

  // What is printed has the link to the page as it stands.
  if (data[0].includes("copy")) window.onbeforeprint = () => printed(data[4] ?? linkOf(data[1], data[2], false))
  box.className = "share"
  box.dataset.made = made
  box.replaceChildren(...parts(data, setTriggerValue))
  parentElement.append(box)
}

function parts([kinds, own, language, words, given], send) {
  const status = document.createElement("span")
  status.setAttribute("role", "status")
  const presented = Object.assign(document.createElement("input"), { type: "checkbox" })
  const label = document.createElement("label")
  label.append(presented, words.presented ?? "")
  const link = () => given ?? linkOf(own, language, presented.checked)

  const acts = {
    copy: async () => {
      status.textContent = (await copied(link())) ? words.copied : words.failed
      setTimeout(() => (status.textContent = ""), 3000)
    },
    qr: () => send("qr", link()),
    add: () => send("add", linkOf(own, "", true, false)),
  }
  const buttons = kinds.filter((kind) => kind in acts).map((kind) =>
    Object.assign(document.createElement("button"), { type: "button", name: kind, textContent: words[kind], onclick: acts[kind] }))
  return [...buttons, ...(kinds.includes("presented") ? [label] : []), status]
}

// The address without what belongs to one visitor only. One that shows what this visitor sees, for a presentation, asks
// no question that was answered here.
function linkOf(own, language, asSeen, presenting = asSeen) {
  document.dispatchEvent(new Event("stage-address"))
  const link = new URL(location.href), given = new URLSearchParams(link.search)
  for (const name of own) link.searchParams.delete(name)
  if (asSeen && (given.has("guess") || given.get("predictions") === "false")) link.searchParams.set("predictions", "false")
  if (presenting) link.searchParams.set("present", "true")
  if (language) link.searchParams.set("lang", language)
  link.hash = ""
  return link.href
}

// In the margin of a printed page a link is broken nowhere but at spaces: it has some of no width.
function printed(link) {
  const parts = link.replace(/[/&,]|%2C/g, "$&\u200b")
  for (const [name, text] of [["--link", link], ["--link-parts", parts]]) document.documentElement.style.setProperty(name, JSON.stringify(text))
}

// Streamlit may have rewritten the address before this is loaded; what the browser was led to still has the fragment.
function hashAtArrival() {
  const [entry] = globalThis.__arrived ? [] : performance.getEntriesByType("navigation")
  globalThis.__arrived = true
  return location.hash || (entry ? new URL(entry.name).hash : "")
}

// Once: then the fragment leaves the address. As a state the plan outlasts a run that another one interrupts.
function takePlan(hash, send) {
  const [, plan] = hash.match(/^#plan=(.*)$/) ?? []
  if (plan === undefined) return
  history.replaceState(history.state, "", location.pathname + location.search)
  send("plan", plan)
}

// A classroom's server is often plain http, where browsers offer no clipboard object.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = Object.assign(document.createElement("textarea"), { value: text })
    document.body.append(field)
    field.select()
    const done = document.execCommand("copy")
    field.remove()
    return done
  }
}
