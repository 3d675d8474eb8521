import { api } from "./api.js"
import { unpackEpochs } from "./packed.js"
import { store } from "./store.js"

const HIDDEN_FOR = 30_000 // milliseconds out of sight, after which the connection is given up (a browser has six)
const RETRY_AFTER = 2_000 // milliseconds, where the browser itself does not try again
const OFFLINE_AFTER = 8_000 // milliseconds of trying, after which the page says that it is offline
const LOOK_EVERY = 5_000 // milliseconds between looks at whether the connection is still one
const SILENT_FOR = 25_000 // milliseconds; the service says something every ten seconds, if only that it is alive
const KINDS = ["run", "epoch", "measured", "removed", "progress", "counts", "reset", "alive"]

/** The one event stream of this tab. `state` is `connecting`, `live`, `reconnecting` or `offline`; listeners hear of each change. */
class Stream {
  state = "connecting"
  since = Date.now() // when this state began
  heard = Date.now() // when the service last said anything: what is shown is as old as that

  #seq = 0
  #source = null
  #retry = 0
  #hiding = 0
  #offline = 0
  #looked = Date.now()
  #listeners = new Set()

  /** Follows from the event after `seq`. */
  start(seq) {
    this.#seq = seq
    this.#connect()
    document.addEventListener("visibilitychange", () => this.#seen())
    window.addEventListener("online", () => this.#reconnect())
    window.addEventListener("pagehide", () => this.#close())
    window.addEventListener("pageshow", () => this.#source ?? this.#connect())
    setInterval(() => this.#look(), LOOK_EVERY)
  }

  onState(listener, signal = null) {
    this.#listeners.add(listener)
    signal?.addEventListener("abort", () => this.#listeners.delete(listener))
    listener(this)
  }

  #connect() {
    this.#close()
    const source = new EventSource(`/api/stream?after=${this.#seq}&columns=true`)
    this.#source = source
    source.onopen = () => {
      this.#hear()
      this.#become("live")
    }
    source.onerror = () => this.#failed(source)
    source.addEventListener("epochs", (message) => {
      this.#hear()
      this.#seq = Number(message.lastEventId)
      for (const epoch of unpackEpochs(JSON.parse(message.data))) store.apply("epoch", epoch)
    })
    for (const kind of KINDS) {
      source.addEventListener(kind, (message) => {
        this.#hear()
        if (message.lastEventId) this.#seq = Number(message.lastEventId)
        if (kind !== "alive") store.apply(kind, JSON.parse(message.data))
      })
    }
  }

  #hear() {
    this.heard = Date.now()
  }

  #failed(source) {
    if (source !== this.#source) return
    this.#become("reconnecting")
    if (source.readyState !== EventSource.CLOSED) return
    this.#close()
    this.#retry = setTimeout(() => this.#reconnect(), RETRY_AFTER)
  }

  // The stream can't say why it was refused; an ordinary request can, and asks for the token where that is it.
  async #reconnect() {
    clearTimeout(this.#retry)
    try {
      await api.runs({ limit: 1 })
    } catch {
      this.#become("reconnecting")
      clearTimeout(this.#retry)
      this.#retry = setTimeout(() => this.#reconnect(), RETRY_AFTER)
      return
    }
    this.#connect()
  }

  // A machine that slept, or a network that was pulled out, leaves a connection that is none, without an error.
  #look() {
    const slept = Date.now() - this.#looked > LOOK_EVERY + SILENT_FOR
    this.#looked = Date.now()
    if (this.#source === null || this.state !== "live") return
    if (!slept && Date.now() - this.heard < SILENT_FOR) return
    this.#close()
    this.#become("reconnecting")
    this.#reconnect()
  }

  #seen() {
    clearTimeout(this.#hiding)
    if (document.hidden) {
      this.#hiding = setTimeout(() => this.#close(), HIDDEN_FOR)
    } else if (this.#source === null) {
      this.#become("reconnecting")
      this.#connect()
    } else {
      this.#look()
    }
  }

  #close() {
    clearTimeout(this.#retry)
    this.#source?.close()
    this.#source = null
  }

  #become(state) {
    if (state === "reconnecting" && this.state === "offline") return
    if (state === this.state) return
    clearTimeout(this.#offline)
    if (state === "reconnecting") this.#offline = setTimeout(() => this.#become("offline"), OFFLINE_AFTER)
    this.since = state === "offline" ? this.since : Date.now()
    this.state = state
    for (const listener of this.#listeners) listener(this)
  }
}

export const stream = new Stream()
