import { api } from "../core/api.js"
import { h, setText } from "../core/dom.js"
import { about } from "../core/format.js"

const WAIT = 250 // milliseconds without another change

/** What an estimate is based on, in a sentence. */
function basis({ basis, based_on }) {
  if (basis === "runs") return `By the epochs of run ${based_on.join(" and ")}, with all slots free.`
  return basis === "calibration" ? "By a trial with random images on this machine, with all slots free." : ""
}

/** How long what the form asks for would take, by what was measured on this machine. */
export function estimateText() {
  const element = h("span", { class: "muted", "data-testid": "estimate", "aria-live": "polite" })
  let timer = 0
  let newest = 0
  const ask = async (order, number) => {
    const found = await api.estimate(order).catch(() => null)
    if (number !== newest) return
    setText(element, found === null ? "" : found.total_seconds === null ? "time not measured yet" : about(found.total_seconds))
    element.title = found ? basis(found) : ""
  }
  const show = (order) => {
    clearTimeout(timer)
    const number = ++newest
    timer = setTimeout(() => ask(order, number), WAIT)
  }
  return { element, show }
}
