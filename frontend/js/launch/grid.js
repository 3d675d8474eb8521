import { h, setText } from "../core/dom.js"
import { words } from "../core/format.js"
import { icon } from "../ui/icons.js"

const MOST = 5 // fields in a grid
const LEFT_OUT = new Set(["seed", "quirks", "robustness_epsilons"]) // seeds have their own field; lists are no values here

/** Fields of the configuration with several values each: every combination is launched. */
export class GridFields {
  element

  #fields // by name: the form's own, which know how a value is written
  #rows = []
  #list = h("div", { class: "grid-rows" })
  #error = h("p", { class: "field-error", id: "grid-error", role: "alert" })
  #add = h("button", { type: "button", class: "button button-small", onclick: () => this.#addRow() }, icon("add"), "Vary a field")
  #changed

  constructor(fields, changed) {
    this.#fields = new Map([...fields].filter(([name]) => !LEFT_OUT.has(name)))
    this.#changed = changed
    this.element = h("fieldset", { class: "field grid-field", "data-field": "grid" }, h("legend", { class: "field-label" }, "grid"), this.#list, this.#add, h("p", { class: "field-help" }, "Fields with several values each, comma between: every combination is one run."), this.#error)
  }

  /** `{field: values}`, of the rows in which something is written. */
  read() {
    return Object.fromEntries(this.#rows.map(({ select, input }) => [select.value, this.#values(select.value, input.value)]).filter(([, values]) => values.length > 0))
  }

  /** Shows another grid; none where nothing is given. */
  write(grid = {}) {
    for (const row of [...this.#rows]) this.#remove(row)
    for (const [name, values] of Object.entries(grid)) this.#addRow(name, values.join(", "))
  }

  complain(message) {
    setText(this.#error, message)
    for (const { input } of this.#rows) input.toggleAttribute("aria-invalid", Boolean(message))
  }

  get input() {
    return this.#rows[0]?.input ?? this.#add
  }

  #addRow(name = null, text = "") {
    const taken = new Set(this.#rows.map(({ select }) => select.value))
    const free = [...this.#fields.keys()].filter((field) => !taken.has(field))
    const select = h("select", { class: "select", "aria-label": "Field to vary" }, [...this.#fields.keys()].map((field) => h("option", { value: field }, words(field))))
    select.value = name ?? (free.includes("epsilon") ? "epsilon" : free[0])
    const input = h("input", { class: "input", "aria-label": "Its values, comma between", "aria-describedby": "grid-error", autocomplete: "off", spellcheck: "false", placeholder: "0, 4, 8" })
    input.value = text
    const row = { select, input }
    const remove = h("button", { type: "button", class: "button button-quiet button-square", "aria-label": "Vary this field no more", onclick: () => (this.#remove(row), this.#add.focus()) }, icon("close"))
    row.element = h("div", { class: "grid-row" }, select, input, remove)
    this.#rows.push(row)
    this.#list.append(row.element)
    this.#add.hidden = this.#rows.length >= MOST
    if (name === null) input.focus()
    this.#changed()
  }

  #remove(row) {
    this.#rows = this.#rows.filter((one) => one !== row)
    row.element.remove()
    this.#add.hidden = false
    this.complain("")
    this.#changed()
  }

  #values(name, text) {
    const field = this.#fields.get(name)
    return text.split(/[,;]/).map((part) => part.trim()).filter(Boolean).map((part) => field.parse(part))
  }
}
