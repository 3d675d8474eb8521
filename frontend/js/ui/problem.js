import { h } from "../core/dom.js"
import { icon } from "./icons.js"

/** What went wrong, in a frame of its own, with a button to try again where that makes sense. */
export function problem(message, again = null) {
  const text = h("div", {}, h("p", {}, message))
  if (again) text.append(h("button", { type: "button", class: "link-button", onclick: again }, "Try again"))
  return h("div", { class: "problem", role: "alert" }, icon("warning"), text)
}
