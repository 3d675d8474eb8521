import { h, setText } from "../core/dom.js"
import { ago, cost, count, duration, percent, secondsBetween } from "../core/format.js"
import { isLive, isOpen } from "../ui/state.js"

/** The figures that one looks for first. Every place is there from the start, so that nothing moves. */
export class RunNumbers {
  #values = new Map()
  element = h("dl", { class: "numbers" })

  constructor(run) {
    for (const [key, word] of [["epoch", "epoch"], ["test", "test accuracy, %"], ["best", "best, %"], ["train", "train accuracy, %"], ["cost", "test cost, nats"], ["speed", "images a second"], ["time", "time"]]) {
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
    this.#set("time", run.started_at && !isOpen(run) ? duration(secondsBetween(run.started_at, run.finished_at)) : run.started_at ? ago(run.started_at).textContent.replace(" ago", "").replace("just now", "< 1 min") : "–")
  }

  #set(key, text) {
    setText(this.#values.get(key), text)
  }
}
