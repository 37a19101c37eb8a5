// Files that a learner has brought, in the browser's IndexedDB. `data`: the session that asks, which makes it another question
// after a restart of the server; the name of a file; what is to be done with it; and for "write" its title and its content
// in base64. "ask" answers with the trigger "file", if there is one; "write" with "written": whether it is kept.
const BASE = "stored", FILES = "files"

export default function ({data: [session, name, order, title, content], setTriggerValue}) {
  const act = {
    ask: () => ask(name).then(found => found && setTriggerValue("file", [session, ...found])),
    write: () => write(name, title, content).then(() => true, () => false).then(kept => setTriggerValue("written", [session, kept])),
    remove: () => request("readwrite", files => files.delete(name)),
  }
  act[order]().catch(() => {}) // in some private windows there is no such store
}

async function ask(name) {
  const found = await request("readonly", files => files.get(name))
  return found && [found.title, (await url(found.content)).split(",")[1]]
}

async function write(name, title, content) {
  const {buffer} = Uint8Array.from(atob(content), sign => sign.charCodeAt(0))
  await request("readwrite", files => files.put({title, content: buffer}, name))
}

function url(buffer) {
  return new Promise((resolve, reject) => {
    const reader = Object.assign(new FileReader(), {onload: () => resolve(reader.result), onerror: reject})
    reader.readAsDataURL(new Blob([buffer]))
  })
}

async function request(mode, make) {
  const base = await opened()
  try {
    return await new Promise((resolve, reject) => {
      const transaction = base.transaction(FILES, mode), asked = make(transaction.objectStore(FILES))
      transaction.oncomplete = () => resolve(asked.result)
      transaction.onerror = transaction.onabort = () => reject(transaction.error)
    })
  } finally {
    base.close()
  }
}

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(BASE, 1)
    asked.onupgradeneeded = () => asked.result.createObjectStore(FILES)
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(asked.error)
  })
}
