import { api } from "../core/api.js"
import { plural } from "../core/format.js"
import { store } from "../core/store.js"
import { showRefused } from "./refused.js"
import { toast, toastError } from "./toast.js"

const AT_ONCE = 500 // runs in a request

/** Asks each of the runs to stop. */
export async function stopRuns(ids) {
  await each(ids, "stop", { did: (runs) => `${runs} asked to stop` })
}

/** Ends each of the runs at once: what it trained since its last checkpoint is lost. */
export async function forceStopRuns(ids) {
  await each(ids, "force_stop", { did: (runs) => `${runs} stopped by force` })
}

/** Asks each of the runs to pause. */
export async function pauseRuns(ids) {
  await each(ids, "pause", { did: (runs) => `${runs} asked to pause` })
}

/** Queues each of the paused runs again. */
export async function resumeRuns(ids) {
  await each(ids, "resume", { did: (runs) => `${runs} resumed` })
}

/** Launches each failed or stopped run again, from its beginning, as a new run. */
export async function retryRuns(ids) {
  await each(ids, "retry", { did: (runs) => `${runs} launched again` })
}

/** Gives each of the runs that may still begin a priority; the toast has the way back. Throws what the service refuses of it. */
export async function rankRuns(ids, priority) {
  const had = Map.groupBy(ids, (id) => store.get(id)?.priority)
  const answer = await send(ids, "priority", { priority })
  const undo = async (changed) => {
    for (const [before, some] of had) {
      const mine = some.filter((id) => changed.has(id))
      if (mine.length > 0) await send(mine, "priority", { priority: before })
    }
  }
  // Of runs that were never seen it is not known what they had.
  report(answer, { did: (runs) => `${runs} given priority ${priority}`, undo: had.has(undefined) ? null : undo })
}

/** Moves the runs to the trash; the toast has the way back. */
export async function trashRuns(ids, afterUndo = () => {}) {
  await each(ids, "delete", { did: (runs) => `${runs} moved to the trash`, undo: async (changed) => (await restoreRuns([...changed]), afterUndo()) })
}

/** Takes the runs out of the trash. */
export async function restoreRuns(ids) {
  await each(ids, "restore", { did: (runs) => `${runs} restored` })
}

/** Puts tags on the runs, or takes them off; the toast has the way back. Throws what the service refuses of the tags. */
export async function tagRuns(ids, tags, isOn) {
  const had = new Map(ids.map((id) => [id, store.get(id)?.tags ?? []]))
  const answer = await send(ids, isOn ? "tag" : "untag", { tags })
  // Back means as it was: a run that had one of the tags before keeps it.
  const undo = async (done) => {
    for (const tag of tags) {
      const changed = [...done].filter((id) => had.get(id).includes(tag) !== isOn)
      if (changed.length > 0) await send(changed, isOn ? "untag" : "tag", { tags: [tag] })
    }
  }
  report(answer, { did: (runs) => `${tags.join(", ")} ${isOn ? "put on" : "taken off"} ${runs}`, undo })
}

/** Removes runs for good once the time to undo that is over; `hide` and `back` take them off the page and put them back. */
export function purgeRuns(ids, { hide, back }) {
  hide()
  const go = () => send(ids, "purge").then(({ refused }) => refused.length > 0 && (toast(refused[0].message, { bad: true }), back())).catch((error) => (toastError(error), back()))
  toast(`${plural(ids.length, "run")} will be gone for good, with ${ids.length === 1 ? "its" : "their"} files.`, { undo: back, gone: go })
}

async function each(ids, action, words) {
  try {
    report(await send(ids, action), words)
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

/** Says with how many runs it was done, and with which it could not be, and why. */
function report({ done, refused }, { did, undo = null }) {
  const isAll = refused.length === 0
  const parts = done.length > 0 ? [did(plural(done.length, "run"))] : []
  if (refused.length === 1) parts.push(done.length > 0 ? `not the other: ${refused[0].message}` : refused[0].message.replace(/\.$/, ""))
  if (refused.length > 1) parts.push(`${done.length > 0 ? "not possible with" : "Not possible with any of"} ${plural(refused.length, "run")}`)
  const text = parts.join("; ")
  toast(text.endsWith(".") ? text : `${text}.`, {
    undo: undo && done.length > 0 ? () => Promise.resolve(undo(new Set(done))).catch(toastError) : null,
    more: refused.length > 1 ? ["Which, and why", () => showRefused(refused)] : null,
    bad: done.length === 0 && !isAll,
  })
}
