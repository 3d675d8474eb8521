const INTERVAL = 250 // milliseconds; one redraw for everything that arrived meanwhile
const REST = 3 // times the length of the last redraw, of whichever chart: all of them share one main thread

let restUntil = 0 // milliseconds, as performance.now() counts

/**
 * Gathers wishes to redraw; `draw` is called at most once an interval, and less often where drawing takes long, so that
 * all charts of a page together leave the reader three quarters of the time. Who has waited longest is next.
 */
export class Redraw {
  #draw
  #timer = 0

  constructor(draw) {
    this.#draw = draw
  }

  later() {
    this.#timer ||= setTimeout(() => this.#turn(), Math.max(INTERVAL, restUntil - performance.now()))
  }

  async now() {
    this.stop()
    const begun = performance.now()
    await this.#draw()
    const end = performance.now()
    restUntil = Math.max(restUntil, end + REST * (end - begun))
  }

  stop() {
    clearTimeout(this.#timer)
    this.#timer = 0
  }

  #turn() {
    const rest = restUntil - performance.now()
    if (rest <= 0) this.now()
    else this.#timer = setTimeout(() => this.#turn(), rest)
  }
}
