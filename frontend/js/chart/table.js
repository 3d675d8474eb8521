import { h, setAttribute } from "../core/dom.js"
import { count } from "../core/format.js"
import { icon } from "../ui/icons.js"
import { ownerOf } from "./owner.js"

const MOST = 2_000 // rows; more would make the page slow, and the newest are what one looks for

/**
 * The numbers behind a chart, as a table over it, and the button that shows it. `read` gives `{columns, rows}`;
 * `element` lies over the chart, so that nothing moves.
 */
export class TableToggle {
  element
  button

  #read
  #title

  constructor(title, read) {
    this.#read = read
    this.#title = title
    this.element = h("div", { class: "chart-table", hidden: true, tabindex: 0, role: "region", "aria-label": `${title}, table` })
    this.button = h("button", { type: "button", class: "button button-quiet button-small button-square table-button", "aria-pressed": "false", "aria-label": `${title}, as a table`, title: "Show as a table", onclick: () => this.#toggle() }, icon("table"))
  }

  /** Writes the table anew, if it is shown. */
  update() {
    if (this.element.hidden) return
    const { columns, rows } = this.#read() ?? { columns: [], rows: [] }
    const shown = rows.slice(-MOST)
    const caption = rows.length === 0 ? "There are no numbers yet." : rows.length > MOST ? `The last ${count(MOST)} of ${count(rows.length)} rows.` : ""
    const head = h("tr", {}, columns.map((column) => h("th", { scope: "col" }, column)))
    const body = shown.map((row) => h("tr", {}, row.map((value, place) => h(place ? "td" : "th", place ? {} : { scope: "row" }, String(value ?? "–")))))
    const scrolled = this.element.scrollTop
    this.element.replaceChildren(h("table", { "aria-label": this.#title }, caption && h("caption", { class: "muted" }, caption), h("thead", {}, head), h("tbody", {}, body)))
    this.element.scrollTop = scrolled
  }

  #toggle() {
    this.element.hidden = !this.element.hidden
    setAttribute(this.button, "aria-pressed", String(!this.element.hidden))
    this.update()
  }
}

/** The numbers of a figure of curves: a row an epoch, a column a line. */
export function curvesTable(figure, name) {
  const lines = figure?.data.filter(({ meta }) => meta.metric) ?? []
  const unit = name === "accuracy" ? ", %" : ", nats"
  const runs = new Set(lines.map(({ meta }) => ownerOf(meta)))
  const columns = lines.map(({ meta }) => `${runs.size > 1 ? `${meta.label}, ` : ""}${meta.metric.split("_")[0]}${unit}`)
  const values = lines.map(({ x, y }) => new Map(x.map((epoch, place) => [epoch, y[place]])))
  const epochs = [...new Set(lines.flatMap(({ x }) => x))].sort((one, other) => one - other)
  const decimals = name === "accuracy" ? 2 : 4
  return { columns: [figure?.layout.meta?.x ?? "epoch", ...columns], rows: epochs.map((epoch) => [epoch, ...values.map((line) => line.get(epoch)?.toFixed(decimals))]) }
}
