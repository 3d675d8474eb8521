import { h } from "../core/dom.js"
import { icon } from "./icons.js"

const SHOWN_FOR = 10_000 // milliseconds; long enough to read and to undo

let leave = () => {} // ends the toast that is shown

/**
 * Says what was done, with a way back where there is one; `gone` is called once that way is closed.
 * `more` is a word and what shows more of it: the toast stays.
 */
export function toast(message, { undo = null, bad = false, gone = null, more = null } = {}) {
  leave()
  let isOver = false
  const end = (after) => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    element.remove()
    window.removeEventListener("pagehide", close)
    after?.()
  }
  const close = () => end(gone)
  const element = h(
    "div",
    { class: bad ? "toast toast-bad" : "toast", "data-testid": "toast" },
    h("p", { dir: "auto" }, message),
    more && h("button", { type: "button", class: "button button-small", onclick: more[1] }, more[0]),
    undo && h("button", { type: "button", class: "button button-small", onclick: () => end(undo) }, "Undo"),
    h("button", { type: "button", class: "button button-quiet button-small button-square", "aria-label": "Close", onclick: close }, icon("close")),
  )
  leave = close
  document.getElementById("toasts").replaceChildren(element)
  let timer = setTimeout(close, SHOWN_FOR)
  const wait = () => clearTimeout(timer)
  const goOn = () => {
    wait()
    if (!isOver) timer = setTimeout(close, SHOWN_FOR)
  }
  if (gone) window.addEventListener("pagehide", close)
  for (const type of ["pointerenter", "focusin"]) element.addEventListener(type, wait)
  for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, goOn)
}

/** Says what went wrong. */
export function toastError(error) {
  toast(error.message, { bad: true })
}
