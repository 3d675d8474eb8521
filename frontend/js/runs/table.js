import { h, setAttribute } from "../core/dom.js"
import { go } from "../core/router.js"
import { store } from "../core/store.js"
import { RunRow } from "./row.js"
import { Sparks } from "./sparks.js"

// Class of the column, its head, and the key that the service sorts it by.
const COLUMNS = [
  ["name", "name", "name"],
  ["method", "method", "backprop"],
  ["dataset", "data set", "dataset"],
  ["status", "state", "status"],
  ["epoch", "epochs", "epochs_done"],
  ["test", "test, %", "test_accuracy"],
  ["train", "train, %", "train_accuracy"],
  ["spark", "test accuracy", null],
  ["time", "time", null],
  ["created", "launched", "created"],
]
const FIRST_DOWNWARDS = new Set(["created", "test_accuracy", "train_accuracy", "epochs_done"])

/** The table of runs. Rows change in place and never change their order by themselves. */
export class RunsTable {
  #rows = new Map()
  #current = -1
  #sparks
  #choose
  #removed
  #all = h("input", { type: "checkbox", class: "check", "aria-label": "Choose all runs shown" })
  #body = h("tbody", {})

  constructor(signal, sort, { sort: sortBy, choose, removed }) {
    this.#choose = choose
    this.#removed = removed
    this.#sparks = new Sparks(signal)
    this.#all.addEventListener("change", () => this.#chooseAll(this.#all.checked))
    const heads = COLUMNS.map(([name, word, key]) => this.#head(name, word, key, sort, sortBy))
    const head = h("thead", {}, h("tr", {}, h("th", { class: "col-check", scope: "col" }, this.#all), heads))
    this.element = h("div", { class: "card table-frame" }, h("table", { class: "runs-table", "data-testid": "runs" }, head, this.#body))
    store.listen(signal, (event) => this.#hear(event))
  }

  has(id) {
    return this.#rows.has(id)
  }

  get isEmpty() {
    return this.#rows.size === 0
  }

  /** The chosen runs, in the order of the table. */
  get chosen() {
    return [...this.#rows.values()].filter((row) => row.isChosen).map((row) => row.run)
  }

  show(runs) {
    const chosen = new Set(this.chosen.map(({ id }) => id))
    for (const id of this.#rows.keys()) this.#sparks.forget(id)
    this.#rows.clear()
    this.#body.replaceChildren()
    this.#current = -1
    this.append(runs)
    for (const id of chosen) this.#rows.get(id)?.choose(true)
    this.#tell()
  }

  append(runs) {
    for (const run of runs) {
      if (this.#rows.has(run.id)) continue
      const row = new RunRow(run, () => this.#tell())
      this.#rows.set(run.id, row)
      this.#body.append(row.element)
      this.#sparks.watch(run, row.spark)
    }
  }

  clearChoice() {
    this.#chooseAll(false)
  }

  move(step) {
    const rows = [...this.#rows.values()]
    if (rows.length === 0) return
    rows[this.#current]?.element.removeAttribute("data-current")
    this.#current = Math.min(Math.max(this.#current + step, 0), rows.length - 1)
    const { element } = rows[this.#current]
    setAttribute(element, "data-current", true)
    element.querySelector("a").focus({ preventScroll: true })
    element.scrollIntoView({ block: "nearest" })
  }

  chooseCurrent() {
    const row = [...this.#rows.values()][this.#current]
    row?.choose(!row.isChosen)
    this.#tell()
  }

  openCurrent() {
    const row = [...this.#rows.values()][this.#current]
    if (row) go(`/runs/${row.run.id}`)
  }

  #head(name, word, key, sort, sortBy) {
    const cell = h("th", { class: `col-${name}`, scope: "col" })
    if (key === null) {
      cell.append(word)
      return cell
    }
    const button = h("button", { type: "button", class: "sort" }, word)
    const mark = (chosen) => {
      const is = chosen.replace("-", "") === key
      setAttribute(cell, "aria-sort", is ? (chosen.startsWith("-") ? "descending" : "ascending") : null)
    }
    button.addEventListener("click", () => {
      const isDown = cell.getAttribute("aria-sort") === "descending"
      const isUp = cell.getAttribute("aria-sort") === "ascending"
      const next = isDown || (!isUp && !FIRST_DOWNWARDS.has(key)) ? key : `-${key}`
      for (const other of cell.parentElement.children) other.removeAttribute("aria-sort")
      mark(next)
      sortBy(next)
    })
    mark(sort)
    cell.append(button)
    return cell
  }

  #hear({ kind, id, data }) {
    const row = this.#rows.get(id)
    if (!row) return
    if (kind === "removed" || (kind === "run" && Boolean(data.deleted_at) !== row.isDeleted)) this.#remove(id)
    else row.update(store.get(id))
  }

  #remove(id) {
    this.#rows.get(id).element.remove()
    this.#rows.delete(id)
    this.#sparks.forget(id)
    this.#removed()
    this.#tell()
  }

  #chooseAll(chosen) {
    for (const row of this.#rows.values()) row.choose(chosen)
    this.#tell()
  }

  #tell() {
    const { chosen } = this
    this.#all.checked = chosen.length > 0 && chosen.length === this.#rows.size
    this.#all.indeterminate = chosen.length > 0 && chosen.length < this.#rows.size
    this.#choose(chosen)
  }
}
