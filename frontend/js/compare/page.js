import { ChartHost } from "../chart/host.js"
import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { remember } from "../core/router.js"
import { store } from "../core/store.js"
import { problem } from "../ui/problem.js"
import { runPicker } from "./picker.js"
import { publishedChoice } from "./published.js"
import { splitToggles } from "./splits.js"
import { CompareTable } from "./table.js"

const MOST = 100 // runs in one figure

/** Runs over each other: curves, what differs between them, and what came of it. All of it is in the address. */
export function comparePage({ root, query, signal }) {
  new ComparePage(root, query, signal).load()
  return "Compare"
}

class ComparePage {
  #ids
  #splits
  #published
  #signal
  #charts
  #pair
  #runs = []
  #limit = ""
  #table
  #body = h("div", { class: "compare-body" })
  #notice = h("div", { class: "compare-notice" })

  constructor(root, query, signal) {
    const ids = (query.get("runs") ?? "").split(",").filter((id) => /^\d+$/.test(id)).map(Number)
    const asked = [...new Set(ids)]
    this.#ids = asked.slice(0, MOST)
    if (asked.length > MOST) this.#limit = `A comparison shows ${MOST} runs at most: of the ${asked.length} that were chosen, these are the first.`
    const splits = (query.get("splits") ?? "test,train").split(",").filter((split) => ["test", "train"].includes(split))
    this.#splits = splits.length ? splits : ["test"]
    this.#published = /^[a-z0-9-]*$/.test(query.get("published") ?? "") ? (query.get("published") ?? "") : ""
    this.#signal = signal
    this.#charts = [new ChartHost("accuracy", "Accuracy", signal), new ChartHost("cost", "Cost", signal)]
    this.#pair = h("div", { class: "chart-pair" }, this.#charts.map(({ element }) => element))
    this.#table = new CompareTable(signal, (id) => this.#remove(id), (id) => this.#charts.forEach((chart) => chart.emphasize(id)))
    const head = h("div", { class: "page-head" }, h("h1", {}, "Compare"), runPicker(signal, () => this.#ids, (run) => this.#add(run)), h("span", { class: "header-space" }), publishedChoice(this.#published, signal, (name) => this.#publish(name)), splitToggles(this.#splits, (splits) => this.#show(splits)))
    root.append(head, this.#notice, this.#body)
    store.listen(signal, ({ kind, id }) => {
      if (kind === "removed" && this.#ids.includes(id)) this.#remove(id)
      else if (["run", "epoch"].includes(kind) && this.#ids.includes(id)) this.#table.update()
    })
  }

  async load() {
    if (this.#ids.length === 0) return this.#body.replaceChildren(empty())
    try {
      const { runs } = await api.runs({ ids: this.#ids.join(","), limit: MOST }, this.#signal)
      store.put(runs)
      this.#take(runs)
    } catch (error) {
      if (!isAbort(error)) this.#body.replaceChildren(problem(error.message, () => this.load()))
    }
  }

  #take(runs) {
    const found = new Map(runs.map((run) => [run.id, run]))
    const lost = this.#ids.filter((id) => !found.has(id))
    const gone = lost.length ? `There is no run ${lost.join(", ")} (any more), or it is in the trash; the others are shown.` : ""
    this.#notice.replaceChildren(...[this.#limit, gone].filter(Boolean).map((text) => problem(text)))
    this.#ids = this.#ids.filter((id) => found.has(id))
    this.#runs = this.#ids.map((id) => found.get(id))
    this.#draw()
  }

  #draw() {
    this.#remember()
    if (this.#runs.length === 0) return this.#body.replaceChildren(empty())
    if (!this.#pair.isConnected) this.#body.replaceChildren(this.#pair, this.#table.element)
    for (const chart of this.#charts) chart.show(this.#runs, this.#splits, this.#published)
    this.#table.show(this.#runs)
  }

  #add(run) {
    if (this.#ids.includes(run.id)) return
    store.put([run])
    this.#ids.push(run.id)
    this.#runs.push(run)
    this.#draw()
  }

  #remove(id) {
    this.#ids = this.#ids.filter((other) => other !== id)
    this.#runs = this.#runs.filter((run) => run.id !== id)
    this.#draw()
  }

  #show(splits) {
    this.#splits = splits
    this.#remember()
    for (const chart of this.#charts) if (this.#runs.length) chart.show(this.#runs, splits, this.#published)
  }

  #publish(name) {
    this.#published = name
    this.#show(this.#splits)
  }

  #remember() {
    remember({ runs: this.#ids.join(","), splits: this.#splits.length === 2 ? "" : this.#splits.join(","), published: this.#published })
  }
}

function empty() {
  return h("div", { class: "empty card", "data-testid": "empty" }, h("h2", {}, "No runs to compare yet"), h("p", { class: "muted" }, "Add runs by their names above, or choose them in the list of runs and press Compare."), h("a", { class: "button", href: "/" }, "Choose runs"))
}
