import { FigureCard } from "../chart/figure.js"
import { h } from "../core/dom.js"

const SCALES = [
  ["true", "log"],
  ["false", "linear"],
]
const PENDING = "A worker counts the pixels…"

/** How often each value occurs among a data set's pixels, before and after preprocessing; `query` names set and preprocessing. */
export function histogramPair(query, signal) {
  const card = (stage, title) =>
    new FigureCard("histogram", title, signal, {
      look: "chart-histogram",
      query: () => ({ ...query(), stage }),
      choice: { key: "log", label: "Scale of shares", options: SCALES, chosen: "true" },
      pending: PENDING,
    })
  const cards = [card("before", "Before preprocessing"), card("after", "After preprocessing")]
  return { element: h("div", { class: "chart-pair" }, cards.map(({ element }) => element)), renew: () => cards.forEach((one) => one.renew()) }
}
