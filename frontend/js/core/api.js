import { unpackFigure } from "./packed.js"

/** What the service answered when it did not do as asked; `fields` names what was wrong with each field. */
export class ApiError extends Error {
  constructor(status, { code, message, fields = [] }) {
    super(message)
    this.status = status
    this.code = code
    this.fields = fields
  }
}

const UNREACHABLE = { code: "unreachable", message: "The service does not answer. Check that it runs, then try again." }

export const api = {
  runs: (query = {}, signal) => get("/runs", query, signal),
  runIds: (query, signal) => get("/runs/ids", query, signal),
  sparks: (ids, signal) => get("/runs/sparks", { ids: ids.join(",") }, signal),
  bulk: (ids, action, rest = {}) => send("POST", "/runs/bulk", { ids, action, ...rest }, {}, { keepalive: true }), // also on the way out
  run: (id, signal) => get(`/runs/${id}`, {}, signal),
  change: (id, change) => send("PATCH", `/runs/${id}`, change),
  stop: (id) => send("POST", `/runs/${id}/stop`),
  pause: (id) => send("POST", `/runs/${id}/pause`),
  resume: (id) => send("POST", `/runs/${id}/resume`),
  trash: (id) => send("DELETE", `/runs/${id}`),
  restore: (id) => send("POST", `/runs/${id}/restore`),
  retry: (id, how) => send("POST", `/runs/${id}/retry`, how),
  reproduce: (id) => send("POST", `/runs/${id}/reproduce`),
  branch: (id, order) => send("POST", `/runs/${id}/branch`, order),
  checkpoints: (id, signal) => get(`/runs/${id}/checkpoints`, {}, signal),
  metrics: (id, query = {}, signal) => get(`/runs/${id}/metrics`, query, signal),
  history: (id, signal) => get(`/runs/${id}/history`, {}, signal),
  audit: (id, query, signal) => get(`/runs/${id}/audit`, query, signal),
  examples: (id, signal) => get(`/runs/${id}/examples`, {}, signal),
  exampleSteps: (id, epochsDone, signal) => get(`/runs/${id}/examples/${epochsDone}`, {}, signal),
  log: (id, signal) => get(`/runs/${id}/log`, {}, signal),
  figure: async (name, query, signal) => unpackFigure(await get(`/figures/${name}`, query, signal)),
  comparison: (query, signal) => get("/comparisons", query, signal),
  views: (signal) => get("/views", {}, signal),
  addView: (name, state) => send("POST", "/views", { name, state }),
  changeView: (id, change) => send("PATCH", `/views/${id}`, change),
  removeView: (id) => send("DELETE", `/views/${id}`),
  presets: (signal) => get("/presets", {}, signal),
  references: (signal) => get("/references", {}, signal),
  schema: (signal) => get("/schema", {}, signal),
  datasets: (signal) => get("/datasets", {}, signal),
  download: (name) => send("POST", `/datasets/${name}/download`),
  health: (signal) => get("/health/ready", {}, signal),
  workers: (signal) => get("/workers", {}, signal),
  drain: (id) => send("POST", `/workers/${id}/drain`),
  undrain: (id) => send("POST", `/workers/${id}/undrain`),
  queue: (query, signal) => get("/queue", query, signal),
  /** Before another queued run, or to the front where that is null. */
  moveInQueue: (id, before) => send("POST", "/queue/order", { run_id: id, before }),
  /** The same key for the same form: a launch that is sent twice makes its runs once. */
  launch: (order, key) => send("POST", "/runs", order, { "Idempotency-Key": key }),
  estimate: (order) => send("POST", "/estimates", order),
  logIn: (token) => send("POST", "/session", { token }),
}

/** Whether an error only says that its view is gone. */
export function isAbort(error) {
  return error?.name === "AbortError"
}

function get(path, query, signal) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "")
  const search = new URLSearchParams(pairs).toString()
  return request(`/api${path}${search ? `?${search}` : ""}`, { signal })
}

function send(method, path, body, headers = {}, options = {}) {
  if (body === undefined) return request(`/api${path}`, { method })
  return request(`/api${path}`, { method, ...options, body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } })
}

async function request(url, options) {
  let response
  try {
    response = await fetch(url, options)
  } catch (error) {
    if (isAbort(error)) throw error
    throw new ApiError(0, UNREACHABLE)
  }
  if (response.status === 204) return null
  const body = await response.json().catch((error) => {
    if (isAbort(error)) throw error // the page was left while the answer was read
    return null
  })
  if (response.ok) return body
  if (response.status === 401 && url !== "/api/session") window.dispatchEvent(new Event("lab:login"))
  const code = "http_error"
  throw new ApiError(response.status, body?.error ?? { code, message: `The service answered ${response.status}.` })
}
