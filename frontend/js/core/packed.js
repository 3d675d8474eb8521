const KINDS = { f4: Float32Array, f8: Float64Array, i2: Int16Array, i4: Int32Array }

/** A figure whose packed columns (`{dtype, bdata}`) are lists, null where a number is not finite. */
export function unpackFigure(figure) {
  for (const trace of figure.data ?? []) {
    for (const name of ["x", "y"]) if (trace[name]?.bdata !== undefined) trace[name] = unpack(trace[name])
  }
  return figure
}

/** The epochs of an `epochs` event, each like an `epoch` event. */
export function unpackEpochs({ run_ids, epochs, columns, recorded_at, non_finite }) {
  const times = unpack(recorded_at)
  const values = Object.entries(columns).map(([name, column]) => [name, unpack(column)])
  return epochs.map((epoch, place) => ({
    run_id: run_ids[place],
    epoch,
    ...Object.fromEntries(values.map(([name, column]) => [name, column[place]])),
    recorded_at: new Date(1000 * times[place]).toISOString(),
    non_finite: non_finite[place] ?? {},
  }))
}

function unpack({ dtype, bdata }) {
  const bytes = Uint8Array.from(atob(bdata), (letter) => letter.charCodeAt(0))
  return Array.from(new KINDS[dtype](bytes.buffer), (value) => (Number.isFinite(value) ? value : null))
}
