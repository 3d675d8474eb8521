import { h, setText } from "../core/dom.js"
import { isEqual } from "../core/equal.js"
import { plural } from "../core/format.js"
import { makeField } from "./field.js"
import { methodChoice } from "./method.js"

const EXTRAS = ["seeds", "name", "tags"] // of the launch itself, not of the configuration

/** The form of a launch, made from the schema of the service: what it gains, the form gains. */
export class LaunchForm {
  #fields = new Map()
  #extras = new Map()
  #method
  #datasets
  #note = h("p", { class: "field-note" })
  #listener = () => {}

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
    const open = [...this.#fields.values()].filter(({ isFolded }) => !isFolded)
    const folded = [...this.#fields.values()].filter(({ isFolded }) => isFolded)
    this.element = h(
      "form",
      { class: "launch-form", novalidate: true, "data-testid": "launch-form" },
      this.#method.element,
      h("div", { class: "fields" }, open.map(({ element }) => element), this.#extras.get("seeds").element),
      h("details", { class: "more-fields" }, h("summary", {}, `More: ${folded.map(({ name }) => name.replaceAll("_", " ")).join(", ")}`), h("div", { class: "fields" }, folded.map(({ element }) => element))),
      h("div", { class: "fields" }, this.#extras.get("name").element, this.#extras.get("tags").element),
      h("button", { class: "unseen", tabindex: -1 }, "Launch"),
    )
    this.element.addEventListener("input", ({ target }) => {
      // What was wrong with a field is no longer true of what is typed now.
      for (const field of [...this.#fields.values(), ...this.#extras.values()]) if (field.input === target) field.complain("")
      this.#changed()
    })
  }

  onChange(listener) {
    this.#listener = listener
  }

  /** The whole configuration and the rest, as the form shows it. */
  read() {
    const config = Object.fromEntries([...this.#fields].map(([name, field]) => [name, field.read()]))
    const { backprop, pair } = this.#method.read()
    const tags = this.#text("tags").split(",").map((tag) => tag.trim()).filter(Boolean)
    return { config: { ...config, backprop }, pair, seeds: seedsFrom(this.#text("seeds")), name: this.#text("name"), tags }
  }

  write({ config, pair, name, tags }) {
    for (const [field, value] of Object.entries(config)) this.#fields.get(field)?.write(value)
    this.#method.write(config.backprop, pair)
    if (name !== undefined) this.#extras.get("name").write(name)
    if (tags !== undefined) this.#extras.get("tags").write(tags.join(", "))
    this.clearErrors()
    this.#changed()
  }

  /** What is sent: whatever is not the service's default. */
  order() {
    const { config, pair, seeds, name, tags } = this.read()
    const isDefault = ([field, value]) => isEqual(value, field === "backprop" ? this.#method.default : this.#fields.get(field).default)
    const sent = Object.entries(config).filter((entry) => !isDefault(entry) && !(pair && entry[0] === "backprop") && this.#isUsed(entry[0], config, pair))
    return { config: Object.fromEntries(sent), ...(pair && { pair }), ...(seeds !== null && { seeds }), ...(name && { name }), ...(tags.length > 0 && { tags }) }
  }

  /** "4 runs: 2 seeds, each manual and dilated". */
  totalText() {
    const { pair, seeds } = this.read()
    const number = Array.isArray(seeds) ? seeds.length : (seeds ?? 1)
    if (!Number.isInteger(number) || number < 1) return ""
    const total = plural(number * (pair ? 2 : 1), "run")
    if (number > 1) return `${total}: ${number} seeds${pair ? ", each manual and dilated" : ""}`
    return pair ? `${total}: manual and dilated` : total
  }

  clearErrors() {
    for (const field of [...this.#fields.values(), ...this.#extras.values()]) field.complain("")
    this.#method.complain("")
  }

  /** Each of the service's words beside its field; the first wrong field gets the focus. Gives those that have no field. */
  showErrors(problems) {
    const rest = []
    const wrong = []
    for (const problem of problems) {
      const { field: path, message } = problem
      const name = path.split(".").find((part) => part !== "config")
      const field = name === "backprop" || name === "pair" ? this.#method : (this.#fields.get(name) ?? this.#extras.get(name))
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
    this.#listener()
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

function seedsFrom(text) {
  if (text === "") return null
  const numbers = text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => (/^\d+$/.test(part) ? Number(part) : part))
  return text.includes(",") ? numbers : numbers[0]
}
