const KEY = "lab-theme"
const CHOICES = ["auto", "light", "dark"]
const system = matchMedia("(prefers-color-scheme: dark)")

/** What was chosen: `auto` follows the system. */
export function chosenTheme() {
  return document.documentElement.dataset.theme ?? "auto"
}

/** What is shown: `light` or `dark`. */
export function shownTheme() {
  const chosen = chosenTheme()
  return chosen === "auto" ? (system.matches ? "dark" : "light") : chosen
}

/** Goes on to the next choice and remembers it. */
export function nextTheme() {
  const next = CHOICES[(CHOICES.indexOf(chosenTheme()) + 1) % CHOICES.length]
  if (next === "auto") {
    delete document.documentElement.dataset.theme
    localStorage.removeItem(KEY)
  } else {
    document.documentElement.dataset.theme = next
    localStorage.setItem(KEY, next)
  }
  tell()
}

/** Calls `listener` whenever another theme is shown. */
export function onTheme(signal, listener) {
  window.addEventListener("lab:theme", listener, { signal })
}

let shown = shownTheme()

function tell() {
  if (shownTheme() === shown) return
  shown = shownTheme()
  window.dispatchEvent(new Event("lab:theme"))
}

system.addEventListener("change", tell)
