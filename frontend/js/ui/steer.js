import { api } from "../core/api.js"
import { plural } from "../core/format.js"
import { store } from "../core/store.js"
import { toast, toastError } from "./toast.js"

/** Asks each of the runs to stop. */
export async function stopRuns(ids) {
  await each(ids, async (id) => store.apply("run", await api.stop(id)), (done) => toast(`${plural(done, "run")} asked to stop.`))
}

/** Asks each of the runs to pause. */
export async function pauseRuns(ids) {
  await each(ids, async (id) => store.apply("run", await api.pause(id)), (done) => toast(`${plural(done, "run")} asked to pause.`))
}

/** Queues each of the paused runs again. */
export async function resumeRuns(ids) {
  await each(ids, async (id) => store.apply("run", await api.resume(id)), (done) => toast(`${plural(done, "run")} resumed.`))
}

/** Moves the runs to the trash; the toast has the way back. */
export async function trashRuns(ids, afterUndo = () => {}) {
  await each(
    ids,
    async (id) => store.apply("run", await api.trash(id)),
    (done) => toast(`${plural(done, "run")} moved to the trash.`, { undo: async () => (await restoreRuns(ids), afterUndo()) }),
  )
}

/** Takes the runs out of the trash. */
export async function restoreRuns(ids) {
  await each(ids, async (id) => store.apply("run", await api.restore(id)), (done) => toast(`${plural(done, "run")} restored.`))
}

async function each(ids, action, say) {
  let done = 0
  try {
    for (const id of ids) {
      await action(id)
      done += 1
    }
    say(done)
  } catch (error) {
    toastError(error)
  }
}
