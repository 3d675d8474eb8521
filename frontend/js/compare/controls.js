import { h, setAttribute } from "../core/dom.js"
import { words } from "../core/format.js"
import { publishedChoice } from "./published.js"
import { splitToggles } from "./splits.js"

const X = { epoch: "epoch", step: "step", time: "time of training", wall: "time of day" }
const BANDS = { ci: "95 % interval", se: "standard error", std: "standard deviation", range: "smallest to largest", none: "none" }
const METRICS = { test_accuracy: "test accuracy", train_accuracy: "train accuracy", test_cost: "test cost", train_cost: "train cost" }
const SMOOTHINGS = { "": "none", ema: "exponential", mean: "moving mean" }
const STRENGTH = { ema: { value: "0.6", min: 0, max: 0.99, step: 0.05 }, mean: { value: "5", min: 3, max: 101, step: 2 } }
const NARROW = "(max-width: 820px)"
const GROUPED = ["statistic", "band", "members"]

/** The left column: what is shown, and how. `change` hears of what was chosen, as part of a view. */
export class Controls {
  element

  #view
  #change
  #grouping
  #fields = h("div", { class: "control-checks" })
  #inputs = new Map()

  constructor(view, signal, change) {
    this.#view = view
    this.#change = change
    this.#grouping = this.#select("group by", { "": "nothing: each run", all: "all but the seed", fields: "chosen fields…" }, groupingOf(view), (value) => this.#group(value), "group-by")
    const log = h("div", { class: "control-checks" }, this.#check("log x", () => this.#has("x"), () => this.#toggleLog("x")), this.#check("log y", () => this.#has("y"), () => this.#toggleLog("y")))
    const splits = splitToggles(view.splits.split(","), (shown) => change({ splits: shown.join(",") }))
    const grouped = [
      this.#bound("statistic", "centre", { mean: "mean", median: "median" }),
      this.#bound("band", "band", BANDS),
      this.#check("members behind", () => view.members === "true", (on) => change({ members: on ? "true" : "" }), "members"),
    ]
    this.element = h(
      "aside",
      { class: "card compare-controls", "aria-label": "What to show" },
      folded(
        h("fieldset", {}, h("legend", {}, "Groups"), this.#grouping, this.#fields, grouped),
        h("fieldset", {}, h("legend", {}, "Curves"), h("div", { class: "control" }, h("span", {}, "splits"), splits), this.#bound("x", "over", X), log, this.#smoothing(), control("published", publishedChoice(view.references, signal, (name) => change({ references: name })))),
        h("fieldset", {}, h("legend", {}, "Results"), this.#bound("metric", "metric", METRICS), this.#number("epoch", "at epoch", "the last of all", { min: 1, step: 1 }), this.#target()),
      ),
    )
    this.#enable()
  }

  /** Takes in which fields differ between the runs: by them they can be grouped. */
  offer(differing) {
    const chosen = this.#view.group_by === "all" ? [] : this.#view.group_by.split(",").filter(Boolean)
    const names = [...new Set([...chosen, ...differing.filter((name) => name !== "seed"), "seed"])]
    const key = names.join()
    if (this.#fields.dataset.names === key) return
    this.#fields.dataset.names = key
    this.#fields.replaceChildren(...names.map((name) => this.#check(words(name), () => chosen.includes(name), () => this.#chooseFields())))
    this.#fields.querySelectorAll("input").forEach((input, place) => (input.value = names[place]))
  }

  #group(value) {
    if (value !== "fields") this.#set({ group_by: value })
    else {
      this.#fields.querySelectorAll("input").forEach((input) => (input.checked = input.value === "backprop"))
      this.#fields.hidden = false
      this.#chooseFields()
    }
  }

  #chooseFields() {
    const chosen = [...this.#fields.querySelectorAll("input:checked")].map(({ value }) => value)
    this.#set({ group_by: chosen.join(",") || "backprop" })
  }

  #set(part) {
    Object.assign(this.#view, part)
    this.#enable()
    this.#change({ ...part, baseline: "", against: "" })
  }

  #enable() {
    const isGrouped = this.#view.group_by !== ""
    for (const name of GROUPED) this.#inputs.get(name).disabled = !isGrouped
    this.#fields.hidden = groupingOf(this.#view) !== "fields"
    const wall = this.#inputs.get("x").querySelector("[value=wall]")
    setAttribute(wall, "disabled", isGrouped)
  }

  #has(axis) {
    return this.#view.log.split(",").includes(axis)
  }

  #toggleLog(axis) {
    const axes = ["x", "y"].filter((name) => (name === axis ? !this.#has(name) : this.#has(name)))
    this.#view.log = axes.join(",")
    this.#change({ log: this.#view.log })
  }

  #smoothing() {
    const [kind, strength] = this.#view.smoothing.split(":")
    const input = h("input", { class: "input", type: "number", "aria-label": "Strength of the smoothing", "data-testid": "smoothing-strength" })
    const show = (name, value) => {
      input.hidden = name === ""
      if (name) Object.assign(input, STRENGTH[name], { value: value ?? STRENGTH[name].value })
    }
    const tell = () => {
      if (select.value && !input.validity.valid) return
      this.#view.smoothing = select.value ? `${select.value}:${input.value}` : ""
      this.#change({ smoothing: this.#view.smoothing })
    }
    const choose = (value) => {
      show(value)
      tell()
    }
    const element = this.#select("smoothing", SMOOTHINGS, kind ?? "", choose, "smoothing")
    const select = element.querySelector("select")
    show(kind ?? "", strength)
    input.addEventListener("change", tell)
    element.append(input)
    return element
  }

  #target() {
    const isShare = () => this.#view.metric.endsWith("accuracy")
    const shown = () => (this.#view.target === "" ? "" : String(+(isShare() ? 100 * this.#view.target : +this.#view.target).toFixed(6)))
    const input = h("input", { class: "input", type: "number", step: "any", placeholder: "none", "data-testid": "target" })
    input.value = shown()
    input.addEventListener("change", () => {
      this.#view.target = input.value === "" ? "" : String(isShare() ? input.value / 100 : +input.value)
      this.#change({ target: this.#view.target })
    })
    return control("target, % or nats", input)
  }

  #number(name, label, placeholder, limits) {
    const input = h("input", { class: "input", type: "number", placeholder, ...limits, "data-testid": name })
    input.value = this.#view[name]
    input.addEventListener("change", () => input.validity.valid && this.#change({ [name]: input.value }))
    return control(label, input)
  }

  #bound(name, label, options) {
    return this.#select(label, options, this.#view[name], (value) => this.#change({ [name]: value }), name)
  }

  #select(label, options, chosen, choose, name) {
    const select = h("select", { class: "select", "data-testid": name }, Object.entries(options).map(([value, text]) => h("option", { value }, text)))
    select.value = chosen
    select.addEventListener("change", () => choose(select.value))
    this.#inputs.set(name, select)
    return control(label, select)
  }

  #check(label, isOn, toggle, name = null) {
    const input = h("input", { type: "checkbox", class: "check" })
    input.checked = isOn()
    input.addEventListener("change", () => toggle(input.checked))
    if (name) this.#inputs.set(name, input)
    return h("label", { class: "control-check" }, input, label)
  }
}

/** On a narrow page the charts come first: the choices are folded away. */
function folded(...fieldsets) {
  const element = h("details", {}, h("summary", {}, "What to show"), fieldsets)
  element.open = !matchMedia(NARROW).matches
  return element
}

function control(label, input) {
  return h("label", { class: "control" }, h("span", {}, label), input)
}

function groupingOf({ group_by }) {
  return group_by === "" || group_by === "all" ? group_by : "fields"
}
