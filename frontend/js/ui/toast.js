import { h } from "../core/dom.js"
import { icon } from "./icons.js"

const SHOWN_FOR = 10_000 // milliseconds; long enough to read and to undo

/** Says what was done, with a way back where there is one. */
export function toast(message, { undo = null, bad = false } = {}) {
  const close = () => element.remove()
  const element = h(
    "div",
    { class: bad ? "toast toast-bad" : "toast", "data-testid": "toast" },
    h("p", {}, message),
    undo && h("button", { type: "button", class: "button button-small", onclick: () => (close(), undo()) }, "Undo"),
    h("button", { type: "button", class: "button button-quiet button-small button-square", "aria-label": "Close", onclick: close }, icon("close")),
  )
  document.getElementById("toasts").replaceChildren(element)
  let timer = setTimeout(close, SHOWN_FOR)
  const wait = () => clearTimeout(timer)
  const goOn = () => {
    wait()
    timer = setTimeout(close, SHOWN_FOR)
  }
  for (const type of ["pointerenter", "focusin"]) element.addEventListener(type, wait)
  for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, goOn)
}

/** Says what went wrong. */
export function toastError(error) {
  toast(error.message, { bad: true })
}
