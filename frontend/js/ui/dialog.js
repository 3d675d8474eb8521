import { h } from "../core/dom.js"
import { icon } from "./icons.js"

/**
 * A modal dialog, not yet shown. The browser keeps the focus inside, closes it on Escape and gives the focus back;
 * it is gone once closed. A press on what lies behind closes it too.
 */
export function dialog(title, className, ...content) {
  const close = h("button", { type: "button", class: "button button-quiet button-square", "aria-label": "Close" }, icon("close"))
  const head = h("header", { class: "dialog-head" }, h("h2", {}, title), close)
  const element = h("dialog", { class: `dialog ${className}`, "aria-label": title }, head, ...content)
  close.addEventListener("click", () => element.close())
  element.addEventListener("pointerdown", (event) => event.target === element && element.close())
  element.addEventListener("close", () => element.remove())
  document.body.append(element)
  return element
}
