import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { Lazy } from "../core/seen.js"
import { icon } from "../ui/icons.js"
import { problem } from "../ui/problem.js"
import { EpochSlider } from "./epoch-slider.js"
import { ExampleCard } from "./example.js"
import { amplification } from "./pixels.js"
import { notAsked, section } from "./section.js"

const LEAD = "The same test images after every measured epoch: what the adversarial step, along the sign of the input gradient, does to each and to the network's answer."

/** Test images that are followed through a run's training. */
export class ExamplesSection {
  element

  #run
  #signal
  #slider
  #lazy
  #list = h("div", { class: "examples" }, h("div", { class: "card skeleton example-skeleton" }))
  #cards = new Map()
  #steps = new Map() // by epochs done: they never change
  #size = h("span", { class: "muted small" })

  constructor(run, signal) {
    this.#run = run
    this.#signal = signal
    if (run.config.robustness_every === 0 && run.config.audit_every === 0) {
      this.element = section("examples", "Examples", LEAD, notAsked(run, "audit_every", "no test image is followed."))
      return
    }
    this.#slider = new EpochSlider("Epochs done", signal, (epoch) => this.#show(epoch))
    this.element = section("examples", "Examples", LEAD, h("div", { class: "examples-head" }, this.#slider.element, this.#size, h("span", { class: "state small" }, h("span", { class: "answer-mark" }, icon("right", 14)), "the true class")), this.#list)
    this.#lazy = new Lazy(this.#list, signal, () => this.#load())
  }

  /** There are new measurements. */
  renew() {
    this.#lazy?.renew()
  }

  async #load() {
    try {
      const followed = await api.examples(this.#run.id, this.#signal)
      if (followed.examples.length === 0) return this.#list.replaceChildren(h("p", { class: "card not-asked muted" }, this.#run.epochs_done ? "No test image was followed." : "The images come with the first measurement."))
      if (this.#cards.size === 0) this.#make(followed)
      this.#slider.take(followed.epochs_done)
    } catch (error) {
      this.#fail(error)
    }
  }

  #make({ epsilon, pixel_values: values, examples }) {
    const times = amplification(values)
    const words = times ? `step, amplified ${Number(times.toPrecision(2))} times` : "sign of the step"
    const unit = values !== null && values !== epsilon ? ` (${Number(values.toPrecision(3))} of 255)` : values === null ? " in units of the preprocessed input" : " of 255"
    this.#size.textContent = `epsilon ${Number(epsilon.toPrecision(3))}${unit}`
    this.#cards = new Map(examples.map((example) => [example.test_index, new ExampleCard(this.#run.config.dataset, example, words)]))
    this.#list.replaceChildren(...[...this.#cards.values()].map(({ element }) => element))
  }

  async #show(epoch) {
    try {
      if (!this.#steps.has(epoch)) this.#steps.set(epoch, (await api.exampleSteps(this.#run.id, epoch, this.#signal)).examples)
      if (this.#slider.epoch !== epoch) return
      for (const step of this.#steps.get(epoch)) this.#cards.get(step.test_index)?.show(step)
      this.element.dataset.epoch = epoch
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error) {
    if (!isAbort(error)) this.#list.replaceChildren(problem(error.message, () => (this.#cards.clear(), this.#lazy.now())))
  }
}
