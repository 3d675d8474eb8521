import { FigureCard } from "../chart/figure.js"
import { h } from "../core/dom.js"
import { EpochSlider } from "./epoch-slider.js"
import { notAsked, section } from "./section.js"

const ATTACKS = [
  ["pgd", "PGD"],
  ["fgsm", "FGSM"],
]

/** How a run's test accuracy stands up to attacks: by their size, with training moving the lines, and by epoch. */
export class RobustnessSection {
  element

  #cards = []

  constructor(run, signal) {
    const { robustness_every: every, robustness_steps: steps } = run.config
    const lead = `Test images are moved against the network, every pixel by epsilon at most, along the hand-written input gradient: FGSM (triangles) in one step, PGD (squares) in ${steps}.`
    if (every === 0) {
      this.element = section("robustness", "Robustness", lead, notAsked(run, "robustness_every", "the test images of this run are not attacked."))
      return
    }
    const nothing = `The first attack follows ${every === 1 ? "the first epoch" : `epoch ${every}`}.`
    const query = () => ({ run: run.id })
    const slider = new EpochSlider("Epochs done", signal, () => bySize.redraw())
    const adapt = (data, layout) => stress(data, layout, slider.epoch)
    const bySize = new FigureCard("robustness", "By size of the attack", signal, { query, nothing, adapt, taken: ({ layout }) => slider.take(layout.meta.epochs) })
    const byEpoch = new FigureCard("robustness-epochs", "By epoch", signal, { query, nothing, look: "chart-fill", choice: { key: "attack", label: "Attack", options: ATTACKS, chosen: "pgd" } })
    bySize.element.append(slider.element)
    this.#cards = [bySize, byEpoch]
    this.element = section("robustness", "Robustness", lead, h("div", { class: "chart-pair" }, bySize.element, byEpoch.element))
  }

  /** There are new measurements. */
  renew() {
    for (const card of this.#cards) card.renew()
  }
}

/** Lets the lines of one epoch stand out, with their labels, and draws them above the others. */
function stress(data, layout, epoch) {
  for (const line of data) line.opacity = line.meta.epochs_done === epoch ? 1 : layout.meta.faint
  data.sort((one, other) => one.opacity - other.opacity)
  for (const label of layout.annotations ?? []) label.visible = label.name === `label:${epoch}`
}
