import { h, setAttribute } from "../core/dom.js"

const FIRST_DOWNWARDS = new Set(["created", "started", "finished", "id", "launch", "test_accuracy", "train_accuracy", "best_test_accuracy", "epochs_done", "disk", "peak_memory", "duration"])

/** The head of the table: a button for each column that can be sorted by, and the box for all rows. */
export class TableHead {
  element = h("tr", { "aria-rowindex": 1 })

  #all
  #sort
  #sortBy

  constructor(sort, sortBy, chooseAll) {
    this.#sort = sort
    this.#sortBy = sortBy
    this.#all = h("input", { type: "checkbox", class: "check", "aria-label": "Choose all runs that match" })
    this.#all.addEventListener("change", () => chooseAll(this.#all.checked))
  }

  show(columns) {
    const check = h("th", { class: "col-check", scope: "col" }, h("label", { class: "check-area" }, this.#all))
    this.element.replaceChildren(check, ...columns.map((column) => this.#cell(column)))
  }

  mark(chosen, count) {
    this.#all.checked = chosen > 0 && chosen === count
    this.#all.indeterminate = chosen > 0 && chosen < count
  }

  #cell(column) {
    const { name, word, sort, width, isNumber } = column
    const cell = h("th", { class: `col-${name}${isNumber ? " number" : ""}`, scope: "col" })
    cell.style.width = name === "name" ? "auto" : `${width}px`
    if (sort === null) {
      cell.append(word)
      return cell
    }
    const isThis = this.#sort.replace("-", "") === sort
    setAttribute(cell, "aria-sort", isThis ? (this.#sort.startsWith("-") ? "descending" : "ascending") : null)
    cell.append(h("button", { type: "button", class: "sort", title: `Sort by ${word}`, onclick: () => this.#press(cell, sort) }, word))
    return cell
  }

  #press(cell, sort) {
    const now = cell.getAttribute("aria-sort")
    const isDown = now === "descending" || (now === null && !FIRST_DOWNWARDS.has(sort))
    this.#sort = isDown ? sort : `-${sort}`
    for (const other of this.element.children) other.removeAttribute("aria-sort")
    setAttribute(cell, "aria-sort", isDown ? "ascending" : "descending")
    this.#sortBy(this.#sort)
  }
}
