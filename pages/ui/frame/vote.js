// A student's tap on an answer is counted or said not to be, also where the network was away: a message that is lost
// with a dying connection is lost in silence, so the answer is tapped again until the page shows it as the student's.
// `data`: what is said meanwhile, and where the vote was closed before.
const OFTEN = 500, SLOW = 1500, AGAIN = 2500 // milliseconds: between two looks; before it is said, and tapped, again
let pending = null // the answer that was tapped and is not yet shown as the student's

export default function ({data: [sending, late], parentElement}) {
  const status = parentElement.querySelector("p") ?? parentElement.appendChild(document.createElement("p"))
  status.setAttribute("role", "status")
  const say = (text = "") => status.textContent === text || (status.textContent = text)
  const off = new AbortController()
  document.addEventListener("click", (event) => tap(event, say), {signal: off.signal, capture: true})
  const looks = setInterval(() => pending && look(say, sending, late), OFTEN)
  return () => (off.abort(), clearInterval(looks))
}

function tap(event, say) {
  const place = event.isTrusted && event.target.closest("[class*=st-key-_vote_]")
  if (!place) return
  const [key] = place.className.match(/st-key-_vote_\S+/)
  pending = {key, answer: place.innerText.trim(), at: Date.now(), last: Date.now()}
  say()
}

function look(say, sending, late) {
  const button = document.querySelector(`.${pending.key} button`), now = Date.now()
  if (button?.dataset.testid === "stBaseButton-primary") return (pending = null), say()
  if (!button) {
    const told = document.querySelector(".stMain :is([data-testid=stAlert], .st-key-class_closed)") // why there is nothing to answer any more
    say(told ? "" : late.replace("%{answer}", pending.answer))
    pending = null
  } else if (now > pending.at + SLOW) {
    say(sending)
    if (now < pending.last + AGAIN || button.disabled) return
    pending.last = now
    button.click()
  }
}
