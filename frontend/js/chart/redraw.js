const INTERVAL = 250 // milliseconds; one redraw for everything that arrived meanwhile
const SHARE = 0.25 // of the time, that the live redraws of all charts may take together: they have one main thread
const SAVED = 400 // milliseconds of drawing at most, saved while little was drawn, that may be spent at once

let credit = SAVED // milliseconds
let countedAt = performance.now()

/** Gathers wishes to redraw; `draw` is called at most once an interval, and less often where drawing takes long. */
export class Redraw {
  #draw
  #timer = 0

  constructor(draw) {
    this.#draw = draw
  }

  /** Something arrived. */
  later() {
    this.#timer ||= setTimeout(() => this.#turn(), INTERVAL)
  }

  /** The reader did something: it is drawn at once, whatever it takes. */
  async now() {
    this.stop()
    await this.#draw()
  }

  stop() {
    clearTimeout(this.#timer)
    this.#timer = 0
  }

  async #turn() {
    if (earned() < 0) {
      this.#timer = setTimeout(() => this.#turn(), -credit / SHARE)
      return
    }
    const begun = performance.now()
    await this.now()
    credit -= performance.now() - begun
  }
}

function earned() {
  const now = performance.now()
  credit = Math.min(SAVED, credit + SHARE * (now - countedAt))
  countedAt = now
  return credit
}
