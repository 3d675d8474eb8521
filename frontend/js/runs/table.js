import { h } from "../core/dom.js"
import { go } from "../core/router.js"
import { store } from "../core/store.js"
import { Choice } from "./choice.js"
import { TableHead } from "./head.js"
import { RunRow } from "./row.js"
import { Sparks } from "./sparks.js"
import { RowWindow } from "./window.js"

/**
 * The table of runs: any number of them, of which those near what is seen are in the document.
 * Rows change in place and never change their order by themselves; what is chosen stays chosen, seen or not.
 */
export class RunsTable {
  ids = [] // of all runs that match, in order

  #count = 0 // of them; may be known before the ids are
  #columns = []
  #rows = new Map() // by run: those in the document
  #current = null // the id of the row that keys act on
  #choice = new Choice()
  #sparks
  #head
  #window
  #hears
  #body = h("tbody", {})
  #table

  /** `hears`: `sort(key)`, `choose(ids)`, `need(ids)` of runs that are seen and not known, `removed()`. */
  constructor(signal, sort, hears) {
    this.#hears = hears
    this.#sparks = new Sparks(signal)
    this.#head = new TableHead(sort, hears.sort, (all) => this.choose(all ? this.ids : []))
    this.#window = new RowWindow(this.#body, signal, (place) => this.#rowAt(place))
    this.#table = h("table", { class: "runs-table", "data-testid": "runs" }, h("thead", {}, this.#head.element), this.#body)
    this.element = h("div", { class: "card table-frame" }, this.#table)
    store.listen(signal, (event) => this.#hear(event))
    new ResizeObserver(() => this.#fit()).observe(this.element)
  }

  get isEmpty() {
    return this.#count === 0
  }

  get chosen() {
    return this.#choice.ids
  }

  get current() {
    return this.#current
  }

  has(id) {
    return this.#rows.has(id)
  }

  showColumns(columns, areChosen) {
    this.#columns = columns
    this.#head.show(columns)
    this.#table.toggleAttribute("data-columns", areChosen)
    this.#table.style.setProperty("--table-width", `${columns.reduce((sum, { width }) => sum + width, 40)}px`)
    this.#fit()
    this.#forgetRows()
    this.#window.show(this.#count)
  }

  /** Shows other runs: their ids, as far as they are known, and how many they are. */
  show(ids, count) {
    this.ids = ids
    this.#count = count
    this.#table.setAttribute("aria-rowcount", count + 1)
    this.#window.show(count)
    this.#tell()
  }

  /** Shows what has come to be known of runs that are seen. */
  fill() {
    this.#window.show(this.#count)
  }

  choose(ids) {
    this.#choice.replace(ids)
    this.#tell()
  }

  move(step) {
    if (this.ids.length === 0) return
    const place = Math.min(Math.max(this.ids.indexOf(this.#current) + step, 0), this.ids.length - 1)
    this.#current = this.ids[place]
    this.#window.reveal(place)
    this.#mark()
    this.#rows.get(this.#current)?.focus()
  }

  chooseCurrent(toHere = false) {
    if (this.#current !== null) this.#choose(this.#current, !this.chosen.has(this.#current), toHere)
  }

  openCurrent() {
    if (this.#current !== null) go(`/runs/${this.#current}`)
  }

  renameCurrent() {
    this.#rows.get(this.#current)?.rename()
  }

  /** Takes runs out of the table, which are somewhere else now. */
  remove(gone) {
    const lost = this.ids.filter((id) => gone.has(id)).length
    this.ids = this.ids.filter((id) => !gone.has(id))
    this.#choice.remove(gone)
    this.show(this.ids, this.#count - lost)
    if (lost > 0) this.#hears.removed(lost)
  }

  #rowAt(place) {
    const id = this.ids[place]
    const run = store.get(id)
    if (!run) {
      this.#hears.need(id === undefined ? null : id)
      return h("tr", { class: "row-waiting", "aria-hidden": "true" }, h("td", { colspan: this.#columns.length + 1 }, h("span", { class: "skeleton skeleton-line" })))
    }
    let row = this.#rows.get(id)
    if (!row) {
      row = new RunRow(run, this.#columns, (...choice) => this.#choose(...choice))
      this.#rows.set(id, row)
      if (row.spark) this.#sparks.show(run, row.spark)
      this.#forgetLater()
    }
    row.mark({ isChosen: this.chosen.has(id), isCurrent: id === this.#current, place })
    return row.element
  }

  // Rows that have left the document are made anew when they come back: what they show is kept elsewhere.
  #forgetLater() {
    queueMicrotask(() => {
      for (const [id, row] of this.#rows) if (!row.element.isConnected && this.element.isConnected) this.#forget(id)
    })
  }

  #forgetRows() {
    for (const id of [...this.#rows.keys()]) this.#forget(id)
  }

  #forget(id) {
    this.#rows.delete(id)
    this.#sparks.hide(id)
  }

  #hear({ kind, id, data }) {
    if (kind === "removed" || (kind === "run" && this.ids.includes(id) && Boolean(data.deleted_at) !== this.#hears.isTrash)) return this.remove(new Set([id]))
    this.#rows.get(id)?.update(store.get(id))
  }

  #choose(id, isChosen, toHere) {
    this.#choice.set(this.ids, id, isChosen, toHere)
    this.#current = id
    this.#tell()
  }

  #tell() {
    this.#head.mark(this.chosen.size, this.#count)
    this.#mark()
    this.#hears.choose(this.chosen)
  }

  #mark() {
    for (const [id, row] of this.#rows) row.mark({ isChosen: this.chosen.has(id), isCurrent: id === this.#current, place: this.ids.indexOf(id) })
  }

  #fit() {
    const wanted = parseInt(this.#table.style.getPropertyValue("--table-width"), 10)
    this.element.toggleAttribute("data-wide", this.#table.hasAttribute("data-columns") && wanted > this.element.clientWidth)
  }
}
