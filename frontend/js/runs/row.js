import { h, setAttribute } from "../core/dom.js"
import { makeCell } from "./cells.js"

/** One run as a row; at phone width, as a card. `update` changes what has changed and nothing else. */
export class RunRow {
  #check
  #cells

  /** `chosen` hears of the box: whether it is ticked, and whether all since the one before are meant. */
  constructor(run, columns, chosen) {
    this.run = run
    this.#check = h("input", { type: "checkbox", class: "check" })
    this.#check.addEventListener("click", (event) => chosen(run.id, this.#check.checked, event.shiftKey))
    this.#cells = columns.map((column) => makeCell(column, run))
    this.spark = this.#cells.find(({ spark }) => spark)?.spark ?? null
    this.element = h("tr", { "data-run": run.id }, h("td", { class: "col-check" }, h("label", { class: "check-area" }, this.#check)), this.#cells.map(({ element }) => element))
    this.update(run)
  }

  mark({ isChosen, isCurrent, place }) {
    this.#check.checked = isChosen
    setAttribute(this.element, "data-chosen", isChosen)
    setAttribute(this.element, "data-current", isCurrent)
    setAttribute(this.element, "aria-rowindex", place + 2)
  }

  update(run) {
    this.run = run
    setAttribute(this.#check, "aria-label", `Choose ${run.name}`)
    for (const cell of this.#cells) cell.update(run)
  }

  focus() {
    this.element.querySelector("a").focus({ preventScroll: true })
  }

  rename() {
    this.#cells.find(({ edit }) => edit)?.edit()
  }
}
