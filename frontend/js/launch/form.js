import { h, setText } from "../core/dom.js"
import { isEqual } from "../core/equal.js"
import { plural } from "../core/format.js"
import { makeField } from "./field.js"
import { GridFields } from "./grid.js"
import { methodChoice } from "./method.js"
import { seedsFrom, totalText } from "./total.js"

const EXTRAS = ["seeds", "name", "tags"] // of the launch itself, not of the configuration

/** The form of a launch, made from the schema of the service: what it gains, the form gains. */
export class LaunchForm {
  #fields = new Map()
  #extras = new Map()
  #method
  #datasets
  #note = h("p", { class: "field-note" })
  #listener = () => {}
  #grid
  #original = null

  constructor(schema, datasets) {
    this.#datasets = new Map(datasets.map((dataset) => [dataset.name, dataset]))
    const { properties } = schema.$defs.TrainConfig
    for (const [name, part] of Object.entries(properties)) {
      if (name === "backprop") this.#method = methodChoice(part, schema.$defs, () => this.#changed())
      else this.#fields.set(name, makeField(name, part, schema.$defs, name === "dataset" ? (option) => this.#datasetWord(option) : undefined))
    }
    for (const name of EXTRAS) this.#extras.set(name, makeField(name, { type: "string", ...schema.properties[name], anyOf: undefined, default: "" }, schema.$defs))
    this.#extras.get("tags").help.textContent = "Words to find the runs by, comma between."
    this.#extras.get("seeds").help.textContent = "A count (seed, seed + 1, …), or a list such as 1, 5, 8; empty: the seed alone."
    this.#fields.get("dataset")?.element.append(this.#note)
    this.#grid = new GridFields(this.#fields, () => this.#changed())
    const open = [...this.#fields.values()].filter(({ isFolded }) => !isFolded)
    const folded = [...this.#fields.values()].filter(({ isFolded }) => isFolded)
    this.element = h(
      "form",
      { class: "launch-form", novalidate: true, "data-testid": "launch-form" },
      this.#method.element,
      h("div", { class: "fields" }, open.map(({ element }) => element), this.#extras.get("seeds").element),
      this.#grid.element,
      h("details", { class: "more-fields" }, h("summary", {}, `More: ${folded.map(({ name }) => name.replaceAll("_", " ")).join(", ")}`), h("div", { class: "fields" }, folded.map(({ element }) => element))),
      h("div", { class: "fields" }, this.#extras.get("name").element, this.#extras.get("tags").element),
      h("button", { class: "unseen", tabindex: -1 }, "Launch"),
    )
    this.element.addEventListener("input", ({ target }) => {
      // What was wrong with a field is no longer true of what is typed now.
      for (const field of [...this.#fields.values(), ...this.#extras.values()]) if (field.input === target) field.complain("")
      if (this.#grid.element.contains(target)) this.#grid.complain("")
      this.#changed()
    })
  }

  onChange(listener) {
    this.#listener = listener
  }

  /** Marks from now on what differs from the run that the form was filled from. */
  compareWith(original) {
    this.#original = original
    this.#changed()
  }

  /** The whole configuration and the rest, as the form shows it. */
  read() {
    const config = Object.fromEntries([...this.#fields].map(([name, field]) => [name, field.read()]))
    const { backprop, pair } = this.#method.read()
    const tags = this.#text("tags").split(",").map((tag) => tag.trim()).filter(Boolean)
    return { config: { ...config, backprop }, pair, seeds: seedsFrom(this.#text("seeds")), name: this.#text("name"), tags, grid: this.#grid.read() }
  }

  write({ config, pair, name, tags, grid }) {
    for (const [field, value] of Object.entries(config)) this.#fields.get(field)?.write(value)
    this.#method.write(config.backprop, pair)
    if (name !== undefined) this.#extras.get("name").write(name)
    if (tags !== undefined) this.#extras.get("tags").write(tags.join(", "))
    this.#grid.write(grid)
    this.clearErrors()
    this.#changed()
  }

  /** What is sent: whatever is not the service's default. */
  order() {
    const { config, pair, seeds, name, tags, grid } = this.read()
    const isDefault = ([field, value]) => isEqual(value, field === "backprop" ? this.#method.default : this.#fields.get(field).default)
    const sent = Object.entries(config).filter((entry) => !isDefault(entry) && !(pair && entry[0] === "backprop") && !(entry[0] in grid) && this.#isUsed(entry[0], config, pair))
    return { config: Object.fromEntries(sent), ...(pair && { pair }), ...(seeds !== null && { seeds }), ...(name && { name }), ...(tags.length > 0 && { tags }), ...(Object.keys(grid).length > 0 && { grid }), ...(this.#original && { parent_id: this.#original.id }) }
  }

  totalText() {
    return totalText(this.read())
  }

  clearErrors() {
    for (const field of [...this.#fields.values(), ...this.#extras.values()]) field.complain("")
    this.#method.complain("")
    this.#grid.complain("")
  }

  /** Each of the service's words beside its field; the first wrong field gets the focus. Gives those that have no field. */
  showErrors(problems) {
    const rest = []
    const wrong = []
    for (const problem of problems) {
      const { field: path, message } = problem
      const name = path.split(".").find((part) => part !== "config")
      const field = name === "grid" ? this.#grid : name === "backprop" || name === "pair" ? this.#method : (this.#fields.get(name) ?? this.#extras.get(name))
      if (!field) rest.push(problem)
      else if (!wrong.includes(field)) {
        field.complain(message)
        wrong.push(field)
        field.input.closest("details")?.setAttribute("open", "")
      }
    }
    const inOrder = wrong.sort((a, b) => (a.input.compareDocumentPosition(b.input) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1))
    inOrder[0]?.input.focus()
    return rest
  }

  #changed() {
    const { config, pair } = this.read()
    for (const field of this.#fields.values()) field.element.hidden = !this.#isUsed(field.name, config, pair)
    const dataset = this.#datasets.get(config.dataset)
    setText(this.#note, dataset && !dataset.ready ? `${plural(dataset.missing.length, "file")} not here yet: fetched by the first run, or put into ${dataset.folder} of the data folder (see Data).` : "")
    this.#markChanges(config)
    this.#listener()
  }

  #markChanges(config) {
    if (this.#original === null) return
    const elements = new Map([...this.#fields].map(([name, field]) => [name, field.element]))
    this.#original.marks.show(elements.set("backprop", this.#method.element), config, (name, value) => this.write({ config: { ...config, [name]: value }, pair: false, grid: this.#grid.read() }))
  }

  #isUsed(name, config, pair) {
    const wanted = this.#fields.get(name)?.onlyIf
    return !wanted || Object.entries(wanted).every(([field, value]) => config[field] === value || (field === "backprop" && pair))
  }

  #datasetWord(name) {
    const dataset = this.#datasets.get(name)
    return dataset ? `${dataset.title}${dataset.ready ? "" : " – not here yet"}` : name
  }

  #text(name) {
    return this.#extras.get(name).input.value.trim()
  }
}
