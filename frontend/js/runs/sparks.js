import { api } from "../core/api.js"
import { EpochFollower, epochsOf } from "../core/follower.js"
import { store } from "../core/store.js"

const AT_ONCE = 3 // requests; a browser has six connections, and one is the stream's
const AHEAD = "200px" // how far outside of the window rows are made ready

/** Fills the spark lines of rows that are seen, and lets them grow. */
export class Sparks {
  #signal
  #waiting = []
  #active = 0
  #shown = new Map()
  #elements = new WeakMap()
  #observer

  constructor(signal) {
    this.#signal = signal
    this.#observer = new IntersectionObserver((entries) => entries.forEach((entry) => this.#seen(entry)), { rootMargin: AHEAD })
    store.listen(signal, ({ kind, id, data }) => kind === "epoch" && this.#shown.get(id)?.follower.offer(data))
    signal.addEventListener("abort", () => this.#observer.disconnect())
  }

  watch(run, spark) {
    this.#elements.set(spark.element, { run, spark })
    this.#observer.observe(spark.element)
  }

  forget(id) {
    this.#shown.delete(id)
  }

  #seen({ isIntersecting, target }) {
    if (!isIntersecting) return
    this.#observer.unobserve(target)
    const { run, spark } = this.#elements.get(target)
    const values = []
    const follower = new EpochFollower(run.id, -1, (epochs) => {
      values.push(...epochs.map(({ test_accuracy }) => test_accuracy))
      spark.draw(values, run.config.epochs)
    })
    this.#shown.set(run.id, { follower })
    if (run.epochs_done === 0) return
    this.#waiting.push({ run, follower })
    this.#next()
  }

  async #next() {
    if (this.#active >= AT_ONCE || this.#waiting.length === 0 || this.#signal.aborted) return
    const { run, follower } = this.#waiting.shift()
    this.#active += 1
    try {
      follower.take(epochsOf(await api.metrics(run.id, { names: "test_accuracy" }, this.#signal)))
    } catch {
      // The row stays without its line; its numbers are there.
    }
    this.#active -= 1
    this.#next()
  }
}
