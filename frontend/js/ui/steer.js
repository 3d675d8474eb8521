import { api } from "../core/api.js"
import { plural } from "../core/format.js"
import { store } from "../core/store.js"
import { toast, toastError } from "./toast.js"

const AT_ONCE = 500 // runs in a request

/** Asks each of the runs to stop. */
export async function stopRuns(ids) {
  await each(ids, "stop", (done) => toast(`${plural(done, "run")} asked to stop.`))
}

/** Asks each of the runs to pause. */
export async function pauseRuns(ids) {
  await each(ids, "pause", (done) => toast(`${plural(done, "run")} asked to pause.`))
}

/** Queues each of the paused runs again. */
export async function resumeRuns(ids) {
  await each(ids, "resume", (done) => toast(`${plural(done, "run")} resumed.`))
}

/** Moves the runs to the trash; the toast has the way back. */
export async function trashRuns(ids, afterUndo = () => {}) {
  await each(ids, "delete", (done, changed) => toast(`${plural(done, "run")} moved to the trash.`, { undo: async () => (await restoreRuns(changed), afterUndo()) }))
}

/** Takes the runs out of the trash. */
export async function restoreRuns(ids) {
  await each(ids, "restore", (done) => toast(`${plural(done, "run")} restored.`))
}

/** Puts tags on the runs, or takes them off; the toast has the way back. Throws what the service refuses of the tags. */
export async function tagRuns(ids, tags, isOn) {
  const had = new Map(ids.map((id) => [id, store.get(id)?.tags ?? []]))
  const answer = await send(ids, isOn ? "tag" : "untag", { tags })
  // Back means as it was: a run that had one of the tags before keeps it.
  const undo = async () => {
    for (const tag of tags) {
      const changed = answer.done.filter((id) => had.get(id).includes(tag) !== isOn)
      if (changed.length > 0) await send(changed, isOn ? "untag" : "tag", { tags: [tag] }).catch(toastError)
    }
  }
  report(answer, (done) => toast(`${tags.join(", ")} ${isOn ? "put on" : "taken off"} ${plural(done, "run")}.`, { undo }))
}

/** Removes runs for good once the time to undo that is over; `hide` and `back` take them off the page and put them back. */
export function purgeRuns(ids, { hide, back }) {
  hide()
  const go = () => send(ids, "purge").then(({ refused }) => refused.length > 0 && (toast(refused[0].message, { bad: true }), back())).catch((error) => (toastError(error), back()))
  toast(`${plural(ids.length, "run")} will be gone for good, with ${ids.length === 1 ? "its" : "their"} files.`, { undo: back, gone: go })
}

async function each(ids, action, say) {
  try {
    report(await send(ids, action), say)
  } catch (error) {
    toastError(error)
  }
}

/** Sends an action for many runs; gives the ids with which it was done, and the refusals. */
async function send(ids, action, rest = {}) {
  const done = []
  const refused = []
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    const answer = await api.bulk(ids.slice(start, start + AT_ONCE), action, rest)
    for (const run of answer.runs) {
      done.push(run.id)
      if (action !== "purge") store.apply("run", run)
    }
    refused.push(...answer.refused)
  }
  return { done, refused }
}

function report({ done, refused }, say) {
  if (done.length > 0) say(done.length, done)
  if (refused.length === 0) return
  const others = refused.length > 1 ? ` ${plural(refused.length - 1, "other")} refused too.` : ""
  toast(`${done.length > 0 ? `Done with ${plural(done.length, "run")}. ` : ""}${refused[0].message}${others}`, { bad: true })
}
