import { api } from "../core/api.js"
import { h, setText } from "../core/dom.js"
import { about } from "../core/format.js"

const WAIT = 250 // milliseconds without another change

/** How long what the form asks for would take, by what was measured on this machine. */
export function estimateText() {
  const element = h("span", { class: "muted", "data-testid": "estimate", "aria-live": "polite" })
  let timer = 0
  let newest = 0
  const ask = async (order, number) => {
    const found = await api.estimate(order).catch(() => null)
    if (number !== newest) return
    setText(element, found === null ? "" : found.total_seconds === null ? "time not measured yet" : about(found.total_seconds))
    element.title = found?.based_on.length ? `By the epochs of run ${found.based_on.join(" and ")}, with all slots free.` : ""
  }
  const show = (order) => {
    clearTimeout(timer)
    const number = ++newest
    timer = setTimeout(() => ask(order, number), WAIT)
  }
  return { element, show }
}
