// What a page says while its server does not answer, in the place of Streamlit's own dialog, which asks whether one is
// connected to the internet. Streamlit's client finds the server again by itself, and brings the page to where it was.
// `data`: the words, in short and in full, because they cannot be asked for then.
const SOON = 2000 // milliseconds: a connection that is lost for a moment only is not worth a word
const NAME = "server-lost"

export default function ({data: words}) {
  const app = document.querySelector("[data-testid=stApp]")
  let timer = null
  const look = () => {
    const lost = app.dataset.testConnectionState !== "CONNECTED"
    if (lost) timer ??= setTimeout(say, SOON, words)
    else timer = forget(timer)
  }
  const watcher = new MutationObserver(look)
  watcher.observe(app, {attributeFilter: ["data-test-connection-state"]})
  look()
  return () => {
    watcher.disconnect()
    clearTimeout(timer)
  }
}

function say([title, text]) {
  forget()
  const box = Object.assign(document.createElement("div"), {className: NAME, role: "alert"})
  box.dataset.liveAnnouncer = true // by which Streamlit's dialog, though nobody sees it, leaves it to screen readers
  for (const [tag, word] of [["strong", title], ["p", text]])
    box.append(Object.assign(document.createElement(tag), {textContent: word}))
  document.documentElement.classList.add(NAME)
  document.body.append(box)
}

function forget(timer) {
  clearTimeout(timer)
  document.documentElement.classList.remove(NAME)
  document.querySelector(`div.${NAME}`)?.remove()
  return null
}
