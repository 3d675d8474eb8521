import { api } from "./core/api.js"
import { h } from "./core/dom.js"
import { go, startRouter } from "./core/router.js"
import { store } from "./core/store.js"
import { stream } from "./core/stream.js"
import { comparePage } from "./compare/page.js"
import { openLaunch } from "./launch/panel.js"
import { runPage } from "./run/page.js"
import { runsPage } from "./runs/page.js"
import { dataPage } from "./service/data.js"
import { queuePage } from "./service/queue.js"
import { fillHeader } from "./ui/header.js"
import { listenForKeys } from "./ui/keys.js"
import { askForToken } from "./ui/login.js"
import { problem } from "./ui/problem.js"

const NEWEST = 20 // runs that are known from the start: enough for the newest launch

const ROUTES = [
  [/^\/$/, runsPage],
  [/^\/runs\/(\d+)$/, runPage],
  [/^\/compare$/, comparePage],
  [/^\/queue$/, queuePage],
  [/^\/data$/, dataPage],
]

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

start()
