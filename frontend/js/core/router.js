import { h } from "./dom.js"
import { store } from "./store.js"

const LAUNCH = /^#launch(?:=(\d+))?$/ // "#launch=7" starts from the configuration of run 7

let routes = []
let root = null
let view = null // what is shown: its address without the hash, and how to end it
let openPanel = null
let panel = null

/**
 * Shows the page of the address now and whenever it changes; `openLaunch` gives the panel for "#launch". `table` has
 * for each pattern of an address a function that loads its page.
 */
export function startRouter(main, table, openLaunch) {
  root = main
  routes = table
  openPanel = openLaunch
  // A page that is come back to scrolls itself to where it was, once what it shows is there.
  history.scrollRestoration = "manual"
  window.addEventListener("popstate", () => show(true))
  window.addEventListener("hashchange", () => show())
  document.addEventListener("click", followLink)
  const { signal } = new AbortController()
  store.listen(signal, ({ kind }) => kind === "reset" && reload())
  show()
}

/** Goes to an address of this page. */
export function go(address) {
  if (new URL(address, location.href).href === location.href) return
  history.pushState({ inside: true }, "", address)
  show()
}

/** Goes to an address in place of the present one, and shows its page anew. */
export function goInstead(address) {
  history.replaceState(null, "", address)
  reload()
}

/** Writes the view's state into the address, without a step to go back to. */
export function remember(query) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== null)).toString()
  // A comma may stand in an address as it is, and ids are easier to read so.
  history.replaceState(history.state, "", location.pathname + (search ? `?${search.replaceAll("%2C", ",")}` : "") + location.hash)
  view.address = address()
}

/** Leaves the panel's address: back to where it was opened. */
export function leavePanel() {
  if (!LAUNCH.test(location.hash)) return
  if (history.state?.inside) history.back()
  else go(location.pathname + location.search)
}

/** Shows the page anew, from what the service knows now. */
export function reload() {
  view = { ...view, address: null }
  show()
}

function show(isReturn = false) {
  showPage(isReturn)
  const found = LAUNCH.exec(location.hash)
  if (found && panel === null) panel = openPanel(found[1] ? Number(found[1]) : null)
  if (!found && panel !== null) {
    panel.close()
    panel = null
  }
}

async function showPage(isReturn) {
  if (view?.address === address()) return
  const isFirst = view === null
  view?.controller.abort()
  const shown = { address: address(), controller: new AbortController() }
  view = shown
  const [match, load] = findRoute()
  root.replaceChildren()
  if (load === null) return root.append(notFound())
  const page = await load()
  if (shown.controller.signal.aborted) return // another page was asked for meanwhile
  document.title = `${page({ root, match, query: new URLSearchParams(location.search), signal: shown.controller.signal, isReturn })} · Backprop Lab`
  window.dispatchEvent(new Event("lab:page"))
  if (!isFirst) {
    window.scrollTo(0, 0)
    root.focus({ preventScroll: true })
  }
}

function findRoute() {
  for (const [pattern, load] of routes) {
    const match = pattern.exec(location.pathname)
    if (match) return [match, load]
  }
  return [null, null]
}

function notFound() {
  document.title = "Not found · Backprop Lab"
  return h("div", { class: "empty" }, h("h1", {}, "There is no such page"), h("a", { class: "button", href: "/" }, "To the runs"))
}

function followLink(event) {
  const link = event.target.closest?.("a[href]")
  if (!link || event.defaultPrevented || event.button !== 0) return
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target || link.hasAttribute("download")) return
  const url = new URL(link.href)
  const isPage = url.origin === location.origin && routes.some(([pattern]) => pattern.test(url.pathname))
  if (!isPage || link.getAttribute("href").startsWith("#main")) return
  event.preventDefault()
  go(url.pathname + url.search + url.hash)
}

function address() {
  return location.pathname + location.search
}
