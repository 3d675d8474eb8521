const FEWEST = 30 // epochs that an axis shows at least, of a run that has more
const MOST_TICKS = 8
const MOST_ROOM = 0.9 // epochs left of the first one: the axis never reaches an epoch 0, which there is not

/**
 * The epoch axis for runs of `total` epochs of which `done` are done. It is as long as the whole run, so that a live
 * line grows into free room and nothing moves; of a very long run it shows a half, a quarter, …, and doubles in time.
 */
export function epochAxis(total, done) {
  let end = Math.max(total, done, 1)
  while (end / 2 >= Math.max(done * 1.25, FEWEST)) end /= 2
  end = Math.ceil(end)
  const room = Math.max(0.25, (end - 1) * 0.02)
  return { range: [1 - Math.min(room, MOST_ROOM), end + room], dtick: tickStep(end), tick0: 0, autorange: false }
}

/** Whole epochs between two ticks where an axis shows so many of them. */
export function tickStep(epochs) {
  for (let power = 1; ; power *= 10) {
    for (const factor of [1, 2, 5]) if (epochs <= factor * power * MOST_TICKS) return factor * power
  }
}
