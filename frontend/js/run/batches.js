import { FigureCard } from "../chart/figure.js"
import { isLive } from "../ui/state.js"
import { section } from "./section.js"

const RENEW_EVERY = 2_000 // milliseconds; a worker tells what came of its batches about once a second
const LEAST_WIDTH = 50 // px, for which the service draws at least
const LEAD = "Training cost and accuracy of every single batch, measured before its update. Where there are more batches than pixels, the least and the greatest of each pixel are drawn; zoom in to see them all."
const MEASURES = [
  ["cost", "Cost"],
  ["accuracy", "Accuracy"],
]

/** What came of a run's single batches, while it trains too. */
export class BatchesSection {
  element

  #wasLive
  #card
  #renewed = Date.now()

  constructor(run, signal) {
    this.#wasLive = isLive(run)
    const query = (width) => ({ run: run.id, width: Math.max(LEAST_WIDTH, width) })
    const choice = { key: "measure", label: "Measure", options: MEASURES, chosen: "cost" }
    this.#card = new FigureCard("batches", "Every batch", signal, { query, part: batchesIn, choice, counted: ["batch", "batches"], nothing: "No batch was recorded yet.", look: "chart-wide" })
    this.element = section("batches", "Batches", LEAD, this.#card.element)
  }

  update(run) {
    const hasEnded = this.#wasLive && !isLive(run)
    this.#wasLive = isLive(run)
    if (!hasEnded && !(isLive(run) && Date.now() - this.#renewed >= RENEW_EVERY)) return
    this.#renewed = Date.now()
    this.#card.renew()
  }
}

/** The batches between two places of the axis, and one more on either side, to which their line goes on. */
function batchesIn([low, high], { layout: { meta } }) {
  const scale = meta.x === "epoch" ? meta.batches_per_epoch : 1
  const first = Math.max(0, Math.floor(low * scale) - 1)
  return { first, end: Math.max(first, Math.ceil(high * scale)) + 1 }
}
