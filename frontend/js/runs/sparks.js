import { api } from "../core/api.js"
import { store } from "../core/store.js"

const WAIT = 80 // milliseconds: rows that come into view together are asked for together
const AT_ONCE = 100 // runs in a request

/** The small lines of rows: fetched for many runs at once, and growing with what the stream tells. */
export class Sparks {
  #signal
  #lines = new Map() // by run: {numbers, values}
  #shown = new Map() // by run: {spark, epochs}
  #waiting = new Set()
  #timer = 0

  constructor(signal) {
    this.#signal = signal
    store.listen(signal, ({ kind, id, data }) => kind === "epoch" && this.#grow(id, data))
    signal.addEventListener("abort", () => clearTimeout(this.#timer))
  }

  show(run, spark) {
    this.#shown.set(run.id, { spark, epochs: run.config.epochs })
    if (this.#lines.has(run.id)) return this.#draw(run.id)
    if (run.epochs_done === 0) return this.#lines.set(run.id, { numbers: [], values: [] })
    this.#waiting.add(run.id)
    this.#later()
  }

  hide(id) {
    this.#shown.delete(id)
    this.#waiting.delete(id)
  }

  #grow(id, { epoch, test_accuracy }) {
    const line = this.#lines.get(id)
    if (!line || epoch <= (line.numbers.at(-1) ?? -1)) return
    line.numbers.push(epoch)
    line.values.push(test_accuracy)
    this.#draw(id)
  }

  #draw(id) {
    const line = this.#lines.get(id)
    const { spark, epochs } = this.#shown.get(id) ?? {}
    spark?.draw(line.numbers, line.values, epochs)
  }

  #later() {
    this.#timer ||= setTimeout(() => ((this.#timer = 0), this.#fetch()), WAIT)
  }

  async #fetch() {
    const ids = [...this.#waiting].slice(0, AT_ONCE)
    if (ids.length === 0) return
    for (const id of ids) this.#waiting.delete(id)
    try {
      for (const { run_id, epochs, test_accuracy } of await api.sparks(ids, this.#signal)) {
        this.#lines.set(run_id, { numbers: epochs, values: test_accuracy })
        this.#draw(run_id)
      }
    } catch {
      // The rows stay without their lines; their numbers are there.
    }
    if (this.#waiting.size > 0) this.#later()
  }
}
