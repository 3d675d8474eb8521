import { h, setText } from "../core/dom.js"
import { ago, cost, count, duration, percent, secondsBetween } from "../core/format.js"
import { isLive, isOpen } from "../ui/state.js"

/** The figures that one looks for first. Every place is there from the start, so that nothing moves. */
export class RunNumbers {
  #values = new Map()
  #peak = 0
  element = h("dl", { class: "numbers" })

  constructor(run) {
    for (const [key, word] of [["epoch", "epochs done"], ["test", "test accuracy, %"], ["best", "best test, %"], ["train", "train accuracy, %"], ["cost", "test cost, nats"], ["speed", "images a second"], ["time", "run time"], ["memory", "peak memory, MB"]]) {
      const value = h("dd", { "data-testid": `number-${key}` }, "–")
      this.#values.set(key, value)
      this.element.append(h("div", {}, h("dt", {}, word), value))
    }
    const launched = h("dd", { class: "numbers-ago" }, ago(run.created_at))
    this.element.append(h("div", {}, h("dt", {}, "launched"), launched))
    this.update(run)
  }

  update(run) {
    const { latest, progress } = run
    this.#set("epoch", `${run.epochs_done}/${run.config.epochs}`)
    this.#set("test", percent(latest?.test_accuracy))
    this.#set("best", percent(run.best_test_accuracy))
    this.#set("train", percent(latest?.train_accuracy))
    this.#set("cost", cost(latest?.test_cost))
    this.#set("speed", isLive(run) && progress?.images_per_second ? count(Math.round(progress.images_per_second)) : "–")
    this.#set("time", runTime(run))
    if (run.peak_memory_bytes) this.setPeak(run.peak_memory_bytes)
  }

  /** The most memory that a process of the run has held: it is measured more often than the run is told anew. */
  setPeak(size) {
    if (size <= this.#peak) return
    this.#peak = size
    this.#set("memory", count(Math.round(size / 1e6)))
  }

  #set(key, text) {
    setText(this.#values.get(key), text)
  }
}

// While a run goes on its minutes are enough: seconds would only flicker.
function runTime(run) {
  if (!run.started_at) return "–"
  const seconds = secondsBetween(run.started_at, run.finished_at)
  if (!isOpen(run) || seconds >= 3600) return duration(seconds)
  return seconds < 60 ? "< 1 min" : `${Math.floor(seconds / 60)} min`
}
