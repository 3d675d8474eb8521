/**
 * The runs that this page knows, kept current by the stream. Listeners get `{kind, id, data, isNew}` with kind
 * `run`, `epoch`, `measured`, `progress`, `removed`, `counts` or `reset`, after the run itself has been changed;
 * `isNew` marks the first news of a run that was launched since.
 */
class Store {
  counts = null

  #runs = new Map()
  #greatest = 0 // the greatest id that was ever seen
  #listeners = new Set()

  get(id) {
    return this.#runs.get(id)
  }

  /** All that are known and not in the trash, newest first. */
  get newest() {
    return [...this.#runs.values()].filter(({ deleted_at }) => !deleted_at).sort((a, b) => b.id - a.id)
  }

  /** Takes in summaries from an answer of the service. */
  put(summaries) {
    for (const summary of summaries) this.#set(summary)
    return summaries
  }

  setCounts(counts) {
    this.counts = counts
    this.#tell({ kind: "counts", data: counts })
  }

  listen(signal, listener) {
    this.#listeners.add(listener)
    signal.addEventListener("abort", () => this.#listeners.delete(listener))
  }

  /** Takes in one event of the stream. */
  apply(kind, data) {
    if (kind === "counts") return this.setCounts(data)
    if (kind === "progress") return this.#move(data)
    if (kind === "reset") this.#runs.clear()
    const id = kind === "run" ? data.id : data.run_id
    const run = this.#runs.get(id)
    const isNew = kind === "run" && id > this.#greatest
    if (kind === "run") this.#set(data)
    if (kind === "removed") this.#runs.delete(id)
    if (kind === "measured" && run) run.audit = data.audit
    if (kind === "epoch" && run && data.epoch + 1 >= run.epochs_done) addEpoch(run, data)
    this.#tell({ kind, id, data, isNew })
  }

  // The progress of many runs comes as columns: a listener hears of each run, as of everything else.
  #move({ run_id, at, ...columns }) {
    run_id.forEach((id, place) => {
      const run = this.#runs.get(id)
      if (!run) return
      run.progress = { run_id: id, at, ...Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[place]])) }
      this.#tell({ kind: "progress", id, data: run.progress, isNew: false })
    })
  }

  #set(summary) {
    this.#runs.set(summary.id, summary)
    this.#greatest = Math.max(this.#greatest, summary.id)
  }

  #tell(event) {
    for (const listener of [...this.#listeners]) listener(event)
  }
}

function addEpoch(run, epoch) {
  run.epochs_done = epoch.epoch + 1
  const { train_accuracy, train_cost, test_accuracy, test_cost } = epoch
  run.latest = { train_accuracy, train_cost, test_accuracy, test_cost }
  if (test_accuracy !== null) run.best_test_accuracy = Math.max(run.best_test_accuracy ?? 0, test_accuracy)
}

export const store = new Store()
