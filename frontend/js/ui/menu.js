import { h } from "../core/dom.js"
import { icon } from "./icons.js"

/** A button that opens a small panel below itself; Escape and a press elsewhere close it. `fill` makes what is in it. */
export function menu(word, fill, signal) {
  const button = h("summary", { class: "button button-quiet" }, word, icon("down"))
  const panel = h("div", { class: "menu-panel card" })
  const element = h("details", { class: "menu" }, button, panel)
  element.addEventListener("toggle", () => {
    if (!element.open) return
    panel.replaceChildren(fill())
    panel.scrollIntoView({ block: "nearest" })
  })
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !element.open) return
    event.stopPropagation()
    element.open = false
    button.focus()
  })
  document.addEventListener("pointerdown", ({ target }) => element.contains(target) || (element.open = false), { signal })
  return element
}
