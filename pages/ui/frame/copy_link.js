// Copies the page's address, without the parameters that belong to one visitor only and with the language of
// the page (data: these parameters, the words, and the language).
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button")
  const status = parentElement.querySelector("span")
  const [unshared, words, language] = data

  button.textContent = words.label

  button.onclick = async () => {
    const link = new URL(location.href)
    for (const name of unshared) link.searchParams.delete(name)
    if (language) link.searchParams.set("lang", language)
    status.textContent = (await copied(link.href)) ? words.copied : words.failed
    setTimeout(() => (status.textContent = ""), 3000)
  }
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
