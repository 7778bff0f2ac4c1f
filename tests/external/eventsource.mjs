// A subscriber made with the npm package `eventsource`: eventsource.mjs URL COUNT
//
// Prints a line of JSON for each thing that happens: {"open":true}, {"lastEventId":…,"data":…},
// {"error":…}. Closes after COUNT events that are messages, users lists not counted.

import { EventSource } from 'eventsource'

const [url, count] = process.argv.slice(2)
const tell = (it) => process.stdout.write(`${JSON.stringify(it)}\n`)

// The package does not keep a process alive while it waits to reconnect.
const alive = setInterval(() => {}, 1000)
let left = Number(count)
const source = new EventSource(url)
source.addEventListener('open', () => tell({ open: true }))
source.addEventListener('error', ({ code, message }) => tell({ error: { code, message } }))
source.addEventListener('close', ({ data }) => tell({ close: JSON.parse(data) }))
source.addEventListener('message', ({ lastEventId, data }) => {
  tell({ lastEventId, data })
  if (JSON.parse(data).message && --left === 0) {
    source.close()
    clearInterval(alive)
  }
})
