import { api } from "./core/api.js"
import { h } from "./core/dom.js"
import { go, startRouter } from "./core/router.js"
import { store } from "./core/store.js"
import { stream } from "./core/stream.js"
import { fillHeader } from "./ui/header.js"
import { listenForKeys } from "./ui/keys.js"
import { askForToken } from "./ui/login.js"
import { problem } from "./ui/problem.js"
import { toast } from "./ui/toast.js"

const REST_AFTER = 1_000 // milliseconds after the first page has begun
const NEWEST = 20 // runs that are known from the start, enough for the newest launch; index.html asks for just them beforehand

// A page's modules are loaded when it is first asked for; those of the first page the service names in the document.
const runsPage = () => import("./runs/page.js").then((module) => module.runsPage)
const runPage = () => import("./run/page.js").then((module) => module.runPage)
const comparePage = () => import("./compare/page.js").then((module) => module.comparePage)
const queuePage = () => import("./service/queue.js").then((module) => module.queuePage)
const dataPage = () => import("./service/data.js").then((module) => module.dataPage)
const launchPanel = () => import("./launch/panel.js").then((module) => module.openLaunch)

const ROUTES = [
  [/^\/$/, runsPage],
  [/^\/runs\/(\d+)$/, runPage],
  [/^\/compare$/, comparePage],
  [/^\/queue$/, queuePage],
  [/^\/data$/, dataPage],
].map(([pattern, load]) => [pattern, () => load().catch(() => unreachable)])

window.addEventListener("lab:login", askForToken)

/** Everything that a page loads is newer than the place from which the stream is followed: nothing falls between. */
async function start() {
  const main = document.getElementById("main")
  fillHeader(document.getElementById("header"))
  try {
    const newest = await api.runs({ limit: NEWEST })
    store.put(newest.runs)
    store.setCounts(newest.counts)
    stream.start(newest.seq)
    startRouter(main, ROUTES, openLaunch)
    listenForKeys({ launch: () => go("#launch") })
  } catch (error) {
    if (error.status !== 401) main.replaceChildren(h("div", { class: "empty" }, problem(error.message, () => location.reload())))
  }
}

/** The panel, as the router closes it: it may be left before its modules are there. */
function openLaunch(cloneId) {
  let panel = null
  let isLeft = false
  launchPanel().then(
    (open) => {
      if (!isLeft) panel = open(cloneId)
    },
    () => toast("The form could not be loaded: the service does not answer.", { bad: true }),
  )
  return {
    close() {
      isLeft = true
      panel?.close()
    },
  }
}

function unreachable({ root }) {
  root.append(h("div", { class: "empty" }, problem("This page could not be loaded: the service does not answer.", () => location.reload())))
  return "Not loaded"
}

/** Whoever goes on to another page need not wait for it. */
function loadTheRest() {
  for (const load of [launchPanel, runPage, comparePage, queuePage, dataPage, runsPage]) load().catch(() => {})
}

start().then(() => setTimeout(() => requestIdleCallback(loadTheRest), REST_AFTER))
