import { api } from "./api.js"

/**
 * Hands on each epoch of a run once and in order, whatever the stream repeats or leaves out:
 * known ones are dropped, and where some are missing they are fetched.
 */
export class EpochFollower {
  #runId
  #last
  #highest
  #deliver
  #filling = false

  /** `deliver` gets lists of epochs, each like an `epoch` event; `last` is the newest epoch that is known, or -1. */
  constructor(runId, last, deliver) {
    this.#runId = runId
    this.#last = last
    this.#highest = last
    this.#deliver = deliver
  }

  offer(epoch) {
    if (epoch.epoch <= this.#last) return
    this.#highest = Math.max(this.#highest, epoch.epoch)
    if (epoch.epoch === this.#last + 1 && !this.#filling) {
      this.#last = epoch.epoch
      this.#deliver([epoch])
    } else {
      this.#fill()
    }
  }

  /** Takes in epochs that were fetched: those that are new, in order. */
  take(epochs) {
    const fresh = epochs.filter(({ epoch }) => epoch > this.#last)
    if (fresh.length === 0) return
    this.#last = fresh.at(-1).epoch
    this.#deliver(fresh)
  }

  async #fill() {
    if (this.#filling) return
    this.#filling = true
    try {
      while (this.#last < this.#highest) {
        const epochs = epochsOf(await api.metrics(this.#runId, { after: this.#last }))
        if (epochs.length === 0) break
        this.take(epochs)
      }
    } catch {
      // The next epoch asks again.
    } finally {
      this.#filling = false
    }
  }
}

/** Columns as a list of epochs, each like an `epoch` event. */
export function epochsOf({ run_id, epochs, columns, non_finite }) {
  return epochs.map((epoch, place) => {
    const bad = non_finite.filter((entry) => entry.epoch === epoch).map(({ name, value }) => [name, value])
    const values = Object.entries(columns).map(([name, column]) => [name, column[place]])
    return { run_id, epoch, ...Object.fromEntries(values), non_finite: Object.fromEntries(bad) }
  })
}
