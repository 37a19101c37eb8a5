// Streamlit's client calls history.pushState for every change of the page's parameters, so that the browser's back
// button would undo one control after the other. Here a page is one entry of the history: an address of the same path
// replaces the one before. How the picture stands (clock, zoom, how it plays) is the stage's own matter, which only the
// address of the browser knows. `data` is the language of the page, which the browser's fonts and screen readers ask for.
export default function ({data}) {
  document.documentElement.lang = data[0]
  // On a small screen Streamlit's navigation is a list with sections between its items, which no list may have.
  for (const part of document.querySelectorAll('[data-testid=stSidebarNavItems], [data-testid=stSidebarNavItems] :is(ul, li)'))
    part.setAttribute('role', 'presentation')
  const push = history.pushState
  if (push.keepsPage) return

  history.pushState = function (state, unused, url) {
    const target = new URL(url ?? location.href, location.href)
    if (target.origin + target.pathname !== location.origin + location.pathname) return push.call(history, state, unused, url)
    const kept = new URLSearchParams(location.search)
    for (const name of ["clock", "zoom", "speed", "loop"])
      if (kept.has(name)) target.searchParams.set(name, kept.get(name))
      else target.searchParams.delete(name)
    target.hash = location.hash
    history.replaceState(state, unused, target)
  }
  history.pushState.keepsPage = true
}
