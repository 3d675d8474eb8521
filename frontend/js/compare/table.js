import { api } from "../core/api.js"
import { h, setText } from "../core/dom.js"
import { EpochFollower, epochsOf } from "../core/follower.js"
import { configValue, cost, percent, words } from "../core/format.js"
import { store } from "../core/store.js"
import { glyph } from "../ui/glyph.js"
import { icon } from "../ui/icons.js"
import { stateMark } from "../ui/state.js"

const RESULTS = ["epochs done", "last test, %", "best test, %", "at epoch", "last train, %", "test cost, nats"]

/** Every run with only what differs between the configurations, and what came of it. */
export class CompareTable {
  element = h("section", { class: "card", "aria-label": "Runs: what differs, and results", "data-testid": "differences" })

  #signal
  #remove
  #point
  #rows = new Map()
  #curves = new Map() // of test accuracy by run: where the best one was

  /** `point` hears which row the pointer is on, or null. */
  constructor(signal, remove, point) {
    this.#signal = signal
    this.#remove = remove
    this.#point = point
    store.listen(signal, ({ kind, id, data }) => kind === "epoch" && this.#curves.get(id)?.follower.offer(data))
  }

  show(runs) {
    const differing = differences(runs)
    this.#rows = new Map(runs.map((run) => [run.id, this.#row(run, differing)]))
    const groups = h("tr", {}, h("th", { scope: "col" }), differing.length ? h("th", { scope: "colgroup", colspan: differing.length, class: "group" }, "what differs") : null, h("th", { scope: "colgroup", colspan: RESULTS.length + 1, class: "group" }, "results"))
    const heads = h("tr", {}, h("th", { scope: "col" }, "run"), differing.map((name, place) => h("th", { scope: "col", class: place ? "number" : "number first" }, words(name))), h("th", { scope: "col", class: "first" }, "state"), RESULTS.map((name) => h("th", { scope: "col", class: "number" }, name)))
    const table = h("table", { class: "compare-table" }, h("thead", {}, groups, heads), h("tbody", {}, [...this.#rows.values()].map(({ element }) => element)))
    const note = runs.length > 1 && differing.length === 0 ? h("p", { class: "muted card-body" }, "These runs have equal configurations.") : null
    this.element.replaceChildren(h("div", { class: "card-head" }, h("h2", {}, runs.length > 1 ? "Runs" : "Run")), ...(note ? [note] : []), h("div", { class: "table-frame" }, table))
    for (const run of runs) this.#follow(run)
    this.update()
  }

  update() {
    for (const [id, row] of this.#rows) row.update(store.get(id), this.#curves.get(id)?.best)
  }

  #row(run, differing) {
    const state = stateMark(run)
    const name = h("a", { href: `/runs/${run.id}`, class: "run-link cut" })
    const results = RESULTS.map(() => h("td", { class: "number" }))
    const remove = h("button", { type: "button", class: "button button-quiet button-small button-square", "aria-label": `Remove ${run.name} from the comparison`, title: "Remove from the comparison", onclick: () => this.#remove(run.id) }, icon("close"))
    const values = differing.map((field, place) => h("td", { class: place ? "number" : "number first" }, isUsed(run, field) ? configValue(run.config[field], field) : "–"))
    const element = h("tr", { "data-run": run.id, onpointerenter: () => this.#point(run.id), onpointerleave: () => this.#point(null) }, h("th", { scope: "row" }, h("div", { class: "run-name" }, glyph(run), name, remove)), values, h("td", { class: "first" }, state.element), results)
    const update = (current, best) => {
      if (!current) return
      state.update(current)
      setText(name, current.name)
      name.title = current.name
      const texts = [`${current.epochs_done}/${current.config.epochs}`, percent(current.latest?.test_accuracy), percent(current.best_test_accuracy), best === undefined ? "–" : String(best + 1), percent(current.latest?.train_accuracy), cost(current.latest?.test_cost)]
      results.forEach((cell, place) => setText(cell, texts[place]))
    }
    return { element, update }
  }

  async #follow(run) {
    if (this.#curves.has(run.id)) return
    const curve = { best: undefined, value: -Infinity }
    curve.follower = new EpochFollower(run.id, -1, (epochs) => {
      for (const { epoch, test_accuracy } of epochs) if (test_accuracy !== null && test_accuracy > curve.value) Object.assign(curve, { best: epoch, value: test_accuracy })
      this.update()
    })
    this.#curves.set(run.id, curve)
    if (run.epochs_done === 0) return
    const columns = await api.metrics(run.id, { names: "test_accuracy" }, this.#signal).catch(() => null)
    if (columns) curve.follower.take(epochsOf(columns))
  }
}

/** The fields of the configuration that are not the same for all runs. */
function differences(runs) {
  const names = Object.keys(runs[0]?.config ?? {})
  return names.filter((name) => new Set(runs.filter((run) => isUsed(run, name)).map(({ config }) => JSON.stringify(config[name]))).size > 1)
}

function isUsed(run, field) {
  return run.config.backprop === "dilated" || !field.startsWith("dilation_")
}
