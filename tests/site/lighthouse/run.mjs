// Prints what Lighthouse says of each address, as JSON: node run.mjs <chromium> <address>...
import lighthouse from "lighthouse"
import * as chromeLauncher from "chrome-launcher"

const [chromePath, ...addresses] = process.argv.slice(2)
const chrome = await chromeLauncher.launch({ chromePath, chromeFlags: ["--headless=new", "--no-sandbox"] })
const found = {}
for (const address of addresses) {
  const { lhr } = await lighthouse(address, { port: chrome.port, logLevel: "error" })
  const failed = new Set(Object.values(lhr.categories)
    .filter(category => category.id !== "performance")
    .flatMap(category => category.auditRefs)
    .filter(({ id, weight }) => weight && lhr.audits[id].score !== null && lhr.audits[id].score < 1)
    .map(({ id }) => id))
  found[address] = {
    scores: Object.fromEntries(Object.values(lhr.categories).map(({ id, score }) => [id, Math.round(100 * score)])),
    blocked_ms: Math.round(lhr.audits["total-blocking-time"].numericValue),
    kib: Math.round(lhr.audits["total-byte-weight"].numericValue / 1024),
    failed: [...failed].map(id => ({
      id, title: lhr.audits[id].title, where: (lhr.audits[id].details?.items ?? []).map(item =>
        item.node?.snippet ?? item.description ?? item.source ?? JSON.stringify(item)).slice(0, 5),
    })),
    error: lhr.runtimeError?.message,
  }
}
await chrome.kill()
console.log(JSON.stringify(found))
