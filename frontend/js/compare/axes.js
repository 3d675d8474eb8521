import { h, setText } from "../core/dom.js"
import { menu } from "../ui/menu.js"
import { quantities, quantityWord } from "./quantities.js"

const MOST = 12 // upright axes that can be told apart
const LEAST = 2
const AT_EPOCH = / at epoch .*$/ // of a name in a list whose heading says it

/** What the chart of runs shows: two axes, or many upright ones, and by what runs are coloured. */
export class PointAxes {
  element = h("div", { class: "chart-tools" })

  #view
  #change
  #signal
  #chart = null
  #comparison = null
  #fields = [] // as the figure has them
  #selects = new Map()
  #logs = new Map()
  #note = h("p", { class: "muted small chart-tools-note", role: "status" })

  /** `change` hears of what was chosen, as part of a view. */
  constructor(view, signal, change) {
    this.#view = view
    this.#signal = signal
    this.#change = change
    this.#build()
  }

  /** Takes in what there is to choose from. */
  offer(comparison) {
    this.#comparison = comparison
    this.#fill()
  }

  /** Takes in what a figure shows: the service chooses where nobody has. */
  follow({ fields, linear }) {
    this.#fields = fields
    this.#build()
    this.#fill()
    const words = (linear ?? []).map((way) => quantityWord(fields[way === "x" ? 0 : 1], this.#comparison?.epoch))
    setText(this.#note, words.length ? `Not logarithmic: ${words.join(" and ")} has words, zero or less.` : "")
  }

  #build() {
    if (this.#chart === this.#view.chart) return
    this.#chart = this.#view.chart
    this.#selects.clear()
    this.#logs.clear()
    const color = this.#select("color", "colour", (value) => this.#change({ color: value }))
    const axes = this.#chart === "parallel" ? [this.#axesMenu()] : [this.#axis("x", 0), this.#axis("y", 1)]
    this.element.replaceChildren(...axes, color, this.#note)
  }

  #axis(way, place) {
    const choose = (value) => {
      // At once, and not when the figure comes: the other axis may be chosen before that.
      this.#fields = [0, 1].map((index) => (index === place ? value : this.#fields[index]))
      this.#change({ fields: this.#fields.join(",") })
    }
    const box = h("input", { type: "checkbox", class: "check", "data-testid": `log-${way}`, "aria-label": `Logarithmic ${way}`, onchange: () => this.#toggleLog() })
    this.#logs.set(way, box)
    return h("span", { class: "chart-tool-pair" }, this.#select(way, way, choose), h("label", { class: "control-check" }, box, "log"))
  }

  #toggleLog() {
    this.#change({ points_log: [...this.#logs].filter(([, box]) => box.checked).map(([way]) => way).join(",") })
  }

  #select(name, word, choose) {
    const select = h("select", { class: "select", "data-testid": `points-${name}` })
    select.addEventListener("change", () => choose(select.value))
    this.#selects.set(name, select)
    return h("label", { class: "chart-tool" }, h("span", { class: "muted small" }, word), select)
  }

  #axesMenu() {
    const fill = () => {
      const chosen = new Set(this.#fields)
      const boxes = []
      const limit = () => {
        for (const box of boxes) box.disabled = box.checked ? chosen.size <= LEAST : chosen.size >= MOST
      }
      const box = ([name, word]) => {
        const input = h("input", { type: "checkbox", class: "check" })
        input.checked = chosen.has(name)
        input.addEventListener("change", () => {
          if (input.checked) chosen.add(name)
          else chosen.delete(name)
          limit()
          this.#change({ fields: [...chosen].join(",") })
        })
        boxes.push(input)
        return h("label", { class: "tick" }, input, word.replace(AT_EPOCH, ""))
      }
      const groups = quantities(this.#comparison).map(([title, some]) => h("fieldset", { class: "menu-group" }, h("legend", {}, title), some.map(box)))
      limit()
      const again = h("button", { type: "button", class: "link-button", onclick: () => ((element.open = false), this.#change({ fields: "" })) }, "As they were at first")
      return h("div", { class: "menu-columns" }, h("p", { class: "muted small" }, `${LEAST} to ${MOST} axes; a new one stands on the right.`), groups, again)
    }
    const element = menu("Axes", () => (this.#comparison ? fill() : h("p", { class: "muted" }, "…")), this.#signal)
    element.dataset.testid = "points-axes"
    return element
  }

  #fill() {
    if (this.#comparison === null || this.#fields.length === 0) return
    const groups = quantities(this.#comparison, this.#chart === "pareto")
    fillSelect(this.#selects.get("x"), groups, this.#fields[0])
    fillSelect(this.#selects.get("y"), groups, this.#fields[1])
    fillSelect(this.#selects.get("color"), [["", [["", "each run its own"]]], ...quantities(this.#comparison)], this.#view.color)
    for (const [way, box] of this.#logs) box.checked = this.#view.points_log.split(",").includes(way)
  }
}

function fillSelect(select, groups, value) {
  if (!select) return
  const key = JSON.stringify(groups)
  if (select.dataset.key !== key) {
    const options = (some) => some.map(([name, word]) => h("option", { value: name }, word))
    select.replaceChildren(...groups.flatMap(([title, some]) => (title ? [h("optgroup", { label: title }, options(some))] : options(some))))
    select.dataset.key = key
  }
  select.value = value
}
