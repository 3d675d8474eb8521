import { h, setText } from "../core/dom.js"
import { plural } from "../core/format.js"
import { store } from "../core/store.js"

const FIXED = new Set(["created", "id", "name", "dataset", "backprop"]) // what a run does not change by itself

/** Rows stay where the eye has them: new runs wait behind a button, a changed order behind "Sort again". */
export class News {
  element

  #table
  #source
  #unseen = new Set()

  constructor(table, source, load, signal) {
    this.#table = table
    this.#source = source
    this.element = h("button", { type: "button", class: "button button-small", hidden: true, "data-testid": "show-new", onclick: load })
    store.listen(signal, (event) => this.#hear(event))
  }

  clear() {
    this.#unseen.clear()
    this.element.hidden = true
  }

  #hear({ kind, id, data, isNew }) {
    const { sort, deleted } = this.#source.query
    if (kind === "run" && isNew && !data.deleted_at && !deleted) this.#unseen.add(id)
    if (kind === "removed" || (kind === "run" && data.deleted_at)) this.#unseen.delete(id)
    const isStale = ["epoch", "run"].includes(kind) && this.#table.has(id) && !FIXED.has(sort.replace("-", ""))
    if (this.#unseen.size > 0) setText(this.element, `${plural(this.#unseen.size, "new run")}: show`)
    else if (isStale) setText(this.element, "Sort again")
    else return
    this.element.hidden = false
  }
}
