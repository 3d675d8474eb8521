import { h, on } from "../core/dom.js"
import { icon } from "./icons.js"

/**
 * A button that opens a small panel below itself; Escape, a press elsewhere and a focus that goes elsewhere close it.
 * `fill` gives what is in it, or a promise of it, and is called whenever it opens.
 */
export function menu(word, fill, signal) {
  const button = h("summary", { class: "button button-quiet" }, word, icon("down"))
  const panel = h("div", { class: "menu-panel card" })
  const element = h("details", { class: "menu" }, button, panel)
  element.addEventListener("toggle", async () => {
    if (!element.open) return
    panel.replaceChildren(await fill())
    panel.scrollIntoView({ block: "nearest" })
  })
  element.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !element.contains(relatedTarget)) element.open = false
  })
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !element.open) return
    event.stopPropagation()
    element.open = false
    button.focus()
  })
  on(document, "pointerdown", signal, ({ target }) => element.contains(target) || (element.open = false))
  return element
}
